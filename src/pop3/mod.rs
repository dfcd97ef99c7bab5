//! POP3 as a client, without I/O (RFC 1939, 2449, 1734, 5034, 2595).
//!
//! A `Session` takes the server's bytes and gives events; commands become bytes in its output. It knows no socket,
//! no clock and no account. What does not fit the protocol is an error after which the session must be dropped
//! without QUIT (I13).

mod capability;
mod command;
pub mod limits;
mod lines;
pub mod listing;
mod multiline;
mod output;
mod password;
mod reply;
mod sasl;
mod scram;
pub mod session;
mod witness;

pub use limits::Limits;
pub use listing::{Listing, Sizes};
pub use session::Session;
pub use witness::Witness;

use crate::secret::Secret;

/// What to say to the server.
#[derive(Debug)]
pub enum Command<'a> {
    Capa,
    Stls,
    /// A whole SASL exchange, two lines (PROTOCOL.md B.3); refused by `send` before TLS (I8).
    Login(Login<'a>),
    /// The same with a password. No command is ever tried in place of the other.
    Password(PasswordLogin<'a>),
    Stat,
    Uidl,
    List,
    Top {
        number: u32,
        lines: u32,
    },
    Retr(u32),
    Dele(u32),
    Noop,
    Rset,
    Quit,
}

#[derive(Debug)]
pub struct Login<'a> {
    pub mechanism: Mechanism,
    pub user: &'a str,
    pub token: &'a Secret,
    /// Named in OAUTHBEARER: where we are connected to.
    pub host: &'a str,
    pub port: u16,
    /// One-line AUTH.
    pub initial_response: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mechanism {
    Xoauth2,
    Oauthbearer,
}

/// For servers without OAuth.
#[derive(Debug)]
pub struct PasswordLogin<'a> {
    pub mechanism: PasswordMechanism,
    pub user: &'a str,
    pub password: &'a Secret,
    /// SCRAM's: fresh and random for each log-in, printable, no comma.
    pub nonce: &'a str,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PasswordMechanism {
    ScramSha256,
    Plain,
    Apop,
    UserPass,
}

/// Which command an answer belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Verb {
    Capa,
    Stls,
    Login,
    Stat,
    Uidl,
    List,
    Top,
    Retr,
    Dele,
    Noop,
    Rset,
    Quit,
}

/// What the server said, whole enough to act upon. Answers come in the order of the commands.
#[derive(Debug)]
pub enum Event<'a> {
    Greeting,
    /// A greeting of `-ERR`.
    Unwelcome(Refusal),
    /// CAPA's answer; empty where the server knows no CAPA.
    Capabilities(Capabilities),
    /// Yes to STLS, LOGIN, DELE, NOOP, RSET, QUIT; with the number the command named, else 0.
    Done {
        verb: Verb,
        number: u32,
    },
    /// `-ERR` to anything but CAPA; the session goes on unless `verb` is `Login` (then it may only QUIT).
    Refused {
        verb: Verb,
        number: u32,
        refusal: Refusal,
    },
    Stat {
        count: u32,
        octets: u64,
    },
    /// The complete, well-formed answer to UIDL.
    Uidl(Listing),
    /// The complete, well-formed answer to LIST.
    List(Sizes),
    /// `+OK` to RETR or TOP; pieces follow, then `MessageEnd`.
    MessageBegin {
        verb: Verb,
        number: u32,
    },
    /// A piece of the message with dot-stuffing removed; split anywhere, never longer than what was given to `next`.
    MessageData {
        number: u32,
        bytes: &'a [u8],
    },
    MessageEnd {
        verb: Verb,
        number: u32,
        octets: u64,
    },
}

/// A no.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Refusal {
    pub code: Option<ResponseCode>,
    /// The server's own words, without the code; printable, cut to 200 characters.
    pub text: String,
    /// What a SASL challenge before the no told (`status` of the JSON), such as `401` or `invalid_token`.
    pub sasl_status: Option<String>,
}

/// PROTOCOL.md D.2.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ResponseCode {
    LoginDelay,
    InUse,
    SysTemp,
    SysPerm,
    Auth,
    Utf8,
    Other(String),
}

impl ResponseCode {
    /// As it stands between the brackets.
    pub fn name(&self) -> &str {
        match self {
            ResponseCode::LoginDelay => "LOGIN-DELAY",
            ResponseCode::InUse => "IN-USE",
            ResponseCode::SysTemp => "SYS/TEMP",
            ResponseCode::SysPerm => "SYS/PERM",
            ResponseCode::Auth => "AUTH",
            ResponseCode::Utf8 => "UTF8",
            ResponseCode::Other(name) => name,
        }
    }
}

/// PROTOCOL.md D.3.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Capabilities {
    /// CAPA was understood at all.
    pub answered: bool,
    pub top: bool,
    pub uidl: bool,
    /// USER and PASS (RFC 2449 §6.3).
    pub user: bool,
    pub stls: bool,
    pub pipelining: bool,
    pub resp_codes: bool,
    pub auth_resp_code: bool,
    /// SASL mechanisms, upper case.
    pub sasl: Vec<String>,
    pub login_delay_s: Option<u32>,
    /// `EXPIRE`: days, `Some(u32::MAX)` for NEVER.
    pub expire_days: Option<u32>,
    /// LOGIN-DELAY or EXPIRE may differ after the login (token USER): ask again then.
    pub changes_after_login: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Greeting {
    Expected,
    /// After STLS there is none.
    Done,
}

/// Where a connection that broke was.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cut {
    Greeting,
    Nothing,
    /// Inside this message (RETR or TOP).
    Message(u32),
    /// In place of the reply to this command.
    Reply(&'static str),
}

/// A command that may not be sent now: our bug.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Misuse {
    /// Credentials before TLS.
    NotSecured,
    /// A pipelined command across one that must stand alone (AUTH, STLS, QUIT).
    NotAlone,
    /// A user name or token with bytes that could end the line.
    Injection,
    /// APOP, and the greeting had no timestamp under TLS.
    NoTimestamp,
    /// After a protocol error: nothing may be said any more, QUIT least of all (I13).
    OutOfStep,
}

/// The server broke the protocol. Displayed as one printable line that holds no secret.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ProtocolError(pub String);

impl std::fmt::Display for ProtocolError {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}
