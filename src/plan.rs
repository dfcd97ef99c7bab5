//! From a listing, the ledger and the policy to what a session does: fetch these, look at those, delete those.
//!
//! Pure: no I/O, no clock, no randomness. What cannot be decided from UIDLs alone (a UIDL that stands twice, one
//! listed again after its deletion was confirmed, a suspected reset) is handed back as `Examine`, to be decided by
//! the messages' headers.

use std::collections::{HashMap, HashSet};

use crate::model::{LedgerRow, RowState, UidlKey, UnixTime};

/// An entry of the listing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// Place in the listing, from 0.
    pub place: u32,
    /// Message number of this session (RFC 1939).
    pub number: u32,
    pub key: UidlKey,
    /// The UIDL stands more than once in this listing.
    pub twice: bool,
}

/// What is known beside the listing.
pub struct Facts<'a> {
    pub now: UnixTime,
    pub rows: &'a HashMap<UidlKey, LedgerRow>,
    /// Deferred messages are due whatever their back-off (the host has room again).
    pub retry_deferred: bool,
    /// Sizes up to this are taken; a row refused as larger is taken when the limit rose above its size.
    pub max_message_bytes: u64,
    /// Deletion by age waits: the clock may have jumped.
    pub delete_suspended: bool,
    /// The age from which the present policy deletes; `None`: never, whatever stood when a message was recorded.
    pub delete_age_s: Option<u64>,
    /// Also what was recorded under a milder policy (a confirmed act).
    pub delete_older: bool,
    /// RETR followed by QUIT pops a message for good.
    pub retr_is_final: bool,
}

#[derive(Debug, Default, PartialEq, Eq)]
pub struct Plan {
    /// In this order; set-aside messages come last.
    pub fetch: Vec<Fetch>,
    pub examine: Vec<Entry>,
    pub delete: Vec<Entry>,
    /// Durable here, but still listed where only RETR and QUIT take a message off the list.
    pub pop_again: Vec<Entry>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Fetch {
    pub entry: Entry,
    /// An unfinished delivery is known.
    pub may_repeat: bool,
    /// By itself: its RETR is noted alone, because a session died somewhere about here.
    pub alone: bool,
    /// Set aside, or in hand when a session ended: after all others.
    pub last: bool,
}

/// Plans a session over `entries`, which may be a part of the listing: those beyond an unchanged beginning, and
/// those of it that have rows which may need something done.
pub fn plan(entries: &[Entry], facts: &Facts<'_>) -> Plan {
    let mut plan = Plan::default();
    for entry in entries {
        if entry.twice {
            plan.examine.push(*entry);
            continue;
        }
        let fetch = |may_repeat, alone, last| Fetch { entry: *entry, may_repeat, alone, last };
        let Some(row) = facts.rows.get(&entry.key) else {
            plan.fetch.push(fetch(false, false, false));
            continue;
        };
        match row.state {
            RowState::InHand => plan.fetch.push(fetch(true, true, row.ends > 0)),
            RowState::Deferred => {
                if facts.retry_deferred || row.not_before <= facts.now {
                    plan.fetch.push(fetch(true, row.ends > 0, row.ends > 0));
                }
            }
            RowState::SetAside => {
                if row.not_before <= facts.now {
                    plan.fetch.push(fetch(true, true, true));
                }
            }
            RowState::Oversize => {
                if row.size <= facts.max_message_bytes && row.size > 0 {
                    plan.fetch.push(fetch(false, false, false));
                }
            }
            RowState::Refused | RowState::Imported => {}
            RowState::Durable => {
                if facts.retr_is_final {
                    plan.pop_again.push(*entry);
                } else if is_to_delete(row, facts) {
                    plan.delete.push(*entry);
                }
            }
            RowState::Gone => plan.examine.push(*entry),
        }
    }
    plan.fetch.sort_by_key(|fetch| fetch.last);
    plan
}

/// The milder of two policies counts, that of the day the message was recorded and the present one, unless the owner
/// confirmed that older mail goes too.
fn is_to_delete(row: &LedgerRow, facts: &Facts<'_>) -> bool {
    let Some(age) = facts.delete_age_s else { return false };
    // Deletion at once does not depend on a clock that may have jumped.
    if age == 0 && row.delete_at == Some(0) {
        return true;
    }
    let old_enough = row.recorded_at.saturating_add(age) <= facts.now;
    let allowed = facts.delete_older || row.delete_at.is_some_and(|at| at <= facts.now);
    allowed && old_enough && !facts.delete_suspended
}

/// Least number of known messages that must all have vanished before a reset is suspected.
const RESET_LEAST: usize = 20;
/// Entries whose headers decide a suspected reset.
pub const RESET_SAMPLE: usize = 20;

/// Whether the listing looks as if the server had given every message a new UIDL (PROTOCOL.md D.6): none of the at
/// least 20 that were left there is present, and at least half as many are listed.
pub fn reset_is_suspected(entries: &[Entry], rows: &HashMap<UidlKey, LedgerRow>) -> bool {
    let present: HashSet<&UidlKey> = entries.iter().map(|entry| &entry.key).collect();
    let mut left = 0;
    for row in rows.values() {
        if is_left_there(row.state) {
            if present.contains(&row.key) {
                return false;
            }
            left += 1;
        }
    }
    left >= RESET_LEAST && entries.len() * 2 >= left
}

/// Whether a row's message was to be expected in the next listing.
pub fn is_left_there(state: RowState) -> bool {
    !matches!(state, RowState::Gone | RowState::InHand)
}

/// Entries spread evenly over the listing.
pub fn reset_sample(entries: &[Entry]) -> Vec<Entry> {
    let step = entries.len().div_ceil(RESET_SAMPLE).max(1);
    entries.iter().step_by(step).copied().collect()
}

/// Rows that are in no complete listing any more.
pub fn vanished(entries: &[Entry], rows: &HashMap<UidlKey, LedgerRow>) -> Vec<UidlKey> {
    let present: HashSet<&UidlKey> = entries.iter().map(|entry| &entry.key).collect();
    rows.keys().filter(|key| !present.contains(key)).copied().collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row(key: u8, state: RowState) -> LedgerRow {
        LedgerRow { size: 10, ..LedgerRow::new([key; 16], state, 1) }
    }

    fn entries(keys: &[u8]) -> Vec<Entry> {
        keys.iter()
            .enumerate()
            .map(|(place, key)| Entry {
                place: place as u32,
                number: place as u32 + 1,
                key: [*key; 16],
                twice: false,
            })
            .collect()
    }

    fn facts(rows: &HashMap<UidlKey, LedgerRow>) -> Facts<'_> {
        Facts {
            now: 1000,
            rows,
            retry_deferred: false,
            max_message_bytes: 100,
            delete_suspended: false,
            delete_age_s: Some(0),
            delete_older: false,
            retr_is_final: false,
        }
    }

    #[test]
    fn new_ones_are_fetched_and_known_ones_left() {
        let rows = HashMap::from([([1; 16], row(1, RowState::Durable))]);
        let plan = plan(&entries(&[1, 2]), &facts(&rows));
        assert_eq!(plan.fetch.len(), 1);
        assert_eq!(plan.fetch[0].entry.number, 2);
        assert!(plan.delete.is_empty());
    }

    #[test]
    fn only_durable_rows_are_ever_deleted() {
        let mut rows = HashMap::new();
        for (key, state) in [
            (1, RowState::Refused),
            (2, RowState::Oversize),
            (3, RowState::SetAside),
            (4, RowState::Imported),
            (5, RowState::Deferred),
            (6, RowState::InHand),
            (7, RowState::Durable),
        ] {
            let mut row = row(key, state);
            row.delete_at = Some(0);
            row.not_before = 5000;
            rows.insert(row.key, row);
        }
        let plan = plan(&entries(&[1, 2, 3, 4, 5, 6, 7]), &facts(&rows));
        assert_eq!(plan.delete.len(), 1);
        assert_eq!(plan.delete[0].number, 7);
    }

    #[test]
    fn a_clock_that_jumped_suspends_deletion_by_age() {
        let mut durable = row(1, RowState::Durable);
        durable.delete_at = Some(500);
        let rows = HashMap::from([(durable.key, durable)]);
        let mut facts = facts(&rows);
        assert_eq!(plan(&entries(&[1]), &facts).delete.len(), 1);
        facts.delete_suspended = true;
        assert_eq!(plan(&entries(&[1]), &facts).delete.len(), 0);
    }

    #[test]
    fn the_milder_policy_counts() {
        let mut at_once = row(1, RowState::Durable);
        at_once.delete_at = Some(0);
        let kept = row(2, RowState::Durable);
        let rows = HashMap::from([(at_once.key, at_once), (kept.key, kept)]);
        let deletes = |age, older| {
            let facts = Facts { delete_age_s: age, delete_older: older, ..facts(&rows) };
            plan(&entries(&[1, 2]), &facts).delete.len()
        };
        assert_eq!(deletes(Some(0), false), 1);
        assert_eq!(deletes(None, false), 0, "a policy that became milder holds at once");
        assert_eq!(deletes(Some(5000), false), 0);
        assert_eq!(deletes(Some(0), true), 2);
        assert_eq!(deletes(None, true), 0);
    }

    #[test]
    fn a_reset_needs_twenty_vanished_and_half_as_many_listed() {
        let rows: HashMap<_, _> = (1..=20).map(|key| ([key; 16], row(key, RowState::Durable))).collect();
        assert!(reset_is_suspected(&entries(&[101, 102, 103, 104, 105, 106, 107, 108, 109, 110]), &rows));
        assert!(!reset_is_suspected(&entries(&[101, 102]), &rows));
        assert!(!reset_is_suspected(&entries(&[20, 102, 103, 104, 105, 106, 107, 108, 109, 110]), &rows));
        let gone: HashMap<_, _> = (1..=20).map(|key| ([key; 16], row(key, RowState::Gone))).collect();
        assert!(!reset_is_suspected(&entries(&[101; 10]), &gone));
    }
}
