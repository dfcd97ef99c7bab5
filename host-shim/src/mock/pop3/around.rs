//! What lies around every command: halts, faults, and QUIT's effect at the one right moment.

use std::io;

use tokio::time::sleep;

use super::fault::{Verb, What};
use super::mailbox::Message;
use super::script::{Pipelining, Script};
use super::session::{Command, Flow, Session};
use super::stop::Moment;

impl Session {
    /// A command with the halts and faults around it.
    pub(super) async fn around(&mut self, script: &Script, command: &Command) -> io::Result<Flow> {
        self.halt(command, Moment::Before).await?;
        let user = self.user.as_deref().or(command.claimed.as_deref());
        let fault = script.fault(command.verb, command.uidl.as_deref(), user);
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
    pub(super) async fn instead(
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
            Some(What::Echo(text)) => {
                let said = self.echo(text, command);
                self.wire.say(said.as_bytes());
                Flow::Go
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
    pub(super) async fn after(
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
}
