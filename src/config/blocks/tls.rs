//! The blocks `tls`: for clients, and for the routes of a cluster.

use std::path::PathBuf;
use std::time::Duration;

use super::{Block, Key, Takes, list, unknown_field};
use crate::config::convert;
use crate::config::lang::{Data, Entry};
use crate::config::options::Options;
use crate::config::report::Report;
use crate::config::tls::{
    AUTO_DELAY, CIPHER_SUITES, CURVES, ClientCertificates, HandshakeFirst, KeyPair, MISSING_CURVES, TlsSettings,
    Version, WEAK_CIPHER_SUITES,
};
use crate::config::value::{Kind, Value};
use crate::log::Quoted;

/// A block that is being read.
#[derive(Default)]
struct Draft {
    settings: TlsSettings,
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// One map of `certs`.
#[derive(Default)]
struct PairDraft {
    certificate: Option<PathBuf>,
    key: Option<PathBuf>,
}

/// The keys of the block.
const TLS: Block<Draft> = Block {
    keys: &[
        Key {
            names: &["cert_file"],
            takes: Takes::Value(Kind::Path, |draft, value| path(value).map(|path| draft.certificate = path)),
        },
        Key {
            names: &["key_file"],
            takes: Takes::Value(Kind::Path, |draft, value| path(value).map(|path| draft.key = path)),
        },
        Key { names: &["certs", "certificates"], takes: Takes::Data("Array of maps", read_pairs) },
        Key {
            names: &["ca_file"],
            takes: Takes::Value(Kind::Path, |draft, value| path(value).map(|path| draft.settings.ca_file = path)),
        },
        Key {
            names: &["verify"],
            takes: Takes::Value(Kind::Switch, |draft, value| {
                ask(draft, value.switch()?, ClientCertificates::Verified);
                Ok(())
            }),
        },
        Key {
            names: &["verify_and_map"],
            takes: Takes::Value(Kind::Switch, |draft, value| {
                ask(draft, value.switch()?, ClientCertificates::Mapped);
                Ok(())
            }),
        },
        Key {
            names: &["timeout"],
            takes: Takes::Value(Kind::Seconds, |draft, value| {
                draft.settings.timeout = value.duration()?;
                if draft.settings.timeout < Duration::from_millis(1) {
                    return Err("timeout must be 1ms or more".to_owned());
                }
                Ok(())
            }),
        },
        Key { names: &["handshake_first", "first", "immediate"], takes: Takes::Data("Boolean or string", read_first) },
        Key {
            names: &["min_version"],
            takes: Takes::Value(Kind::Text, |draft, value| {
                draft.settings.min_version = match value.text()?.as_str() {
                    "1.2" => Version::Tls12,
                    "1.3" => Version::Tls13,
                    other => return Err(format!("unsupported TLS version: {}", Quoted(other.as_bytes()))),
                };
                Ok(())
            }),
        },
        Key { names: &["cipher_suites"], takes: Takes::Data("Array of strings", read_suites) },
        Key { names: &["allow_insecure_cipher_suites"], takes: Takes::Value(Kind::Switch, |_, _| Ok(())) },
        Key { names: &["curve_preferences"], takes: Takes::Data("Array of strings", read_curves) },
        Key {
            names: &["pinned_certs"],
            takes: Takes::Value(Kind::Texts, |draft, value| {
                draft.settings.pinned_certs =
                    value.texts()?.iter().map(|text| digest(text)).collect::<Result<_, _>>()?;
                Ok(())
            }),
        },
        Key {
            names: &["connection_rate_limit"],
            takes: Takes::Value(Kind::Integer, |draft, value| {
                draft.settings.connection_rate_limit = usize::try_from(value.integer()?.max(0)).unwrap_or(usize::MAX);
                Ok(())
            }),
        },
        Key {
            names: &["insecure"],
            takes: Takes::Data("Boolean", |_, entry, report| {
                if is_on(entry, report) {
                    report.warning(&entry.place, "\"insecure\" is ignored: certificates are always verified");
                }
            }),
        },
        Key {
            names: &["verify_cert_and_check_known_urls"],
            takes: Takes::Data("Boolean", |_, entry, report| {
                if is_on(entry, report) {
                    report.error(&entry.place, "verify_cert_and_check_known_urls not supported in this context");
                }
            }),
        },
    ],
    unknown: |key| format!("error parsing tls config, unknown field {key}"),
};

/// The keys of a certificate among several.
const PAIR: Block<PairDraft> = Block {
    keys: &[
        Key {
            names: &["cert_file"],
            takes: Takes::Value(Kind::Path, |pair: &mut PairDraft, value| {
                path(value).map(|path| pair.certificate = path)
            }),
        },
        Key {
            names: &["key_file"],
            takes: Takes::Value(Kind::Path, |pair: &mut PairDraft, value| path(value).map(|path| pair.key = path)),
        },
    ],
    unknown: unknown_field,
};

/// The keys as the man page describes them.
pub(super) fn described() -> Vec<super::Described> {
    TLS.described()
}

/// Reads the block of clients.
pub(super) fn read(options: &mut Options, entry: &Entry, report: &mut Report) {
    let settings = read_block(entry, report);
    if settings.verifies() && settings.ca_file.is_none() {
        report.error(&entry.place, missing("ca_file"));
    }
    options.tls = Some(Box::new(settings));
}

/// Reads the block of routes. A route has a certificate at both ends, whatever the block says.
pub(super) fn read_for_routes(entry: &Entry, report: &mut Report) -> Option<Box<TlsSettings>> {
    let mut settings = read_block(entry, report);
    if settings.ca_file.is_none() {
        report.error(&entry.place, missing("ca_file"));
    }
    if settings.client_certificates == ClientCertificates::Mapped {
        report.error(&entry.place, "verify_and_map is not supported for routes");
    }
    settings.client_certificates = ClientCertificates::Verified;
    Some(Box::new(settings))
}

fn read_block(entry: &Entry, report: &mut Report) -> TlsSettings {
    let mut draft = Draft::default();
    TLS.read(entry, &mut draft, report);
    let Draft { mut settings, certificate, key } = draft;
    match (certificate, key) {
        (Some(_), _) if !settings.certificates.is_empty() => {
            let reason = "error parsing tls config, cannot combine 'cert_file' option with 'certs' option";
            report.error(&entry.place, reason);
        }
        (Some(certificate), Some(key)) => settings.certificates = vec![KeyPair { certificate, key }],
        (Some(_), None) => report.error(&entry.place, missing("key_file")),
        (None, Some(_)) => report.error(&entry.place, missing("cert_file")),
        (None, None) if settings.certificates.is_empty() => report.error(&entry.place, missing("cert_file")),
        (None, None) => {}
    }
    settings
}

fn missing(file: &str) -> String {
    format!("missing '{file}' in TLS configuration")
}

/// What a key says that takes a boolean.
fn is_on(entry: &Entry, report: &mut Report) -> bool {
    match convert::value(Kind::Switch, entry, report).and_then(Value::switch) {
        Ok(on) => on,
        Err(reason) => {
            report.error(&entry.place, reason);
            false
        }
    }
}

/// The name of a file; an empty one is none.
fn path(value: Value) -> Result<Option<PathBuf>, String> {
    Ok(Some(PathBuf::from(value.text()?)).filter(|path| !path.as_os_str().is_empty()))
}

/// Mapping asks for more than verifying, whichever is said last.
fn ask(draft: &mut Draft, on: bool, what: ClientCertificates) {
    let asked = &mut draft.settings.client_certificates;
    if on && *asked != ClientCertificates::Mapped {
        *asked = what;
    }
}

fn read_pairs(draft: &mut Draft, entry: &Entry, report: &mut Report) {
    for item in list(entry, report) {
        let mut pair = PairDraft::default();
        PAIR.read_data(&item.place, &item.data, &mut pair, report);
        if let (Some(certificate), Some(key)) = (pair.certificate, pair.key) {
            draft.settings.certificates.push(KeyPair { certificate, key });
        } else if matches!(item.data, Data::Map(_)) {
            let reason = "error parsing certificates config: both 'cert_file' and 'key_file' options are required";
            report.error(&item.place, reason);
        }
    }
}

fn read_first(draft: &mut Draft, entry: &Entry, report: &mut Report) {
    let delay = match &entry.data {
        Data::Switch(on) => {
            draft.settings.handshake_first = if *on { HandshakeFirst::Always } else { HandshakeFirst::Never };
            return;
        }
        Data::Text(text) if text.eq_ignore_ascii_case("auto") => Some(AUTO_DELAY),
        Data::Text(text) => match text.to_lowercase().as_str() {
            "true" | "on" => return draft.settings.handshake_first = HandshakeFirst::Always,
            "false" | "off" => return draft.settings.handshake_first = HandshakeFirst::Never,
            other => Kind::Duration.read(other).ok().and_then(|value| value.duration().ok()),
        },
        other => {
            let reason = format!("field {:?} should be a boolean or a string, got {}", entry.key, other.kind());
            return report.error(&entry.place, reason);
        }
    };
    match delay {
        Some(delay) => draft.settings.handshake_first = HandshakeFirst::Within(delay),
        None => report.error(&entry.place, format!("field {:?} must be a boolean, \"auto\" or a duration", entry.key)),
    }
}

fn read_suites(draft: &mut Draft, entry: &Entry, report: &mut Report) {
    let what = Names { what: "cipher", offered: &CIPHER_SUITES, known: &WEAK_CIPHER_SUITES };
    draft.settings.cipher_suites = what.read(entry, report);
}

fn read_curves(draft: &mut Draft, entry: &Entry, report: &mut Report) {
    let what = Names { what: "curve preference", offered: &CURVES, known: &MISSING_CURVES };
    draft.settings.curve_preferences = what.read(entry, report);
}

/// A list of names, of which some are known without being offered.
struct Names {
    what: &'static str,
    offered: &'static [&'static str],
    known: &'static [&'static str],
}

impl Names {
    fn read(&self, entry: &Entry, report: &mut Report) -> Vec<&'static str> {
        let mut names = Vec::new();
        let Data::List(items) = &entry.data else {
            report.error(&entry.place, format!("expected an array of strings, got {}", entry.data.kind()));
            return names;
        };
        let errors = report.errors.len();
        for item in items {
            let Data::Text(text) = &item.data else {
                report.error(&item.place, format!("expected a string, got {}", item.data.kind()));
                continue;
            };
            let find = |all: &'static [&'static str]| all.iter().find(|name| name.eq_ignore_ascii_case(text));
            match (find(self.offered), find(self.known)) {
                (Some(name), _) => names.push(*name),
                (None, Some(name)) => report.warning(&item.place, format!("{} {name} is not offered", self.what)),
                (None, None) => {
                    report.error(&item.place, format!("unrecognized {} {}", self.what, Quoted(text.as_bytes())));
                }
            }
        }
        if items.is_empty() {
            let key = entry.key.to_lowercase();
            report.error(&entry.place, format!("error parsing tls config, '{key}' cannot be empty"));
        } else if names.is_empty() && report.errors.len() == errors {
            report.error(&entry.place, format!("no {} of these can be offered", self.what));
        }
        names
    }
}

/// A SHA-256 digest in hexadecimal digits.
fn digest(text: &str) -> Result<[u8; 32], String> {
    let wrong = || {
        let shown = Quoted(text.as_bytes());
        format!("'pinned_certs' key {shown} is no hex-encoded sha256 of a DER encoded SubjectPublicKeyInfo")
    };
    let digits = text.as_bytes();
    let mut digest = [0; 32];
    if digits.len() != 2 * digest.len() || !digits.iter().all(u8::is_ascii_hexdigit) {
        return Err(wrong());
    }
    for (byte, at) in digest.iter_mut().zip((0..).step_by(2)) {
        *byte = u8::from_str_radix(&text[at..at + 2], 16).map_err(|_| wrong())?;
    }
    Ok(digest)
}

#[cfg(test)]
#[path = "tls_tests.rs"]
mod tests;
