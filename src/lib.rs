//! multipop collects a mail server's users' mail over POP3S with OAuth 2.0.
//!
//! The house, seen from the doorway; a room uses what lies below it, never above or beside:
//!
//! ```text
//!    C / C++ host                     Rust host
//!       | dlsym                          | layout-checked load (abi_stable)
//!  ┌────v────────────────────────────────v───┐
//!  │ ffi      the door: C types in, Rust out │  the only unsafe
//!  ├─────────────────────────────────────────┤
//!  │ service  the verbs, in safe Rust        │
//!  ├─────────────────────────────────────────┤
//!  │ engine   the workshop: one call long    │
//!  ├──────────────────┬──────────────────────┤
//!  │ net  TCP TLS HTTP│ store  SQLite        │
//!  ├──────────────────┴──────────────────────┤
//!  │ pop3 · oauth · plan · retry             │  no I/O, no clock, no randomness
//!  ├─────────────────────────────────────────┤
//!  │ config · model · secret · error         │  words everyone speaks
//!  └─────────────────────────────────────────┘
//! ```
//!
//! What the library promises its host stands in `include/multipop.h`, and nowhere else.
#![deny(unsafe_code)]

pub mod ffi;

pub mod service;

pub mod engine;

pub mod net;
pub mod store;

pub mod oauth;
pub mod plan;
pub mod pop3;
pub mod retry;

pub mod config;
pub mod error;
pub mod model;
pub mod secret;

#[cfg(panic = "abort")]
compile_error!("multipop catches panics at its door; build it with panic = \"unwind\"");
