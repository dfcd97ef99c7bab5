//! Who is to be told what: how each account stands, which causes hit many at once, and what was told already.
//!
//! The store keeps no text and no name for it: an account's number in the store, the cause, and times.

use crate::error::Result;
use crate::model::{Outcome, UnixTime};

use super::AccountRow;

/// No account's owner hears from us more often, whatever the reason.
pub const TOLD_AGAIN_S: u64 = 24 * 3600;

/// How accounts stand, and what was told of it. `account` is the number of its row; 0 stands for the operator.
pub trait Notices {
    /// After a clock that was wrong was put right: what happened later than now happened now, or whoever waits for it to
    /// be over would wait until then.
    fn put_right(&self, now: UnixTime) -> Result<()>;
    /// Every cause that keeps accounts of one provider from being collected, a paused account's only where its user
    /// is needed. Ordered by provider and cause.
    /// What time heals hits nobody before it lasted an hour.
    fn troubles(&self, now: UnixTime) -> Result<Vec<Trouble>>;
    /// Begins each incident that is not under way, ends those that hit nobody any more, and answers what stands.
    fn settle_incidents(&self, begin: &[Incident], now: UnixTime) -> Result<Vec<Incident>>;
    /// Those that stand, and those that ended after `since`.
    fn incidents(&self, since: UnixTime) -> Result<Vec<Incident>>;
    /// Accounts whose user is needed since `before` or longer, is not held by an incident, and was not told of this
    /// time nor of anything for a day; the longest first, with since when.
    fn users_to_tell(&self, before: UnixTime, now: UnixTime, limit: u32) -> Result<Vec<(i64, UnixTime)>>;
    /// The same of accounts whose grant rests: not told of this renewal, with when that was.
    fn idle_users_to_tell(&self, idle: &Idle, now: UnixTime, limit: u32) -> Result<Vec<(i64, UnixTime)>>;
    /// How many grants of a provider were last renewed after `from` and not after `to`, and the longest ago.
    fn idle_grants(&self, provider: &str, from: UnixTime, to: UnixTime) -> Result<Option<(u64, UnixTime)>>;
    /// Accounts whose user or operator is needed no more since then.
    fn healed_since(&self, since: UnixTime) -> Result<u64>;
    /// The account of a row, if it is there still.
    fn account_at(&self, account: i64) -> Result<Option<AccountRow>>;
    /// Nobody waits for this account (it is disabled); its next visit says how it stands.
    fn excuse(&self, account: i64) -> Result<()>;

    /// When something of this topic was last told, and of which occasion.
    fn told(&self, about: &About) -> Result<Option<Told>>;
    /// Gives those to be told to this caller for a while, in one transaction, each with its id: `None` where it was
    /// told, where another is telling it, or where its owner heard something within a day.
    fn lease_notices(&self, notices: &[About], now: UnixTime, for_s: u32) -> Result<Vec<Option<String>>>;
    /// What an account's owner was told, by kind, and when last.
    fn told_of(&self, account: &str) -> Result<Vec<(String, UnixTime)>>;
    /// They were sent. Those that are no more, or of an earlier occasion than is told now, are passed over; the answer is
    /// how many were noted.
    fn notices_told(&self, ids: &[String], now: UnixTime) -> Result<u32>;
}

/// Who can help an account that is not collected. The numbers stand in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Needs {
    Nobody = 0,
    User = 1,
    Operator = 2,
    Time = 3,
}

impl Needs {
    /// `None`: the outcome says nothing of it.
    pub fn of(outcome: Option<Outcome>) -> Option<Needs> {
        Some(match outcome? {
            Outcome::Ok | Outcome::OkMore => Needs::Nobody,
            Outcome::Busy => return None,
            Outcome::ReauthUser => Needs::User,
            Outcome::AdminAction
            | Outcome::ConfigError
            | Outcome::ProtocolError
            | Outcome::MailboxPolicy
            | Outcome::Bug => Needs::Operator,
            Outcome::Transient | Outcome::HostFull | Outcome::HostRecipient | Outcome::Host => Needs::Time,
        })
    }
}

/// Before what stands for a mail server, where accounts have no provider.
pub const SERVER: &str = "=";

/// One cause at one provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    /// Its id; for a mail server a sign that names nobody: a sample knows the name.
    pub provider: String,
    pub cause: String,
    pub needs: Needs,
    /// Accounts it keeps now.
    pub accounts: u64,
    /// Of all the provider has.
    pub of: u64,
    /// The most it hit within any hour, after the last incident of it was over.
    pub within_an_hour: u64,
    /// When it had hit so many.
    pub peak_at: UnixTime,
    /// Since when the first of them is not collected, and since when for this cause.
    pub since: UnixTime,
    pub cause_since: UnixTime,
    /// One of them.
    pub sample: i64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Incident {
    pub provider: String,
    pub cause: String,
    pub begun_at: UnixTime,
    /// Its users are not told before.
    pub held_until: UnixTime,
    /// Nobody is hit any more since.
    pub ended_at: Option<UnixTime>,
}

impl Incident {
    pub fn is(&self, provider: &str, cause: &str) -> bool {
        self.provider == provider && self.cause == cause
    }
}

/// A notice, and the occasion for it: the same topic may come again, the same mark does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct About {
    pub kind: &'static str,
    pub account: i64,
    /// What the operator's is about; empty for a user's.
    pub topic: String,
    pub mark: UnixTime,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Told {
    pub mark: UnixTime,
    pub at: UnixTime,
}

/// Grants of a provider that were last renewed after `from` and not after `to`, where nobody need act. The occasion is
/// that a renewal is `lasts_s` ago.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Idle {
    pub provider: String,
    pub from: UnixTime,
    pub to: UnixTime,
    pub lasts_s: u64,
}
