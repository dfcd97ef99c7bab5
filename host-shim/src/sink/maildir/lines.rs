//! Line ends on their way into a file: CRLF becomes LF, a bare CR stays, wherever the pieces are split.

use memchr::memchr;

#[derive(Debug, Default)]
pub struct Lines {
    /// The last piece ended in a CR whose meaning the next byte decides.
    held: bool,
}

impl Lines {
    pub fn convert(&mut self, piece: &[u8], out: &mut Vec<u8>) {
        let Some(first) = piece.first() else { return };
        if std::mem::take(&mut self.held) && *first != b'\n' {
            out.push(b'\r');
        }
        let mut rest = piece;
        while let Some(at) = memchr(b'\r', rest) {
            out.extend_from_slice(&rest[..at]);
            rest = &rest[at + 1..];
            match rest.first() {
                None => self.held = true,
                Some(b'\n') => {}
                Some(_) => out.push(b'\r'),
            }
        }
        out.extend_from_slice(rest);
    }

    pub fn finish(&mut self, out: &mut Vec<u8>) {
        if std::mem::take(&mut self.held) {
            out.push(b'\r');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn any_split_gives_the_same_bytes() {
        let wire = b"a\r\n\r\nb\rc\r\r\nd\n\xff\0\r\n.\r\r";
        let meant = b"a\n\nb\rc\r\nd\n\xff\0\n.\r\r";
        for first in 0..=wire.len() {
            for second in first..=wire.len() {
                let (mut lines, mut out) = (Lines::default(), Vec::new());
                for piece in [&wire[..first], &wire[first..second], &wire[second..]] {
                    lines.convert(piece, &mut out);
                }
                lines.finish(&mut out);
                assert_eq!(out, meant, "split at {first} and {second}");
            }
        }
    }
}
