//! One POP3 session, RFC 1939: the loop, the faults around each command, the commands.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::sleep;

use super::body::{Content, Sending};
use super::fault::{Verb, What};
use super::mailbox::{Message, Uidl};
use super::password::Scram;
use super::script::Script;
use super::server::{Shared, Transport};
use super::wire::Wire;

/// How a session goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Flow {
    Go,
    /// Ends tidily, after what was said is out.
    Close,
    /// Ends at once.
    Drop,
}

pub(super) struct Session {
    pub shared: Arc<Shared>,
    pub wire: Wire,
    pub connection: u64,
    pub user: Option<Arc<str>>,
    /// By USER, before PASS.
    pub named: Option<String>,
    /// What SCRAM said so far.
    pub scram: Option<Scram>,
    /// What was there at login; numbers count from 1.
    pub listed: Vec<Message>,
    pub deleted: BTreeSet<usize>,
    pub retrieved: BTreeSet<usize>,
    /// Holds the first of two replies that are to change places.
    pub held: Option<Vec<u8>>,
}

/// A command as read: the verb, its arguments, and the message it is about.
pub(super) struct Command {
    pub verb: Verb,
    pub words: Vec<String>,
    pub number: Option<usize>,
    pub uidl: Option<Uidl>,
    /// Whose credentials these are.
    pub claimed: Option<String>,
}

/// Serves a connection until it ends.
pub(super) async fn serve(shared: Arc<Shared>, stream: TcpStream) {
    let connection = shared.journal.opened();
    let wire = Wire::new(stream, shared.journal.clone());
    let mut session = Session {
        shared: shared.clone(),
        wire,
        connection,
        user: None,
        named: None,
        scram: None,
        listed: Vec::new(),
        deleted: BTreeSet::new(),
        retrieved: BTreeSet::new(),
        held: None,
    };
    if let Ok(Flow::Close) = session.run().await {
        session.wire.close().await;
    }
}

impl Session {
    async fn run(&mut self) -> io::Result<Flow> {
        let script = self.script();
        self.wire.follow(&script, false);
        if self.shared.transport == Transport::Silent {
            // Until the client gives up.
            while self.wire.line().await?.is_some() {}
            return Ok(Flow::Drop);
        }
        if self.shared.transport == Transport::Tls {
            sleep(script.round_trip * 2).await;
            self.secure().await?;
        }
        match self.greet(&script).await? {
            Flow::Go => {}
            flow => return Ok(flow),
        }
        loop {
            let script = self.script();
            self.wire.follow(&script, self.user.is_some());
            let Some(line) = self.wire.line().await? else {
                return Ok(Flow::Close);
            };
            match self.command(&self.script(), &line).await? {
                Flow::Go => {}
                flow => return Ok(flow),
            }
        }
    }

    pub fn script(&self) -> Arc<Script> {
        self.shared.script.read().clone()
    }

    pub async fn secure(&mut self) -> io::Result<()> {
        let config = self.shared.tls.read().clone().ok_or(io::ErrorKind::NotConnected)?;
        self.wire.secure(config).await
    }

    async fn greet(&mut self, script: &Script) -> io::Result<Flow> {
        let fault = script.fault(Verb::Greeting, None, None);
        let greeting =
            Command { verb: Verb::Greeting, words: Vec::new(), number: None, uidl: None, claimed: None };
        if let Some(flow) = self.instead(script, &greeting, fault.as_ref()).await? {
            return Ok(if matches!(fault, Some(What::Err(_))) { Flow::Close } else { flow });
        }
        self.say(script, &script.greeting);
        self.after(script, &greeting, fault.as_ref(), 0).await
    }

    async fn command(&mut self, script: &Script, line: &[u8]) -> io::Result<Flow> {
        let command = self.parse(line);
        self.note(&command, line);
        self.around(script, &command).await
    }

    /// The mailbox is free for another session.
    pub fn leave(&mut self) {
        let Some(user) = self.user.take() else { return };
        if let Some(login) = self.shared.logins.lock().get_mut(&user.to_ascii_lowercase()) {
            login.open = login.open.saturating_sub(1);
        }
    }

    pub fn say(&mut self, script: &Script, line: &str) {
        self.wire.say(line.as_bytes());
        self.wire.say(if script.bare_lf { b"\n" } else { b"\r\n" });
    }

    /// Says a status line and a multi-line reply.
    pub async fn say_lines(
        &mut self,
        script: &Script,
        command: &Command,
        fault: Option<&What>,
        content: Content,
    ) -> io::Result<Flow> {
        self.say(script, "+OK");
        let shared = self.shared.clone();
        let uidl = command.uidl.as_deref();
        Sending::new(&mut self.wire, script, &shared.stops, command.verb, uidl, fault).send(content).await
    }

    fn parse(&self, line: &[u8]) -> Command {
        let text = String::from_utf8_lossy(line);
        let mut words = text.split(' ').map(str::to_owned);
        let verb = match words.next().unwrap_or_default().to_ascii_uppercase().as_str() {
            "CAPA" => Verb::Capa,
            "STLS" => Verb::Stls,
            "AUTH" => Verb::Auth,
            "USER" => Verb::User,
            "PASS" => Verb::Pass,
            "APOP" => Verb::Apop,
            "STAT" => Verb::Stat,
            "LIST" => Verb::List,
            "UIDL" => Verb::Uidl,
            "TOP" => Verb::Top,
            "RETR" => Verb::Retr,
            "DELE" => Verb::Dele,
            "RSET" => Verb::Rset,
            "NOOP" => Verb::Noop,
            "QUIT" => Verb::Quit,
            _ => Verb::Other,
        };
        let words: Vec<String> = words.collect();
        let number = words
            .first()
            .and_then(|word| word.parse().ok())
            .filter(|_| !matches!(verb, Verb::Auth | Verb::User | Verb::Pass | Verb::Apop));
        let there = number.filter(|number| !self.deleted.contains(number));
        let message = there.and_then(|number: usize| self.listed.get(number.wrapping_sub(1)));
        Command { verb, number, uidl: message.map(|message| message.uidl.clone()), claimed: None, words }
    }

    /// Into the journal, without what might be a credential.
    fn note(&self, command: &Command, line: &[u8]) {
        let text = match command.verb {
            Verb::Auth => match command.words.as_slice() {
                [mechanism] => format!("AUTH {mechanism}"),
                [mechanism, rest @ ..] => format!("AUTH {mechanism} ({} octets)", rest.join(" ").len()),
                [] => "AUTH".to_owned(),
            },
            Verb::Other | Verb::User | Verb::Pass | Verb::Apop => {
                let word = line.split(|octet| *octet == b' ').next().unwrap_or_default();
                let keyword = word.len() <= 4 && word.iter().all(u8::is_ascii_alphabetic);
                let word = if keyword { String::from_utf8_lossy(word) } else { "".into() };
                format!("{word} ({} octets)", line.len())
            }
            _ => String::from_utf8_lossy(line).into_owned(),
        };
        self.shared.journal.command(self.connection, self.user.clone(), command.verb, text);
        if let (Verb::Retr, Some(uidl)) = (command.verb, &command.uidl) {
            self.shared.journal.retrieval(uidl);
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        let user = self.user.clone();
        self.leave();
        self.shared.journal.closed(self.connection, user);
    }
}
