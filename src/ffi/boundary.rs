//! The threshold every call steps over: size of `err`, the instance, its process, one call at a time, and no panic
//! beyond it (I4).
//!
//! No lock is taken here: one atomic holds the process whose call is running. So a child forked during a call finds
//! the parent's number there and never waits for a thread it does not have. `process` says the same of all instances.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};

use log::Level;
use multipop_abi as abi;

use super::host::HostSide;
use super::log as lines;
use super::process::{Turn, forked};
use super::sink::Callbacks;
use super::sized::{Place, null};
use super::status::tell;
use crate::engine::call::SystemClock;
use crate::error::{Error, Result, Status};
use crate::service::Instance;

/// What a `multipop_t *` points to.
pub struct Door {
    /// The process whose call is running; 0 between calls.
    running: AtomicU32,
    botched: AtomicBool,
    refused_destroys: AtomicU32,
    cancel: Arc<AtomicBool>,
    host: HostSide,
    instance: Instance,
}

/// Whether a call consumes a cancel.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Reach {
    Short,
    /// Ends within a second of a cancel, and consumes it whatever it answers.
    Long,
}

impl Door {
    pub fn new(host: HostSide) -> Door {
        let instance = Instance::new(&host.name, Arc::new(SystemClock));
        Door {
            running: AtomicU32::new(0),
            botched: AtomicBool::new(false),
            refused_destroys: AtomicU32::new(0),
            cancel: instance.cancel_flag(),
            host,
            instance,
        }
    }

    fn enter(&self) -> Result<Running<'_>> {
        let this = std::process::id();
        let turn = Turn::begin()?;
        match self.running.compare_exchange(0, this, Ordering::Acquire, Ordering::Relaxed) {
            Ok(_) => {}
            Err(process) if process == this => {
                return Err(Error::new(
                    Status::State,
                    "state.running",
                    "another call runs on this instance, or this one came from a callback",
                )
                .advice("Use one instance for each thread that calls; they may share a store."));
            }
            Err(_) => return Err(forked()),
        }
        let running = Running(self, turn);
        if self.botched.load(Ordering::Acquire) {
            return Err(botched());
        }
        Ok(running)
    }
}

/// One call, until it is dropped.
struct Running<'a>(&'a Door, Turn);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.0.running.store(0, Ordering::Release);
    }
}

/// Runs one call. `work` reads the arguments, too, so that a second call is refused before anything is read.
///
/// # Safety
/// `mp` is NULL or came from `multipop_init` and was not destroyed; `err` as in `Place::new`.
pub unsafe fn call(
    mp: *mut abi::Instance,
    err: *mut abi::Error,
    reach: Reach,
    work: impl FnOnce(&Instance, &mut Callbacks<'_>) -> Result<()>,
) -> i32 {
    // SAFETY: the caller's promise.
    let err = match unsafe { Place::new(err) } {
        Ok(place) => place,
        Err(error) => return error.status.code(),
    };
    // SAFETY: a non-NULL `mp` points to the `Door` that `multipop_init` leaked.
    let outcome = match unsafe { mp.cast::<Door>().as_ref() } {
        None => Err(null("the instance")),
        Some(door) => in_call(door, reach, work),
    };
    tell(&err, &outcome)
}

fn in_call(
    door: &Door,
    reach: Reach,
    work: impl FnOnce(&Instance, &mut Callbacks<'_>) -> Result<()>,
) -> Result<()> {
    let running = door.enter()?;
    let mut callbacks = Callbacks::new(&door.host);
    let outcome = caught(&door.host, || work(&door.instance, &mut callbacks));
    if callbacks.botched || outcome.is_none() {
        door.botched.store(true, Ordering::Release);
    }
    if reach == Reach::Long {
        door.cancel.store(false, Ordering::Release);
    }
    if door.refused_destroys.swap(0, Ordering::AcqRel) > 0 {
        door.host.line(
            Level::Error,
            "event=destroy_refused text=\"multipop_destroy was called while a call was running\"",
        );
    }
    drop(running);
    outcome.unwrap_or_else(|| Err(panicked()))
}

/// The same for what has no instance yet.
///
/// # Safety
/// `err` as in `Place::new`.
pub unsafe fn without_instance(err: *mut abi::Error, work: impl FnOnce() -> Result<()>) -> i32 {
    // SAFETY: the caller's promise.
    let err = match unsafe { Place::new(err) } {
        Ok(place) => place,
        Err(error) => return error.status.code(),
    };
    let outcome = match catch_unwind(AssertUnwindSafe(|| {
        let _turn = Turn::begin()?;
        work()
    })) {
        Ok(outcome) => outcome,
        Err(payload) => {
            // A payload may panic when it is dropped.
            std::mem::forget(payload);
            Err(panicked())
        }
    };
    tell(&err, &outcome)
}

/// `None` after a panic, which was told to the host.
fn caught<T>(host: &HostSide, work: impl FnOnce() -> T) -> Option<T> {
    match catch_unwind(AssertUnwindSafe(work)) {
        Ok(done) => Some(done),
        Err(payload) => {
            // A payload may panic when it is dropped.
            std::mem::forget(payload);
            let line = lines::take_panic();
            host.line(Level::Error, line.as_deref().unwrap_or("event=panic"));
            None
        }
    }
}

/// # Safety
/// `mp` is NULL or came from `multipop_init` and was not destroyed. Safe in a signal handler.
pub unsafe fn cancel(mp: *mut abi::Instance) {
    // SAFETY: a non-NULL `mp` points to the `Door` that `multipop_init` leaked.
    if let Some(door) = unsafe { mp.cast::<Door>().as_ref() } {
        door.cancel.store(true, Ordering::Release);
    }
}

/// # Safety
/// `mp` is NULL or came from `multipop_init` and was not destroyed.
pub unsafe fn destroy(mp: *mut abi::Instance) {
    let door = mp.cast::<Door>();
    // SAFETY: a non-NULL `mp` points to the `Door` that `multipop_init` leaked.
    let Some(held) = (unsafe { door.as_ref() }) else {
        return;
    };
    let this = std::process::id();
    match held.running.compare_exchange(0, this, Ordering::Acquire, Ordering::Relaxed) {
        Ok(_) => {}
        // The running call tells the host, on the thread where callbacks belong.
        Err(process) if process == this => {
            held.refused_destroys.fetch_add(1, Ordering::AcqRel);
            return;
        }
        Err(_) => return,
    }
    // SAFETY: no call runs, and none can begin: `running` is ours and stays so.
    let freed = catch_unwind(AssertUnwindSafe(|| drop(unsafe { Box::from_raw(door) })));
    if let Err(payload) = freed {
        std::mem::forget(payload);
    }
}

fn panicked() -> Error {
    Error::bug("a panic was caught at the library's door; see the log line before this one")
}

fn botched() -> Error {
    Error::bug("an earlier call on this instance met a fault; it can only be destroyed")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::pump;

    /// As `multipop_init` makes it, but without taking the test program's panic hook.
    fn instance() -> *mut abi::Instance {
        // SAFETY: the struct lives as long as the call.
        let host = unsafe { HostSide::read(&abi::Host::INIT) }.unwrap();
        Box::into_raw(Box::new(Door::new(host))).cast()
    }

    fn with(mp: *mut abi::Instance, work: impl FnOnce(&mut Callbacks<'_>) -> Result<()>) -> (i32, String) {
        let mut err = abi::Error::INIT;
        // SAFETY: `mp` is from `instance`, `err` lives as long as the call.
        let status = unsafe { call(mp, &mut err, Reach::Short, |_, host| work(host)) };
        (status, super::super::text::taken(&err.cause))
    }

    fn is_botched(mp: *mut abi::Instance) -> bool {
        let (status, cause) = with(mp, |_| Ok(()));
        assert_eq!(cause.is_empty(), status == abi::OK);
        // SAFETY: `mp` is from `instance`.
        let after =
            unsafe { crate::ffi::entry::multipop_configure(mp, c"{}".as_ptr(), std::ptr::null_mut()) };
        assert_eq!(after == abi::E_INTERNAL, status == abi::E_INTERNAL);
        status == abi::E_INTERNAL
    }

    #[test]
    fn i04_a_panic_on_the_calling_thread_botches_the_instance_and_goes_no_further() {
        let mp = instance();
        assert_eq!(with(mp, |_| panic!("planted")).0, abi::E_INTERNAL);
        assert!(is_botched(mp));
        // SAFETY: `mp` is from `instance`, and not used again.
        unsafe { destroy(mp) };
    }

    #[test]
    fn i04_a_panic_on_the_driving_thread_botches_the_instance_and_goes_no_further() {
        let mp = instance();
        let (status, cause) = with(mp, |host| pump::run(host, 1 << 16, |_| panic!("planted")));
        assert_eq!((status, cause.as_str()), (abi::E_INTERNAL, "bug"));
        assert!(is_botched(mp));
        // SAFETY: `mp` is from `instance`, and not used again.
        unsafe { destroy(mp) };
    }

    #[test]
    fn i04_a_panicking_step_of_the_store_botches_the_instance_though_the_call_ends_well() {
        let mp = instance();
        assert_eq!(with(mp, |host| pump::run(host, 1 << 16, |pump| pump.botch())).0, abi::OK);
        assert!(is_botched(mp));
        // SAFETY: `mp` is from `instance`, and not used again.
        unsafe { destroy(mp) };
    }

    #[test]
    fn an_outcome_of_ours_that_was_no_panic_leaves_the_instance_usable() {
        let mp = instance();
        assert_eq!(with(mp, |_| Err(Error::bug("one account's"))).0, abi::E_INTERNAL);
        assert!(!is_botched(mp));
        // SAFETY: `mp` is from `instance`, and not used again.
        unsafe { destroy(mp) };
    }

    #[test]
    fn i04_a_call_in_a_call_is_refused_and_the_outer_one_goes_on() {
        let mp = instance();
        let (status, _) = with(mp, |_| {
            assert_eq!(with(mp, |_| Ok(())).0, abi::E_STATE);
            // SAFETY: `mp` is from `instance`; a call runs, so nothing is freed.
            unsafe { destroy(mp) };
            Ok(())
        });
        assert_eq!(status, abi::OK);
        assert!(!is_botched(mp));
        // SAFETY: `mp` is from `instance`, and not used again.
        unsafe { destroy(mp) };
    }

    #[test]
    fn a_long_call_consumes_a_cancel_and_a_refused_one_does_not() {
        let mp = instance();
        // SAFETY: `mp` is from `instance`.
        unsafe {
            let door = &*mp.cast::<Door>();
            cancel(mp);
            call(mp, std::ptr::null_mut(), Reach::Short, |_, _| {
                call(mp, std::ptr::null_mut(), Reach::Long, |_, _| Ok(()));
                Ok(())
            });
            assert!(door.cancel.load(Ordering::Acquire));
            call(mp, std::ptr::null_mut(), Reach::Long, |_, _| Err(null("an argument")));
            assert!(!door.cancel.load(Ordering::Acquire));
            destroy(mp);
        }
    }
}
