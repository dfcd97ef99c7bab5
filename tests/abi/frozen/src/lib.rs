//! The structs and the root module of ABI 1.0, never to be changed: a Rust host built with these must load every
//! library of major version 1. The package bears the name of the real one, since the layout check compares it.

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_types::VersionStrings;
use core::ffi::{c_char, c_void};

pub mod wrong;

/// `struct multipop_instance`, the library's own: only ever behind a pointer.
#[repr(C)]
#[derive(StableAbi)]
pub struct Instance {
    opaque: [u8; 0],
}

/// `multipop_error_t`: caller-owned detail of a failed call.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Error {
    pub struct_size: u32,
    pub status: i32,
    pub retry_after_s: u32,
    pub reserved: u32,
    pub cause: [c_char; 64],
    pub provider_code: [c_char; 64],
    pub message: [c_char; 512],
    pub advice: [c_char; 1024],
}

/// `multipop_event_t`: what happened, for the host's own pages, notices and progress bars.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Event {
    pub struct_size: u32,
    pub kind: u32,
    pub account: *const c_char,
    pub owner: *const c_char,
    pub outcome: *const c_char,
    pub cause: *const c_char,
    pub message: *const c_char,
    pub advice: *const c_char,
    pub status: i32,
    pub retry_after_s: u32,
    pub messages_done: u64,
    pub messages_total: u64,
    pub bytes_done: u64,
    pub bytes_total: u64,
    pub messages_deferred: u64,
    pub messages_refused: u64,
    pub messages_deleted: u64,
}

/// `multipop_host_t`: what the host offers the instance.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Host {
    pub struct_size: u32,
    pub log_level: u32,
    pub name: *const c_char,
    pub user: *mut c_void,
    pub log: Option<unsafe extern "C" fn(user: *mut c_void, level: u32, line: *const c_char)>,
    pub event: Option<unsafe extern "C" fn(user: *mut c_void, event: *const Event)>,
}

/// `multipop_query_t`: which accounts `multipop_accounts` is to list.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Query {
    pub struct_size: u32,
    pub limit: u32,
    pub actor: *const c_char,
    pub account: *const c_char,
    pub realm: *const c_char,
    pub after: *const c_char,
}

/// `multipop_authorize_t`: the consent to start.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Authorize {
    pub struct_size: u32,
    pub flags: u32,
    pub actor: *const c_char,
    pub account: *const c_char,
    pub session: *const c_char,
}

/// `multipop_callback_t`: the provider's answer as the host's web server received it.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Callback {
    pub struct_size: u32,
    pub reserved: u32,
    pub uri: *const c_char,
    pub form: *const c_char,
    pub session: *const c_char,
}

/// `multipop_fetch_t`: what a fetch is to cover.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Fetch {
    pub struct_size: u32,
    pub flags: u32,
    pub actor: *const c_char,
    pub account: *const c_char,
    pub deadline_s: u32,
    pub reserved: u32,
}

/// `multipop_message_t`: what is known of a message before its bytes.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Message {
    pub struct_size: u32,
    pub flags: u32,
    pub account: *const c_char,
    pub owner: *const c_char,
    pub deliver_to: *const c_char,
    pub uidl: *const u8,
    pub uidl_size: usize,
    pub size_hint: u64,
    pub server: *const c_char,
    pub tls: *const c_char,
    pub received: *const c_char,
    pub dedupe_key: *const c_char,
}

/// `multipop_reason_t`: the host's words for an answer that is not a plain yes.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Reason {
    pub struct_size: u32,
    pub reserved: u32,
    pub text: [c_char; 256],
}

/// `multipop_sink_t`: where messages go.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Sink {
    pub struct_size: u32,
    pub reserved: u32,
    pub user: *mut c_void,
    pub offer:
        Option<unsafe extern "C" fn(user: *mut c_void, message: *const Message, reason: *mut Reason) -> i32>,
    pub begin: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            message: *const Message,
            cookie: *mut *mut c_void,
            reason: *mut Reason,
        ) -> i32,
    >,
    pub data: Option<
        unsafe extern "C" fn(
            user: *mut c_void,
            cookie: *mut c_void,
            bytes: *const u8,
            size: usize,
            reason: *mut Reason,
        ) -> i32,
    >,
    pub end: Option<unsafe extern "C" fn(user: *mut c_void, cookie: *mut c_void, reason: *mut Reason) -> i32>,
    pub abort: Option<unsafe extern "C" fn(user: *mut c_void, cookie: *mut c_void)>,
    pub flush: Option<unsafe extern "C" fn(user: *mut c_void, reason: *mut Reason) -> i32>,
}

/// `multipop_report_t`: what a fetch did.
#[repr(C)]
#[derive(Clone, Copy, StableAbi)]
pub struct Report {
    pub struct_size: u32,
    pub next_due_s: u32,
    pub more: u32,
    pub stopped: u32,
    pub accounts_tried: u32,
    pub accounts_ok: u32,
    pub accounts_busy: u32,
    pub failed_host: u32,
    pub failed_operator: u32,
    pub failed_user: u32,
    pub failed_time: u32,
    pub failed_sink: u32,
    pub failed_bug: u32,
    pub reserved: u32,
    pub messages_taken: u64,
    pub messages_deferred: u64,
    pub messages_refused: u64,
    pub messages_deleted: u64,
    pub bytes: u64,
}

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
    #[sabi(last_prefix_field)]
    pub destroy: unsafe extern "C" fn(mp: *mut Instance),
}

impl RootModule for MultipopRef {
    abi_stable::declare_root_module_statics! {MultipopRef}
    const BASE_NAME: &'static str = "multipop";
    const NAME: &'static str = "multipop";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
