//! The state of one POP3 session: which replies are due, and what they are.
//!
//! Replies are matched to commands in order. The first line that does not fit ends the session: it takes no more
//! input, gives no more output, and above all says no QUIT, for QUIT deletes (I13).

use std::collections::VecDeque;
use std::sync::Arc;

use zeroize::Zeroizing;

use super::lines::Lines;
use super::listing::Maildrop;
use super::multiline::{Piece, Unstuffer};
use super::output::Output;
use super::{
    Capabilities, Command, Cut, Event, Greeting, Limits, Listing, Misuse, ProtocolError, Sizes, Verb, Witness,
};
use super::{password, sasl};

mod answer;

pub struct Session {
    secured: bool,
    limits: Limits,
    output: Output,
    lines: Lines,
    unstuffer: Unstuffer,
    /// The head's reply is being read.
    due: VecDeque<Due>,
    reading: Reading,
    /// Of the one AUTH that is due.
    pub(super) exchange: Option<Exchange>,
    /// APOP's, of a greeting under TLS: one in clear could be anybody's.
    timestamp: Option<String>,
    maildrop: Maildrop,
    /// STLS or QUIT was said: nothing may follow in this session, unless STLS is refused.
    last_word: bool,
    ends_doubtfully: bool,
    /// A line out of place may be mail from here on, and is not quoted.
    pub(super) saw_message: bool,
    broken: Option<ProtocolError>,
    pub(super) witness: Option<Arc<dyn Witness>>,
}

pub(super) enum Exchange {
    Token(sasl::Exchange),
    Password(password::Exchange),
}

#[derive(Debug, Clone, Copy)]
struct Due {
    verb: Verb,
    number: u32,
}

enum Reading {
    Greeting,
    Status,
    Capabilities {
        found: Capabilities,
        lines: usize,
    },
    Uidl(Listing),
    List(Sizes),
    Message {
        octets: u64,
        /// The server ends its own lines with CRLF: a terminator that is not between two of them is doubtful.
        crlf: bool,
    },
    /// After a doubtful terminator: the status that proves it.
    Proof {
        octets: u64,
    },
}

impl Session {
    pub fn new(secured: bool, greeting: Greeting, limits: Limits) -> Session {
        Session {
            secured,
            limits,
            output: Output::default(),
            lines: Lines::default(),
            unstuffer: Unstuffer::default(),
            due: VecDeque::new(),
            reading: match greeting {
                Greeting::Expected => Reading::Greeting,
                Greeting::Done => Reading::Status,
            },
            exchange: None,
            timestamp: None,
            maildrop: Maildrop::default(),
            last_word: false,
            ends_doubtfully: false,
            saw_message: false,
            broken: None,
            witness: None,
        }
    }

    /// Whoever hears it from now on.
    pub fn heard_by(&mut self, witness: Arc<dyn Witness>) {
        self.witness = Some(witness);
    }

    /// Queues a command's bytes.
    pub fn send(&mut self, command: Command<'_>) -> Result<(), Misuse> {
        let verb = command.verb();
        if self.broken.is_some() {
            return Err(Misuse::OutOfStep);
        }
        if !self.secured && !verb.fits_in_clear() {
            return Err(Misuse::NotSecured);
        }
        let greeted = !matches!(self.reading, Reading::Greeting);
        let alone = self.due.is_empty() && (greeted || verb == Verb::Quit);
        if self.last_word || self.exchange.is_some() || (verb.stands_alone() && !alone) {
            return Err(Misuse::NotAlone);
        }
        match &command {
            Command::Login(login) => {
                let begun = sasl::Exchange::begin(login, &mut self.output)?;
                self.exchange = Some(Exchange::Token(begun));
            }
            Command::Password(login) => {
                let begun = password::Exchange::begin(login, self.timestamp.as_deref(), &mut self.output)?;
                self.exchange = Some(Exchange::Password(begun));
            }
            _ => {}
        }
        command.write(&mut self.output);
        self.witness_command(&command);
        self.last_word = matches!(verb, Verb::Stls | Verb::Quit);
        self.due.push_back(Due { verb, number: command.number() });
        Ok(())
    }

    /// Takes bytes of `input` and answers how many, and what they said, if that is whole. All of `input` is taken
    /// when no event is answered.
    pub fn next<'a>(&'a mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.advance(input).inspect_err(|error| {
            self.output.wipe();
            self.exchange = None;
            self.broken = Some(error.clone());
        })
    }

    /// What is to be written; wiped when dropped.
    pub fn take_output(&mut self) -> Zeroizing<Vec<u8>> {
        self.output.take()
    }

    /// What is to be written, for a writer that tells by `wrote` how far it came.
    pub fn output(&self) -> &[u8] {
        self.output.pending()
    }

    /// So many octets of `output` are written; they are wiped.
    pub fn wrote(&mut self, count: usize) {
        self.output.advance(count);
    }

    /// Commands whose replies are not complete.
    pub fn outstanding(&self) -> usize {
        self.due.len()
    }

    /// The greeting allows APOP.
    pub fn can_apop(&self) -> bool {
        self.timestamp.is_some()
    }

    /// The server ended a message otherwise than between two CRLF. Each such end costs a proof, which cannot be had
    /// with other commands under way: ask for one message at a time from here on.
    pub fn ends_doubtfully(&self) -> bool {
        self.ends_doubtfully
    }

    /// Where the session was, for a connection that broke.
    pub fn closed(&self) -> Cut {
        match (&self.reading, self.due.front()) {
            (Reading::Greeting, _) => Cut::Greeting,
            (Reading::Message { .. } | Reading::Proof { .. }, Some(due)) => Cut::Message(due.number),
            (_, Some(due)) => Cut::Reply(due.verb.keyword()),
            (_, None) => Cut::Nothing,
        }
    }

    fn advance<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        let mut used = 0;
        while used < input.len() {
            let rest = &input[used..];
            let (taken, event) = match self.reading {
                Reading::Message { .. } => self.message(rest)?,
                _ => self.line(rest)?,
            };
            used += taken;
            if event.is_some() {
                return Ok((used, event));
            }
        }
        Ok((used, None))
    }

    fn message<'a>(&mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        let (Reading::Message { octets, crlf }, Some(&Due { verb, number })) =
            (&mut self.reading, self.due.front())
        else {
            return Err(ProtocolError("a message that nobody asked for".to_owned()));
        };
        let (taken, piece) = self.unstuffer.next(input);
        let clean = match piece {
            Piece::Nothing => return Ok((taken, None)),
            Piece::Data(bytes) => {
                *octets += bytes.len() as u64;
                return Ok((taken, Some(Event::MessageData { number, bytes })));
            }
            Piece::End { clean } => clean || !*crlf,
        };
        let octets = *octets;
        self.nothing_behind(taken < input.len())?;
        if clean {
            return Ok((taken, Some(self.end_message(verb, number, octets))));
        }
        self.ends_doubtfully = true;
        // A message may hold a line that looks like the end, where a server stuffs only lines that follow CRLF
        // (PROTOCOL.md D.6). The reply to one command more shows whether the server is where we think it is.
        if self.due.len() > 1 {
            return Err(ProtocolError(format!(
                "the end of message {number} does not stand between two CRLF"
            )));
        }
        self.output.push(b"NOOP\r\n");
        self.reading = Reading::Proof { octets };
        Ok((taken, None))
    }

    fn end_message(&mut self, verb: Verb, number: u32, octets: u64) -> Event<'static> {
        self.witness_message(number, octets);
        self.complete();
        Event::MessageEnd { verb, number, octets }
    }

    pub(super) fn is_in_listing(&self) -> bool {
        matches!(self.reading, Reading::Uidl(_) | Reading::List(_))
    }

    /// The reply at the head is whole.
    fn complete(&mut self) {
        self.due.pop_front();
        self.reading = Reading::Status;
    }

    /// Bytes behind an answer that nobody asked for put the whole answer in doubt.
    fn nothing_behind(&self, more: bool) -> Result<(), ProtocolError> {
        if more && self.due.len() <= 1 {
            return Err(self.misfit("bytes behind its end"));
        }
        Ok(())
    }

    fn misfit(&self, what: &str) -> ProtocolError {
        ProtocolError(match (&self.reading, self.due.front()) {
            (Reading::Greeting, _) => format!("in the server's greeting: {what}"),
            (_, Some(Due { verb, number: 0 })) => format!("in the reply to {}: {what}", verb.keyword()),
            (_, Some(Due { verb, number })) => format!("in the reply to {} {number}: {what}", verb.keyword()),
            (_, None) => format!("nothing was asked: {what}"),
        })
    }
}
