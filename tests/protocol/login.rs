//! AUTH with XOAUTH2 and OAUTHBEARER: the vectors, both shapes of refusal, servers that say something else.

use multipop::pop3::{Command, Greeting, Login, Mechanism, Misuse, ResponseCode, Session, Verb};
use multipop::secret::Secret;

use super::talk::{Heard, LIMITS, Talk, login, token};

const XOAUTH2: &str = "dXNlcj1hbGljZUBjb250b3NvLmV4YW1wbGUBYXV0aD1CZWFyZXIgVE9LRU4xMjMBAQ==\r\n";
const OAUTHBEARER: &str = "bixhPWFsaWNlQGNvbnRvc28uZXhhbXBsZSwBaG9zdD1wb3AuZXhhbXBsZS5uZXQBcG9ydD05OTUBYXV0aD1CZWFyZXIgVE9LRU4xMjMBAQ==\r\n";
const ALICE: &str = "alice@contoso.example";

fn asked(mechanism: Mechanism) -> Talk {
    let mut talk = Talk::greeted();
    let line = talk.send(Command::Login(login(mechanism, ALICE, &token())));
    assert_eq!(line, format!("AUTH {}\r\n", mechanism.name()));
    talk
}

/// The credentials are sent, nothing more is heard.
fn answered(mechanism: Mechanism) -> Talk {
    let mut talk = asked(mechanism);
    talk.says("+ \r\n");
    let line = match mechanism {
        Mechanism::Xoauth2 => XOAUTH2,
        Mechanism::Oauthbearer => OAUTHBEARER,
    };
    assert_eq!(talk.sent(), line);
    talk
}

#[track_caller]
fn refused(talk: &mut Talk, code: Option<ResponseCode>, text: &str, status: Option<&str>) {
    let heard = talk.heard();
    let [Heard::Refused(Verb::Login, 0, refusal)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(refusal.code, code);
    assert_eq!(refusal.text, text);
    assert_eq!(refusal.sasl_status.as_deref(), status);
}

#[test]
fn both_mechanisms_send_the_published_lines() {
    for mechanism in [Mechanism::Xoauth2, Mechanism::Oauthbearer] {
        let mut talk = answered(mechanism);
        talk.says("+OK User successfully authenticated.\r\n");
        assert_eq!(talk.heard(), [Heard::Done(Verb::Login, 0)]);
        assert_eq!(talk.session.outstanding(), 0);
    }
}

#[test]
fn shared_mailbox_line_of_the_exchange_transcript() {
    let mut talk = Talk::greeted();
    talk.send(Command::Login(login(Mechanism::Xoauth2, "shared@contoso.example", &token())));
    talk.says("+ \r\n");
    assert_eq!(talk.sent(), "dXNlcj1zaGFyZWRAY29udG9zby5leGFtcGxlAWF1dGg9QmVhcmVyIFRPS0VOMTIzAQE=\r\n");
}

#[test]
fn any_first_challenge_is_answered_with_the_credentials() {
    for challenge in ["+\r\n", "+ \r\n", "+ go ahead\r\n", "+ eyJ4IjoxfQ==\r\n", "+\n"] {
        let mut talk = asked(Mechanism::Xoauth2);
        talk.says(challenge);
        assert_eq!(talk.sent(), XOAUTH2, "{challenge:?}");
        assert_eq!(talk.heard(), []);
    }
}

#[test]
fn initial_response_goes_on_one_line_only_if_asked() {
    let token = token();
    let asked = Login { initial_response: true, ..login(Mechanism::Xoauth2, ALICE, &token) };
    let mut talk = Talk::greeted();
    assert_eq!(talk.send(Command::Login(asked)), format!("AUTH XOAUTH2 {XOAUTH2}"));
    talk.says("+OK\r\n");
    assert_eq!(talk.heard(), [Heard::Done(Verb::Login, 0)]);
}

#[test]
fn initial_response_that_was_overlooked_is_sent_again_and_a_refusal_is_answered() {
    for (challenge, answer) in [("+ \r\n", XOAUTH2), ("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n", "\r\n")] {
        let token = token();
        let asked = Login { initial_response: true, ..login(Mechanism::Xoauth2, ALICE, &token) };
        let mut talk = Talk::greeted();
        talk.send(Command::Login(asked));
        talk.says(challenge);
        assert_eq!(talk.sent(), answer);
    }
}

#[test]
fn oauthbearer_escapes_the_user_in_its_header() {
    let mut talk = Talk::greeted();
    talk.send(Command::Login(login(Mechanism::Oauthbearer, "a=b,c", &token())));
    talk.says("+\r\n");
    let line = talk.sent();
    // n,a=a=3Db=2Cc,^Ahost=…
    assert!(line.starts_with("bixhPWE9M0RiPTJDYywBaG9zdD1"), "{line}");
}

#[test]
fn gmail_refuses_by_a_challenge_that_wants_an_empty_line() {
    let mut talk = answered(Mechanism::Xoauth2);
    talk.says("+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0=\r\n");
    assert_eq!(talk.sent(), "\r\n");
    talk.says("-ERR [AUTH] Username and password not accepted.\r\n");
    refused(&mut talk, Some(ResponseCode::Auth), "Username and password not accepted.", Some("401"));
}

#[test]
fn dovecot_refuses_both_mechanisms_by_a_challenge() {
    let mut talk = answered(Mechanism::Xoauth2);
    talk.says("+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIiwic2NvcGUiOiJtYWlsIn0=\r\n");
    assert_eq!(talk.sent(), "\r\n");
    talk.says("-ERR [AUTH] Authentication failed.\r\n");
    refused(&mut talk, Some(ResponseCode::Auth), "Authentication failed.", Some("401"));

    let mut talk = answered(Mechanism::Oauthbearer);
    talk.says("+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n");
    assert_eq!(talk.sent(), "AQ==\r\n");
    talk.says("-ERR [AUTH] Authentication failed.\r\n");
    refused(&mut talk, Some(ResponseCode::Auth), "Authentication failed.", Some("invalid_token"));
}

#[test]
fn refusals_without_a_challenge() {
    let cases = [
        (
            "-ERR Authentication failure: unknown user name or bad password.\r\n",
            None,
            "Authentication failure: unknown user name or bad password.",
        ),
        (
            "-ERR Protocol error. Connection is closed. 10\r\n",
            None,
            "Protocol error. Connection is closed. 10",
        ),
        (
            "-ERR [SYS/TEMP] Temporary authentication failure. [mail:2026]\r\n",
            Some(ResponseCode::SysTemp),
            "Temporary authentication failure. [mail:2026]",
        ),
        (
            "-ERR [IN-USE] Mailbox is locked by another POP3 session.\r\n",
            Some(ResponseCode::InUse),
            "Mailbox is locked by another POP3 session.",
        ),
    ];
    for (line, code, text) in cases {
        let mut talk = answered(Mechanism::Xoauth2);
        talk.says(line);
        refused(&mut talk, code, text, None);
    }
}

#[test]
fn bare_auth_refused_sends_no_credentials() {
    let mut talk = asked(Mechanism::Xoauth2);
    talk.says("-ERR Command not supported\r\n");
    refused(&mut talk, None, "Command not supported", None);
    assert_eq!(talk.sent(), "");
}

#[test]
fn numbers_are_a_status_too_and_other_challenges_none() {
    // {"status":400}, {"error":"x"}, not JSON, not base64
    let cases = [
        ("eyJzdGF0dXMiOjQwMH0=", Some("400")),
        ("eyJzdGF0dXMiOjQwMH0", Some("400")),
        ("eyJlcnJvciI6IngifQ==", None),
        ("aGVsbG8=", None),
        ("what else", None),
    ];
    for (challenge, status) in cases {
        let mut talk = answered(Mechanism::Xoauth2);
        talk.says(format!("+ {challenge}\r\n"));
        assert_eq!(talk.sent(), "\r\n");
        talk.says("-ERR no\r\n");
        refused(&mut talk, None, "no", status);
    }
}

#[test]
fn challenges_without_end_are_cancelled_then_ended() {
    let mut talk = answered(Mechanism::Oauthbearer);
    for answer in ["AQ==\r\n", "*\r\n", "*\r\n"] {
        talk.says("+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n");
        assert_eq!(talk.sent(), answer);
    }
    talk.says("+ \r\n");
    assert!(talk.misfit().contains("challenges"));
    assert_eq!(talk.sent(), "");
}

#[test]
fn i13_yes_where_a_challenge_is_due_is_no_login() {
    let mut talk = asked(Mechanism::Xoauth2);
    talk.says("+OK\r\n");
    assert!(talk.misfit().contains("before the credentials"));
    assert_eq!(talk.sent(), "");
}

#[test]
fn i13_yes_after_a_refusal_is_no_login() {
    let mut talk = answered(Mechanism::Xoauth2);
    talk.says("+ eyJzdGF0dXMiOiI0MDEifQ==\r\n+OK\r\n");
    assert!(talk.misfit().contains("after a refusal"));
}

#[test]
fn i13_challenge_to_another_command_does_not_fit() {
    let mut talk = Talk::greeted();
    talk.send(Command::Stat);
    talk.says("+ \r\n");
    assert!(talk.misfit().contains("STAT"));
}

#[test]
fn i08_no_credentials_before_tls() {
    let token = token();
    for mechanism in [Mechanism::Xoauth2, Mechanism::Oauthbearer] {
        for initial_response in [false, true] {
            let mut talk = Talk::new(Session::new(false, Greeting::Expected, LIMITS));
            talk.says("+OK\r\n");
            let asked = Login { initial_response, ..login(mechanism, ALICE, &token) };
            assert_eq!(talk.session.send(Command::Login(asked)), Err(Misuse::NotSecured));
            assert_eq!(talk.sent(), "");
            assert_eq!(talk.session.outstanding(), 0);
        }
    }
}

#[test]
fn i08_in_clear_only_what_leads_to_tls_is_said() {
    let mut talk = Talk::new(Session::new(false, Greeting::Expected, LIMITS));
    talk.says("+OK\r\n");
    for command in [Command::Stat, Command::Uidl, Command::Retr(1), Command::Noop] {
        assert_eq!(talk.session.send(command), Err(Misuse::NotSecured));
    }
    assert_eq!(talk.send(Command::Capa), "CAPA\r\n");
    talk.says("-ERR\r\n");
    assert_eq!(talk.send(Command::Stls), "STLS\r\n");
    talk.says("+OK Begin TLS\r\n");
    assert_eq!(talk.heard().last(), Some(&Heard::Done(Verb::Stls, 0)));
    // Nothing more in clear: what follows is the handshake.
    assert_eq!(talk.session.send(Command::Capa), Err(Misuse::NotAlone));
    assert_eq!(talk.session.send(Command::Quit), Err(Misuse::NotAlone));
}

#[test]
fn refused_stls_leaves_quit_to_say() {
    let mut talk = Talk::new(Session::new(false, Greeting::Expected, LIMITS));
    talk.says("+OK\r\n");
    talk.send(Command::Stls);
    talk.says("-ERR Command not permitted\r\n");
    assert_eq!(talk.send(Command::Quit), "QUIT\r\n");
}

#[test]
fn control_characters_cannot_leave_the_line() {
    let fine = token();
    for bad in ["a\r\nDELE 1", "a\x01auth=x", "a\0", "a\x7f", "a\n"] {
        for mechanism in [Mechanism::Xoauth2, Mechanism::Oauthbearer] {
            let mut talk = Talk::greeted();
            let as_user = login(mechanism, bad, &fine);
            assert_eq!(talk.session.send(Command::Login(as_user)), Err(Misuse::Injection));
            let secret = Secret::new(bad.to_owned());
            let as_token = login(mechanism, ALICE, &secret);
            assert_eq!(talk.session.send(Command::Login(as_token)), Err(Misuse::Injection));
            assert_eq!(talk.sent(), "");
            // Nothing is owed for what was not sent.
            assert_eq!(talk.send(Command::Stat), "STAT\r\n");
        }
    }
}

#[test]
fn i03_credentials_that_the_server_repeats_are_not_told() {
    let secret = Secret::new("eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.c2VjcmV0-signature".to_owned());
    let begin = || {
        let mut talk = Talk::greeted();
        talk.send(Command::Login(login(Mechanism::Xoauth2, ALICE, &secret)));
        talk.says("+\r\n");
        let line = talk.sent();
        (talk, line.trim_end().to_owned())
    };

    let (mut talk, line) = begin();
    talk.says(format!("-ERR bad token {} in {line}\r\n", secret.expose()));
    let heard = format!("{:?}", talk.heard());
    assert!(heard.contains("bad token ****"), "{heard}");
    assert!(!heard.contains(secret.expose()) && !heard.contains(&line[..40]));

    let (mut talk, _) = begin();
    talk.says(format!("-ERR [{}] no\r\n", secret.expose()));
    let heard = format!("{:?}", talk.heard());
    assert!(!heard.contains(&secret.expose()[..20]), "{heard}");

    let (mut talk, line) = begin();
    talk.says(format!("{line}\r\n"));
    assert!(!talk.misfit().contains(&line[..40]));

    let (talk, line) = begin();
    assert!(!format!("{:?}", talk.session.closed()).contains(&line));
}

#[test]
fn long_tokens_go_out_whole_on_one_line() {
    let secret = Secret::new("x".repeat(12_000));
    let mut talk = Talk::greeted();
    talk.send(Command::Login(login(Mechanism::Xoauth2, ALICE, &secret)));
    talk.says("+ \r\n");
    let line = talk.sent();
    assert_eq!(line.len(), (5 + ALICE.len() + 13 + 12_000 + 2usize).div_ceil(3) * 4 + 2);
    assert_eq!(line.matches('\n').count(), 1);
}
