//! The bytes of a message as DATA wants them (RFC 5321 §2.3.8, §4.5.2).
//!
//! A server may take a bare LF or CR for a line's end, and what follows it for commands. So none leaves here: a bare
//! LF becomes CRLF, a bare CR is dropped, and a dot after any line's end is doubled.

use memchr::memchr2;

#[derive(Debug)]
pub struct Stuffing {
    at_line_start: bool,
    /// The last piece ended in a CR whose meaning the next byte decides.
    held: bool,
}

impl Stuffing {
    pub fn new() -> Stuffing {
        Stuffing { at_line_start: true, held: false }
    }

    pub fn convert(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let mut rest = piece;
        while let Some(first) = rest.first() {
            if std::mem::take(&mut self.held) && *first == b'\n' {
                rest = &rest[1..];
                self.end_line(out);
                continue;
            }
            if self.at_line_start && *first == b'.' {
                out.push(b'.');
            }
            // A dot that begins a line is seen above; elsewhere it is a letter like any other.
            match memchr2(b'\r', b'\n', rest) {
                None => {
                    out.extend_from_slice(rest);
                    self.at_line_start = false;
                    return;
                }
                Some(at) => {
                    out.extend_from_slice(&rest[..at]);
                    self.at_line_start &= at == 0;
                    match rest[at] {
                        b'\n' => self.end_line(out),
                        _ => self.held = true,
                    }
                    rest = &rest[at + 1..];
                }
            }
        }
    }

    /// The rest of an unfinished line's end, and the line with the dot.
    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if !self.at_line_start {
            self.end_line(out);
        }
        out.extend_from_slice(b".\r\n");
    }

    fn end_line(&mut self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\r\n");
        self.at_line_start = true;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn through(pieces: &[&[u8]]) -> Vec<u8> {
        let (mut stuffing, mut out) = (Stuffing::new(), Vec::new());
        for piece in pieces {
            stuffing.convert(piece, &mut out);
        }
        stuffing.finish(&mut out);
        out
    }

    #[test]
    fn dots_are_doubled_and_the_end_is_ours_alone() {
        assert_eq!(through(&[b".\r\n..\r\na.\r\n"]), b"..\r\n...\r\na.\r\n.\r\n");
        assert_eq!(through(&[b""]), b".\r\n");
        assert_eq!(through(&[b"no end"]), b"no end\r\n.\r\n");
        // Ends that a lax server would take for the end of the message.
        for smuggled in
            [&b"a\n.\nMAIL"[..], b"a\n.\r\nMAIL", b"a\r.\rMAIL", b"a\r.\r\nMAIL", b"a\r\n\r.\r\nMAIL"]
        {
            let out = through(&[smuggled]);
            let end = out.windows(5).position(|window| window == b"\r\n.\r\n");
            assert_eq!(end, Some(out.len() - 5), "{:?}", String::from_utf8_lossy(&out));
            let bare = (0..out.len()).any(|at| {
                (out[at] == b'\n' && (at == 0 || out[at - 1] != b'\r'))
                    || (out[at] == b'\r' && out.get(at + 1) != Some(&b'\n'))
            });
            assert!(!bare);
        }
    }

    #[test]
    fn any_split_gives_the_same_bytes() {
        let wire = b".a\r\n.\r\r\n\n.b\rc\r\n..\r\n\r";
        let whole = through(&[wire]);
        for first in 0..=wire.len() {
            for second in first..=wire.len() {
                let split = through(&[&wire[..first], &wire[first..second], &wire[second..]]);
                assert_eq!(split, whole, "split at {first} and {second}");
            }
        }
    }
}
