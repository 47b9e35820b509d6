//! Servers for tests to talk to: midge in this process or as a process of its own, the official one as a child process.
//!
//! Everything that knows how a server is started and configured is here, so that a change of midge's library
//! interface, or of the official server's command line, touches this folder alone.

#![allow(dead_code, unused_imports, reason = "each test program uses its own share of this")]

pub mod midge;
#[cfg(target_os = "linux")]
pub mod process;
pub mod reference;
pub mod settings;

pub use midge::Midge;
pub use reference::Reference;
pub use settings::Settings;

/// The official server's path, if the environment names one in `NATS_REF`.
pub fn reference_path() -> Option<std::path::PathBuf> {
    std::env::var_os("NATS_REF").filter(|path| !path.is_empty()).map(Into::into)
}
