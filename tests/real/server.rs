//! What both servers need: a port, a child process that never outlives its test, files with the right mode.

use std::fs::{self, OpenOptions};
use std::io::Write;
use std::net::TcpListener;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::process::Child;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Servers on a loaded machine take their time; one that is not up by then is broken.
const PATIENCE: Duration = Duration::from_secs(60);

/// A port nobody listens at. Below the range the kernel gives to outgoing connections, so that nobody takes it
/// while its server is stopped and about to come again.
pub fn free_port() -> u16 {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let first = std::process::id().wrapping_mul(13);
    for _ in 0..12_000 {
        let step = NEXT.fetch_add(1, Ordering::Relaxed);
        let port = 20_000 + u16::try_from(first.wrapping_add(step) % 12_000).expect("below 12,000");
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return port;
        }
    }
    panic!("no free port between 20000 and 32000");
}

/// Waits until `ready` says yes; panics with `what` and the server's log if the child ends or time runs out.
pub fn wait_until(what: &str, child: &mut Child, log: &Path, mut ready: impl FnMut() -> bool) {
    let start = Instant::now();
    while !ready() {
        let ended = child.try_wait().expect("the child's state");
        if ended.is_some() || start.elapsed() > PATIENCE {
            let log = fs::read_to_string(log).unwrap_or_default();
            panic!("{what} did not come up ({ended:?}); its log says:\n{log}");
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}

/// Asks the child to end, and makes it end. Works on that child's id only.
pub fn end(child: &mut Child) {
    let Ok(None) = child.try_wait() else { return };
    let pid = Pid::from_raw(i32::try_from(child.id()).expect("a process id"));
    // A failure means that it ended by itself.
    let _ = kill(pid, Signal::SIGTERM);
    let start = Instant::now();
    while start.elapsed() < Duration::from_secs(10) {
        if !matches!(child.try_wait(), Ok(None)) {
            return;
        }
        std::thread::sleep(Duration::from_millis(10));
    }
    let _ = child.kill();
    let _ = child.wait();
}

/// The program's path, or a failed test that says what to do.
pub fn program(name: &str) -> PathBuf {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/sbin", "/sbin"])
        .map(|dir| Path::new(dir).join(name))
        .find(|path| path.exists())
        .unwrap_or_else(|| panic!("{name} is missing: run tests/real/install"))
}

pub fn mode(path: &Path, mode: u32) {
    fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("a file of the test's own");
}

pub fn write_secret(path: &Path, bytes: &[u8]) {
    let mut options = OpenOptions::new();
    options.write(true).create(true).truncate(true).mode(0o600);
    let mut file = options.open(path).expect("a file in the test's folder");
    file.write_all(bytes).expect("a file in the test's folder");
}

/// `make test` counts the tests that had real servers by these lines.
pub fn count_this_test() {
    let list = Path::new(env!("CARGO_TARGET_TMPDIR")).join("real-servers.txt");
    let thread = std::thread::current();
    let name = std::env::var("NEXTEST_TEST_NAME").unwrap_or_else(|_| thread.name().unwrap_or("?").to_owned());
    let mut file = OpenOptions::new().create(true).append(true).open(list).expect("the list of tests");
    file.write_all(format!("{name}\n").as_bytes()).expect("the list of tests");
}
