//! What a visit leaves for whoever asks later: its row among the passes, and its trace where the account is traced.

use std::sync::Arc;

use super::call::Call;
use super::line::Line;
use super::trace::Trace;
use super::visit::Visit;
use crate::error::Error;
use crate::model::{Account, Counts, Outcome, UnixTime};
use crate::store::Pass;

/// What is noted on the way.
#[derive(Default)]
pub struct Trail {
    pub begun: UnixTime,
    /// Entries of the listing, once there was one.
    pub listed: Option<u32>,
    /// Entries first seen.
    pub new: u32,
}

impl Call {
    /// The same call, heard by a trace of this account until then.
    pub fn traced(mut self, account: &Account, until: Option<UnixTime>) -> Call {
        self.trace = until.map(|until| Arc::new(Trace::new(self.clock.clone(), until, account)));
        if let Some(trace) = &self.trace {
            trace.note("the visit begins");
        }
        self
    }
}

impl Visit {
    pub fn pass(&self, outcome: Outcome, error: Option<&Error>, now: UnixTime) -> Pass {
        Pass {
            listed: self.trail.listed,
            new: self.trail.new,
            ..pass(self.trail.begun, now, outcome, error, self.counts)
        }
    }

    pub fn trace_end(&self, outcome: Outcome, error: Option<&Error>) {
        let Some(trace) = &self.call.trace else { return };
        let why = error.map(|error| format!(": {}: {}", error.cause, error.message)).unwrap_or_default();
        trace.note(&format!("the visit ends, {}{why}", outcome.name()));
    }

    /// In the midst of a long visit, so that a death of the process costs the last lines only.
    pub async fn save_trace(&self) {
        let Some(trace) = self.call.trace.as_ref().filter(|trace| trace.is_full()) else {
            return;
        };
        let (lease, lines, now) = (self.lease.clone(), trace.take(), self.call.now());
        // No mail waits for it.
        if let Err(e) = self.call.with_store(move |store| store.add_trace(&lease, &lines, now)).await {
            Line::new("trace_not_written").field("account", &self.row.account.id).field("error", e).warn();
        }
    }
}

/// Of a visit that came to nothing more than its end.
pub fn pass(
    begun: UnixTime,
    ended: UnixTime,
    outcome: Outcome,
    error: Option<&Error>,
    counts: Counts,
) -> Pass {
    Pass {
        begun,
        ended,
        process: String::new(),
        outcome,
        status: error.map_or(0, |error| error.status.code()),
        cause: error.map_or_else(String::new, |error| error.cause.to_owned()),
        listed: None,
        new: 0,
        taken: counts.messages_done,
        deferred: counts.deferred,
        refused: counts.refused,
        deleted: counts.deleted,
        bytes: counts.bytes_done,
    }
}
