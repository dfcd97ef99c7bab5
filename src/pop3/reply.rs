//! Status lines and response codes (RFC 1939 §3, RFC 2449 §8, RFC 3206; PROTOCOL.md D.2).
//!
//! What is kept of the server's words is printable and cut; it is never taken for more than words.

use super::limits::{QUOTE_CHARS, REFUSAL_TEXT_CHARS};
use super::{Refusal, ResponseCode};

/// A line where a status is due.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Status<'a> {
    Ok(&'a [u8]),
    Err(&'a [u8]),
    /// `+`: a SASL challenge.
    Challenge(&'a [u8]),
}

impl<'a> Status<'a> {
    /// `None`: a foreign line.
    pub fn parse(line: &'a [u8]) -> Option<Status<'a>> {
        if let Some(rest) = line.strip_prefix(b"+OK") {
            return text(rest).map(Status::Ok);
        }
        if let Some(rest) = line.strip_prefix(b"-ERR") {
            return text(rest).map(Status::Err);
        }
        let rest = line.strip_prefix(b"+")?;
        match rest.first() {
            None => Some(Status::Challenge(rest)),
            Some(b' ') => Some(Status::Challenge(rest.trim_ascii())),
            Some(_) => None,
        }
    }
}

/// What follows a status; the word must have ended there.
fn text(rest: &[u8]) -> Option<&[u8]> {
    match rest.first() {
        Some(byte) if byte.is_ascii_alphanumeric() => None,
        Some(b' ') => Some(&rest[1..]),
        _ => Some(rest),
    }
}

impl Refusal {
    pub(super) fn parse(text: &[u8]) -> Refusal {
        Refusal::rewritten(text, str::to_owned)
    }

    /// With the words and an unknown code's rewritten before they are cut.
    pub(super) fn rewritten(text: &[u8], rewrite: impl Fn(&str) -> String) -> Refusal {
        let (code, words) = split_code(text);
        let rewritten = |bytes: &[u8]| rewrite(&String::from_utf8_lossy(bytes)).into_bytes();
        Refusal {
            code: code.map(|code| ResponseCode::parse(code).map_other(|| rewritten(code))),
            text: printable(&rewritten(words.trim_ascii()), REFUSAL_TEXT_CHARS),
            sasl_status: None,
        }
    }
}

/// A code stands directly after the status and nowhere else; Exchange ends greetings with a bracket that is none.
fn split_code(text: &[u8]) -> (Option<&[u8]>, &[u8]) {
    let Some(inner) = text.strip_prefix(b"[") else {
        return (None, text);
    };
    let Some(end) = memchr::memchr(b']', inner) else {
        return (None, text);
    };
    let code = &inner[..end];
    let well_formed = code
        .split(|byte| *byte == b'/')
        .all(|level| !level.is_empty() && level.iter().all(u8::is_ascii_graphic));
    if !well_formed {
        return (None, text);
    }
    (Some(code), &inner[end + 1..])
}

impl ResponseCode {
    /// An unknown code with other words.
    fn map_other(self, words: impl FnOnce() -> Vec<u8>) -> ResponseCode {
        match self {
            ResponseCode::Other(_) => ResponseCode::Other(printable(&words(), QUOTE_CHARS)),
            known => known,
        }
    }

    /// Known by its leading levels, whatever finer ones follow (RFC 2449 §8).
    fn parse(code: &[u8]) -> ResponseCode {
        let known: [(&[u8], ResponseCode); 6] = [
            (b"LOGIN-DELAY", ResponseCode::LoginDelay),
            (b"IN-USE", ResponseCode::InUse),
            (b"SYS/TEMP", ResponseCode::SysTemp),
            (b"SYS/PERM", ResponseCode::SysPerm),
            (b"AUTH", ResponseCode::Auth),
            (b"UTF8", ResponseCode::Utf8),
        ];
        known
            .into_iter()
            .find(|(name, _)| {
                code.len() >= name.len()
                    && code[..name.len()].eq_ignore_ascii_case(name)
                    && matches!(code.get(name.len()), None | Some(b'/'))
            })
            .map_or_else(|| ResponseCode::Other(printable(code, QUOTE_CHARS)), |(_, code)| code)
    }
}

/// Remote bytes as text that is safe to show: no control characters, nothing that turns the direction of writing.
pub(super) fn printable(bytes: &[u8], chars: usize) -> String {
    // A character has at most four octets; the rest of a long line need not be decoded.
    let head = &bytes[..bytes.len().min(chars * 4)];
    String::from_utf8_lossy(head)
        .chars()
        .take(chars)
        .map(|c| if hidden(c) { '\u{FFFD}' } else { c })
        .collect()
}

fn hidden(c: char) -> bool {
    c.is_control()
        || matches!(c, '\u{200B}'..='\u{200F}' | '\u{2028}'..='\u{202E}' | '\u{2060}'..='\u{206F}' | '\u{FEFF}')
}
