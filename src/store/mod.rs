//! What must outlive a call: accounts, grants, consents under way, leases, the ledger.
//!
//! One trait, so that the engine knows no database; one suite of tests runs over every backend. A store is opened
//! in a call and closed before the call returns. All methods block on local I/O only and never on the network
//! while a write transaction is open. Sealed columns are the store's own business: callers see clear records.

use serde::{Deserialize, Serialize};

use crate::error::{Error, Result, Status};
use crate::model::{Account, Actor, Counts, Identity, Outcome, UnixTime};
pub use crate::model::{LedgerRow, RowState, UidlKey};
use crate::secret::Secret;

/// One database of accounts. Every write is one transaction, and survives a power cut when the method returns;
/// leases, marks of listings, and the state a visit writes (`update_state_fenced`) survive the death of the process,
/// and a power cut only once a later full write returned: what is lost with them is one visit's time.
/// Times of 0 in rows written mean the `now` of the call. An account that does not exist is `E_RIGHTS`, unless the
/// answer has a word for it.
pub trait Store: Send + Sync {
    // --- configuration and accounts ---

    /// Writes the accounts and realms of a configuration. Unchanged (same digest): writes and syncs nothing.
    /// `mine` is the number this instance was given before; if the stored number is higher and the digest is the
    /// one this instance had applied, a later configuration has replaced it and nothing changes. Either way the answer
    /// holds the number to be given as `mine` next time.
    /// Configured accounts that are named no more are disabled, grant and ledger kept; one named again goes on. An
    /// account put by a call and named here is `E_CONFIG`, and so is an owner in two realms.
    fn apply(&self, desired: &Desired, mine: Option<u64>, now: UnixTime) -> Result<Applied>;

    /// Creates or replaces an account put by a call. Refuses (`E_RIGHTS`) an id of another owner or of the
    /// configuration, an owner of another realm, more than `cap` accounts of one owner. A changed server or user
    /// begins a new generation and fences off a visit under way; a changed provider or sign-in name drops the grant,
    /// both slots, and what is to bind its identity. The account is due now. The same account again writes nothing.
    fn put_account(&self, account: &Account, cap: u32, now: UnixTime) -> Result<()>;

    /// Removes account, grant, ledger; its data key first. `Ok(false)` where it does not exist; `E_RIGHTS` for one
    /// of the configuration. `forget_realm`: with the owner's last account goes what realm he belongs to. Never where
    /// he removes it himself, or he could leave the realm the operator named.
    fn remove_account(&self, id: &str, forget_realm: bool) -> Result<bool>;

    fn account(&self, id: &str) -> Result<Option<AccountRow>>;

    /// In order of id.
    fn accounts(&self, query: &AccountQuery) -> Result<Vec<AccountRow>>;

    /// The realm an owner belongs to, if he has one already.
    fn realm_of(&self, owner: &str) -> Result<Option<String>>;

    /// Enabled accounts due at `now`, soonest first, as ids; `regardless` ignores `next_due`, never a pause,
    /// `aside_until` or `not_before`.
    fn due(&self, reach: &Reach, now: UnixTime, regardless: bool, limit: u32) -> Result<Vec<String>>;

    /// When the next enabled account falls due.
    fn next_due(&self, reach: &Reach) -> Result<Option<UnixTime>>;

    /// Replaces the state shown and scheduled by (not fenced: `account_act`, consent).
    fn update_state(&self, id: &str, change: &mut dyn FnMut(&mut AccountState)) -> Result<bool>;

    // --- leases ---

    /// Takes the lease if it is free, its holder died, or (where no lock tells who lives) it expired. `None`: somebody
    /// holds it, be it in this instance.
    fn lease(&self, what: &LeaseName, now: UnixTime, for_s: u32) -> Result<Option<Lease>>;
    fn renew(&self, lease: &Lease, now: UnixTime, for_s: u32) -> Result<bool>;
    /// Gives the lease back, and nothing is written under it any more; `clean` clears the count of attempts. No error
    /// where it was lost before.
    fn release(&self, lease: &Lease, clean: bool) -> Result<()>;
    /// The visit got on: neither it nor those before it count any more.
    fn clear_attempts(&self, lease: &Lease) -> Result<()>;

    // --- grants ---

    fn grant(&self, account: &str, which: GrantSlot) -> Result<Option<StoredGrant>>;
    /// Writes if the slot still has `expected` as its version (0 = empty). `Ok(None)`: somebody was quicker.
    /// The answer is the new version.
    fn put_grant(&self, account: &str, which: GrantSlot, expected: u64, grant: &Grant)
    -> Result<Option<u64>>;
    fn drop_grant(&self, account: &str, which: GrantSlot) -> Result<()>;
    /// Makes the pending grant the active one, in one transaction.
    fn confirm_grant(&self, account: &str, expected_pending: u64) -> Result<bool>;

    /// Accounts whose active grant was last refreshed so long ago that it must be kept from dying of idleness
    /// (`KEEP_GRANT_S`), the longest first, as ids; paused and disabled ones too.
    fn grants_to_keep(&self, reach: &Reach, now: UnixTime, limit: u32) -> Result<Vec<String>>;
    /// Not again before `at`.
    fn put_off_keeping(&self, account: &str, at: UnixTime) -> Result<()>;

    // --- consents under way ---

    /// One with the same `state` is replaced.
    fn begin_consent(&self, consent: &Consent) -> Result<()>;
    /// Consumes in one statement what `state` names, if `session` is the one it was begun in and it is unused
    /// and not expired. Both are hashes.
    fn take_consent(&self, state: &[u8; 32], session: &[u8; 32], now: UnixTime) -> Result<TakenConsent>;
    /// Puts back one that was taken and has brought no answer yet, as it now is. `false`: it was answered, replaced or
    /// removed meanwhile.
    fn put_back_consent(&self, consent: &Consent) -> Result<bool>;
    /// Remembers the answer given, so that the same callback in the same session hears it again.
    fn answer_consent(&self, state: &[u8; 32], answer: &str) -> Result<()>;
    /// Deletes what is expired.
    fn sweep_consents(&self, now: UnixTime) -> Result<()>;

    // --- ledger (every write is fenced by the account's lease) ---

    fn ledger(&self, account: &str) -> Result<LedgerHead>;
    /// Rows that may need something done: all but durable, imported and confirmed ones; in the order they were
    /// first noted.
    fn open_rows(&self, account: &str, generation: u32) -> Result<Vec<LedgerRow>>;
    /// Durable rows, whose deletion no QUIT has confirmed, that the policy of their time allows to delete
    /// (`delete_at` set and not after `now`).
    fn rows_to_delete(&self, account: &str, generation: u32, now: UnixTime) -> Result<Vec<LedgerRow>>;
    /// One answer for each key, in order.
    fn rows(&self, account: &str, generation: u32, keys: &[UidlKey]) -> Result<Vec<Option<LedgerRow>>>;
    /// Every row of the generation.
    fn all_rows(&self, account: &str, generation: u32) -> Result<Vec<LedgerRow>>;

    /// Notes messages as in hand before their RETR. One recorded as durable stays durable.
    /// Here and below a lost lease is `E_TRANSIENT`, `lease.lost`, and nothing was written.
    fn note_in_hand(&self, lease: &Lease, generation: u32, rows: &[NewRow], now: UnixTime) -> Result<()>;
    /// Records messages of any accounts as durable at the host, all in one transaction, each fenced by its lease.
    /// One answer for each: `false` where the lease was lost and nothing was recorded.
    fn record(&self, deliveries: &[Delivery<'_>], now: UnixTime) -> Result<Vec<bool>>;
    /// Writes rows as they now are (deferred, refused, oversize, set aside, imported, deletion confirmed, ...).
    fn write_rows(&self, lease: &Lease, generation: u32, rows: &[NewRow], now: UnixTime) -> Result<()>;
    /// Forgets rows (in hand but never begun; absent from a complete listing), and with them the mark of the last
    /// listing, which may cover one of them.
    fn forget(&self, lease: &Lease, generation: u32, keys: &[UidlKey]) -> Result<()>;
    /// Keeps what the last complete, well-formed listing was.
    fn mark_listing(&self, lease: &Lease, mark: &ListingMark) -> Result<()>;
    /// A new generation, which begins with these rows and no mark.
    fn begin_generation(&self, lease: &Lease, rows: &[NewRow], now: UnixTime) -> Result<u32>;

    /// Writes state, fenced (end of a visit, progress).
    fn update_state_fenced(&self, lease: &Lease, change: &mut dyn FnMut(&mut AccountState)) -> Result<bool>;

    /// The account's key for digests of its UIDLs and headers.
    fn digest_key(&self, account: &str) -> Result<crate::secret::KeyBytes>;
}

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

/// What is known and shown of an account, and when it is due. Stored as JSON; members are only added, each with a default.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct AccountState {
    /// 0: at once.
    pub next_due: UnixTime,
    pub paused: bool,
    pub outcome: Option<Outcome>,
    pub status: i32,
    pub cause: String,
    pub provider_code: String,
    pub message: String,
    pub advice: String,
    /// Since when this outcome holds.
    pub since: UnixTime,
    /// Failures in a row.
    pub failures: u32,
    pub last_try: Option<UnixTime>,
    pub last_ok: Option<UnixTime>,
    /// Last log-in the mail server accepted.
    pub last_login: Option<UnixTime>,
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
    pub taken_total: u64,
    pub bytes_total: u64,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    pub at: UnixTime,
    pub counts: Counts,
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

mod fault;
pub mod lease;
mod schema;
pub mod seal;
pub mod sqlite;

pub use seal::KeyRing;
pub use sqlite::SqliteStore;
