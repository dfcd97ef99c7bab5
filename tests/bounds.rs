//! Bounded memory (I7) and bounded time (I9), whatever a server or a sink does.

mod house;
#[path = "bounds/memory.rs"]
mod memory;
#[path = "bounds/time.rs"]
mod time;
