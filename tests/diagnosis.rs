//! Every answer of a provider or mail server means what a hand-written file says, from the wire to the outcome.
//!
//! The table in print is made from the code: where it differs, the test leaves the new page beside what cargo builds.

#[path = "diagnosis/print.rs"]
mod print;
#[path = "diagnosis/sight.rs"]
mod sight;
#[path = "diagnosis/walk.rs"]
mod walk;
#[allow(dead_code, reason = "shared with the tests of OAuth")]
#[path = "oauth/world.rs"]
mod world;

use std::collections::{BTreeMap, BTreeSet};

use multipop::oauth::table::{self, When};

const EXPECTED: &str = include_str!("diagnosis/expected.tsv");

#[derive(Debug, Clone, Copy)]
pub struct Expected {
    pub kind: &'static str,
    pub code: &'static str,
    pub when: &'static str,
    pub class: &'static str,
    pub cause: &'static str,
}

fn expected(kind: &str) -> Vec<Expected> {
    let rows = EXPECTED.lines().filter(|line| !line.starts_with('#')).map(|line| {
        let [kind, code, when, class, cause] = line.split('\t').collect::<Vec<_>>()[..] else {
            panic!("not five columns: {line}");
        };
        Expected { kind, code, when, class, cause }
    });
    rows.filter(|row| row.kind == kind).collect()
}

#[test]
fn a_number_said_to_a_browser_means_what_is_written() {
    let rows = expected("number")
        .into_iter()
        .filter(|row| ["always", "signing-in", "in-browser", "clock-right"].contains(&row.when));
    walk::browser(rows.collect());
}

#[test]
fn a_number_said_to_a_code_means_what_is_written() {
    let rows = expected("number")
        .into_iter()
        .filter(|row| ["always", "signing-in", "at-token", "clock-right"].contains(&row.when));
    walk::code(rows.collect());
}

#[test]
fn a_number_said_to_a_refresh_means_what_is_written() {
    let rows = expected("number")
        .into_iter()
        .filter(|row| ["always", "renewing", "at-token", "clock-right"].contains(&row.when));
    walk::renewal(rows.collect(), false);
}

#[test]
fn a_clock_that_is_wrong_is_named() {
    let rows: Vec<_> = expected("number").into_iter().filter(|row| row.when == "clock-wrong").collect();
    assert_eq!(rows.len(), 5);
    walk::renewal(rows, true);
}

#[test]
fn a_clock_that_is_wrong_is_named_at_a_sign_in() {
    let world = world::World::entra();
    world.clock.pass(2 * 86_400);
    let error = world.bring(&world.sign_in(world::ALICE), world::SESSION).result.unwrap_err();
    assert_eq!(error.cause, "config.clock", "{error:?}");
    let ahead = error.message.split_once("clock is ").unwrap().1;
    assert!(ahead.starts_with("1728") && ahead.ends_with(" s ahead of the provider's"), "{ahead}");
}

#[test]
fn an_error_a_suberror_and_a_status_mean_what_is_written() {
    walk::renewal(expected("error"), false);
    walk::renewal(expected("suberror"), false);
    walk::renewal(expected("http"), false);
}

#[test]
fn a_mail_server_s_no_means_what_is_written() {
    walk::mailbox(expected("pop"));
}

#[test]
fn where_two_rows_are_seen_the_one_that_is_written_counts() {
    let rows = expected("sight");
    assert!(rows.len() > 60);
    rows.iter().for_each(|row| sight::fits(sight::first(row), row));
    // The same cause in two rows, each with the way into its own provider's settings.
    let tells = |profile: &str, words: &str| {
        let mut off = rows.iter().filter(|row| row.cause == "mailbox.pop_off" && row.when == profile);
        assert!(off.all(|row| sight::first(row).for_operator.contains(words)));
    };
    tells("google", "Gmail");
    tells("microsoft365", "Set-CASMailbox");
}

#[test]
fn what_any_provider_says_sends_nobody_to_microsoft() {
    let rows: Vec<_> = table::rows().filter(|row| row.numbers.is_empty() && row.sight.is_none()).collect();
    assert!(rows.len() > 9, "{}", rows.len());
    for row in rows {
        for words in ["Microsoft", "Entra", "aka.ms"] {
            assert!(!row.for_user.contains(words) && !row.for_operator.contains(words), "{}", row.cause);
        }
    }
}

/// Then two rows that change places cannot pass unseen.
#[test]
fn no_two_rows_of_numbers_say_the_same() {
    let rows: Vec<_> = table::rows().filter(|row| !row.numbers.is_empty()).collect();
    let causes: BTreeSet<_> = rows.iter().map(|row| row.cause).collect();
    assert_eq!(causes.len(), rows.len());
    let sentences: BTreeSet<_> = rows.iter().map(|row| row.for_operator).collect();
    assert_eq!(sentences.len(), rows.len());
}

#[test]
fn code_and_file_have_the_same_numbers() {
    let mut written: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for row in expected("number") {
        assert!(written.entry(row.code.parse().unwrap()).or_default().insert(row.when), "twice: {row:?}");
    }
    let mut coded: BTreeMap<u32, BTreeSet<&str>> = BTreeMap::new();
    for (number, row) in table::rows().flat_map(|row| row.numbers.iter().map(move |number| (number, row))) {
        assert!(coded.entry(*number).or_default().insert(name(row.when)), "twice: {number}");
    }
    assert_eq!(coded, written);
    let whole = [
        BTreeSet::from(["always"]),
        BTreeSet::from(["signing-in", "renewing"]),
        BTreeSet::from(["in-browser", "at-token"]),
        BTreeSet::from(["clock-right", "clock-wrong"]),
    ];
    for (number, when) in &coded {
        assert!(whole.contains(when), "{number} is not split in two: {when:?}");
    }
}

pub fn name(when: When) -> &'static str {
    match when {
        When::Always => "always",
        When::InBrowser => "in-browser",
        When::AtToken => "at-token",
        When::SigningIn => "signing-in",
        When::Renewing => "renewing",
        When::ClockWrong => "clock-wrong",
        When::ClockRight => "clock-right",
    }
}

#[test]
fn both_are_told_one_sentence_that_ends() {
    for row in table::rows() {
        for sentence in [row.for_user, row.for_operator] {
            let last = sentence.chars().last();
            assert!(matches!(last, Some('.')) && sentence.len() < 330, "{}: {sentence}", row.cause);
        }
    }
}

#[test]
fn the_page_is_the_table() {
    let page = print::page();
    if include_str!("../docs/diagnosis.md") != page {
        let place = concat!(env!("CARGO_TARGET_TMPDIR"), "/diagnosis.md");
        std::fs::write(place, page).unwrap();
        panic!("docs/diagnosis.md is not the table any more; copy it from {place}");
    }
}
