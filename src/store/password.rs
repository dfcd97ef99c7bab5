//! The password of an account without OAuth, and how it fares. It is sealed like a grant, and never shown.

use serde::{Deserialize, Serialize};

use crate::model::UnixTime;
use crate::secret::Secret;

#[derive(Debug)]
pub struct StoredPassword {
    /// Rises with every other password.
    pub version: u64,
    pub password: Secret,
}

/// How the stored password fares.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub struct PasswordState {
    pub version: u64,
    /// In a row.
    pub refusals: u32,
    /// No log-in before this: it would be refused again, and the mailbox locked.
    pub wait_until: UnixTime,
}
