//! Listings, messages, time: what a well-behaved server says, and mail that is hard to say.

use std::time::{Duration, Instant};

use multipop_host::mock::mail::{Body, Odd};
use multipop_host::mock::pop3::{Message, Script, Server, Transport, Verb};

use crate::client::{ALICE, Client, note, setting, three};

#[test]
fn a_whole_session_and_deletion_by_an_answered_quit_only() {
    let s = three(Script::dovecot());
    let size: u64 = s.server.mailboxes().messages(ALICE).iter().map(|m| m.body.size()).sum();
    let mut c = s.login();
    assert_eq!(c.ask("STAT"), format!("+OK 3 {size}"));
    assert_eq!(c.ask_lines("UIDL"), ["1 a", "2 b", "3 c"]);
    assert_eq!(c.ask("UIDL 2"), "+OK 2 b");
    assert_eq!(c.ask_lines("LIST")[0], "1 21");
    assert_eq!(c.retrieve(2), note("two").to_vec());
    assert_eq!(c.ask_lines("TOP 3 0"), ["Subject: three", ""]);
    assert_eq!(c.ask("DELE 2"), "+OK Marked to be deleted.");
    assert_eq!(c.ask_lines("UIDL"), ["1 a", "3 c"]);
    assert_eq!(c.ask("RETR 2"), "-ERR no such message");
    drop(c);
    assert!(s.server.journal().wait_closed(Duration::from_secs(5)));
    assert_eq!(s.server.mailboxes().uidls(ALICE).len(), 3, "no QUIT, nothing removed");
    let mut c = s.login();
    c.ask("DELE 1");
    assert_eq!(c.ask("RSET"), "+OK");
    c.ask("DELE 2");
    assert_eq!(c.ask("NOOP"), "+OK");
    assert_eq!(c.ask("QUIT"), "+OK Farewell.");
    assert_eq!(c.line(), "<closed>");
    let left: Vec<_> = s.server.mailboxes().uidls(ALICE);
    assert_eq!(left.iter().map(|u| u.to_vec()).collect::<Vec<_>>(), [b"a".to_vec(), b"c".to_vec()]);
    let journal = s.server.journal();
    assert_eq!((journal.retrieved(b"b"), journal.retrieved(b"a"), journal.count(Verb::Retr)), (1, 0, 2));
}

#[test]
fn every_odd_message_arrives_as_it_is() {
    let s = setting(Script::dovecot());
    for odd in Odd::ALL {
        s.server.mailboxes().push(ALICE, Message::new(format!("{odd:?}"), odd.message(5)));
    }
    s.server.mailboxes().push(ALICE, Message::new("big", Body::Generated { seed: 9, size: 300_000 }));
    let mut c = s.login();
    for (at, message) in s.server.mailboxes().messages(ALICE).iter().enumerate() {
        let mut expected = message.body.to_vec();
        if !expected.is_empty() && !expected.ends_with(b"\n") {
            expected.extend_from_slice(b"\r\n");
        }
        // The trap: a bare LF, then a dot, is stuffed by this server, and unstuffed by line here.
        assert!(c.retrieve(at + 1) == expected, "{:?}", message.uidl);
    }
}

#[test]
fn truncation_trap_and_glued_terminator_and_bare_lf() {
    let s = setting(Script { stuff_after_crlf_only: true, ..Script::dovecot() });
    s.server.mailboxes().push(ALICE, Message::new("trap", Body::from_bytes("a: b\r\n\r\nx\n.\ny\r\n.z\r\n")));
    s.server.mailboxes().push(ALICE, Message::new("glued", Body::from_bytes("a: b\r\n\r\nend")));
    let mut c = s.login();
    c.ask("RETR 1");
    assert_eq!(c.octets(23), b"a: b\r\n\r\nx\n.\ny\r\n..z\r\n.\r\n");
    s.server.change(|script| script.glued_terminator = true);
    c.ask("RETR 2");
    assert_eq!(c.octets(14), b"a: b\r\n\r\nend.\r\n");
    s.server.change(|script| script.bare_lf_in_messages = true);
    c.ask("RETR 2");
    assert_eq!(c.octets(11), b"a: b\n\nend.\n");
    s.server.change(|script| script.bare_lf = true);
    c.send("UIDL");
    assert_eq!(c.raw_line(), b"+OK\n");
    assert_eq!(c.raw_line(), b"1 trap\n");
}

#[test]
fn spaces_duplicates_resets_growth_and_windows() {
    let s = three(Script { uidl_spaces: (3, 1), ..Script::dovecot() });
    assert_eq!(s.login().ask_lines("UIDL")[0], " 1   a");
    s.server.change(|script| script.uidl_spaces = (1, 0));
    s.server.mailboxes().push(ALICE, Message::new("a", note("the same UIDL")));
    assert_eq!(s.login().ask_lines("UIDL"), ["1 a", "2 b", "3 c", "4 a"]);
    let mut c = s.login();
    c.ask("DELE 4");
    c.ask("QUIT");
    assert_eq!(s.server.mailboxes().messages(ALICE)[0].body, note("one"), "the right one went");
    s.server.mailboxes().reset_uidls(ALICE);
    assert!(s.login().ask_lines("UIDL").iter().all(|line| line.contains(" r")));
    s.server.change(|script| script.grow = Some((2, 1000)));
    assert_eq!(s.login().ask_lines("UIDL").len(), 5);
    s.server.change(|script| (script.grow, script.window) = (None, Some(4)));
    assert_eq!(s.login().ask_lines("UIDL").len(), 4);
    s.server.mailboxes().remove(ALICE, b"nothing");
    s.server.mailboxes().clear(ALICE);
    assert_eq!(s.login().ask_lines("UIDL").len(), 0);
}

#[test]
fn gmail_pops_what_was_retrieved_at_quit() {
    let s = setting(Script::gmail());
    s.server.mailboxes().fill(ALICE, 300, 1000, 1);
    let mut c = s.login();
    assert!(c.ask_lines("CAPA").contains(&"EXPIRE 0".to_owned()));
    assert_eq!(c.ask_lines("UIDL").len(), 250);
    c.retrieve(1);
    drop(c);
    assert!(s.server.journal().wait_closed(Duration::from_secs(5)));
    let mut c = s.login();
    c.retrieve(1);
    c.ask("DELE 2");
    c.ask("QUIT");
    assert_eq!(s.server.mailboxes().uidls(ALICE).len(), 299);
}

#[test]
fn round_trips_are_counted_and_can_cost() {
    let s = three(Script { round_trip: Duration::from_millis(40), ..Script::dovecot() });
    let began = Instant::now();
    let mut c = s.login();
    c.ask_lines("UIDL");
    c.ask("QUIT");
    assert_eq!(s.server.journal().round_trips(), 5, "greeting, AUTH twice, UIDL, QUIT");
    assert!(began.elapsed() >= Duration::from_millis(7 * 40));
    s.server.journal().clear();
    let mut c = s.login();
    let began = Instant::now();
    c.send(&["NOOP"; 50].join("\r\n"));
    (0..50).for_each(|_| assert_eq!(c.line(), "+OK"));
    let took = began.elapsed();
    assert!(took >= Duration::from_millis(40) && took < Duration::from_millis(50 * 40), "{took:?}");
    assert!(s.server.journal().round_trips() < 10);
    assert!(s.server.journal().octets_sent() > 250);
}

#[test]
fn a_clear_server_speaks_in_clear() {
    let s = three(Script::dovecot());
    let server = Server::builder(&s.tokens, Script::dovecot())
        .transport(Transport::Clear)
        .mailboxes(s.server.mailboxes())
        .validator(|user, token| (user, token) == ("bob", "anything"))
        .start()
        .unwrap();
    let mut c = Client::clear(server.address().port());
    assert_eq!(c.line(), "+OK ready");
    assert!(c.ask("STLS").starts_with("-ERR"));
    assert!(c.auth("bob", "anything").starts_with("+OK"));
}

#[test]
fn a_huge_message_streams() {
    let s = setting(Script::exchange());
    s.server.mailboxes().push(ALICE, Message::new("huge", Body::Generated { seed: 2, size: 1 << 40 }));
    let mut c = s.login();
    assert_eq!(c.ask("LIST 1"), format!("+OK 1 {}", (1_u64 << 40) + 37));
    c.ask("RETR 1");
    let prefix = c.octets(3_000_000);
    assert!(prefix.starts_with(b"Message-ID: "));
}

#[test]
fn a_mailbox_of_gigabytes_costs_little() {
    let s = setting(Script::dovecot());
    s.server.mailboxes().fill(ALICE, 80, 50 << 20, 1);
    let mut c = s.login();
    assert_eq!(c.ask("STAT"), format!("+OK 80 {}", 80_u64 * (50 << 20)));
    for number in 1..=4 {
        assert_eq!(c.ask(&format!("RETR {number}")), "+OK");
        for _ in 0..800 {
            c.octets(1 << 16);
        }
        while c.line() != "." {}
    }
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let peak = status.lines().find_map(|line| line.strip_prefix("VmHWM:")).unwrap();
    let peak: u64 = peak.trim().trim_end_matches(" kB").parse().unwrap();
    // All tests of this file share the process, some hold ten megabytes; one message is fifty.
    assert!(peak < 200_000, "{peak} kB");
}
