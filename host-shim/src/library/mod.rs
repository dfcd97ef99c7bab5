//! The loading side: finds the built library, loads it the way a C host or a Rust host does, and wraps its verbs
//! in safe Rust.
//!
//! ```text
//! find ── which file, and how it was found
//! api ─── one table of function pointers; `raw` (dlsym) or `checked` (abi_stable) fills it
//! instance ── init, configure, accounts, consent, fetch, cancel, destroy
//! events, pour ── the host's callbacks as traits; a panic in one stops the call and goes on after it
//! ```
//! The only `unsafe` of the shim. It never reaches into the library's own crate.

pub mod api;
mod checked;
pub mod events;
pub mod failure;
pub mod find;
pub mod instance;
pub mod pour;
mod text;

pub use api::{Api, Load};
pub use events::{Event, EventKind, HostEvents, Level};
pub use failure::{Failure, Who};
pub use find::Found;
pub use instance::{Authorize, Canceller, Fetched, Instance, Query, Report};
pub use pour::{Begun, Message, No, Pour, Sink, Yes};
