//! OAuth 2.0 for mail: requests built, answers read, causes named. No I/O, no clock, no randomness.

pub mod authorize;
pub mod callback;
pub mod diagnosis;
pub mod identity;
pub mod provider;
pub mod token;
