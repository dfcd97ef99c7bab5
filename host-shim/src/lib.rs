//! The reference host for multipop: loads the built library, pours messages into a Maildir or an LMTP server, and
//! the mock servers that its demo and the tests play against.
//!
//! It knows the library by `multipop.h` alone (crate `multipop-abi`), never by its source, so it cannot cheat.
#![deny(unsafe_code)]

#[allow(unsafe_code)]
pub mod library;
pub mod mock;
pub mod sink;
