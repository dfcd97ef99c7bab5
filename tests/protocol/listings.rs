//! UIDL and LIST: what is tolerated, and what contradicts itself.

use multipop::pop3::{Command, Verb};

use super::talk::{Heard, Talk};

fn uidl(lines: impl AsRef<[u8]>) -> Talk {
    let mut talk = Talk::greeted();
    talk.send(Command::Uidl);
    talk.says("+OK\r\n");
    talk.says(lines);
    talk
}

fn entry(number: u32, uidl: &str) -> (u32, Vec<u8>) {
    (number, uidl.as_bytes().to_vec())
}

#[test]
fn plain_and_empty_listings() {
    assert_eq!(uidl("1 a\r\n2 b\r\n.\r\n").heard(), [Heard::Uidl(vec![entry(1, "a"), entry(2, "b")])]);
    assert_eq!(uidl(".\r\n").heard(), [Heard::Uidl(vec![])]);
}

#[test]
fn spaces_too_many_long_and_eight_bit_uidls_are_taken() {
    let long = "x".repeat(1024);
    let mut talk = uidl(format!(" 1   a \r\n2 {long}\n3 b c\r\n4 \u{e9}\u{2603}\r\n.\n"));
    assert_eq!(
        talk.heard(),
        [Heard::Uidl(vec![entry(1, "a"), entry(2, &long), entry(3, "b c"), entry(4, "\u{e9}\u{2603}"),])]
    );
}

#[test]
fn two_messages_may_share_a_uidl() {
    assert_eq!(
        uidl("1 same\r\n2 same\r\n.\r\n").heard(),
        [Heard::Uidl(vec![entry(1, "same"), entry(2, "same")])]
    );
}

#[test]
fn another_order_is_kept_if_it_is_whole() {
    assert_eq!(uidl("2 b\r\n1 a\r\n.\r\n").heard(), [Heard::Uidl(vec![entry(2, "b"), entry(1, "a")])]);
}

#[test]
fn i13_listing_that_contradicts_itself_is_refused() {
    let cases = [
        ("1 a\r\n1 b\r\n.\r\n", "twice"),
        ("1 a\r\n3 c\r\n.\r\n", "2 is missing"),
        ("2 b\r\n.\r\n", "1 is missing"),
        ("2 b\r\n1 a\r\n2 c\r\n.\r\n", "twice"),
        ("0 a\r\n.\r\n", "no message number"),
        ("4294967296 a\r\n.\r\n", "no message number"),
        ("-1 a\r\n.\r\n", "no message number"),
        ("x a\r\n.\r\n", "no message number"),
        ("\r\n.\r\n", "no message number"),
        ("1\r\n.\r\n", "no UIDL"),
        ("1 \r\n.\r\n", "no UIDL"),
        ("1 a\tb\r\n.\r\n", "control characters"),
        ("1 a\x00b\r\n.\r\n", "control characters"),
        ("1 a\x7f\r\n.\r\n", "control characters"),
        ("1 a\r\n.\r\n2 b\r\n.\r\n", "bytes behind its end"),
        ("1 a\r\n-ERR sorry\r\n", "no message number"),
    ];
    for (lines, why) in cases {
        let talk = uidl(lines);
        assert!(talk.heard.is_empty(), "{lines:?}: {:?}", talk.heard);
        assert!(talk.misfit().contains(why), "{lines:?}: {}", talk.misfit());
    }
    let talk = uidl(format!("1 {}\r\n.\r\n", "x".repeat(1025)));
    assert!(talk.misfit().contains("too long"));
}

#[test]
fn i13_listing_that_contradicts_stat_is_refused() {
    for (lines, why) in [
        ("1 a\r\n2 b\r\n3 c\r\n.\r\n", "of the 2 that STAT counted"),
        ("1 a\r\n.\r\n", "of the 2 that STAT counted"),
        (".\r\n", "of the 2 that STAT counted"),
    ] {
        let mut talk = Talk::greeted();
        talk.send(Command::Stat);
        talk.says("+OK 2 99\r\n");
        talk.send(Command::Uidl);
        talk.says("+OK\r\n");
        talk.says(lines);
        assert!(talk.misfit().contains(why), "{}", talk.misfit());
    }
}

#[test]
fn gaps_are_the_deletions_of_this_session_and_no_others() {
    let after = |deletions: &[u32], lines: &str| {
        let mut talk = Talk::greeted();
        talk.send(Command::Stat);
        talk.says("+OK 4 99\r\n");
        for number in deletions {
            talk.send(Command::Dele(*number));
            talk.says("+OK\r\n");
        }
        talk.heard.clear();
        talk.send(Command::Uidl);
        talk.says("+OK\r\n");
        talk.says(lines);
        talk
    };
    let listed = |talk: &mut Talk| match talk.heard().as_slice() {
        [Heard::Uidl(entries)] => entries.len(),
        other => panic!("{other:?}"),
    };
    assert_eq!(listed(&mut after(&[2], "1 a\r\n3 c\r\n4 d\r\n.\r\n")), 3);
    assert_eq!(listed(&mut after(&[1, 4], "2 b\r\n3 c\r\n.\r\n")), 2);
    assert_eq!(listed(&mut after(&[4, 3, 2, 1], ".\r\n")), 0);
    assert!(after(&[2], "1 a\r\n2 b\r\n3 c\r\n4 d\r\n.\r\n").misfit().contains("after its deletion"));
    assert!(after(&[2], "1 a\r\n4 d\r\n.\r\n").misfit().contains("3 is missing"));
    assert!(after(&[4], "1 a\r\n2 b\r\n.\r\n").misfit().contains("3 is missing"));
}

#[test]
fn refused_deletions_and_rset_leave_no_gaps() {
    let mut talk = Talk::greeted();
    talk.send(Command::Dele(1));
    talk.says("-ERR no such message\r\n");
    talk.send(Command::Dele(2));
    talk.says("+OK\r\n");
    talk.send(Command::Rset);
    talk.says("+OK\r\n");
    talk.heard.clear();
    talk.send(Command::Uidl);
    talk.says("+OK\r\n1 a\r\n2 b\r\n.\r\n");
    assert_eq!(talk.heard(), [Heard::Uidl(vec![entry(1, "a"), entry(2, "b")])]);
}

#[test]
fn refused_uidl_is_the_callers_to_judge() {
    let mut talk = Talk::greeted();
    talk.send(Command::Uidl);
    talk.says("-ERR not implemented\r\n");
    assert!(matches!(talk.heard().as_slice(), [Heard::Refused(Verb::Uidl, 0, _)]));
}

#[test]
fn sizes_with_whatever_follows_them() {
    let mut talk = Talk::greeted();
    talk.send(Command::List);
    talk.says("+OK 2 messages\r\n 1  120\r\n2 18446744073709551615 more words\r\n.\r\n");
    assert_eq!(talk.heard(), [Heard::List(vec![(1, 120), (2, u64::MAX)])]);
}

#[test]
fn i13_sizes_that_contradict_themselves_are_refused() {
    for lines in [
        "1 120\r\n1 120\r\n.\r\n",
        "1 120\r\n3 120\r\n.\r\n",
        "1 big\r\n.\r\n",
        "1\r\n.\r\n",
        "1 18446744073709551616\r\n.\r\n",
    ] {
        let mut talk = Talk::greeted();
        talk.send(Command::List);
        talk.says("+OK\r\n");
        talk.says(lines);
        assert!(talk.misfit().contains("LIST"), "{lines:?}");
    }
}
