//! The words of the house: accounts, rights, policies, outcomes, events. No behaviour beyond what a word means.

use std::path::PathBuf;

use serde::{Deserialize, Serialize};

use crate::error::Status;

mod event;

pub use event::{Event, EventKind};

/// Seconds since the Unix epoch. The clock is always given, never read below `service`.
pub type UnixTime = u64;

/// A grant is refreshed at least so often, whether mail is collected or not.
pub const KEEP_GRANT_S: u64 = 7 * DAY_S;

pub const DAY_S: u64 = 24 * HOUR_S;
pub const HOUR_S: u64 = 3600;

pub const OPERATOR: &str = "*";
pub const DEFAULT_REALM: &str = "default";

/// Octets for people, in lower case.
pub fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// Who acts in a call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum Actor {
    Operator,
    Owner(String),
}

impl Actor {
    pub fn reaches(&self, owner: &str) -> bool {
        match self {
            Actor::Operator => true,
            Actor::Owner(name) => name == owner,
        }
    }

    pub fn name(&self) -> &str {
        match self {
            Actor::Operator => OPERATOR,
            Actor::Owner(name) => name,
        }
    }
}

/// A mailbox to collect from, as it is meant after defaults were applied.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Account {
    pub id: String,
    pub owner: String,
    pub realm: String,
    /// Where the host is to deliver; handed through, never interpreted.
    pub deliver_to: String,
    pub source: TokenSource,
    pub server: Server,
    /// The mailbox's user name, sent as `user=` in SASL.
    pub user: String,
    /// Who signs in at the provider, if not `user` (a delegate of a shared mailbox).
    pub sign_in: Option<String>,
    /// The application itself has access to the mailbox: nobody signs in, and only the operator makes such an account.
    #[serde(default)]
    pub app_only: bool,
    pub enabled: bool,
    pub delete: DeletePolicy,
    pub first_fetch: FirstFetch,
    pub limits: AccountLimits,
    pub interval_s: u32,
    pub pipelining: Pipelining,
}

impl Account {
    /// The name expected to sign in.
    pub fn sign_in_name(&self) -> &str {
        self.sign_in.as_deref().unwrap_or(&self.user)
    }

    pub fn provider(&self) -> Option<&str> {
        match &self.source {
            TokenSource::Provider(id) => Some(id),
            TokenSource::File(_) | TokenSource::Password(_) => None,
        }
    }
}

/// Where the access token comes from, or what stands in its place.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub enum TokenSource {
    /// A provider of the configuration, by id: consent, refresh, rotation are ours.
    Provider(String),
    /// A file somebody else keeps fresh; the operator's only.
    File(PathBuf),
    /// No token: a password, sealed in the store.
    Password(Classic),
}

/// A server that knows passwords only.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Classic {
    /// APOP may be used where the server has nothing better.
    pub apop: bool,
    /// An owner chose the server: it is dialled at public addresses only, unless the operator lists it.
    pub owners_choice: bool,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Server {
    pub host: String,
    pub port: u16,
    pub security: Security,
}

/// TLS always; only where it begins differs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Security {
    /// From the first byte (RFC 8314 §3.2).
    Implicit,
    /// After STLS (RFC 2595); fails closed where the server does not offer it.
    Stls,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum DeletePolicy {
    Never,
    Now,
    AfterDays(u32),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum FirstFetch {
    All,
    /// Record what is listed, download nothing.
    NewOnly,
    /// Only messages whose Date is not before this.
    Since(UnixTime),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Pipelining {
    /// Where announced (RFC 2449 §6.6).
    Auto,
    On,
    Off,
    /// Tried out on a server that does not announce it; as `Auto` until then.
    Probe,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct AccountLimits {
    pub max_message_bytes: u64,
    /// A session ends tidily after so many messages ...
    pub session_messages: u32,
    /// ... or so many seconds, and goes on at the next pass.
    pub session_s: u32,
}

/// How a visit to an account ended (DESIGN: outcome classes).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    Ok,
    OkMore,
    Busy,
    ReauthUser,
    AdminAction,
    ConfigError,
    Transient,
    ProtocolError,
    MailboxPolicy,
    HostFull,
    HostRecipient,
    Host,
    Bug,
}

impl Outcome {
    pub fn name(self) -> &'static str {
        match self {
            Outcome::Ok => "ok",
            Outcome::OkMore => "ok_more",
            Outcome::Busy => "busy",
            Outcome::ReauthUser => "reauth_user",
            Outcome::AdminAction => "admin_action",
            Outcome::ConfigError => "config_error",
            Outcome::Transient => "transient",
            Outcome::ProtocolError => "protocol_error",
            Outcome::MailboxPolicy => "mailbox_policy",
            Outcome::HostFull => "host_full",
            Outcome::HostRecipient => "host_recipient",
            Outcome::Host => "host",
            Outcome::Bug => "bug",
        }
    }

    pub fn is_failure(self) -> bool {
        !matches!(self, Outcome::Ok | Outcome::OkMore | Outcome::Busy)
    }

    /// The class a failing status belongs to.
    pub fn of(status: Status) -> Outcome {
        match status {
            Status::Config | Status::Key | Status::Store | Status::Rights => Outcome::ConfigError,
            Status::Provider => Outcome::AdminAction,
            Status::Server => Outcome::ProtocolError,
            Status::Policy => Outcome::MailboxPolicy,
            Status::Consent | Status::Callback | Status::Confirm => Outcome::ReauthUser,
            Status::Sink => Outcome::Host,
            Status::SinkFull => Outcome::HostFull,
            Status::SinkRecipient => Outcome::HostRecipient,
            Status::Transient | Status::Cancelled | Status::Deadline | Status::Resources => {
                Outcome::Transient
            }
            Status::Argument | Status::Abi | Status::State | Status::Forked | Status::Internal => {
                Outcome::Bug
            }
        }
    }
}

/// Who signed in (id_token). Names are for people; only the issuer's own ids bind.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Identity {
    pub issuer: String,
    pub subject: String,
    /// Entra: tenant and object id, which bind in place of `sub` there.
    pub tenant: Option<String>,
    pub object: Option<String>,
    /// `preferred_username`, else `email` unless it is stated to be unverified.
    pub name: Option<String>,
}

impl Identity {
    /// Whether both are the same person at the same issuer.
    pub fn is_same(&self, other: &Identity) -> bool {
        match (&self.tenant, &self.object, &other.tenant, &other.object) {
            (Some(t1), Some(o1), Some(t2), Some(o2)) => t1 == t2 && o1 == o2,
            _ => self.issuer == other.issuer && self.subject == other.subject,
        }
    }

    /// What tells this person from every other one.
    pub fn person(&self) -> [&str; 3] {
        match (&self.tenant, &self.object) {
            (Some(tenant), Some(object)) => ["object", tenant, object],
            _ => ["subject", &self.issuer, &self.subject],
        }
    }
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Counts {
    pub messages_done: u64,
    pub messages_total: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub deferred: u64,
    pub refused: u64,
    pub deleted: u64,
}

/// What the sink is told of a message before its bytes (`multipop_message_t`).
#[derive(Debug, Clone)]
pub struct Message {
    pub account: String,
    pub owner: String,
    pub deliver_to: String,
    pub uidl: Vec<u8>,
    pub size_hint: u64,
    pub server: String,
    pub tls: String,
    /// RFC 5321 §4.4 form, folded with CRLF TAB, ends in CRLF.
    pub received: String,
    /// `None` in `offer` where the header block is needed first.
    pub dedupe_key: Option<String>,
    pub may_repeat: bool,
}

/// The sink's answer, with the host's words for it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply {
    pub answer: Answer,
    pub reason: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Answer {
    Go,
    Taken,
    Queued,
    Defer,
    DeferFull,
    DeferRecipient,
    Refuse,
    Stop,
    /// A number that does not exist, or may not be given at this place.
    Invalid(i32),
}

/// What a fetch did (`multipop_report_t`).
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Report {
    pub next_due_s: u32,
    pub more: bool,
    pub stopped: bool,
    pub accounts_tried: u32,
    pub accounts_ok: u32,
    pub accounts_busy: u32,
    pub failed_host: u32,
    pub failed_operator: u32,
    pub failed_user: u32,
    pub failed_time: u32,
    pub failed_sink: u32,
    pub failed_bug: u32,
    pub messages_taken: u64,
    pub messages_deferred: u64,
    pub messages_refused: u64,
    pub messages_deleted: u64,
    pub bytes: u64,
}

/// Keyed digest of a UIDL within an account: what the ledger is looked up by.
pub type UidlKey = [u8; 16];

/// What became of a message. The numbers stand in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum RowState {
    InHand = 1,
    Durable = 2,
    Deferred = 3,
    Refused = 4,
    Oversize = 5,
    SetAside = 6,
    Imported = 7,
    /// Deleted at the server by a QUIT that was answered, or popped where RETR is final.
    Gone = 8,
}

#[derive(Debug, Clone)]
pub struct LedgerRow {
    pub key: UidlKey,
    pub state: RowState,
    pub noted_at: UnixTime,
    pub recorded_at: UnixTime,
    /// Keyed digest of Message-ID, Date and From.
    pub digest: Option<[u8; 16]>,
    /// Keyed digest of the Message-ID alone. Written, and not read back: `History` is asked by it.
    pub message_id: Option<[u8; 16]>,
    pub size: u64,
    /// Sessions that ended abnormally while this message was in hand.
    pub ends: u32,
    /// In hand alone: its RETR was the one under way.
    pub begun: bool,
    /// Not before this: a deferred message's back-off, a set-aside one's daily try.
    pub not_before: UnixTime,
    /// When the policy of its time allows its deletion; `None` = never.
    pub delete_at: Option<UnixTime>,
    /// The UIDL itself, for people. The ledger keeps it on rows that need somebody's attention or are in hand, the
    /// history with whatever happened.
    pub uidl: Option<Vec<u8>>,
    /// The host's words: for a no, or what it knows a message by that it took. Kept as `uidl` is.
    pub reason: String,
}

impl LedgerRow {
    /// A row that says nothing yet but its state.
    pub fn new(key: UidlKey, state: RowState, now: UnixTime) -> LedgerRow {
        LedgerRow {
            key,
            state,
            noted_at: now,
            recorded_at: now,
            digest: None,
            message_id: None,
            size: 0,
            ends: 0,
            begun: false,
            not_before: 0,
            delete_at: None,
            uidl: None,
            reason: String::new(),
        }
    }
}
