//! The state of one POP3 session: which replies are due, and what they are.

use zeroize::Zeroizing;

use super::{Command, Cut, Event, Greeting, Limits, Misuse, ProtocolError};

pub struct Session {
    output: Zeroizing<Vec<u8>>,
}

impl Session {
    pub fn new(_secured: bool, _greeting: Greeting, _limits: Limits) -> Session {
        Session { output: Zeroizing::new(Vec::new()) }
    }

    /// Queues a command's bytes.
    pub fn send(&mut self, _command: Command<'_>) -> Result<(), Misuse> {
        Ok(())
    }

    /// Takes bytes of `input` and answers how many, and what they said, if that is whole. All of `input` is taken
    /// when no event is answered.
    pub fn next<'a>(&'a mut self, input: &'a [u8]) -> Result<(usize, Option<Event<'a>>), ProtocolError> {
        Ok((input.len(), None))
    }

    /// What is to be written; wiped when dropped.
    pub fn take_output(&mut self) -> Zeroizing<Vec<u8>> {
        std::mem::replace(&mut self.output, Zeroizing::new(Vec::new()))
    }

    /// Commands whose replies are not complete.
    pub fn outstanding(&self) -> usize {
        0
    }

    /// Where the session was, for a connection that broke.
    pub fn closed(&self) -> Cut {
        Cut::Nothing
    }
}
