//! How a command ended, in words for a person and a number for a script.

use std::fmt::Display;

use multipop_host::library::{Failure, Report, Who};

/// What went wrong, and who can help.
#[derive(Debug)]
pub struct Trouble {
    pub code: u8,
    pub message: String,
    pub advice: String,
    /// The library's own words, where it was the library.
    pub failure: Option<Box<Failure>>,
    /// Everything was said already.
    pub is_told: bool,
}

impl Trouble {
    /// About the arguments, the terminal, a file of this program's.
    pub fn here(message: impl Into<String>, advice: &str) -> Trouble {
        Trouble {
            code: Who::HostsCode.exit_code(),
            message: message.into(),
            advice: advice.into(),
            failure: None,
            is_told: false,
        }
    }

    pub fn told(code: u8) -> Trouble {
        Trouble { code, is_told: true, ..Trouble::here("", "") }
    }

    pub fn io(what: impl Display, error: &std::io::Error, advice: &str) -> Trouble {
        Trouble::here(format!("{what}: {error}"), advice)
    }
}

impl From<Failure> for Trouble {
    fn from(failure: Failure) -> Trouble {
        Trouble {
            code: failure.who().exit_code(),
            message: failure.to_string(),
            advice: failure.advice.clone(),
            failure: Some(Box::new(failure)),
            is_told: false,
        }
    }
}

/// The exit status of a fetch over several accounts: the one whose helper must act first.
pub fn exit_code(report: &Report) -> u8 {
    let by_urgency = [
        (report.failed_bug, Who::Maintainer),
        (report.failed_operator, Who::Operator),
        (report.failed_sink, Who::Sink),
        (report.failed_user, Who::User),
        (report.failed_host, Who::HostsCode),
        (report.failed_time, Who::Time),
    ];
    let first = by_urgency.iter().find(|(count, _)| *count > 0);
    first.map_or(0, |(_, who)| who.exit_code())
}
