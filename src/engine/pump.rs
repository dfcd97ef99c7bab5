//! The bounded channel between the call's driving thread and the calling thread, on which the host's callbacks run.
//!
//! The calling thread starts the driving thread with every asynchronous signal blocked, and from then on only runs
//! callbacks and waits. A message travels as begin, pieces, end; nobody waits for an answer before the next step,
//! so the next RETR can be under way while the sink still writes. What is under way is bounded by the prefetch
//! pool (bytes) and the channel (steps). Log lines never wait: a full channel drops and counts them.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use parking_lot::Mutex;
use tokio::sync::{Notify, OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use super::piece::{PIECE_BYTES, Spare};
use super::tickets::Tickets;
use crate::error::{Error, Result, Status};
use crate::model::{Event, Message, Reply};

/// Steps that may wait for the calling thread.
const CHANNEL_STEPS: usize = 256;

/// What the host's side offers. Called on the calling thread only, one call after another.
pub trait Host {
    /// The least severe lines wanted; others are not even sent.
    fn log_level(&self) -> log::LevelFilter {
        log::LevelFilter::Trace
    }
    fn log(&mut self, level: log::Level, line: &str);
    fn event(&mut self, event: &Event);
    fn has_offer(&self) -> bool;
    fn has_flush(&self) -> bool;
    fn offer(&mut self, message: &Message) -> Reply;
    /// The cookie is the host's; it comes back with every later step of the message.
    fn begin(&mut self, message: &Message) -> (Reply, Cookie);
    fn data(&mut self, cookie: Cookie, bytes: &[u8]) -> Reply;
    fn end(&mut self, cookie: Cookie) -> Reply;
    fn abort(&mut self, cookie: Cookie);
    /// `Answer::Go` is success.
    fn flush(&mut self) -> Reply;
    /// Something below panicked where nothing can be relied on any more: this instance must not be used again.
    fn botched(&mut self) {}
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Cookie(pub usize);

/// The host's last word on a message.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    pub reply: Reply,
    /// The answer came from `begin` (or `data`), before the whole message was handed over.
    pub early: bool,
}

pub(super) enum Step {
    Log(log::Level, String),
    Event(Event),
    Offer(Message, oneshot::Sender<Reply>),
    Begin(u64, Box<Message>, Arc<TicketState>, oneshot::Sender<Verdict>),
    Data(u64, Vec<u8>, OwnedSemaphorePermit),
    End(u64),
    Abort(u64),
    Flush(oneshot::Sender<Reply>),
}

/// The driving side's end of the channel. Cheap to clone.
#[derive(Clone)]
pub struct Pump {
    steps: mpsc::Sender<Step>,
    shared: Arc<Shared>,
}

pub(super) struct Shared {
    pub stopped: AtomicBool,
    /// No message is begun any more; those that are come to their end.
    pub closing: AtomicBool,
    pub dropped_lines: AtomicU64,
    next_ticket: AtomicU64,
    /// Tickets dropped while the channel was full: to be aborted before the next step.
    pub orphans: Mutex<Vec<u64>>,
    botched: AtomicBool,
    pub log_level: log::LevelFilter,
    pool: Arc<Semaphore>,
    pool_bytes: usize,
    pub spare: Spare,
    has_offer: bool,
    has_flush: bool,
}

/// Runs `work` on the call's driving thread and the host's callbacks on this one, until `work` is done and
/// everything it sent was handled. A panic in `work` is an error of ours, never the host's.
pub fn run<T: Send>(
    host: &mut dyn Host,
    pool_bytes: usize,
    work: impl FnOnce(Pump) -> T + Send,
) -> Result<T> {
    let (steps, mut waiting) = mpsc::channel(CHANNEL_STEPS);
    let pump = Pump {
        steps,
        shared: Arc::new(Shared {
            stopped: AtomicBool::new(false),
            closing: AtomicBool::new(false),
            dropped_lines: AtomicU64::new(0),
            next_ticket: AtomicU64::new(1),
            orphans: Mutex::new(Vec::new()),
            botched: AtomicBool::new(false),
            log_level: host.log_level(),
            pool: Arc::new(Semaphore::new(pool_bytes)),
            pool_bytes,
            spare: Spare::default(),
            has_offer: host.has_offer(),
            has_flush: host.has_flush(),
        }),
    };
    let shared = pump.shared.clone();
    std::thread::scope(|scope| {
        let driving = with_signals_blocked(|| {
            std::thread::Builder::new().name("multipop".into()).spawn_scoped(scope, move || work(pump))
        })?;
        let mut tickets = Tickets::new(host, &shared);
        while let Some(step) = waiting.blocking_recv() {
            tickets.abort_orphans();
            tickets.take(step);
        }
        tickets.abort_all();
        drop(waiting);
        let done = driving
            .join()
            .map_err(|_| Error::bug("the driving thread panicked; see the log line before this one"));
        tickets.tell_dropped_lines();
        if done.is_err() || shared.botched.load(Ordering::Acquire) {
            tickets.botched();
        }
        done
    })
}

/// Threads inherit the mask: a host's handlers never run on our stacks, and a write to a closed peer is an error
/// and no SIGPIPE. Synchronous faults stay open, since blocking them is undefined.
fn with_signals_blocked<T>(start: impl FnOnce() -> std::io::Result<T>) -> Result<T> {
    let resources = |what: &str, why: String| {
        Error::new(Status::Resources, "resources.thread", format!("{what}: {why}"))
            .advice("The process is out of threads or memory; raise its limits.")
    };
    let mut blocked = SigSet::all();
    for fault in [Signal::SIGSEGV, Signal::SIGBUS, Signal::SIGFPE, Signal::SIGILL] {
        blocked.remove(fault);
    }
    let before = blocked
        .thread_swap_mask(SigmaskHow::SIG_SETMASK)
        .map_err(|e| resources("signal mask", e.to_string()))?;
    let started = start();
    before.thread_set_mask().map_err(|e| resources("signal mask", e.to_string()))?;
    started.map_err(|e| resources("driving thread", e.to_string()))
}

impl Pump {
    /// Never waits. Answers whether the line was taken.
    pub fn log(&self, level: log::Level, line: String) {
        if level > self.shared.log_level {
            return;
        }
        if self.steps.try_send(Step::Log(level, line)).is_err() {
            self.shared.dropped_lines.fetch_add(1, Ordering::Relaxed);
        }
    }

    pub fn log_level(&self) -> log::LevelFilter {
        self.shared.log_level
    }

    /// A step of the store panicked: the call ends as it can, and the instance with it.
    pub fn botch(&self) {
        self.shared.botched.store(true, Ordering::Release);
    }

    pub async fn event(&self, event: Event) {
        // The channel closes only when the call is over; then nobody is left to be told.
        let _ = self.steps.send(Step::Event(event)).await;
    }

    /// For progress: better dropped than waited for.
    pub fn event_if_room(&self, event: Event) {
        let _ = self.steps.try_send(Step::Event(event));
    }

    pub fn has_offer(&self) -> bool {
        self.shared.has_offer
    }

    pub fn has_flush(&self) -> bool {
        self.shared.has_flush
    }

    /// The deadline is reached: what was fetched ahead and not begun at the host is given up, so that what the host
    /// has can be ended tidily in time, however slow it is.
    pub fn close(&self) {
        self.shared.closing.store(true, Ordering::Release);
    }

    /// The sink answered STOP somewhere.
    pub fn stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::Acquire)
    }

    /// Whether less than one piece of room is left in the prefetch pool.
    pub fn is_full(&self) -> bool {
        self.shared.pool.available_permits() < PIECE_BYTES.min(self.shared.pool_bytes)
    }

    pub async fn offer(&self, message: Message) -> Result<Reply> {
        let (answer, wait) = oneshot::channel();
        self.send(Step::Offer(message, answer)).await?;
        wait.await.map_err(|_| closed())
    }

    /// Hands a message's beginning over; does not wait for the answer.
    pub async fn begin(&self, message: Message) -> Result<Ticket> {
        let id = self.shared.next_ticket.fetch_add(1, Ordering::Relaxed);
        let state = Arc::new(TicketState::default());
        let (answer, verdict) = oneshot::channel();
        self.send(Step::Begin(id, Box::new(message), state.clone(), answer)).await?;
        Ok(Ticket { id, pump: self.clone(), state, verdict: Some(verdict), ended: false })
    }

    /// Whole pieces to fill.
    pub(super) fn spare(&self) -> &Spare {
        &self.shared.spare
    }

    pub async fn flush(&self) -> Result<Reply> {
        let (answer, wait) = oneshot::channel();
        self.send(Step::Flush(answer)).await?;
        wait.await.map_err(|_| closed())
    }

    async fn send(&self, step: Step) -> Result<()> {
        self.steps.send(step).await.map_err(|_| closed())
    }
}

fn closed() -> Error {
    Error::bug("the calling thread left while the call was running")
}

/// A message on its way to the sink. Dropped before `end`, it is aborted.
pub struct Ticket {
    id: u64,
    pump: Pump,
    state: Arc<TicketState>,
    verdict: Option<oneshot::Receiver<Verdict>>,
    ended: bool,
}

#[derive(Default)]
pub(super) struct TicketState {
    pub decided: AtomicBool,
    /// `begin` has returned.
    pub begun: AtomicBool,
    pub on_begun: Notify,
}

impl Ticket {
    /// The sink has already said something other than GO: more pieces would only be dropped.
    pub fn is_decided(&self) -> bool {
        self.state.decided.load(Ordering::Acquire)
    }

    /// Waits until `begin` has returned; answers whether the sink said GO.
    pub async fn begun(&self) -> bool {
        while !self.state.begun.load(Ordering::Acquire) {
            self.state.on_begun.notified().await;
        }
        !self.is_decided()
    }

    /// Hands a piece over; waits for room in the prefetch pool.
    pub async fn data(&self, piece: Vec<u8>) -> Result<()> {
        debug_assert!(piece.len() <= PIECE_BYTES);
        if self.is_decided() || piece.is_empty() {
            return Ok(());
        }
        let size = piece.capacity().min(self.pump.shared.pool_bytes) as u32;
        let permit = self.pump.shared.pool.clone().acquire_many_owned(size).await.map_err(|_| closed())?;
        self.pump.send(Step::Data(self.id, piece, permit)).await
    }

    /// The message is whole. The verdict comes when the sink has answered.
    pub async fn end(mut self) -> Result<oneshot::Receiver<Verdict>> {
        // Only then: dropped while it waits for the channel, the message is aborted.
        self.pump.send(Step::End(self.id)).await?;
        self.ended = true;
        self.verdict.take().ok_or_else(closed)
    }

    /// The message will not be whole: waits until the sink was told. Answers a verdict given before.
    pub async fn abort(mut self) -> Result<Option<Verdict>> {
        self.pump.send(Step::Abort(self.id)).await?;
        self.ended = true;
        match self.verdict.take() {
            Some(verdict) => Ok(verdict.await.ok()),
            None => Ok(None),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        // A session that panicked or was cancelled. Its account may begin another message at once, so the abort
        // must not be lost to a full channel.
        if !self.ended && !self.is_decided() && self.pump.steps.try_send(Step::Abort(self.id)).is_err() {
            self.pump.shared.orphans.lock().push(self.id);
        }
    }
}
