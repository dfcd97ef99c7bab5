//! Self-checks of the mock servers, so that every other test can trust them: each behaviour once, through a
//! client that knows nothing but sockets.

mod client;
mod crash;
mod faults;
mod idp;
mod login;
mod mail;
mod person;
mod token;
mod wire;
