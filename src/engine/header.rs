//! The header block of a message, as far as it is needed to know the message again.

use crate::model::UnixTime;

use super::keys::field;

/// Longer header blocks are cut here; what identifies a message stands long before.
const HEADER_BYTES: usize = 64 * 1024;

/// Collects a header block from pieces split anywhere.
#[derive(Default)]
pub struct Header {
    bytes: Vec<u8>,
    complete: bool,
}

impl Header {
    pub fn push(&mut self, piece: &[u8]) {
        if self.complete {
            return;
        }
        let from = self.bytes.len().saturating_sub(3);
        let room = HEADER_BYTES - self.bytes.len();
        self.bytes.extend_from_slice(&piece[..piece.len().min(room)]);
        if let Some(end) = end_of_header(&self.bytes, from) {
            self.bytes.truncate(end);
            self.complete = true;
        } else if self.bytes.len() == HEADER_BYTES {
            self.complete = true;
        }
    }

    pub fn bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Behind the empty line.
fn end_of_header(bytes: &[u8], from: usize) -> Option<usize> {
    if from == 0 && bytes.starts_with(b"\r\n") {
        return Some(2);
    }
    memchr::memchr_iter(b'\n', &bytes[from..]).map(|at| from + at).find_map(|at| {
        let rest = &bytes[at + 1..];
        if rest.starts_with(b"\n") {
            Some(at + 2)
        } else if rest.starts_with(b"\r\n") {
            Some(at + 3)
        } else {
            None
        }
    })
}

/// The time of the `Date:` field (RFC 5322 §3.3), if it has one that can be read.
pub fn date(header: &[u8]) -> Option<UnixTime> {
    let value = field(header, "date")?;
    let text = String::from_utf8_lossy(&value);
    // A comment behind the zone is common: "+0000 (UTC)".
    let text = text.split('(').next().unwrap_or_default().trim();
    let parsed = time::OffsetDateTime::parse(text, &time::format_description::well_known::Rfc2822).ok()?;
    u64::try_from(parsed.unix_timestamp()).ok()
}

/// The Message-ID without what may stand around it (RFC 5322 §3.6.4): angle brackets, white space, a comment.
pub fn message_id(header: &[u8]) -> Option<Vec<u8>> {
    let value = field(header, "message-id")?;
    let bare = bare_message_id(&value);
    (!bare.is_empty()).then(|| bare.to_vec())
}

/// The same of what a person gives.
pub fn bare_message_id(text: &[u8]) -> &[u8] {
    let inside = memchr::memchr(b'<', text).and_then(|open| {
        let rest = &text[open + 1..];
        memchr::memchr(b'>', rest).map(|close| &rest[..close])
    });
    inside.unwrap_or(text).trim_ascii()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_gives_the_same_header() {
        let message = b"A: 1\r\nB: 2\r\n 3\r\n\r\nbody\r\n\r\nmore";
        for at in 0..message.len() {
            let mut header = Header::default();
            header.push(&message[..at]);
            header.push(&message[at..]);
            assert_eq!(header.bytes(), b"A: 1\r\nB: 2\r\n 3\r\n\r\n", "split at {at}");
        }
    }

    #[test]
    fn a_header_without_an_end_is_cut() {
        let mut header = Header::default();
        for _ in 0..10_000 {
            header.push(b"X: y\r\n123456");
        }
        assert_eq!(header.bytes().len(), HEADER_BYTES);
    }

    #[test]
    fn a_message_id_is_the_same_however_it_is_written() {
        for value in ["<a@b>", " a@b ", "\r\n <a@b>", "< a@b > (sent by c)", "a@b"] {
            let header = format!("X: y\r\nMESSAGE-ID:{value}\r\n\r\nMessage-ID: <no@no>");
            assert_eq!(message_id(header.as_bytes()).as_deref(), Some(&b"a@b"[..]), "{value:?}");
        }
        assert_eq!(bare_message_id(b" <a@b> "), b"a@b");
        assert_eq!(message_id(b"Message-ID: <>\r\n\r\n"), None);
        assert_eq!(message_id(b"Subject: <a@b>\r\n\r\n"), None);
    }

    #[test]
    fn dates_as_mail_programs_write_them() {
        for text in ["Mon, 21 Sep 2026 14:13:20 +0000", "21 Sep 2026 16:13:20 +0200 (CEST)"] {
            let header = format!("Date: {text}\r\n\r\n");
            assert_eq!(date(header.as_bytes()), Some(1_790_000_000), "{text}");
        }
        assert_eq!(date(b"Date: yesterday\r\n\r\n"), None);
    }
}
