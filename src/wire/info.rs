//! The INFO document: what the server says of itself.

use serde::Serialize;

/// The fields of an INFO sent to a client, in the order they are written. Booleans are left out when false, except
/// `headers`.
#[derive(Debug, Clone, Serialize)]
pub struct Info<'a> {
    /// Unique for each run of a server.
    pub server_id: &'a str,
    /// Configured name, else the id.
    pub server_name: &'a str,
    /// The NATS version this server speaks; clients switch features on by it.
    pub version: &'a str,
    /// 1: the server knows `echo`.
    pub proto: u8,
    /// Kept for clients that expect the key.
    pub go: &'a str,
    /// Listen host as configured.
    pub host: &'a str,
    /// Real listen port.
    pub port: u16,
    /// HPUB and HMSG are understood.
    pub headers: bool,
    /// The client has to say who it is.
    #[serde(skip_serializing_if = "is_false")]
    pub auth_required: bool,
    /// The client is to begin a TLS handshake now.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_required: bool,
    /// It must have a certificate for that.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_verify: bool,
    /// The client may begin a TLS handshake, and need not.
    #[serde(skip_serializing_if = "is_false")]
    pub tls_available: bool,
    /// Bytes a message of this connection may have.
    pub max_payload: usize,
    /// The connection's number.
    pub client_id: u64,
    /// The peer's address without brackets.
    pub client_ip: &'a str,
    /// What a user with an nkey is to sign; only in the first INFO.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub nonce: Option<&'a str>,
    /// The name of the cluster the server is in.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub cluster: Option<&'a str>,
    /// Where clients can connect, this server and its peers; empty while it is alone.
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    pub connect_urls: &'a [String],
    /// The server is about to go: clients are to find another one.
    #[serde(skip_serializing_if = "is_false")]
    pub ldm: bool,
    /// True in the INFO that answers a CONNECT.
    #[serde(skip_serializing_if = "is_false")]
    pub connect_info: bool,
    /// The account the client is bound to; only with `connect_info`.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub remote_account: Option<&'a str>,
    /// That account is the one for those who look after the server.
    #[serde(skip_serializing_if = "is_false")]
    pub acc_is_sys: bool,
}

fn is_false(value: &bool) -> bool {
    !value
}

/// Room for nearly every line.
const LINE_BYTES: usize = 512;

impl Info<'_> {
    /// The whole line; the blank before the CRLF is part of it.
    pub fn line(&self) -> Vec<u8> {
        let mut line = Vec::with_capacity(LINE_BYTES);
        line.extend_from_slice(b"INFO ");
        serde_json::to_writer(&mut line, self).expect("strings and numbers can be written to memory");
        line.extend_from_slice(b" \r\n");
        line
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn line_has_the_reference_shape() {
        let first = Info {
            server_id: "NID",
            server_name: "n \"1\"",
            version: "2.15.1",
            proto: 1,
            go: "",
            host: "0.0.0.0",
            port: 4222,
            headers: true,
            auth_required: false,
            tls_required: false,
            tls_verify: false,
            tls_available: false,
            max_payload: 1_048_576,
            client_id: 5,
            client_ip: "::1",
            nonce: None,
            cluster: None,
            connect_urls: &[],
            ldm: false,
            connect_info: false,
            remote_account: None,
            acc_is_sys: false,
        };
        assert_eq!(
            String::from_utf8(first.line()).unwrap(),
            "INFO {\"server_id\":\"NID\",\"server_name\":\"n \\\"1\\\"\",\"version\":\"2.15.1\",\"proto\":1,\"go\":\"\",\
             \"host\":\"0.0.0.0\",\"port\":4222,\"headers\":true,\"max_payload\":1048576,\"client_id\":5,\
             \"client_ip\":\"::1\"} \r\n"
        );
        let last = Info { ldm: true, ..first.clone() };
        assert!(last.line().ends_with(b"\"client_ip\":\"::1\",\"ldm\":true} \r\n"));
        let secure = Info { tls_required: true, tls_verify: true, tls_available: true, ..first.clone() };
        let shown = String::from_utf8(secure.line()).unwrap();
        let order = "\"headers\":true,\"tls_required\":true,\"tls_verify\":true,\"tls_available\":true,\"max_payload\"";
        assert!(shown.contains(order), "{shown}");
        let asked = Info { auth_required: true, nonce: Some("bm9uY2U"), ..first.clone() };
        let asked = String::from_utf8(asked.line()).unwrap();
        assert!(asked.contains("\"headers\":true,\"auth_required\":true,\"max_payload\""), "{asked}");
        assert!(asked.ends_with("\"client_ip\":\"::1\",\"nonce\":\"bm9uY2U\"} \r\n"), "{asked}");
        let urls = ["127.0.0.1:4222".to_owned(), "[::1]:4223".to_owned()];
        let member = Info { cluster: Some("C1"), connect_urls: &urls, ldm: true, ..first.clone() };
        let member = String::from_utf8(member.line()).unwrap();
        let end = "\"cluster\":\"C1\",\"connect_urls\":[\"127.0.0.1:4222\",\"[::1]:4223\"],\"ldm\":true} \r\n";
        assert!(member.ends_with(end), "{member}");
        let answer = Info { connect_info: true, remote_account: Some("$G"), ..first };
        assert!(answer.line().ends_with(b"\"connect_info\":true,\"remote_account\":\"$G\"} \r\n"));
    }
}
