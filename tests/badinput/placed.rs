//! A host's folder and programs that belong to another user than root, to whom modes and limits are a bound.

use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// A folder another user owns, with programs he may run.
pub struct Placed(pub PathBuf);

const NOBODY: u32 = 65534;

impl Placed {
    pub fn new(folder: &Path) -> Placed {
        std::fs::set_permissions(folder, PermissionsExt::from_mode(0o755)).unwrap();
        let placed = Placed(folder.join("his"));
        placed.folder("");
        let library = std::env::current_exe().unwrap().with_file_name("libmultipop.so");
        // Built beside the tests by `make test`, and by `cargo build --workspace`.
        let program = library.parent().and_then(Path::parent).unwrap().join("multipop-host");
        assert!(program.exists(), "{} is missing: cargo build --workspace", program.display());
        for (from, name) in [(program, "multipop-host"), (library, "libmultipop.so")] {
            std::fs::copy(from, placed.0.join(name)).unwrap();
            std::fs::set_permissions(placed.0.join(name), PermissionsExt::from_mode(0o755)).unwrap();
        }
        placed
    }

    pub fn folder(&self, name: &str) {
        std::fs::create_dir(self.0.join(name)).unwrap();
        self.give(&self.0.join(name));
    }

    pub fn put(&self, name: &str, bytes: &[u8]) {
        let path = self.0.join(name);
        std::fs::write(&path, bytes).unwrap();
        std::fs::set_permissions(&path, PermissionsExt::from_mode(0o600)).unwrap();
        self.give(&path);
    }

    fn give(&self, path: &Path) {
        if nix::unistd::geteuid().is_root() {
            std::os::unix::fs::chown(path, Some(NOBODY), Some(NOBODY)).unwrap();
        }
    }

    /// Exit code and stdout. With `full`, no file grows past 48 KiB but the store's, which is there already.
    pub fn fetch(&self, full: bool) -> (Option<i32>, String) {
        let limit = if full { "trap '' XFSZ; ulimit -f 96; exec \"$@\"" } else { "exec \"$@\"" };
        let mut command = Command::new("/bin/sh");
        command.args(["-c", limit, "sh"]).arg(self.0.join("multipop-host"));
        command.args(["--json", "--library"]).arg(self.0.join("libmultipop.so"));
        command.args(["fetch", "--now", "--account", "alice", "--config"]).arg(self.0.join("config.json"));
        command.arg("--maildir").arg(self.0.join("Maildir")).current_dir("/").stdin(Stdio::null());
        if nix::unistd::geteuid().is_root() {
            std::os::unix::process::CommandExt::uid(&mut command, NOBODY);
        }
        let output = command.output().unwrap();
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        (output.status.code(), said)
    }
}
