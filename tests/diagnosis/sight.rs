//! Rows of the hand-written file that say which of two rows counts where both are seen.

use multipop::oauth::diagnosis::PopRefusal;
use multipop::oauth::provider::Profile;
use multipop::oauth::table::{self, Class, Row};

use super::Expected;

pub fn first(expected: &Expected) -> &'static Row {
    let is = |fact: &str| expected.code.split(' ').any(|one| one == fact);
    let known = [
        "LOGIN-DELAY",
        "IN-USE",
        "SYS/TEMP",
        "SYS/PERM",
        "pop-words",
        "unavailable",
        "protocol-error",
        "close",
        "worked",
        "shared",
        "long-token",
        "old-token",
        "no-pop-scope",
        "graph-scope",
        "announces-codes",
        "nothing",
    ];
    assert!(expected.code.split(' ').all(|fact| known.contains(&fact)), "{expected:?}");
    let words = [
        ("pop-words", "Your account is not enabled for POP access. "),
        ("unavailable", "Server Unavailable. 15 "),
        ("protocol-error", "Protocol error. Connection is closed. 10 "),
    ];
    let text: String = words.into_iter().filter(|(fact, _)| is(fact)).map(|(_, text)| text).collect();
    let seen = PopRefusal {
        code: known[..4].iter().find(|code| is(code)).unwrap_or(&""),
        text: &text,
        auth_resp_code: is("announces-codes"),
        closed: is("close"),
        token_age_s: if is("old-token") { 4000 } else { 5 },
        token_length: if is("long-token") { 4097 } else { 1800 },
        scope: match is("graph-scope") {
            true => "https://graph.microsoft.com/POP.AccessAsUser.All",
            false => "https://outlook.office.com/POP.AccessAsUser.All",
        },
        scope_has_pop: !is("no-pop-scope"),
        shared: is("shared"),
        worked_before: is("worked"),
        ..PopRefusal::default()
    };
    let profile = match expected.when {
        "file" => None,
        name => Some(Profile::ALL.into_iter().find(|profile| profile.name() == name).expect(name)),
    };
    table::by_sight(&seen, profile).expect("the last row is seen in everything")
}

pub fn fits(row: &Row, expected: &Expected) {
    let class = match row.class {
        Class::User => "R",
        Class::Admin | Class::Mailbox => "A",
        Class::Config => "C",
        Class::Time => "T",
    };
    assert_eq!((class, row.cause), (expected.class, expected.cause), "{expected:?}");
}
