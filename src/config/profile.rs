//! Where tokens of a provider may go, if the operator does not say (PROTOCOL.md A.2, C.1).

use super::{ProviderConfig, words};

pub(super) const PROFILES: [&str; 4] = ["microsoft365", "outlook", "google", "generic"];

impl ProviderConfig {
    /// The mail servers of this provider, host in lower case. An account without a server gets the first.
    pub fn hosts(&self) -> Vec<(String, u16)> {
        match &self.servers {
            Some(listed) => listed
                .iter()
                .filter_map(|text| words::parse_host_port(text))
                .collect(),
            None => self
                .profile_hosts()
                .iter()
                .filter_map(|text| words::parse_host_port(text))
                .collect(),
        }
    }

    /// A cloud of its own has hosts of its own.
    fn profile_hosts(&self) -> &'static [&'static str] {
        let authority = self
            .authority
            .as_deref()
            .unwrap_or_default()
            .trim_end_matches('/');
        match (self.profile.as_str(), authority) {
            ("microsoft365", "https://login.microsoftonline.us") => {
                &["outlook.office365.us:995", "outlook-dod.office365.us:995"]
            }
            ("microsoft365", "https://login.partner.microsoftonline.cn") => &["partner.outlook.cn:995"],
            ("microsoft365" | "outlook", _) => &["outlook.office365.com:995"],
            ("google", _) => &["pop.gmail.com:995"],
            _ => &[],
        }
    }
}
