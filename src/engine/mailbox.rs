//! One mailbox, from listing to QUIT: the one place where the sacred order stands.
//!
//! durable at the host → recorded in the ledger → DELE → QUIT answered. Every step waits for the one before:
//! `receive` hands messages to the sink and what it took to the group commit; `settle` waits until all of it is
//! recorded; only then `delete` names rows the ledger has as durable, and only an answered QUIT makes them gone.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::Arc;
use std::time::Instant;

use super::commit::Commits;
use super::deadline::Halt;
use super::examine;
use super::header::Header;
use super::keys::Keys;
use super::line::Line;
use super::login::{Connection, Said, out_of_step};
use super::settle::{Committing, Pending};
use super::survey::{self, Question, Survey};
use super::visit::Visit;
use crate::error::{Error, Result};
use crate::model::{FirstFetch, LedgerRow, RowState, UidlKey};
use crate::plan::{self, Entry, Facts, Fetch, Plan};
use crate::pop3::{Command, Listing, Sizes};

/// A session over one mailbox.
pub struct Mailbox<'v> {
    pub visit: &'v mut Visit,
    pub connection: Connection,
    pub keys: Arc<Keys>,
    pub commits: Commits,
    pub listing: Listing,
    pub sizes: Sizes,
    /// Rows as they are known to be, by key.
    pub rows: HashMap<UidlKey, LedgerRow>,
    /// Handed to the sink, its last word still to come.
    pub pending: VecDeque<Pending>,
    /// Taken by the sink, not yet recorded.
    pub committing: VecDeque<Committing>,
    /// Rows that changed otherwise than by being recorded, to be written together.
    pub changed: Vec<LedgerRow>,
    /// Recorded in this session, to be deleted at once by their policy.
    pub deletable: Vec<Entry>,
    /// Retrieved and recorded in this session: popped by QUIT where RETR is final.
    pub recorded_here: Vec<Entry>,
    /// RETR followed by QUIT pops a message for good.
    pub retr_is_final: bool,
    /// RETR was begun for a message that is not recorded as durable: where RETR is final, no QUIT.
    pub unrecorded: u32,
    /// The sink took a message in this session.
    pub accepted: bool,
    /// It said "not now" so often in a row.
    pub deferrals: u32,
    /// The account was paused for the host's sake: one question that costs no download first.
    pub probing: bool,
    /// What ends the visit although the connection is fine.
    pub trouble: Option<Error>,
    /// The connection cannot be used any more, though nothing failed.
    pub severed: bool,
    /// The header block of the message that is being received, as far as it came.
    pub header: Header,
    /// An entry of the listing could not be looked at: this listing says nothing of what is known.
    pub unresolved: bool,
    pub started: Instant,
    /// RETRs sent in this session.
    pub asked: u32,
}

impl Mailbox<'_> {
    /// Answers whether more is waiting.
    pub async fn collect(&mut self) -> Result<bool> {
        let (survey, plan) = match self.study().await? {
            Some(study) => study,
            None => {
                self.quit(Vec::new(), Vec::new()).await?;
                return Ok(false);
            }
        };
        let received = self.receive_all(plan.fetch).await;
        // Whatever happened on the wire, what the sink took is recorded.
        let settled = self.settle_all(received.is_ok()).await;
        let left = received?;
        settled?;
        let more = left > 0;
        if self.severed {
            return self.end(true);
        }
        self.visit.forget_deaths().await?;
        let popped = if self.retr_is_final { self.pop_again(&plan.pop_again).await? } else { Vec::new() };
        let (deleted, undeleted) = self.delete(plan.delete).await?;
        let gone = self.quit(deleted, popped).await?;
        self.remember(&survey, &gone).await?;
        self.end(more || undeleted)
    }

    fn end(&mut self, more: bool) -> Result<bool> {
        match self.trouble.take() {
            Some(trouble) => Err(trouble),
            None => Ok(more),
        }
    }

    /// From the listing to a plan. `None`: nothing is to be done.
    async fn study(&mut self) -> Result<Option<(Survey, Plan)>> {
        self.listing = self.connection.list().await?;
        self.visit.trail.listed = u32::try_from(self.listing.len()).ok();
        let question = Question::of(self.visit, self.retr_is_final, self.probing);
        let mut survey = survey::survey(&self.visit.call, &self.keys, &self.listing, &question).await?;
        if survey.same {
            return Ok(None);
        }
        if survey.whole {
            examine::decide_reset(self, &mut survey).await?;
            if self.record_new_only(&survey).await? {
                return Ok(None);
            }
        }
        self.rows = std::mem::take(&mut survey.rows);
        let mut plan = plan::plan(&survey.entries, &self.facts());
        if !plan.examine.is_empty() {
            let known = examine::resolve(self, std::mem::take(&mut plan.examine)).await?;
            let more = plan::plan(&known, &self.facts());
            plan.fetch.extend(more.fetch);
            plan.fetch.sort_by_key(|fetch| (fetch.last, fetch.entry.place));
            plan.delete.extend(more.delete);
            plan.pop_again.extend(more.pop_again);
            // What its header showed to be known, though it was gone, is taken off the list again.
            if self.retr_is_final {
                let now = self.visit.call.now();
                let due = |entry: &Entry| self.rows.get(&entry.key).is_none_or(|row| row.not_before <= now);
                plan.pop_again.extend(more.examine.into_iter().filter(due));
            } else if self.visit.delete_age_s().is_some() {
                plan.delete.extend(more.examine);
            }
            survey.entries.extend(known);
        }
        if !plan.fetch.is_empty() {
            self.sizes = self.list_sizes().await?;
            let sizes = plan.fetch.iter().map(|fetch| self.sizes.of(fetch.entry.number).unwrap_or(0));
            self.visit.counts.bytes_total = sizes.fold(0, u64::saturating_add);
            self.visit.counts.messages_total = plan.fetch.len() as u64;
        }
        Line::new("planned")
            .field("account", &self.visit.row.account.id)
            .field("listed", self.listing.len())
            .field("fetch", plan.fetch.len())
            .field("delete", plan.delete.len())
            .debug();
        Ok(Some((survey, plan)))
    }

    fn facts(&self) -> Facts<'_> {
        let visit = &*self.visit;
        Facts {
            now: visit.call.now(),
            rows: &self.rows,
            retry_deferred: self.probing,
            max_message_bytes: visit.row.account.limits.max_message_bytes,
            delete_suspended: visit.suspends_deletion_by_age(),
            delete_age_s: visit.delete_age_s(),
            delete_older: visit.deletes_older(),
            retr_is_final: self.retr_is_final,
        }
    }

    /// LIST is a help only: a server that refuses it costs the sizes, nothing else.
    async fn list_sizes(&mut self) -> Result<Sizes> {
        self.connection.wire.send(Command::List)?;
        let limit = self.connection.login;
        match self.connection.answer(limit).await? {
            Said::List(sizes) => Ok(sizes),
            Said::Refused(_) => Ok(Sizes::default()),
            _ => Err(out_of_step()),
        }
    }

    /// The first listing of an account that wants new mail only: everything is recorded, nothing downloaded.
    async fn record_new_only(&mut self, survey: &Survey) -> Result<bool> {
        let state = &self.visit.row.state;
        let first = !state.first_done && state.resetting.is_none();
        if !first || self.visit.row.account.first_fetch != FirstFetch::NewOnly {
            return Ok(false);
        }
        // Recorded before by a visit that died: what is listed beyond it came since.
        if survey.rows.values().any(|row| row.state == RowState::Imported) {
            return Ok(false);
        }
        let now = self.visit.call.now();
        let rows: Vec<LedgerRow> = survey
            .entries
            .iter()
            .filter(|entry| !survey.rows.contains_key(&entry.key))
            .map(|entry| LedgerRow::new(entry.key, RowState::Imported, now))
            .collect();
        Line::new("new_only")
            .field("account", &self.visit.row.account.id)
            .field("messages", rows.len())
            .info();
        for row in rows {
            self.change(row);
        }
        self.write_changed().await?;
        self.remember(survey, &HashSet::new()).await?;
        Ok(true)
    }

    /// Receives what is planned; answers how much of it is left for another session.
    async fn receive_all(&mut self, fetch: Vec<Fetch>) -> Result<usize> {
        let mut queue: VecDeque<Fetch> = fetch.into();
        let chunk_size = self.visit.call.settings.config.limits.flush_messages.max(1) as usize;
        while !queue.is_empty() && self.goes_on() {
            // Where sessions died before, one message at a time is open: another end is that one's alone.
            if queue.front().is_some_and(|fetch| fetch.last) {
                self.settle_all(true).await?;
                if !self.goes_on() {
                    break;
                }
            }
            let alone = queue.front().is_some_and(|fetch| fetch.alone);
            let until = if alone {
                1
            } else {
                queue.iter().take(chunk_size).take_while(|fetch| !fetch.alone).count()
            };
            let chunk: Vec<Fetch> = queue.drain(..until).collect();
            let chunk = examine::look_first(self, chunk).await?;
            let chunk = self.offer(chunk).await?;
            self.note_in_hand(&chunk).await?;
            let unbegun = self.retrieve(chunk).await;
            self.write_changed().await?;
            for fetch in unbegun?.into_iter().rev() {
                queue.push_front(fetch);
            }
        }
        Ok(queue.len())
    }

    /// Whether another message may be begun.
    pub fn goes_on(&self) -> bool {
        let limits = &self.visit.row.account.limits;
        !self.severed
            && self.trouble.is_none()
            && self.connection.deadline.halt() == Halt::Go
            && !self.visit.call.pump.stopped()
            && !self.visit.lease_lost()
            && self.asked < limits.session_messages
            && self.started.elapsed().as_secs() < u64::from(limits.session_s)
    }

    /// Notes what will be asked for, before it is (bad messages, *may repeat*).
    async fn note_in_hand(&mut self, chunk: &[Fetch]) -> Result<()> {
        if chunk.is_empty() {
            return Ok(());
        }
        let now = self.visit.call.now();
        let known = chunk.iter().filter(|fetch| self.rows.contains_key(&fetch.entry.key)).count();
        self.visit.trail.new += (chunk.len() - known) as u32;
        let rows: Vec<LedgerRow> = chunk
            .iter()
            .map(|fetch| {
                let mut row = self
                    .rows
                    .get(&fetch.entry.key)
                    .cloned()
                    .unwrap_or_else(|| LedgerRow::new(fetch.entry.key, RowState::InHand, now));
                row.state = RowState::InHand;
                row.begun = fetch.alone;
                // It was told when it was written.
                row.reason = String::new();
                row.uidl = self.uidl(fetch.entry).map(<[u8]>::to_vec);
                row
            })
            .collect();
        for row in &rows {
            self.rows.insert(row.key, row.clone());
        }
        let lease = self.visit.lease.clone();
        let generation = self.visit.head.generation;
        self.visit.call.with_store(move |store| store.note_in_hand(&lease, generation, &rows, now)).await
    }

    pub fn uidl(&self, entry: Entry) -> Option<&[u8]> {
        self.listing.get(entry.place as usize).map(|(_, uidl)| uidl)
    }

    /// A row changed; it is written with the next ones.
    pub fn change(&mut self, row: LedgerRow) {
        self.rows.insert(row.key, row.clone());
        self.changed.push(row);
    }

    pub async fn write_changed(&mut self) -> Result<()> {
        if self.changed.is_empty() {
            return Ok(());
        }
        let rows = std::mem::take(&mut self.changed);
        let lease = self.visit.lease.clone();
        let generation = self.visit.head.generation;
        let now = self.visit.call.now();
        self.visit.call.with_store(move |store| store.write_rows(&lease, generation, &rows, now)).await
    }

    /// Forgets what is in no listing any more, and keeps what this listing was, once every entry has its row.
    async fn remember(&mut self, survey: &Survey, gone: &HashSet<u32>) -> Result<()> {
        let complete = survey.entries.iter().all(|entry| self.rows.contains_key(&entry.key));
        if !complete || self.unresolved || self.visit.lease_lost() {
            return Ok(());
        }
        let vanished = if survey.whole { plan::vanished(&survey.entries, &self.rows) } else { Vec::new() };
        let now = self.visit.call.now();
        let mark = survey::mark(&self.listing, gone, now);
        let lease = self.visit.lease.clone();
        let generation = self.visit.head.generation;
        self.visit
            .call
            .with_store(move |store| {
                if !vanished.is_empty() {
                    store.forget(&lease, generation, &vanished, now)?;
                }
                store.mark_listing(&lease, &mark)
            })
            .await?;
        self.visit.first_listing_done();
        Ok(())
    }
}
