//! Servers that mean harm: nothing grows past its named limit, nothing panics.

use multipop::pop3::limits::{
    CAPABILITY_LINE_BYTES, CAPABILITY_LINES, LISTING_BYTES, LISTING_LINE_BYTES, SASL_MECHANISMS,
    STATUS_LINE_BYTES, UIDL_BYTES,
};
use multipop::pop3::{Command, Greeting, Limits, Mechanism, Session};
use proptest::prelude::*;

use super::talk::{Heard, LIMITS, Talk, login, token};

/// Octets of a line without end that are taken before the session ends.
fn endless(talk: &mut Talk) -> usize {
    let piece = [b'x'; 100];
    let mut taken = 0;
    while talk.error.is_none() {
        talk.says(piece);
        taken += piece.len();
        assert!(taken < 1 << 20, "without end");
    }
    taken - piece.len()
}

#[test]
fn i07_lines_without_end() {
    assert!(endless(&mut Talk::secured()) <= STATUS_LINE_BYTES);

    let mut talk = Talk::greeted();
    talk.send(Command::Stat);
    assert!(endless(&mut talk) <= STATUS_LINE_BYTES);

    let mut talk = Talk::greeted();
    let token = token();
    talk.send(Command::Login(login(Mechanism::Xoauth2, "alice@contoso.example", &token)));
    talk.says("+ ");
    assert!(endless(&mut talk) <= STATUS_LINE_BYTES);

    for command in [Command::Uidl, Command::List] {
        let mut talk = Talk::greeted();
        talk.send(command);
        talk.says("+OK\r\n1 ");
        assert!(endless(&mut talk) <= LISTING_LINE_BYTES);
    }

    let mut talk = Talk::greeted();
    talk.send(Command::Capa);
    talk.says("+OK\r\n");
    assert!(endless(&mut talk) <= CAPABILITY_LINE_BYTES);
}

#[test]
fn i07_line_too_long_is_too_long_in_one_piece_too() {
    let mut talk = Talk::greeted();
    talk.send(Command::Noop);
    talk.says(format!("+OK {}\r\n", "x".repeat(STATUS_LINE_BYTES)));
    assert!(talk.misfit().contains("too long"));
}

#[test]
fn i07_capabilities_without_end() {
    let mut talk = Talk::greeted();
    talk.send(Command::Capa);
    talk.says("+OK\r\n");
    talk.says("X-MORE\r\n".repeat(CAPABILITY_LINES));
    assert!(talk.error.is_none());
    talk.says("X-MORE\r\n");
    assert!(talk.misfit().contains("too many"));
}

#[test]
fn i07_mechanisms_without_end() {
    let mut talk = Talk::greeted();
    talk.send(Command::Capa);
    talk.says(format!("+OK\r\n{}.\r\n", format!("SASL {}\r\n", "M ".repeat(1000)).repeat(100)));
    let heard = talk.heard();
    assert!(matches!(heard.as_slice(), [Heard::Capabilities(found)] if found.sasl.len() == SASL_MECHANISMS));
}

#[test]
fn i07_listing_longer_than_configured() {
    for command in [Command::Uidl, Command::List] {
        let mut talk = Talk::greeted();
        talk.send(command);
        talk.says("+OK\r\n");
        for number in 1..=LIMITS.listing_entries {
            talk.says(format!("{number} 7\r\n"));
        }
        assert!(talk.error.is_none());
        talk.says(format!("{} 7\r\n", LIMITS.listing_entries + 1));
        assert!(talk.misfit().contains("more than 1000 entries"));
    }
}

#[test]
fn i07_listing_larger_than_its_octets() {
    let limits = Limits { listing_entries: 1_000_000, ..LIMITS };
    let mut talk = Talk::new(Session::new(true, Greeting::Done, limits));
    talk.send(Command::Uidl);
    talk.says("+OK\r\n");
    let uidl = "x".repeat(UIDL_BYTES);
    let fitting = LISTING_BYTES / UIDL_BYTES;
    for number in 1..=fitting {
        talk.says(format!("{number} {uidl}\r\n"));
    }
    assert!(talk.error.is_none());
    talk.says(format!("{} {uidl}\r\n", fitting + 1));
    assert!(talk.misfit().contains("too large"));
}

fn any_command() -> impl Strategy<Value = Command<'static>> {
    prop_oneof![
        Just(()).prop_map(|()| Command::Capa),
        Just(()).prop_map(|()| Command::Stat),
        Just(()).prop_map(|()| Command::Uidl),
        Just(()).prop_map(|()| Command::List),
        any::<u32>().prop_map(Command::Retr),
        any::<u32>().prop_map(Command::Dele),
        Just(()).prop_map(|()| Command::Rset),
    ]
}

fn spoken_fragment() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        Just(b"+OK ".to_vec()),
        Just(b"-ERR [SYS/TEMP] ".to_vec()),
        Just(b"\r\n".to_vec()),
        Just(b"\n".to_vec()),
        Just(b".".to_vec()),
        Just(b"+ ".to_vec()),
        Just(b"1 2".to_vec()),
        (any::<u32>(), any::<u64>()).prop_map(|(a, b)| format!("{a} {b}").into_bytes()),
        prop::collection::vec(any::<u8>(), 0..12),
    ]
}

proptest! {
    #[test]
    fn nothing_a_server_says_makes_the_session_panic(
        commands in prop::collection::vec(any_command(), 0..6),
        logs_in in any::<bool>(),
        said in prop::collection::vec(spoken_fragment(), 0..60),
    ) {
        let mut talk = Talk::secured();
        talk.says("+OK\r\n");
        let token = token();
        if logs_in {
            talk.send(Command::Login(login(Mechanism::Xoauth2, "alice@contoso.example", &token)));
        } else {
            for command in commands {
                talk.send(command);
            }
        }
        for piece in said {
            talk.says(piece);
        }
        if talk.error.is_some() {
            prop_assert!(talk.session.send(Command::Quit).is_err());
            prop_assert_eq!(talk.sent(), "");
            prop_assert!(talk.misfit().chars().all(|c| !c.is_control()));
            prop_assert!(talk.misfit().chars().count() < 500);
        }
    }
}
