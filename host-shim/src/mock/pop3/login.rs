//! AUTH to a mailbox: RFC 5034 in one line or two, refusals of every kind, locks and delays.

use std::io;
use std::sync::Arc;
use std::time::Instant;

use base64::prelude::{BASE64_STANDARD, Engine};

use super::auth::{self, Mechanism};
use super::fault::{Verb, codes};
use super::script::{InitialResponse, Refusal, Script};
use super::server::Transport;
use super::session::{Command, Flow, Session};

const PROTOCOL_ERROR: &str = "-ERR Protocol error. Connection is closed. 10";

impl Session {
    pub(super) async fn auth(&mut self, script: &Script, command: &Command) -> io::Result<Flow> {
        let name = command.words.first().map_or("", String::as_str);
        let known = script.mechanisms.iter().any(|mechanism| mechanism.eq_ignore_ascii_case(name));
        let Some(mechanism) = Mechanism::named(name).filter(|_| known) else {
            return Ok(self.err(script, "unsupported mechanism"));
        };
        if self.shared.transport == Transport::Stls && !self.wire.is_secure() {
            return Ok(self.err(script, "STLS first"));
        }
        let line = match command.words.get(1) {
            Some(initial) => {
                self.shared.journal.secret(initial, None);
                let long = "AUTH  \r\n".len() + name.len() + initial.len() > 255;
                let error = match script.initial_response {
                    InitialResponse::Taken => false,
                    InitialResponse::TakenIfShort => long,
                    InitialResponse::ProtocolError => true,
                };
                if error {
                    self.say(script, PROTOCOL_ERROR);
                    return Ok(Flow::Close);
                }
                if initial == "=" { String::new() } else { initial.clone() }
            }
            None => {
                self.say(script, &script.continuation.clone());
                let Some(line) = self.wire.line().await? else {
                    return Ok(Flow::Drop);
                };
                String::from_utf8_lossy(&line).into_owned()
            }
        };
        let line = match mechanism {
            Mechanism::ScramSha256 => match self.scram_first(script, &line).await? {
                Some(line) => line,
                None => return Ok(Flow::Drop),
            },
            _ => line,
        };
        let (connection, verb) = (self.connection, Verb::AuthData);
        let text = format!("({} octets)", line.len());
        self.shared.journal.command(connection, None, verb, text);
        let claimed = auth::credentials(mechanism, &line).map(|shown| shown.user);
        let words = vec![mechanism_word(mechanism).to_owned(), line];
        let command = Command { verb, words, number: None, uidl: None, claimed };
        // The exchange behind the credentials has halts and faults of its own.
        Box::pin(self.around(script, &command)).await
    }

    /// The line with the credentials has come.
    pub(super) async fn credentials(&mut self, script: &Script, command: &Command) -> io::Result<Flow> {
        let [name, line] = command.words.as_slice() else {
            return Ok(Flow::Drop);
        };
        let Some(mechanism) = Mechanism::named(name) else {
            return Ok(Flow::Drop);
        };
        if line == "*" {
            return Ok(self.err(script, "Authentication aborted by client."));
        }
        if mechanism == Mechanism::ScramSha256 {
            return self.scram_final(script, line).await;
        }
        let shown = auth::credentials(mechanism, line);
        self.shared.journal.secret(line, shown.as_ref().map(|shown| shown.token.as_str()));
        let Some(shown) = shown else {
            self.shared.journal.login(false);
            return Ok(self.err(script, "[AUTH] Invalid base64 in response"));
        };
        if script.token_limit.is_some_and(|limit| shown.token.len() > limit) {
            self.say(script, PROTOCOL_ERROR);
            return Ok(Flow::Close);
        }
        let port_fits = shown.port.is_none_or(|port| port == self.shared.port);
        if !port_fits || !self.shared.fits(&shown.user, &shown.token) {
            self.shared.journal.login(false);
            return self.refuse(script, mechanism).await;
        }
        Ok(self.enter(script, &shown.user))
    }

    /// What a server says that repeats the credentials.
    pub(super) fn echo(&self, text: &str, command: &Command) -> String {
        let (line, token) = match (command.verb, command.words.as_slice()) {
            (Verb::Pass, words) => (words.join(" "), Some(words.join(" "))),
            (Verb::Apop, [user, digest]) => (digest.clone(), self.shared.passwords(user).pop()),
            (_, [name, line]) => {
                let shown = Mechanism::named(name).and_then(|mechanism| auth::credentials(mechanism, line));
                let known = || self.shared.passwords(&self.scram.as_ref()?.user).pop();
                (line.clone(), shown.map(|shown| shown.token).or_else(known))
            }
            _ => return text.to_owned(),
        };
        let line = line.as_str();
        self.shared.journal.secret(line, token.as_deref());
        text.replace("{line}", line).replace("{token}", token.as_deref().unwrap_or_default())
    }

    pub(super) async fn refuse(&mut self, script: &Script, mechanism: Mechanism) -> io::Result<Flow> {
        let classic = matches!(mechanism, Mechanism::Plain | Mechanism::ScramSha256);
        match &script.refusal {
            Refusal::Challenge { then, .. } if classic => self.say(script, then),
            Refusal::Plain(line) => self.say(script, line),
            Refusal::Close => return Ok(Flow::Drop),
            Refusal::Challenge { xoauth2, oauthbearer, then } => {
                let json = if mechanism == Mechanism::Xoauth2 { xoauth2 } else { oauthbearer };
                self.say(script, &format!("+ {}", BASE64_STANDARD.encode(json)));
                let Some(answer) = self.answer(mechanism).await? else {
                    return Ok(Flow::Drop);
                };
                match answer {
                    true => self.say(script, then),
                    false => self.say(script, "-ERR Authentication aborted by client."),
                }
            }
            Refusal::Endless(count) => {
                for _ in 0..*count {
                    self.say(script, "+ ");
                    if self.answer(mechanism).await? != Some(true) {
                        break;
                    }
                }
                self.say(script, "-ERR [AUTH] Authentication failed.");
            }
        }
        Ok(Flow::Go)
    }

    /// The client's answer to a challenge: true unless it gives up; None if it is gone.
    async fn answer(&mut self, mechanism: Mechanism) -> io::Result<Option<bool>> {
        let Some(answer) = self.wire.line().await? else {
            return Ok(None);
        };
        let text = match answer.as_slice() {
            b"" => "answer: empty".to_owned(),
            b"*" => "answer: *".to_owned(),
            b"AQ==" => "answer: AQ==".to_owned(),
            other => format!("answer: ({} octets)", other.len()),
        };
        let verdict =
            if answer == mechanism.farewell().as_bytes() || answer == b"*" { "" } else { ", wrong" };
        self.shared.journal.command(self.connection, None, Verb::Other, text + verdict);
        Ok(Some(answer != b"*"))
    }

    /// Credentials fit: may the mailbox be opened?
    pub(super) fn enter(&mut self, script: &Script, user: &str) -> Flow {
        {
            let mut logins = self.shared.logins.lock();
            let login = logins.entry(user.to_ascii_lowercase()).or_default();
            let young =
                login.last.zip(script.login_delay).is_some_and(|(last, delay)| last.elapsed() < delay);
            let refusal = match (young, script.lock_mailbox && login.open > 0) {
                (true, _) => Some(codes::LOGIN_DELAY),
                (_, true) => Some(codes::IN_USE),
                _ => None,
            };
            if let Some(refusal) = refusal {
                drop(logins);
                return self.err(script, refusal);
            }
            login.last = Some(Instant::now());
            login.open += 1;
        }
        if let Some((count, size)) = script.grow {
            let seed = self.connection << 32;
            self.shared.mailboxes.fill(user, count, size, seed);
        }
        self.user = Some(Arc::from(user));
        self.shared.journal.login(true);
        let messages = self.shared.mailboxes.messages(user);
        let shown = script.window.map_or(messages.len(), |window| window.min(messages.len()));
        self.listed = messages[..shown].to_vec();
        self.say(script, &script.login_text);
        Flow::Go
    }
}

fn mechanism_word(mechanism: Mechanism) -> &'static str {
    match mechanism {
        Mechanism::Xoauth2 => "XOAUTH2",
        Mechanism::Oauthbearer => "OAUTHBEARER",
        Mechanism::Plain => "PLAIN",
        Mechanism::ScramSha256 => "SCRAM-SHA-256",
    }
}
