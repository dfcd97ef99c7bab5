//! The terminal: results on stdout, everything else on stderr. Progress bars and lines share it without tearing.

use std::collections::HashSet;
use std::io::{self, BufRead, IsTerminal, Write};
use std::sync::Arc;

use indicatif::MultiProgress;
use multipop_host::library::{Failure, Level};
use parking_lot::Mutex;
use serde_json::{Value, json};

use super::outcome::Trouble;

#[derive(Clone)]
pub struct Console {
    pub json: bool,
    pub level: Level,
    /// Where progress bars can be drawn.
    pub bars: Option<MultiProgress>,
    /// What people were told already: an event, an account's end and the call's error often say the same.
    told: Arc<Mutex<HashSet<String>>>,
}

impl Console {
    pub fn new(json: bool, level: Level) -> Console {
        let draws = !json && io::stderr().is_terminal();
        Console { json, level, bars: draws.then(MultiProgress::new), told: Arc::default() }
    }

    /// A result for people.
    pub fn say(&self, words: &str) {
        if !self.json {
            self.undisturbed(|| print(&mut io::stdout(), words));
        }
    }

    /// A result for scripts.
    pub fn object(&self, object: &Value) {
        if self.json {
            print(&mut io::stdout(), &object.to_string());
        }
    }

    /// What is worth knowing beside the result.
    pub fn note(&self, words: &str) {
        self.undisturbed(|| print(&mut io::stderr(), words));
    }

    /// Whether these words are news.
    pub fn is_news(&self, words: &str) -> bool {
        !words.is_empty() && self.told.lock().insert(words.to_owned())
    }

    pub fn trouble(&self, trouble: &Trouble) {
        if trouble.is_told {
            return;
        }
        self.object(&json!({
            "type": "error",
            "exit_code": trouble.code,
            "message": trouble.message,
            "advice": trouble.advice,
            "error": trouble.failure.as_deref().map(failure),
        }));
        let words = trouble.failure.as_ref().map_or(&trouble.message, |failure| &failure.message);
        if !words.is_empty() && !self.is_news(words) {
            return;
        }
        self.note(&format!("multipop-host: {}", trouble.message));
        if !trouble.advice.is_empty() {
            self.note(&format!("  {}", trouble.advice));
        }
    }

    /// Only y and yes are a yes; without a terminal nobody can say it.
    pub fn asks(&self, question: &str) -> bool {
        let answer = self.line(&format!("{question} [y/N] "));
        matches!(answer.trim().to_ascii_lowercase().as_str(), "y" | "yes")
    }

    /// A line typed or pasted; empty at the end of input.
    pub fn line(&self, prompt: &str) -> String {
        eprint!("{prompt}");
        // Neither can be told to anybody if it fails; an empty answer is the safe one.
        let _ = io::stderr().flush();
        let mut line = String::new();
        let _ = io::stdin().lock().read_line(&mut line);
        line
    }

    fn undisturbed(&self, print: impl FnOnce()) {
        match &self.bars {
            Some(bars) => bars.suspend(print),
            None => print(),
        }
    }
}

pub fn failure(failure: &Failure) -> Value {
    json!({
        "status": failure.status,
        "cause": failure.cause,
        "message": failure.message,
        "advice": failure.advice,
        "provider_code": failure.provider_code,
        "retry_after_s": failure.retry_after_s,
    })
}

pub fn members(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

/// A peer's words do nothing to a terminal.
pub fn text(value: &Value) -> String {
    let text = value.as_str().unwrap_or_default();
    text.chars().map(|c| if c.is_control() { char::REPLACEMENT_CHARACTER } else { c }).collect()
}

/// A reader that went away (`| head`) does not end a fetch.
fn print(to: &mut impl Write, words: &str) {
    let _ = writeln!(to, "{words}");
}
