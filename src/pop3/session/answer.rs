//! Lines of the server and what they answer (RFC 1939 §3, RFC 2449 §5): everything but the bytes of a message.
//!
//! A line that is not what the command at the head of the queue allows is never skipped (I13).

use super::{Due, Exchange, Reading, Session};
use crate::pop3::limits::{
    CAPABILITY_LINE_BYTES, CAPABILITY_LINES, LISTING_LINE_BYTES, QUOTE_CHARS, STATUS_LINE_BYTES,
};
use crate::pop3::output::Output;
use crate::pop3::reply::{Status, printable};
use crate::pop3::sasl::OutOfPlace;
use crate::pop3::{Capabilities, Event, Listing, ProtocolError, Refusal, Sizes, Verb};
use crate::pop3::{listing, password};

impl Session {
    pub(super) fn line(&mut self, input: &[u8]) -> Result<(usize, Option<Event<'static>>), ProtocolError> {
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
                self.witness_line(line.text);
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
                self.witness_listing(Verb::Uidl, listing.len());
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
                self.witness_listing(Verb::List, sizes.len());
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
            Some(Status::Ok(text)) => {
                self.timestamp = password::timestamp(text).filter(|_| self.secured);
                Event::Greeting
            }
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
                    answered.map_err(|e| self.misfit(e.words()))?;
                    self.witness_answer_to_challenge();
                    Ok(None)
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
                self.saw_message = true;
                return Ok(Some(Event::MessageBegin { verb, number }));
            }
            Verb::Stat => {
                let (count, octets) = listing::stat(text)
                    .ok_or_else(|| self.misfit(&format!("no count and size: {}", self.quote(text))))?;
                self.maildrop.counted(count);
                self.complete();
                return Ok(Some(Event::Stat { count, octets }));
            }
            Verb::Login => {
                let heard = match &mut self.exchange {
                    Some(exchange) => exchange.accepted(&mut self.output),
                    None => Ok(true),
                };
                if !heard.map_err(|e| self.misfit(e.words()))? {
                    self.witness_answer_to_challenge();
                    return Ok(None);
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
        let refusal = match self.exchange.take() {
            None => Refusal::parse(text),
            Some(exchange) => Refusal {
                sasl_status: exchange.status().map(str::to_owned),
                ..Refusal::rewritten(text, |words| exchange.blacken(words))
            },
        };
        Event::Refused { verb, number, refusal }
    }

    fn foreign(&self, line: &[u8]) -> ProtocolError {
        self.misfit(&format!("a line that is none of the protocol: {}", self.quote(line)))
    }

    /// For an error that is logged: no credentials, and nothing that may be somebody's mail.
    fn quote(&self, line: &[u8]) -> String {
        if self.saw_message {
            return format!("{} octets", line.len());
        }
        let words = match &self.exchange {
            Some(exchange) => {
                printable(exchange.blacken(&String::from_utf8_lossy(line)).as_bytes(), QUOTE_CHARS)
            }
            None => printable(line, QUOTE_CHARS),
        };
        format!("{words:?}")
    }
}

impl Exchange {
    fn challenge(&mut self, text: &[u8], output: &mut Output) -> Result<(), OutOfPlace> {
        match self {
            Exchange::Token(exchange) => exchange.challenge(text, output),
            Exchange::Password(exchange) => exchange.challenge(text, output),
        }
    }

    /// Whether this `+OK` is the last word.
    fn accepted(&mut self, output: &mut Output) -> Result<bool, OutOfPlace> {
        match self {
            Exchange::Token(exchange) => exchange.accepted().map(|()| true),
            Exchange::Password(exchange) => exchange.accepted(output),
        }
    }

    /// What must never be shown, in every encoding that was said.
    pub(crate) fn secrets(&self) -> Box<dyn Iterator<Item = &[u8]> + '_> {
        match self {
            Exchange::Token(exchange) => Box::new(exchange.secrets()),
            Exchange::Password(exchange) => Box::new(exchange.secrets()),
        }
    }

    pub(crate) fn blacken(&self, text: &str) -> String {
        match self {
            Exchange::Token(exchange) => exchange.blacken(text),
            Exchange::Password(exchange) => exchange.blacken(text),
        }
    }

    fn status(&self) -> Option<&str> {
        match self {
            Exchange::Token(exchange) => exchange.status(),
            Exchange::Password(exchange) => exchange.status(),
        }
    }
}

impl OutOfPlace {
    fn words(&self) -> &'static str {
        match self {
            OutOfPlace::EarlyYes => "+OK before the credentials were asked for",
            OutOfPlace::YesAfterRefusal => "+OK after a refusal",
            OutOfPlace::Scram => "not what SCRAM-SHA-256 allows here",
            OutOfPlace::Unproved => "the server did not prove that it knows the password",
            OutOfPlace::TooManyChallenges => "challenges without end",
        }
    }
}
