//! What the library tells its host: log lines and events, as a trait behind the two C callbacks of `multipop_host_t`.
//!
//! They run on the thread that called, inside that call. A panic is kept and goes on after the call.

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};

use multipop_abi as abi;

use super::text;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    Error,
    Warn,
    Info,
    Debug,
    Trace,
}

impl Level {
    pub(super) fn number(self) -> u32 {
        match self {
            Level::Error => abi::LOG_ERROR,
            Level::Warn => abi::LOG_WARN,
            Level::Info => abi::LOG_INFO,
            Level::Debug => abi::LOG_DEBUG,
            Level::Trace => abi::LOG_TRACE,
        }
    }

    fn of(number: u32) -> Level {
        match number {
            abi::LOG_ERROR => Level::Error,
            abi::LOG_WARN => Level::Warn,
            abi::LOG_DEBUG => Level::Debug,
            abi::LOG_TRACE => Level::Trace,
            _ => Level::Info,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Level::Error => "error",
            Level::Warn => "warn",
            Level::Info => "info",
            Level::Debug => "debug",
            Level::Trace => "trace",
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum EventKind {
    PassBegin,
    PassEnd,
    AccountBegin,
    AccountEnd,
    Progress,
    ConsentNeeded,
    ConsentRestored,
    OperatorNeeded,
    Throttled,
    SetAside,
    Recovered,
    /// A newer library's.
    Other(u32),
}

impl EventKind {
    fn of(number: u32) -> EventKind {
        match number {
            abi::EVENT_PASS_BEGIN => EventKind::PassBegin,
            abi::EVENT_PASS_END => EventKind::PassEnd,
            abi::EVENT_ACCOUNT_BEGIN => EventKind::AccountBegin,
            abi::EVENT_ACCOUNT_END => EventKind::AccountEnd,
            abi::EVENT_PROGRESS => EventKind::Progress,
            abi::EVENT_CONSENT_NEEDED => EventKind::ConsentNeeded,
            abi::EVENT_CONSENT_RESTORED => EventKind::ConsentRestored,
            abi::EVENT_OPERATOR_NEEDED => EventKind::OperatorNeeded,
            abi::EVENT_THROTTLED => EventKind::Throttled,
            abi::EVENT_SET_ASIDE => EventKind::SetAside,
            abi::EVENT_RECOVERED => EventKind::Recovered,
            other => EventKind::Other(other),
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            EventKind::PassBegin => "pass_begin",
            EventKind::PassEnd => "pass_end",
            EventKind::AccountBegin => "account_begin",
            EventKind::AccountEnd => "account_end",
            EventKind::Progress => "progress",
            EventKind::ConsentNeeded => "consent_needed",
            EventKind::ConsentRestored => "consent_restored",
            EventKind::OperatorNeeded => "operator_needed",
            EventKind::Throttled => "throttled",
            EventKind::SetAside => "set_aside",
            EventKind::Recovered => "recovered",
            EventKind::Other(_) => "other",
        }
    }
}

#[derive(Debug, Clone, Copy)]
pub struct Event<'a> {
    pub kind: EventKind,
    pub account: &'a str,
    pub owner: &'a str,
    pub outcome: &'a str,
    pub status: i32,
    pub cause: &'a str,
    pub message: &'a str,
    pub advice: &'a str,
    pub retry_after_s: u32,
    pub messages_done: u64,
    pub messages_total: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub messages_deferred: u64,
    pub messages_refused: u64,
    pub messages_deleted: u64,
}

pub trait HostEvents: Send {
    fn log(&mut self, _level: Level, _line: &str) {}
    fn event(&mut self, _event: &Event<'_>) {}
}

/// A host that listens to nothing.
impl HostEvents for () {}

/// What the `user` pointer of the host struct points to, for as long as the instance lives.
pub(super) struct Listener {
    pub events: Box<dyn HostEvents>,
    pub panic: Option<Box<dyn Any + Send>>,
}

impl Listener {
    fn hear(&mut self, tell: impl FnOnce(&mut dyn HostEvents)) {
        let events = &mut *self.events;
        if let Err(panic) = catch_unwind(AssertUnwindSafe(|| tell(events))) {
            // The first one is the cause; what follows is most often its consequence.
            self.panic.get_or_insert(panic);
        }
    }
}

pub(super) unsafe extern "C" fn log(user: *mut c_void, level: u32, line: *const c_char) {
    // SAFETY: `user` is the instance's listener, which outlives it; the library calls back on one thread only.
    let listener = unsafe { &mut *user.cast::<Listener>() };
    // SAFETY: the line is NUL-terminated and valid during this callback.
    let line = unsafe { text::shown(line) };
    listener.hear(|events| events.log(Level::of(level), line));
}

pub(super) unsafe extern "C" fn event(user: *mut c_void, event: *const abi::Event) {
    // SAFETY: as in `log`.
    let listener = unsafe { &mut *user.cast::<Listener>() };
    // SAFETY: not NULL, of at least the 1.0 size, valid during this callback.
    let event = unsafe { &*event };
    // SAFETY: its texts likewise.
    let event = unsafe { read(event) };
    listener.hear(|events| events.event(&event));
}

/// # Safety
/// The texts of `event` are NULL or NUL-terminated.
unsafe fn read(event: &abi::Event) -> Event<'_> {
    // SAFETY: the caller's promise.
    unsafe {
        Event {
            kind: EventKind::of(event.kind),
            account: text::shown(event.account),
            owner: text::shown(event.owner),
            outcome: text::shown(event.outcome),
            status: event.status,
            cause: text::shown(event.cause),
            message: text::shown(event.message),
            advice: text::shown(event.advice),
            retry_after_s: event.retry_after_s,
            messages_done: event.messages_done,
            messages_total: event.messages_total,
            bytes_done: event.bytes_done,
            bytes_total: event.bytes_total,
            messages_deferred: event.messages_deferred,
            messages_refused: event.messages_refused,
            messages_deleted: event.messages_deleted,
        }
    }
}
