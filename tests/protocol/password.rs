//! Log-in with a password, line by line: what is said when, and servers that say what they should not.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;
use multipop::pop3::{
    Command, Greeting, Misuse, PasswordLogin, PasswordMechanism, ResponseCode, Session, Verb,
};
use multipop::secret::Secret;

use crate::talk::{Heard, LIMITS, Talk};

const USER: &str = "alice@contoso.example";
const PASSWORD: &str = "hunter2 and more";
const NONCE: &str = "rOprNGfwEbeRWgbNEkqO";

fn begin(talk: &mut Talk, mechanism: PasswordMechanism) -> String {
    let password = Secret::new(PASSWORD.to_owned());
    talk.send(Command::Password(PasswordLogin { mechanism, user: USER, password: &password, nonce: NONCE }))
}

fn refusal(talk: &mut Talk) -> (Option<ResponseCode>, String) {
    match talk.heard().pop() {
        Some(Heard::Refused(Verb::Login, 0, refusal)) => (refusal.code, refusal.text),
        other => panic!("{other:?}"),
    }
}

#[test]
fn the_password_follows_only_when_it_is_asked_for() {
    let mut talk = Talk::greeted();
    assert_eq!(begin(&mut talk, PasswordMechanism::Plain), "AUTH PLAIN\r\n");
    talk.says("+ \r\n");
    let line = STANDARD.encode(format!("\0{USER}\0{PASSWORD}"));
    assert_eq!(talk.sent(), format!("{line}\r\n"));
    talk.says("+OK\r\n");
    assert_eq!(talk.heard(), [Heard::Done(Verb::Login, 0)]);

    let mut talk = Talk::greeted();
    assert_eq!(begin(&mut talk, PasswordMechanism::UserPass), format!("USER {USER}\r\n"));
    talk.says("+OK\r\n");
    assert_eq!(talk.heard(), []);
    assert_eq!(talk.sent(), format!("PASS {PASSWORD}\r\n"));
    talk.says("+OK\r\n");
    assert_eq!(talk.heard(), [Heard::Done(Verb::Login, 0)]);
}

#[test]
fn a_refused_user_hears_no_password() {
    let mut talk = Talk::greeted();
    begin(&mut talk, PasswordMechanism::UserPass);
    talk.says("-ERR [AUTH] nobody of that name\r\n");
    assert_eq!(refusal(&mut talk).0, Some(ResponseCode::Auth));
    assert_eq!(talk.sent(), "");
}

#[test]
fn i08_no_password_goes_out_without_tls() {
    let mut talk = Talk::new(Session::new(false, Greeting::Expected, LIMITS));
    talk.says("+OK <1.2@pop.example.com>\r\n");
    assert!(!talk.session.can_apop());
    let password = Secret::new(PASSWORD.to_owned());
    for mechanism in [
        PasswordMechanism::ScramSha256,
        PasswordMechanism::Plain,
        PasswordMechanism::Apop,
        PasswordMechanism::UserPass,
    ] {
        let login = PasswordLogin { mechanism, user: USER, password: &password, nonce: NONCE };
        assert_eq!(talk.session.send(Command::Password(login)), Err(Misuse::NotSecured));
        assert_eq!(talk.sent(), "");
    }
}

#[test]
fn nothing_ends_the_line_early() {
    for (user, password, nonce) in [
        ("a\r\nDELE 1", "p", "n"),
        ("a", "p\r\nQUIT", "n"),
        ("a", "p\0q", "n"),
        ("a\u{7f}", "p", "n"),
        ("a", "p", "n\n"),
    ] {
        for mechanism in
            [PasswordMechanism::UserPass, PasswordMechanism::Plain, PasswordMechanism::ScramSha256]
        {
            let mut talk = Talk::greeted();
            let password = Secret::new(password.to_owned());
            let login = PasswordLogin { mechanism, user, password: &password, nonce };
            assert_eq!(talk.session.send(Command::Password(login)), Err(Misuse::Injection));
            assert_eq!(talk.sent(), "");
        }
    }
}

#[test]
fn apop_needs_a_timestamp() {
    let mut talk = Talk::greeted();
    let password = Secret::new(PASSWORD.to_owned());
    let login =
        PasswordLogin { mechanism: PasswordMechanism::Apop, user: USER, password: &password, nonce: NONCE };
    assert_eq!(talk.session.send(Command::Password(login)), Err(Misuse::NoTimestamp));
    let mut talk = Talk::secured();
    talk.says("+OK ready <1896.697170952@pop.example.com>\r\n");
    talk.heard();
    let said = begin(&mut talk, PasswordMechanism::Apop);
    let digest = said.strip_prefix(&format!("APOP {USER} ")).unwrap().trim_end();
    assert!(digest.len() == 32 && digest.bytes().all(|b| b.is_ascii_hexdigit()));
    talk.says(format!("-ERR not {digest} of {PASSWORD}\r\n"));
    assert_eq!(refusal(&mut talk).1, format!("not {} of {}", "*".repeat(32), "*".repeat(PASSWORD.len())));
}

#[test]
fn yes_out_of_place_is_no_yes() {
    let mut talk = Talk::greeted();
    begin(&mut talk, PasswordMechanism::Plain);
    talk.says("+OK\r\n");
    assert!(talk.misfit().contains("before the credentials"));
    let mut talk = Talk::greeted();
    begin(&mut talk, PasswordMechanism::ScramSha256);
    talk.says("+ \r\n");
    talk.says("+OK\r\n");
    assert!(talk.misfit().contains("did not prove"));
    let mut talk = Talk::greeted();
    begin(&mut talk, PasswordMechanism::Plain);
    talk.says("+ \r\n+ again\r\n+OK\r\n");
    assert!(talk.misfit().contains("after a refusal"));
}

#[test]
fn challenges_end() {
    for mechanism in [PasswordMechanism::Plain, PasswordMechanism::UserPass, PasswordMechanism::ScramSha256] {
        let mut talk = Talk::greeted();
        begin(&mut talk, mechanism);
        for _ in 0..8 {
            talk.says("+ \r\n");
        }
        assert!(!talk.misfit().contains(PASSWORD));
        assert_eq!(talk.sent(), "", "nothing more is said, QUIT least of all");
    }
}

#[test]
fn a_scram_no_is_told_with_the_servers_word() {
    let mut talk = Talk::greeted();
    begin(&mut talk, PasswordMechanism::ScramSha256);
    talk.says("+ \r\n");
    let first = STANDARD.decode(talk.sent().trim_end()).unwrap();
    assert_eq!(first, format!("n,,n={USER},r={NONCE}").into_bytes());
    let server_first = STANDARD.encode(format!("r={NONCE}xyz,s=c2FsdA==,i=4096"));
    talk.says(format!("+ {server_first}\r\n"));
    assert!(STANDARD.decode(talk.sent().trim_end()).unwrap().starts_with(b"c=biws,r=rOpr"));
    talk.says(format!("+ {}\r\n", STANDARD.encode("e=invalid-proof")));
    assert_eq!(talk.sent(), "*\r\n");
    talk.says("-ERR [AUTH] no\r\n");
    match talk.heard().pop() {
        Some(Heard::Refused(Verb::Login, 0, refusal)) => {
            assert_eq!(refusal.sasl_status.as_deref(), Some("invalid-proof"));
        }
        other => panic!("{other:?}"),
    }
}

/// Whatever stands where the words are cut.
#[test]
fn i03_a_password_at_the_cut_is_blackened() {
    for lead in 150..205 {
        let mut talk = Talk::greeted();
        begin(&mut talk, PasswordMechanism::Plain);
        talk.says("+ \r\n");
        talk.says(format!("-ERR {}{PASSWORD} {}\r\n", "x".repeat(lead), "y".repeat(300)));
        let text = refusal(&mut talk).1;
        assert!(!text.contains("hu"), "{text}");
        let mut talk = Talk::greeted();
        begin(&mut talk, PasswordMechanism::Plain);
        talk.says(format!("{}{PASSWORD}\r\n", "x".repeat(lead - 140)));
        assert!(!talk.misfit().contains("hu"), "{}", talk.misfit());
    }
}
