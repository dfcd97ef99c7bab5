//! Who hears a session line by line, for a trace: what was said and what was answered.
//!
//! Of a message and of a listing only their length is told; of a log-in only that it was said. What the server says
//! is told as it came, for it may repeat a secret it was given, wherever it likes: the witness is told those to hide.

use super::limits::QUOTE_CHARS;
use super::reply::{Status, printable};
use super::session::Session;
use super::{Command, Verb};

pub trait Witness: Send + Sync {
    /// To be hidden in whatever is heard from now on.
    fn hide(&self, secret: &[u8]);
    fn said(&self, line: &str);
    fn heard(&self, line: &str);
}

/// Of one line.
const MOST_CHARS: usize = 2 * QUOTE_CHARS;

impl Session {
    pub(super) fn witness_command(&self, command: &Command<'_>) {
        let Some(witness) = &self.witness else { return };
        let line = match command {
            Command::Login(login) => {
                witness.hide(login.token.expose().as_bytes());
                format!("AUTH {} (the credentials are not shown)", login.mechanism.name())
            }
            Command::Password(login) => {
                witness.hide(login.password.expose().as_bytes());
                format!("a log-in with a password, {:?} (not shown)", login.mechanism)
            }
            Command::Top { number, lines } => format!("TOP {number} {lines}"),
            Command::Retr(number) | Command::Dele(number) => format!("{} {number}", command.verb().keyword()),
            plain => plain.verb().keyword().to_owned(),
        };
        witness.said(&line);
        if let Some(exchange) = &self.exchange {
            exchange.secrets().for_each(|secret| witness.hide(secret));
        }
    }

    /// Before the line is understood, so that one that is not understood is heard too.
    pub(super) fn witness_line(&self, line: &[u8]) {
        let Some(witness) = &self.witness else { return };
        if self.is_in_listing() {
            return;
        }
        let text = match Status::parse(line) {
            Some(Status::Challenge(text)) if self.exchange.is_some() => {
                format!("+ (a challenge of {} octets)", text.len())
            }
            // It may be somebody's mail.
            None if self.saw_message => format!("({} octets that are no reply)", line.len()),
            _ => {
                let text = String::from_utf8_lossy(line);
                let text = match &self.exchange {
                    Some(exchange) => exchange.blacken(&text),
                    None => text.into_owned(),
                };
                printable(text.as_bytes(), MOST_CHARS)
            }
        };
        witness.heard(&text);
    }

    pub(super) fn witness_answer_to_challenge(&self) {
        let Some(witness) = &self.witness else { return };
        witness.said("(the log-in goes on, not shown)");
        // What was sent may be new.
        if let Some(exchange) = &self.exchange {
            exchange.secrets().for_each(|secret| witness.hide(secret));
        }
    }

    pub(super) fn witness_listing(&self, verb: Verb, entries: usize) {
        if let Some(witness) = &self.witness {
            witness.heard(&format!("({entries} lines of {})", verb.keyword()));
        }
    }

    pub(super) fn witness_message(&self, number: u32, octets: u64) {
        if let Some(witness) = &self.witness {
            witness.heard(&format!("(message {number}, {octets} octets)"));
        }
    }
}
