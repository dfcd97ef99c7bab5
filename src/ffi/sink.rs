//! The host's callbacks as the engine sees them (`engine::pump::Host`): answers proved, messages as structs.
//!
//! Called on the thread the host called from, and nowhere else (I5).

use std::ffi::{CString, c_void};
use std::ptr;

use log::{Level, LevelFilter};
use multipop_abi as abi;

use super::callback::{Unwinding, sealed};
use super::host::HostSide;
use super::sized::{read, reserved};
use super::text::{c_lines, c_text, taken};
use crate::engine::pump::{Cookie, Host};
use crate::error::{Error, Result, Status};
use crate::model::{Answer, Event, Message, Reply};

/// `multipop_sink_t`, copied, with what it must have.
pub struct SinkSide {
    sink: abi::Sink,
    begin: unsafe extern "C" fn(*mut c_void, *const abi::Message, *mut *mut c_void, *mut abi::Reason) -> i32,
    data: unsafe extern "C" fn(*mut c_void, *mut c_void, *const u8, usize, *mut abi::Reason) -> i32,
    end: unsafe extern "C" fn(*mut c_void, *mut c_void, *mut abi::Reason) -> i32,
    abort: unsafe extern "C" fn(*mut c_void, *mut c_void),
}

impl SinkSide {
    /// # Safety
    /// `from` is NULL or a `multipop_sink_t` as the header wants it.
    pub unsafe fn read(from: *const abi::Sink) -> Result<SinkSide> {
        // SAFETY: the caller's promise.
        let sink = unsafe { read(from) }?;
        reserved("multipop_sink_t", sink.reserved)?;
        Ok(SinkSide {
            begin: sink.begin.ok_or_else(|| missing("begin"))?,
            data: sink.data.ok_or_else(|| missing("data"))?,
            end: sink.end.ok_or_else(|| missing("end"))?,
            abort: sink.abort.ok_or_else(|| missing("abort"))?,
            sink,
        })
    }
}

fn missing(name: &str) -> Error {
    Error::new(Status::Argument, "argument.sink", format!("the sink has no {name}"))
        .advice("A sink needs begin, data, end and abort; offer and flush are optional.")
}

/// One call's view of the host. Without a sink no message can come.
pub struct Callbacks<'a> {
    host: &'a HostSide,
    sink: Option<SinkSide>,
    pub botched: bool,
}

impl<'a> Callbacks<'a> {
    pub fn new(host: &'a HostSide) -> Callbacks<'a> {
        Callbacks { host, sink: None, botched: false }
    }

    pub fn with_sink(&mut self, sink: SinkSide) {
        self.sink = Some(sink);
    }
}

impl Host for Callbacks<'_> {
    fn log_level(&self) -> LevelFilter {
        self.host.level()
    }

    fn log(&mut self, level: Level, line: &str) {
        self.host.line(level, line);
    }

    fn event(&mut self, event: &Event) {
        self.host.tell(event);
    }

    fn has_offer(&self) -> bool {
        self.sink.as_ref().is_some_and(|side| side.sink.offer.is_some())
    }

    fn has_flush(&self) -> bool {
        self.sink.as_ref().is_some_and(|side| side.sink.flush.is_some())
    }

    fn offer(&mut self, message: &Message) -> Reply {
        let Some(side) = &self.sink else {
            return no_sink();
        };
        let Some(offer) = side.sink.offer else {
            return no_sink();
        };
        let texts = Texts::new(message);
        let message = texts.message(message);
        // SAFETY: the host gave this function for this `user`; the message outlives the call.
        side.ask(Place::Offer, |reason| unsafe { offer.unwinding()(side.sink.user, &message, reason) })
    }

    fn begin(&mut self, message: &Message) -> (Reply, Cookie) {
        let Some(side) = &self.sink else {
            return (no_sink(), Cookie::default());
        };
        let texts = Texts::new(message);
        let message = texts.message(message);
        let mut cookie: *mut c_void = ptr::null_mut();
        // SAFETY: the host gave this function for this `user`; message and cookie outlive the call.
        let reply = side.ask(Place::Begin, |reason| unsafe {
            side.begin.unwinding()(side.sink.user, &message, &mut cookie, reason)
        });
        (reply, Cookie(cookie.expose_provenance()))
    }

    fn data(&mut self, cookie: Cookie, bytes: &[u8]) -> Reply {
        let Some(side) = &self.sink else {
            return no_sink();
        };
        // SAFETY: the host gave this function for this `user`; the cookie is what it left in `begin`.
        side.ask(Place::Data, |reason| unsafe {
            side.data.unwinding()(side.sink.user, pointer(cookie), bytes.as_ptr(), bytes.len(), reason)
        })
    }

    fn end(&mut self, cookie: Cookie) -> Reply {
        let Some(side) = &self.sink else {
            return no_sink();
        };
        // SAFETY: as in `data`.
        side.ask(Place::End, |reason| unsafe {
            side.end.unwinding()(side.sink.user, pointer(cookie), reason)
        })
    }

    fn abort(&mut self, cookie: Cookie) {
        if let Some(side) = &self.sink {
            // SAFETY: as in `data`.
            sealed(|| unsafe { side.abort.unwinding()(side.sink.user, pointer(cookie)) });
        }
    }

    fn flush(&mut self) -> Reply {
        let Some(side) = &self.sink else {
            return no_sink();
        };
        let Some(flush) = side.sink.flush else {
            return no_sink();
        };
        // SAFETY: the host gave this function for this `user`.
        side.ask(Place::Flush, |reason| unsafe { flush.unwinding()(side.sink.user, reason) })
    }

    fn botched(&mut self) {
        self.botched = true;
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    Offer,
    Begin,
    Data,
    End,
    Flush,
}

impl SinkSide {
    fn ask(&self, place: Place, answer: impl FnOnce(*mut abi::Reason) -> i32) -> Reply {
        let mut reason = abi::Reason::INIT;
        let number = sealed(|| answer(&mut reason));
        Reply { answer: proved(number, place, self.sink.flush.is_some()), reason: taken(&reason.text) }
    }
}

/// The answers each callback may give, as the header lists them.
fn proved(number: i32, place: Place, has_flush: bool) -> Answer {
    let first = matches!(place, Place::Offer | Place::Begin);
    match number {
        abi::GO if place != Place::End => Answer::Go,
        abi::TAKEN if first || place == Place::End => Answer::Taken,
        abi::QUEUED if (first || place == Place::End) && has_flush => Answer::Queued,
        abi::DEFER => Answer::Defer,
        abi::DEFER_FULL => Answer::DeferFull,
        abi::DEFER_RECIPIENT => Answer::DeferRecipient,
        abi::REFUSE if place != Place::Flush => Answer::Refuse,
        abi::STOP => Answer::Stop,
        // A flush has only one way to succeed and needs no list of failures.
        _ if place == Place::Flush => Answer::Defer,
        other => Answer::Invalid(other),
    }
}

/// The engine asks for no message in a call without a sink; if it did, nothing must be taken as delivered.
fn no_sink() -> Reply {
    Reply { answer: Answer::Stop, reason: String::new() }
}

fn pointer(cookie: Cookie) -> *mut c_void {
    ptr::with_exposed_provenance_mut(cookie.0)
}

/// The texts of a message, for as long as a callback runs.
struct Texts {
    account: CString,
    owner: CString,
    deliver_to: CString,
    server: CString,
    tls: CString,
    received: CString,
    dedupe_key: Option<CString>,
}

impl Texts {
    fn new(message: &Message) -> Texts {
        Texts {
            account: c_text(&message.account),
            owner: c_text(&message.owner),
            deliver_to: c_text(&message.deliver_to),
            server: c_text(&message.server),
            tls: c_text(&message.tls),
            received: c_lines(&message.received),
            dedupe_key: message.dedupe_key.as_deref().map(c_text),
        }
    }

    fn message(&self, message: &Message) -> abi::Message {
        abi::Message {
            struct_size: size_of::<abi::Message>() as u32,
            flags: if message.may_repeat { abi::MESSAGE_MAY_REPEAT } else { 0 },
            account: self.account.as_ptr(),
            owner: self.owner.as_ptr(),
            deliver_to: self.deliver_to.as_ptr(),
            uidl: message.uidl.as_ptr(),
            uidl_size: message.uidl.len(),
            size_hint: message.size_hint,
            server: self.server.as_ptr(),
            tls: self.tls.as_ptr(),
            received: self.received.as_ptr(),
            dedupe_key: self.dedupe_key.as_ref().map_or(ptr::null(), |key| key.as_ptr()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_answer_is_taken_only_where_the_header_lists_it() {
        let allowed = |place| -> Vec<i32> {
            (-1..=9).filter(|n| !matches!(proved(*n, place, true), Answer::Invalid(_))).collect()
        };
        assert_eq!(allowed(Place::Offer), (0..=7).collect::<Vec<_>>());
        assert_eq!(allowed(Place::Begin), (0..=7).collect::<Vec<_>>());
        assert_eq!(allowed(Place::Data), [0, 3, 4, 5, 6, 7]);
        assert_eq!(allowed(Place::End), (1..=7).collect::<Vec<_>>());
        assert_eq!(proved(abi::GO, Place::End, true), Answer::Invalid(0));
        assert_eq!(proved(i32::MIN, Place::Begin, true), Answer::Invalid(i32::MIN));
    }

    #[test]
    fn queued_needs_a_flush() {
        for place in [Place::Offer, Place::Begin, Place::End] {
            assert_eq!(proved(abi::QUEUED, place, false), Answer::Invalid(abi::QUEUED));
        }
    }

    #[test]
    fn a_flush_succeeds_with_0_only() {
        for number in (-3..=9).chain([i32::MAX]).filter(|n| *n != 0) {
            assert_ne!(proved(number, Place::Flush, true), Answer::Go);
        }
        assert_eq!(proved(-1, Place::Flush, true), Answer::Defer);
        assert_eq!(proved(abi::STOP, Place::Flush, true), Answer::Stop);
    }
}
