//! OAuth 2.0 for mail: requests built, answers read, causes named. No I/O, no clock, no randomness.

pub mod assertion;
pub mod authorize;
pub mod callback;
mod causes;
pub mod certificate;
pub mod credential;
pub mod device;
pub mod diagnosis;
pub mod discovery;
pub mod identity;
mod mailbox;
mod profile;
pub mod provider;
mod redirect;
mod retry_after;
pub mod revocation;
mod rules;
pub mod table;
pub mod token;
