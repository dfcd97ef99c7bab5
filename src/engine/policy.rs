//! What the account's delete policy says of a message. Deletion is the only irreversible act: in doubt it waits.

use super::visit::Visit;
use crate::model::{DAY_S, DeletePolicy, UnixTime};

impl Visit {
    /// When the policy of now lets a message recorded now be deleted; 0 is at once.
    pub fn delete_at(&self, now: UnixTime) -> Option<UnixTime> {
        self.delete_age_s().map(|age| if age == 0 { 0 } else { now + age })
    }

    /// A clock that jumped over a day beyond the interval, either way, says nothing about ages until a visit ended well.
    pub fn suspends_deletion_by_age(&self) -> bool {
        let last = self.row.state.last_clock;
        last != 0 && self.call.now().abs_diff(last) > DAY_S + u64::from(self.row.account.interval_s)
    }

    /// Mail recorded under a milder policy goes too, once its owner confirmed that and the grace is over.
    pub fn deletes_older(&self) -> bool {
        self.row.state.delete_older_from.is_some_and(|from| from <= self.call.now())
    }

    /// The age from which the present policy deletes; `None` is never. Mail listed for several readers is nobody's to
    /// delete (PROTOCOL.md C.2).
    pub fn delete_age_s(&self) -> Option<u64> {
        if self.in_recent_mode().is_some() {
            return None;
        }
        if self.call.settings.config.always_delete {
            return Some(0);
        }
        match self.row.account.delete {
            DeletePolicy::Never => None,
            DeletePolicy::Now => Some(0),
            DeletePolicy::AfterDays(days) => Some(u64::from(days) * DAY_S),
        }
    }
}
