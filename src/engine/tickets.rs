//! The calling thread's side of the pump: which messages are open at the host, and its callbacks one after another.
//!
//! After begin said GO exactly one of end and abort reaches the host. After STOP no message is begun or ended.

use std::collections::HashMap;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use tokio::sync::oneshot;

use super::pump::{Cookie, Host, Shared, Step, TicketState, Verdict};
use crate::model::{Answer, Message, Reply};

/// The calling thread's side.
pub(super) struct Tickets<'a> {
    host: &'a mut dyn Host,
    shared: &'a Shared,
    open: HashMap<u64, Open>,
}

struct Open {
    cookie: Cookie,
    state: Arc<TicketState>,
    answer: oneshot::Sender<Verdict>,
}

impl<'a> Tickets<'a> {
    pub fn new(host: &'a mut dyn Host, shared: &'a Shared) -> Tickets<'a> {
        Tickets { host, shared, open: HashMap::new() }
    }

    pub fn botched(&mut self) {
        self.host.botched();
    }

    pub fn take(&mut self, step: Step) {
        match step {
            Step::Log(level, line) => self.host.log(level, &line),
            Step::Event(event) => self.host.event(&event),
            Step::Offer(message, answer) => {
                let reply = if self.stopped() { stop() } else { self.host.offer(&message) };
                self.note_stop(&reply);
                let _ = answer.send(reply);
            }
            Step::Begin(id, message, state, answer) => self.begin(id, &message, state, answer),
            Step::Data(id, piece, room) => {
                self.data(id, &piece);
                self.shared.spare.give_back(piece);
                drop(room);
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
            Step::Abort(id) => self.abort(id),
            Step::Flush(answer) => {
                let reply = self.host.flush();
                self.note_stop(&reply);
                let _ = answer.send(reply);
            }
        }
    }

    fn data(&mut self, id: u64, piece: &[u8]) {
        let Some(open) = self.open.get(&id) else {
            return;
        };
        let cookie = open.cookie;
        let reply = if self.stopped() { stop() } else { self.host.data(cookie, piece) };
        if reply.answer != Answer::Go {
            self.note_stop(&reply);
            self.host.abort(cookie);
            self.decide(id, reply, true);
        }
    }

    fn begin(
        &mut self,
        id: u64,
        message: &Message,
        state: Arc<TicketState>,
        answer: oneshot::Sender<Verdict>,
    ) {
        let (reply, cookie) = if self.stopped() || self.shared.closing.load(Ordering::Acquire) {
            (stop(), Cookie::default())
        } else {
            let (reply, cookie) = self.host.begin(message);
            self.note_stop(&reply);
            (reply, cookie)
        };
        let begun = state.clone();
        self.open.insert(id, Open { cookie, state, answer });
        if reply.answer != Answer::Go {
            self.decide(id, reply, true);
        }
        begun.begun.store(true, Ordering::Release);
        begun.on_begun.notify_one();
    }

    fn decide(&mut self, id: u64, reply: Reply, early: bool) {
        if let Some(open) = self.open.remove(&id) {
            open.state.decided.store(true, Ordering::Release);
            let _ = open.answer.send(Verdict { reply, early });
        }
    }

    fn abort(&mut self, id: u64) {
        if let Some(open) = self.open.remove(&id) {
            self.host.abort(open.cookie);
        }
    }

    /// One whose beginning still waits in the channel stays noted until it was taken.
    pub fn abort_orphans(&mut self) {
        let mut orphans = std::mem::take(&mut *self.shared.orphans.lock());
        orphans.retain(|id| match self.open.remove(id) {
            Some(open) => {
                self.host.abort(open.cookie);
                false
            }
            None => true,
        });
        self.shared.orphans.lock().append(&mut orphans);
    }

    pub fn tell_dropped_lines(&mut self) {
        let count = self.shared.dropped_lines.swap(0, Ordering::Relaxed);
        if count > 0 && self.shared.log_level >= log::Level::Warn {
            self.host.log(log::Level::Warn, &format!("event=lines_dropped lines={count}"));
        }
    }

    /// A call that broke off leaves no message open at the host.
    pub fn abort_all(&mut self) {
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
