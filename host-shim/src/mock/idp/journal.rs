//! What happened at the provider: requests in order, and counts by grant.
//!
//! The text never holds a secret: no query, no body. [`Journal::secrets_issued`] and
//! [`Journal::secrets_shown`] give the real ones, for tests that search outputs for them.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

/// Cheap to clone; all clones are one journal.
#[derive(Clone, Default)]
pub struct Journal(Arc<Shared>);

#[derive(Default)]
struct Shared {
    inner: Mutex<Inner>,
    changed: Condvar,
}

#[derive(Default)]
struct Inner {
    lines: Vec<String>,
    counts: HashMap<String, u64>,
    issued: BTreeSet<String>,
    shown: BTreeSet<String>,
    violations: Vec<String>,
    in_flight: u64,
    most_in_flight: u64,
}

impl Journal {
    /// `METHOD path status`, and what the request was, in order.
    pub fn lines(&self) -> Vec<String> {
        self.0.inner.lock().lines.clone()
    }

    /// How often: a grant type (`authorization_code`, `refresh_token`, …) that came to the token endpoint,
    /// the same with `/ok` where it was granted, how a client proved itself (`client_secret_post`,
    /// `client_secret_basic`, `private_key_jwt`), or an endpoint (`authorize`, `discovery`, `keys`,
    /// `introspect`, `revoke`, `adminconsent`).
    pub fn count(&self, what: &str) -> u64 {
        self.0.inner.lock().counts.get(what).copied().unwrap_or(0)
    }

    /// The most token requests answered at the same time.
    pub fn most_in_flight(&self) -> u64 {
        self.0.inner.lock().most_in_flight
    }

    /// What a client did that the RFCs forbid, such as a secret in a query, or a code shown twice.
    pub fn violations(&self) -> Vec<String> {
        self.0.inner.lock().violations.clone()
    }

    /// Every code and token ever issued. For searching outputs; never print it.
    pub fn secrets_issued(&self) -> Vec<String> {
        self.0.inner.lock().issued.iter().cloned().collect()
    }

    /// Every secret and verifier clients showed. For searching outputs; never print it.
    pub fn secrets_shown(&self) -> Vec<String> {
        self.0.inner.lock().shown.iter().cloned().collect()
    }

    /// Forgets lines and counts, not the secrets.
    pub fn clear(&self) {
        let mut inner = self.0.inner.lock();
        inner.lines.clear();
        inner.counts.clear();
        inner.violations.clear();
        inner.most_in_flight = inner.in_flight;
    }

    /// Waits until something was counted so often.
    pub fn wait_for_count(&self, what: &str, count: u64, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut inner = self.0.inner.lock();
        while inner.counts.get(what).copied().unwrap_or(0) < count {
            if self.0.changed.wait_until(&mut inner, deadline).timed_out() {
                return inner.counts.get(what).copied().unwrap_or(0) >= count;
            }
        }
        true
    }

    pub(super) fn line(&self, line: String) {
        self.0.inner.lock().lines.push(line);
    }

    pub(super) fn counted(&self, what: &str) {
        *self.0.inner.lock().counts.entry(what.to_owned()).or_default() += 1;
        self.0.changed.notify_all();
    }

    pub(super) fn issued(&self, secret: &str) {
        self.0.inner.lock().issued.insert(secret.to_owned());
    }

    pub(super) fn shown(&self, secret: &str) {
        self.0.inner.lock().shown.insert(secret.to_owned());
    }

    pub(super) fn violation(&self, text: &str) {
        self.0.inner.lock().violations.push(text.to_owned());
    }

    /// A token request is being answered until the guard is dropped.
    pub(super) fn in_flight(&self) -> InFlight {
        let mut inner = self.0.inner.lock();
        inner.in_flight += 1;
        inner.most_in_flight = inner.most_in_flight.max(inner.in_flight);
        InFlight(self.clone())
    }
}

pub(super) struct InFlight(Journal);

impl Drop for InFlight {
    fn drop(&mut self) {
        self.0.0.inner.lock().in_flight -= 1;
    }
}
