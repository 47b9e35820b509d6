//! Servers for tests to talk to: midge in this process or as a process of its own, the official one as a child process.
//!
//! Everything that knows how a server is started and configured is here, so that a change of midge's library
//! interface, or of the official server's command line, touches this folder alone.

#![allow(dead_code, unused_imports, reason = "each test program uses its own share of this")]

#[cfg(feature = "tls")]
pub mod certificates;
pub mod midge;
#[cfg(target_os = "linux")]
pub mod process;
pub mod reference;
pub mod settings;

pub use midge::Midge;
pub use reference::Reference;
pub use settings::Settings;

/// The midge that processes of tests run: the one named in `MIDGE_BIN`, which proves a build of another kind, else the
/// one that cargo has built for these tests.
pub fn midge_path() -> std::path::PathBuf {
    other_midge_path().unwrap_or_else(|| env!("CARGO_BIN_EXE_midge").into())
}

/// The path in `MIDGE_BIN`, if the environment names one.
pub fn other_midge_path() -> Option<std::path::PathBuf> {
    std::env::var_os("MIDGE_BIN").filter(|path| !path.is_empty()).map(Into::into)
}

/// The official server's path, if the environment names one in `NATS_REF`.
pub fn reference_path() -> Option<std::path::PathBuf> {
    std::env::var_os("NATS_REF").filter(|path| !path.is_empty()).map(Into::into)
}
