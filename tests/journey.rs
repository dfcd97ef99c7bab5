//! The main job on real servers: a C host written from the header alone, consent by the code flow at an
//! independent OpenID provider, messages from a real Dovecot into a durable Maildir, run after run.

#[path = "real/mod.rs"]
mod rig;

#[path = "journey/host.rs"]
mod host;

use host::Host;
use rig::server;

const ALICE: &str = "alice@contoso.example";
const BOB: &str = "bob@contoso.example";
const SESSION: &str = "the-browser-session-of-alice";

const OK: i32 = 0;
const E_CALLBACK: i32 = -21;
const E_CONFIRM: i32 = -22;
const E_CONSENT: i32 = -20;
const E_TRANSIENT: i32 = -30;

#[test]
fn mail_travels_from_consent_to_maildir_and_only_what_is_new_follows() {
    let mut host = Host::new("xoauth2");
    let sent = [
        &b"From: bob@contoso.example\r\nSubject: plain\r\n\r\nHello.\r\n"[..],
        b"Subject: dots\r\n\r\n.\r\n..\r\n.leading\r\n",
        b"Subject: =?utf-8?q?gr=C3=BC=C3=9Fe?=\r\nMIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\n\
          Content-Transfer-Encoding: 8bit\r\n\r\n\xc3\xa4\xc3\xb6\xc3\xbc\r\n",
    ];
    for message in sent {
        host.rig.dovecot.deliver(ALICE, message);
    }
    host.connect();

    let first = host.fetch();
    assert_eq!((first.status(), first.number("taken")), (OK, 3), "{first:?}");
    let mut bodies = host.delivered();
    for message in sent {
        let place =
            bodies.iter().position(|found| found.ends_with(message)).expect("the message arrived whole");
        let found = bodies.remove(place);
        assert!(found.starts_with(b"Received: from "), "{}", String::from_utf8_lossy(&found));
    }
    assert!(bodies.is_empty(), "more arrived than was sent");

    let second = host.fetch();
    assert_eq!((second.status(), second.number("taken")), (OK, 0), "{second:?}");

    for number in 0..3 {
        host.rig.dovecot.deliver(ALICE, format!("Subject: new {number}\r\n\r\nnew\r\n").as_bytes());
    }
    let third = host.fetch();
    assert_eq!((third.status(), third.number("taken")), (OK, 3), "{third:?}");
    assert_eq!(host.delivered().len(), 6);
    assert_eq!(host.rig.dovecot.messages(ALICE), 6, "the default leaves mail on the server");
    host.no_secret_was_shown();
}

#[test]
fn oauthbearer_opens_the_mailbox_too() {
    let host = Host::new("oauthbearer");
    host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    host.connect();
    let fetched = host.fetch();
    assert_eq!((fetched.status(), fetched.number("taken")), (OK, 1), "{fetched:?}");
}

#[test]
fn an_expired_access_token_is_refreshed_and_a_rotated_one_kept() {
    let mut host = Host::new("xoauth2");
    host.connect();
    let mut refreshed = host.rig.provider.count("refresh_token");
    // Twice: the second refresh needs the token the first one was answered with.
    for round in 1..=2 {
        host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
        host.rig.provider.expire(ALICE);
        let fetched = host.fetch();
        assert_eq!((fetched.status(), fetched.number("taken")), (OK, 1), "round {round}: {fetched:?}");
        let count = host.rig.provider.count("refresh_token");
        assert!(count > refreshed, "round {round}: no refresh");
        refreshed = count;
    }
    assert_eq!(host.rig.provider.count("invalid_grant"), 0, "a used refresh token was sent again");
    host.no_secret_was_shown();
}

#[test]
fn a_revoked_grant_asks_for_consent_and_consent_restores_it() {
    let mut host = Host::new("xoauth2");
    host.connect();
    host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    host.rig.provider.revoke(ALICE);
    let refused = host.fetch();
    assert_eq!(refused.status(), E_CONSENT, "{refused:?}");
    assert!(!refused.text("advice").is_empty() && !refused.text("cause").is_empty(), "{refused:?}");
    assert_eq!(host.delivered().len(), 0);

    host.connect();
    let fetched = host.fetch();
    assert_eq!((fetched.status(), fetched.number("taken")), (OK, 1), "{fetched:?}");
}

#[test]
fn a_stopped_provider_is_transient_and_the_grant_is_kept() {
    let mut host = Host::new("xoauth2");
    host.connect();
    host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    // Neither the library can refresh nor Dovecot ask about a token.
    host.rig.provider.expire(ALICE);
    host.rig.provider.stop();
    for _ in 0..2 {
        let waiting = host.fetch();
        assert_eq!(waiting.status(), E_TRANSIENT, "{waiting:?}");
    }
    host.rig.provider.restart();
    let fetched = host.fetch();
    assert_eq!((fetched.status(), fetched.number("taken")), (OK, 1), "{fetched:?}");
}

#[test]
fn a_stopped_mail_server_is_transient() {
    let mut host = Host::new("xoauth2");
    host.connect();
    host.rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    host.rig.dovecot.stop();
    let waiting = host.fetch();
    assert_eq!(waiting.status(), E_TRANSIENT, "{waiting:?}");
    host.rig.dovecot.restart();
    let fetched = host.fetch();
    assert_eq!((fetched.status(), fetched.number("taken")), (OK, 1), "{fetched:?}");
}

#[test]
fn a_consent_completes_while_another_instance_fetches_a_gigabyte() {
    const MESSAGES: u64 = 128;
    let host = Host::new("xoauth2");
    host.connect();
    let line = [b"0123456789abcdef".repeat(4).as_slice(), b"\r\n"].concat();
    let mut message = b"Subject: eight MiB\r\n\r\n".to_vec();
    message.extend(line.repeat(8 * 1024 * 1024 / line.len() + 1));
    host.rig.dovecot.deliver_often(ALICE, &message, MESSAGES);

    let mut fetch = host.spawn(&["fetch", "alice", "-"]);
    let login = format!("Login: user=<{ALICE}>");
    let log = host.rig.dovecot.log_file.clone();
    server::wait_until("the fetch", &mut fetch, &log, || host.rig.dovecot.log().contains(&login));
    host.connect_account("bob", BOB);
    let still = fetch.try_wait().expect("the fetch's state").is_none();
    assert!(still, "the fetch was over before the consent: nothing was shown");

    let fetched = host.finish(fetch);
    assert_eq!((fetched.status(), fetched.number("taken")), (OK, MESSAGES), "{fetched:?}");
    assert!(fetched.number("bytes") >= 1 << 30, "{fetched:?}");
}

#[test]
fn a_refusal_another_browser_and_another_person_connect_nothing() {
    let host = Host::new("xoauth2");
    let refused = host.rig.browser().refuse(&host.authorize(), ALICE);
    let answer = host.run(&["callback", SESSION, &refused]);
    assert!(answer.status() == E_CALLBACK || answer.status() == E_CONSENT, "{answer:?}");

    let agreed = host.rig.browser().consent(&host.authorize(), ALICE);
    let answer = host.run(&["callback", "another-browser-session", &agreed]);
    assert_eq!(answer.status(), E_CALLBACK, "{answer:?}");

    let mallory = host.rig.browser().consent(&host.authorize(), "mallory@contoso.example");
    let answer = host.run(&["callback", SESSION, &mallory]);
    assert_eq!(answer.status(), E_CONFIRM, "{answer:?}");
    let names = answer.text("json");
    assert!(names.contains(ALICE) && names.contains("mallory@contoso.example"), "{names}");

    assert_eq!(host.fetch().status(), E_CONSENT, "nothing was connected");
}
