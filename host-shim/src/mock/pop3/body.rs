//! Multi-line replies, RFC 1939 §3: dot-stuffing, the terminator, and every way to get them wrong.

use std::io;

use super::super::mail::{Body, Pieces};
use super::fault::{Verb, What};
use super::script::Script;
use super::session::Flow;
use super::stop::Stops;
use super::wire::Wire;

/// What a multi-line reply consists of.
pub(super) enum Content {
    /// Lines that need no stuffing.
    Lines(Vec<u8>),
    Message(Pieces),
}

impl Content {
    /// What RETR sends of a message.
    pub fn whole(body: &Body, script: &Script) -> Content {
        if !script.bare_lf_in_messages {
            return Content::Message(body.pieces());
        }
        let mut bytes = body.to_vec();
        let ends: Vec<usize> = memchr::memmem::find_iter(&bytes, b"\r\n").collect();
        for end in ends.into_iter().rev() {
            bytes.remove(end);
        }
        Content::Message(Body::from_bytes(bytes).pieces())
    }

    /// What TOP sends: the headers, and so many lines.
    pub fn top(body: &Body, lines: usize) -> Content {
        let mut taken = Vec::new();
        let mut pieces = body.pieces();
        let mut end = None;
        while end.is_none() {
            let Some(piece) = pieces.next() else { break };
            taken.extend_from_slice(piece);
            end = top_end(&taken, lines);
        }
        taken.truncate(end.unwrap_or(taken.len()));
        Content::Message(Body::from_bytes(taken).pieces())
    }
}

fn top_end(bytes: &[u8], lines: usize) -> Option<usize> {
    let head = if bytes.starts_with(b"\r\n") { 2 } else { memchr::memmem::find(bytes, b"\r\n\r\n")? + 4 };
    if lines == 0 {
        return Some(head);
    }
    memchr::memchr_iter(b'\n', &bytes[head..]).nth(lines - 1).map(|end| head + end + 1)
}

/// Where it is said: a place for stops, and a fault that cuts.
pub(super) struct Sending<'a> {
    pub wire: &'a mut Wire,
    pub script: &'a Script,
    pub stops: &'a Stops,
    pub verb: Verb,
    pub uidl: Option<&'a [u8]>,
    pub sent: u64,
    pub limit: Option<u64>,
    pub drops: bool,
}

impl<'a> Sending<'a> {
    pub fn new(
        wire: &'a mut Wire,
        script: &'a Script,
        stops: &'a Stops,
        verb: Verb,
        uidl: Option<&'a [u8]>,
        fault: Option<&What>,
    ) -> Sending<'a> {
        let (limit, drops) = match fault {
            Some(What::DropAfter(octets)) => (Some(*octets), true),
            Some(What::Truncate(octets)) => (Some(*octets), false),
            _ => (None, false),
        };
        Sending { wire, script, stops, verb, uidl, sent: 0, limit, drops }
    }

    /// Sends the content and its terminator.
    pub async fn send(mut self, content: Content) -> io::Result<Flow> {
        let mut stuffing =
            Stuffing { at_line_start: true, after_crlf_only: self.script.stuff_after_crlf_only };
        let mut last = Last::default();
        let mut whole = true;
        match content {
            Content::Lines(lines) => {
                last.see(&lines);
                whole = self.emit(&lines).await?;
            }
            Content::Message(mut pieces) => {
                let mut stuffed = Vec::new();
                while let Some(piece) = pieces.next() {
                    last.see(piece);
                    stuffed.clear();
                    stuffing.stuff(piece, &mut stuffed);
                    if !self.emit(&stuffed).await? {
                        whole = false;
                        break;
                    }
                }
            }
        }
        self.halt_here().await?;
        if self.drops {
            self.wire.flush().await?;
            return Ok(Flow::Drop);
        }
        let end: &[u8] =
            if self.script.bare_lf_in_messages && self.verb == Verb::Retr { b"\n" } else { b"\r\n" };
        let ended = last.ends_line && whole;
        let glued = self.script.glued_terminator && self.verb == Verb::Retr;
        if !ended && !glued {
            self.wire.say(end);
        }
        self.wire.say(b".");
        self.wire.say(end);
        self.wire.relieve().await?;
        Ok(Flow::Go)
    }

    /// Halts if a halt is asked for at this octet; answers where the next one is.
    async fn halt_here(&mut self) -> io::Result<Option<u64>> {
        let halt = self.stops.next_in_body(self.verb, self.uidl, self.sent);
        if halt != Some(self.sent) {
            return Ok(halt);
        }
        self.wire.flush().await?;
        self.stops.pass(self.verb, self.uidl, super::Moment::Body(self.sent)).await;
        Ok(self.stops.next_in_body(self.verb, self.uidl, self.sent + 1))
    }

    /// Sends so many of the bytes as the limit allows; false if it was reached.
    async fn emit(&mut self, mut bytes: &[u8]) -> io::Result<bool> {
        while !bytes.is_empty() {
            let to_limit = self.limit.map(|limit| limit.saturating_sub(self.sent));
            if to_limit == Some(0) {
                return Ok(false);
            }
            let to_halt = self.halt_here().await?.map(|halt| halt - self.sent);
            let room = to_limit.into_iter().chain(to_halt.filter(|octets| *octets > 0)).min();
            let take =
                room.map_or(bytes.len(), |room| bytes.len().min(usize::try_from(room).unwrap_or(usize::MAX)));
            self.wire.say(&bytes[..take]);
            self.sent += take as u64;
            bytes = &bytes[take..];
            self.wire.relieve().await?;
        }
        Ok(true)
    }
}

/// Whether what was sent last ended a line.
struct Last {
    ends_line: bool,
}

impl Default for Last {
    fn default() -> Last {
        Last { ends_line: true }
    }
}

impl Last {
    fn see(&mut self, bytes: &[u8]) {
        if let Some(last) = bytes.last() {
            self.ends_line = *last == b'\n';
        }
    }
}

struct Stuffing {
    at_line_start: bool,
    after_crlf_only: bool,
}

impl Stuffing {
    fn stuff(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        if self.at_line_start && piece.first() == Some(&b'.') {
            out.push(b'.');
        }
        let mut done = 0;
        for end in memchr::memmem::find_iter(piece, b"\n.") {
            if self.after_crlf_only && (end == 0 || piece[end - 1] != b'\r') {
                continue;
            }
            out.extend_from_slice(&piece[done..=end]);
            out.push(b'.');
            done = end + 1;
        }
        out.extend_from_slice(&piece[done..]);
        self.at_line_start =
            if self.after_crlf_only { piece.ends_with(b"\r\n") } else { piece.ends_with(b"\n") };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_stuffed_across_pieces() {
        let mut stuffing = Stuffing { at_line_start: true, after_crlf_only: false };
        let mut out = Vec::new();
        stuffing.stuff(b".a\r\n", &mut out);
        stuffing.stuff(b".\r\nb.\n", &mut out);
        stuffing.stuff(b".c", &mut out);
        assert_eq!(out, b"..a\r\n..\r\nb.\n..c");
    }

    #[test]
    fn top_ends_after_the_lines() {
        assert_eq!(top_end(b"A: b\r\n\r\none\r\ntwo\r\n", 0), Some(8));
        assert_eq!(top_end(b"A: b\r\n\r\none\r\ntwo\r\n", 1), Some(13));
        assert_eq!(top_end(b"A: b\r\n", 1), None);
    }
}
