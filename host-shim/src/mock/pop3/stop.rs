//! Halting a session at an exact place, so that a test can look around, or kill its client there.

use std::sync::Arc;
use std::time::{Duration, Instant};

use parking_lot::{Condvar, Mutex};
use tokio::sync::Notify;

use super::fault::Verb;
use super::mailbox::Uidl;

/// When, within a command.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Moment {
    /// The command has been read, nothing done.
    Before,
    /// It has had its effect; the reply is not sent. (QUIT: messages are not yet removed.)
    BeforeReply,
    /// The reply has been handed to the system.
    AfterReply,
    /// So many octets of the multi-line reply have been handed to the system.
    Body(u64),
}

/// A place in a session.
#[derive(Clone, Debug)]
pub struct Place {
    verb: Verb,
    uidl: Option<Uidl>,
    moment: Moment,
    skip: u32,
}

impl Place {
    pub fn new(verb: Verb, moment: Moment) -> Place {
        Place { verb, uidl: None, moment, skip: 0 }
    }

    /// Only for the message of this UIDL.
    pub fn of(self, uidl: &Uidl) -> Place {
        Place { uidl: Some(uidl.clone()), ..self }
    }

    /// Not the first so many times.
    pub fn skip(self, times: u32) -> Place {
        Place { skip: times, ..self }
    }

    fn is_at(&self, verb: Verb, uidl: Option<&[u8]>) -> bool {
        self.verb == verb && self.uidl.as_ref().is_none_or(|wanted| Some(&**wanted) == uidl)
    }
}

/// A halt asked for: the first session to come by waits until it is released (or the client goes away).
/// Used up then; dropping it releases.
pub struct Stop {
    shared: Arc<Shared>,
}

struct Shared {
    place: Place,
    state: Mutex<State>,
    arrived: Condvar,
    go_on: Notify,
}

struct State {
    skip: u32,
    reached: bool,
    released: bool,
}

impl Stop {
    /// Waits until a session stands at the place; false if the time is over.
    pub fn reached(&self, within: Duration) -> bool {
        let deadline = Instant::now() + within;
        let mut state = self.shared.state.lock();
        while !state.reached {
            if self.shared.arrived.wait_until(&mut state, deadline).timed_out() {
                return state.reached;
            }
        }
        true
    }

    /// Lets the session go on.
    pub fn release(&self) {
        self.shared.state.lock().released = true;
        self.shared.go_on.notify_one();
    }
}

impl Drop for Stop {
    fn drop(&mut self) {
        self.release();
    }
}

/// The halts asked for of one server.
#[derive(Default)]
pub(super) struct Stops(Mutex<Vec<Arc<Shared>>>);

impl Stops {
    pub fn add(&self, place: Place) -> Stop {
        let state = State { skip: place.skip, reached: false, released: false };
        let shared = Arc::new(Shared {
            place,
            state: Mutex::new(state),
            arrived: Condvar::new(),
            go_on: Notify::new(),
        });
        self.0.lock().push(shared.clone());
        Stop { shared }
    }

    /// Halts here if a halt was asked for. The caller has flushed, so that what was said before is out.
    pub async fn pass(&self, verb: Verb, uidl: Option<&[u8]>, moment: Moment) {
        let Some(stop) = self.due(verb, uidl, moment) else {
            return;
        };
        stop.arrived.notify_all();
        while !stop.state.lock().released {
            stop.go_on.notified().await;
        }
    }

    /// The next octet count, from this one on, at which a multi-line reply halts.
    pub fn next_in_body(&self, verb: Verb, uidl: Option<&[u8]>, from: u64) -> Option<u64> {
        let stops = self.0.lock();
        let here = stops.iter().filter(|stop| stop.place.is_at(verb, uidl)).map(|stop| stop.place.moment);
        let counts = here.filter_map(|moment| match moment {
            Moment::Body(count) if count >= from => Some(count),
            _ => None,
        });
        counts.min()
    }

    fn due(&self, verb: Verb, uidl: Option<&[u8]>, moment: Moment) -> Option<Arc<Shared>> {
        let mut stops = self.0.lock();
        let found = stops.iter().position(|stop| {
            let here = stop.place.moment == moment && stop.place.is_at(verb, uidl);
            here && {
                let mut state = stop.state.lock();
                let due = state.skip == 0;
                state.skip = state.skip.saturating_sub(1);
                state.reached = due;
                due
            }
        })?;
        Some(stops.remove(found))
    }

    /// True if no halt is asked for: the fast way past.
    pub fn is_empty(&self) -> bool {
        self.0.lock().is_empty()
    }
}
