//! Whole sessions as real servers hold them.

use multipop::pop3::{Command, Mechanism, Verb};

use super::talk::{Heard, Talk, login, token};

#[test]
fn exchange_online() {
    let mut talk = Talk::secured();
    talk.says("+OK The Microsoft Exchange POP3 service is ready. [UABBADcAAA==]\r\n");
    assert_eq!(talk.heard(), [Heard::Greeting]);

    assert_eq!(talk.send(Command::Capa), "CAPA\r\n");
    talk.says("+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN XOAUTH2\r\nUSER\r\n.\r\n");
    let heard = talk.heard();
    assert!(matches!(heard.as_slice(), [Heard::Capabilities(found)] if !found.pipelining && found.uidl));

    let asked = talk.send(Command::Login(login(Mechanism::Xoauth2, "shared@contoso.example", &token())));
    assert_eq!(asked, "AUTH XOAUTH2\r\n");
    talk.says("+ \r\n");
    assert_eq!(talk.sent(), "dXNlcj1zaGFyZWRAY29udG9zby5leGFtcGxlAWF1dGg9QmVhcmVyIFRPS0VOMTIzAQE=\r\n");
    talk.says("+OK User successfully authenticated.\r\n");
    assert_eq!(talk.heard(), [Heard::Done(Verb::Login, 0)]);

    talk.send(Command::Stat);
    talk.says("+OK 2 15230\r\n");
    assert_eq!(talk.heard(), [Heard::Stat(2, 15_230)]);

    talk.send(Command::Uidl);
    talk.says("+OK\r\n1 opaque-a\r\n2 opaque-b\r\n.\r\n");
    assert_eq!(talk.heard(), [Heard::Uidl(vec![(1, b"opaque-a".to_vec()), (2, b"opaque-b".to_vec())])]);

    talk.send(Command::Retr(2));
    talk.says("+OK\r\nSubject: hello\r\n\r\n..\r\n.\r\n");
    assert_eq!(
        talk.heard(),
        [
            Heard::Begin(Verb::Retr, 2),
            Heard::Data(2, b"Subject: hello\r\n\r\n.\r\n".to_vec()),
            Heard::End(Verb::Retr, 2, 21),
        ]
    );

    talk.send(Command::Dele(2));
    talk.says("+OK\r\n");
    assert_eq!(talk.heard(), [Heard::Done(Verb::Dele, 2)]);
    talk.send(Command::Quit);
    talk.says("+OK Microsoft Exchange Server POP3 server signing off.\r\n");
    assert_eq!(talk.heard(), [Heard::Done(Verb::Quit, 0)]);
}

#[test]
fn dovecot_pipelined() {
    let mut talk = Talk::secured();
    talk.says("+OK ready\r\n");
    talk.send(Command::Capa);
    talk.says(
        "+OK\r\nCAPA\r\nTOP\r\nUIDL\r\nRESP-CODES\r\nPIPELINING\r\nAUTH-RESP-CODE\r\nUSER\r\n\
         SASL XOAUTH2 OAUTHBEARER\r\n.\r\n",
    );
    let heard = talk.heard();
    assert!(matches!(heard.as_slice(), [Heard::Greeting, Heard::Capabilities(found)]
            if found.pipelining && found.auth_resp_code && found.sasl == ["XOAUTH2", "OAUTHBEARER"]));
    talk.send(Command::Login(login(Mechanism::Oauthbearer, "alice@contoso.example", &token())));
    talk.says("+ \r\n+OK Logged in.\r\n");
    assert_eq!(talk.heard(), [Heard::Done(Verb::Login, 0)]);
    talk.sent();

    talk.session.send(Command::Uidl).unwrap();
    talk.session.send(Command::List).unwrap();
    talk.says("+OK\r\n1 0000000167a1\r\n.\r\n+OK 1 messages:\r\n1 2048\r\n.\r\n");
    assert_eq!(
        talk.heard(),
        [Heard::Uidl(vec![(1, b"0000000167a1".to_vec())]), Heard::List(vec![(1, 2048)]),]
    );
}

#[test]
fn gmail_refusing() {
    let mut talk = Talk::secured();
    talk.says("+OK Gpop ready for requests\r\n");
    talk.send(Command::Login(login(Mechanism::Xoauth2, "alice@contoso.example", &token())));
    talk.says("+ \r\n");
    talk.sent();
    talk.says("+ eyJzdGF0dXMiOiI0MDEiLCJzY2hlbWVzIjoiYmVhcmVyIG1hYyIsInNjb3BlIjoiaHR0cHM6Ly9tYWlsLmdvb2dsZS5jb20vIn0=\r\n");
    assert_eq!(talk.sent(), "\r\n");
    talk.says("-ERR bad request\r\n");
    assert!(matches!(
        talk.heard().as_slice(),
        [Heard::Greeting, Heard::Refused(Verb::Login, 0, refusal)]
            if refusal.sasl_status.as_deref() == Some("401")
    ));
    assert_eq!(talk.send(Command::Quit), "QUIT\r\n");
}
