//! What a visit leaves behind: the account's state, when it is due again, and who is told.

use super::breaker;
use super::line::Line;
use super::visit::{Visit, Visited};
use crate::error::{Error, Result, Status};
use crate::model::{DAY_S, EventKind, Outcome, UnixTime};
use crate::retry;
use crate::store::{AccountState, Called, Needs};

/// Visits that ended in our own bug are repeated soon so often: a message that causes it is then set aside.
const QUICK_BUGS: u32 = 3;

impl Visit {
    pub async fn finish(mut self, collected: Result<bool>) -> Result<Visited> {
        let (outcome, error) = sort(collected);
        let now = self.call.now();
        let before = self.row.state.outcome;
        let mut state = self.row.state.clone();
        self.learn(&mut state);
        self.count_refusals(&mut state, error.as_ref(), now);
        if outcome == Outcome::OkMore && !self.logged_in() {
            cut_off(&mut state, now);
        } else {
            settle(&mut state, outcome, error.as_ref(), now);
        }
        let told = whom_to_tell(&mut state.called, before, outcome, error.as_ref(), self.logged_in());
        self.schedule(&mut state, outcome, error.as_ref(), now)?;
        state.taken_total += self.counts.messages_done;
        state.bytes_total += self.counts.bytes_done;
        let lease = self.lease.clone();
        let written = state.clone();
        let pass = self.pass(outcome, error.as_ref(), now);
        self.trace_end(outcome, error.as_ref());
        let trace = self.call.trace.as_ref().map(|trace| trace.take()).unwrap_or_default();
        let store_state = self
            .call
            .with_store(move |store| {
                let kept = store.end_visit(&lease, &pass, &trace, &mut |state| merge(state, &written))?;
                store.release(&lease, true)?;
                Ok(kept)
            })
            .await;
        if let Err(e) = store_state {
            Line::new("state_not_written").field("account", &self.row.account.id).field("error", e).error();
        }
        self.report(outcome, error.as_ref());
        self.row.state = state;
        for kind in told {
            let error = error.as_ref().filter(|_| !is_over(kind));
            self.tell(kind, Some(outcome), error).await;
        }
        self.tell(EventKind::AccountEnd, Some(outcome), error.as_ref()).await;
        Ok(Visited { outcome, error, counts: self.counts })
    }

    fn schedule(
        &self,
        state: &mut AccountState,
        outcome: Outcome,
        error: Option<&Error>,
        now: UnixTime,
    ) -> Result<()> {
        let wish = error.map_or(0, |error| error.retry_after_s);
        let wait = match outcome {
            Outcome::Ok => spread(self.row.account.interval_s, jitter()?),
            Outcome::OkMore | Outcome::Busy => 0,
            Outcome::Bug if state.failures <= QUICK_BUGS => {
                retry::wait_s(Outcome::Transient, state.failures, wish, jitter()?)
            }
            // It was not the account's turn: all come back when somebody may try, none for hours.
            _ if error.is_some_and(|error| error.cause == breaker::SHUT) => spread(wish, jitter()?),
            _ if error.is_some_and(|error| error.cause == breaker::ONCE) => {
                let wait = retry::wait_s(outcome, state.failures, wish, jitter()?);
                wait.min(self.row.account.interval_s)
            }
            // Another process held the store for a while: nobody need do anything.
            _ if error.is_some_and(|error| error.cause == "store.busy") => {
                retry::wait_s(Outcome::Transient, state.failures, wish, jitter()?)
            }
            _ => retry::wait_s(outcome, state.failures, wish, jitter()?),
        };
        state.next_due = now + u64::from(wait);
        // Known only where this visit logged in.
        if let (Some(login), delay @ 1..) = (state.last_login, self.login_delay_s()) {
            state.not_before = state.not_before.max(login + u64::from(delay));
        }
        if error.is_some_and(|error| error.cause == "account.set_aside") {
            state.aside_until = now + DAY_S;
        }
        Ok(())
    }

    fn report(&self, outcome: Outcome, error: Option<&Error>) {
        let mut line = Line::new("account_end")
            .field("account", &self.row.account.id)
            .field("outcome", outcome.name())
            .field("messages", self.counts.messages_done)
            .field("bytes", self.counts.bytes_done)
            .field("deferred", self.counts.deferred)
            .field("refused", self.counts.refused)
            .field("deleted", self.counts.deleted);
        match error {
            None => line.info(),
            Some(error) => {
                line = line.field("cause", error.cause);
                if !error.provider_code.is_empty() {
                    line = line.field("code", &error.provider_code);
                }
                line.field("text", &error.message).warn();
            }
        }
    }
}

/// Once for each time somebody is needed, and once when it is over, whatever came in between.
fn whom_to_tell(
    called: &mut Called,
    before: Option<Outcome>,
    outcome: Outcome,
    error: Option<&Error>,
    logged_in: bool,
) -> Vec<EventKind> {
    let mut kinds = Vec::new();
    if error.is_some_and(|error| error.cause == breaker::SHUT) {
        return kinds;
    }
    let is_asked_to_wait = error.is_some_and(|error| error.retry_after_s > 0);
    match Needs::of(Some(outcome)) {
        Some(Needs::Nobody) if outcome == Outcome::Ok || logged_in => {
            if called.user {
                kinds.push(EventKind::ConsentRestored);
            }
            if called.operator.is_some() {
                kinds.push(EventKind::Recovered);
            }
            *called = Called::default();
        }
        Some(Needs::User) if !called.user => {
            called.user = true;
            kinds.push(EventKind::ConsentNeeded);
        }
        Some(Needs::Operator) if called.operator != Some(outcome) => {
            called.operator = Some(outcome);
            kinds.push(EventKind::OperatorNeeded);
        }
        Some(Needs::Time) if outcome == Outcome::Transient && before != Some(outcome) && is_asked_to_wait => {
            kinds.push(EventKind::Throttled);
        }
        _ => {}
    }
    kinds
}

fn is_over(kind: EventKind) -> bool {
    matches!(kind, EventKind::ConsentRestored | EventKind::Recovered)
}

/// Before it was let in: nothing new is known of it, neither that it fails nor that it works.
fn cut_off(state: &mut AccountState, now: UnixTime) {
    state.last_try = Some(now);
    state.progress = None;
    if state.outcome.is_none_or(|before| !before.is_failure()) {
        if state.outcome != Some(Outcome::OkMore) {
            state.since = now;
        }
        state.outcome = Some(Outcome::OkMore);
    }
}

/// An end the host or the deadline wished is no failure.
fn sort(collected: Result<bool>) -> (Outcome, Option<Error>) {
    match collected {
        Ok(false) => (Outcome::Ok, None),
        Ok(true) => (Outcome::OkMore, None),
        Err(e) if matches!(e.status, Status::Cancelled | Status::Deadline) => (Outcome::OkMore, None),
        Err(e) => (Outcome::of(e.status), Some(e)),
    }
}

pub(super) fn settle(state: &mut AccountState, outcome: Outcome, error: Option<&Error>, now: UnixTime) {
    let is_shut = error.is_some_and(|error| error.cause == breaker::SHUT);
    let is_marked = state.outcome.is_some_and(|before| before.is_failure() && before != Outcome::Transient);
    if is_shut && is_marked {
        // Nothing new is known of it.
        state.last_try = Some(now);
        state.progress = None;
        return;
    }
    if state.outcome != Some(outcome) {
        state.since = now;
    }
    state.outcome = Some(outcome);
    state.last_try = Some(now);
    state.progress = None;
    state.status = error.map_or(0, |error| error.status.code());
    state.cause = error.map_or(String::new(), |error| error.cause.to_owned());
    state.provider_code = error.map_or(String::new(), |error| error.provider_code.clone());
    state.message = error.map_or(String::new(), |error| error.message.clone());
    state.advice = error.map_or(String::new(), |error| error.advice.clone());
    state.for_user = error.map_or(String::new(), |error| error.for_user().to_owned());
    state.for_operator = error.map_or(String::new(), |error| error.for_operator().to_owned());
    match outcome {
        Outcome::HostFull | Outcome::HostRecipient | Outcome::Host => {
            state.deferral = Some(outcome);
            state.deferrals = state.deferrals.saturating_add(1);
        }
        _ => {}
    }
    if is_shut {
        return;
    }
    if error.is_some() {
        state.failures = state.failures.saturating_add(1);
        return;
    }
    state.failures = 0;
    state.deferral = None;
    state.deferrals = 0;
    state.last_ok = Some(now);
    state.last_clock = now;
}

/// What the visit knows wins; what others may have changed meanwhile stays.
fn merge(stored: &mut AccountState, visit: &AccountState) {
    let others = stored.clone();
    *stored = visit.clone();
    stored.paused = others.paused;
    stored.held = others.held;
    stored.identity = others.identity;
    stored.claims = others.claims;
    stored.delete_older_from = others.delete_older_from;
    stored.policy_since = others.policy_since;
    // Refusals of another password say nothing of the one that came meanwhile.
    if others.password.version != visit.password.version {
        stored.password = others.password;
        stored.next_due = others.next_due;
    }
    if others.reset_answer.is_some() && visit.reset_question {
        stored.reset_answer = others.reset_answer;
    }
}

fn spread(interval_s: u32, jitter: f64) -> u32 {
    // A tenth, so that accounts made together do not come together for ever.
    let tenth = f64::from(interval_s) * 0.1 * jitter;
    interval_s.saturating_add(tenth as u32)
}

/// Uniform in 0..=1, from the operating system each time.
fn jitter() -> Result<f64> {
    let mut bytes = [0; 4];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(Status::Resources, "resources.random", e.to_string()))?;
    Ok(f64::from(u32::from_be_bytes(bytes)) / f64::from(u32::MAX))
}
