//! RETR after RETR, each message streamed to the sink while the next is under way.
//!
//! A message that broke off is aborted at the sink and never ended; it is noted in the ledger, so that one that
//! always breaks is set aside after three times and costs the others nothing (I13, I15).

use std::collections::VecDeque;
use std::future::Future;
use std::time::Duration;

use tokio::time::{sleep, timeout};

use super::commit::Place;
use super::header::Header;
use super::keys::Known;
use super::line::Line;
use super::login::Connection;
use super::mailbox::Mailbox;
use super::piece::Filling;
use super::pump::Ticket;
use super::settle::Pending;
use crate::error::{Error, Result, Status};
use crate::model::{Answer, Reply, RowState};
use crate::plan::{Entry, Fetch};
use crate::pop3::{Command, Event, Refusal, ResponseCode};
use crate::store::fault;

/// Commands under way at once where the server announces PIPELINING (RFC 2449 §6.6, PROTOCOL.md D.7).
const WINDOW: usize = 32;
/// A session that waits for the host says NOOP so often; servers close after a minute of silence (PROTOCOL.md B.5).
const NOOP_EVERY: Duration = Duration::from_secs(15);
/// A session the host stops inside a message is closed after so long.
const STOPPED_INSIDE: Duration = Duration::from_secs(300);
const STOPPED: &str = "sink.stopped";
/// Sessions that may end in a message before it is set aside.
pub const ENDS: u32 = 3;
/// A message set aside is tried again so often.
pub const ASIDE_S: u64 = 24 * 3600;
/// Refused RETRs in a row after which the session ends.
const REFUSED_RETRS: u32 = 3;

impl Mailbox<'_> {
    /// Retrieves a chunk in order. Answers what was not begun.
    pub async fn retrieve(&mut self, chunk: Vec<Fetch>) -> Result<Vec<Fetch>> {
        let mut waiting: VecDeque<Fetch> = chunk.into();
        let mut under_way: VecDeque<(Fetch, Option<Ticket>, Place)> = VecDeque::new();
        let mut refused = 0;
        loop {
            while !waiting.is_empty() && under_way.len() < self.window() && self.goes_on() {
                let Some(place) = self.place(!under_way.is_empty()).await? else { break };
                // The sink may have said no, or stop, while a place was waited for.
                if !self.goes_on() {
                    break;
                }
                let Some(fetch) = waiting.pop_front() else { break };
                match self.begin(fetch).await? {
                    Begun::Asked(ticket) => {
                        self.asked += 1;
                        under_way.push_back((fetch, ticket, place));
                    }
                    Begun::Answered => {}
                }
            }
            let Some((fetch, ticket, place)) = under_way.pop_front() else {
                break;
            };
            match self.receive(fetch, ticket, place).await {
                Ok(true) => refused = 0,
                Ok(false) => refused += 1,
                Err(e) => {
                    let unbegun = under_way.into_iter().map(|(fetch, ..)| fetch).chain(waiting);
                    self.forget_unbegun(unbegun.collect()).await?;
                    return self.broke_off(fetch, e).await;
                }
            }
            if self.severed {
                // What still arrives belongs to the message that was given up.
                break;
            }
            if refused >= REFUSED_RETRS {
                self.trouble = Some(Error::new(
                    Status::Transient,
                    "server.retr_refused",
                    "the server refused several messages in a row",
                ));
            }
            // Until the sink took a first message, one at a time: a host that is full costs one download only.
            self.take_verdicts(!self.accepted).await?;
            if self.visit.counts.messages_done > 0 {
                self.visit.forget_deaths().await?;
            }
            // Nor is a host whose flush fails given more than one message before it is known to have recovered.
            if self.probing && self.visit.counts.messages_done == 0 {
                self.settle_all(true).await?;
            }
        }
        let unbegun: Vec<Fetch> = under_way.into_iter().map(|(fetch, ..)| fetch).chain(waiting).collect();
        self.forget_unbegun(unbegun.clone()).await?;
        Ok(unbegun)
    }

    fn window(&self) -> usize {
        let announced = self.connection.capabilities.pipelining;
        if self.connection.wire.session().ends_doubtfully() {
            return 1;
        }
        if self.visit.pipelines(announced) && self.accepted && !self.is_careful() { WINDOW } else { 1 }
    }

    /// Whether the sink is asked before RETR: where a RETR that is not delivered costs something.
    fn is_careful(&self) -> bool {
        self.retr_is_final || self.probing || self.deferrals > 0
    }

    async fn begin(&mut self, fetch: Fetch) -> Result<Begun> {
        let number = fetch.entry.number;
        let announced = self.sizes.of(number).unwrap_or(0);
        if announced > self.visit.row.account.limits.max_message_bytes {
            self.header = Header::default();
            self.oversize(fetch.entry, announced);
            return Ok(Begun::Answered);
        }
        if !self.is_careful() {
            self.connection.wire.send(Command::Retr(number))?;
            return Ok(Begun::Asked(None));
        }
        let ticket = self.visit.call.pump.begin(self.message(fetch)).await?;
        if !meanwhile(&mut self.connection, ticket.begun()).await? {
            if let Some(verdict) = ticket.abort().await? {
                self.answered_early(fetch.entry, verdict.reply).await?;
            }
            return Ok(Begun::Answered);
        }
        self.connection.wire.send(Command::Retr(number))?;
        Ok(Begun::Asked(Some(ticket)))
    }

    /// The sink's word on a message of which nothing was downloaded.
    pub async fn answered_early(&mut self, entry: Entry, reply: Reply) -> Result<()> {
        match reply.answer {
            Answer::Taken => self.took(entry, None, Known::default(), &reply).await,
            Answer::Queued if self.visit.call.pump.has_flush() => {
                self.took(entry, None, Known::default(), &reply).await
            }
            _ => {
                self.not_taken(entry, 0, Known::default(), &reply);
                Ok(())
            }
        }
    }

    /// Reads one message to its end. `false`: the server refused it.
    async fn receive(&mut self, fetch: Fetch, mut ticket: Option<Ticket>, place: Place) -> Result<bool> {
        let max = self.visit.row.account.limits.max_message_bytes;
        self.header = Header::default();
        let mut filling = Filling::default();
        let mut octets = 0u64;
        loop {
            match self.connection.wire.step()? {
                None => self.read_on().await?,
                Some(Event::MessageBegin { .. }) => {
                    if ticket.is_none() {
                        let message = self.message(fetch);
                        ticket = Some(self.visit.call.pump.begin(message).await?);
                    }
                    Line::new("message_begin")
                        .field("account", &self.visit.row.account.id)
                        .field("number", fetch.entry.number)
                        .trace();
                }
                Some(Event::MessageData { bytes, .. }) => {
                    octets += bytes.len() as u64;
                    self.header.push(bytes);
                    if octets > max {
                        break;
                    }
                    let Some(ticket) = &ticket else { continue };
                    let mut rest = bytes;
                    while !rest.is_empty() {
                        rest = filling.push(rest, self.visit.call.pump.spare());
                        if filling.is_full() {
                            hand_over(&self.connection.deadline, ticket, filling.take_full()).await?;
                        }
                    }
                }
                Some(Event::MessageEnd { .. }) => break,
                Some(Event::Refused { refusal, .. }) => {
                    if let Some(ticket) = ticket {
                        ticket.abort().await?;
                    }
                    self.retr_refused(fetch.entry, refusal);
                    return Ok(false);
                }
                Some(_) => return Err(super::login::out_of_step()),
            }
        }
        let Some(ticket) = ticket else {
            return Err(super::login::out_of_step());
        };
        if octets > max {
            // The rest is not worth reading; the connection is given up and the others come in another session.
            ticket.abort().await?;
            self.oversize(fetch.entry, octets.max(self.sizes.of(fetch.entry.number).unwrap_or(0)));
            self.unrecorded += 1;
            self.severed = true;
            return Ok(true);
        }
        let last = filling.take_last(self.visit.call.pump.spare());
        hand_over(&self.connection.deadline, &ticket, last).await?;
        if self.visit.lease_lost() {
            ticket.abort().await?;
            return Err(fault::lease_lost());
        }
        let verdict = ticket.end().await?;
        let known = Known::of(&self.keys, &self.header);
        self.pending.push_back(Pending { entry: fetch.entry, octets, known, place, verdict });
        self.visit.progress(octets).await?;
        Ok(true)
    }

    /// The session ended inside this message, or in place of it.
    async fn broke_off(&mut self, fetch: Fetch, error: Error) -> Result<Vec<Fetch>> {
        self.unrecorded += 1;
        // The host's own wish, its deadline, or an account that is gone, says nothing against the message.
        if matches!(error.status, Status::Cancelled | Status::Deadline) || self.visit.lease_lost() {
            return Err(error);
        }
        let Some(row) = self.rows.get(&fetch.entry.key) else {
            return Err(error);
        };
        let mut row = row.clone();
        row.begun = false;
        // The header may have come before the session ended.
        row.message_id = self.keys.message_id(self.header.bytes());
        row.uidl = self.uidl(fetch.entry).map(<[u8]>::to_vec);
        row.reason = error.message.clone();
        if error.cause == STOPPED {
            // The host's doing, not the message's.
            row.state = RowState::Deferred;
            row.not_before = self.visit.call.now() + STOPPED_INSIDE.as_secs();
            self.change(row);
            return Err(error);
        }
        row.ends += 1;
        let known_bad = row.ends >= ENDS;
        if known_bad {
            let size = self.sizes.of(fetch.entry.number).unwrap_or(row.size);
            row.state = RowState::SetAside;
            row.not_before = self.visit.call.now() + ASIDE_S;
            row.size = size;
            self.visit.set_aside(&row).await;
        }
        self.change(row);
        if known_bad {
            // It was the last one, and alone: the account is well without it.
            Line::new("ended_in_bad_message").field("error", &error).warn();
            self.severed = true;
            return Ok(Vec::new());
        }
        Err(error)
    }

    fn retr_refused(&mut self, entry: Entry, refusal: Refusal) {
        let now = self.visit.call.now();
        let Some(row) = self.rows.get(&entry.key) else {
            return;
        };
        let mut row = row.clone();
        row.begun = false;
        row.uidl = self.uidl(entry).map(<[u8]>::to_vec);
        row.reason = format!("the server refuses it: {}", refusal.text);
        row.state = RowState::Deferred;
        row.not_before = now + 3600;
        if refusal.code == Some(ResponseCode::Utf8) {
            row.state = RowState::SetAside;
            row.not_before = now + ASIDE_S;
        }
        Line::new("retr_refused")
            .field("account", &self.visit.row.account.id)
            .field("number", entry.number)
            .field("text", &refusal.text)
            .warn();
        self.visit.counts.deferred += 1;
        self.change(row);
    }

    fn oversize(&mut self, entry: Entry, size: u64) {
        let Some(row) = self.rows.get(&entry.key) else {
            return;
        };
        let mut row = row.clone();
        row.state = RowState::Oversize;
        row.begun = false;
        row.size = size;
        row.uidl = self.uidl(entry).map(<[u8]>::to_vec);
        row.message_id = self.keys.message_id(self.header.bytes());
        row.reason =
            format!("larger than the {} bytes allowed", self.visit.row.account.limits.max_message_bytes);
        Line::new("oversize").field("account", &self.visit.row.account.id).field("bytes", size).warn();
        self.visit.counts.refused += 1;
        self.change(row);
    }

    /// Messages noted as in hand whose RETR was never sent: as if they had not been noted.
    async fn forget_unbegun(&mut self, fetches: Vec<Fetch>) -> Result<()> {
        let mut keys = Vec::new();
        for fetch in fetches {
            if fetch.may_repeat {
                // Its end will be no sign against it.
                if let Some(mut row) = self.rows.get(&fetch.entry.key).filter(|row| row.begun).cloned() {
                    row.begun = false;
                    self.change(row);
                }
                continue;
            }
            keys.push(fetch.entry.key);
            self.rows.remove(&fetch.entry.key);
        }
        if keys.is_empty() {
            return Ok(());
        }
        let lease = self.visit.lease.clone();
        let generation = self.visit.head.generation;
        let now = self.visit.call.now();
        self.visit.call.with_store(move |store| store.forget(&lease, generation, &keys, now)).await
    }
}

enum Begun {
    /// RETR is on its way.
    Asked(Option<Ticket>),
    /// Nothing is to be retrieved.
    Answered,
}

async fn hand_over(deadline: &super::deadline::Deadline, ticket: &Ticket, piece: Vec<u8>) -> Result<()> {
    match timeout(STOPPED_INSIDE, deadline.bound(ticket.data(piece))).await {
        Ok(done) => done,
        Err(_) => Err(Error::new(
            Status::Sink,
            STOPPED,
            format!("the sink took nothing for {} s inside a message", STOPPED_INSIDE.as_secs()),
        )),
    }
}

/// Waits for the host and keeps an idle session alive meanwhile.
pub async fn meanwhile<T>(connection: &mut Connection, host: impl Future<Output = T>) -> Result<T> {
    tokio::pin!(host);
    loop {
        let deadline = connection.deadline.clone();
        tokio::select! {
            biased;
            done = &mut host => return Ok(done),
            _ = deadline.reached(super::deadline::Halt::Now) => return Err(deadline.error()),
            _ = sleep(NOOP_EVERY) => {}
        }
        if connection.wire.session().outstanding() == 0 {
            let limit = connection.reply;
            connection.ask(Command::Noop, limit).await?;
        }
    }
}
