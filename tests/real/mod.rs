//! The rig of the real-server tests: Debian's Dovecot and an independent OpenID provider, each test its own pair,
//! on loopback and in a temporary folder, gone with the value.
//!
//! What is missing on the machine fails the test: `tests/real/install` installs it, and `make test` runs that.
//! The rig knows nothing of the library under test. It must never reach a server of the system's.
// Each test file that takes the rig in uses a part of it.
#![allow(dead_code)]

pub mod browser;
pub mod dovecot;
pub mod flow;
pub mod openid;
pub mod pki;
pub mod pop;
pub mod server;

use std::path::{Path, PathBuf};

pub use browser::Browser;
pub use dovecot::Dovecot;
pub use openid::OpenIdProvider;
pub use pki::Pki;

/// The redirect URI the provider knows: with its own query, as webmail hosts register it. Nobody listens there.
pub const REDIRECT_URI: &str = "https://127.0.0.1:8443/WorldClient.dll?View=OAuth&AuthRequest=Office365";

pub struct Options {
    pub access_token_life_s: u32,
    /// Lines added to Dovecot's configuration.
    pub dovecot: String,
}

impl Default for Options {
    fn default() -> Options {
        Options { access_token_life_s: 20, dovecot: String::new() }
    }
}

/// Field order is drop order: the servers end before their folder goes.
pub struct Rig {
    pub dovecot: Dovecot,
    pub provider: OpenIdProvider,
    pub pki: Pki,
    dir: tempfile::TempDir,
}

impl Rig {
    pub fn start(options: &Options) -> Rig {
        let dir = tempfile::Builder::new().prefix("multipop-real-").tempdir().expect("a temporary folder");
        // Dovecot's mail processes run as another user and pass through here; what is secret is 0600.
        server::mode(dir.path(), 0o755);
        let pki = Pki::create(dir.path());
        let provider = OpenIdProvider::start(dir.path(), &pki, options.access_token_life_s);
        let dovecot = Dovecot::start(dir.path(), &pki, &provider, &options.dovecot);
        server::count_this_test();
        Rig { dovecot, provider, pki, dir }
    }

    /// A folder for what the test itself writes.
    pub fn folder(&self, name: &str) -> PathBuf {
        let path = self.dir.path().join(name);
        std::fs::create_dir_all(&path).expect("a folder of the test's own");
        path
    }

    pub fn path(&self) -> &Path {
        self.dir.path()
    }

    pub fn browser(&self) -> Browser {
        Browser::new(&self.pki)
    }
}
