//! The exported functions of consent: in a browser, and on another device. `include/multipop.h` documents them.
//!
//! As in `entry` each one only reads its arguments, calls one verb of `service`, and hands its answer out.

use std::ffi::c_char;
use std::ptr;

use multipop_abi as abi;
use multipop_abi::{Authorize, Callback, Error, Instance};
use zeroize::Zeroizing;

use super::boundary::{self, Reach};
use super::entry::proved_out;
use super::sized::{known_flags, read, reserved};
use super::text::{self, ID_BYTES, NAME_BYTES, SMALL_BYTES};
use crate::error::Result;
use crate::service::consent::{AuthorizeRequest, CallbackRequest};

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_authorize_url(
    mp: *mut Instance,
    request: *const Authorize,
    out: *mut *mut c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Short, |instance, host| {
            let asked = Asked::read(request)?;
            proved_out(out.cast())?;
            text::give(out, &instance.authorize_url(host, &asked.request())?)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_device_begin(
    mp: *mut Instance,
    request: *const Authorize,
    out: *mut *mut c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        boundary::call(mp, err, Reach::Long, |instance, host| {
            let asked = Asked::read(request)?;
            proved_out(out.cast())?;
            text::give(out, &instance.device_begin(host, &asked.request())?)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_device_poll(
    mp: *mut Instance,
    request: *const Authorize,
    out: *mut *mut c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        if !out.is_null() {
            out.write(ptr::null_mut());
        }
        boundary::call(mp, err, Reach::Long, |instance, host| {
            let asked = Asked::read(request)?;
            let (outcome, json) = instance.device_poll(host, &asked.request());
            with_extra(out, outcome, json)
        })
    }
}

/// # Safety
/// As `multipop.h` says.
#[unsafe(no_mangle)]
pub unsafe extern "C" fn multipop_handle_callback(
    mp: *mut Instance,
    callback: *const Callback,
    out: *mut *mut c_char,
    err: *mut Error,
) -> i32 {
    // SAFETY: the header's promises about every pointer.
    unsafe {
        if !out.is_null() {
            out.write(ptr::null_mut());
        }
        boundary::call(mp, err, Reach::Long, |instance, host| {
            let callback = read(callback)?;
            reserved("multipop_callback_t", callback.reserved)?;
            let uri = text::any(callback.uri, "callback.uri", SMALL_BYTES)?;
            let form = match callback.form.is_null() {
                true => None,
                false => Some(text::any(callback.form, "callback.form", SMALL_BYTES)?),
            };
            let session = text::session(callback.session)?;
            let request = CallbackRequest {
                uri: &uri,
                form: form.as_ref().map(|text| text.as_str()),
                session: &session,
            };
            let (outcome, json) = instance.handle_callback(host, &request);
            with_extra(out, outcome, json)
        })
    }
}

/// `multipop_authorize_t`, in text that was proved.
struct Asked {
    actor: Zeroizing<String>,
    account: Zeroizing<String>,
    session: Zeroizing<String>,
    flags: u32,
}

impl Asked {
    /// # Safety
    /// The header's promises about `request`.
    unsafe fn read(request: *const Authorize) -> Result<Asked> {
        const FLAGS: u32 =
            abi::AUTHORIZE_CHOOSE_ACCOUNT | abi::AUTHORIZE_FORCE_CONSENT | abi::AUTHORIZE_ADMIN_CONSENT;
        // SAFETY: the caller's promise.
        unsafe {
            let request = read(request)?;
            known_flags("multipop_authorize_t", request.flags, FLAGS)?;
            Ok(Asked {
                actor: text::required(request.actor, "request.actor", NAME_BYTES)?,
                account: text::required(request.account, "request.account", ID_BYTES)?,
                session: text::session(request.session)?,
                flags: request.flags,
            })
        }
    }

    fn request(&self) -> AuthorizeRequest<'_> {
        AuthorizeRequest {
            actor: &self.actor,
            account: &self.account,
            session: &self.session,
            choose_account: self.flags & abi::AUTHORIZE_CHOOSE_ACCOUNT != 0,
            force_consent: self.flags & abi::AUTHORIZE_FORCE_CONSENT != 0,
            admin_consent: self.flags & abi::AUTHORIZE_ADMIN_CONSENT != 0,
        }
    }
}

/// The outcome stands whether or not there was memory for its extra.
///
/// # Safety
/// `out` is NULL or may be written.
unsafe fn with_extra(out: *mut *mut c_char, outcome: Result<()>, json: Option<String>) -> Result<()> {
    let Some(json) = json.filter(|_| !out.is_null()) else {
        return outcome;
    };
    // SAFETY: the caller's promise, and not NULL.
    let given = unsafe { text::give(out, &json) };
    outcome.and(given)
}
