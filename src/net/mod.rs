//! The network: names, sockets, TLS, HTTPS, and the one loop that reads and writes a POP3 session.
//!
//! Everything here is asynchronous and ends when its future is dropped; deadlines and cancellation are the engine's.

mod address;
pub mod dial;
pub mod https;
mod proxy;
pub mod route;
pub mod socket;
pub mod tls;
pub mod wire;
