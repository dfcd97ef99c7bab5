//! The structs and function types of `multipop.h`, once, in Rust.
//!
//! `multipop.h` is the contract; what each field means stands there. A test compiles a C program from the header
//! and compares every size, offset and constant with this crate.
//!
//! Every struct here is in its frozen 1.0 form. A field that comes later goes into a second struct that begins
//! with the first one, because a field appended to a struct that a signature merely points to makes an old
//! layout-checked host refuse the new library.
#![no_std]
#![deny(unsafe_code)]

mod codes;
mod init;
#[cfg(feature = "abi-stable")]
pub mod module;

pub use codes::*;

use core::ffi::{c_char, c_void};

/// `struct multipop_instance`, the library's own: only ever behind a pointer.
#[repr(C)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
pub struct Instance {
    opaque: [u8; 0],
}

/// `multipop_error_t`: caller-owned detail of a failed call.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
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
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
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
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
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
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
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
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
pub struct Authorize {
    pub struct_size: u32,
    pub flags: u32,
    pub actor: *const c_char,
    pub account: *const c_char,
    pub session: *const c_char,
}

/// `multipop_callback_t`: the provider's answer as the host's web server received it.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
pub struct Callback {
    pub struct_size: u32,
    pub reserved: u32,
    pub uri: *const c_char,
    pub form: *const c_char,
    pub session: *const c_char,
}

/// `multipop_fetch_t`: what a fetch is to cover.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
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
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
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

/// `multipop_reason_t`: the host's words for a no, or what it knows a message by that it took.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
pub struct Reason {
    pub struct_size: u32,
    pub reserved: u32,
    pub text: [c_char; 256],
}

/// `multipop_sink_t`: where messages go.
#[repr(C)]
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
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
#[derive(Clone, Copy)]
#[cfg_attr(feature = "abi-stable", derive(abi_stable::StableAbi))]
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
