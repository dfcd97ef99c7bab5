//! The end of a multi-line answer and its dot-stuffing (RFC 1939 §3), on bytes that come split anywhere.
//!
//! Hands on slices of the input as long as they come, without looking at single lines and without copying; it must
//! never change anything but the stuffed dots.

use memchr::memmem::Finder;

/// Where in a line the next byte stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Start,
    /// After a dot that began the line.
    Dot,
    /// After a dot and a CR that began the line.
    DotCr,
    Inside,
}

pub(super) struct Unstuffer {
    /// Where a line that begins with a dot may be.
    dotted: Finder<'static>,
    place: Place,
    /// The line that begins, or goes on, came after CRLF; a bare LF makes its terminator doubtful.
    after_crlf: bool,
    /// The last byte taken was CR.
    cr: bool,
}

#[derive(Debug, PartialEq, Eq)]
pub(super) enum Piece<'a> {
    /// All the input was taken and holds nothing to hand on.
    Nothing,
    Data(&'a [u8]),
    /// The terminator; whether it stands between two CRLF, as RFC 1939 has it.
    End {
        clean: bool,
    },
}

impl Default for Unstuffer {
    fn default() -> Self {
        Unstuffer { dotted: Finder::new(b"\n."), place: Place::Start, after_crlf: true, cr: false }
    }
}

impl Unstuffer {
    /// A new answer begins behind a status line.
    pub fn begin(&mut self) {
        self.place = Place::Start;
        self.after_crlf = true;
        self.cr = false;
    }

    /// How many bytes of `input` were taken, and what they are. `input` is not empty.
    pub fn next<'a>(&mut self, input: &'a [u8]) -> (usize, Piece<'a>) {
        let mut used = 0;
        while let Some(byte) = input.get(used) {
            match (self.place, byte) {
                (Place::Start, b'.') => self.place = Place::Dot,
                (Place::Dot, b'\r') => self.place = Place::DotCr,
                (Place::Dot | Place::DotCr, b'\n') => {
                    let clean = self.after_crlf && self.place == Place::DotCr;
                    return (used + 1, Piece::End { clean });
                }
                (Place::DotCr, _) => {
                    // The dot was stuffing, and the CR behind it is the message's.
                    self.place = Place::Inside;
                    self.cr = true;
                    return (used, Piece::Data(b"\r"));
                }
                _ => {
                    let data = self.run(&input[used..]);
                    return (used + data.len(), Piece::Data(data));
                }
            }
            used += 1;
        }
        (used, Piece::Nothing)
    }

    /// The longest piece without a line that begins with a dot, from a byte that is data.
    fn run<'a>(&mut self, input: &'a [u8]) -> &'a [u8] {
        let end = self.dotted.find(input).map_or(input.len(), |at| at + 1);
        let data = &input[..end];
        if data.ends_with(b"\n") {
            self.place = Place::Start;
            self.after_crlf = match data.len() {
                1 => self.cr,
                long => data[long - 2] == b'\r',
            };
        } else {
            self.place = Place::Inside;
        }
        self.cr = data.ends_with(b"\r");
        data
    }
}
