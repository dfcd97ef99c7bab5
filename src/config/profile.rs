//! The known kinds of providers, and where their tokens may go if the operator does not say (PROTOCOL.md A.2, C.1).
//!
//! What a profile means to OAuth stands in `oauth::profile`; its mail servers stand here only, since accounts are
//! completed and judged by them. What nobody verified is no profile and no cloud.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Profile {
    Microsoft365,
    Outlook,
    Google,
    Yahoo,
    Aol,
    Fastmail,
    Comcast,
    Generic,
}

impl Profile {
    pub const ALL: [Profile; 8] = [
        Profile::Microsoft365,
        Profile::Outlook,
        Profile::Google,
        Profile::Yahoo,
        Profile::Aol,
        Profile::Fastmail,
        Profile::Comcast,
        Profile::Generic,
    ];

    /// As the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Microsoft365 => "microsoft365",
            Profile::Outlook => "outlook",
            Profile::Google => "google",
            Profile::Yahoo => "yahoo",
            Profile::Aol => "aol",
            Profile::Fastmail => "fastmail",
            Profile::Comcast => "comcast",
            Profile::Generic => "generic",
        }
    }

    /// Host and port, in lower case.
    pub fn servers(self, cloud: Cloud) -> &'static [(&'static str, u16)] {
        match self {
            Profile::Microsoft365 if cloud == Cloud::UsGovHigh => &[("outlook.office365.us", 995)],
            Profile::Microsoft365 | Profile::Outlook => &[("outlook.office365.com", 995)],
            Profile::Google => &[("pop.gmail.com", 995)],
            Profile::Yahoo => &[("pop.mail.yahoo.com", 995)],
            Profile::Aol => &[("pop.aol.com", 995)],
            Profile::Fastmail => &[("pop.fastmail.com", 995)],
            Profile::Comcast => &[("pop.comcast.net", 995)],
            Profile::Generic => &[],
        }
    }

    /// What may stand before the mailbox's name in `user`: it says how the mailbox is listed, not whose it is
    /// (PROTOCOL.md C.2).
    fn listing_prefix(self) -> Option<&'static str> {
        match self {
            Profile::Google => Some("recent:"),
            _ => None,
        }
    }

    /// The mailbox's own name, where `user` asks for the mail of the last days, whoever fetched it already.
    pub fn in_recent_mode(self, user: &str) -> Option<&str> {
        let prefix = self.listing_prefix()?;
        let (start, name) = user.split_at_checked(prefix.len())?;
        start.eq_ignore_ascii_case(prefix).then_some(name).filter(|name| !name.is_empty())
    }

    pub fn is_microsoft(self) -> bool {
        matches!(self, Profile::Microsoft365 | Profile::Outlook)
    }
}

/// Microsoft's clouds. Another one is `microsoft365` with `authority`, `scopes` and `servers` of its own.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub enum Cloud {
    /// Also the US government's "GCC".
    #[default]
    Global,
    UsGovHigh,
}

impl Cloud {
    pub const ALL: [Cloud; 2] = [Cloud::Global, Cloud::UsGovHigh];

    /// As the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Cloud::Global => "global",
            Cloud::UsGovHigh => "us_gov_high",
        }
    }
}
