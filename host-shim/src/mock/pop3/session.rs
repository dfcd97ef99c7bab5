//! One POP3 session, RFC 1939: the loop, the faults around each command, the commands.

use std::collections::BTreeSet;
use std::io;
use std::sync::Arc;

use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use super::body::{Content, Sending};
use super::mailbox::{Message, Uidl};
use super::script::{Pipelining, Script, Verb, What};
use super::server::{Shared, Transport};
use super::stop::Moment;
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
    /// What was there at login; numbers count from 1.
    pub listed: Vec<Message>,
    pub deleted: BTreeSet<usize>,
    pub retrieved: BTreeSet<usize>,
    /// Holds the first of two replies that are to change places.
    held: Option<Vec<u8>>,
}

/// A command as read: the verb, its arguments, and the message it is about.
pub(super) struct Command {
    pub verb: Verb,
    pub words: Vec<String>,
    pub number: Option<usize>,
    pub uidl: Option<Uidl>,
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
        self.wire.follow(&script);
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
            self.wire.follow(&script);
            let idle = if self.user.is_some() { script.idle } else { script.idle_before_login };
            let Ok(line) = timeout(idle, self.wire.line()).await else {
                return Ok(Flow::Close);
            };
            let Some(line) = line? else { return Ok(Flow::Drop) };
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
        let fault = script.fault(Verb::Greeting, None);
        let greeting = Command { verb: Verb::Greeting, words: Vec::new(), number: None, uidl: None };
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

    /// A command with the halts and faults around it.
    pub async fn around(&mut self, script: &Script, command: &Command) -> io::Result<Flow> {
        self.halt(command, Moment::Before).await?;
        let fault = script.fault(command.verb, command.uidl.as_deref());
        if let Some(flow) = self.instead(script, command, fault.as_ref()).await? {
            return Ok(flow);
        }
        let mark = self.wire.mark();
        let flow = self.perform(script, command, fault.as_ref()).await?;
        if flow == Flow::Drop || command.verb == Verb::Auth {
            return Ok(flow);
        }
        match self.after(script, command, fault.as_ref(), mark).await? {
            Flow::Go => Ok(flow),
            other => Ok(other),
        }
    }

    /// The faults that stand in place of the command. None: go on.
    async fn instead(
        &mut self,
        script: &Script,
        command: &Command,
        fault: Option<&What>,
    ) -> io::Result<Option<Flow>> {
        let flow = match fault {
            Some(What::Err(text)) => {
                self.say(script, &format!("-ERR {text}"));
                if command.verb == Verb::Quit { Flow::Close } else { Flow::Go }
            }
            Some(What::Raw(bytes)) => {
                self.wire.say(bytes);
                if command.verb == Verb::Quit { Flow::Close } else { Flow::Go }
            }
            Some(What::Close) => {
                self.wire.flush().await?;
                Flow::Drop
            }
            Some(What::Stall(pause)) => {
                self.wire.flush().await?;
                sleep(*pause).await;
                return Ok(None);
            }
            Some(What::Endless { prefix, unit }) => {
                self.wire.say(prefix);
                loop {
                    self.wire.say(unit);
                    self.wire.relieve().await?;
                }
            }
            Some(What::EndlessListing) => {
                self.say(script, "+OK");
                for number in 1_u64.. {
                    self.say(script, &format!("{number} {}", 100_000 + number));
                    self.wire.relieve().await?;
                }
                Flow::Drop
            }
            _ => return Ok(None),
        };
        Ok(Some(flow))
    }

    /// What happens between the effect and the next command; the reply stands in the wire since `mark`.
    async fn after(
        &mut self,
        script: &Script,
        command: &Command,
        fault: Option<&What>,
        mark: usize,
    ) -> io::Result<Flow> {
        let stopping = !self.shared.stops.is_empty();
        if stopping || command.verb == Verb::Quit {
            let reply = self.wire.unsay(mark);
            self.halt(command, Moment::BeforeReply).await?;
            if command.verb == Verb::Quit {
                if stopping && self.wire.peer_is_gone().await {
                    return Ok(Flow::Drop);
                }
                self.update(script);
            }
            self.wire.say(&reply);
        }
        match fault {
            Some(What::CloseAfterDoing) => {
                self.wire.unsay(mark);
                self.wire.flush().await?;
                return Ok(Flow::Drop);
            }
            Some(What::CloseAfterReply) => {
                self.wire.flush().await?;
                return Ok(Flow::Drop);
            }
            Some(What::ExtraAfter(bytes)) => self.wire.say(bytes),
            _ => {}
        }
        self.mix(script, mark);
        self.halt(command, Moment::AfterReply).await?;
        Ok(Flow::Go)
    }

    /// What a server that cannot pipeline does with what came along.
    fn mix(&mut self, script: &Script, mark: usize) {
        match script.pipelining {
            Pipelining::InOrder => {}
            Pipelining::Discards => {
                self.wire.discard();
            }
            Pipelining::Reorders => match self.held.take() {
                Some(held) => self.wire.say(&held),
                None if self.wire.has_line() => self.held = Some(self.wire.unsay(mark)),
                None => {}
            },
        }
    }

    async fn halt(&mut self, command: &Command, moment: Moment) -> io::Result<()> {
        if self.shared.stops.is_empty() {
            return Ok(());
        }
        self.wire.flush().await?;
        let shared = self.shared.clone();
        shared.stops.pass(command.verb, command.uidl.as_deref(), moment).await;
        Ok(())
    }

    /// QUIT's effect, RFC 1939 §6.
    fn update(&mut self, script: &Script) {
        let Some(user) = self.user.clone() else { return };
        let gone = if script.retr_is_final { &self.retrieved } else { &self.deleted };
        let gone: Vec<Message> = gone.iter().map(|number| self.listed[number - 1].clone()).collect();
        self.shared.mailboxes.expunge(&user, &gone);
        self.leave();
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
        let number = words.first().and_then(|word| word.parse().ok()).filter(|_| verb != Verb::Auth);
        let message = number.and_then(|number: usize| self.listed.get(number.wrapping_sub(1)));
        Command { verb, number, uidl: message.map(|message| message.uidl.clone()), words }
    }

    /// Into the journal, without what might be a credential.
    fn note(&self, command: &Command, line: &[u8]) {
        let text = match command.verb {
            Verb::Auth => match command.words.as_slice() {
                [mechanism] => format!("AUTH {mechanism}"),
                [mechanism, rest @ ..] => format!("AUTH {mechanism} ({} octets)", rest.join(" ").len()),
                [] => "AUTH".to_owned(),
            },
            Verb::Other => format!("({} octets)", line.len()),
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
