//! Log lines: `event=NAME key=value …`, printable UTF-8, at most 1 KiB, remote text escaped; and the logger that
//! brings them to the call they belong to.
//!
//! A line never waits and never names a secret. The logger and the panic hook are installed by the shared library
//! only (`ffi`), since a Rust program that links the crate has its own.

use std::cell::RefCell;
use std::fmt::{Display, Write};

use super::pump::Pump;

pub const LINE_BYTES: usize = 1024;
/// Our own lines; from other crates only warnings and worse are passed on.
const TARGET: &str = "multipop";

thread_local! {
    static CALL: RefCell<Option<Pump>> = const { RefCell::new(None) };
}

/// This thread works for the call of `pump` from now on.
pub fn enter(pump: &Pump) {
    CALL.with(|call| *call.borrow_mut() = Some(pump.clone()));
}

pub fn leave() {
    // A thread that is ending may have lost its variable already.
    let _ = CALL.try_with(|call| call.borrow_mut().take());
}

/// A line in the making.
pub struct Line(String);

impl Line {
    /// `event` is a stable name such as `account_end`.
    pub fn new(event: &str) -> Line {
        Line(format!("event={event}"))
    }

    /// Quoted and escaped where it holds anything but plain printable characters.
    pub fn field(mut self, key: &str, value: impl Display) -> Line {
        let value = value.to_string();
        let plain = !value.is_empty()
            && value.bytes().all(|byte| byte.is_ascii_graphic() && !matches!(byte, b'"' | b'\\' | b'='));
        if plain {
            let _ = write!(self.0, " {key}={value}");
        } else {
            let _ = write!(self.0, " {key}=\"{}\"", escape(&value));
        }
        self
    }

    pub fn error(self) {
        self.send(log::Level::Error);
    }
    pub fn warn(self) {
        self.send(log::Level::Warn);
    }
    pub fn info(self) {
        self.send(log::Level::Info);
    }
    pub fn debug(self) {
        self.send(log::Level::Debug);
    }
    pub fn trace(self) {
        self.send(log::Level::Trace);
    }

    fn send(self, level: log::Level) {
        log::log!(target: TARGET, level, "{}", self.0);
    }
}

fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    for character in value.chars() {
        match character {
            '"' => text.push_str("\\\""),
            '\\' => text.push_str("\\\\"),
            '\n' => text.push_str("\\n"),
            '\r' => text.push_str("\\r"),
            c if c.is_control() || is_unseen(c) => {
                let _ = write!(text, "\\u{{{:x}}}", c as u32);
            }
            c => text.push(c),
        }
    }
    text
}

/// Ends a line for some readers, or shows others what does not stand there: separators, marks of direction, no width.
fn is_unseen(c: char) -> bool {
    matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{206f}' | '\u{feff}')
}

/// At most `LINE_BYTES`, cut at a character.
pub fn cut(line: &str) -> &str {
    let mut end = line.len().min(LINE_BYTES);
    while !line.is_char_boundary(end) {
        end -= 1;
    }
    &line[..end]
}

/// Brings every line to the call its thread works for; what no call waits for is dropped.
pub struct Logger;

impl log::Log for Logger {
    fn enabled(&self, metadata: &log::Metadata<'_>) -> bool {
        metadata.target() == TARGET || metadata.level() <= log::Level::Warn
    }

    fn log(&self, record: &log::Record<'_>) {
        if !self.enabled(record.metadata()) || !is_wanted(record.level()) {
            return;
        }
        let text = if record.target() == TARGET {
            record.args().to_string()
        } else {
            format!(
                "event=library target={} text=\"{}\"",
                record.target(),
                escape(&record.args().to_string())
            )
        };
        to_call(record.level(), cut(&text).to_owned());
    }

    fn flush(&self) {}
}

/// Where a panic is told: the log of the call it happened in. On a thread that works for none the line comes back.
pub fn panicked(place: &str, what: &str) -> Option<String> {
    let text = format!("event=panic place={place} text=\"{}\"", escape(what));
    let line = cut(&text).to_owned();
    if !is_wanted(log::Level::Error) {
        return Some(line);
    }
    to_call(log::Level::Error, line);
    None
}

/// Whether this thread works for a call whose host wants such lines.
fn is_wanted(level: log::Level) -> bool {
    CALL.try_with(|call| {
        call.try_borrow().is_ok_and(|call| call.as_ref().is_some_and(|pump| level <= pump.log_level()))
    })
    .unwrap_or(false)
}

fn to_call(level: log::Level, line: String) {
    let _ = CALL.try_with(|call| {
        if let Ok(call) = call.try_borrow()
            && let Some(pump) = call.as_ref()
        {
            pump.log(level, line);
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn remote_text_cannot_forge_a_line_or_a_field() {
        let line = Line::new("x").field("said", "a\r\nevent=y \"q\" \\ \u{1b}[1m");
        assert_eq!(line.0, "event=x said=\"a\\r\\nevent=y \\\"q\\\" \\\\ \\u{1b}[1m\"");
        let line = Line::new("x").field("said", "a\u{2028}b\u{202e}c\u{e4}");
        assert_eq!(line.0, "event=x said=\"a\\u{2028}b\\u{202e}c\u{e4}\"");
        assert_eq!(Line::new("x").field("n", 5).0, "event=x n=5");
        assert_eq!(Line::new("x").field("n", "").0, "event=x n=\"\"");
    }

    #[test]
    fn a_long_line_is_cut_at_a_character() {
        let long = "ä".repeat(LINE_BYTES);
        assert!(cut(&long).len() <= LINE_BYTES && cut(&long).ends_with('ä'));
    }
}
