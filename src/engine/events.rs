//! What the host is told of an account, in one form whoever tells it.

use crate::error::Error;
use crate::model::{Account, Counts, Event, EventKind, Outcome};

/// Without an error its texts are empty.
pub fn of(account: &Account, kind: EventKind, outcome: Option<Outcome>, error: Option<&Error>) -> Event {
    Event {
        kind,
        account: account.id.clone(),
        owner: account.owner.clone(),
        outcome,
        status: error.map_or(0, |error| error.status.code()),
        cause: error.map_or(String::new(), |error| error.cause.to_owned()),
        message: error.map_or(String::new(), |error| error.message.clone()),
        advice: error.map_or(String::new(), |error| error.advice.clone()),
        retry_after_s: error.map_or(0, |error| error.retry_after_s),
        counts: Counts::default(),
    }
}
