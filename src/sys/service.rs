//! What a service manager such as systemd wants to hear: the datagrams of sd_notify(3), without its library.

use super::clock;
use std::borrow::Cow;
use std::ffi::OsString;
use std::io;
use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

/// How long the manager may take to read what it was told before.
const PATIENCE: Duration = Duration::from_secs(1);

/// The way to the service manager.
#[derive(Debug)]
pub struct Manager {
    socket: UnixDatagram,
    address: Address,
    watchdog: Option<Duration>,
}

/// Where it listens.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Address {
    Path(PathBuf),
    /// A name that is in no folder.
    Abstract(Vec<u8>),
}

/// What happened to the service.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Notice {
    /// It has started, or goes on with other options.
    Ready,
    /// It has begun to read its options again; [`Ready`](Self::Ready) follows whether that succeeds or not.
    Reloading,
    /// It has begun to stop.
    Stopping,
    /// It is alive.
    Alive,
}

impl Notice {
    fn text(self) -> Cow<'static, str> {
        match self {
            Notice::Ready => "READY=1".into(),
            // A manager that has asked for the reload knows by the time that this is the answer.
            Notice::Reloading => format!("RELOADING=1\nMONOTONIC_USEC={}", clock::monotonic_micros()).into(),
            Notice::Stopping => "STOPPING=1".into(),
            Notice::Alive => "WATCHDOG=1".into(),
        }
    }
}

impl Manager {
    /// The manager that the environment names in `NOTIFY_SOCKET`, if it names one, with the watchdog of `WATCHDOG_USEC`
    /// and `WATCHDOG_PID`. `variable` tells what is in the environment.
    ///
    /// # Errors
    /// When the name cannot be that of a socket, or there is no descriptor left.
    pub fn from_environment(variable: impl Fn(&str) -> Option<OsString>) -> io::Result<Option<Manager>> {
        let Some(name) = variable("NOTIFY_SOCKET").filter(|name| !name.is_empty()) else { return Ok(None) };
        let address = match name.as_encoded_bytes() {
            [b'@', rest @ ..] => Address::Abstract(rest.to_vec()),
            [b'/', ..] => Address::Path(name.into()),
            _ => return Err(io::Error::new(io::ErrorKind::InvalidInput, "neither a path nor an abstract name")),
        };
        let text = |name| variable(name).and_then(|text| text.into_string().ok());
        let is_for_us = text("WATCHDOG_PID").is_none_or(|id| id == std::process::id().to_string());
        let micros = text("WATCHDOG_USEC").and_then(|text| text.parse().ok()).filter(|micros| *micros > 0 && is_for_us);
        let socket = UnixDatagram::unbound()?;
        socket.set_write_timeout(Some(PATIENCE))?;
        Ok(Some(Manager { socket, address, watchdog: micros.map(Duration::from_micros) }))
    }

    /// How long it waits for [`Notice::Alive`] before it takes the service for dead; none if it does not wait for that.
    pub fn watchdog(&self) -> Option<Duration> {
        self.watchdog
    }

    /// Tells it, and waits a second at most.
    ///
    /// # Errors
    /// When it does not listen, or does not read.
    pub fn tell(&self, notice: Notice) -> io::Result<()> {
        let text = notice.text();
        let text = text.as_bytes();
        match &self.address {
            Address::Path(path) => self.socket.send_to(text, path)?,
            Address::Abstract(name) => send_to_abstract(&self.socket, text, name)?,
        };
        Ok(())
    }
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn send_to_abstract(socket: &UnixDatagram, text: &[u8], name: &[u8]) -> io::Result<usize> {
    #[cfg(target_os = "android")]
    use std::os::android::net::SocketAddrExt;
    #[cfg(target_os = "linux")]
    use std::os::linux::net::SocketAddrExt;
    socket.send_to_addr(text, &std::os::unix::net::SocketAddr::from_abstract_name(name)?)
}

#[cfg(not(any(target_os = "linux", target_os = "android")))]
fn send_to_abstract(_socket: &UnixDatagram, _text: &[u8], _name: &[u8]) -> io::Result<usize> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    type Variables<'a> = &'a [(&'a str, &'a str)];

    fn manager(variables: Variables) -> io::Result<Option<Manager>> {
        Manager::from_environment(|name| {
            variables.iter().find(|(known, _)| *known == name).map(|(_, text)| text.into())
        })
    }

    #[test]
    fn the_environment_names_the_socket_and_the_watchdog() {
        assert!(manager(&[]).unwrap().is_none());
        assert!(manager(&[("NOTIFY_SOCKET", "")]).unwrap().is_none());
        assert!(manager(&[("NOTIFY_SOCKET", "relative")]).is_err());
        let own = std::process::id().to_string();
        let cases: &[(Variables, Option<u64>)] = &[
            (&[], None),
            (&[("WATCHDOG_USEC", "30000000")], Some(30_000_000)),
            (&[("WATCHDOG_USEC", "1"), ("WATCHDOG_PID", &own)], Some(1)),
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")], None),
            (&[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "")], None),
            (&[("WATCHDOG_USEC", "0")], None),
            (&[("WATCHDOG_USEC", "-1")], None),
            (&[("WATCHDOG_USEC", "soon")], None),
        ];
        for (variables, micros) in cases {
            let all = [&[("NOTIFY_SOCKET", "@midge")], *variables].concat();
            let watchdog = manager(&all).unwrap().unwrap().watchdog();
            assert_eq!(watchdog, micros.map(Duration::from_micros), "{variables:?}");
        }
    }

    #[test]
    fn a_socket_in_a_folder_hears_everything() {
        let path = std::env::temp_dir().join(format!("midge-notify-{}", std::process::id()));
        let heard = UnixDatagram::bind(&path).unwrap();
        let manager = manager(&[("NOTIFY_SOCKET", path.to_str().unwrap())]).unwrap().unwrap();
        for (notice, text) in
            [(Notice::Ready, "READY=1"), (Notice::Alive, "WATCHDOG=1"), (Notice::Stopping, "STOPPING=1")]
        {
            manager.tell(notice).unwrap();
            let mut buffer = [0; 64];
            let bytes = heard.recv(&mut buffer).unwrap();
            assert_eq!(std::str::from_utf8(&buffer[..bytes]), Ok(text));
        }
        std::fs::remove_file(&path).unwrap();
        assert_eq!(manager.tell(Notice::Ready).unwrap_err().kind(), io::ErrorKind::NotFound);
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn an_abstract_socket_hears_too() {
        use std::os::linux::net::SocketAddrExt;
        let name = format!("midge-notify-{}", std::process::id());
        let address = std::os::unix::net::SocketAddr::from_abstract_name(&name).unwrap();
        let heard = UnixDatagram::bind_addr(&address).unwrap();
        manager(&[("NOTIFY_SOCKET", &format!("@{name}"))]).unwrap().unwrap().tell(Notice::Ready).unwrap();
        let mut buffer = [0; 64];
        let bytes = heard.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..bytes], b"READY=1");
    }
}
