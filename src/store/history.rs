//! Where is my mail: the last visits of an account, what became of its messages lately, and the trace of its sessions.
//!
//! Nothing here decides anything: it is written beside what does, in transactions that happen anyway, and read only
//! when somebody asks. All of it is bounded, and goes with its account.

use serde::{Deserialize, Serialize};

use super::{AccountState, Known, Lease};
use crate::error::{Result, Status};
use crate::model::{LedgerRow, Outcome, RowState, UidlKey, UnixTime};

/// Visits kept of each account.
pub const PASSES: u32 = 100;
/// What became of a message is kept so long, ...
pub const HAPPENINGS_S: u64 = 30 * 24 * 3600;
/// ... and no more of it for one account, the oldest first out.
pub const HAPPENINGS: u32 = 20_000;
/// Of a trace the last lines are kept, and no more octets of them.
pub const TRACE_LINES: u32 = 2_000;
pub const TRACE_BYTES: u32 = 256 * 1024;

/// A part of the store. Every write that changes a row of the ledger tells here what that means, in the same
/// transaction and under the same fence (`What::of`).
pub trait History: Send + Sync {
    /// The end of a visit, fenced: its state, its place among the passes, the rest of its trace, all in the one
    /// transaction that a visit ends with; as durable as `update_state_fenced`. `false`: the lease was lost.
    fn end_visit(
        &self,
        lease: &Lease,
        pass: &Pass,
        trace: &[TraceLine],
        change: &mut dyn FnMut(&mut AccountState),
    ) -> Result<bool>;
    /// A visit that could not end itself (its session panicked), with the state it leaves; its lease is gone. `false`:
    /// the account is there no more, as it was known.
    fn add_pass(
        &self,
        account: &Known,
        pass: &Pass,
        change: &mut dyn FnMut(&mut AccountState),
    ) -> Result<bool>;
    /// The oldest first.
    fn passes(&self, account: &str) -> Result<Vec<Pass>>;

    /// What became of messages within `HAPPENINGS_S` before `now`, the oldest first; of more than `limit` the last.
    fn what_became(&self, account: &str, asked: &Asked, now: UnixTime, limit: u32) -> Result<Became>;

    /// Traces the account's sessions until then, and forgets the trace before; 0 ends it, its lines stay.
    fn trace_until(&self, account: &str, until: UnixTime) -> Result<()>;
    /// Until when the account is traced; `None`: it is not.
    fn traced(&self, account: &str, now: UnixTime) -> Result<Option<UnixTime>>;
    /// Adds lines in the midst of a visit. Fenced; a lost lease writes nothing.
    fn add_trace(&self, lease: &Lease, lines: &[TraceLine], now: UnixTime) -> Result<()>;
    fn trace(&self, account: &str) -> Result<Trace>;
}

/// One visit to an account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pass {
    pub begun: UnixTime,
    pub ended: UnixTime,
    /// Whose it was; the store fills it in.
    pub process: String,
    pub outcome: Outcome,
    pub status: i32,
    pub cause: String,
    /// Entries of the listing; `None`: the visit came to none.
    pub listed: Option<u32>,
    /// Entries first seen in it.
    pub new: u32,
    pub taken: u64,
    pub deferred: u64,
    pub refused: u64,
    pub deleted: u64,
    pub bytes: u64,
}

impl Pass {
    /// Of a visit that came to no end; when it was last heard of is all that is known.
    pub(super) fn died(last_seen: UnixTime) -> Pass {
        Pass {
            begun: last_seen,
            ended: last_seen,
            process: String::new(),
            outcome: Outcome::Transient,
            status: Status::Transient.code(),
            cause: DIED.to_owned(),
            listed: None,
            new: 0,
            taken: 0,
            deferred: 0,
            refused: 0,
            deleted: 0,
            bytes: 0,
        }
    }
}

/// The cause of a visit whose process was killed, or could not write any more.
pub const DIED: &str = "visit.died";

/// What happened to a message. The numbers stand in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[repr(u8)]
pub enum What {
    /// First listed, and noted as in hand.
    Seen = 1,
    Taken = 2,
    Deferred = 3,
    Refused = 4,
    Oversize = 5,
    SetAside = 6,
    /// Left there unread, as the account's first fetch wants it.
    Left = 7,
    /// Taken before, and listed under another UIDL now.
    Renamed = 8,
    /// Deleted at the server by a QUIT that was answered.
    Deleted = 9,
    /// A session ended in it, or the host could not keep it: it comes again.
    Unfinished = 10,
    OfferedAgain = 11,
    /// Not yet taken, and not listed any more.
    Vanished = 12,
}

impl What {
    pub fn name(self) -> &'static str {
        match self {
            What::Seen => "seen",
            What::Taken => "taken",
            What::Deferred => "deferred",
            What::Refused => "refused",
            What::Oversize => "oversize",
            What::SetAside => "set_aside",
            What::Left => "left",
            What::Renamed => "renamed",
            What::Deleted => "deleted",
            What::Unfinished => "unfinished",
            What::OfferedAgain => "offered_again",
            What::Vanished => "vanished",
        }
    }

    pub fn of_number(number: u8) -> Option<What> {
        use What::*;
        let all = [
            Seen,
            Taken,
            Deferred,
            Refused,
            Oversize,
            SetAside,
            Left,
            Renamed,
            Deleted,
            Unfinished,
            OfferedAgain,
            Vanished,
        ];
        all.into_iter().find(|what| *what as u8 == number)
    }

    /// What it means that a row is written so, where it was so `before`. `None`: nothing happened to the message.
    pub(super) fn of(before: Option<RowState>, row: &LedgerRow) -> Option<What> {
        match row.state {
            RowState::InHand if !row.reason.is_empty() => Some(What::Unfinished),
            RowState::InHand => before.is_none().then_some(What::Seen),
            RowState::Durable => before.is_none().then_some(What::Renamed),
            // A row that waits for nothing was put on the list again.
            RowState::Deferred | RowState::SetAside if row.not_before == 0 => Some(What::OfferedAgain),
            RowState::Deferred => Some(What::Deferred),
            RowState::Refused => Some(What::Refused),
            RowState::Oversize => Some(What::Oversize),
            RowState::SetAside => Some(What::SetAside),
            // A mailbox recorded as a whole, unread, is told by its rows alone.
            RowState::Imported => row.message_id.is_some().then_some(What::Left),
            RowState::Gone => (before == Some(RowState::Durable)).then_some(What::Deleted),
        }
    }

    /// What it means that a row is forgotten: of one that was taken nothing, of one still to come that it will not.
    pub(super) fn of_forgotten(state: RowState, ends: u32) -> Option<What> {
        match state {
            RowState::Deferred | RowState::Refused | RowState::Oversize | RowState::SetAside => {
                Some(What::Vanished)
            }
            // One that was never begun is only noted again later.
            RowState::InHand => (ends > 0).then_some(What::Vanished),
            RowState::Durable | RowState::Imported | RowState::Gone => None,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Happening {
    pub generation: u32,
    pub key: UidlKey,
    pub what: What,
    pub at: UnixTime,
    /// Octets, as far as they were known.
    pub size: u64,
    pub process: String,
    pub uidl: Option<Vec<u8>>,
    /// The words of whoever decided: the sink's for what it took or did not, the server's, or ours.
    pub answer: String,
}

/// Which messages are asked for.
#[derive(Debug, Clone)]
pub enum Asked {
    All,
    Since(UnixTime),
    /// By the keyed digest of its Message-ID.
    MessageId([u8; 16]),
    /// By its UIDL, and the keys it may stand under.
    Uidl {
        uidl: Vec<u8>,
        keys: Vec<UidlKey>,
    },
}

#[derive(Debug, Default)]
pub struct Became {
    pub happenings: Vec<Happening>,
    /// There were more than asked for.
    pub more: bool,
    /// What the ledger has of the messages asked for by Message-ID or UIDL, in the present generation.
    pub rows: Vec<LedgerRow>,
    /// Messages known there by their UIDL only, as their header was never fetched.
    pub unread: u64,
}

/// A line of a session, redacted before it came here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TraceLine {
    pub at: UnixTime,
    /// Since the visit began.
    pub ms: u64,
    pub text: String,
}

#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Trace {
    /// 0: it was never on.
    pub until: UnixTime,
    /// Each with the process it was written by.
    pub lines: Vec<(String, TraceLine)>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_names_one_happening() {
        let all: Vec<What> = (0..=u8::MAX).filter_map(What::of_number).collect();
        assert_eq!(all.len(), 12);
        let mut names: Vec<&str> = all.iter().map(|what| what.name()).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), all.len());
    }

    #[test]
    fn only_what_was_recorded_as_durable_is_told_as_deleted() {
        let gone = LedgerRow::new([1; 16], RowState::Gone, 7);
        assert_eq!(What::of(Some(RowState::Durable), &gone), Some(What::Deleted));
        for before in [None, Some(RowState::Gone), Some(RowState::InHand)] {
            assert_eq!(What::of(before, &gone), None, "{before:?}");
        }
    }
}
