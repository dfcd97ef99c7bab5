//! Visits that ended with their process: what they say against a message, and against an account.

use super::retrieve::{ASIDE_S, ENDS};
use super::visit::Visit;
use crate::error::{Error, Result, Status};
use crate::model::{LedgerRow, RowState, UnixTime};

/// Leases in a row that ended without clearing before the account is set aside for a day, and before it is even
/// where a message explains them.
const ATTEMPTS: u32 = 3;
const ATTEMPTS_WITH_A_MESSAGE: u32 = 10;

impl Visit {
    /// Three visits in a row that ended with the process, and no message to blame: not again today.
    pub(super) fn refuse_after_deaths(&mut self, open: &[LedgerRow]) -> Result<()> {
        let attempts = self.lease.attempts;
        let in_hand = open.iter().any(|row| row.state == RowState::InHand);
        let limit = if in_hand { ATTEMPTS_WITH_A_MESSAGE } else { ATTEMPTS };
        if attempts < limit {
            return Ok(());
        }
        Err(Error::new(
            Status::Internal,
            "account.set_aside",
            format!("{attempts} visits in a row ended without coming to an end; the account is set aside for a day"),
        )
        .advice("See the log for what ended the process during these visits."))
    }

    /// The visit got on, with a message recorded or with all of them gone through: the deaths before it were no fault
    /// of the account. What it has yet to say to the server, DELE and QUIT, kills nobody.
    pub async fn forget_deaths(&mut self) -> Result<()> {
        if std::mem::replace(&mut self.deaths, 0) == 0 {
            return Ok(());
        }
        let lease = self.lease.clone();
        self.call.with_store(move |store| store.clear_attempts(&lease)).await
    }
}

/// Rows in hand whose RETR was the one under way when a session died: that counts against the message.
pub(super) fn counted(open: Vec<LedgerRow>, now: UnixTime) -> Vec<LedgerRow> {
    open.into_iter()
        .filter(|row| row.state == RowState::InHand && row.begun)
        .map(|mut row| {
            row.begun = false;
            row.ends += 1;
            row.reason = "the process ended while it was being fetched".to_owned();
            if row.ends >= ENDS {
                row.state = RowState::SetAside;
                row.not_before = now + ASIDE_S;
                row.reason = "the process ended three times while it was being fetched".to_owned();
            }
            row
        })
        .collect()
}
