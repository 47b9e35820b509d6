//! The file that tells others where we listen.

use crate::reactor::host_port;
use crate::sys;
use serde::Serialize;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};

/// A file that stands until this is dropped.
#[derive(Debug)]
pub(super) struct PortsFile {
    path: PathBuf,
}

/// A scheme, and where it is spoken.
type Place = (&'static str, SocketAddr);

/// What is in it.
#[derive(Serialize)]
struct Ports {
    nats: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    monitoring: Option<Vec<String>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Vec<String>>,
}

impl PortsFile {
    /// The file of this process in `folder`: `<program>_<pid>.ports`, with the name the program was called by.
    pub(super) fn path(folder: &Path) -> PathBuf {
        let called = std::env::args_os().next().unwrap_or_default();
        let mut name = Path::new(&called).file_name().unwrap_or_default().to_owned();
        name.push(format!("_{}.ports", std::process::id()));
        folder.join(name)
    }

    /// Writes it, with where clients and monitoring are served and where peers come in: one line of JSON without an end. It is
    /// there whole or not at all.
    ///
    /// # Errors
    /// What the system says.
    pub(super) fn write(
        path: PathBuf,
        nats: Place,
        monitoring: Option<Place>,
        cluster: Option<Place>,
    ) -> io::Result<PortsFile> {
        let urls = |(scheme, address): Place| reachable(address).iter().map(|at| format!("{scheme}://{at}")).collect();
        let ports = Ports { nats: urls(nats), monitoring: monitoring.map(urls), cluster: cluster.map(urls) };
        let text = serde_json::to_vec(&ports).map_err(io::Error::from)?;
        let mut unfinished = path.clone().into_os_string();
        unfinished.push(".new");
        // One that an earlier process with our id left behind. What is no such file is refused below.
        _ = fs::remove_file(&unfinished);
        let written = OpenOptions::new()
            .write(true)
            .create_new(true)
            .open(&unfinished)
            .and_then(|mut file| file.write_all(&text))
            .and_then(|()| fs::rename(&unfinished, &path));
        if let Err(error) = written {
            // Maybe it was not even made.
            _ = fs::remove_file(&unfinished);
            return Err(error);
        }
        Ok(PortsFile { path })
    }
}

impl Drop for PortsFile {
    fn drop(&mut self) {
        // Readers may remove it themselves.
        _ = fs::remove_file(&self.path);
    }
}

/// Where a socket bound to `address` can be reached on this machine: every address of the machine if it is bound to all
/// of them, those of IPv4 first.
fn reachable(address: SocketAddr) -> Vec<String> {
    let mut hosts = vec![address.ip()];
    if address.ip().is_unspecified() {
        // Where the system does not tell, the address as bound is better than nothing.
        let mut local = sys::addresses::local().unwrap_or_default();
        local.retain(|host| address.is_ipv6() || host.is_ipv4());
        local.sort_by_key(IpAddr::is_ipv6);
        local.dedup();
        if !local.is_empty() {
            hosts = local;
        }
    }
    hosts.iter().map(|host| host_port(&host.to_string(), address.port())).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_itself_and_the_wildcard_for_all() {
        let one = |text: &str| reachable(text.parse().unwrap());
        assert_eq!(one("192.0.2.1:4222"), ["192.0.2.1:4222"]);
        assert_eq!(one("[::1]:4222"), ["[::1]:4222"]);
        let four = one("0.0.0.0:4222");
        assert!(four.contains(&"127.0.0.1:4222".to_owned()) && !four.iter().any(|at| at.contains('[')), "{four:?}");
        let both = one("[::]:4222");
        assert!(both.starts_with(&four), "IPv4 comes first in {both:?}");
    }

    #[test]
    fn the_file_is_compact_and_goes_with_its_owner() {
        let folder = std::env::temp_dir().join(format!("midge-ports-{}", std::process::id()));
        fs::create_dir(&folder).unwrap();
        let path = PortsFile::path(&folder);
        let name = path.file_name().unwrap().to_str().unwrap();
        assert!(name.starts_with("midge") && name.ends_with(&format!("_{}.ports", std::process::id())), "{name}");
        let address = "127.0.0.1:4222".parse().unwrap();
        fs::write(path.with_extension("ports.new"), "left behind").unwrap();
        let file = PortsFile::write(path.clone(), ("nats", address), None, None).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "{\"nats\":[\"nats://127.0.0.1:4222\"]}");
        drop(file);
        let file = PortsFile::write(
            path.clone(),
            ("tls", address),
            Some(("https", "[::1]:8222".parse().unwrap())),
            Some(("nats", "127.0.0.1:6222".parse().unwrap())),
        )
        .unwrap();
        let both = "{\"nats\":[\"tls://127.0.0.1:4222\"],\"monitoring\":[\"https://[::1]:8222\"],\
            \"cluster\":[\"nats://127.0.0.1:6222\"]}";
        assert_eq!(fs::read_to_string(&path).unwrap(), both);
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
        drop(file);
        assert!(!path.exists());
        fs::remove_dir(&folder).unwrap();
        assert_eq!(PortsFile::write(path, ("nats", address), None, None).unwrap_err().kind(), io::ErrorKind::NotFound);
    }
}
