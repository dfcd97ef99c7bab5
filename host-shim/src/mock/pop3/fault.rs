//! What goes wrong at one place of a POP3 session, always or so many times.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use super::mailbox::Uidl;

/// The commands; `AuthData` is the line with the credentials, `Greeting` what precedes the first command.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Verb {
    Greeting,
    Capa,
    Stls,
    Auth,
    AuthData,
    User,
    Pass,
    Apop,
    Stat,
    List,
    Uidl,
    Top,
    Retr,
    Dele,
    Rset,
    Noop,
    Quit,
    Other,
}

/// Where a fault lies.
#[derive(Clone, Debug)]
pub enum At {
    Verb(Verb),
    /// At this command for the message of this UIDL.
    Message(Verb, Uidl),
    Any,
}

impl At {
    fn fits(&self, verb: Verb, uidl: Option<&[u8]>) -> bool {
        match self {
            At::Any => true,
            At::Verb(wanted) => *wanted == verb,
            At::Message(wanted, name) => *wanted == verb && uidl == Some(&**name),
        }
    }
}

/// Something that goes wrong at one place, always or so many times.
#[derive(Clone, Debug)]
pub struct Fault {
    at: At,
    user: Option<String>,
    pub(super) what: What,
    left: Arc<AtomicU32>,
}

impl Fault {
    pub fn new(at: At, what: What) -> Fault {
        Fault { at, user: None, what, left: Arc::new(AtomicU32::new(u32::MAX)) }
    }

    /// Only so many times.
    pub fn times(self, count: u32) -> Fault {
        self.left.store(count, Ordering::Relaxed);
        self
    }

    /// Only for this user: at the credentials, and after login.
    pub fn of_user(self, user: &str) -> Fault {
        Fault { user: Some(user.to_owned()), ..self }
    }

    pub(super) fn fits(&self, verb: Verb, uidl: Option<&[u8]>, user: Option<&str>) -> bool {
        let of_user = |wanted: &String| user.is_some_and(|user| user.eq_ignore_ascii_case(wanted));
        self.at.fits(verb, uidl) && self.user.as_ref().is_none_or(of_user)
    }

    /// Uses the fault up once; false if it was used up before.
    pub(super) fn take(&self) -> bool {
        let take = |left| match left {
            0 => None,
            u32::MAX => Some(u32::MAX),
            left => Some(left - 1),
        };
        self.left.fetch_update(Ordering::Relaxed, Ordering::Relaxed, take).is_ok()
    }
}

/// What goes wrong. Unless said otherwise the command has its effect.
#[derive(Clone, Debug)]
pub enum What {
    /// `-ERR` and this text (with a response code if it begins with one); no effect.
    Err(String),
    /// These bytes in place of the reply; no effect.
    Raw(Vec<u8>),
    /// At `AuthData`: this in place of the reply, with the line that came for `{line}` and its token for `{token}`.
    Echo(String),
    /// Closes without a reply; no effect.
    Close,
    /// Closes without a reply; the command had its effect.
    CloseAfterDoing,
    /// Replies, then closes.
    CloseAfterReply,
    /// Closes after so many octets of the multi-line reply, status line not counted; in any case before
    /// the terminator.
    DropAfter(u64),
    /// Ends the reply after so many octets with a terminator as if that were all: undetectable by design.
    Truncate(u64),
    /// Replies, then sends these bytes at once: after a terminator, out of step.
    ExtraAfter(Vec<u8>),
    /// Waits before the reply.
    Stall(Duration),
    /// The prefix once, then the unit for ever; no effect.
    Endless { prefix: Vec<u8>, unit: Vec<u8> },
    /// `+OK`, then numbered lines for ever; no effect.
    EndlessListing,
}

/// The texts of each response code of RFC 2449 and RFC 3206, for [`What::Err`].
pub mod codes {
    pub const LOGIN_DELAY: &str = "[LOGIN-DELAY] minimum time between logins not met";
    pub const IN_USE: &str = "[IN-USE] mailbox is locked by another session";
    pub const SYS_TEMP: &str = "[SYS/TEMP] temporary failure, try later";
    pub const SYS_PERM: &str = "[SYS/PERM] account is not enabled for POP access";
    pub const AUTH: &str = "[AUTH] invalid credentials";
    pub const UTF8: &str = "[UTF8] message needs UTF8 mode";
    pub const UNKNOWN: &str = "[X-MOON/FULL] unheard of";
    pub const UNKNOWN_SUBLEVEL: &str = "[sys/temp/disk] temporary, in lower case, with more levels";
    pub const ALL: [&str; 8] =
        [LOGIN_DELAY, IN_USE, SYS_TEMP, SYS_PERM, AUTH, UTF8, UNKNOWN, UNKNOWN_SUBLEVEL];
}
