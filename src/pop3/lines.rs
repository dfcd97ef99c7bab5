//! Lines out of bytes that come split anywhere; CRLF and bare LF both end one (PROTOCOL.md D.6).
//!
//! A line that is whole in the input is lent from there; only one that was split is gathered, in one reused buffer
//! that never grows past the caller's limit.

#[derive(Default)]
pub(super) struct Lines {
    held: Vec<u8>,
    /// `held` was handed out and is to be forgotten.
    spent: bool,
}

pub(super) struct Line<'a> {
    /// Without its end.
    pub text: &'a [u8],
    pub crlf: bool,
    /// Octets of the input it took.
    pub taken: usize,
}

#[derive(Debug)]
pub(super) struct TooLong;

impl Lines {
    /// The next line; `None`: all of `input` was taken and the line goes on.
    pub fn take<'a>(&'a mut self, input: &'a [u8], limit: usize) -> Result<Option<Line<'a>>, TooLong> {
        if self.spent {
            self.held.clear();
            self.spent = false;
        }
        let end = memchr::memchr(b'\n', input);
        let part = &input[..end.unwrap_or(input.len())];
        if self.held.len() + part.len() > limit {
            return Err(TooLong);
        }
        let Some(end) = end else {
            self.held.extend_from_slice(part);
            return Ok(None);
        };
        let whole = if self.held.is_empty() {
            part
        } else {
            self.held.extend_from_slice(part);
            self.spent = true;
            &self.held
        };
        let text = whole.strip_suffix(b"\r").unwrap_or(whole);
        Ok(Some(Line { text, crlf: text.len() != whole.len(), taken: end + 1 }))
    }
}
