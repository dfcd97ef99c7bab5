//! Real MIME messages from a seed, RFC 5322 and RFC 2045: the same seed and size give the same bytes.
//!
//! A large one is described ([`Body::Generated`]) and made while it is sent, a block at a time, so that a
//! mailbox of a gigabyte costs what one block costs. Every block carries its number: one that is missing,
//! doubled or in the wrong place changes the digest.

use std::sync::Arc;

use aws_lc_rs::digest::{Context, SHA256};
use base64::prelude::{BASE64_STANDARD, Engine};

/// What a message consists of, without dot-stuffing, as a mailbox holds it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Body {
    Bytes(Arc<[u8]>),
    /// Made on the fly, exactly this long (or [`smallest`] if that is longer).
    Generated {
        seed: u64,
        size: u64,
    },
}

impl Body {
    pub fn from_bytes(bytes: impl Into<Vec<u8>>) -> Body {
        Body::Bytes(bytes.into().into())
    }

    pub fn size(&self) -> u64 {
        match self {
            Body::Bytes(bytes) => bytes.len() as u64,
            Body::Generated { seed, size } => (*size).max(smallest(*seed)),
        }
    }

    /// The bytes, in pieces of at most [`BLOCK`].
    pub fn pieces(&self) -> Pieces {
        match self {
            Body::Bytes(bytes) => Pieces::of(bytes),
            Body::Generated { seed, .. } => Pieces::generated(*seed, self.size()),
        }
    }

    /// All bytes at once: for small messages and comparisons.
    pub fn to_vec(&self) -> Vec<u8> {
        let mut all = Vec::new();
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            all.extend_from_slice(piece);
        }
        all
    }

    /// SHA-256 over the bytes, in hex, without holding them.
    pub fn digest(&self) -> String {
        let mut context = Context::new(&SHA256);
        let mut pieces = self.pieces();
        while let Some(piece) = pieces.next() {
            context.update(piece);
        }
        context.finish().as_ref().iter().map(|byte| format!("{byte:02x}")).collect()
    }
}

/// The longest piece a body comes in.
pub const BLOCK: usize = 64 * 1024;

/// The shortest message of this seed.
pub fn smallest(seed: u64) -> u64 {
    headers(seed, false).len() as u64 + 2
}

/// The `Message-ID` of a generated message.
pub fn message_id(seed: u64) -> String {
    format!("<{seed:016x}.mock@mail.example.com>")
}

/// The peculiarities real mail has. Each is a whole small message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Odd {
    LeadingDots,
    DotFirst,
    EightBit,
    LongLine,
    BareCr,
    BareLf,
    Nul,
    Utf8Headers,
    NoHeaders,
    NoBody,
    NoFinalLineEnd,
    Empty,
}

impl Odd {
    pub const ALL: [Odd; 12] = [
        Odd::LeadingDots,
        Odd::DotFirst,
        Odd::EightBit,
        Odd::LongLine,
        Odd::BareCr,
        Odd::BareLf,
        Odd::Nul,
        Odd::Utf8Headers,
        Odd::NoHeaders,
        Odd::NoBody,
        Odd::NoFinalLineEnd,
        Odd::Empty,
    ];

    pub fn message(self, seed: u64) -> Body {
        let head = headers(seed, false);
        let with = |body: &[u8]| [head.as_bytes(), b"\r\n", body].concat();
        let bytes = match self {
            Odd::LeadingDots => with(b".\r\n..\r\n...\r\n.a\r\n\r\n.\r\nend\r\n"),
            Odd::DotFirst => [b".first line begins with a dot\r\n".as_slice(), &with(b"x\r\n")].concat(),
            Odd::EightBit => with(b"caf\xe9 \xff\xfe\x80\r\n\xc3\xa4\xc3\xb6\r\n"),
            Odd::LongLine => with(&[&[b'x'; 200_000], b"\r\n.\r\nend\r\n".as_slice()].concat()),
            Odd::BareCr => with(b"one\rtwo\r\r\nthree\r.\r\n\r\r\n"),
            Odd::BareLf => with(b"one\ntwo\n\nthree\n.four\nfive\r\n"),
            Odd::Nul => with(b"a\0b\0\0\r\n\0\r\n"),
            Odd::Utf8Headers => {
                [b"Subject: Gr\xc3\xbc\xc3\x9fe \xe2\x9c\x93\r\n", &with(b"x\r\n")[..]].concat()
            }
            Odd::NoHeaders => b"\r\nonly a body\r\n".to_vec(),
            Odd::NoBody => head.into_bytes(),
            Odd::NoFinalLineEnd => with(b"the last line has no end"),
            Odd::Empty => Vec::new(),
        };
        Body::from_bytes(bytes)
    }
}

fn headers(seed: u64, multipart: bool) -> String {
    let day = seed % 28 + 1;
    let (hour, minute, second) = (seed / 7 % 24, seed / 11 % 60, seed / 13 % 60);
    let kind = if multipart {
        format!("multipart/mixed; boundary=\"{}\"", boundary(seed))
    } else {
        "text/plain; charset=utf-8".to_owned()
    };
    format!(
        "Message-ID: {}\r\nDate: {day:02} Jan 2026 {hour:02}:{minute:02}:{second:02} +0000\r\n\
         From: =?utf-8?B?QmrDtnJu?= <sender{}@example.com>\r\nTo: alice@contoso.example\r\n\
         Subject: =?utf-8?Q?Gr=C3=BC=C3=9Fe?= {seed:x}\r\nMIME-Version: 1.0\r\nContent-Type: {kind}\r\n\
         Content-Transfer-Encoding: 8bit\r\n",
        message_id(seed),
        seed % 97
    )
}

fn boundary(seed: u64) -> String {
    format!("=_part.{seed:016x}")
}

/// The text part of a multipart message: what a dot-stuffer and a line reader stumble over.
fn text_part(seed: u64) -> String {
    let rule = boundary(seed);
    format!(
        "\r\nA message in several parts.\r\n--{rule}\r\nContent-Type: text/plain; charset=utf-8\r\n\
         Content-Transfer-Encoding: 8bit\r\n\r\nHällo {seed}\r\n.dot\r\n..two\r\n.\r\nend of text\r\n--{rule}\r\n\
         Content-Type: application/octet-stream; name=\"{seed:x}.bin\"\r\n\
         Content-Transfer-Encoding: base64\r\nContent-Disposition: attachment; filename=\"{seed:x}.bin\"\r\n\r\n"
    )
}

/// A body being read.
pub struct Pieces {
    parts: Vec<Part>,
    at: usize,
    scratch: Vec<u8>,
}

enum Part {
    Shared {
        bytes: Arc<[u8]>,
        done: usize,
    },
    /// Lines of 76 characters of base64 and a CRLF, the first of each block carrying its number.
    Filler {
        pattern: Vec<u8>,
        left: u64,
        number: u64,
    },
}

const LINE: usize = 78;
const FILLER_BLOCK: usize = BLOCK / LINE * LINE;

impl Pieces {
    fn of(bytes: &Arc<[u8]>) -> Pieces {
        Pieces::from_parts(vec![Part::Shared { bytes: bytes.clone(), done: 0 }])
    }

    fn generated(seed: u64, size: u64) -> Pieces {
        let front = headers(seed, true) + &text_part(seed);
        let back = format!("\r\n--{}--\r\n", boundary(seed));
        let fixed = (front.len() + back.len()) as u64;
        if size >= fixed {
            return Pieces::from_parts(vec![text(front), filler(seed, size - fixed), text(back)]);
        }
        let front = headers(seed, false) + "\r\n";
        let rest = size.saturating_sub(front.len() as u64) as usize;
        Pieces::from_parts(vec![text(front), text(plain(rest))])
    }

    fn from_parts(parts: Vec<Part>) -> Pieces {
        Pieces { parts, at: 0, scratch: Vec::new() }
    }

    /// The next piece, never empty; None at the end.
    #[allow(clippy::should_implement_trait)] // a lending iterator: the piece is borrowed from the scratch
    pub fn next(&mut self) -> Option<&[u8]> {
        loop {
            match self.parts.get_mut(self.at)? {
                Part::Shared { bytes, done } if *done < bytes.len() => {
                    let end = bytes.len().min(*done + BLOCK);
                    self.scratch.clear();
                    self.scratch.extend_from_slice(&bytes[*done..end]);
                    *done = end;
                    return Some(&self.scratch);
                }
                Part::Filler { pattern, left, number } if *left > 0 => {
                    let label = BASE64_STANDARD.encode(format!("{:<57}", format!("block {number}")));
                    pattern[..label.len()].copy_from_slice(label.as_bytes());
                    let take = (*left).min(FILLER_BLOCK as u64) as usize;
                    self.scratch.clear();
                    self.scratch.extend_from_slice(&pattern[..take]);
                    *left -= take as u64;
                    *number += 1;
                    return Some(&self.scratch);
                }
                _ => self.at += 1,
            }
        }
    }
}

fn text(text: String) -> Part {
    Part::Shared { bytes: text.into_bytes().into(), done: 0 }
}

fn filler(seed: u64, left: u64) -> Part {
    let mut state = seed.wrapping_mul(0x9E37_79B9_7F4A_7C15) | 1;
    let length = FILLER_BLOCK.min(left.div_ceil(LINE as u64) as usize * LINE);
    let mut pattern = Vec::with_capacity(length);
    while pattern.len() < length {
        let mut raw = [0_u8; 57];
        for word in raw.chunks_mut(8) {
            state ^= state << 13;
            state ^= state >> 7;
            state ^= state << 17;
            word.copy_from_slice(&state.to_le_bytes()[..word.len()]);
        }
        pattern.extend_from_slice(BASE64_STANDARD.encode(raw).as_bytes());
        pattern.extend_from_slice(b"\r\n");
    }
    Part::Filler { pattern, left, number: 0 }
}

/// Exactly this many bytes of text in lines; ends in CRLF if there is room for one.
fn plain(size: usize) -> String {
    let mut text = "Lines of plain text for a small message, told again.\r\n".repeat(size / 54 + 1);
    text.truncate(size);
    if size >= 2 {
        text.truncate(size - 2);
        let kept = text.trim_end_matches(['\r', '\n']).len();
        text.truncate(kept);
        while text.len() < size - 2 {
            text.push('.');
        }
        text.push_str("\r\n");
    }
    text
}
