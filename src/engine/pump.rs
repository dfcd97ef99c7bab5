//! The bounded channel between the call's driving thread and the calling thread, on which the host's callbacks run.
//!
//! The calling thread starts the driving thread with every asynchronous signal blocked, and from then on only runs
//! callbacks and waits. A message travels as begin, pieces, end; nobody waits for an answer before the next step,
//! so the next RETR can be under way while the sink still writes. What is under way is bounded by the prefetch
//! pool (bytes) and the channel (steps). Log lines never wait: a full channel drops and counts them.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
use parking_lot::Mutex;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};

use crate::error::{Error, Result, Status};
use crate::model::{Answer, Event, Message, Reply};

/// Bytes of one piece at the most.
pub const PIECE_BYTES: usize = 64 * 1024;
/// Steps that may wait for the calling thread.
const CHANNEL_STEPS: usize = 256;

/// What the host's side offers. Called on the calling thread only, one call after another.
pub trait Host {
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

enum Step {
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

struct Shared {
    stopped: AtomicBool,
    dropped_lines: AtomicU64,
    next_ticket: AtomicU64,
    pool: Arc<Semaphore>,
    pool_bytes: usize,
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
            dropped_lines: AtomicU64::new(0),
            next_ticket: AtomicU64::new(1),
            pool: Arc::new(Semaphore::new(pool_bytes)),
            pool_bytes,
            has_offer: host.has_offer(),
            has_flush: host.has_flush(),
        }),
    };
    let shared = pump.shared.clone();
    std::thread::scope(|scope| {
        let driving = with_signals_blocked(|| {
            std::thread::Builder::new().name("multipop".into()).spawn_scoped(scope, move || work(pump))
        })?;
        let mut tickets = Tickets { host, shared: &shared, open: HashMap::new() };
        while let Some(step) = waiting.blocking_recv() {
            tickets.take(step);
        }
        tickets.abort_all();
        drop(waiting);
        driving
            .join()
            .map_err(|_| Error::bug("the driving thread panicked; see the log line before this one"))
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
        if self.steps.try_send(Step::Log(level, line)).is_err() {
            self.shared.dropped_lines.fetch_add(1, Ordering::Relaxed);
        }
    }

    /// Log lines dropped since this was last asked.
    pub fn take_dropped_lines(&self) -> u64 {
        self.shared.dropped_lines.swap(0, Ordering::Relaxed)
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
struct TicketState {
    decided: AtomicBool,
    begun: Mutex<Option<Cookie>>,
}

impl Ticket {
    /// The sink has already said something other than GO: more pieces would only be dropped.
    pub fn is_decided(&self) -> bool {
        self.state.decided.load(Ordering::Acquire)
    }

    /// Hands a piece over; waits for room in the prefetch pool.
    pub async fn data(&self, piece: Vec<u8>) -> Result<()> {
        debug_assert!(piece.len() <= PIECE_BYTES);
        if self.is_decided() || piece.is_empty() {
            return Ok(());
        }
        let size = piece.len().min(self.pump.shared.pool_bytes) as u32;
        let permit = self.pump.shared.pool.clone().acquire_many_owned(size).await.map_err(|_| closed())?;
        self.pump.send(Step::Data(self.id, piece, permit)).await
    }

    /// The message is whole. The verdict comes when the sink has answered.
    pub async fn end(mut self) -> Result<oneshot::Receiver<Verdict>> {
        self.ended = true;
        self.pump.send(Step::End(self.id)).await?;
        self.verdict.take().ok_or_else(closed)
    }

    /// The message will not be whole: waits until the sink was told. Answers a verdict given before.
    pub async fn abort(mut self) -> Result<Option<Verdict>> {
        self.ended = true;
        self.pump.send(Step::Abort(self.id)).await?;
        match self.verdict.take() {
            Some(verdict) => Ok(verdict.await.ok()),
            None => Ok(None),
        }
    }
}

impl Drop for Ticket {
    fn drop(&mut self) {
        if !self.ended {
            // A session that panicked or was cancelled. If the channel is full the calling thread aborts what is
            // open when the call ends.
            let _ = self.pump.steps.try_send(Step::Abort(self.id));
        }
    }
}

/// The calling thread's side.
struct Tickets<'a> {
    host: &'a mut dyn Host,
    shared: &'a Shared,
    open: HashMap<u64, Open>,
}

struct Open {
    cookie: Cookie,
    state: Arc<TicketState>,
    answer: oneshot::Sender<Verdict>,
}

impl Tickets<'_> {
    fn take(&mut self, step: Step) {
        match step {
            Step::Log(level, line) => self.host.log(level, &line),
            Step::Event(event) => self.host.event(&event),
            Step::Offer(message, answer) => {
                let reply = if self.stopped() { stop() } else { self.host.offer(&message) };
                self.note_stop(&reply);
                let _ = answer.send(reply);
            }
            Step::Begin(id, message, state, answer) => self.begin(id, &message, state, answer),
            Step::Data(id, piece, _room) => {
                let Some(open) = self.open.get(&id) else {
                    return;
                };
                let reply = if self.stopped() { stop() } else { self.host.data(open.cookie, &piece) };
                if reply.answer != Answer::Go {
                    self.note_stop(&reply);
                    self.host.abort(self.open[&id].cookie);
                    self.decide(id, reply, true);
                }
            }
            Step::End(id) => {
                let Some(open) = self.open.get(&id) else {
                    return;
                };
                let cookie = open.cookie;
                if self.stopped() {
                    self.host.abort(cookie);
                    self.decide(id, stop(), true);
                } else {
                    let reply = self.host.end(cookie);
                    self.note_stop(&reply);
                    self.decide(id, reply, false);
                }
            }
            Step::Abort(id) => {
                if let Some(open) = self.open.remove(&id) {
                    self.host.abort(open.cookie);
                }
            }
            Step::Flush(answer) => {
                let reply = self.host.flush();
                let _ = answer.send(reply);
            }
        }
    }

    fn begin(
        &mut self,
        id: u64,
        message: &Message,
        state: Arc<TicketState>,
        answer: oneshot::Sender<Verdict>,
    ) {
        let (reply, cookie) =
            if self.stopped() { (stop(), Cookie::default()) } else { self.host.begin(message) };
        self.note_stop(&reply);
        *state.begun.lock() = Some(cookie);
        self.open.insert(id, Open { cookie, state, answer });
        if reply.answer != Answer::Go {
            self.decide(id, reply, true);
        }
    }

    fn decide(&mut self, id: u64, reply: Reply, early: bool) {
        if let Some(open) = self.open.remove(&id) {
            open.state.decided.store(true, Ordering::Release);
            let _ = open.answer.send(Verdict { reply, early });
        }
    }

    /// A call that broke off leaves no message open at the host.
    fn abort_all(&mut self) {
        for (_, open) in self.open.drain() {
            self.host.abort(open.cookie);
        }
    }

    fn stopped(&self) -> bool {
        self.shared.stopped.load(Ordering::Acquire)
    }

    fn note_stop(&self, reply: &Reply) {
        if reply.answer == Answer::Stop {
            self.shared.stopped.store(true, Ordering::Release);
        }
    }
}

fn stop() -> Reply {
    Reply { answer: Answer::Stop, reason: String::new() }
}
