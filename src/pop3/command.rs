//! Commands as bytes (RFC 1939 §3: keyword, single spaces, CRLF), and which may be said when.

use std::io::Write;

use super::output::Output;
use super::{Command, Verb};

impl Command<'_> {
    pub fn verb(&self) -> Verb {
        match self {
            Command::Capa => Verb::Capa,
            Command::Stls => Verb::Stls,
            Command::Login(_) | Command::Password(_) => Verb::Login,
            Command::Stat => Verb::Stat,
            Command::Uidl => Verb::Uidl,
            Command::List => Verb::List,
            Command::Top { .. } => Verb::Top,
            Command::Retr(_) => Verb::Retr,
            Command::Dele(_) => Verb::Dele,
            Command::Noop => Verb::Noop,
            Command::Rset => Verb::Rset,
            Command::Quit => Verb::Quit,
        }
    }

    /// The message it names, else 0.
    pub fn number(&self) -> u32 {
        match self {
            Command::Top { number, .. } | Command::Retr(number) | Command::Dele(number) => *number,
            _ => 0,
        }
    }

    /// All but log-ins, whose lines are the exchange's.
    pub(super) fn write(&self, output: &mut Output) {
        // Writing into memory does not fail.
        let _ = match self {
            Command::Login(_) | Command::Password(_) => Ok(()),
            Command::Top { number, lines } => write!(output, "TOP {number} {lines}\r\n"),
            Command::Retr(number) => write!(output, "RETR {number}\r\n"),
            Command::Dele(number) => write!(output, "DELE {number}\r\n"),
            plain => write!(output, "{}\r\n", plain.verb().keyword()),
        };
    }
}

impl Verb {
    pub fn keyword(self) -> &'static str {
        match self {
            Verb::Capa => "CAPA",
            Verb::Stls => "STLS",
            Verb::Login => "AUTH",
            Verb::Stat => "STAT",
            Verb::Uidl => "UIDL",
            Verb::List => "LIST",
            Verb::Top => "TOP",
            Verb::Retr => "RETR",
            Verb::Dele => "DELE",
            Verb::Noop => "NOOP",
            Verb::Rset => "RSET",
            Verb::Quit => "QUIT",
        }
    }

    /// No other command may be under way with it (PROTOCOL.md D.7).
    pub fn stands_alone(self) -> bool {
        matches!(self, Verb::Login | Verb::Stls | Verb::Quit)
    }

    /// May be said without TLS (I8).
    pub fn fits_in_clear(self) -> bool {
        matches!(self, Verb::Capa | Verb::Stls | Verb::Quit)
    }
}
