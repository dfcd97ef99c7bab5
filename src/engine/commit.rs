//! Group commit: what the host has durably is recorded in one transaction for all accounts of the call.
//!
//! Every message the sink took goes through here and nowhere else: QUEUED ones after a `flush` that succeeded,
//! TAKEN ones with them. The order *durable at the host, then recorded* is kept by this file; DELE and QUIT wait
//! for its answer (`mailbox`). A failed flush records nothing of its batch (I1).
//!
//! What is in the host's hands and not yet recorded comes again after a crash, so that it is never more than one batch
//! (I2): each RETR takes a place, and gives it back with the record. A flush is asked for when half of the places are
//! taken, so that the other half fills meanwhile and nobody waits for the disk.

use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, oneshot};
use tokio::time::{Instant, sleep_until};

use super::call::Call;
use super::line::Line;
use crate::error::{Error, Result};
use crate::model::{Answer, LedgerRow, Reply};
use crate::store::{Delivery, Lease};

/// Items that may wait while a batch is being committed.
const WAITING: usize = 1024;

/// A place in the batch, held from RETR to the record.
pub type Place = OwnedSemaphorePermit;

/// A message the sink took.
pub struct Item {
    pub lease: Arc<Lease>,
    pub generation: u32,
    pub row: LedgerRow,
    /// Durable only after the next successful flush.
    pub queued: bool,
    pub octets: u64,
    /// `None` where nothing was downloaded.
    pub place: Option<Place>,
    pub done: oneshot::Sender<Committed>,
}

/// What became of it.
#[derive(Debug)]
pub enum Committed {
    Recorded,
    /// Somebody else has the account now; nothing was recorded.
    LeaseLost,
    FlushFailed(Reply),
    StoreFailed(Error),
}

/// The way to the committer. Cheap to clone; when the last one is gone the committer commits what it has and ends.
#[derive(Clone)]
pub struct Commits {
    orders: mpsc::Sender<Order>,
    places: Arc<Semaphore>,
}

enum Order {
    Item(Box<Item>),
    Now,
}

/// Begins a committer on the current runtime. Its handle ends after the last commit.
pub fn start(call: &Call) -> (Commits, tokio::task::JoinHandle<()>) {
    let (orders, waiting) = mpsc::channel(WAITING);
    let places = Arc::new(Semaphore::new(call.settings.config.limits.flush_messages.max(1) as usize));
    (Commits { orders, places }, tokio::spawn(run(call.clone(), waiting)))
}

impl Commits {
    /// A place in the batch, if one is free.
    pub fn try_place(&self) -> Option<Place> {
        self.places.clone().try_acquire_owned().ok()
    }

    /// Waits for a place. What the sink has taken must have been pushed, or nobody may ever give one back.
    pub async fn place(&self) -> Result<Place> {
        self.places.clone().acquire_owned().await.map_err(|_| Error::bug("the places of a batch are gone"))
    }

    pub async fn push(&self, item: Item) -> Result<()> {
        self.send(Order::Item(Box::new(item))).await
    }

    /// Commits what was pushed before, without waiting for a full batch.
    pub async fn now(&self) -> Result<()> {
        self.send(Order::Now).await
    }

    async fn send(&self, order: Order) -> Result<()> {
        self.orders.send(order).await.map_err(|_| Error::bug("the committer ended before the sessions"))
    }
}

async fn run(call: Call, mut orders: mpsc::Receiver<Order>) {
    let limits = &call.settings.config.limits;
    let half = limits.flush_messages.div_ceil(2).max(1) as usize;
    let wait = Duration::from_millis(limits.flush_ms);
    let mut batch: Vec<Item> = Vec::new();
    let mut octets = 0u64;
    let mut due = Instant::now();
    loop {
        let order = tokio::select! {
            order = orders.recv() => order,
            _ = sleep_until(due), if !batch.is_empty() => Some(Order::Now),
        };
        let full = match order {
            None => break,
            Some(Order::Now) => true,
            Some(Order::Item(item)) => {
                if batch.is_empty() {
                    due = Instant::now() + wait;
                }
                octets += item.octets;
                batch.push(*item);
                batch.len() >= half || octets >= limits.flush_bytes
            }
        };
        if full {
            commit(&call, std::mem::take(&mut batch)).await;
            octets = 0;
        }
    }
    commit(&call, batch).await;
}

async fn commit(call: &Call, batch: Vec<Item>) {
    let durable = flush(call, batch).await;
    if durable.is_empty() {
        return;
    }
    let now = call.now();
    let count = durable.len();
    let (durable, recorded) = match call.with_store(move |store| Ok(record(store, durable, now))).await {
        Ok(done) => done,
        // The senders were dropped with the step; each session hears that its commit is gone.
        Err(e) => return Line::new("record_failed").field("error", e).error(),
    };
    match recorded {
        Ok(answers) => {
            Line::new("recorded").field("messages", count).debug();
            for (item, recorded) in durable.into_iter().zip(answers) {
                let _ = item.done.send(if recorded { Committed::Recorded } else { Committed::LeaseLost });
            }
        }
        Err(e) => {
            Line::new("record_failed").field("messages", count).field("error", &e).error();
            for item in durable {
                let _ = item.done.send(Committed::StoreFailed(e.clone()));
            }
        }
    }
}

/// Asks the host to make durable what it has queued; answers the items that are durable now.
async fn flush(call: &Call, batch: Vec<Item>) -> Vec<Item> {
    if !batch.iter().any(|item| item.queued) {
        return batch;
    }
    let reply =
        call.pump.flush().await.unwrap_or_else(|e| Reply { answer: Answer::Defer, reason: e.message });
    if reply.answer == Answer::Go {
        return batch;
    }
    let (queued, taken): (Vec<Item>, Vec<Item>) = batch.into_iter().partition(|item| item.queued);
    Line::new("flush_failed").field("messages", queued.len()).field("reason", &reply.reason).error();
    for item in queued {
        let _ = item.done.send(Committed::FlushFailed(reply.clone()));
    }
    taken
}

fn record(
    store: &dyn crate::store::Store,
    durable: Vec<Item>,
    now: crate::model::UnixTime,
) -> (Vec<Item>, Result<Vec<bool>>) {
    let deliveries: Vec<Delivery<'_>> = durable
        .iter()
        .map(|item| Delivery { lease: &item.lease, generation: item.generation, row: item.row.clone() })
        .collect();
    let recorded = store.record(&deliveries, now);
    drop(deliveries);
    (durable, recorded)
}
