//! OAuth 2.0 for mail: requests built, answers read, causes named. No I/O, no clock, no randomness.

pub mod provider;
