//! `multipop_host_t`: where log lines and events go.
//!
//! Called on the thread the host called from, and nowhere else (I5).

use std::ffi::{c_char, c_void};

use log::{Level, LevelFilter};
use multipop_abi as abi;

use super::callback::{Unwinding, sealed};
use super::sized::read;
use super::text::c_text;
use super::{log as lines, text};
use crate::error::{Error, Result, Status};
use crate::model::Event;

/// `multipop_host_t`, copied.
pub struct HostSide {
    user: *mut c_void,
    log: Option<unsafe extern "C" fn(*mut c_void, u32, *const c_char)>,
    event: Option<unsafe extern "C" fn(*mut c_void, *const abi::Event)>,
    level: LevelFilter,
    pub name: String,
}

impl HostSide {
    /// # Safety
    /// `from` is NULL or a `multipop_host_t` as the header wants it.
    pub unsafe fn read(from: *const abi::Host) -> Result<HostSide> {
        // SAFETY: the caller's promise.
        let host = unsafe { read(from) }?;
        let level = lines::filter(host.log_level).ok_or_else(|| {
            Error::new(
                Status::Argument,
                "argument.log_level",
                format!("host.log_level is {}; it is 0 to {}", host.log_level, abi::LOG_TRACE),
            )
            .advice("This is a mistake in the program that calls multipop.")
        })?;
        // SAFETY: the caller's promise.
        let name = unsafe { text::optional(host.name, "host.name", text::HOST_NAME_BYTES) }?;
        Ok(HostSide {
            user: host.user,
            log: host.log,
            event: host.event,
            level: if host.log.is_some() { level } else { LevelFilter::Off },
            name: name.map_or_else(|| "host".to_owned(), |name| name.as_str().to_owned()),
        })
    }

    pub fn line(&self, level: Level, line: &str) {
        let Some(log) = self.log else {
            return;
        };
        if level > self.level {
            return;
        }
        let line = c_text(line);
        // SAFETY: the host gave this function for this `user`; the text outlives the call.
        sealed(|| unsafe { log.unwinding()(self.user, lines::number(level), line.as_ptr()) });
    }

    pub fn level(&self) -> LevelFilter {
        self.level
    }

    pub fn tell(&self, event: &Event) {
        let Some(tell) = self.event else {
            return;
        };
        let account = c_text(&event.account);
        let owner = c_text(&event.owner);
        let outcome = c_text(event.outcome.map_or("", |outcome| outcome.name()));
        let cause = c_text(&event.cause);
        let message = c_text(&event.message);
        let advice = c_text(&event.advice);
        let event = abi::Event {
            struct_size: size_of::<abi::Event>() as u32,
            kind: event.kind as u32,
            account: account.as_ptr(),
            owner: owner.as_ptr(),
            outcome: outcome.as_ptr(),
            cause: cause.as_ptr(),
            message: message.as_ptr(),
            advice: advice.as_ptr(),
            status: event.status,
            retry_after_s: event.retry_after_s,
            messages_done: event.counts.messages_done,
            messages_total: event.counts.messages_total,
            bytes_done: event.counts.bytes_done,
            bytes_total: event.counts.bytes_total,
            messages_deferred: event.counts.deferred,
            messages_refused: event.counts.refused,
            messages_deleted: event.counts.deleted,
        };
        // SAFETY: the host gave this function for this `user`; struct and texts outlive the call.
        sealed(|| unsafe { tell.unwinding()(self.user, &event) });
    }
}
