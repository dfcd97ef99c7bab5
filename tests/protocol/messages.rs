//! Messages: dot-stuffing, ends that are ends, ends that are not.

use multipop::pop3::{Command, Cut, Verb};
use proptest::prelude::*;

use super::talk::{Heard, Talk, stuffed};

fn retrieving() -> Talk {
    let mut talk = Talk::greeted();
    assert_eq!(talk.send(Command::Retr(1)), "RETR 1\r\n");
    talk.says("+OK\r\n");
    assert_eq!(talk.heard(), [Heard::Begin(Verb::Retr, 1)]);
    talk
}

#[track_caller]
fn retrieved(wire: impl AsRef<[u8]>) -> Vec<u8> {
    let mut talk = retrieving();
    talk.says(wire);
    let heard = talk.heard();
    let (message, end) = match heard.as_slice() {
        [Heard::Data(1, message), end] => (message.clone(), end),
        [end] => (Vec::new(), end),
        other => panic!("{other:?}"),
    };
    assert_eq!(*end, Heard::End(Verb::Retr, 1, message.len() as u64));
    message
}

#[test]
fn dots_are_unstuffed_wherever_they_stand() {
    assert_eq!(retrieved(".\r\n"), b"");
    assert_eq!(retrieved("..first\r\n.\r\n"), b".first\r\n");
    assert_eq!(retrieved("..\r\n...\r\na.b\r\n.\r\n"), b".\r\n..\r\na.b\r\n");
    assert_eq!(retrieved("\r\n.\r\n"), b"\r\n");
    assert_eq!(retrieved("a\r\n.\rb\r\n.\r\n"), b"a\r\n\rb\r\n");
    assert_eq!(retrieved(".\r\r\n.\r\n"), b"\r\r\n");
    assert_eq!(retrieved("a\r.\r\n.\r\n"), b"a\r.\r\n");
}

#[test]
fn last_line_without_an_end_gets_the_terminators() {
    // A server that holds "last line" without an end can only tell it so.
    assert_eq!(retrieved("last line\r\n.\r\n"), b"last line\r\n");
    // A dot that ends a line that did not begin with it ends no message.
    let mut talk = retrieving();
    talk.says("last line.\r\n");
    assert_eq!(talk.heard(), [Heard::Data(1, b"last line.\r\n".to_vec())]);
    assert_eq!(talk.session.closed(), Cut::Message(1));
}

#[test]
fn nul_eight_bit_and_long_lines_pass_unchanged() {
    let mut message = b"\0\xff\x80 \x1a\r\n".to_vec();
    message.extend(std::iter::repeat_n(b'x', 300_000));
    message.extend_from_slice(b"\r\n");
    assert_eq!(retrieved(stuffed(&message)), message);
}

#[test]
fn servers_that_end_all_lines_bare_are_understood() {
    let mut talk = Talk::greeted();
    talk.send(Command::Top { number: 1, lines: 0 });
    talk.says("+OK\nSubject: x\n..\n\n.\n");
    assert_eq!(
        talk.heard(),
        [
            Heard::Begin(Verb::Top, 1),
            Heard::Data(1, b"Subject: x\n.\n\n".to_vec()),
            Heard::End(Verb::Top, 1, 14),
        ]
    );
    assert_eq!(talk.sent(), "");
}

#[test]
fn doubtful_end_is_proved_by_one_command_more() {
    for end in ["x\n.\n", "x\n.\r\n", "x\r\n.\n", ".\n"] {
        let mut talk = retrieving();
        talk.says(end);
        assert!(!matches!(talk.heard().last(), Some(Heard::End(..))), "{end:?}");
        assert_eq!(talk.session.closed(), Cut::Message(1));
        assert_eq!(talk.session.outstanding(), 1);
        assert_eq!(talk.sent(), "NOOP\r\n");
        assert!(talk.session.ends_doubtfully());
        talk.says("+OK\r\n");
        assert!(matches!(talk.heard().as_slice(), [Heard::End(Verb::Retr, 1, _)]));
        assert_eq!(talk.session.outstanding(), 0);
    }
}

#[test]
fn i13_message_with_a_line_like_its_end_is_not_delivered_truncated() {
    // The server stuffs only lines behind CRLF, and the message holds a bare one.
    for wire in ["one\n.\ntwo\r\n.\r\n", "one\n.\r\n+OK\r\n.\r\n"] {
        for split in 0..wire.len() {
            let mut talk = retrieving();
            talk.says(&wire[..split]);
            talk.says(&wire[split..]);
            assert!(!talk.misfit().is_empty());
            assert!(
                !talk.heard.iter().any(|heard| matches!(heard, Heard::End(..))) || wire.contains("+OK"),
                "{split}: {:?}",
                talk.heard
            );
        }
    }
}

#[test]
fn i13_doubtful_end_with_other_commands_under_way_ends_the_session() {
    let mut talk = Talk::greeted();
    talk.send(Command::Retr(1));
    talk.send(Command::Retr(2));
    talk.says("+OK\r\none\n.\n+OK\r\nforged\r\n.\r\n");
    assert!(talk.misfit().contains("message 1"));
    assert!(!talk.heard.iter().any(|heard| matches!(heard, Heard::End(..))));
}

#[test]
fn i13_bytes_after_the_terminator_discard_the_message() {
    let mut talk = retrieving();
    talk.says("Subject: x\r\n\r\nbody\r\n.\r\nmore of it\r\n.\r\n");
    assert!(talk.misfit().contains("behind its end"));
    assert!(!talk.heard.iter().any(|heard| matches!(heard, Heard::End(..))));
    assert_eq!(talk.sent(), "");
}

#[test]
fn i13_bytes_after_the_terminator_that_come_later_end_the_session() {
    let mut talk = retrieving();
    talk.says("body\r\n.\r\n");
    talk.says("more of it\r\n");
    assert!(talk.misfit().contains("nothing was asked"));
    assert!(talk.session.send(Command::Dele(1)).is_err());
}

#[test]
fn mail_out_of_place_is_not_quoted_in_errors() {
    let mut talk = Talk::greeted();
    talk.send(Command::Stat);
    talk.says("what is this\r\n");
    assert!(talk.misfit().contains("what is this"));

    let mut talk = retrieving();
    talk.says("body\r\n.\r\n");
    talk.says("Dear Bob, keep this to yourself\r\n");
    assert!(talk.misfit().contains("31 octets"), "{}", talk.misfit());
    assert!(!talk.misfit().contains("Bob"));
}

#[test]
fn refused_message_begins_nothing() {
    let mut talk = Talk::greeted();
    talk.send(Command::Retr(9));
    talk.says("-ERR no such message\r\n");
    assert!(matches!(talk.heard().as_slice(), [Heard::Refused(Verb::Retr, 9, _)]));
    assert_eq!(talk.session.outstanding(), 0);
}

fn tricky_byte() -> impl Strategy<Value = u8> {
    prop_oneof![
        4 => Just(b'.'),
        2 => Just(b'\r'),
        4 => Just(b'\n'),
        2 => Just(b'a'),
        1 => any::<u8>(),
    ]
}

proptest! {
    #[test]
    fn any_message_arrives_as_it_was_stuffed(
        mut message in prop::collection::vec(tricky_byte(), 0..200),
        cuts in prop::collection::vec(1usize..40, 1..20),
    ) {
        if !message.is_empty() {
            message.extend_from_slice(b"\r\n");
        }
        let wire = stuffed(&message);
        let mut talk = retrieving();
        let mut rest = wire.as_slice();
        for cut in cuts.iter().cycle() {
            if rest.is_empty() {
                break;
            }
            let (piece, after) = rest.split_at((*cut).min(rest.len()));
            talk.says(piece);
            rest = after;
        }
        let mut expected = vec![Heard::End(Verb::Retr, 1, message.len() as u64)];
        if !message.is_empty() {
            expected.insert(0, Heard::Data(1, message));
        }
        prop_assert_eq!(talk.heard(), expected);
    }
}
