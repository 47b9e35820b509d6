//! Where a log daemon is: the words of the option, taken apart.

use std::path::PathBuf;

use super::escape::Quoted;

/// How to reach a log daemon.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Address {
    /// The daemon of this machine, at the first of these sockets that takes us.
    Local(Vec<PathBuf>),
    /// `host:port`, a datagram for each line.
    Udp(String),
    /// `host:port`, one stream.
    Tcp(String),
    /// A stream socket of this machine.
    Unix(PathBuf),
}

impl Address {
    /// The usual sockets of this machine's daemon.
    pub fn local() -> Address {
        Address::Local(["/dev/log", "/var/run/syslog", "/var/run/log"].map(PathBuf::from).to_vec())
    }

    /// Reads `udp://host:port`, `tcp://host:port` or `unix:///path`.
    ///
    /// # Errors
    /// A line in the words of the official server.
    pub fn parse(text: &str) -> Result<Address, String> {
        let (scheme, rest) = text.split_once(':').unwrap_or(("", text));
        let scheme = scheme.to_ascii_lowercase();
        let (authority, path) = split_authority(rest);
        match scheme.as_str() {
            "unix" => Ok(Address::Unix(PathBuf::from(path))),
            "udp" | "tcp" => {
                let address = host_port(&scheme, authority).map_err(|fault| refusal(&fault))?;
                Ok(if scheme == "udp" { Address::Udp(address) } else { Address::Tcp(address) })
            }
            _ => Err(format!("error invalid network type: {}", Quoted(scheme.as_bytes()))),
        }
    }

    /// True if it may be on another machine: lines then tell the host's name.
    pub fn is_remote(&self) -> bool {
        matches!(self, Address::Udp(_) | Address::Tcp(_))
    }

    /// True if it is this machine's own daemon.
    pub fn is_own(&self) -> bool {
        matches!(self, Address::Local(_))
    }
}

/// The line that says why there is no connection.
pub(super) fn refusal(fault: &str) -> String {
    format!("error connecting to syslog: {}", Quoted(fault.as_bytes()))
}

/// What is behind the scheme of a URL as its authority, without a user, and its path.
fn split_authority(rest: &str) -> (&str, &str) {
    let Some(rest) = rest.strip_prefix("//") else { return ("", rest) };
    let (authority, path) = rest.split_at(rest.find(['/', '?', '#']).unwrap_or(rest.len()));
    let host = authority.rsplit_once('@').map_or(authority, |(_, host)| host);
    (host, &path[..path.find(['?', '#']).unwrap_or(path.len())])
}

/// The address when it has a port.
fn host_port(scheme: &str, address: &str) -> Result<String, String> {
    if address.is_empty() {
        return Err(format!("dial {scheme}: missing address"));
    }
    let (host, port) = address.rsplit_once(':').filter(|(_, port)| !port.ends_with(']')).unwrap_or((address, ""));
    if port.is_empty() {
        return Err(format!("dial {scheme}: address {address}: missing port in address"));
    }
    if host.contains(':') && !(host.starts_with('[') && host.ends_with(']')) {
        return Err(format!("dial {scheme}: address {address}: too many colons in address"));
    }
    if port.parse::<u16>().is_err() {
        return Err(format!("dial {scheme}: address {port}: invalid port"));
    }
    Ok(address.to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_as_an_operator_writes_them() {
        for (text, expected) in [
            ("udp://127.0.0.1:514", Address::Udp("127.0.0.1:514".into())),
            ("UDP://log.example:514/", Address::Udp("log.example:514".into())),
            ("tcp://[::1]:601", Address::Tcp("[::1]:601".into())),
            ("tcp://user:x@h:1?a#b", Address::Tcp("h:1".into())),
            ("unix:///run/log.sock", Address::Unix("/run/log.sock".into())),
        ] {
            assert_eq!(Address::parse(text), Ok(expected), "{text}");
        }
    }

    #[test]
    fn almost_right_addresses_get_the_official_lines() {
        for (text, expected) in [
            ("foo://x", "error invalid network type: \"foo\""),
            ("localhost:5", "error invalid network type: \"localhost\""),
            ("localhost", "error invalid network type: \"\""),
            ("tcp://", "error connecting to syslog: \"dial tcp: missing address\""),
            ("udp://x", "error connecting to syslog: \"dial udp: address x: missing port in address\""),
            ("udp://x:", "error connecting to syslog: \"dial udp: address x:: missing port in address\""),
            ("tcp://[::1]", "error connecting to syslog: \"dial tcp: address [::1]: missing port in address\""),
            ("tcp://::1:5", "error connecting to syslog: \"dial tcp: address ::1:5: too many colons in address\""),
            ("tcp://h:99999", "error connecting to syslog: \"dial tcp: address 99999: invalid port\""),
        ] {
            assert_eq!(Address::parse(text), Err(expected.to_owned()), "{text}");
        }
    }
}
