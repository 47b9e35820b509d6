//! Where monitoring is served.

use super::stream::{Door, SocketFile};
use crate::config::Options;
use crate::log::Log;
use crate::reactor::{host_port, listen};
use crate::sys;
use mio::net::TcpListener;
use std::fmt;
use std::net::SocketAddr;
use std::path::Path;

/// Sockets that listen; connections wait there until somebody answers.
#[derive(Debug)]
pub struct Doors {
    list: Vec<Door>,
    place: Option<Place>,
}

/// Where it is served over TCP.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Place {
    /// `http` or `https`.
    pub scheme: &'static str,
    /// The address that was bound.
    pub address: SocketAddr,
}

/// Why monitoring cannot be served, in the words of the official server.
#[derive(Debug, PartialEq, Eq)]
pub struct OpenError(String);

impl fmt::Display for OpenError {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        write!(f, "Can't start monitoring: {}", self.0)
    }
}

impl std::error::Error for OpenError {}

impl Doors {
    /// Listens wherever the options say, and logs that. None if they want no monitoring. HTTPS needs TLS.
    ///
    /// # Errors
    /// If they make no sense or the system refuses.
    pub fn open(options: &Options, has_tls: bool, log: &Log) -> Result<Option<Self>, OpenError> {
        if !options.monitors() {
            return Ok(None);
        }
        let mut doors = Self { list: Vec::new(), place: None };
        match (options.http_port, options.https_port) {
            (Some(http), Some(https)) => {
                let shown = |port| if port == 0 { -1 } else { i32::from(port) };
                let (http, https) = (shown(http), shown(https));
                return Err(OpenError(format!("can't specify both HTTP ({http}) and HTTPs ({https}) ports")));
            }
            (None, Some(_)) if !has_tls => return Err(OpenError("TLS cert and key required for HTTPS".to_owned())),
            (Some(port), None) => doors.open_tcp("http", port, Door::Tcp, options, log)?,
            (None, Some(port)) => doors.open_tcp("https", port, Door::Tls, options, log)?,
            (None, None) => {}
        }
        if let Some(path) = &options.http_socket {
            doors.list.push(open_unix(path)?);
            log.info(format_args!("Starting http monitor on {}", path.display()));
        }
        Ok(Some(doors))
    }

    fn open_tcp(
        &mut self,
        scheme: &'static str,
        port: u16,
        door: fn(TcpListener) -> Door,
        options: &Options,
        log: &Log,
    ) -> Result<(), OpenError> {
        let host = options.http_host.as_ref().unwrap_or(&options.host);
        let refused = |reason| OpenError(format!("can't listen to the monitor port: {reason}"));
        let (socket, address) = listen(host, port).map_err(refused)?;
        log.info(format_args!("Starting {scheme} monitor on {}", host_port(host, address.port())));
        self.list.push(door(socket));
        self.place = Some(Place { scheme, address });
        Ok(())
    }

    /// Where it listens over TCP, if it does.
    pub fn place(&self) -> Option<Place> {
        self.place
    }

    pub(super) fn into_list(self) -> Vec<Door> {
        self.list
    }
}

fn open_unix(path: &Path) -> Result<Door, OpenError> {
    let opened = SocketFile::bind(path);
    opened.map_err(|error| {
        let (path, reason) = (path.display(), sys::error_text(&error));
        OpenError(format!("can't listen to the monitor socket: listen unix {path}: bind: {reason}"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refusal(options: Options) -> String {
        Doors::open(&options, false, &Log::quiet()).unwrap_err().to_string()
    }

    #[test]
    fn what_makes_no_sense_is_refused_in_the_official_words() {
        let options = Options { http_port: Some(0), https_port: Some(20202), ..Options::default() };
        let text = "Can't start monitoring: can't specify both HTTP (-1) and HTTPs (20202) ports";
        assert_eq!(refusal(options), text);
        let options = Options { https_port: Some(0), ..Options::default() };
        assert_eq!(refusal(options), "Can't start monitoring: TLS cert and key required for HTTPS");
        assert!(Doors::open(&Options::default(), false, &Log::quiet()).unwrap().is_none());
    }

    #[test]
    fn a_port_in_use_and_a_folder_that_is_missing_are_told() {
        let options = Options {
            host: "::1".into(),
            http_host: Some("127.0.0.1".into()),
            http_port: Some(0),
            ..Options::default()
        };
        let doors = Doors::open(&options, false, &Log::quiet()).unwrap().unwrap();
        let address = doors.place().unwrap().address;
        let options = Options { http_port: Some(address.port()), ..options };
        let begin = "Can't start monitoring: can't listen to the monitor port: listen tcp ";
        assert_eq!(refusal(options), format!("{begin}{address}: bind: address already in use"));
        let options = Options { http_socket: Some("/nonexistent/s".into()), ..Options::default() };
        let begin = "Can't start monitoring: can't listen to the monitor socket: listen unix ";
        assert_eq!(refusal(options), format!("{begin}/nonexistent/s: bind: no such file or directory"));
    }
}
