//! How the POP3 server behaves, as data: every field may be changed while it runs.
//!
//! What is wrong all the time is a field of [`Script`]; what goes wrong at one place is a [`Fault`].

use std::time::Duration;

use super::fault::{Fault, Verb, What};

/// The behaviour of a server. [`Script::dovecot`], [`Script::exchange`] and [`Script::gmail`] are the
/// well-behaved ones to start from.
#[derive(Clone, Debug)]
pub struct Script {
    pub greeting: String,
    /// CAPA lines without `SASL`, which `mechanisms` adds if `announce_sasl`.
    pub capabilities: Vec<String>,
    /// CAPA lines after login; None: the same.
    pub capabilities_after_login: Option<Vec<String>>,
    pub mechanisms: Vec<String>,
    pub announce_sasl: bool,
    /// SCRAM-SHA-256: the rounds asked for, and whether the server's own proof is a wrong one.
    pub scram_rounds: u32,
    pub scram_forged: bool,
    pub initial_response: InitialResponse,
    /// The line that asks for the credentials: `+ `, `+`, `+ go ahead`.
    pub continuation: String,
    pub refusal: Refusal,
    pub login_text: String,
    /// A longer token is a protocol error and closes the connection.
    pub token_limit: Option<usize>,
    /// `-ERR [LOGIN-DELAY]` if the user's last login is younger.
    pub login_delay: Option<Duration>,
    /// `-ERR [IN-USE]` while another session of the user is open.
    pub lock_mailbox: bool,
    /// Closes a silent connection.
    pub idle_before_login: Duration,
    pub idle: Duration,
    /// Status lines and listings end in LF alone.
    pub bare_lf: bool,
    /// Message bodies and their terminator are sent with LF alone.
    pub bare_lf_in_messages: bool,
    /// Only a dot after CRLF is stuffed, one after a bare LF is not: the truncation trap.
    pub stuff_after_crlf_only: bool,
    /// A message without a final line end is followed by the terminator directly.
    pub glued_terminator: bool,
    pub listing: Listing,
    /// The number of spaces between number and UIDL, and before the number.
    pub uidl_spaces: (usize, usize),
    /// LIST and STAT announce sizes off by this many octets, as Exchange does.
    pub size_error: i64,
    pub drip: Option<Drip>,
    /// Every reply comes so much later than its command; before the greeting three times.
    pub round_trip: Duration,
    pub pipelining: Pipelining,
    /// At most so many of the oldest messages are listed.
    pub window: Option<usize>,
    /// A message sent by RETR is gone from the listing after QUIT, without DELE; DELE changes nothing.
    pub retr_is_final: bool,
    /// So many new messages of so many octets arrive at each login.
    pub grow: Option<(usize, u64)>,
    /// STLS stands among the capabilities of a clear connection that can be secured.
    pub announce_stls: bool,
    /// Clear text sent together with the `+OK` to STLS: a response injection.
    pub stls_injection: Vec<u8>,
    pub faults: Vec<Fault>,
}

impl Script {
    /// As Debian's Dovecot: RESP-CODES, PIPELINING, a JSON challenge before `-ERR [AUTH]`.
    pub fn dovecot() -> Script {
        let capabilities = ["CAPA", "TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "USER"];
        Script {
            greeting: "+OK ready".to_owned(),
            capabilities: capabilities.map(str::to_owned).to_vec(),
            capabilities_after_login: None,
            mechanisms: vec!["XOAUTH2".to_owned(), "OAUTHBEARER".to_owned()],
            announce_sasl: true,
            scram_rounds: 4096,
            scram_forged: false,
            initial_response: InitialResponse::Taken,
            continuation: "+ ".to_owned(),
            refusal: Refusal::challenge("-ERR [AUTH] Authentication failed."),
            login_text: "+OK Logged in.".to_owned(),
            token_limit: None,
            login_delay: None,
            lock_mailbox: false,
            idle_before_login: Duration::from_secs(60),
            idle: Duration::from_secs(600),
            bare_lf: false,
            bare_lf_in_messages: false,
            stuff_after_crlf_only: false,
            glued_terminator: false,
            listing: Listing::Honest,
            uidl_spaces: (1, 0),
            size_error: 0,
            drip: None,
            round_trip: Duration::ZERO,
            pipelining: Pipelining::InOrder,
            window: None,
            retr_is_final: false,
            grow: None,
            announce_stls: true,
            stls_injection: Vec::new(),
            faults: Vec::new(),
        }
    }

    /// As Exchange Online: two-line AUTH only, one refusal for every cause, no pipelining, estimated sizes.
    pub fn exchange() -> Script {
        let refusal = "-ERR Authentication failure: unknown user name or bad password.";
        Script {
            greeting: "+OK The Microsoft Exchange POP3 service is ready. [QQBCAEMA]".to_owned(),
            capabilities: ["TOP", "UIDL", "USER"].map(str::to_owned).to_vec(),
            mechanisms: vec!["PLAIN".to_owned(), "XOAUTH2".to_owned()],
            initial_response: InitialResponse::ProtocolError,
            refusal: Refusal::Plain(refusal.to_owned()),
            login_text: "+OK User successfully authenticated.".to_owned(),
            size_error: 37,
            ..Script::dovecot()
        }
    }

    /// As Gmail: the 250 oldest, popped by QUIT after RETR; LOGIN-DELAY is announced and not enforced
    /// unless `login_delay` says so.
    pub fn gmail() -> Script {
        let capabilities = ["USER", "RESP-CODES", "EXPIRE 0", "LOGIN-DELAY 300", "TOP", "UIDL"];
        Script {
            greeting: "+OK Gpop ready for requests from 127.0.0.1".to_owned(),
            capabilities: capabilities.map(str::to_owned).to_vec(),
            mechanisms: ["PLAIN", "XOAUTH2", "OAUTHBEARER"].map(str::to_owned).to_vec(),
            login_text: "+OK Welcome.".to_owned(),
            window: Some(250),
            retr_is_final: true,
            ..Script::dovecot()
        }
    }

    /// As a server that knows passwords only, and these mechanisms; USER/PASS always, APOP because of its greeting.
    pub fn classic(mechanisms: &[&str]) -> Script {
        Script {
            greeting: "+OK ready <1896.697170952@pop.example.com>".to_owned(),
            mechanisms: mechanisms.iter().map(|name| (*name).to_owned()).collect(),
            ..Script::dovecot()
        }
    }

    /// The fault due at this command, used up once.
    pub(super) fn fault(&self, verb: Verb, uidl: Option<&[u8]>, user: Option<&str>) -> Option<What> {
        let due = self.faults.iter().find(|fault| fault.fits(verb, uidl, user) && fault.take())?;
        Some(due.what.clone())
    }
}

/// What the server does with `AUTH mechanism base64` in one line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum InitialResponse {
    Taken,
    /// Taken if the command has at most 255 octets (RFC 5034 §4), else a protocol error and closed.
    TakenIfShort,
    /// `-ERR Protocol error. Connection is closed. 10`, and closed.
    ProtocolError,
}

/// How wrong credentials are answered.
#[derive(Clone, Debug)]
pub enum Refusal {
    Plain(String),
    /// A base64 JSON challenge, the client's answer, then the line.
    Challenge {
        xoauth2: String,
        oauthbearer: String,
        then: String,
    },
    /// `+ ` so many times whatever the client answers, then `-ERR`.
    Endless(u32),
    Close,
}

impl Refusal {
    pub fn challenge(then: &str) -> Refusal {
        Refusal::Challenge {
            xoauth2: r#"{"status":"401","schemes":"bearer","scope":"mail"}"#.to_owned(),
            oauthbearer: r#"{"status":"invalid_token"}"#.to_owned(),
            then: then.to_owned(),
        }
    }
}

/// How STAT, LIST and UIDL relate to the truth.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Listing {
    Honest,
    /// STAT counts one message too many.
    StatTooHigh,
    /// UIDL leaves out the last message, LIST does not.
    UidlLacksLast,
    /// LIST leaves out the last message, UIDL does not.
    ListLacksLast,
    /// The first number stands twice, the second not at all.
    NumberTwice,
    /// The last number is far beyond the mailbox.
    OutOfRange,
    /// The lines come in reverse order.
    Reversed,
    /// The first line has no number.
    Garbage,
}

/// What the server does with commands that arrive together.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Pipelining {
    InOrder,
    /// The first is answered, the others of the burst are thrown away.
    Discards,
    /// Of two short replies in a burst the second is sent first.
    Reorders,
}

/// So many octets, then so long a pause.
#[derive(Clone, Copy, Debug)]
pub struct Drip {
    pub octets: usize,
    pub pause: Duration,
}
