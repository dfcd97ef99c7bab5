//! From the sink's last word on a message to its row in the ledger.

use tokio::sync::oneshot;

use super::commit::{Committed, Item, Place};
use super::keys::Known;
use super::line::Line;
use super::mailbox::Mailbox;
use super::pump::Verdict;
use super::retrieve::meanwhile;
use crate::error::{Error, Result, Status};
use crate::model::{Answer, LedgerRow, Outcome, Reply, RowState, UidlKey};
use crate::plan::Entry;
use crate::retry;

/// Times in a row the sink may say "not now" before the account is paused.
const DEFERRALS: u32 = 3;

/// A message that was put off is asked for at least so often.
const LONGEST_DEFERRAL_S: u64 = 3600;

/// A message handed over, whose verdict is awaited.
pub struct Pending {
    pub entry: Entry,
    pub octets: u64,
    pub known: Known,
    pub place: Place,
    pub verdict: oneshot::Receiver<Verdict>,
}

/// A message the sink took, whose record is awaited.
pub struct Committing {
    pub entry: Entry,
    pub row: LedgerRow,
    /// `None` where nothing was downloaded.
    pub octets: Option<u64>,
    pub done: oneshot::Receiver<Committed>,
}

impl Mailbox<'_> {
    /// Takes the verdicts that are there; with `wait`, the oldest one in any case.
    pub async fn take_verdicts(&mut self, wait: bool) -> Result<()> {
        let mut wait = wait;
        while let Some(pending) = self.pending.front_mut() {
            let verdict = match pending.verdict.try_recv() {
                Ok(verdict) => Ok(verdict),
                Err(oneshot::error::TryRecvError::Empty) if !wait => return Ok(()),
                Err(oneshot::error::TryRecvError::Empty) => {
                    let Some(pending) = self.pending.front_mut() else {
                        return Ok(());
                    };
                    meanwhile(&mut self.connection, &mut pending.verdict).await?.map_err(|_| ())
                }
                Err(oneshot::error::TryRecvError::Closed) => Err(()),
            };
            wait = false;
            let Some(pending) = self.pending.pop_front() else {
                return Ok(());
            };
            let Ok(verdict) = verdict else {
                return Err(Error::bug("a message handed to the sink got no verdict"));
            };
            self.heed(pending, verdict.reply).await?;
        }
        Ok(())
    }

    /// Reads on in a message, and heeds what the sink says of earlier ones meanwhile: however slow the server, what
    /// the sink took is recorded in time.
    pub async fn read_on(&mut self) -> Result<()> {
        loop {
            let limit = self.connection.reply;
            let reading = self.connection.deadline.bound_reading(self.connection.wire.fill(limit));
            let Some(pending) = self.pending.front_mut() else {
                return reading.await;
            };
            let verdict = tokio::select! {
                read = reading => return read,
                verdict = &mut pending.verdict => verdict,
            };
            let Some(pending) = self.pending.pop_front() else {
                continue;
            };
            let heeded = match verdict {
                Ok(verdict) => self.heed(pending, verdict.reply).await,
                Err(_) => Err(Error::bug("a message handed to the sink got no verdict")),
            };
            // No fault of the message that is being read.
            if let Err(e) = heeded {
                self.trouble.get_or_insert(e);
            }
        }
    }

    /// A place in the batch for another RETR. `None`: there is none yet, and a message is to be read first.
    pub async fn place(&mut self, read_first: bool) -> Result<Option<Place>> {
        loop {
            if let Some(place) = self.commits.try_place() {
                return Ok(Some(place));
            }
            if read_first {
                return Ok(None);
            }
            if self.pending.is_empty() {
                return meanwhile(&mut self.connection, self.commits.place()).await?.map(Some);
            }
            self.take_verdicts(true).await?;
        }
    }

    /// What follows from a verdict.
    async fn heed(&mut self, pending: Pending, reply: Reply) -> Result<()> {
        let Pending { entry, octets, known, place, .. } = pending;
        let downloaded = Some((octets, place));
        match reply.answer {
            Answer::Taken => self.took(entry, downloaded, known, &reply).await,
            Answer::Queued if self.visit.call.pump.has_flush() => {
                self.took(entry, downloaded, known, &reply).await
            }
            _ => {
                self.unrecorded += 1;
                self.not_taken(entry, octets, known, &reply);
                Ok(())
            }
        }
    }

    /// The sink has it: to the group commit. `downloaded` is its octets and its place in the batch.
    pub async fn took(
        &mut self,
        entry: Entry,
        downloaded: Option<(u64, Place)>,
        known: Known,
        reply: &Reply,
    ) -> Result<()> {
        let (octets, place) = downloaded.unzip();
        self.accepted = true;
        self.deferrals = 0;
        let now = self.visit.call.now();
        let mut row = self.row(entry.key);
        row.state = RowState::Durable;
        row.recorded_at = now;
        row.digest = known.digest.or(row.digest);
        row.message_id = known.message_id;
        row.size = octets.unwrap_or(row.size);
        row.begun = false;
        row.ends = 0;
        row.not_before = 0;
        row.delete_at = self.visit.delete_at(now);
        row.uidl = self.uidl(entry).map(<[u8]>::to_vec);
        row.reason = reply.reason.clone();
        let (done, wait) = oneshot::channel();
        self.commits
            .push(Item {
                lease: self.visit.lease.clone(),
                generation: self.visit.head.generation,
                row: row.clone(),
                queued: reply.answer == Answer::Queued,
                octets: octets.unwrap_or(0),
                place,
                done,
            })
            .await?;
        self.committing.push_back(Committing { entry, row, octets, done: wait });
        self.take_commits()
    }

    /// A no of any kind. What is written is the row; the message stays where it is.
    pub fn not_taken(&mut self, entry: Entry, octets: u64, known: Known, reply: &Reply) {
        let now = self.visit.call.now();
        let mut row = self.row(entry.key);
        row.digest = known.digest.or(row.digest);
        row.message_id = known.message_id;
        row.uidl = self.uidl(entry).map(<[u8]>::to_vec);
        row.begun = false;
        row.size = row.size.max(octets);
        row.reason = reply.reason.clone();
        let outcome = match reply.answer {
            Answer::Refuse => {
                row.state = RowState::Refused;
                Line::new("refused")
                    .field("account", &self.visit.row.account.id)
                    .field("reason", &reply.reason)
                    .warn();
                self.visit.counts.refused += 1;
                self.deferrals = 0;
                return self.change(row);
            }
            // The row stays in hand: the sink may have part of it.
            Answer::Stop => {
                if row.reason.is_empty() {
                    row.reason = "the mail server here ended the call".to_owned();
                }
                return self.change(row);
            }
            Answer::DeferFull => Outcome::HostFull,
            Answer::DeferRecipient => Outcome::HostRecipient,
            _ => Outcome::Host,
        };
        self.visit.counts.deferred += 1;
        self.deferrals += 1;
        row.state = RowState::Deferred;
        let before = self.visit.row.state.deferrals;
        // One that is put off again and again while others are taken is asked for less and less often.
        let age = now.saturating_sub(row.noted_at).min(LONGEST_DEFERRAL_S);
        let wait = u64::from(retry::wait_s(outcome, before + self.deferrals, 0, 0.5));
        row.not_before = now + wait.max(age);
        self.change(row);
        Line::new("deferred")
            .field("account", &self.visit.row.account.id)
            .field("outcome", outcome.name())
            .field("reason", &reply.reason)
            .info();
        if let Answer::Go | Answer::Queued | Answer::Taken | Answer::Invalid(_) = reply.answer {
            self.trouble = Some(impossible(reply.answer));
        } else if self.probing || self.deferrals >= DEFERRALS {
            self.trouble = Some(paused(outcome, &reply.reason));
        }
    }

    fn row(&self, key: UidlKey) -> LedgerRow {
        let now = self.visit.call.now();
        self.rows.get(&key).cloned().unwrap_or_else(|| LedgerRow::new(key, RowState::InHand, now))
    }

    /// Takes the records that are there.
    fn take_commits(&mut self) -> Result<()> {
        while let Some(front) = self.committing.front_mut() {
            let committed = match front.done.try_recv() {
                Ok(committed) => committed,
                Err(oneshot::error::TryRecvError::Empty) => return Ok(()),
                Err(oneshot::error::TryRecvError::Closed) => return Err(unrecorded()),
            };
            if let Some(front) = self.committing.pop_front() {
                self.committed(front, committed)?;
            }
        }
        Ok(())
    }

    fn committed(&mut self, one: Committing, committed: Committed) -> Result<()> {
        match committed {
            Committed::Recorded => {
                self.visit.counts.messages_done += 1;
                self.visit.counts.bytes_done += one.octets.unwrap_or(0);
                if one.row.delete_at == Some(0) {
                    self.deletable.push(one.entry);
                }
                if one.octets.is_some() {
                    self.recorded_here.push(one.entry);
                }
                // What is told of it is written by now.
                let row = LedgerRow { uidl: None, reason: String::new(), ..one.row };
                self.rows.insert(row.key, row);
                Ok(())
            }
            Committed::LeaseLost => {
                self.visit.lose_lease();
                self.unrecorded += 1;
                Ok(())
            }
            Committed::FlushFailed(reply) => {
                self.unrecorded += 1;
                // The same key comes again: the row stays in hand, due at once.
                self.stays_in_hand(one, format!("the mail server here could not keep it: {}", reply.reason));
                self.visit.counts.deferred += 1;
                if self.trouble.is_none() && reply.answer != Answer::Stop {
                    let outcome = match reply.answer {
                        Answer::DeferFull => Outcome::HostFull,
                        Answer::DeferRecipient => Outcome::HostRecipient,
                        _ => Outcome::Host,
                    };
                    let mut trouble = paused(outcome, &reply.reason);
                    trouble.cause = "sink.flush_failed";
                    self.trouble = Some(trouble);
                }
                Ok(())
            }
            Committed::StoreFailed(e) => {
                self.unrecorded += 1;
                self.stays_in_hand(one, e.message.clone());
                Err(e)
            }
        }
    }

    /// It was begun and ended, and not recorded: known as unfinished, and no session ended in it.
    fn stays_in_hand(&mut self, one: Committing, reason: String) {
        let mut row = self.row(one.row.key);
        row.message_id = one.row.message_id;
        row.reason = reason;
        row.state = RowState::InHand;
        row.begun = false;
        row.uidl = self.uidl(one.entry).map(<[u8]>::to_vec);
        self.change(row);
    }

    /// Waits until the sink has spoken on everything it was given, and everything it took is recorded. An `alive`
    /// connection is kept so meanwhile; a broken one changes nothing about what the host has.
    pub async fn settle_all(&mut self, alive: bool) -> Result<()> {
        let mut alive = alive && !self.severed;
        let mut worst = Ok(());
        if self.pending.is_empty() && !self.committing.is_empty() {
            self.commits.now().await?;
        }
        while let Some(mut pending) = self.pending.pop_front() {
            let verdict = self.wait_for(&mut pending.verdict, &mut alive, &mut worst).await;
            let settled = match verdict {
                Some(verdict) => self.heed(pending, verdict.reply).await,
                None => Err(Error::bug("a message handed to the sink got no verdict")),
            };
            worst = worst.and(settled);
            if self.pending.is_empty() && !self.committing.is_empty() {
                self.commits.now().await?;
            }
        }
        while let Some(mut one) = self.committing.pop_front() {
            let committed = self.wait_for(&mut one.done, &mut alive, &mut worst).await;
            let settled = match committed {
                Some(committed) => self.committed(one, committed),
                None => Err(unrecorded()),
            };
            worst = worst.and(settled);
        }
        worst.and(self.write_changed().await)
    }

    /// Waits for the host or the committer whatever happens to the connection; what happens is kept in `worst`.
    async fn wait_for<T>(
        &mut self,
        answer: &mut oneshot::Receiver<T>,
        alive: &mut bool,
        worst: &mut Result<()>,
    ) -> Option<T> {
        if *alive {
            match meanwhile(&mut self.connection, &mut *answer).await {
                Ok(answer) => return answer.ok(),
                Err(e) => {
                    *alive = false;
                    if worst.is_ok() {
                        *worst = Err(e);
                    }
                }
            }
        }
        answer.await.ok()
    }
}

fn unrecorded() -> Error {
    Error::new(Status::Store, "store.record", "a message the host took could not be recorded")
        .advice("The message comes again under the same key; see the log for what the store said.")
}

fn impossible(answer: Answer) -> Error {
    let number = match answer {
        Answer::Go => 0,
        Answer::Taken => 1,
        Answer::Queued => 2,
        Answer::Invalid(number) => number,
        _ => -1,
    };
    Error::new(
        Status::Sink,
        "sink.answer",
        format!("the sink answered {number} where it may not (0 from end, QUEUED without flush, or no answer at all)"),
    )
    .advice("This is a fault in the mail server's plug-in code; the message was kept and comes again.")
}

/// The host said "not now" too often.
fn paused(outcome: Outcome, reason: &str) -> Error {
    let (status, cause, what) = match outcome {
        Outcome::HostFull => (Status::SinkFull, "sink.full", "the mail server here has no room for it"),
        Outcome::HostRecipient => (
            Status::SinkRecipient,
            "sink.recipient",
            "the mail server here does not take mail for this recipient",
        ),
        _ => (Status::Sink, "sink.deferred", "the mail server here asked to wait"),
    };
    let message = if reason.is_empty() { what.to_owned() } else { format!("{what}: {reason}") };
    Error::new(status, cause, message).advice(
        "Nothing is lost: collection goes on by itself as soon as the mail server here takes mail again.",
    )
}
