//! The state of one POP3 session: which replies are due, and what they are.
//!
//! Replies are matched to commands in order. The first line that does not fit ends the session: it takes no more
//! input, gives no more output, and above all says no QUIT, for QUIT deletes (I13).

use std::collections::VecDeque;

use zeroize::Zeroizing;

use super::limits::{
    CAPABILITY_LINE_BYTES, CAPABILITY_LINES, LISTING_LINE_BYTES, QUOTE_CHARS, STATUS_LINE_BYTES,
};
use super::lines::Lines;
use super::listing::{self, Maildrop};
use super::multiline::{Piece, Unstuffer};
use super::output::Output;
use super::reply::{Status, printable};
use super::sasl::{Exchange, OutOfPlace};
use super::{
    Capabilities, Command, Cut, Event, Greeting, Limits, Listing, Misuse, ProtocolError, Refusal, Sizes, Verb,
};

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
    exchange: Option<Exchange>,
    maildrop: Maildrop,
    /// STLS or QUIT was said: nothing may follow in this session, unless STLS is refused.
    last_word: bool,
    broken: Option<ProtocolError>,
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
            maildrop: Maildrop::default(),
            last_word: false,
            broken: None,
        }
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
        if let Command::Login(login) = &command {
            self.exchange = Some(Exchange::begin(login, &mut self.output)?);
        }
        command.write(&mut self.output);
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
        self.complete();
        Event::MessageEnd { verb, number, octets }
    }

    fn line(&mut self, input: &[u8]) -> Result<(usize, Option<Event<'static>>), ProtocolError> {
        let limit = match self.reading {
            Reading::Capabilities { .. } => CAPABILITY_LINE_BYTES,
            Reading::Uidl(_) | Reading::List(_) => LISTING_LINE_BYTES,
            _ => STATUS_LINE_BYTES,
        };
        // Taken out so that the line it lends and the rest of the session can be used together.
        let mut lines = std::mem::take(&mut self.lines);
        let outcome = match lines.take(input, limit) {
            Err(_) => Err(self.misfit("a line is too long")),
            Ok(None) => Ok((input.len(), None)),
            Ok(Some(line)) => {
                let more = line.taken < input.len();
                self.understand(line.text, line.crlf, more).map(|event| (line.taken, event))
            }
        };
        self.lines = lines;
        outcome
    }

    fn understand(
        &mut self,
        line: &[u8],
        crlf: bool,
        more: bool,
    ) -> Result<Option<Event<'static>>, ProtocolError> {
        let most = self.limits.listing_entries;
        match &mut self.reading {
            Reading::Greeting => self.greeting(line),
            Reading::Status => self.status(line, crlf),
            Reading::Capabilities { found, .. } if line == b"." => {
                let found = std::mem::take(found);
                self.complete();
                Ok(Some(Event::Capabilities(found)))
            }
            Reading::Capabilities { found, lines } => {
                *lines += 1;
                if *lines > CAPABILITY_LINES {
                    return Err(self.misfit("too many capabilities"));
                }
                found.take(line);
                Ok(None)
            }
            Reading::Uidl(listing) if line == b"." => {
                let listing = std::mem::take(listing);
                listing.prove(&self.maildrop).map_err(|why| self.misfit(&why))?;
                self.nothing_behind(more)?;
                self.complete();
                Ok(Some(Event::Uidl(listing)))
            }
            Reading::Uidl(listing) => {
                let taken = listing.take(line, most);
                taken.map_err(|why| self.misfit(&why)).map(|()| None)
            }
            Reading::List(sizes) if line == b"." => {
                let mut sizes = std::mem::take(sizes);
                sizes.prove(&self.maildrop).map_err(|why| self.misfit(&why))?;
                self.nothing_behind(more)?;
                self.complete();
                Ok(Some(Event::List(sizes)))
            }
            Reading::List(sizes) => {
                let taken = sizes.take(line, most);
                taken.map_err(|why| self.misfit(&why)).map(|()| None)
            }
            Reading::Proof { octets } => {
                let octets = *octets;
                match (Status::parse(line), self.due.front()) {
                    (Some(Status::Ok(_) | Status::Err(_)), Some(&Due { verb, number })) => {
                        self.nothing_behind(more)?;
                        Ok(Some(self.end_message(verb, number, octets)))
                    }
                    _ => Err(self.foreign(line)),
                }
            }
            // `advance` gives a message's bytes to `message`.
            Reading::Message { .. } => Err(self.foreign(line)),
        }
    }

    fn greeting(&mut self, line: &[u8]) -> Result<Option<Event<'static>>, ProtocolError> {
        let event = match Status::parse(line) {
            Some(Status::Ok(_)) => Event::Greeting,
            Some(Status::Err(text)) => Event::Unwelcome(Refusal::parse(text)),
            _ => return Err(self.foreign(line)),
        };
        self.reading = Reading::Status;
        Ok(Some(event))
    }

    fn status(&mut self, line: &[u8], crlf: bool) -> Result<Option<Event<'static>>, ProtocolError> {
        let Some(&Due { verb, number }) = self.due.front() else {
            return Err(self.foreign(line));
        };
        match Status::parse(line) {
            Some(Status::Ok(text)) => self.yes(verb, number, text, crlf),
            Some(Status::Err(text)) => Ok(Some(self.no(verb, number, text))),
            Some(Status::Challenge(text)) => match &mut self.exchange {
                Some(exchange) => {
                    let answered = exchange.challenge(text, &mut self.output);
                    answered.map_err(|e| self.misfit(e.words())).map(|()| None)
                }
                None => Err(self.foreign(line)),
            },
            None => Err(self.foreign(line)),
        }
    }

    /// `+OK` to the command at the head.
    fn yes(
        &mut self,
        verb: Verb,
        number: u32,
        text: &[u8],
        crlf: bool,
    ) -> Result<Option<Event<'static>>, ProtocolError> {
        match verb {
            Verb::Capa => {
                self.reading = Reading::Capabilities {
                    found: Capabilities { answered: true, ..Capabilities::default() },
                    lines: 0,
                };
                return Ok(None);
            }
            Verb::Uidl => {
                self.reading = Reading::Uidl(Listing::default());
                return Ok(None);
            }
            Verb::List => {
                self.reading = Reading::List(Sizes::default());
                return Ok(None);
            }
            Verb::Retr | Verb::Top => {
                self.reading = Reading::Message { octets: 0, crlf };
                self.unstuffer.begin();
                return Ok(Some(Event::MessageBegin { verb, number }));
            }
            Verb::Stat => {
                let (count, octets) = listing::stat(text)
                    .ok_or_else(|| self.misfit(&format!("no count and size: {:?}", quote(text))))?;
                self.maildrop.counted(count);
                self.complete();
                return Ok(Some(Event::Stat { count, octets }));
            }
            Verb::Login => {
                if let Some(exchange) = &self.exchange {
                    exchange.accepted().map_err(|e| self.misfit(e.words()))?;
                }
                self.exchange = None;
            }
            Verb::Dele => self.maildrop.delete(number),
            Verb::Rset => self.maildrop.reset(),
            Verb::Noop | Verb::Stls | Verb::Quit => {}
        }
        self.complete();
        Ok(Some(Event::Done { verb, number }))
    }

    /// `-ERR` to the command at the head.
    fn no(&mut self, verb: Verb, number: u32, text: &[u8]) -> Event<'static> {
        self.complete();
        match verb {
            Verb::Capa => return Event::Capabilities(Capabilities::default()),
            // In clear without STLS only QUIT is left to say.
            Verb::Stls => self.last_word = false,
            _ => {}
        }
        let mut refusal = Refusal::parse(text);
        if let Some(exchange) = self.exchange.take() {
            refusal.text = exchange.blacken(&refusal.text);
            refusal.code = refusal.code.map(|code| code.map_other(|text| exchange.blacken(text)));
            refusal.sasl_status = exchange.into_status();
        }
        Event::Refused { verb, number, refusal }
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

    fn foreign(&self, line: &[u8]) -> ProtocolError {
        let quoted = quote(line);
        let quoted = match &self.exchange {
            Some(exchange) => exchange.blacken(&quoted),
            None => quoted,
        };
        self.misfit(&format!("a line that is none of the protocol: {quoted:?}"))
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

fn quote(line: &[u8]) -> String {
    printable(line, QUOTE_CHARS)
}

impl OutOfPlace {
    fn words(&self) -> &'static str {
        match self {
            OutOfPlace::EarlyYes => "+OK before the credentials were asked for",
            OutOfPlace::YesAfterRefusal => "+OK after a refusal",
            OutOfPlace::TooManyChallenges => "challenges without end",
        }
    }
}
