//! What must outlive a call: accounts, grants, consents under way, leases, the ledger.
//!
//! One trait, so that the engine knows no database; one suite of tests runs over every backend. A store is opened
//! in a call and closed before the call returns. All methods block on local I/O only and never on the network
//! while a write transaction is open. Sealed columns are the store's own business: callers see clear records. What
//! tells of a person is sealed as secrets are; names of realms, servers and providers stand in clear.

use std::collections::BTreeMap;

use crate::error::{Error, Result, Status};
use crate::model::{Account, UnixTime};
pub use crate::model::{LedgerRow, RowState, UidlKey};
use crate::secret::Secret;

/// One database of accounts. Every write is one transaction, and survives a power cut when the method returns;
/// leases, marks of listings, and the state a visit writes (`update_state_fenced`) survive the death of the process,
/// and a power cut only once a later full write returned: what is lost with them is one visit's time.
/// Times of 0 in rows written mean the `now` of the call. An account that does not exist is `E_RIGHTS`, unless the
/// answer has a word for it.
pub trait Store: Erasure + History + Links + Notices + Send + Sync {
    // --- configuration and accounts ---

    /// Writes the accounts and realms of a configuration. Unchanged (same digest): writes and syncs nothing.
    /// `mine` is the number this instance was given before; if the stored number is higher and the digest is the
    /// one this instance had applied, a later configuration has replaced it and nothing changes. Either way the answer
    /// holds the number to be given as `mine` next time.
    /// Configured accounts that are named no more are disabled, grant and ledger kept; one named again goes on. An
    /// account put by a call and named here is `E_CONFIG`, and so is an owner in two realms.
    /// `passwords` are those of the accounts that have one, by id.
    fn apply_with(
        &self,
        desired: &Desired,
        passwords: &BTreeMap<String, Secret>,
        mine: Option<u64>,
        now: UnixTime,
    ) -> Result<Applied>;

    /// A configuration without a password.
    fn apply(&self, desired: &Desired, mine: Option<u64>, now: UnixTime) -> Result<Applied> {
        self.apply_with(desired, &BTreeMap::new(), mine, now)
    }

    /// Creates or replaces an account put by a call. Refuses (`E_RIGHTS`) an id of another owner or of the
    /// configuration, an owner of another realm, more than `cap` accounts of one owner. A changed server or user
    /// begins a new generation and fences off a visit under way; a changed provider or sign-in name drops the grant,
    /// both slots, and what is to bind its identity. The account is due now. The same account again writes nothing.
    /// A password begins a new count of refusals; without one the stored one stays, and there is none any more once
    /// server, user or owner changed: then it is asked for (`E_ARGUMENT`).
    fn put_account_with(
        &self,
        account: &Account,
        password: Option<&Secret>,
        cap: u32,
        now: UnixTime,
    ) -> Result<()>;

    /// Without a password in hand.
    fn put_account(&self, account: &Account, cap: u32, now: UnixTime) -> Result<()> {
        self.put_account_with(account, None, cap, now)
    }

    /// `erase` of one account whose grant nobody is told of; `Ok(false)` where it does not exist. Without
    /// `forget_realm` where an owner removes it himself, or he could leave the realm the operator named.
    fn remove_account(&self, id: &str, forget_realm: bool) -> Result<bool> {
        let whose = Whose::Account { id: id.to_owned(), forget_realm };
        Ok(self.erase(&whose, &|_| None, 0)?.accounts > 0)
    }

    fn account(&self, id: &str) -> Result<Option<AccountRow>>;

    /// In one total order, which is the store's own: pages bring every account once, and `after` need not be there any
    /// more.
    fn accounts(&self, query: &AccountQuery) -> Result<Vec<AccountRow>>;

    /// The realm an owner belongs to, if he has one already.
    fn realm_of(&self, owner: &str) -> Result<Option<String>>;

    /// Enabled accounts due at `now`, soonest first, as ids; `regardless` ignores `next_due`, never a pause,
    /// `aside_until` or `not_before`.
    fn due(&self, reach: &Reach, now: UnixTime, regardless: bool, limit: u32) -> Result<Vec<String>>;

    /// When the next enabled account falls due.
    fn next_due(&self, reach: &Reach) -> Result<Option<UnixTime>>;

    /// Replaces the state shown and scheduled by (not fenced: `account_act`, consent).
    /// `false`: it is there no more, as it was known.
    fn update_state_of(&self, account: &Known, change: &mut dyn FnMut(&mut AccountState)) -> Result<bool>;

    /// Of whatever account has the id.
    fn update_state(&self, id: &str, change: &mut dyn FnMut(&mut AccountState)) -> Result<bool> {
        self.update_state_of(&id.into(), change)
    }

    // --- leases ---

    /// Takes the lease if it is free, its holder died, or (where no lock tells who lives) it expired. `None`: somebody
    /// holds it, be it in this instance.
    fn lease(&self, what: &LeaseName, now: UnixTime, for_s: u32) -> Result<Option<Lease>>;
    fn renew(&self, lease: &Lease, now: UnixTime, for_s: u32) -> Result<bool>;
    /// Whether it still is the last one given, and its account there. Cheaper than `renew`, and writes nothing.
    fn holds(&self, lease: &Lease) -> Result<bool>;
    /// Gives the lease back, and nothing is written under it any more; `clean` clears the count of attempts. No error
    /// where it was lost before.
    fn release(&self, lease: &Lease, clean: bool) -> Result<()>;
    /// The visit got on: neither it nor those before it count any more.
    fn clear_attempts(&self, lease: &Lease) -> Result<()>;

    // --- breakers ---

    /// What was noted of log-ins at a place; it survives the death of the process.
    fn breaker(&self, place: &str) -> Result<Option<Breaker>>;
    /// Changes it in one transaction, `None` forgets it. The answer is what stands now.
    fn change_breaker(
        &self,
        place: &str,
        change: &mut dyn FnMut(Option<Breaker>) -> Option<Breaker>,
    ) -> Result<Option<Breaker>>;

    // --- grants ---

    fn grant(&self, account: &str, which: GrantSlot) -> Result<Option<StoredGrant>>;
    /// Writes if the slot still has `expected` as its version (0 = empty). `Ok(None)`: somebody was quicker.
    /// The answer is the new version. Here and below `E_RIGHTS` where it is there no more, as it was known.
    fn put_grant_of(
        &self,
        account: &Known,
        which: GrantSlot,
        expected: u64,
        grant: &Grant,
    ) -> Result<Option<u64>>;
    fn drop_grant_of(&self, account: &Known, which: GrantSlot) -> Result<()>;
    /// Makes the pending grant the active one, in one transaction.
    fn confirm_grant_of(&self, account: &Known, expected_pending: u64) -> Result<bool>;

    /// Of whatever account has the id.
    fn put_grant(
        &self,
        account: &str,
        which: GrantSlot,
        expected: u64,
        grant: &Grant,
    ) -> Result<Option<u64>> {
        self.put_grant_of(&account.into(), which, expected, grant)
    }
    fn drop_grant(&self, account: &str, which: GrantSlot) -> Result<()> {
        self.drop_grant_of(&account.into(), which)
    }
    fn confirm_grant(&self, account: &str, expected_pending: u64) -> Result<bool> {
        self.confirm_grant_of(&account.into(), expected_pending)
    }

    /// What an account without OAuth logs in with.
    fn password(&self, account: &str) -> Result<Option<StoredPassword>>;
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
    fn forget(&self, lease: &Lease, generation: u32, keys: &[UidlKey], now: UnixTime) -> Result<()>;
    /// Keeps what the last complete, well-formed listing was.
    fn mark_listing(&self, lease: &Lease, mark: &ListingMark) -> Result<()>;
    /// A new generation, which begins with these rows and no mark.
    fn begin_generation(&self, lease: &Lease, rows: &[NewRow], now: UnixTime) -> Result<u32>;

    /// Writes state, fenced (end of a visit, progress).
    fn update_state_fenced(&self, lease: &Lease, change: &mut dyn FnMut(&mut AccountState)) -> Result<bool>;

    /// The account's key for digests of its UIDLs and headers.
    fn digest_key(&self, account: &str) -> Result<crate::secret::KeyBytes>;
}

mod erasure;
pub mod fault;
mod history;
pub mod lease;
mod links;
mod notices;
mod password;
mod records;
mod schema;
pub mod seal;
pub mod sqlite;

pub use erasure::Erasure;
pub use history::*;
pub use links::{Link, Links, Redeemed};
pub use notices::{About, Idle, Incident, Needs, Notices, SERVER, TOLD_AGAIN_S, Told, Trouble};
pub use password::{PasswordState, StoredPassword};
pub use records::*;
pub use seal::KeyRing;
pub use sqlite::SqliteStore;
