//! DELE, RETR where that is what deletes, and QUIT: what may go at the server, and when it counts as gone.

use std::collections::HashSet;
use std::time::Instant;

use super::deadline::Halt;
use super::line::Line;
use super::mailbox::Mailbox;
use crate::error::Result;
use crate::model::RowState;
use crate::plan::Entry;
use crate::pop3::{Command, Event};

/// A server that announced that RETR is final, and keeps the messages nevertheless, sends them again so often.
const POP_AGAIN_S: u64 = 24 * 3600;

impl Mailbox<'_> {
    /// DELE for what the ledger has as durable and the policy of its time lets go; nothing else ever. Answers what
    /// was deleted, and whether some of it was left to another session: without QUIT none of it would count.
    pub async fn delete(&mut self, planned: Vec<Entry>) -> Result<(Vec<Entry>, bool)> {
        if self.retr_is_final {
            return Ok((Vec::new(), false));
        }
        let mut entries = planned;
        entries.append(&mut self.deletable);
        let durable = |entry: &Entry| {
            self.rows
                .get(&entry.key)
                .is_some_and(|row| matches!(row.state, RowState::Durable | RowState::Gone))
        };
        entries.retain(durable);
        if self.visit.call.settings.config.shadow {
            for entry in &entries {
                Line::new("would_delete")
                    .field("account", &self.visit.row.account.id)
                    .field("number", entry.number)
                    .info();
            }
            return Ok((Vec::new(), false));
        }
        let began = Instant::now();
        let longest = u64::from(self.visit.row.account.limits.session_s);
        let mut deleted = Vec::with_capacity(entries.len());
        for entry in entries {
            match self.connection.deadline.halt() {
                Halt::Now => return Err(self.connection.deadline.error()),
                Halt::BreakOff => return Ok((deleted, true)),
                Halt::Tidy | Halt::Go if began.elapsed().as_secs() >= longest => return Ok((deleted, true)),
                Halt::Tidy | Halt::Go => {}
            }
            let limit = self.connection.reply;
            match self.connection.ask(Command::Dele(entry.number), limit).await? {
                None => deleted.push(entry),
                Some(refusal) => Line::new("dele_refused")
                    .field("account", &self.visit.row.account.id)
                    .field("number", entry.number)
                    .field("text", refusal.text)
                    .warn(),
            }
        }
        Ok((deleted, false))
    }

    /// Takes durable messages off the list of a provider that pops on RETR and QUIT: read and dropped.
    pub async fn pop_again(&mut self, entries: &[Entry]) -> Result<Vec<Entry>> {
        let mut popped = std::mem::take(&mut self.recorded_here);
        if self.unrecorded > 0 {
            return Ok(Vec::new());
        }
        for entry in entries {
            if !self.goes_on() {
                break;
            }
            self.connection.wire.send(Command::Retr(entry.number))?;
            if self.drain().await? {
                popped.push(*entry);
            }
        }
        Ok(popped)
    }

    /// Reads a message and drops it. `false`: the server refused it.
    async fn drain(&mut self) -> Result<bool> {
        loop {
            let limit = self.connection.reply;
            match self.connection.wire.step()? {
                None => self.connection.deadline.bound(self.connection.wire.fill(limit)).await?,
                Some(Event::MessageEnd { .. }) => return Ok(true),
                Some(Event::Refused { .. }) => return Ok(false),
                Some(_) => {}
            }
        }
    }

    /// QUIT; only its yes makes a message gone. Answers the numbers of what is.
    pub async fn quit(&mut self, deleted: Vec<Entry>, popped: Vec<Entry>) -> Result<HashSet<u32>> {
        if self.retr_is_final && self.unrecorded > 0 {
            Line::new("no_quit")
                .field("account", &self.visit.row.account.id)
                .field("messages", self.unrecorded)
                .info();
            return Ok(HashSet::new());
        }
        let limit = self.connection.reply;
        match self.connection.ask(Command::Quit, limit).await {
            Ok(None) => {}
            Ok(Some(refusal)) => {
                // Some stay; the next listing shows which, and they are deleted again (PROTOCOL.md D.4).
                Line::new("quit_refused")
                    .field("account", &self.visit.row.account.id)
                    .field("text", refusal.text)
                    .warn();
                return Ok(HashSet::new());
            }
            Err(e) if deleted.is_empty() && popped.is_empty() => {
                // Nothing depended on it.
                Line::new("quit_unanswered").field("error", e).debug();
                return Ok(HashSet::new());
            }
            Err(e) => return Err(e),
        }
        let mut gone = HashSet::new();
        for entry in deleted.iter().chain(&popped) {
            gone.insert(entry.number);
            if let Some(row) = self.rows.get(&entry.key) {
                let mut row = row.clone();
                row.state = RowState::Gone;
                row.uidl = self.uidl(*entry).map(<[u8]>::to_vec);
                row.not_before = if self.retr_is_final { self.visit.call.now() + POP_AGAIN_S } else { 0 };
                self.change(row);
            }
        }
        self.visit.counts.deleted += deleted.len() as u64;
        self.write_changed().await?;
        Ok(gone)
    }
}
