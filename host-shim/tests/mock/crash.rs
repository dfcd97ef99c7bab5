//! Halting at exact places, so that a client can be killed there.

use std::time::Duration;

use multipop_host::mock::pop3::{Moment, Place, Script, Verb};

use crate::client::{ALICE, setting};

const SOON: Duration = Duration::from_secs(10);

#[test]
fn a_session_halts_inside_a_body_and_goes_on() {
    let s = setting(Script::dovecot());
    let uidls = s.server.mailboxes().fill(ALICE, 3, 200_000, 1);
    let stop = s.server.stop_at(Place::new(Verb::Retr, Moment::Body(70_000)).of(&uidls[1]));
    let mut c = s.login();
    c.retrieve(1);
    assert!(!stop.reached(Duration::ZERO));
    c.send("RETR 2");
    assert!(stop.reached(SOON));
    assert_eq!(c.line(), "+OK");
    let first = c.octets(70_000);
    stop.release();
    let whole = s.server.mailboxes().messages(ALICE)[1].body.to_vec();
    let rest = c.lines().unwrap();
    // The cut lies in base64, where nothing is stuffed; the text before has stuffed dots.
    assert!(whole.ends_with(&rest));
    assert!(first.len() + rest.len() >= whole.len());
    c.retrieve(2);
}

#[test]
fn a_client_killed_before_the_reply_to_quit_deletes_nothing() {
    let s = setting(Script::dovecot());
    s.server.mailboxes().fill(ALICE, 3, 1000, 1);
    let dele = s.server.stop_at(Place::new(Verb::Dele, Moment::BeforeReply).skip(1));
    let quit = s.server.stop_at(Place::new(Verb::Quit, Moment::BeforeReply));
    let mut c = s.login();
    assert!(c.ask("DELE 1").starts_with("+OK"));
    c.send("DELE 2");
    assert!(dele.reached(SOON));
    dele.release();
    assert!(c.line().starts_with("+OK"));
    c.send("QUIT");
    assert!(quit.reached(SOON));
    drop(c);
    quit.release();
    assert!(s.server.journal().wait_closed(SOON));
    assert_eq!(s.server.mailboxes().uidls(ALICE).len(), 3);

    let quit = s.server.stop_at(Place::new(Verb::Quit, Moment::AfterReply));
    let mut c = s.login();
    c.ask("DELE 1");
    c.send("QUIT");
    assert!(quit.reached(SOON));
    assert!(c.line().starts_with("+OK"));
    drop((c, quit));
    assert_eq!(s.server.mailboxes().uidls(ALICE).len(), 2);
}

#[test]
fn others_go_on_while_one_is_halted_and_a_dropped_stop_releases() {
    let s = setting(Script::dovecot());
    let stop = s.server.stop_at(Place::new(Verb::Noop, Moment::Before));
    let mut halted = s.login();
    halted.send("NOOP");
    assert!(stop.reached(SOON));
    let mut other = s.login();
    assert_eq!(other.ask("NOOP"), "+OK");
    drop(stop);
    assert_eq!(halted.line(), "+OK");
    assert!(s.server.journal().wait_for_count(Verb::Noop, 2, SOON));
    assert!(s.server.journal().wait_for(SOON, |entry| entry.text == "NOOP"));
    assert_eq!(s.server.journal().open().1, 2);
}

#[test]
fn a_server_ends_with_sessions_halted() {
    let s = setting(Script::dovecot());
    let stop = s.server.stop_at(Place::new(Verb::Stat, Moment::Before));
    let mut c = s.login();
    c.send("STAT");
    assert!(stop.reached(SOON));
    let journal = s.server.journal().clone();
    drop(s.server);
    assert_eq!(c.line(), "<closed>");
    assert_eq!(journal.open().0, 0);
}
