//! Where log lines and panics of this library go: to the call they happen in, never to stderr, which in a mail
//! server may be the SMTP peer.
//!
//! Installed by `multipop_init` and nothing else. The shared library has its own copy of `log`'s and the standard
//! library's state, so this never meets the host's; a Rust program that links the crate and keeps to `service`
//! never gets here.

use std::any::Any;
use std::cell::RefCell;
use std::sync::atomic::{AtomicBool, Ordering};

use log::{Level, LevelFilter};
use multipop_abi as abi;

use crate::engine::line::{self, Logger};

static INSTALLED: AtomicBool = AtomicBool::new(false);

thread_local! {
    /// A panic on the calling thread, until the boundary tells it to the host.
    static PANIC: RefCell<Option<String>> = const { RefCell::new(None) };
}

pub fn install() {
    // No `Once`: in a child forked while another thread is here it would be waited for without end.
    if INSTALLED.swap(true, Ordering::AcqRel) {
        return;
    }
    // Somebody else's logger: this copy is linked into a Rust program, whose panics are its own, too.
    if log::set_logger(&Logger).is_err() {
        return;
    }
    log::set_max_level(LevelFilter::Trace);
    std::panic::set_hook(Box::new(|panic| {
        let place = panic.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
        if let Some(line) = line::panicked(&place, words(panic.payload())) {
            let _ = PANIC.try_with(|kept| kept.replace(Some(line)));
        }
    }));
}

fn words(payload: &dyn Any) -> &str {
    payload
        .downcast_ref::<&str>()
        .copied()
        .or_else(|| payload.downcast_ref::<String>().map(String::as_str))
        .unwrap_or("")
}

/// The line of a panic that was just caught on this thread.
pub fn take_panic() -> Option<String> {
    PANIC.try_with(|kept| kept.take()).ok().flatten()
}

/// `None` is a level that does not exist.
pub fn filter(level: u32) -> Option<LevelFilter> {
    match level {
        0 | abi::LOG_INFO => Some(LevelFilter::Info),
        abi::LOG_ERROR => Some(LevelFilter::Error),
        abi::LOG_WARN => Some(LevelFilter::Warn),
        abi::LOG_DEBUG => Some(LevelFilter::Debug),
        abi::LOG_TRACE => Some(LevelFilter::Trace),
        _ => None,
    }
}

pub fn number(level: Level) -> u32 {
    match level {
        Level::Error => abi::LOG_ERROR,
        Level::Warn => abi::LOG_WARN,
        Level::Info => abi::LOG_INFO,
        Level::Debug => abi::LOG_DEBUG,
        Level::Trace => abi::LOG_TRACE,
    }
}
