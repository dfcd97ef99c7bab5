//! What each POP3 command does, RFC 1939 §4 to §7 and RFC 2449 §5.

use std::fmt::Write;
use std::io;

use super::body::Content;
use super::fault::{Verb, What};
use super::script::{Listing, Script};
use super::server::Transport;
use super::session::{Command, Flow, Session};

impl Session {
    /// Does the command and says its reply.
    pub(super) async fn perform(
        &mut self,
        script: &Script,
        command: &Command,
        fault: Option<&What>,
    ) -> io::Result<Flow> {
        match (command.verb, self.user.is_some()) {
            (Verb::Capa, _) => self.capa(script, command, fault).await,
            (Verb::Quit, _) => {
                self.say(script, "+OK Farewell.");
                Ok(Flow::Close)
            }
            (Verb::AuthData, _) => self.credentials(script, command).await,
            (Verb::Auth, false) => self.auth(script, command).await,
            (Verb::User, false) => Ok(self.named(script, command)),
            (Verb::Pass, false) => self.pass(script, command).await,
            (Verb::Apop, false) => self.apop(script, command).await,
            (Verb::Stls, false) => self.stls(script).await,
            (_, false) => Ok(self.err(script, "command not valid before login")),
            (Verb::Stat, true) => Ok(self.stat(script)),
            (Verb::List, true) => self.list(script, command, fault).await,
            (Verb::Uidl, true) => self.uidl(script, command, fault).await,
            (Verb::Retr | Verb::Top, true) => self.message(script, command, fault).await,
            (Verb::Dele, true) => Ok(self.dele(script, command)),
            (Verb::Rset, true) => {
                self.deleted.clear();
                Ok(self.ok(script))
            }
            (Verb::Noop, true) => Ok(self.ok(script)),
            (_, true) => Ok(self.err(script, "unknown command")),
        }
    }

    fn ok(&mut self, script: &Script) -> Flow {
        self.say(script, "+OK");
        Flow::Go
    }

    pub(super) fn err(&mut self, script: &Script, text: &str) -> Flow {
        self.say(script, &format!("-ERR {text}"));
        Flow::Go
    }

    async fn capa(&mut self, script: &Script, command: &Command, fault: Option<&What>) -> io::Result<Flow> {
        let after_login = script.capabilities_after_login.as_ref().filter(|_| self.user.is_some());
        let mut lines = after_login.unwrap_or(&script.capabilities).clone();
        let clear = self.shared.transport == Transport::Stls && !self.wire.is_secure();
        if clear && script.announce_stls {
            lines.push("STLS".to_owned());
        }
        if !clear && script.announce_sasl && !script.mechanisms.is_empty() {
            lines.push(format!("SASL {}", script.mechanisms.join(" ")));
        }
        let text = lines.iter().fold(String::new(), |text, line| text + line + line_end(script));
        self.say_lines(script, command, fault, Content::Lines(text.into_bytes())).await
    }

    async fn stls(&mut self, script: &Script) -> io::Result<Flow> {
        if self.shared.transport != Transport::Stls || self.wire.is_secure() {
            return Ok(self.err(script, "STLS is not possible"));
        }
        self.say(script, "+OK Begin TLS");
        self.wire.say(&script.stls_injection);
        self.wire.flush().await?;
        self.secure().await?;
        Ok(Flow::Go)
    }

    fn stat(&mut self, script: &Script) -> Flow {
        let left = self.left();
        let count = left.len() + usize::from(script.listing == Listing::StatTooHigh);
        let size: u64 = left.iter().map(|number| self.size(script, *number)).sum();
        self.say(script, &format!("+OK {count} {size}"));
        Flow::Go
    }

    async fn list(&mut self, script: &Script, command: &Command, fault: Option<&What>) -> io::Result<Flow> {
        if !command.words.is_empty() {
            return Ok(match self.present(command) {
                Some(number) => {
                    let size = self.size(script, number);
                    self.say(script, &format!("+OK {number} {size}"));
                    Flow::Go
                }
                None => self.err(script, "no such message"),
            });
        }
        let numbers = self.listing(script.listing, Listing::ListLacksLast);
        let mut text = Vec::with_capacity(numbers.len() * 16);
        for (number, shown) in numbers {
            text.extend_from_slice(
                format!("{shown} {}{}", self.size(script, number), line_end(script)).as_bytes(),
            );
        }
        self.say_lines(script, command, fault, Content::Lines(text)).await
    }

    async fn uidl(&mut self, script: &Script, command: &Command, fault: Option<&What>) -> io::Result<Flow> {
        if !command.words.is_empty() {
            return Ok(match self.present(command) {
                Some(number) => {
                    self.wire.say(format!("+OK {number} ").as_bytes());
                    self.wire.say(&self.listed[number - 1].uidl.clone());
                    self.say(script, "");
                    Flow::Go
                }
                None => self.err(script, "no such message"),
            });
        }
        let (between, before) = script.uidl_spaces;
        let mut text = Vec::new();
        for (number, shown) in self.listing(script.listing, Listing::UidlLacksLast) {
            text.resize(text.len() + before, b' ');
            text.extend_from_slice(shown.as_bytes());
            text.resize(text.len() + between, b' ');
            text.extend_from_slice(&self.listed[number - 1].uidl);
            text.extend_from_slice(line_end(script).as_bytes());
        }
        self.say_lines(script, command, fault, Content::Lines(text)).await
    }

    async fn message(
        &mut self,
        script: &Script,
        command: &Command,
        fault: Option<&What>,
    ) -> io::Result<Flow> {
        let Some(number) = self.present(command) else {
            return Ok(self.err(script, "no such message"));
        };
        let body = self.listed[number - 1].body.clone();
        let content = match command.verb {
            Verb::Top => {
                let Some(lines) = command.words.get(1).and_then(|word| word.parse().ok()) else {
                    return Ok(self.err(script, "TOP needs a number of lines"));
                };
                Content::top(&body, lines)
            }
            _ => Content::whole(&body, script),
        };
        if command.verb == Verb::Retr {
            self.retrieved.insert(number);
        }
        self.say_lines(script, command, fault, content).await
    }

    fn dele(&mut self, script: &Script, command: &Command) -> Flow {
        let Some(number) = self.present(command) else {
            return self.err(script, "no such message");
        };
        self.deleted.insert(number);
        self.say(script, "+OK Marked to be deleted.");
        Flow::Go
    }

    /// The number of a message that is there and not marked.
    fn present(&self, command: &Command) -> Option<usize> {
        command.number.filter(|n| (1..=self.listed.len()).contains(n) && !self.deleted.contains(n))
    }

    fn left(&self) -> Vec<usize> {
        (1..=self.listed.len()).filter(|number| !self.deleted.contains(number)).collect()
    }

    fn size(&self, script: &Script, number: usize) -> u64 {
        self.listed[number - 1].body.size().saturating_add_signed(script.size_error)
    }

    /// The messages in the order of the listing, each with the number it is shown under.
    fn listing(&self, script: Listing, lacks_last: Listing) -> Vec<(usize, String)> {
        let mut lines: Vec<(usize, String)> = self.left().into_iter().map(|n| (n, n.to_string())).collect();
        match script {
            _ if script == lacks_last => {
                lines.pop();
            }
            Listing::NumberTwice if lines.len() > 1 => lines[1].1 = lines[0].1.clone(),
            Listing::OutOfRange => {
                if let Some(last) = lines.last_mut() {
                    let _ = write!(last.1, "000000");
                }
            }
            Listing::Reversed => lines.reverse(),
            Listing::Garbage => {
                if let Some(first) = lines.first_mut() {
                    first.1 = "one".to_owned();
                }
            }
            _ => {}
        }
        lines
    }
}

fn line_end(script: &Script) -> &'static str {
    if script.bare_lf { "\n" } else { "\r\n" }
}
