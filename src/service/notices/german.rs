//! The sentences of the table of diagnosis in German, by cause; where one cause has several rows, for all of them.

mod configuration;
mod mailbox;
mod organisation;
mod person;

pub(super) struct Sentences {
    pub cause: &'static str,
    /// Empty: its user is never told.
    pub for_user: &'static str,
    pub for_operator: &'static str,
}

pub(super) fn of(cause: &str) -> Option<&'static Sentences> {
    [person::SENTENCES, organisation::SENTENCES, configuration::SENTENCES, mailbox::SENTENCES]
        .into_iter()
        .flatten()
        .find(|sentences| sentences.cause == cause)
}

const fn told(cause: &'static str, for_user: &'static str, for_operator: &'static str) -> Sentences {
    Sentences { cause, for_user, for_operator }
}

/// For the operator alone.
const fn operators(cause: &'static str, for_operator: &'static str) -> Sentences {
    told(cause, "", for_operator)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::oauth::table::{self, Class};

    /// What a person is told, he is told in his language.
    #[test]
    fn no_cause_of_the_table_is_missing() {
        for row in table::rows() {
            let german = of(row.cause).unwrap_or_else(|| panic!("{} has no German", row.cause));
            assert!(
                !german.for_operator.is_empty() && german.for_operator != row.for_operator,
                "{}",
                row.cause
            );
            if row.class == Class::User {
                assert!(!german.for_user.is_empty() && german.for_user != row.for_user, "{}", row.cause);
            }
        }
    }

    #[test]
    fn umlauts_are_umlauts() {
        let all = [person::SENTENCES, organisation::SENTENCES, configuration::SENTENCES, mailbox::SENTENCES];
        for sentences in all.into_iter().flatten() {
            let text = format!("{} {}", sentences.for_user, sentences.for_operator).to_lowercase();
            for wrong in [
                "fuer ", "ueber", "koenn", "muess", "pruef", "aender", "zurueck", "waehl", "schluess",
                "loesch",
            ] {
                assert!(!text.contains(wrong), "{}: {wrong}", sentences.cause);
            }
        }
    }
}
