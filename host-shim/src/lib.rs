//! The reference host's library: the mock servers that tests, `multipop-host mock` and `demo` play with.

pub mod mock;
