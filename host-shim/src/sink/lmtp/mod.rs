//! The LMTP sink (RFC 2033): each message streams into a DATA as it comes, and the server's reply to its one
//! recipient is the answer. A yes means durable at the server, so every yes is TAKEN.
//!
//! A message that does not come to its end is never delivered: its connection is dropped before the line with the
//! dot. The key goes along in `X-Multipop-Key`, by which a server can drop a second copy.

use std::io;

use crate::library::{Begun, Message, No, Sink, Yes};

mod reply;
mod session;
mod stuffing;

pub use session::Place;
use session::Session;
use stuffing::Stuffing;

/// Connections kept for the next messages; as many more as messages are open at a time come and go.
const IDLE: usize = 8;

pub struct Lmtp {
    place: Place,
    host: String,
    idle: Vec<Session>,
    /// The reply to the last message that was taken, with its queue id if the server says one.
    reply: String,
}

/// A message under way on a connection of its own.
pub struct Open {
    session: Session,
    stuffing: Stuffing,
    buffer: Vec<u8>,
}

impl Lmtp {
    pub fn new(place: Place) -> Lmtp {
        let host = nix::unistd::gethostname().unwrap_or_default();
        Lmtp {
            place,
            host: match host.to_string_lossy() {
                name if name.is_empty() => "localhost".into(),
                name => name.into_owned(),
            },
            idle: Vec::new(),
            reply: String::new(),
        }
    }

    /// A server that cannot be reached is nobody's mailbox's fault: the call stops and no account is held to it.
    fn open(&self) -> Result<Session, No> {
        Session::open(&self.place, &self.host)
            .map_err(|e| No::Stop(format!("the LMTP server at {} cannot be used: {e}", self.place)))
    }

    /// A connection as far as `354`. A kept one the server gave up meanwhile is replaced: nothing was sent yet.
    fn transaction(&mut self, message: &Message<'_>) -> Result<Session, No> {
        loop {
            let (mut session, was_kept) = match self.idle.pop() {
                Some(session) => (session, true),
                None => (self.open()?, false),
            };
            let Err(refused) = session.begin(message.deliver_to, message.size_hint) else {
                return Ok(session);
            };
            if refused.is_lost && was_kept {
                continue;
            }
            if refused.is_usable {
                self.keep(session);
            }
            return Err(refused.no);
        }
    }

    fn keep(&mut self, session: Session) {
        match self.idle.len() < IDLE {
            true => self.idle.push(session),
            false => session.quit(),
        }
    }
}

impl Sink for Lmtp {
    type Open = Open;

    fn offers(&self) -> bool {
        true
    }

    /// Nothing is downloaded for a server that is not there, or for a name that cannot be a recipient.
    fn offer(&mut self, message: &Message<'_>) -> Result<Option<Yes>, No> {
        is_recipient(message.deliver_to)?;
        if self.idle.is_empty() {
            let session = self.open()?;
            self.keep(session);
        }
        Ok(None)
    }

    fn begin(&mut self, message: &Message<'_>) -> Result<Begun<Open>, No> {
        is_recipient(message.deliver_to)?;
        let session = self.transaction(message)?;
        let mut open = Open { session, stuffing: Stuffing::new(), buffer: Vec::new() };
        open.convert(message.received.as_bytes());
        if let Some(key) = message.dedupe_key {
            open.convert(format!("X-Multipop-Key: {key}\r\n").as_bytes());
        }
        Ok(Begun::Go(open))
    }

    fn data(&mut self, open: &mut Open, bytes: &[u8]) -> Result<(), No> {
        open.convert(bytes);
        open.send().map_err(|e| lost(&e))
    }

    fn end(&mut self, mut open: Open) -> Result<Yes, No> {
        open.stuffing.finish(&mut open.buffer);
        open.send().map_err(|e| lost(&e))?;
        match open.session.finish() {
            Ok(reply) => {
                self.reply = reply;
                self.keep(open.session);
                Ok(Yes::Taken)
            }
            Err(refused) => {
                if refused.is_usable {
                    self.keep(open.session);
                }
                Err(refused.no)
            }
        }
    }

    fn known_as(&mut self) -> String {
        std::mem::take(&mut self.reply)
    }

    /// The connection ends with the message unfinished, so the server drops it (RFC 5321 §4.1.1.4).
    fn abort(&mut self, open: Open) {
        drop(open);
    }
}

impl Drop for Lmtp {
    fn drop(&mut self) {
        for session in self.idle.drain(..) {
            session.quit();
        }
    }
}

impl Open {
    fn convert(&mut self, bytes: &[u8]) {
        self.stuffing.convert(bytes, &mut self.buffer);
    }

    fn send(&mut self) -> io::Result<()> {
        self.session.send(&self.buffer)?;
        self.buffer.clear();
        Ok(())
    }
}

fn lost(error: &io::Error) -> No {
    No::Defer(format!("the LMTP connection was lost: {error}"))
}

/// A name that could end the command line early, or is none, never reaches the server.
fn is_recipient(deliver_to: &str) -> Result<(), No> {
    let is_bad = deliver_to.is_empty()
        || deliver_to.len() > 320
        || deliver_to.chars().any(|letter| letter.is_control() || matches!(letter, '<' | '>' | ' '));
    match is_bad {
        true => Err(No::Recipient(format!("deliver_to {deliver_to:?} cannot be an LMTP recipient"))),
        false => Ok(()),
    }
}
