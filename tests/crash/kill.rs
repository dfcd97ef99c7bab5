//! SIGKILL at an exact place of a fetch.

use std::os::unix::process::ExitStatusExt;
use std::time::Duration;

use multipop_host::mock::pop3::{Moment, Place, Verb};

use super::host::{self, Here, Into};
use super::world::World;

/// The steps of a message's life a kill is counted under.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Step {
    Body,
    SinkEnd,
    Record,
    Dele,
    Quit,
}

impl Step {
    pub const ALL: [Step; 5] = [Step::Body, Step::SinkEnd, Step::Record, Step::Dele, Step::Quit];
}

#[derive(Clone, Copy, Debug)]
pub enum Kill {
    /// So long after the server halted there, having come by so often before.
    Server { verb: Verb, moment: Moment, skip: u32, wait_ms: u64 },
    /// So long after the host came by there, where it waits or `runs_on`.
    Sink { here: Here, skip: u32, wait_us: u64, runs_on: bool },
}

/// Every step, six times; where in its step differs.
pub fn schedule() -> Vec<Kill> {
    let mut kills = Vec::new();
    for turn in 0..6 {
        let moment = [Moment::Before, Moment::BeforeReply, Moment::AfterReply][turn as usize % 3];
        let here = if turn % 2 == 0 { Here::EndBegins } else { Here::EndReturns };
        kills.push(Kill::Server {
            verb: Verb::Retr,
            moment: Moment::Body(100 + 500 * u64::from(turn)),
            skip: 3 * turn,
            wait_ms: 5,
        });
        kills.push(Kill::Sink { here, skip: 5 * turn, wait_us: 3000, runs_on: false });
        kills.push(match turn % 3 {
            0 => Kill::Sink { here: Here::Flushed, skip: 0, wait_us: 3000, runs_on: false },
            1 => Kill::Sink { here: Here::Flushed, skip: 0, wait_us: 400 * u64::from(turn), runs_on: true },
            _ => Kill::Sink { here: Here::Recorded, skip: 0, wait_us: 3000, runs_on: false },
        });
        kills.push(Kill::Server { verb: Verb::Dele, moment, skip: 2 * turn, wait_ms: 5 });
        kills.push(Kill::Server { verb: Verb::Quit, moment, skip: 0, wait_ms: 5 });
    }
    kills
}

impl Kill {
    pub fn step(self) -> Step {
        match self {
            Kill::Server { verb: Verb::Dele, .. } => Step::Dele,
            Kill::Server { verb: Verb::Quit, .. } => Step::Quit,
            Kill::Server { .. } => Step::Body,
            Kill::Sink { here: Here::EndBegins | Here::EndReturns, .. } => Step::SinkEnd,
            Kill::Sink { .. } => Step::Record,
        }
    }

    /// Runs a host and kills it there; `false` if it came to its end before.
    pub fn strike(self, world: &World, into: Into) -> bool {
        let dir = world.dir.path();
        let status = match self {
            Kill::Server { verb, moment, skip, wait_ms } => {
                let stop = world.pop.stop_at(Place::new(verb, moment).skip(skip));
                let (mut child, _) = host::start(dir, into, None);
                while !stop.reached(Duration::from_millis(5)) {
                    if let Some(status) = child.try_wait().unwrap() {
                        assert!(status.success(), "{self:?}: {status}");
                        return false;
                    }
                }
                // Also for what lies between here and what the server sees.
                std::thread::sleep(Duration::from_millis(wait_ms));
                child.kill().unwrap();
                // Before the halt ends, so that the server does not speak to the living.
                child.wait().unwrap()
            }
            Kill::Sink { here, skip, wait_us, runs_on } => {
                let (mut child, told) = host::start(dir, into, Some((here, skip, runs_on)));
                let held = told.and_then(|told| told.reached(&mut child));
                if held.is_some() {
                    std::thread::sleep(Duration::from_micros(wait_us));
                    child.kill().unwrap();
                }
                child.wait().unwrap()
            }
        };
        assert!(status.success() || status.signal() == Some(9), "{self:?}: {status}");
        // The server has noticed, so that nothing of this run is counted with the next.
        assert!(world.pop.journal().wait_closed(Duration::from_secs(10)));
        status.signal() == Some(9)
    }
}
