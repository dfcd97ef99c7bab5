//! What the store keeps and is asked for, in clear: records as callers see them.

use serde::{Deserialize, Serialize};

use super::{PasswordState, lease};
use crate::model::{Account, Actor, Counts, Identity, LedgerRow, Outcome, UnixTime};
use crate::secret::Secret;

/// The accounts part of a configuration.
#[derive(Debug)]
pub struct Desired {
    /// Digest over the whole configuration as it is meant.
    pub digest: [u8; 32],
    /// `None`: the JSON had no member `accounts`, configured accounts stay as they are.
    pub accounts: Option<Vec<Account>>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Applied {
    pub number: u64,
    pub change: Change,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    Written,
    Unchanged,
    /// A later configuration of another instance stands.
    Superseded,
}

#[derive(Debug, Clone, Default)]
pub struct AccountQuery {
    pub owner: Option<String>,
    pub account: Option<String>,
    pub realm: Option<String>,
    pub after: Option<String>,
    pub limit: u32,
}

/// Whose accounts a pass may visit.
#[derive(Debug, Clone)]
pub enum Reach {
    All,
    Owner(String),
}

impl Reach {
    pub fn is_all(&self) -> bool {
        matches!(self, Reach::All)
    }
}

#[derive(Debug, Clone)]
pub struct AccountRow {
    pub account: Account,
    /// From the configuration, not put by a call.
    pub configured: bool,
    /// The configuration named it once and does no more.
    pub withdrawn: bool,
    /// Drawn at creation, never reused.
    pub number: [u8; 16],
    pub generation: u32,
    pub state: AccountState,
}

/// An account as somebody read it. One of the same id, put after that one was removed, is not it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Known {
    pub id: String,
    /// `None`: whatever account has the id.
    pub number: Option<[u8; 16]>,
}

impl From<&str> for Known {
    fn from(id: &str) -> Known {
        Known { id: id.to_owned(), number: None }
    }
}

impl AccountRow {
    pub fn known(&self) -> Known {
        Known { id: self.account.id.clone(), number: Some(self.number) }
    }
}

/// What is known and shown of an account, and when it is due. Stored as JSON; members are only added, each with a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountState {
    /// 0: at once.
    pub next_due: UnixTime,
    pub paused: bool,
    /// By the operator: it is his to resume.
    pub held: bool,
    pub outcome: Option<Outcome>,
    pub status: i32,
    pub cause: String,
    pub provider_code: String,
    pub message: String,
    pub advice: String,
    pub for_user: String,
    pub for_operator: String,
    /// Since when this outcome holds.
    pub since: UnixTime,
    /// Failures in a row.
    pub failures: u32,
    pub last_try: Option<UnixTime>,
    pub last_ok: Option<UnixTime>,
    /// Last log-in the mail server accepted.
    pub last_login: Option<UnixTime>,
    /// The sort of token it worked with; empty where that was not noted.
    pub login_with: String,
    /// Refused since then as a server that throttles refuses too.
    pub refused_since: Option<UnixTime>,
    /// The earliest time the server allows the next log-in (LOGIN-DELAY).
    pub not_before: UnixTime,
    /// Messages deferred by the sink in a row, and the class of the last one.
    pub deferrals: u32,
    pub deferral: Option<Outcome>,
    /// No visit before this after three visits ended without clearing.
    pub aside_until: UnixTime,
    /// The claims a re-authorisation must carry.
    pub claims: Option<String>,
    pub progress: Option<Progress>,
    /// The last sign-in, where it failed or waits for the owner, and none has worked since.
    pub failed_sign_in: Option<FailedSignIn>,
    /// The identity that binds this account from its first authorisation on.
    pub identity: Option<Identity>,
    /// A complete listing was gone through once: what the first fetch leaves out is left out.
    pub first_done: bool,
    /// The generation before a UIDL reset that is being gone through: its digests tell known messages.
    pub resetting: Option<u32>,
    /// A suspected reset only the operator can decide.
    pub reset_question: bool,
    /// The operator's answer to it, used by the next visit: `true` means the listing is the same mail.
    pub reset_answer: Option<bool>,
    /// Delete also what was recorded before the present policy, from this time on.
    pub delete_older_from: Option<UnixTime>,
    /// The policy of the store's earlier rows ends here: rows recorded before are kept.
    pub policy_since: UnixTime,
    /// Clock seen at the last visit, to notice a jump.
    pub last_clock: UnixTime,
    pub password: PasswordState,
    pub taken_total: u64,
    pub bytes_total: u64,
}

/// What a sign-in was told in place of a grant that works.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct FailedSignIn {
    pub provider: String,
    pub status: i32,
    pub cause: String,
    pub provider_code: String,
    pub message: String,
    pub advice: String,
    pub at: UnixTime,
    /// It tells nothing from then on: the owner's time to say yes is over, or the operator may have mended it. None
    /// where only another sign-in helps.
    pub until: Option<UnixTime>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub at: UnixTime,
    pub counts: Counts,
}

/// Refusals counted since a time; 0 as `open_until` means that it was never opened.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Breaker {
    pub failures: u32,
    pub since: UnixTime,
    pub open_until: UnixTime,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum LeaseName {
    /// Visiting an account.
    Account(String),
    /// Refreshing its grant.
    Grant(String),
}

impl LeaseName {
    pub fn account(&self) -> &str {
        match self {
            LeaseName::Account(id) | LeaseName::Grant(id) => id,
        }
    }
}

/// A lease held. Dropping it releases the lock but neither clears nor releases the row.
#[derive(Debug)]
pub struct Lease {
    pub name: LeaseName,
    pub fence: u64,
    /// How many leases in a row ended without clearing, this one not counted. Of a grant's always 0.
    pub attempts: u32,
    /// Never another account's, not even one's of the same id.
    pub(crate) row: i64,
    /// The open-file-description lock, where the backend has one.
    pub(crate) lock: Option<lease::ByteLock>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum GrantSlot {
    Active,
    /// Signed in, waiting for the owner's yes.
    Pending,
}

#[derive(Debug)]
pub struct StoredGrant {
    pub version: u64,
    pub grant: Grant,
}

/// What a consent gave. Sealed as a whole.
#[derive(Debug)]
pub struct Grant {
    pub provider: String,
    pub refresh_token: Option<Secret>,
    pub access_token: Option<Secret>,
    /// When the access token is to be renewed (before it expires).
    pub renew_at: UnixTime,
    pub expires_at: UnixTime,
    pub scope: String,
    pub identity: Option<Identity>,
    pub obtained_at: UnixTime,
    pub refreshed_at: UnixTime,
    /// The session (hash) a pending grant may be confirmed in; `None`: any of the owner's, as the operator began it on
    /// another device.
    pub session: Option<[u8; 32]>,
    /// The provider said this grant is over (kept until a new one is stored).
    pub dead: bool,
}

/// A consent under way.
#[derive(Debug)]
pub struct Consent {
    pub state: [u8; 32],
    pub session: [u8; 32],
    pub account: String,
    /// The account's, once the consent was taken: another one of the same id has nothing to do with it.
    pub number: Option<[u8; 16]>,
    pub actor: Actor,
    pub provider: String,
    pub redirect_uri: String,
    pub verifier: Secret,
    pub nonce: Secret,
    pub issuer: String,
    /// An administrator's consent for the tenant: its answer changes nothing but "try again".
    pub admin: bool,
    /// A sign-in on another device, which is asked about and brings no callback.
    pub device: Option<DeviceCode>,
    pub created_at: UnixTime,
    pub expires_at: UnixTime,
}

/// RFC 8628 §3.2
#[derive(Debug)]
pub struct DeviceCode {
    pub code: Secret,
    pub interval_s: u32,
    /// Not asked before.
    pub poll_at: UnixTime,
}

#[derive(Debug)]
#[expect(clippy::large_enum_variant, reason = "one for each callback of a consent")]
pub enum TakenConsent {
    Taken(Consent),
    /// Used before, in the same session: what was answered then, with the account's id.
    Answered(String),
    /// Used before in the same session, and its answer was never written.
    Unanswered,
    /// Unknown, another session's, or expired; not told apart to a stranger.
    Unknown,
    Expired,
}

#[derive(Debug, Clone, Default)]
pub struct LedgerHead {
    pub number: [u8; 16],
    pub generation: u32,
    pub listing: Option<ListingMark>,
}

/// The last complete listing, in order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListingMark {
    pub count: u32,
    pub digest: [u8; 32],
    pub at: UnixTime,
}

/// A row as it is to be written.
pub type NewRow = LedgerRow;

/// A message the host has durably.
#[derive(Debug)]
pub struct Delivery<'a> {
    pub lease: &'a Lease,
    pub generation: u32,
    pub row: LedgerRow,
}

/// Whose accounts are erased.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Whose {
    /// `forget_realm`: with the owner's last account goes what realm he belongs to.
    Account {
        id: String,
        forget_realm: bool,
    },
    Owner(String),
    Realm(String),
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Erased {
    pub accounts: u32,
    /// Grants that are to be given back.
    pub revocations: u32,
    /// `false`: somebody reads the files, and old pages stay in them until he has done.
    pub complete: bool,
}

/// Where a provider takes refresh tokens back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TakesBack {
    /// A token goes to no other one, whatever the provider's id comes to mean.
    pub issuer: String,
    /// `None`: yet to be discovered.
    pub endpoint: Option<String>,
}

#[derive(Debug)]
pub struct ToRevoke {
    pub provider: String,
    pub to: TakesBack,
    pub refresh_token: Secret,
}

#[derive(Debug)]
pub struct Revocation {
    pub number: i64,
    pub token: ToRevoke,
    /// This one counted.
    pub attempts: u32,
    /// Given up then.
    pub until: UnixTime,
}

/// What may be told of a consent.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct UnderWay {
    pub used: bool,
    pub expires_at: UnixTime,
    /// This and what follows is gone once it was used.
    pub actor: Option<Actor>,
    pub provider: Option<String>,
    pub created_at: Option<UnixTime>,
    pub admin: bool,
    pub device: bool,
}
