//! Who is visited in a call: every due account the actor may reach, several at once, or one by name.

use std::collections::{HashMap, HashSet, VecDeque};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::task::{Id, JoinError, JoinSet};

use super::call::Call;
use super::commit::{self, Commits};
use super::deadline::Halt;
use super::events;
use super::keep::keep_grants;
use super::line::Line;
use super::revoke;
use super::trail;
use super::visit::{self, Visited};
use crate::error::{Error, Result, Status};
use crate::model::{Actor, Counts, Event, EventKind, Outcome, Report};
use crate::retry;
use crate::store::{Known, Reach};

/// Due accounts read from the store at once.
const READ_AHEAD: u32 = 256;
/// How often a full prefetch pool is looked at again before another account is connected.
const POOL_WAIT: Duration = Duration::from_millis(20);
/// What `next_due_s` says where an account is due and somebody else is at it.
const BUSY_S: u32 = 30;
pub const NEVER: u32 = u32::MAX;

pub struct What {
    pub actor: Actor,
    pub account: Option<String>,
    /// Ignore interval and back-off.
    pub regardless: bool,
}

/// Runs a pass. The error beside the report is the named account's, or the call's own.
pub async fn pass(call: Call, what: What) -> Result<(Report, Result<()>)> {
    if let Some(id) = &what.account {
        reached(&call, &what.actor, id.clone()).await?;
    }
    if !call.settings.config.enabled {
        Line::new("disabled").info();
        return Ok((Report { next_due_s: NEVER, ..Report::default() }, Ok(())));
    }
    let reach = match &what.actor {
        Actor::Operator => Reach::All,
        Actor::Owner(owner) => Reach::Owner(owner.clone()),
    };
    let (commits, committer) = commit::start(&call);
    let mut pass = Pass {
        call: call.clone(),
        what,
        reach,
        commits: Some(commits),
        running: JoinSet::new(),
        names: HashMap::new(),
        visited: HashSet::new(),
        still_due: 0,
        queue: VecDeque::new(),
        report: Report::default(),
        named: Ok(()),
    };
    tell(&call, EventKind::PassBegin, &pass.report).await;
    let ran = tokio::select! {
        biased;
        never = close_at_deadline(&call) => match never {},
        ran = pass.run_all() => ran,
    };
    pass.running.shutdown().await;
    // The committer ends after its last commit, when nobody can send to it any more.
    pass.commits = None;
    if committer.await.is_err() {
        call.pump.botch();
        return Err(Error::bug("the committer panicked; see the log line before this one"));
    }
    ran?;
    pass.report.stopped = call.pump.stopped();
    pass.report.more |= pass.report.stopped;
    pass.next_due().await?;
    tell(&call, EventKind::PassEnd, &pass.report).await;
    let ended = if call.deadline.is_cancelled() { Err(call.deadline.error()) } else { pass.named };
    Ok((pass.report, ended))
}

async fn close_at_deadline(call: &Call) -> std::convert::Infallible {
    call.deadline.reached(Halt::Tidy).await;
    call.pump.close();
    std::future::pending().await
}

/// Another's account and none at all are the same answer.
async fn reached(call: &Call, actor: &Actor, id: String) -> Result<()> {
    let row = call.with_store(move |store| store.account(&id)).await?;
    match row {
        Some(row) if actor.reaches(&row.account.owner) => Ok(()),
        _ => Err(Error::rights()),
    }
}

struct Pass {
    call: Call,
    what: What,
    reach: Reach,
    commits: Option<Commits>,
    running: JoinSet<Result<Option<Visited>>>,
    /// The account of each session, as it read it.
    names: HashMap<Id, Arc<OnceLock<Known>>>,
    visited: HashSet<String>,
    /// Visited accounts the store still lists as due.
    still_due: u32,
    queue: VecDeque<String>,
    report: Report,
    named: Result<()>,
}

impl Pass {
    /// Visits what is due, and beside it keeps idle grants alive and gives those of erased accounts back.
    async fn run_all(&mut self) -> Result<()> {
        if self.what.account.is_some() {
            return self.run().await;
        }
        let (call, reach) = (self.call.clone(), self.reach.clone());
        let (ran, kept, given_back) =
            tokio::join!(self.run(), keep_grants(&call, &reach), revoke::give_back(&call));
        if let Err(e) = kept {
            Line::new("keep_failed").field("error", e).warn();
        }
        if let Err(e) = given_back {
            Line::new("revoke_failed").field("error", e).warn();
        }
        ran
    }

    async fn run(&mut self) -> Result<()> {
        let sessions = self.call.settings.config.limits.sessions.max(1) as usize;
        if let Some(id) = self.what.account.clone() {
            self.queue.push_back(id);
        }
        loop {
            if self.queue.is_empty() && self.may_begin() {
                self.read_due().await?;
            }
            while self.running.len() < sessions && self.may_begin() && !self.call.pump.is_full() {
                let Some(id) = self.queue.pop_front() else { break };
                self.begin(id);
            }
            if self.running.is_empty() {
                if self.queue.is_empty() || !self.may_begin() {
                    self.report.more |= !self.queue.is_empty();
                    return Ok(());
                }
                tokio::time::sleep(POOL_WAIT).await;
                continue;
            }
            let room = self.running.len() < sessions && !self.queue.is_empty() && self.may_begin();
            tokio::select! {
                ended = self.running.join_next_with_id() => {
                    if let Some(ended) = ended {
                        self.ended(ended).await?;
                    }
                }
                _ = tokio::time::sleep(POOL_WAIT), if room => {}
            }
        }
    }

    fn may_begin(&self) -> bool {
        self.call.deadline.halt() == Halt::Go && !self.call.pump.stopped()
    }

    async fn read_due(&mut self) -> Result<()> {
        if self.what.account.is_some() {
            return Ok(());
        }
        let (reach, now, regardless) = (self.reach.clone(), self.call.now(), self.what.regardless);
        // With NOW every enabled account is "due" again after its visit.
        let known = if regardless { self.visited.len() as u32 } else { self.still_due };
        let limit = READ_AHEAD.saturating_add(known);
        let due = self.call.with_store(move |store| store.due(&reach, now, regardless, limit)).await?;
        self.queue.extend(due.into_iter().filter(|id| !self.visited.contains(id)));
        Ok(())
    }

    fn begin(&mut self, id: String) {
        let Some(commits) = self.commits.clone() else {
            return;
        };
        self.visited.insert(id.clone());
        let call = self.call.clone();
        let (account, regardless) = (id.clone(), self.what.regardless);
        let known = Arc::new(OnceLock::new());
        let read = known.clone();
        let task =
            self.running.spawn(async move { visit::visit(&call, commits, account, regardless, &read).await });
        self.names.insert(task.id(), known);
    }

    async fn ended(
        &mut self,
        ended: std::result::Result<(Id, Result<Option<Visited>>), JoinError>,
    ) -> Result<()> {
        let known = match &ended {
            Ok((task, _)) => self.names.remove(task),
            Err(e) => self.names.remove(&e.id()),
        };
        let visited = match ended {
            Ok((_, Ok(Some(visited)))) => visited,
            Ok((_, Ok(None))) => {
                self.still_due += 1;
                return Ok(());
            }
            Ok((_, Err(error))) => {
                // Its state was not written.
                self.still_due += 1;
                failed(error)
            }
            Err(_) => match known.as_ref().and_then(|known| known.get()) {
                Some(known) => self.panicked(known.clone()).await?,
                None => failed(Error::bug("a session panicked before it had read its account")),
            },
        };
        self.count(visited);
        Ok(())
    }

    /// A session that panicked ended itself only: the others go on (I15).
    async fn panicked(&mut self, known: Known) -> Result<Visited> {
        let error = Error::bug(format!("the session of account {} panicked", known.id));
        let now = self.call.now();
        let shown = error.clone();
        let before = self
            .call
            .with_store(move |store| {
                let before = store.account(&known.id)?;
                let pass = trail::pass(now, now, Outcome::Bug, Some(&shown), Counts::default());
                let is_there = store.add_pass(&known, &pass, &mut |state| {
                    if state.outcome != Some(Outcome::Bug) {
                        state.since = now;
                    }
                    state.outcome = Some(Outcome::Bug);
                    state.status = shown.status.code();
                    state.cause = shown.cause.to_owned();
                    state.message = shown.message.clone();
                    state.advice = shown.advice.clone();
                    state.for_user = shown.for_user().to_owned();
                    state.for_operator = shown.for_operator().to_owned();
                    state.last_try = Some(now);
                    state.called.operator = Some(Outcome::Bug);
                    state.failures += 1;
                    // Soon again: if a message is the cause it is told apart, and then set aside.
                    let wait = retry::wait_s(Outcome::Transient, state.failures, 0, 0.5);
                    state.next_due = now + u64::from(wait);
                })?;
                Ok(before.filter(|_| is_there))
            })
            .await?;
        // The session can tell nobody any more. Removed meanwhile, the account is nobody's.
        if let Some(row) = before {
            let bug = Some(Outcome::Bug);
            if row.state.called.operator != bug {
                self.call
                    .pump
                    .event(events::of(&row.account, EventKind::OperatorNeeded, bug, Some(&error)))
                    .await;
            }
            self.call.pump.event(events::of(&row.account, EventKind::AccountEnd, bug, Some(&error))).await;
        }
        Ok(failed(error))
    }

    fn count(&mut self, visited: Visited) {
        let report = &mut self.report;
        report.messages_taken += visited.counts.messages_done;
        report.messages_deferred += visited.counts.deferred;
        report.messages_refused += visited.counts.refused;
        report.messages_deleted += visited.counts.deleted;
        report.bytes += visited.counts.bytes_done;
        report.accounts_tried += 1;
        match visited.outcome {
            Outcome::Ok => report.accounts_ok += 1,
            Outcome::OkMore => {
                report.accounts_ok += 1;
                report.more = true;
                self.still_due += 1;
            }
            Outcome::Busy => {
                report.accounts_busy += 1;
                self.still_due += 1;
            }
            _ => {}
        }
        let Some(error) = visited.error else { return };
        match error.status.code() {
            -9..=-1 => report.failed_host += 1,
            -19..=-10 => report.failed_operator += 1,
            -29..=-20 => report.failed_user += 1,
            -39..=-30 => report.failed_time += 1,
            -49..=-40 => report.failed_sink += 1,
            _ => report.failed_bug += 1,
        }
        if self.what.account.is_some() {
            self.named = Err(error);
        }
    }

    async fn next_due(&mut self) -> Result<()> {
        let reach = self.reach.clone();
        let account = self.what.account.clone();
        let next = self
            .call
            .with_store(move |store| match account {
                Some(id) => Ok(store.account(&id)?.and_then(|row| {
                    let state = &row.state;
                    let due = state.next_due.max(state.not_before).max(state.aside_until);
                    (row.account.enabled && !state.paused).then_some(due)
                })),
                None => {
                    let give_back = if reach.is_all() { store.next_revocation()? } else { None };
                    Ok(store.next_due(&reach)?.into_iter().chain(give_back).min())
                }
            })
            .await?;
        let now = self.call.now();
        self.report.next_due_s = match next {
            None => NEVER,
            Some(at) if at > now => u32::try_from(at - now).unwrap_or(NEVER - 1),
            Some(_) if self.report.more => 0,
            Some(_) => BUSY_S,
        };
        Ok(())
    }
}

fn failed(error: Error) -> Visited {
    let outcome = match error.status {
        Status::Cancelled | Status::Deadline => Outcome::OkMore,
        status => Outcome::of(status),
    };
    Visited { outcome, error: Some(error), counts: Counts::default() }
}

async fn tell(call: &Call, kind: EventKind, report: &Report) {
    let counts = Counts {
        messages_done: report.messages_taken,
        messages_total: report.messages_taken,
        bytes_done: report.bytes,
        bytes_total: report.bytes,
        deferred: report.messages_deferred,
        refused: report.messages_refused,
        deleted: report.messages_deleted,
    };
    let event = Event {
        kind,
        account: String::new(),
        owner: String::new(),
        outcome: None,
        status: 0,
        cause: String::new(),
        message: String::new(),
        advice: String::new(),
        retry_after_s: 0,
        counts,
    };
    call.pump.event(event).await;
}
