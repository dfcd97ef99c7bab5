//! Where tokens of a provider may go, if the operator does not say (PROTOCOL.md A.2, C.1).

use super::{ProviderConfig, words};

pub(super) const PROFILES: [&str; 4] = ["microsoft365", "outlook", "google", "generic"];

impl ProviderConfig {
    /// The mail servers of this provider, host in lower case. An account without a server gets the first.
    pub fn hosts(&self) -> Vec<(String, u16)> {
        match &self.servers {
            Some(listed) => listed.iter().filter_map(|text| words::parse_host_port(text)).collect(),
            None => self.profile_hosts().iter().filter_map(|text| words::parse_host_port(text)).collect(),
        }
    }

    /// A sovereign cloud is the same profile with `authority`, `scopes` and `servers` of its own.
    fn profile_hosts(&self) -> &'static [&'static str] {
        match self.profile.as_str() {
            "microsoft365" | "outlook" => &["outlook.office365.com:995"],
            "google" => &["pop.gmail.com:995"],
            _ => &[],
        }
    }
}
