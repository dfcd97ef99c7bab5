//! Every way a call or an account can fail, sorted by who can help.
//!
//! The tens of a status say who that is (`multipop.h`): the host's programmer, the operator, the user, time, the
//! host's sink, or we. An `Error` never holds a token, code, secret, cookie or password.

use std::fmt;

pub type Result<T> = std::result::Result<T, Error>;

/// The status of the C ABI; the numbers are `multipop.h`'s and never change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i32)]
pub enum Status {
    /// NULL, bad UTF-8, a name too long, JSON refused by `account_put`: the host's code passed it.
    Argument = -1,
    /// A struct size or tail this library does not know: header and library do not fit.
    Abi = -2,
    /// Called while a call runs, from a callback, or before `configure`: the host's order of calls.
    State = -3,
    /// Called in a child forked during a call.
    Forked = -4,
    /// The configuration, or what an account says, is wrong: the operator mends it.
    Config = -10,
    /// The store cannot be opened, read or written.
    Store = -11,
    /// The key file is missing, too open, or not the one the store was sealed with.
    Key = -12,
    /// The provider wants its administrator: consent policy, licence, conditional access.
    Provider = -13,
    /// The mail server breaks the protocol, or its certificate does not hold.
    Server = -14,
    /// The mailbox forbids it: POP switched off, a suspected UIDL reset that needs a word.
    Policy = -15,
    /// Threads, memory or descriptors could not be had.
    Resources = -16,
    /// The user must sign in (again).
    Consent = -20,
    /// The answer brought back from the provider fits no consent that is under way here.
    Callback = -21,
    /// Another name signed in than is configured; the owner must say yes.
    Confirm = -22,
    /// The actor may not do this, or there is no such account; the two are not told apart.
    Rights = -23,
    /// Time heals it: network, provider or server trouble.
    Transient = -30,
    /// `multipop_cancel` ended it.
    Cancelled = -31,
    /// The deadline ended it.
    Deadline = -32,
    /// The host's sink answered what it may not, or said no three times.
    Sink = -40,
    /// The host's store is full.
    SinkFull = -41,
    /// The host does not know, or does not take mail for, the recipient.
    SinkRecipient = -42,
    /// Our bug.
    Internal = -50,
}

impl Status {
    pub fn code(self) -> i32 {
        self as i32
    }

    pub fn from_code(code: i32) -> Option<Status> {
        use Status::*;
        [
            Argument,
            Abi,
            State,
            Forked,
            Config,
            Store,
            Key,
            Provider,
            Server,
            Policy,
            Resources,
            Consent,
            Callback,
            Confirm,
            Rights,
            Transient,
            Cancelled,
            Deadline,
            Sink,
            SinkFull,
            SinkRecipient,
            Internal,
        ]
        .into_iter()
        .find(|status| status.code() == code)
    }
}

/// A failure and what people need to end it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Error {
    pub status: Status,
    /// Stable name of the cause, such as `consent.revoked`; a host translates by it.
    pub cause: &'static str,
    /// The peer's own code, such as `AADSTS50173` or `[IN-USE]`; empty where there is none.
    pub provider_code: String,
    /// One line for a log.
    pub message: String,
    /// What the person who can help should do.
    pub advice: String,
    /// Where both the user and the operator have use for a sentence; `advice` is one of them.
    pub sentences: Option<Box<Sentences>>,
    /// Seconds until another try makes sense; 0 where nothing is known.
    pub retry_after_s: u32,
}

/// What to tell whom.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentences {
    pub for_user: String,
    pub for_operator: String,
}

impl Error {
    pub fn new(status: Status, cause: &'static str, message: impl Into<String>) -> Error {
        Error {
            status,
            cause,
            provider_code: String::new(),
            message: message.into(),
            advice: String::new(),
            sentences: None,
            retry_after_s: 0,
        }
    }

    pub fn advice(mut self, advice: impl Into<String>) -> Error {
        self.advice = advice.into();
        self
    }

    pub fn sentences(mut self, for_user: impl Into<String>, for_operator: impl Into<String>) -> Error {
        let (for_user, for_operator) = (for_user.into(), for_operator.into());
        self.sentences = Some(Box::new(Sentences { for_user, for_operator }));
        self
    }

    /// Empty where there is none for him.
    pub fn for_user(&self) -> &str {
        self.sentences.as_ref().map_or("", |both| &both.for_user)
    }

    pub fn for_operator(&self) -> &str {
        self.sentences.as_ref().map_or("", |both| &both.for_operator)
    }

    pub fn provider_code(mut self, code: impl Into<String>) -> Error {
        self.provider_code = code.into();
        self
    }

    pub fn retry_after(mut self, seconds: u32) -> Error {
        self.retry_after_s = seconds;
        self
    }

    /// A bug of ours, with what was not as it must be.
    pub fn bug(what: impl Into<String>) -> Error {
        Error::new(Status::Internal, "bug", what)
            .advice("This is a fault in multipop itself. Please report it with this line from the log.")
    }

    /// The one answer to another's account and to none at all.
    pub fn rights() -> Error {
        Error::new(Status::Rights, "rights", "no such account, or not for this actor")
            .advice("Compare the account's id with the list of accounts, and whose it is with who asks.")
    }
}

impl fmt::Display for Error {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.cause, self.message)
    }
}

impl std::error::Error for Error {}
