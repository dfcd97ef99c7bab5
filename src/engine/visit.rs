//! One account from its lease to its lease back: token, log-in, mailbox, and what is known of it afterwards.

use std::collections::VecDeque;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::{Duration, Instant};

use super::call::Call;
use super::commit::Commits;
use super::deaths;
use super::events;
use super::header::Header;
use super::hold::{Held, LEASE_S, hold};
use super::keys::Keys;
use super::line::Line;
use super::mailbox::Mailbox;
use super::trail::Trail;
use crate::error::{Error, Result, Status};
use crate::model::{Counts, Event, EventKind, LedgerRow, Outcome, Pipelining, RowState, UnixTime};
use crate::oauth::provider::Provider;
use crate::pop3::{Capabilities, Listing, Sizes};
use crate::store::{AccountRow, Known, Lease, LeaseName, LedgerHead, Progress, Store};

/// Progress is told so often, and written for other processes so often.
const TELL_EVERY: Duration = Duration::from_millis(250);
const WRITE_EVERY: Duration = Duration::from_secs(2);

pub struct Visit {
    pub call: Call,
    pub row: AccountRow,
    pub lease: Arc<Lease>,
    pub head: LedgerHead,
    pub provider: Option<Arc<Provider>>,
    pub counts: Counts,
    pub trail: Trail,
    /// Messages and octets that arrived, recorded or not yet.
    arrived: (u64, u64),
    /// What the store is to keep of this visit beyond its outcome.
    learnt: Learnt,
    /// Visits in a row that died before this one, until it gets on.
    pub(super) deaths: u32,
    lost: Arc<AtomicBool>,
    told: Instant,
    written: Instant,
}

#[derive(Default)]
struct Learnt {
    last_login: Option<UnixTime>,
    login_delay_s: u32,
    first_done: bool,
    resetting: Option<Option<u32>>,
    reset_question: Option<bool>,
}

/// How a visit ended, for the report.
#[derive(Debug)]
pub struct Visited {
    pub outcome: Outcome,
    pub error: Option<Error>,
    pub counts: Counts,
}

/// Visits an account, and tells which one it is. `None`: there was nothing to visit (gone, disabled, or no longer due).
pub async fn visit(
    call: &Call,
    commits: Commits,
    id: String,
    regardless: bool,
    known: &OnceLock<Known>,
) -> Result<Option<Visited>> {
    let name = LeaseName::Account(id.clone());
    let now = call.now();
    let Some(lease) = call.with_store(move |store| store.lease(&name, now, LEASE_S)).await? else {
        Line::new("busy").field("account", &id).debug();
        return Ok(Some(Visited { outcome: Outcome::Busy, error: None, counts: Counts::default() }));
    };
    let lease = Arc::new(lease);
    let account = id.clone();
    let found = call
        .with_store(move |store| {
            let row = store.account(&account)?;
            let head = store.ledger(&account)?;
            let key = store.digest_key(&account)?;
            let open = store.open_rows(&account, head.generation)?;
            let traced = store.traced(&account, now)?;
            Ok((row, head, key, (open, traced)))
        })
        .await;
    let (row, head, key, (open, traced)) = match found {
        Ok((Some(row), head, key, noted)) => (row, head, key, noted),
        Ok((None, ..)) => return give_back(call, lease, None).await,
        // Removed between the lease and now.
        Err(e) if e.status == Status::Rights => return give_back(call, lease, None).await,
        Err(e) => return Err(e),
    };
    let _ = known.set(row.known());
    // Another process may have been here while we waited for our turn.
    if !is_due(&row, now, regardless) {
        return give_back(call, lease, None).await;
    }
    let provider = match row.account.provider() {
        Some(id) => call.provider(id).map(Some),
        None => Ok(None),
    };
    let call = call.clone().traced(&row.account, traced);
    let mut visit = Visit::new(&call, row, lease, head);
    let held = visit.keep_the_lease();
    visit.tell(EventKind::AccountBegin, None, None).await;
    let keys = Keys::new(&key, visit.head.number, visit.head.generation);
    let collected = match provider {
        Err(e) => Err(e),
        Ok(provider) => {
            visit.provider = provider;
            match visit.refuse_after_deaths(&open) {
                Err(e) => Err(e),
                Ok(()) => visit.collect(keys, commits, open).await,
            }
        }
    };
    drop(held);
    visit.finish(collected).await.map(Some)
}

async fn give_back(call: &Call, lease: Arc<Lease>, answer: Option<Visited>) -> Result<Option<Visited>> {
    call.with_store(move |store| store.release(&lease, true)).await?;
    Ok(answer)
}

fn is_due(row: &AccountRow, now: UnixTime, regardless: bool) -> bool {
    let state = &row.state;
    row.account.enabled
        && !state.paused
        && state.not_before <= now
        && state.aside_until <= now
        && state.password.wait_until <= now
        && (regardless || state.next_due <= now)
}

impl Visit {
    pub fn new(call: &Call, row: AccountRow, lease: Arc<Lease>, head: LedgerHead) -> Visit {
        Visit {
            call: call.clone(),
            row,
            deaths: lease.attempts,
            lease,
            head,
            provider: None,
            counts: Counts::default(),
            trail: Trail { begun: call.now(), ..Trail::default() },
            arrived: (0, 0),
            learnt: Learnt::default(),
            lost: Arc::new(AtomicBool::new(false)),
            told: Instant::now(),
            written: Instant::now(),
        }
    }

    async fn collect(&mut self, keys: Keys, commits: Commits, open: Vec<LedgerRow>) -> Result<bool> {
        let connection = self.log_in().await?;
        let capabilities = connection.capabilities.clone();
        self.learnt.last_login = Some(self.call.now());
        let known = self.provider.as_ref().map_or(0, |provider| provider.login_delay_s);
        self.learnt.login_delay_s = capabilities.login_delay_s.unwrap_or(0).max(known);
        let retr_is_final = self.retr_is_final(&capabilities);
        let probing = self.row.state.deferral.is_some();
        let changed = deaths::counted(open, self.call.now());
        for row in changed.iter().filter(|row| row.state == RowState::SetAside) {
            self.set_aside(row).await;
        }
        let mut mailbox = Mailbox {
            connection,
            keys: Arc::new(keys),
            commits,
            listing: Listing::default(),
            sizes: Sizes::default(),
            rows: Default::default(),
            pending: VecDeque::new(),
            committing: VecDeque::new(),
            changed,
            deletable: Vec::new(),
            recorded_here: Vec::new(),
            retr_is_final,
            unrecorded: 0,
            accepted: false,
            deferrals: 0,
            probing,
            trouble: None,
            severed: false,
            header: Header::default(),
            unresolved: false,
            started: Instant::now(),
            asked: 0,
            visit: self,
        };
        mailbox.write_changed().await?;
        mailbox.collect().await
    }

    /// RETR followed by QUIT pops a message for good. In recent mode it stays listed all the same.
    pub fn retr_is_final(&self, capabilities: &Capabilities) -> bool {
        if self.in_recent_mode().is_some() {
            return false;
        }
        self.provider.as_ref().is_some_and(|provider| provider.retr_is_final)
            || capabilities.expire_days == Some(0)
    }

    /// The mailbox's name, where its user asks for the last days' mail, whoever fetched it already.
    pub fn in_recent_mode(&self) -> Option<&str> {
        self.provider.as_ref()?.profile.in_recent_mode(&self.row.account.user)
    }

    /// From here on the visit ends with its lease.
    pub fn keep_the_lease(&mut self) -> Held {
        let (deadline, sever) = self.call.deadline.of_a_part();
        self.call.deadline = deadline;
        hold(&self.call, self.lease.clone(), self.lost.clone(), sever)
    }

    pub fn lease_lost(&self) -> bool {
        self.lost.load(Ordering::Acquire)
    }

    pub fn lose_lease(&self) {
        self.lost.store(true, Ordering::Release);
    }

    pub fn pipelines(&self, announced: bool) -> bool {
        match self.row.account.pipelining {
            Pipelining::Off => false,
            Pipelining::On => true,
            _ => announced,
        }
    }

    /// What the store is to keep of this visit beyond its outcome.
    pub fn learn(&self, state: &mut crate::store::AccountState) {
        if self.learnt.last_login.is_some() {
            state.last_login = self.learnt.last_login;
            state.login_with = self.sort_of_token();
            state.refused_since = None;
        }
        if self.learnt.first_done {
            state.first_done = true;
        }
        if let Some(resetting) = self.learnt.resetting {
            state.resetting = resetting;
        }
        if let Some(question) = self.learnt.reset_question {
            state.reset_question = question;
            state.reset_answer = None;
        }
    }

    pub fn logged_in(&self) -> bool {
        self.learnt.last_login.is_some()
    }

    pub fn login_delay_s(&self) -> u32 {
        self.learnt.login_delay_s
    }

    pub fn first_listing_done(&mut self) {
        self.learnt.first_done = true;
        self.learnt.resetting = Some(None);
        self.learnt.reset_question = Some(false);
        self.row.state.resetting = None;
        self.row.state.first_done = true;
    }

    /// A suspected reset is decided; `before` is the generation whose digests still tell known messages.
    pub fn reset_decided(&mut self, before: Option<u32>) {
        self.row.state.resetting = before;
        self.row.state.reset_answer = None;
        self.row.state.reset_question = false;
        self.learnt.resetting = Some(before);
        self.learnt.reset_question = Some(false);
    }

    pub fn ask_about_reset(&mut self) {
        self.learnt.reset_question = Some(true);
    }

    /// Before the first message of a new generation is taken: a death from here on must find it.
    pub async fn save_resetting(&self) -> Result<()> {
        let lease = self.lease.clone();
        let resetting = self.row.state.resetting;
        self.call
            .with_store(move |store| {
                store.update_state_fenced(&lease, &mut |state| state.resetting = resetting)
            })
            .await
            .map(|_| ())
    }

    /// Counts of a message that arrived, told and written now and then.
    pub async fn progress(&mut self, octets: u64) -> Result<()> {
        self.arrived.0 += 1;
        self.arrived.1 += octets;
        if self.told.elapsed() < TELL_EVERY {
            return Ok(());
        }
        self.told = Instant::now();
        let counts = Counts { messages_done: self.arrived.0, bytes_done: self.arrived.1, ..self.counts };
        self.call.pump.event_if_room(Event { counts, ..self.event(EventKind::Progress, None, None) });
        if self.written.elapsed() < WRITE_EVERY {
            return Ok(());
        }
        self.written = Instant::now();
        self.save_trace().await;
        let progress = Progress { at: self.call.now(), counts };
        let lease = self.lease.clone();
        let step = move |store: &dyn Store| {
            store.update_state_fenced(&lease, &mut |state| state.progress = Some(progress))
        };
        if !self.call.with_store(step).await? {
            self.lose_lease();
        }
        Ok(())
    }

    pub async fn set_aside(&self, row: &LedgerRow) {
        let uidl = row.uidl.as_deref().map(String::from_utf8_lossy).unwrap_or_default();
        let message =
            format!("a message of {} bytes (UIDL {uidl}) ended three sessions: {}", row.size, row.reason);
        Line::new("set_aside").field("account", &self.row.account.id).field("text", &message).warn();
        let error = Error::new(Status::Transient, "message.set_aside", message)
            .advice("All other mail is collected. This message is tried again once a day and never deleted.");
        self.tell(EventKind::SetAside, None, Some(&error)).await;
    }

    pub async fn tell(&self, kind: EventKind, outcome: Option<Outcome>, error: Option<&Error>) {
        self.call.pump.event(self.event(kind, outcome, error)).await;
    }

    fn event(&self, kind: EventKind, outcome: Option<Outcome>, error: Option<&Error>) -> Event {
        Event { counts: self.counts, ..events::of(&self.row.account, kind, outcome, error) }
    }
}
