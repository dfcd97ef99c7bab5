//! The known kinds of providers, and where their tokens may go if the operator does not say (PROTOCOL.md A.2, C.1).
//!
//! What a profile means to OAuth stands in `oauth::profile`; its mail servers stand here only, since accounts are
//! completed and judged by them.

use serde::Serialize;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub enum Profile {
    Microsoft365,
    Outlook,
    Google,
    Generic,
}

impl Profile {
    pub const ALL: [Profile; 4] =
        [Profile::Microsoft365, Profile::Outlook, Profile::Google, Profile::Generic];

    /// As the configuration has it.
    pub fn name(self) -> &'static str {
        match self {
            Profile::Microsoft365 => "microsoft365",
            Profile::Outlook => "outlook",
            Profile::Google => "google",
            Profile::Generic => "generic",
        }
    }

    /// Host and port, in lower case. A sovereign cloud is the same profile with `authority`, `scopes` and `servers` of
    /// its own.
    pub fn servers(self) -> &'static [(&'static str, u16)] {
        match self {
            Profile::Microsoft365 | Profile::Outlook => &[("outlook.office365.com", 995)],
            Profile::Google => &[("pop.gmail.com", 995)],
            Profile::Generic => &[],
        }
    }

    pub fn is_microsoft(self) -> bool {
        matches!(self, Profile::Microsoft365 | Profile::Outlook)
    }
}
