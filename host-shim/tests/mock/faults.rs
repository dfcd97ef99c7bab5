//! Faults: at commands, at messages, in listings, in time.

use std::time::{Duration, Instant};

use multipop_host::mock::pop3::{
    At, Drip, Fault, Listing, Pipelining, Script, Server, Transport, Uidl, Verb, What, codes,
};

use crate::client::{ALICE, Client, note, setting, three};

#[test]
fn listings_that_contradict() {
    let s = three(Script::dovecot());
    let seen = |listing| {
        s.server.change(|script| script.listing = listing);
        let mut c = s.login();
        let stat = c.ask("STAT").split(' ').nth(1).unwrap().to_owned();
        (stat, c.ask_lines("UIDL").join(","), c.ask_lines("LIST").len())
    };
    let expect = |stat: &str, uidl: &str, list| (stat.to_owned(), uidl.to_owned(), list);
    assert_eq!(seen(Listing::Honest), expect("3", "1 a,2 b,3 c", 3));
    assert_eq!(seen(Listing::StatTooHigh), expect("4", "1 a,2 b,3 c", 3));
    assert_eq!(seen(Listing::UidlLacksLast), expect("3", "1 a,2 b", 3));
    assert_eq!(seen(Listing::ListLacksLast), expect("3", "1 a,2 b,3 c", 2));
    assert_eq!(seen(Listing::NumberTwice), expect("3", "1 a,1 b,3 c", 3));
    assert_eq!(seen(Listing::OutOfRange), expect("3", "1 a,2 b,3000000 c", 3));
    assert_eq!(seen(Listing::Reversed), expect("3", "3 c,2 b,1 a", 3));
    assert_eq!(seen(Listing::Garbage), expect("3", "one a,2 b,3 c", 3));
}

#[test]
fn faults_at_commands_and_messages() {
    let s = three(Script::dovecot());
    let fault = |at, what| s.server.change(|script| script.faults = vec![Fault::new(at, what)]);
    let b: Uidl = b"b".as_slice().into();

    fault(At::Message(Verb::Retr, b.clone()), What::Err(codes::UTF8.to_owned()));
    let mut c = s.login();
    c.retrieve(1);
    assert_eq!(c.ask("RETR 2"), format!("-ERR {}", codes::UTF8));

    fault(At::Message(Verb::Retr, b.clone()), What::DropAfter(10));
    let mut c = s.login();
    c.retrieve(3);
    c.ask("RETR 2");
    assert_eq!(c.rest(), b"Subject: t");

    fault(At::Message(Verb::Retr, b.clone()), What::DropAfter(u64::MAX));
    let mut c = s.login();
    c.ask("RETR 2");
    assert_eq!(c.rest(), note("two").to_vec(), "all but the terminator");

    fault(At::Message(Verb::Retr, b.clone()), What::Truncate(10));
    let mut c = s.login();
    assert_eq!(c.retrieve(2), b"Subject: t\r\n");

    fault(At::Verb(Verb::Retr), What::ExtraAfter(b"+OK more\r\n".to_vec()));
    c.retrieve(1);
    assert_eq!(c.line(), "+OK more");

    fault(At::Verb(Verb::Noop), What::Raw(b"\r\n".to_vec()));
    assert_eq!(c.ask("NOOP"), "");

    fault(At::Verb(Verb::Uidl), What::EndlessListing);
    assert_eq!(c.ask("UIDL"), "+OK");
    for number in 1..5000 {
        assert!(c.line().starts_with(&format!("{number} ")));
    }

    fault(At::Any, What::Stall(Duration::from_millis(150)));
    let began = Instant::now();
    s.login();
    assert!(began.elapsed() >= Duration::from_millis(400));
}

#[test]
fn dele_and_quit_are_lost_before_or_after_their_effect() {
    let s = three(Script::dovecot());
    let fault = |verb, what| s.server.change(|script| script.faults = vec![Fault::new(At::Verb(verb), what)]);
    let left = || s.server.mailboxes().uidls(ALICE).len();

    for what in [What::Close, What::CloseAfterDoing] {
        fault(Verb::Dele, what);
        let mut c = s.login();
        assert_eq!(c.ask("DELE 1"), "<closed>");
    }
    fault(Verb::Dele, What::CloseAfterReply);
    let mut c = s.login();
    assert!(c.ask("DELE 1").starts_with("+OK"));
    assert_eq!(c.line(), "<closed>");
    assert_eq!(left(), 3);

    for (what, reply, expected) in [
        (What::Err("some messages not removed".to_owned()), "-ERR some messages not removed", 3),
        (What::Close, "<closed>", 3),
        (What::CloseAfterDoing, "<closed>", 2),
    ] {
        fault(Verb::Quit, what);
        let mut c = s.login();
        c.ask("DELE 1");
        assert_eq!(c.ask("QUIT"), reply);
        assert_eq!(left(), expected);
    }
}

#[test]
fn hostile_greetings() {
    let s = setting(Script::dovecot());
    let fault =
        |what| s.server.change(|script| script.faults = vec![Fault::new(At::Verb(Verb::Greeting), what)]);
    let port = s.server.address().port();
    let connect = || Client::tls(port, &s.pki, "127.0.0.1").unwrap();
    fault(What::Endless { prefix: b"+OK ".to_vec(), unit: b"x".repeat(1000) });
    assert_eq!(connect().octets(100_000)[99_999], b'x');
    fault(What::Err(codes::SYS_TEMP.to_owned()));
    let mut c = connect();
    assert_eq!(c.line(), format!("-ERR {}", codes::SYS_TEMP));
    assert_eq!(c.line(), "<closed>");
    fault(What::Close);
    assert_eq!(connect().line(), "<closed>");
}

#[test]
fn silence_ends_and_drips_drip() {
    let s = three(Script { idle: Duration::from_millis(200), ..Script::dovecot() });
    let began = Instant::now();
    assert_eq!(s.login().line(), "<closed>");
    assert!(began.elapsed() >= Duration::from_millis(200));
    s.server.change(|script| {
        script.idle = Duration::from_secs(60);
        script.drip = Some(Drip { octets: 2, pause: Duration::from_millis(10) });
    });
    let began = Instant::now();
    let mut c = s.connect();
    assert!(began.elapsed() >= Duration::from_millis(40));
    assert!(c.ask("NOOP").starts_with("-ERR"));
}

#[test]
fn pipelining_misbehaves_on_request() {
    let s = three(Script { pipelining: Pipelining::Reorders, ..Script::dovecot() });
    let mut c = s.login();
    c.send("UIDL 1\r\nUIDL 2");
    assert_eq!((c.line(), c.line()), ("+OK 2 b".to_owned(), "+OK 1 a".to_owned()));
    s.server.change(|script| {
        script.pipelining = Pipelining::Discards;
        script.idle = Duration::from_millis(300);
    });
    c.send("UIDL 1\r\nUIDL 2\r\nUIDL 3");
    assert_eq!((c.line(), c.line()), ("+OK 1 a".to_owned(), "<closed>".to_owned()));
}

#[test]
fn a_fault_of_one_user_is_not_anothers() {
    let s = three(Script::dovecot());
    s.tokens.accept("bobs", "bob@contoso.example");
    let of_bob = |verb, what| Fault::new(At::Verb(verb), what).of_user("bob@contoso.example");
    s.server.change(|script| {
        script.faults.push(of_bob(Verb::AuthData, What::Err(codes::IN_USE.to_owned())).times(1));
        script.faults.push(of_bob(Verb::Noop, What::Close));
    });
    assert_eq!(s.login().ask("NOOP"), "+OK");
    let mut bob = s.connect();
    assert_eq!(bob.auth("bob@contoso.example", "bobs"), format!("-ERR {}", codes::IN_USE));
    assert!(bob.auth("bob@contoso.example", "bobs").starts_with("+OK"));
    assert_eq!(bob.ask("NOOP"), "<closed>");
    assert_eq!(s.server.journal().count_by("Bob@contoso.example", Verb::Noop), 1);
    assert_eq!(s.server.journal().count(Verb::Noop), 2);
}

#[test]
fn a_silent_server_is_silent() {
    let s = three(Script { idle_before_login: Duration::from_millis(200), ..Script::dovecot() });
    let server = Server::builder(&s.tokens, Script::dovecot()).transport(Transport::Silent).start().unwrap();
    let tcp = std::net::TcpStream::connect(server.address()).unwrap();
    tcp.set_read_timeout(Some(Duration::from_millis(100))).unwrap();
    let error = std::io::Read::read(&mut &tcp, &mut [0; 10]).unwrap_err();
    assert_eq!(error.kind(), std::io::ErrorKind::WouldBlock);
    drop(tcp);
    assert!(server.journal().wait_closed(Duration::from_secs(5)));
    let mut c = s.connect();
    assert_eq!(c.ask("PASS guess"), "-ERR USER first");
    assert!(s.server.journal().lines().contains(&"1 PASS (10 octets)".to_owned()));
    assert_eq!(c.line(), "<closed>", "idle before login");
}
