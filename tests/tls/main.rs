//! TLS through the real binary, with clients of another kind than the server where that matters.
//!
//! With `NATS_REF=path` what both servers must do is asked of the official one too.

#![cfg(target_os = "linux")]

mod first;
mod handshakes;
mod hostile;
mod mutual;
mod peer;
mod renewal;
#[path = "../support/mod.rs"]
mod support;
mod traffic;

use std::fs;

use support::certificates::Certificates;
use support::process::Process;

/// A server with a certificate of its own, and what was made for it.
struct Server {
    certificates: Certificates,
    process: Process,
}

/// Which programs a test is about.
enum Programs {
    /// What midge does in its own way.
    Midge,
    /// What the official server does as well.
    Both,
}

impl Programs {
    /// Runs a check with each of them, with `more` in the `tls` block and `top` at the top of the file. `CERTS` there is the
    /// folder of the certificates, which `prepare` may add to.
    fn check(&self, more: &str, top: &str, prepare: impl Fn(&Certificates), check: impl Fn(Server)) {
        let reference = match self {
            Programs::Midge => None,
            Programs::Both => support::reference_path(),
        };
        let start = |program: Option<&std::path::Path>| {
            let certificates = Certificates::new();
            prepare(&certificates);
            let config = write_config(&certificates, more, top);
            let args = ["-D", "-c", &config];
            let process =
                program.map_or_else(|| Process::start(&args), |program| Process::start_program(program, &args));
            Server { certificates, process }
        };
        check(start(None));
        if let Some(program) = reference {
            println!("the official server");
            check(start(Some(&program)));
        }
    }

    /// The same with nothing to prepare and nothing at the top.
    fn check_with(&self, more: &str, check: impl Fn(Server)) {
        self.check(more, "", |_| {}, check);
    }
}

/// Writes a file with a `tls` block and returns its name.
fn write_config(certificates: &Certificates, more: &str, top: &str) -> String {
    let pair =
        if more.starts_with("certs:") { "" } else { "cert_file: 'CERTS/server.pem', key_file: 'CERTS/server.key'\n" };
    let text = format!("{top}\ntls {{\n{pair}{more}\n}}\n").replace("CERTS", &certificates.text(""));
    let path = certificates.path("midge.conf");
    fs::write(&path, text).expect("a file can be written");
    certificates.text("midge.conf")
}
