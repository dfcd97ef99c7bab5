//! The root module a Rust host loads with its layout checked (abi_stable).
//!
//! Its fields are the very functions behind the C symbols, so that the two ways in can never drift. No type of
//! abi_stable crosses the boundary, only the structs of this crate.
//!
//! ```no_run
//! use abi_stable::library::RootModule;
//! use multipop_abi::module::MultipopRef;
//!
//! let multipop = MultipopRef::load_from_file(std::path::Path::new("/usr/lib/libmultipop.so.1"))?;
//! // SAFETY: the loader compared the layouts.
//! assert!(unsafe { multipop.abi_version()() } >= multipop_abi::ABI_VERSION);
//! # Ok::<(), abi_stable::library::LibraryError>(())
//! ```
//!
//! What is frozen: `last_prefix_field` stays where 1.0 put it, functions are only appended behind it, and the
//! structs are never changed. So an older host loads a newer library. A host built with a newer version of this
//! crate is refused by an older library, even though it could do without the new functions (a C host can); build
//! with the oldest version that has what you need.
//!
//! One library per process: the module is kept for good and never unloaded.

#![expect(unsafe_code, reason = "the derived accessors of functions behind the prefix")]

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_types::VersionStrings;
use core::ffi::c_char;

use crate::{Authorize, Callback, Error, Fetch, Host, Instance, Query, Report, Sink};

/// `multipop.h` says what each function does.
#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = MultipopRef, prefix_fields = MultipopPrefix)))]
pub struct Multipop {
    pub abi_version: unsafe extern "C" fn() -> u32,
    pub version: unsafe extern "C" fn() -> *const c_char,
    pub init: unsafe extern "C" fn(host: *const Host, out: *mut *mut Instance, err: *mut Error) -> i32,
    pub configure: unsafe extern "C" fn(mp: *mut Instance, json: *const c_char, err: *mut Error) -> i32,
    pub account_put: unsafe extern "C" fn(
        mp: *mut Instance,
        actor: *const c_char,
        owner: *const c_char,
        id: *const c_char,
        json: *const c_char,
        err: *mut Error,
    ) -> i32,
    pub account_remove: unsafe extern "C" fn(
        mp: *mut Instance,
        actor: *const c_char,
        id: *const c_char,
        err: *mut Error,
    ) -> i32,
    pub accounts: unsafe extern "C" fn(
        mp: *mut Instance,
        query: *const Query,
        out: *mut *mut c_char,
        err: *mut Error,
    ) -> i32,
    pub account_act: unsafe extern "C" fn(
        mp: *mut Instance,
        actor: *const c_char,
        id: *const c_char,
        session: *const c_char,
        json: *const c_char,
        out: *mut *mut c_char,
        err: *mut Error,
    ) -> i32,
    pub authorize_url: unsafe extern "C" fn(
        mp: *mut Instance,
        request: *const Authorize,
        out: *mut *mut c_char,
        err: *mut Error,
    ) -> i32,
    pub handle_callback: unsafe extern "C" fn(
        mp: *mut Instance,
        callback: *const Callback,
        out: *mut *mut c_char,
        err: *mut Error,
    ) -> i32,
    pub fetch_once: unsafe extern "C" fn(
        mp: *mut Instance,
        what: *const Fetch,
        sink: *const Sink,
        report: *mut Report,
        err: *mut Error,
    ) -> i32,
    pub cancel: unsafe extern "C" fn(mp: *mut Instance),
    pub free: unsafe extern "C" fn(text: *mut c_char),
    /// The last function of 1.0; what comes later is appended below and reached through an `Option`.
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern "C" fn(mp: *mut Instance),
    /// Since 1.1.
    pub check: unsafe extern "C" fn(
        mp: *mut Instance,
        what: *const Fetch,
        out: *mut *mut c_char,
        err: *mut Error,
    ) -> i32,
    pub device_begin: unsafe extern "C" fn(
        mp: *mut Instance,
        request: *const Authorize,
        out: *mut *mut c_char,
        err: *mut Error,
    ) -> i32,
    pub device_poll: unsafe extern "C" fn(
        mp: *mut Instance,
        request: *const Authorize,
        out: *mut *mut c_char,
        err: *mut Error,
    ) -> i32,
    pub act: unsafe extern "C" fn(
        mp: *mut Instance,
        actor: *const c_char,
        json: *const c_char,
        out: *mut *mut c_char,
        err: *mut Error,
    ) -> i32,
}

impl RootModule for MultipopRef {
    abi_stable::declare_root_module_statics! {MultipopRef}
    const BASE_NAME: &'static str = "multipop";
    const NAME: &'static str = "multipop";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
