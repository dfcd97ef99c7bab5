//! When a call must end: its deadline, and the host's cancel.
//!
//! The cancel flag is one atomic the host may set from a signal handler, so nobody is woken by it; it is looked at
//! every `CANCEL_EVERY`. At the deadline a fetch stops beginning messages and ends tidily within `GRACE`.

use std::future::Future;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use tokio::sync::watch;
use tokio::time::{Instant, interval, sleep, sleep_until};

use crate::error::{Error, Result, Status};

const CANCEL_EVERY: Duration = Duration::from_millis(50);
/// What is left after the deadline for flush, record, DELE and QUIT.
pub const GRACE: Duration = Duration::from_secs(5);
/// A message under way at the deadline has so long to end.
const LAST_MESSAGE: Duration = Duration::from_secs(2);
/// A token that was renewed and is not heard of is lost, and with it the grant where the provider takes each refresh
/// token once. A cancel must end within a second all the same.
const LAST_ANSWER: Duration = Duration::from_millis(400);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Halt {
    Go,
    /// The deadline is reached: nothing new, end tidily.
    Tidy,
    /// A message still under way is broken off, so that what came before it can be ended tidily.
    BreakOff,
    /// The grace is over, or the host cancelled: drop everything that waits for the network.
    Now,
}

#[derive(Clone)]
pub struct Deadline {
    state: watch::Receiver<Halt>,
    cancel: Arc<AtomicBool>,
    /// What ended this part of the call alone.
    severed: Arc<OnceLock<Error>>,
}

/// Ends a part of a call at once.
pub struct Sever {
    state: watch::Sender<Halt>,
    why: Arc<OnceLock<Error>>,
}

impl Sever {
    pub fn now(&self, why: Error) {
        // Once only: the first reason stays.
        let _ = self.why.set(why);
        self.state.send_replace(Halt::Now);
    }
}

impl Deadline {
    /// Begins to watch, on the current runtime.
    pub fn start(after: Duration, cancel: Arc<AtomicBool>) -> Deadline {
        let (set, state) = watch::channel(Halt::Go);
        let flag = cancel.clone();
        let tidy_at = Instant::now() + after;
        tokio::spawn(async move {
            let mut tick = interval(CANCEL_EVERY);
            loop {
                tokio::select! {
                    _ = tick.tick() => {}
                    _ = sleep_until(tidy_at), if *set.borrow() == Halt::Go => {}
                    _ = set.closed() => return,
                }
                let halt = if flag.load(Ordering::Acquire) || Instant::now() >= tidy_at + GRACE {
                    Halt::Now
                } else if Instant::now() >= tidy_at + LAST_MESSAGE {
                    Halt::BreakOff
                } else if Instant::now() >= tidy_at {
                    Halt::Tidy
                } else {
                    Halt::Go
                };
                if *set.borrow() != halt {
                    set.send_replace(halt);
                }
                if halt == Halt::Now {
                    return;
                }
            }
        });
        Deadline { state, cancel, severed: Arc::default() }
    }

    /// The same for a part of the call, which may be ended before the rest.
    pub fn of_a_part(&self) -> (Deadline, Sever) {
        let (set, state) = watch::channel(self.halt());
        let why = Arc::new(OnceLock::new());
        let sever = Sever { state: set.clone(), why: why.clone() };
        let mut whole = self.state.clone();
        tokio::spawn(async move {
            loop {
                let halt = *whole.borrow_and_update();
                set.send_if_modified(|now| std::mem::replace(now, halt.max(*now)) < halt);
                tokio::select! {
                    changed = whole.changed() => if changed.is_err() { return },
                    _ = set.closed() => return,
                }
            }
        });
        (Deadline { state, cancel: self.cancel.clone(), severed: why }, sever)
    }

    pub fn halt(&self) -> Halt {
        *self.state.borrow()
    }

    pub fn is_cancelled(&self) -> bool {
        self.cancel.load(Ordering::Acquire)
    }

    /// Waits until it is at least this late.
    pub async fn reached(&self, halt: Halt) {
        let mut state = self.state.clone();
        // The watcher ends only after `Now` was sent, and the last value stays.
        if state.wait_for(|now| *now >= halt).await.is_err() {
            std::future::pending::<()>().await;
        }
    }

    /// Why everything stops now.
    pub fn error(&self) -> Error {
        if let Some(why) = self.severed.get() {
            why.clone()
        } else if self.is_cancelled() {
            Error::new(Status::Cancelled, "cancelled", "the host cancelled the call")
        } else {
            Error::new(Status::Deadline, "deadline", "the call's deadline was reached")
        }
    }

    /// Runs a step unless everything must stop now.
    pub async fn bound<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            _ = self.reached(Halt::Now) => Err(self.error()),
            done = step => done,
        }
    }

    /// The same for a request whose answer may have had its effect already: it has `LAST_ANSWER` to arrive.
    pub async fn bound_to_answer<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        let over = async {
            let is_over_already = self.halt() == Halt::Now;
            self.reached(Halt::Now).await;
            if !is_over_already {
                sleep(LAST_ANSWER).await;
            }
        };
        tokio::select! {
            biased;
            () = over => Err(self.error()),
            done = step => done,
        }
    }

    /// Reads of a message, which is broken off a while after the deadline.
    pub async fn bound_reading<T>(&self, step: impl Future<Output = Result<T>>) -> Result<T> {
        tokio::select! {
            biased;
            _ = self.reached(Halt::BreakOff) => Err(self.error()),
            done = step => done,
        }
    }

    /// The same with a time-out of the step's own.
    pub async fn within<T>(
        &self,
        limit: Duration,
        what: &str,
        step: impl Future<Output = Result<T>>,
    ) -> Result<T> {
        match tokio::time::timeout(limit, self.bound(step)).await {
            Ok(done) => done,
            Err(_) => Err(Error::new(
                Status::Transient,
                "timeout",
                format!("{what} did not end within {} s", limit.as_secs()),
            )
            .advice("multipop tries again later. If it stays so, the mail server's operator can help.")),
        }
    }
}
