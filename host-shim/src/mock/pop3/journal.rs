//! What happened at the POP3 server: commands in order, and counts.
//!
//! The text never holds a credential; lines with one are told by their length. For tests that search
//! outputs for secrets, [`Journal::tokens_seen`] and [`Journal::sasl_lines_seen`] give the real ones.

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};

use super::fault::Verb;
use super::mailbox::Uidl;

/// One command, or the coming and going of a connection (`Verb::Greeting`, with text `open` or `closed`).
#[derive(Clone, Debug)]
pub struct Entry {
    pub at: Instant,
    pub connection: u64,
    pub user: Option<Arc<str>>,
    pub verb: Verb,
    pub text: String,
}

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
    entries: Vec<Entry>,
    counts: HashMap<Verb, u64>,
    retrieved: HashMap<Uidl, u64>,
    logins: u64,
    refusals: u64,
    connections: u64,
    open: u64,
    most_open: u64,
    octets_sent: u64,
    turns: u64,
    tokens: BTreeSet<String>,
    sasl_lines: BTreeSet<String>,
}

impl Journal {
    pub fn entries(&self) -> Vec<Entry> {
        self.0.inner.lock().entries.clone()
    }

    /// The commands as text, in order.
    pub fn lines(&self) -> Vec<String> {
        let inner = self.0.inner.lock();
        inner.entries.iter().map(|entry| format!("{} {}", entry.connection, entry.text)).collect()
    }

    /// How often this command came.
    pub fn count(&self, verb: Verb) -> u64 {
        self.0.inner.lock().counts.get(&verb).copied().unwrap_or(0)
    }

    /// How often this command came in sessions of this user.
    pub fn count_by(&self, user: &str, verb: Verb) -> u64 {
        let inner = self.0.inner.lock();
        let his = |entry: &&Entry| entry.user.as_ref().is_some_and(|name| name.eq_ignore_ascii_case(user));
        inner.entries.iter().filter(his).filter(|entry| entry.verb == verb).count() as u64
    }

    /// How often RETR was asked for this UIDL.
    pub fn retrieved(&self, uidl: &[u8]) -> u64 {
        self.0.inner.lock().retrieved.get(uidl).copied().unwrap_or(0)
    }

    /// RETRs by UIDL.
    pub fn retrievals(&self) -> HashMap<Uidl, u64> {
        self.0.inner.lock().retrieved.clone()
    }

    pub fn logins(&self) -> u64 {
        self.0.inner.lock().logins
    }

    /// Credentials that did not fit.
    pub fn refusals(&self) -> u64 {
        self.0.inner.lock().refusals
    }

    pub fn connections(&self) -> u64 {
        self.0.inner.lock().connections
    }

    /// Connections open now, and the most at once.
    pub fn open(&self) -> (u64, u64) {
        let inner = self.0.inner.lock();
        (inner.open, inner.most_open)
    }

    pub fn octets_sent(&self) -> u64 {
        self.0.inner.lock().octets_sent
    }

    /// How often the server wrote after having read: the round trips, the greeting's included.
    pub fn round_trips(&self) -> u64 {
        self.0.inner.lock().turns
    }

    /// Every token a client showed, good or not. For searching outputs; never print it.
    pub fn tokens_seen(&self) -> Vec<String> {
        self.0.inner.lock().tokens.iter().cloned().collect()
    }

    /// Every base64 line with credentials. For searching outputs; never print it.
    pub fn sasl_lines_seen(&self) -> Vec<String> {
        self.0.inner.lock().sasl_lines.iter().cloned().collect()
    }

    /// Forgets entries and counts, not the secrets, nor what is open.
    pub fn clear(&self) {
        let mut inner = self.0.inner.lock();
        let kept = Inner {
            tokens: std::mem::take(&mut inner.tokens),
            sasl_lines: std::mem::take(&mut inner.sasl_lines),
            open: inner.open,
            most_open: inner.open,
            ..Inner::default()
        };
        *inner = kept;
    }

    /// Waits until an entry fits, those already there included; false if the time is over.
    pub fn wait_for(&self, within: Duration, fits: impl Fn(&Entry) -> bool) -> bool {
        let deadline = Instant::now() + within;
        let mut inner = self.0.inner.lock();
        let mut seen = 0;
        loop {
            if inner.entries.iter().skip(seen).any(&fits) {
                return true;
            }
            seen = inner.entries.len();
            if self.0.changed.wait_until(&mut inner, deadline).timed_out() {
                return inner.entries.iter().skip(seen).any(&fits);
            }
        }
    }

    /// Waits until this command has come so often.
    pub fn wait_for_count(&self, verb: Verb, count: u64, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut inner = self.0.inner.lock();
        while inner.counts.get(&verb).copied().unwrap_or(0) < count {
            if self.0.changed.wait_until(&mut inner, deadline).timed_out() {
                return inner.counts.get(&verb).copied().unwrap_or(0) >= count;
            }
        }
        true
    }

    /// Waits until no connection is open, so that counts are final.
    pub fn wait_closed(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut inner = self.0.inner.lock();
        while inner.open > 0 {
            if self.0.changed.wait_until(&mut inner, deadline).timed_out() {
                return inner.open == 0;
            }
        }
        true
    }

    pub(super) fn opened(&self) -> u64 {
        let mut inner = self.0.inner.lock();
        inner.connections += 1;
        inner.open += 1;
        inner.most_open = inner.most_open.max(inner.open);
        let connection = inner.connections;
        inner.note(connection, None, Verb::Greeting, "open".to_owned());
        self.0.changed.notify_all();
        connection
    }

    pub(super) fn closed(&self, connection: u64, user: Option<Arc<str>>) {
        let mut inner = self.0.inner.lock();
        inner.open = inner.open.saturating_sub(1);
        inner.note(connection, user, Verb::Greeting, "closed".to_owned());
        self.0.changed.notify_all();
    }

    pub(super) fn command(&self, connection: u64, user: Option<Arc<str>>, verb: Verb, text: String) {
        let mut inner = self.0.inner.lock();
        *inner.counts.entry(verb).or_default() += 1;
        inner.note(connection, user, verb, text);
        self.0.changed.notify_all();
    }

    pub(super) fn retrieval(&self, uidl: &Uidl) {
        *self.0.inner.lock().retrieved.entry(uidl.clone()).or_default() += 1;
    }

    pub(super) fn login(&self, good: bool) {
        let mut inner = self.0.inner.lock();
        if good { inner.logins += 1 } else { inner.refusals += 1 }
    }

    pub(super) fn secret(&self, sasl_line: &str, token: Option<&str>) {
        let mut inner = self.0.inner.lock();
        inner.sasl_lines.insert(sasl_line.to_owned());
        inner.tokens.extend(token.map(str::to_owned));
    }

    pub(super) fn sent(&self, octets: usize, turn: bool) {
        let mut inner = self.0.inner.lock();
        inner.octets_sent += octets as u64;
        inner.turns += u64::from(turn);
    }
}

impl Inner {
    fn note(&mut self, connection: u64, user: Option<Arc<str>>, verb: Verb, text: String) {
        self.entries.push(Entry { at: Instant::now(), connection, user, verb, text });
    }
}
