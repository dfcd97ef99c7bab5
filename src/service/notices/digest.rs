//! The operator's daily digest: what is not collected and why, what is held, what ends, what is well again.

use std::fmt::Write;

use super::texts::{Texts, counted, day, moment};
use crate::model::UnixTime;
use crate::store::{Incident, Needs, Trouble};

pub(super) struct Digest {
    pub at: UnixTime,
    pub troubles: Vec<Trouble>,
    pub incidents: Vec<Incident>,
    /// Users not written to yet, since an incident may heal.
    pub held: u64,
    /// What ends, in words that are the same in both languages, and when.
    pub ends: Vec<(String, UnixTime)>,
    pub recovered: u64,
}

impl Digest {
    pub fn says_something(&self) -> bool {
        !self.troubles.is_empty() || !self.incidents.is_empty() || !self.ends.is_empty() || self.recovered > 0
    }

    pub fn texts(&self) -> Texts {
        let accounts = self.troubles.iter().map(|trouble| trouble.accounts).sum::<u64>();
        let (en, de) = counted(accounts);
        let day = day(self.at);
        let (english, german) = (self.text(&ENGLISH), self.text(&GERMAN));
        let subjects = match self.says_something() {
            true => (
                format!(
                    "Mail collection on {day}: {accounts} {en} not collected, {} recovered",
                    self.recovered
                ),
                format!(
                    "Postabholung am {day}: {accounts} {de} nicht abgeholt, {} wieder in Ordnung",
                    self.recovered
                ),
            ),
            false => (
                format!("Mail collection on {day}: all is well"),
                format!("Postabholung am {day}: Alles in Ordnung"),
            ),
        };
        Texts::new((subjects.0, english), (subjects.1, german))
    }

    fn text(&self, words: &Words) -> String {
        let mut text = String::new();
        let heading = |text: &mut String, heading: &str| {
            let gap = if text.is_empty() { "" } else { "\n" };
            // Into a String nothing fails.
            let _ = writeln!(text, "{gap}{heading}");
        };
        if !self.troubles.is_empty() {
            heading(&mut text, words.failing);
        }
        for trouble in &self.troubles {
            let (en, de) = counted(trouble.accounts);
            let _ = writeln!(
                text,
                "  {} {} ({}): {}, {} {} ({})",
                trouble.accounts,
                if words.german { de } else { en },
                trouble.provider,
                trouble.cause,
                words.since,
                moment(trouble.since),
                words.who(trouble.needs)
            );
        }
        if !self.incidents.is_empty() {
            heading(&mut text, words.incidents);
        }
        for incident in &self.incidents {
            let begun = moment(incident.begun_at);
            let _ = write!(text, "  {} ({}): {} {begun}", incident.cause, incident.provider, words.begun);
            let _ = match incident.ended_at {
                Some(at) => writeln!(text, ", {} {}", words.ended, moment(at)),
                None => writeln!(text, ", {} {}", words.held_until, moment(incident.held_until)),
            };
        }
        if self.held > 0 {
            heading(&mut text, words.held);
            let _ = writeln!(text, "  {}", self.held);
        }
        if !self.ends.is_empty() {
            heading(&mut text, words.ends);
        }
        for (what, at) in &self.ends {
            let _ = writeln!(text, "  {what}: {}", day(*at));
        }
        if self.recovered > 0 {
            heading(&mut text, words.recovered);
            let _ = writeln!(text, "  {}", self.recovered);
        }
        if text.is_empty() { words.well.to_owned() } else { text }
    }
}

struct Words {
    german: bool,
    failing: &'static str,
    since: &'static str,
    incidents: &'static str,
    begun: &'static str,
    ended: &'static str,
    held_until: &'static str,
    held: &'static str,
    ends: &'static str,
    recovered: &'static str,
    well: &'static str,
    needs: [&'static str; 3],
}

impl Words {
    fn who(&self, needs: Needs) -> &'static str {
        match needs {
            Needs::User => self.needs[0],
            Needs::Operator => self.needs[1],
            Needs::Time | Needs::Nobody => self.needs[2],
        }
    }
}

const ENGLISH: Words = Words {
    german: false,
    failing: "Not collected:",
    since: "since",
    incidents: "Incidents:",
    begun: "begun",
    ended: "over since",
    held_until: "users not written to before",
    held: "Notices to users that are held:",
    ends: "Ends soon:",
    recovered: "Accounts that recovered:",
    well: "Every account is collected; nothing ends soon.\n",
    needs: ["the user is needed", "you are needed", "waits, time heals it"],
};

const GERMAN: Words = Words {
    german: true,
    failing: "Nicht abgeholt:",
    since: "seit",
    incidents: "Störungen:",
    begun: "Beginn",
    ended: "vorbei seit",
    held_until: "Benutzer nicht angeschrieben vor",
    held: "Zurückgehaltene Nachrichten an Benutzer:",
    ends: "Endet bald:",
    recovered: "Wieder in Ordnung:",
    well: "Alle Konten werden abgeholt; nichts endet bald.\n",
    needs: ["der Benutzer wird gebraucht", "Sie werden gebraucht", "wartet, die Zeit heilt es"],
};
