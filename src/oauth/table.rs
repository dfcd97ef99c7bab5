//! The table of diagnosis: from what was seen to who can help, what to tell whom, and when to try again
//! (PROTOCOL.md A.11, A.12, B.6). `docs/diagnosis.md` is this table in print.
//!
//! A row never calls a grant over for trouble that passes or for a wrong configuration.

mod configuration;
mod mailbox;
mod organisation;
mod passing;
mod person;

pub(super) use mailbox::is_for_graph;

use super::mailbox::PopRefusal;
use super::provider::Profile;
use crate::error::{Error, Status};

/// Who can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The user acts, most often by signing in again.
    User,
    /// The organisation's administrator acts at the identity provider.
    Admin,
    /// The organisation's administrator acts at the mailbox.
    Mailbox,
    /// The configuration here, or the registration there, is wrong.
    Config,
    /// Time.
    Time,
}

impl Class {
    pub fn status(self) -> Status {
        match self {
            Class::User => Status::Consent,
            Class::Admin => Status::Provider,
            Class::Mailbox => Status::Policy,
            Class::Config => Status::Config,
            Class::Time => Status::Transient,
        }
    }
}

/// What is known besides the answer, where the same answer has two meanings.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum When {
    Always,
    /// Said to a browser by the authorization endpoint: the person stood before it and could not go on.
    InBrowser,
    /// Said by the token endpoint.
    AtToken,
    /// Said in a sign-in.
    SigningIn,
    /// Said to a refresh: the same registration and the same person worked before.
    Renewing,
    /// The provider's `Date` and this machine's clock are minutes apart.
    ClockWrong,
    ClockRight,
}

/// Where an answer came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Step {
    Browser,
    Code,
    Renewal,
}

#[derive(Debug, Clone, Copy)]
pub struct Known {
    pub step: Step,
    pub clock_wrong: bool,
}

impl When {
    pub fn holds(self, known: Known) -> bool {
        match self {
            When::Always => true,
            When::InBrowser => known.step == Step::Browser,
            When::AtToken => known.step != Step::Browser,
            When::SigningIn => known.step != Step::Renewal,
            When::Renewing => known.step == Step::Renewal,
            When::ClockWrong => known.clock_wrong,
            When::ClockRight => !known.clock_wrong,
        }
    }
}

/// What a mail server's no looks like: in words, and as a question.
#[derive(Clone, Copy)]
pub struct Sight {
    pub words: &'static str,
    pub is: fn(&PopRefusal<'_>, Option<Profile>) -> bool,
}

#[derive(Clone, Copy)]
pub struct Row {
    pub class: Class,
    pub cause: &'static str,
    pub for_user: &'static str,
    /// For the operator, or the organisation's administrator he turns to.
    pub for_operator: &'static str,
    /// Not before so many seconds.
    pub wait_s: u32,
    pub when: When,
    /// Microsoft's numbers that say it.
    pub numbers: &'static [u32],
    /// `error` and `suberror` that say it where no number is known; `*` is every other one.
    pub errors: &'static [&'static str],
    pub suberrors: &'static [&'static str],
    pub sight: Option<Sight>,
    /// A server that throttles has been seen to say the same.
    pub doubtful: bool,
}

impl Row {
    const fn new(
        class: Class,
        cause: &'static str,
        for_user: &'static str,
        for_operator: &'static str,
    ) -> Row {
        Row {
            class,
            cause,
            for_user,
            for_operator,
            wait_s: 0,
            when: When::Always,
            numbers: &[],
            errors: &[],
            suberrors: &[],
            sight: None,
            doubtful: false,
        }
    }
    const fn numbers(self, numbers: &'static [u32]) -> Row {
        Row { numbers, ..self }
    }
    const fn errors(self, errors: &'static [&'static str]) -> Row {
        Row { errors, ..self }
    }
    const fn suberrors(self, suberrors: &'static [&'static str]) -> Row {
        Row { suberrors, ..self }
    }
    const fn when(self, when: When) -> Row {
        Row { when, ..self }
    }
    const fn wait(self, wait_s: u32) -> Row {
        Row { wait_s, ..self }
    }
    const fn seen(self, words: &'static str, is: fn(&PopRefusal<'_>, Option<Profile>) -> bool) -> Row {
        Row { sight: Some(Sight { words, is }), ..self }
    }
    const fn doubtful(self) -> Row {
        Row { doubtful: true, ..self }
    }

    pub fn error(&self, message: String) -> Error {
        Error::new(self.class.status(), self.cause, message)
            .advice(if self.class == Class::User { self.for_user } else { self.for_operator })
            .sentences(self.for_user, self.for_operator)
            .retry_after(self.wait_s)
    }
}

/// In print and in order; of the mailbox's rows the first that is seen counts.
pub fn rows() -> impl Iterator<Item = &'static Row> {
    [person::ROWS, organisation::ROWS, configuration::ROWS, passing::ROWS, mailbox::ROWS]
        .into_iter()
        .flatten()
}

pub fn by_number(number: u32, known: Known) -> Option<&'static Row> {
    rows().find(|row| row.numbers.contains(&number) && row.when.holds(known))
}

pub fn by_suberror(suberror: &str) -> Option<&'static Row> {
    rows().find(|row| row.suberrors.contains(&suberror))
}

pub fn by_error(error: &str) -> Option<&'static Row> {
    let named = |name: &str| rows().find(|row| row.errors.contains(&name));
    named(error).or_else(|| named("*"))
}

pub fn by_sight(seen: &PopRefusal<'_>, profile: Option<Profile>) -> Option<&'static Row> {
    rows().find(|row| row.sight.is_some_and(|sight| (sight.is)(seen, profile)))
}
