//! The trace of one visit: what was said and heard, redacted as it comes, and no more of it than the store keeps.
//!
//! Nothing is kept here that may not be read by whoever helps from afar: no credential, no address, no name of a
//! mailbox, nothing of a message or a listing but its length.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Instant;

use base64::Engine;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use parking_lot::Mutex;
use zeroize::Zeroizing;

use super::call::Clock;
use crate::model::{Account, UnixTime};
use crate::pop3::Witness;
use crate::secret;
use crate::store::{TRACE_LINES, TraceLine};

/// Lines that wait to be written; more make them be written before the visit ends.
const WAITING: usize = 200;

pub struct Trace {
    clock: Arc<dyn Clock>,
    /// It ends by itself.
    until: UnixTime,
    began: Instant,
    redaction: Redaction,
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    lines: VecDeque<TraceLine>,
    secrets: Vec<Zeroizing<Vec<u8>>>,
}

impl Trace {
    pub fn new(clock: Arc<dyn Clock>, until: UnixTime, account: &Account) -> Trace {
        let redaction = Redaction::of(account);
        Trace { clock, until, began: Instant::now(), redaction, kept: Mutex::default() }
    }

    /// Of ours, about the session.
    pub fn note(&self, text: &str) {
        self.keep("--", text);
    }

    /// Whether enough lines wait to be written before the visit ends.
    pub fn is_full(&self) -> bool {
        self.kept.lock().lines.len() >= WAITING
    }

    pub fn take(&self) -> Vec<TraceLine> {
        self.kept.lock().lines.drain(..).collect()
    }

    fn keep(&self, who: &str, text: &str) {
        let at = self.clock.now();
        if at >= self.until {
            return;
        }
        let mut kept = self.kept.lock();
        let text = secret::blacken(text, kept.secrets.iter().map(|secret| secret.as_slice()));
        let text = format!("{who} {}", self.redaction.apply(&text));
        let ms = u64::try_from(self.began.elapsed().as_millis()).unwrap_or(u64::MAX);
        if kept.lines.len() >= TRACE_LINES as usize {
            kept.lines.pop_front();
        }
        kept.lines.push_back(TraceLine { at, ms, text });
    }
}

impl Witness for Trace {
    fn hide(&self, secret: &[u8]) {
        let mut kept = self.kept.lock();
        if !kept.secrets.iter().any(|known| known.as_slice() == secret) {
            kept.secrets.push(Zeroizing::new(secret.to_vec()));
            kept.secrets.extend(encoded(secret).map(|form| Zeroizing::new(form.into_bytes())));
        }
    }

    fn said(&self, line: &str) {
        self.keep("C:", line);
    }

    fn heard(&self, line: &str) {
        self.keep("S:", line);
    }
}

/// Takes the names of people and places out of a text that leaves the house.
pub struct Redaction {
    names: Vec<String>,
}

/// A shorter name stands in every other word.
const SHORTEST: usize = 3;

impl Redaction {
    /// Of the account, its owner, its user, and the local parts of what is an address.
    pub fn of(account: &Account) -> Redaction {
        let mut names: Vec<String> = Vec::new();
        for name in [&account.id, &account.owner, &account.deliver_to, &account.user] {
            names.push(name.clone());
            names.extend(name.split_once('@').map(|(local, _)| local.to_owned()));
        }
        names.extend(account.sign_in.clone());
        Redaction::of_names(names)
    }

    /// These too.
    pub fn and(mut self, names: impl Iterator<Item = String>) -> Redaction {
        self.names.extend(names);
        Redaction::of_names(self.names)
    }

    pub fn of_names(mut names: Vec<String>) -> Redaction {
        names.retain(|name| name.len() >= SHORTEST);
        // The longest first, or a part would be taken out of it.
        names.sort_by_key(|name| std::cmp::Reverse(name.len()));
        names.dedup();
        // The longest first, or a part would be taken out of it.
        let forms: Vec<String> = names.iter().flat_map(|name| encoded(name.as_bytes())).collect();
        names.splice(0..0, forms);
        Redaction { names }
    }

    pub fn apply(&self, text: &str) -> String {
        let words = text.split_inclusive(char::is_whitespace).map(|word| {
            let bare = word.trim_end();
            let is_address = bare.contains('@') || bare.contains("%40");
            if is_address { format!("<address>{}", &word[bare.len()..]) } else { word.to_owned() }
        });
        let mut text: String = words.collect();
        for name in &self.names {
            text = without(&text, name);
        }
        text
    }
}

/// As they stand within base64, wherever they begin there: servers repeat what they were told, or a part of it.
fn encoded(text: &[u8]) -> impl Iterator<Item = String> {
    let forms = [0, 2, 3].into_iter().enumerate().map(|(before, strange)| {
        let whole = STANDARD_NO_PAD.encode([&[0; 2][..before], text].concat());
        let own = (before + text.len()) * 8 / 6;
        whole[strange.min(own)..own].to_owned()
    });
    forms.filter(|form| form.len() >= SHORTEST_FORM).collect::<Vec<_>>().into_iter()
}

/// A shorter one stands in other words.
const SHORTEST_FORM: usize = 6;

/// ASCII case ignored, as names are.
fn without(text: &str, name: &str) -> String {
    let (lower, wanted) = (text.to_ascii_lowercase(), name.to_ascii_lowercase());
    let mut left = String::with_capacity(text.len());
    let mut from = 0;
    while let Some(at) = lower[from..].find(&wanted) {
        left.push_str(&text[from..from + at]);
        left.push_str("<name>");
        from += at + wanted.len();
    }
    left.push_str(&text[from..]);
    left
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_address_and_no_name_is_left() {
        let names = ["alice@example.com", "alice", "b"].map(str::to_owned);
        let redaction = Redaction::of_names(names.to_vec());
        let told =
            redaction.apply("-ERR <Alice@Example.com>: mail of ALICE\tin /home/alice/b, ask x@y.z  now");
        assert_eq!(told, "-ERR <address> mail of <name>\tin /home/<name>/b, ask <address>  now");
    }

    #[test]
    fn what_a_server_repeats_in_base64_or_in_capitals_is_taken_out() {
        let redaction = Redaction::of_names(vec!["alice.smith".into()]);
        for around in ["", "u", "us", "user=", "\x01"] {
            let line = STANDARD_NO_PAD.encode(format!("{around}alice.smith\x01x"));
            let told = redaction.apply(&format!("-ERR bad line {line}"));
            assert!(told.contains("<name>"), "{told}");
        }
        assert_eq!(redaction.apply("-ERR user=alice.smith%40contoso.example no"), "-ERR <address> no");

        let trace = Trace {
            clock: Arc::new(crate::engine::call::SystemClock),
            until: UnixTime::MAX,
            began: Instant::now(),
            redaction: Redaction::of_names(Vec::new()),
            kept: Mutex::default(),
        };
        trace.hide(b"hunter2hunter");
        for text in ["HUNTER2HUNTER".to_owned(), STANDARD_NO_PAD.encode("xhunter2hunter")] {
            trace.heard(&format!("-ERR {text}"));
        }
        for line in trace.take() {
            assert!(line.text.matches('*').count() >= 12, "{}", line.text);
        }
    }
}
