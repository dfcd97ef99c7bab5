//! One word and one sentence for a person who asks where his mail is. Pure; it says no more than is known.

use std::collections::BTreeMap;

use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

use crate::model::{DAY_S, LedgerRow, Outcome, RowState, UidlKey, UnixTime};
use crate::store::{AccountRow, Asked, Became, Happening, ListingMark, Pass, What};

pub(super) struct Told<'a> {
    pub asked: &'a Asked,
    pub became: &'a Became,
    pub passes: &'a [Pass],
    /// The last listing that was gone through to its end.
    pub listing: Option<&'a ListingMark>,
    pub now: UnixTime,
}

/// One message: what is kept of its steps, and its row, where it has one.
#[derive(Default)]
struct Course<'a> {
    steps: Vec<&'a Happening>,
    row: Option<&'a LedgerRow>,
}

/// Where several messages answer to what was asked, the first of these that one of them is.
const ORDER: [&str; 11] = [
    "taken",
    "deleted",
    "refused",
    "oversize",
    "set_aside",
    "deferred",
    "unfinished",
    "seen",
    "left",
    "vanished",
    "unknown",
];

impl Told<'_> {
    pub fn verdict(&self, account: &AccountRow) -> (&'static str, String) {
        let courses = self.courses(account.generation);
        match self.asked {
            Asked::All | Asked::Since(_) => self.summary(&courses),
            Asked::MessageId(_) | Asked::Uidl { .. } => {
                let told = courses.values().map(|course| (course.word(), course));
                let first = told.min_by_key(|(word, _)| ORDER.iter().position(|known| known == word));
                match first {
                    Some((word, course)) => (word, course.sentence(word, account)),
                    None if self.is_more_waiting() => ("waiting", self.never_listed()),
                    None => ("never_listed", self.never_listed()),
                }
            }
        }
    }

    fn courses(&self, generation: u32) -> BTreeMap<(u32, UidlKey), Course<'_>> {
        let mut courses: BTreeMap<(u32, UidlKey), Course<'_>> = BTreeMap::new();
        for step in &self.became.happenings {
            courses.entry((step.generation, step.key)).or_default().steps.push(step);
        }
        for row in &self.became.rows {
            courses.entry((generation, row.key)).or_default().row = Some(row);
        }
        courses
    }

    fn summary(&self, courses: &BTreeMap<(u32, UidlKey), Course<'_>>) -> (&'static str, String) {
        let mut words: BTreeMap<usize, usize> = BTreeMap::new();
        for course in courses.values() {
            let place = ORDER.iter().position(|known| *known == course.word()).unwrap_or(ORDER.len() - 1);
            *words.entry(place).or_default() += 1;
        }
        if courses.is_empty() {
            return ("none", format!("Nothing happened to a message in this time. {}", self.visits()));
        }
        let parts: Vec<String> = words
            .iter()
            .map(|(place, count)| format!("{count} {}", ORDER[*place].replace('_', " ")))
            .collect();
        let more = if self.became.more { " Only the last steps are shown." } else { "" };
        let messages = counted(courses.len() as u64, "message");
        ("several", format!("{messages}: {}.{more} {}", parts.join(", "), self.visits()))
    }

    fn never_listed(&self) -> String {
        let by = match self.asked {
            Asked::Uidl { .. } => "with this UIDL",
            _ => "with this Message-ID",
        };
        let mut words = vec![format!("No message {by} is known here."), self.visits()];
        if matches!(self.asked, Asked::MessageId(_)) {
            words.push(match self.became.unread {
                0 => "Every message listed and not taken is known by its header, and none has this Message-ID."
                    .to_owned(),
                count => format!(
                    "A Message-ID is known only of messages whose header was fetched; {} at the server {} known by \
                     UIDL alone and may be it.",
                    counted(count, "message"),
                    if count == 1 { "is" } else { "are" }
                ),
            });
        }
        words.join(" ")
    }

    /// Whether the last listing was longer than what was gone through of it: a visit ended before.
    fn is_more_waiting(&self) -> bool {
        let last = self.passes.iter().rev().find(|pass| pass.listed.is_some_and(|listed| listed > 0));
        last.is_some_and(|last| {
            last.outcome != Outcome::Ok && self.listing.is_none_or(|listing| listing.at < last.begun)
        })
    }

    /// What the visits kept say of the listing.
    fn visits(&self) -> String {
        let (Some(first), Some(last)) = (self.passes.first(), self.passes.last()) else {
            return "The account was not visited yet.".to_owned();
        };
        let mut words = format!("{} since {}", counted(self.passes.len() as u64, "visit"), when(first.begun));
        match self.passes.iter().rev().find_map(|pass| pass.listed.map(|listed| (pass, listed))) {
            Some((pass, listed)) => {
                words += &format!(
                    "; the last listing, at {}, had {}.",
                    when(pass.ended),
                    counted(listed.into(), "message")
                );
            }
            None => words += "; none of them came to a listing.",
        }
        if self.is_more_waiting() {
            words += " More was waiting then: what was not begun yet is known by nothing.";
        }
        if last.listed.is_none() || last.status != 0 {
            let cause = if last.cause.is_empty() { last.outcome.name() } else { &last.cause };
            words += &format!(" The last visit, at {}, ended with {cause}.", when(last.ended));
        }
        let silent_s = self.now.saturating_sub(last.ended);
        if silent_s > DAY_S {
            words += &format!(" No visit ended in the {} since.", counted(silent_s / DAY_S, "day"));
        }
        words
    }
}

impl Course<'_> {
    /// What the ledger says counts, for it never forgets what still matters; else the last step.
    fn word(&self) -> &'static str {
        let Some(row) = self.row else {
            return self.last_word();
        };
        match row.state {
            RowState::Durable => "taken",
            RowState::Deferred => "deferred",
            RowState::Refused => "refused",
            RowState::Oversize => "oversize",
            RowState::SetAside => "set_aside",
            RowState::Imported => "left",
            RowState::Gone if self.last(What::Taken).is_none() && self.last(What::Deleted).is_none() => {
                self.last_word()
            }
            RowState::Gone => "deleted",
            RowState::InHand if row.ends > 0 || self.last(What::Unfinished).is_some() => "unfinished",
            RowState::InHand => "seen",
        }
    }

    fn last_word(&self) -> &'static str {
        match self.steps.last().map(|step| step.what) {
            Some(What::Taken | What::Renamed) => "taken",
            Some(What::OfferedAgain) => "deferred",
            Some(what) => what.name(),
            None => "unknown",
        }
    }

    fn last(&self, what: What) -> Option<&Happening> {
        self.steps.iter().rev().find(|step| step.what == what).copied()
    }

    fn sentence(&self, word: &str, account: &AccountRow) -> String {
        let mut words = Vec::new();
        if let Some(seen) = self.last(What::Seen) {
            words.push(format!("First seen at {}.", when(seen.at)));
        }
        match word {
            "taken" | "deleted" => {
                words.push(self.taken());
                if let Some(deleted) = self.last(What::Deleted) {
                    words.push(format!("It was deleted at the mail server at {}.", when(deleted.at)));
                }
            }
            "deferred" => words.push(self.put_off()),
            "refused" => words.push(self.no(What::Refused, "The mail server here refused it")),
            "oversize" => words.push(self.no(What::Oversize, "It is left at the server")),
            "set_aside" => {
                words.push(self.no(What::SetAside, "It ended three sessions and was set aside"));
                words.push("It is tried again once a day and never deleted.".to_owned());
            }
            "unfinished" => {
                words.push(self.no(What::Unfinished, "Its delivery was begun and not finished"));
                words.push("It comes again at the next visit.".to_owned());
            }
            "left" => words.push(
                "The account's first fetch left it unread at the server, and it was never asked for."
                    .to_owned(),
            ),
            "vanished" => {
                words.push(self.no(
                    What::Vanished,
                    "Before it could be taken it was gone from the server; somebody else removed it. Noticed",
                ));
            }
            "unknown" => words.push("It was listed, and no more is known of it.".to_owned()),
            _ => words.push("It waits for its turn.".to_owned()),
        }
        if !account.account.enabled || account.state.paused {
            words.push(
                "The account is paused or disabled: nothing more is collected until that ends.".to_owned(),
            );
        }
        words.join(" ")
    }

    fn taken(&self) -> String {
        match (self.last(What::Taken), self.row) {
            (Some(taken), _) => {
                let answer = said(&taken.answer, ", which answered");
                format!("Taken by the mail server here at {} ({}){answer}.", when(taken.at), taken.process)
            }
            (None, Some(row)) => {
                format!(
                    "Taken by the mail server here at {}, longer ago than steps are kept.",
                    when(row.recorded_at)
                )
            }
            (None, None) => "It was taken before under another UIDL, and not again.".to_owned(),
        }
    }

    fn put_off(&self) -> String {
        let times = self.steps.iter().filter(|step| step.what == What::Deferred).count();
        let mut words = match self.last(What::Deferred) {
            Some(last) => {
                let answer = said(&last.answer, ":");
                format!("Put off {}, last at {}{answer}.", counted(times as u64, "time"), when(last.at))
            }
            None => "Put off.".to_owned(),
        };
        if let Some(row) = self.row.filter(|row| row.not_before > 0) {
            words += &format!(" Not tried again before {}.", when(row.not_before));
        }
        words
    }

    fn no(&self, what: What, words: &str) -> String {
        match self.last(what) {
            Some(step) => format!("{words} at {}{}.", when(step.at), said(&step.answer, ":")),
            None => format!("{words}."),
        }
    }
}

fn counted(count: u64, what: &str) -> String {
    if count == 1 { format!("1 {what}") } else { format!("{count} {what}s") }
}

fn said(answer: &str, before: &str) -> String {
    if answer.is_empty() { String::new() } else { format!("{before} {}", answer.trim_end_matches('.')) }
}

fn when(at: UnixTime) -> String {
    let time = i64::try_from(at).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    time.and_then(|time| time.format(&Rfc3339).ok()).unwrap_or_else(|| at.to_string())
}
