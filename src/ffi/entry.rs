//! The exported functions but those of consent. `include/multipop.h` documents them; nothing is said here twice.
//!
//! Each one only reads its arguments, calls one verb of `service`, and hands its answer out, all inside
//! `boundary::call`.

use std::ffi::{c_char, c_void};

use multipop_abi as abi;
use multipop_abi::{Error, Fetch, Host, Instance, Query, Report, Sink};

use super::boundary::{self, Door, Reach};
use super::host::HostSide;
use super::log;
use super::sink::SinkSide;
use super::sized::{Place, known_flags, null, read, reserved};
use super::text::{self, CONFIG_BYTES, ID_BYTES, NAME_BYTES, SMALL_BYTES};
use crate::error::Result;
use crate::model;
use crate::service::accounts::AccountsRequest;
use crate::service::check::CheckRequest;
use crate::service::fetch::FetchRequest;

#[unsafe(no_mangle)]
pub extern "C" fn multipop_abi_version() -> u32 {
    abi::ABI_VERSION
}

#[unsafe(no_mangle)]
pub extern "C" fn multipop_version() -> *const c_char {
    concat!(env!("CARGO_PKG_VERSION"), "\0").as_ptr().cast()
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_init(host: *const Host, out: *mut *mut Instance, err: *mut Error) -> i32 {
    // SAFETY: the header's promises about `err`, `host` and `out`.
    unsafe {
        boundary::without_instance(err, || {
            log::install();
            let host = HostSide::read(host)?;
            proved_out(out.cast())?;
            let door = Box::into_raw(Box::new(Door::new(host)));
            out.write(door.cast());
            Ok(())
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_configure(mp: *mut Instance, json: *const c_char, err: *mut Error) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Long, |instance, host| {
            let json = text::any(json, "json", CONFIG_BYTES)?;
            instance.configure(host, &json)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_account_put(
    mp: *mut Instance,
    actor: *const c_char,
    owner: *const c_char,
    id: *const c_char,
    json: *const c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Short, |instance, host| {
            let actor = text::required(actor, "actor", NAME_BYTES)?;
            let owner = text::required(owner, "owner", NAME_BYTES)?;
            let id = text::required(id, "id", ID_BYTES)?;
            let json = text::any(json, "json", SMALL_BYTES)?;
            instance.account_put(host, &actor, &owner, &id, &json)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_account_remove(
    mp: *mut Instance,
    actor: *const c_char,
    id: *const c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Short, |instance, host| {
            let actor = text::required(actor, "actor", NAME_BYTES)?;
            let id = text::required(id, "id", ID_BYTES)?;
            instance.account_remove(host, &actor, &id)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_accounts(
    mp: *mut Instance,
    query: *const Query,
    out: *mut *mut c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Short, |instance, host| {
            let query = read(query)?;
            proved_out(out.cast())?;
            let actor = text::required(query.actor, "query.actor", NAME_BYTES)?;
            let account = text::optional(query.account, "query.account", ID_BYTES)?;
            let realm = text::optional(query.realm, "query.realm", ID_BYTES)?;
            let after = text::optional(query.after, "query.after", ID_BYTES)?;
            let request = AccountsRequest {
                actor: &actor,
                account: account.as_ref().map(|text| text.as_str()),
                realm: realm.as_ref().map(|text| text.as_str()),
                after: after.as_ref().map(|text| text.as_str()),
                limit: query.limit,
            };
            text::give(out, &instance.accounts(host, &request)?)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_account_act(
    mp: *mut Instance,
    actor: *const c_char,
    id: *const c_char,
    session: *const c_char,
    json: *const c_char,
    out: *mut *mut c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Short, |instance, host| {
            proved_out(out.cast())?;
            let actor = text::required(actor, "actor", NAME_BYTES)?;
            let id = text::required(id, "id", ID_BYTES)?;
            let session = match session.is_null() {
                true => None,
                false => Some(text::session(session)?),
            };
            let json = text::any(json, "json", SMALL_BYTES)?;
            let session = session.as_ref().map(|text| text.as_str());
            text::give(out, &instance.account_act(host, &actor, &id, session, &json)?)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_act(
    mp: *mut Instance,
    actor: *const c_char,
    json: *const c_char,
    out: *mut *mut c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Short, |instance, host| {
            proved_out(out.cast())?;
            let actor = text::required(actor, "actor", NAME_BYTES)?;
            let json = text::any(json, "json", SMALL_BYTES)?;
            text::give(out, &instance.act(host, &actor, &json)?)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_fetch_once(
    mp: *mut Instance,
    what: *const Fetch,
    sink: *const Sink,
    report: *mut Report,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Long, |instance, host| {
            let what = read(what)?;
            reserved("multipop_fetch_t", what.reserved)?;
            known_flags("multipop_fetch_t", what.flags, abi::FETCH_NOW)?;
            host.with_sink(SinkSide::read(sink)?);
            let report = Place::new(report)?;
            let actor = text::required(what.actor, "what.actor", NAME_BYTES)?;
            let account = text::optional(what.account, "what.account", ID_BYTES)?;
            let request = FetchRequest {
                actor: &actor,
                account: account.as_ref().map(|text| text.as_str()),
                deadline_s: what.deadline_s,
                now: what.flags & abi::FETCH_NOW != 0,
            };
            let (outcome, done) = instance.fetch_once(host, &request);
            if let Some(done) = done {
                report.write(&shown(&done));
            }
            outcome
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_check(
    mp: *mut Instance,
    what: *const Fetch,
    out: *mut *mut c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Long, |instance, host| {
            let what = read(what)?;
            reserved("multipop_fetch_t", what.reserved)?;
            known_flags("multipop_fetch_t", what.flags, abi::FETCH_DRY_RUN)?;
            proved_out(out.cast())?;
            let actor = text::required(what.actor, "what.actor", NAME_BYTES)?;
            let account = text::optional(what.account, "what.account", ID_BYTES)?;
            let request = CheckRequest {
                actor: &actor,
                account: account.as_ref().map(|text| text.as_str()),
                deadline_s: what.deadline_s,
                dry_run: what.flags & abi::FETCH_DRY_RUN != 0,
            };
            text::give(out, &instance.check(host, &request)?)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_cancel(mp: *mut Instance) {
    // SAFETY: the header's promise about `mp`.
    unsafe { boundary::cancel(mp) }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_free(given: *mut c_char) {
    // SAFETY: the header's promise about `given`.
    unsafe { text::free(given) }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_destroy(mp: *mut Instance) {
    // SAFETY: the header's promise about `mp`.
    unsafe { boundary::destroy(mp) }
}

pub(super) fn proved_out(out: *const c_void) -> Result<()> {
    if out.is_null() {
        return Err(null("out"));
    }
    Ok(())
}

fn shown(report: &model::Report) -> Report {
    Report {
        next_due_s: report.next_due_s,
        more: report.more.into(),
        stopped: report.stopped.into(),
        accounts_tried: report.accounts_tried,
        accounts_ok: report.accounts_ok,
        accounts_busy: report.accounts_busy,
        failed_host: report.failed_host,
        failed_operator: report.failed_operator,
        failed_user: report.failed_user,
        failed_time: report.failed_time,
        failed_sink: report.failed_sink,
        failed_bug: report.failed_bug,
        messages_taken: report.messages_taken,
        messages_deferred: report.messages_deferred,
        messages_refused: report.messages_refused,
        messages_deleted: report.messages_deleted,
        bytes: report.bytes,
        ..Report::INIT
    }
}
