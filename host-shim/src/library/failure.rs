//! A failed call in owned words: `multipop_error_t`, and what this side of the door has to say itself.

use std::ffi::c_char;
use std::fmt;

use multipop_abi as abi;

/// Who can help, by the tens of the status.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    HostsCode,
    Operator,
    User,
    Time,
    Sink,
    Maintainer,
}

impl Who {
    /// An unknown code is handled by its ten, so that a newer library does not break an older host.
    pub fn of(status: i32) -> Who {
        match status {
            -9..=0 => Who::HostsCode,
            -19..=-10 => Who::Operator,
            -29..=-20 => Who::User,
            -39..=-30 => Who::Time,
            -49..=-40 => Who::Sink,
            _ => Who::Maintainer,
        }
    }

    /// The process's exit status.
    pub fn exit_code(self) -> u8 {
        match self {
            Who::HostsCode => 1,
            Who::Operator => 10,
            Who::User => 20,
            Who::Time => 30,
            Who::Sink => 40,
            Who::Maintainer => 50,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Failure {
    pub status: i32,
    pub retry_after_s: u32,
    /// Stable, dotted, for machines.
    pub cause: String,
    pub provider_code: String,
    /// One line for a log.
    pub message: String,
    /// The sentence for the person who can help.
    pub advice: String,
}

impl Failure {
    /// A failure found on this side.
    pub fn here(status: i32, cause: &str, message: impl Into<String>, advice: &str) -> Failure {
        Failure {
            status,
            retry_after_s: 0,
            cause: cause.into(),
            provider_code: String::new(),
            message: message.into(),
            advice: advice.into(),
        }
    }

    pub fn who(&self) -> Who {
        Who::of(self.status)
    }

    /// `status` is what the function returned; `error` only adds to it.
    pub(super) fn read(status: i32, error: &abi::Error) -> Failure {
        Failure {
            status,
            retry_after_s: error.retry_after_s,
            cause: words(&error.cause),
            provider_code: words(&error.provider_code),
            message: words(&error.message),
            advice: words(&error.advice),
        }
    }
}

fn words(array: &[c_char]) -> String {
    let bytes: Vec<u8> = array.iter().take_while(|c| **c != 0).map(|c| c.to_ne_bytes()[0]).collect();
    String::from_utf8_lossy(&bytes).into_owned()
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.message.as_str() {
            "" => write!(f, "status {}", self.status)?,
            message => write!(f, "{message}")?,
        }
        if !self.cause.is_empty() {
            write!(f, " [{}]", self.cause)?;
        }
        if !self.provider_code.is_empty() {
            write!(f, " (the provider says {})", self.provider_code)?;
        }
        Ok(())
    }
}

impl std::error::Error for Failure {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_unknown_code_counts_by_its_ten() {
        assert_eq!(Who::of(-19), Who::Operator);
        assert_eq!(Who::of(-29), Who::User);
        assert_eq!(Who::of(-38), Who::Time);
        assert_eq!(Who::of(-44), Who::Sink);
        assert_eq!(Who::of(-77), Who::Maintainer);
        assert_eq!(Who::of(-3), Who::HostsCode);
    }
}
