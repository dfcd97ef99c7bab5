//! TLS, CAPA, AUTH: every way a login goes.

use std::net::TcpStream;
use std::time::Duration;

use base64::prelude::{BASE64_STANDARD, Engine};
use multipop_host::mock::pop3::{
    At, Fault, InitialResponse, Refusal, Script, Server, Transport, Verb, What, codes,
};

use crate::client::{ALICE, Client, TOKEN, oauthbearer, setting, xoauth2};

#[test]
fn certificates_are_what_they_say() {
    let s = setting(Script::dovecot());
    let port = s.server.address().port();
    let reach = |name| Client::tls(port, &s.pki, name).map(|mut client| client.line());
    assert_eq!(reach("localhost").unwrap(), "+OK ready");
    for bad in [&s.pki.wrong_name, &s.pki.expired, &s.pki.other_ca] {
        s.server.show(bad).unwrap();
        let error = reach("127.0.0.1").unwrap_err().to_string();
        assert!(error.contains("certificate"), "{error}");
    }
    s.server.show(&s.pki.good).unwrap();
    assert!(reach("127.0.0.1").is_ok());
}

#[test]
fn capabilities_and_two_line_login() {
    let s = setting(Script::dovecot());
    let mut c = s.connect();
    let capabilities = c.ask_lines("CAPA");
    assert!(capabilities.contains(&"PIPELINING".to_owned()));
    assert!(capabilities.contains(&"SASL XOAUTH2 OAUTHBEARER".to_owned()));
    assert_eq!(c.ask("STAT"), "-ERR command not valid before login");
    assert_eq!(c.ask("AUTH XOAUTH2"), "+ ");
    assert_eq!(c.ask(&xoauth2(ALICE, TOKEN)), "+OK Logged in.");
    assert_eq!(c.ask("STAT"), "+OK 0 0");
    assert_eq!(s.server.journal().logins(), 1);
    s.server.change(|script| script.capabilities_after_login = Some(vec!["EXPIRE 0".to_owned()]));
    assert_eq!(c.ask_lines("capa")[0], "EXPIRE 0");
}

#[test]
fn a_refusal_has_a_challenge_or_not() {
    let s = setting(Script::dovecot());
    let mut c = s.connect();
    let challenge = c.auth(ALICE, "wrong");
    let json = BASE64_STANDARD.decode(challenge.strip_prefix("+ ").unwrap()).unwrap();
    assert!(json.starts_with(br#"{"status":"401""#));
    assert_eq!(c.ask(""), "-ERR [AUTH] Authentication failed.");
    assert_eq!(c.ask("AUTH OAUTHBEARER"), "+ ");
    let port = s.server.address().port();
    assert!(c.ask(&oauthbearer(ALICE, port, "wrong")).starts_with("+ ey"));
    assert_eq!(c.ask("AQ=="), "-ERR [AUTH] Authentication failed.");
    assert_eq!(c.ask("AUTH OAUTHBEARER"), "+ ");
    assert!(c.ask(&oauthbearer(ALICE, port + 1, TOKEN)).starts_with("+ ey"), "another port is refused");
    assert_eq!(c.ask("*"), "-ERR Authentication aborted by client.");
    assert_eq!(c.ask("AUTH XOAUTH2"), "+ ");
    assert!(c.ask(&xoauth2("bob@contoso.example", TOKEN)).starts_with("+ ey"), "another's token is refused");
    c.ask("");
    assert_eq!(c.ask("AUTH OAUTHBEARER"), "+ ");
    assert_eq!(c.ask(&oauthbearer(ALICE, port, TOKEN)), "+OK Logged in.");
    assert_eq!(s.server.journal().refusals(), 4);

    s.server.change(|script| script.refusal = Refusal::Close);
    let mut c = s.connect();
    assert_eq!(c.auth(ALICE, "wrong"), "<closed>");
    s.server.change(|script| script.refusal = Refusal::Endless(3));
    let mut c = s.connect();
    assert_eq!(c.auth(ALICE, "wrong"), "+ ");
    assert_eq!(c.ask(""), "+ ");
    assert_eq!(c.ask("*"), "-ERR [AUTH] Authentication failed.");
}

#[test]
fn one_line_is_taken_or_a_protocol_error() {
    let s = setting(Script::exchange());
    let one_line = format!("AUTH XOAUTH2 {}", xoauth2(ALICE, TOKEN));
    let mut c = s.connect();
    assert_eq!(c.ask(&one_line), "-ERR Protocol error. Connection is closed. 10");
    assert_eq!(c.line(), "<closed>");
    let mut c = s.connect();
    let refusal = "-ERR Authentication failure: unknown user name or bad password.";
    assert_eq!(c.auth(ALICE, "wrong"), refusal);
    assert_eq!(c.auth(ALICE, TOKEN), "+OK User successfully authenticated.");
    s.server.change(|script| script.initial_response = InitialResponse::TakenIfShort);
    let mut c = s.connect();
    assert_eq!(c.ask(&one_line), "+OK User successfully authenticated.");
    let mut c = s.connect();
    let long = format!("AUTH XOAUTH2 {}", xoauth2(ALICE, &"x".repeat(300)));
    assert!(c.ask(&long).starts_with("-ERR Protocol error"));
}

#[test]
fn continuations_and_long_tokens() {
    let s = setting(Script::exchange());
    for continuation in ["+", "+ ", "+ go ahead"] {
        s.server.change(|script| script.continuation = continuation.to_owned());
        let mut c = s.connect();
        assert_eq!(c.ask("AUTH XOAUTH2"), continuation);
    }
    s.server.change(|script| script.token_limit = Some(4096));
    let long = "x".repeat(4097);
    s.tokens.accept(&long, ALICE);
    let mut c = s.connect();
    assert_eq!(c.auth(ALICE, &long), "-ERR Protocol error. Connection is closed. 10");
    assert_eq!(c.line(), "<closed>");
    s.server.change(|script| script.token_limit = None);
    assert!(s.connect().auth(ALICE, &long).starts_with("+OK"));
}

#[test]
fn every_response_code_can_be_the_answer_to_credentials() {
    let s = setting(Script::dovecot());
    for code in codes::ALL {
        let fault = Fault::new(At::Verb(Verb::AuthData), What::Err(code.to_owned())).times(1);
        s.server.change(|script| script.faults.push(fault));
        let mut c = s.connect();
        assert_eq!(c.auth(ALICE, TOKEN), format!("-ERR {code}"));
        assert_eq!(c.auth(ALICE, TOKEN), "+OK Logged in.", "once means once");
    }
}

#[test]
fn login_delay_and_lock() {
    let s = setting(Script { lock_mailbox: true, ..Script::dovecot() });
    let first = s.login();
    assert_eq!(s.connect().auth(ALICE, TOKEN), format!("-ERR {}", codes::IN_USE));
    drop(first);
    assert!(s.server.journal().wait_closed(Duration::from_secs(5)));
    s.login();
    s.server.change(|script| script.login_delay = Some(Duration::from_secs(300)));
    assert_eq!(s.connect().auth(ALICE, TOKEN), format!("-ERR {}", codes::LOGIN_DELAY));
    s.server.forget_logins();
    assert!(s.server.journal().wait_closed(Duration::from_secs(5)));
    s.login();
}

#[test]
fn tokens_end() {
    let s = setting(Script::exchange());
    s.tokens.accept_for("short", ALICE, "mail", Duration::ZERO);
    assert!(s.connect().auth(ALICE, "short").starts_with("-ERR"));
    s.tokens.revoke_user("ALICE@contoso.example");
    assert!(s.connect().auth(ALICE, TOKEN).starts_with("-ERR"));
}

#[test]
fn stls_secures_and_injects() {
    let s = setting(Script::dovecot());
    let server = Server::builder(&s.tokens, Script::dovecot())
        .identity(&s.pki.good)
        .transport(Transport::Stls)
        .start()
        .unwrap();
    server.change(|script| script.stls_injection = b"+OK injected\r\n".to_vec());
    let tcp = TcpStream::connect(server.address()).unwrap();
    let mut c = Client::clear(server.address().port());
    c.line();
    assert_eq!(c.ask_lines("CAPA").last().unwrap(), "STLS");
    assert!(c.ask("AUTH XOAUTH2").starts_with("-ERR"));
    assert_eq!(c.ask("STLS"), "+OK Begin TLS");
    assert_eq!(c.line(), "+OK injected");

    server.change(|script| script.stls_injection.clear());
    let secured = {
        use std::io::{Read, Write};
        let mut tcp = tcp;
        let mut buffer = [0; 64];
        let read = tcp.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"+OK ready\r\n");
        tcp.write_all(b"STLS\r\n").unwrap();
        let read = tcp.read(&mut buffer).unwrap();
        assert_eq!(&buffer[..read], b"+OK Begin TLS\r\n");
        Client::over(tcp, &s.pki, "localhost")
    };
    let mut c = secured.unwrap();
    assert!(c.ask_lines("CAPA").last().unwrap().starts_with("SASL"));
    assert!(c.auth(ALICE, TOKEN).starts_with("+OK"));
}

#[test]
fn the_journal_keeps_secrets_apart() {
    let s = setting(Script::dovecot());
    s.login().ask("QUIT");
    let journal = s.server.journal();
    assert!(journal.wait_closed(Duration::from_secs(5)));
    let text = format!("{:?}", journal.entries());
    assert!(text.contains("AUTH XOAUTH2"));
    assert_eq!(journal.tokens_seen(), [TOKEN]);
    assert_eq!(journal.sasl_lines_seen(), [xoauth2(ALICE, TOKEN)]);
    for secret in journal.tokens_seen().into_iter().chain(journal.sasl_lines_seen()) {
        assert!(!text.contains(&secret));
    }
}

#[test]
fn capa_is_refused_or_endless() {
    let s = setting(Script::dovecot());
    let capa = |what| Fault::new(At::Verb(Verb::Capa), what).times(1);
    s.server.change(|script| script.faults.push(capa(What::Err("unknown command".to_owned()))));
    let mut c = s.connect();
    assert_eq!(c.ask("CAPA"), "-ERR unknown command");
    let endless = What::Endless { prefix: b"+OK\r\n".to_vec(), unit: b"X-MORE\r\n".to_vec() };
    s.server.change(|script| script.faults.push(capa(endless)));
    assert_eq!(c.ask("CAPA"), "+OK");
    for _ in 0..100_000 {
        assert_eq!(c.line(), "X-MORE");
    }
}

#[test]
fn a_server_of_one_tls_version() {
    let s = setting(Script::dovecot());
    let config = s.pki.good.server_of(&[&rustls::version::TLS12]).unwrap();
    let server = Server::builder(&s.tokens, Script::dovecot()).tls(config).start().unwrap();
    let port = server.address().port();
    assert_eq!(Client::tls(port, &s.pki, "localhost").unwrap().line(), "+OK ready");
    let only_13 = s.pki.client_of(&[&rustls::version::TLS13]).unwrap();
    let mut connection = rustls::ClientConnection::new(only_13, "localhost".try_into().unwrap()).unwrap();
    let mut tcp = TcpStream::connect(("127.0.0.1", port)).unwrap();
    assert!(connection.complete_io(&mut tcp).is_err());
}

#[test]
fn certificates_can_be_written() {
    let folder = tempfile::tempdir().unwrap();
    let pki = multipop_host::mock::pki::Pki::new().unwrap();
    pki.write(folder.path()).unwrap();
    for name in ["ca.pem", "good.pem", "good.key", "wrong-name.pem", "expired.pem", "other-ca.key"] {
        let pem = std::fs::read_to_string(folder.path().join(name)).unwrap();
        assert!(pem.starts_with("-----BEGIN "), "{name}");
    }
    let other = pki.for_names(&["pop.example.com"]).unwrap();
    assert!(other.server().is_ok() && other.chain_pem() != pki.good.chain_pem());
}
