//! Steps one after the other: timed, and the first that fails is the only one that is red.

use std::future::Future;
use std::time::Instant;

use crate::error::{Error, Result, Status};

/// In the order they are gone.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StepName {
    Configuration,
    Dns,
    Tcp,
    Tls,
    Greeting,
    Token,
    Login,
    Uidl,
}

impl StepName {
    pub const ALL: [StepName; 8] = [
        StepName::Configuration,
        StepName::Dns,
        StepName::Tcp,
        StepName::Tls,
        StepName::Greeting,
        StepName::Token,
        StepName::Login,
        StepName::Uidl,
    ];

    pub fn name(self) -> &'static str {
        match self {
            StepName::Configuration => "configuration",
            StepName::Dns => "dns",
            StepName::Tcp => "tcp",
            StepName::Tls => "tls",
            StepName::Greeting => "greeting",
            StepName::Token => "token",
            StepName::Login => "login",
            StepName::Uidl => "uidl",
        }
    }
}

#[derive(Debug)]
pub struct Step {
    pub name: StepName,
    pub state: State,
    /// 0 where it was not gone.
    pub ms: u64,
    /// For a person: what was seen, or why nothing was.
    pub note: String,
}

#[derive(Debug)]
pub enum State {
    Green,
    Red(Box<Error>),
    /// It cannot be seen.
    Grey,
}

#[derive(Default)]
pub(super) struct Course {
    steps: Vec<Step>,
    unseen: String,
}

impl Course {
    /// Goes a step. `None`: it failed, and no other is to be gone.
    pub async fn step<T>(
        &mut self,
        name: StepName,
        work: impl Future<Output = Result<(T, String)>>,
    ) -> Option<T> {
        let began = Instant::now();
        let done = work.await;
        let ms = u64::try_from(began.elapsed().as_millis()).unwrap_or(u64::MAX);
        match done {
            Ok((value, note)) => {
                self.steps.push(Step { name, state: State::Green, ms, note });
                Some(value)
            }
            // The call ended, not the step.
            Err(error) if matches!(error.status, Status::Cancelled | Status::Deadline) => {
                self.rest_unseen("the call ended before it was seen");
                None
            }
            // As where it is known before the log-in: waiting is no fault of anybody's.
            Err(error) if error.cause == "server.login_delay" => {
                self.rest_unseen("the server wants a pause between log-ins");
                None
            }
            Err(error) => {
                let state = State::Red(Box::new(error));
                self.steps.push(Step { name, state, ms, note: String::new() });
                self.rest_unseen(&format!("not to be seen before {} is mended", name.name()));
                None
            }
        }
    }

    pub fn rest_unseen(&mut self, why: &str) {
        why.clone_into(&mut self.unseen);
    }

    /// All steps, those that were not gone too.
    pub fn end(mut self) -> Vec<Step> {
        for name in &StepName::ALL[self.steps.len()..] {
            self.steps.push(Step { name: *name, state: State::Grey, ms: 0, note: self.unseen.clone() });
        }
        self.steps
    }
}
