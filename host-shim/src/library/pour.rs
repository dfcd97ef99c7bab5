//! Where messages go: the C sink of `multipop_sink_t` as a safe trait.
//!
//! The types keep the contract: `end` and `abort` consume the open message, so that exactly one of them follows a
//! GO, and QUEUED can be said only by a sink that flushes. A panic answers STOP and goes on after the call.

use std::any::Any;
use std::ffi::{c_char, c_void};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::slice;

use multipop_abi as abi;

use super::text;

/// What is known of a message before its bytes.
#[derive(Debug, Clone, Copy)]
pub struct Message<'a> {
    pub account: &'a str,
    pub owner: &'a str,
    pub deliver_to: &'a str,
    pub uidl: &'a [u8],
    pub size_hint: u64,
    pub server: &'a str,
    pub tls: &'a str,
    /// Folded and ended with CRLF.
    pub received: &'a str,
    /// In `offer` not yet known for every message.
    pub dedupe_key: Option<&'a str>,
    pub may_repeat: bool,
}

/// The message is the host's.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Yes {
    /// Durable now.
    Taken,
    /// Durable after the next flush that succeeds.
    Queued,
}

/// The host does not take it, with the reason for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum No {
    Defer(String),
    Full(String),
    Recipient(String),
    Refuse(String),
    /// Ends the whole call tidily.
    Stop(String),
}

/// The answer to `begin`: the bytes are wanted, or the message is there already.
#[derive(Debug)]
pub enum Begun<Open> {
    Go(Open),
    Already(Yes),
}

/// One call's sink. Its methods run on the calling thread, one after another; messages of several accounts may be
/// open at a time.
pub trait Sink {
    /// One message under way. Dropping it must not deliver it.
    type Open;

    /// Whether `offer` has anything to say.
    fn offers(&self) -> bool {
        false
    }
    /// Before the download: `None` wants it.
    fn offer(&mut self, _message: &Message<'_>) -> Result<Option<Yes>, No> {
        Ok(None)
    }
    fn begin(&mut self, message: &Message<'_>) -> Result<Begun<Self::Open>, No>;
    fn data(&mut self, open: &mut Self::Open, bytes: &[u8]) -> Result<(), No>;
    fn end(&mut self, open: Self::Open) -> Result<Yes, No>;
    fn abort(&mut self, open: Self::Open);
    /// What a message is known by here after a yes, such as a queue id or a file name: the account's history keeps
    /// it for whoever asks where a mail is.
    fn known_as(&mut self) -> String {
        String::new()
    }
    /// Whether `flush` exists; without it QUEUED must never be answered.
    fn flushes(&self) -> bool {
        false
    }
    /// Makes everything answered QUEUED durable, or says why not; then none of it counts.
    fn flush(&mut self) -> Result<(), String> {
        Ok(())
    }
}

/// A sink under the library's hands for one call.
pub struct Pour<'s, S: Sink> {
    sink: &'s mut S,
    panic: Option<Box<dyn Any + Send>>,
}

impl<'s, S: Sink> Pour<'s, S> {
    pub(super) fn new(sink: &'s mut S) -> Self {
        Pour { sink, panic: None }
    }

    /// The C sink. It points to `self`, which must not move while it is used.
    pub(super) fn table(&mut self) -> abi::Sink {
        abi::Sink {
            offer: self.sink.offers().then_some(offer::<S> as _),
            begin: Some(begin::<S>),
            data: Some(data::<S>),
            end: Some(end::<S>),
            abort: Some(abort::<S>),
            flush: self.sink.flushes().then_some(flush::<S> as _),
            user: (self as *mut Self).cast(),
            ..abi::Sink::INIT
        }
    }

    pub(super) fn into_panic(self) -> Option<Box<dyn Any + Send>> {
        self.panic
    }

    /// Runs one callback. After a panic the sink is not called again; its state may be half a step.
    fn run<T>(&mut self, otherwise: T, step: impl FnOnce(&mut S) -> T) -> T {
        if self.panic.is_some() {
            return otherwise;
        }
        let sink = &mut *self.sink;
        match catch_unwind(AssertUnwindSafe(|| step(sink))) {
            Ok(answer) => answer,
            Err(panic) => {
                self.panic = Some(panic);
                otherwise
            }
        }
    }
}

fn stopped() -> No {
    No::Stop("the sink panicked".into())
}

unsafe extern "C" fn offer<S: Sink>(
    user: *mut c_void,
    message: *const abi::Message,
    reason: *mut abi::Reason,
) -> i32 {
    // SAFETY: `user` is the `Pour` of this call; message and reason are valid during this callback.
    let (pour, message) = unsafe { (&mut *user.cast::<Pour<'_, S>>(), read(&*message)) };
    match pour.run(Err(stopped()), |sink| sink.offer(&message)) {
        Ok(None) => abi::GO,
        // SAFETY: as above.
        Ok(Some(yes)) => unsafe { accepted(pour, yes, reason) },
        // SAFETY: as above.
        Err(no) => unsafe { refused(no, reason) },
    }
}

unsafe extern "C" fn begin<S: Sink>(
    user: *mut c_void,
    message: *const abi::Message,
    cookie: *mut *mut c_void,
    reason: *mut abi::Reason,
) -> i32 {
    // SAFETY: as in `offer`.
    let (pour, message) = unsafe { (&mut *user.cast::<Pour<'_, S>>(), read(&*message)) };
    match pour.run(Err(stopped()), |sink| sink.begin(&message)) {
        Ok(Begun::Go(open)) => {
            // SAFETY: the library gives a place for the cookie and hands its value back unchanged.
            unsafe { *cookie = Box::into_raw(Box::new(open)).cast() };
            abi::GO
        }
        // SAFETY: as above.
        Ok(Begun::Already(yes)) => unsafe { accepted(pour, yes, reason) },
        // SAFETY: as above.
        Err(no) => unsafe { refused(no, reason) },
    }
}

unsafe extern "C" fn data<S: Sink>(
    user: *mut c_void,
    cookie: *mut c_void,
    bytes: *const u8,
    size: usize,
    reason: *mut abi::Reason,
) -> i32 {
    let bytes = match size {
        0 => &[][..],
        // SAFETY: `size` bytes are readable at `bytes` during this callback.
        _ => unsafe { slice::from_raw_parts(bytes, size) },
    };
    // SAFETY: `user` as in `offer`; the cookie is what `begin` made, and neither `end` nor `abort` had it yet.
    let (pour, open) = unsafe { (&mut *user.cast::<Pour<'_, S>>(), &mut *cookie.cast::<S::Open>()) };
    match pour.run(Err(stopped()), |sink| sink.data(open, bytes)) {
        Ok(()) => abi::GO,
        // SAFETY: as above.
        Err(no) => unsafe { refused(no, reason) },
    }
}

unsafe extern "C" fn end<S: Sink>(user: *mut c_void, cookie: *mut c_void, reason: *mut abi::Reason) -> i32 {
    // SAFETY: as in `data`; the library lets go of the cookie with this call.
    let (pour, open) = unsafe { (&mut *user.cast::<Pour<'_, S>>(), Box::from_raw(cookie.cast::<S::Open>())) };
    match pour.run(Err(stopped()), |sink| sink.end(*open)) {
        // SAFETY: as above.
        Ok(yes) => unsafe { accepted(pour, yes, reason) },
        // SAFETY: as above.
        Err(no) => unsafe { refused(no, reason) },
    }
}

unsafe extern "C" fn abort<S: Sink>(user: *mut c_void, cookie: *mut c_void) {
    // SAFETY: as in `end`.
    let (pour, open) = unsafe { (&mut *user.cast::<Pour<'_, S>>(), Box::from_raw(cookie.cast::<S::Open>())) };
    pour.run((), |sink| sink.abort(*open));
}

unsafe extern "C" fn flush<S: Sink>(user: *mut c_void, reason: *mut abi::Reason) -> i32 {
    // SAFETY: as in `offer`.
    let pour = unsafe { &mut *user.cast::<Pour<'_, S>>() };
    match pour.run(Err("the sink panicked".into()), |sink| sink.flush()) {
        Ok(()) => 0,
        // SAFETY: as above.
        Err(why) => unsafe { refused(No::Defer(why), reason) },
    }
}

/// # Safety
/// `reason` is NULL or writable.
unsafe fn accepted<S: Sink>(pour: &mut Pour<'_, S>, yes: Yes, reason: *mut abi::Reason) -> i32 {
    let known_as = pour.run(String::new(), |sink| sink.known_as());
    // SAFETY: the caller's promise.
    if let Some(reason) = unsafe { reason.as_mut() } {
        write(&known_as, &mut reason.text);
    }
    match yes {
        Yes::Taken => abi::TAKEN,
        Yes::Queued => abi::QUEUED,
    }
}

/// # Safety
/// `reason` is NULL or writable.
unsafe fn refused(no: No, reason: *mut abi::Reason) -> i32 {
    let (answer, why) = match no {
        No::Defer(why) => (abi::DEFER, why),
        No::Full(why) => (abi::DEFER_FULL, why),
        No::Recipient(why) => (abi::DEFER_RECIPIENT, why),
        No::Refuse(why) => (abi::REFUSE, why),
        No::Stop(why) => (abi::STOP, why),
    };
    // SAFETY: the caller's promise.
    if let Some(reason) = unsafe { reason.as_mut() } {
        write(&why, &mut reason.text);
    }
    answer
}

/// Cut at a character's end, NUL-terminated.
fn write(words: &str, place: &mut [c_char; 256]) {
    let mut cut = words.len().min(place.len() - 1);
    while !words.is_char_boundary(cut) {
        cut -= 1;
    }
    let bytes = words[..cut].bytes().filter(|byte| *byte != 0);
    place.fill(0);
    for (to, from) in place.iter_mut().zip(bytes) {
        *to = c_char::from_ne_bytes([from]);
    }
}

/// # Safety
/// Pointers in `message` are NULL or valid as `multipop.h` says, for `'a`.
unsafe fn read<'a>(message: &'a abi::Message) -> Message<'a> {
    let uidl = match message.uidl_size {
        0 => &[][..],
        // SAFETY: the caller's promise.
        size => unsafe { slice::from_raw_parts(message.uidl, size) },
    };
    // SAFETY: the caller's promise.
    unsafe {
        Message {
            account: text::shown(message.account),
            owner: text::shown(message.owner),
            deliver_to: text::shown(message.deliver_to),
            uidl,
            size_hint: message.size_hint,
            server: text::shown(message.server),
            tls: text::shown(message.tls),
            received: text::shown(message.received),
            dedupe_key: text::given(message.dedupe_key).filter(|key| !key.is_empty()),
            may_repeat: message.flags & abi::MESSAGE_MAY_REPEAT != 0,
        }
    }
}
