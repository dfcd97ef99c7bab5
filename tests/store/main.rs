//! The store. `suite` holds what every backend promises; a backend's own file runs it and adds its own dangers.

#[macro_use]
mod suite;

mod erased;
mod processes;
mod refused;
mod sealed;
mod sqlite;
