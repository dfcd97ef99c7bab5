//! The door: C types in, Rust out. The only room with `unsafe`, and no logic of its own.
//!
//! What each function promises stands in `include/multipop.h`. No panic leaves this room, and nothing a host passes
//! can cause one (I4).
#![allow(unsafe_code)]

pub mod entry;

mod boundary;
mod callback;
mod consent;
mod host;
mod log;
mod process;
mod sink;
mod sized;
mod status;
mod text;

#[cfg(feature = "abi-stable")]
mod module;
