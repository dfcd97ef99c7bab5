//! Status lines, response codes, capabilities, STAT.

use multipop::pop3::{Capabilities, Command, Cut, ResponseCode, Verb};

use super::talk::{Heard, Talk, refusal};

#[test]
fn greetings_with_and_without_text() {
    for line in [
        "+OK\r\n",
        "+OK \r\n",
        "+OK ready\n",
        "+OK The Microsoft Exchange POP3 service is ready. [UABBADcAAA==]\r\n",
        "+OK []\r\n",
        "+OK <1896.697170952@pop.example.net>\r\n",
    ] {
        let mut talk = Talk::secured();
        assert_eq!(talk.session.closed(), Cut::Greeting);
        assert_eq!(talk.says(line).heard(), [Heard::Greeting], "{line:?}");
        assert_eq!(talk.session.closed(), Cut::Nothing);
    }
}

#[test]
fn unwelcome_greeting_tells_its_code() {
    let mut talk = Talk::secured();
    talk.says("-ERR [SYS/TEMP] too many connections\r\n");
    let mut expected = refusal("too many connections");
    expected.code = Some(ResponseCode::SysTemp);
    assert_eq!(talk.heard(), [Heard::Unwelcome(expected)]);
}

#[test]
fn i13_reply_that_does_not_fit_ends_the_session_without_quit() {
    for line in [
        "\r\n",
        "* OK IMAP4rev1\r\n",
        "+OKAY\r\n",
        "-ERROR\r\n",
        "+ \r\n",
        "ok\r\n",
        "220 ready\r\n",
        ".\r\n",
        "\0\n",
    ] {
        let mut talk = Talk::greeted();
        talk.session.send(Command::Dele(1)).unwrap();
        talk.says(line);
        assert!(talk.misfit().contains("DELE 1"), "{line:?}: {}", talk.misfit());
        assert!(!talk.misfit().contains(['\r', '\n', '\0']));
        assert_eq!(talk.sent(), "", "what was queued is not sent any more");
        assert!(talk.session.send(Command::Quit).is_err());
        assert_eq!(talk.sent(), "");
        assert!(talk.session.next(b"+OK\r\n").is_err(), "there is no way back");
    }
}

#[test]
fn i13_bytes_nobody_asked_for() {
    let mut talk = Talk::greeted();
    talk.says("+OK and another thing\r\n");
    assert!(talk.misfit().contains("nothing was asked"));

    let mut talk = Talk::greeted();
    talk.send(Command::Noop);
    talk.says("+OK\r\n+OK\r\n");
    assert_eq!(talk.heard, [Heard::Done(Verb::Noop, 0)]);
    assert!(talk.misfit().contains("nothing was asked"));
}

#[test]
fn response_codes_stand_directly_after_the_status() {
    use ResponseCode::*;
    let cases = [
        ("-ERR [IN-USE] locked", Some(InUse), "locked"),
        ("-ERR [in-use] locked", Some(InUse), "locked"),
        ("-ERR [IN-USE/OTHER] locked", Some(InUse), "locked"),
        ("-ERR [LOGIN-DELAY] wait", Some(LoginDelay), "wait"),
        ("-ERR [SYS/TEMP] x", Some(SysTemp), "x"),
        ("-ERR [SYS/TEMP/DISK] x", Some(SysTemp), "x"),
        ("-ERR [Sys/Perm]", Some(SysPerm), ""),
        ("-ERR [SYS/ODD] x", Some(Other("SYS/ODD".to_owned())), "x"),
        ("-ERR [AUTHX] x", Some(Other("AUTHX".to_owned())), "x"),
        ("-ERR [AUTH]no space", Some(Auth), "no space"),
        ("-ERR [UTF8] x", Some(Utf8), "x"),
        ("-ERR [X-NEW] x", Some(Other("X-NEW".to_owned())), "x"),
        ("-ERR sorry [AUTH]", None, "sorry [AUTH]"),
        ("-ERR [] x", None, "[] x"),
        ("-ERR [two words] x", None, "[two words] x"),
        ("-ERR [AUTH", None, "[AUTH"),
        ("-ERR [AUTH//] x", None, "[AUTH//] x"),
        ("-ERR", None, ""),
        ("-ERR ", None, ""),
    ];
    for (line, code, text) in cases {
        let mut talk = Talk::greeted();
        talk.send(Command::Retr(7));
        talk.says(format!("{line}\r\n"));
        let mut expected = refusal(text);
        expected.code = code;
        assert_eq!(talk.heard(), [Heard::Refused(Verb::Retr, 7, expected)], "{line:?}");
    }
}

#[test]
fn refusals_are_printable_and_cut() {
    let mut talk = Talk::greeted();
    talk.send(Command::Quit);
    talk.says(b"-ERR a\x1b[31m\xff\x00\xe2\x80\xae\xc3\xa9 ");
    talk.says("x".repeat(5_000));
    talk.says("\r\n");
    let heard = talk.heard();
    let [Heard::Refused(Verb::Quit, 0, refusal)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert!(refusal.text.starts_with("a\u{FFFD}[31m\u{FFFD}\u{FFFD}\u{FFFD}é x"));
    assert_eq!(refusal.text.chars().count(), 200);
}

#[test]
fn capabilities_as_servers_send_them() {
    let mut talk = Talk::greeted();
    talk.send(Command::Capa);
    talk.says("+OK\r\nTOP\r\nUIDL\r\nSASL PLAIN XOAUTH2\r\nUSER\r\n.\r\n");
    let exchange = Capabilities {
        answered: true,
        top: true,
        uidl: true,
        user: true,
        sasl: vec!["PLAIN".to_owned(), "XOAUTH2".to_owned()],
        ..Capabilities::default()
    };
    assert_eq!(talk.heard(), [Heard::Capabilities(exchange)]);

    talk.send(Command::Capa);
    talk.says(
        "+OK Capability list follows\nuser\nresp-codes\nauth-resp-code\npipelining\nstls\n\nEXPIRE 0 USER\n\
         LOGIN-DELAY  300\nX-GOOGLE-RICO\nIMPLEMENTATION Some 1.0\nSasl plain  xoauth2 OAUTHBEARER \n.\n",
    );
    let heard = talk.heard();
    let [Heard::Capabilities(found)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert!(found.resp_codes && found.auth_resp_code && found.pipelining && found.stls);
    assert!(!found.top && !found.uidl);
    assert_eq!(found.sasl, ["PLAIN", "XOAUTH2", "OAUTHBEARER"]);
    assert_eq!(found.login_delay_s, Some(300));
    assert_eq!(found.expire_days, Some(0));
    assert!(found.changes_after_login);
}

#[test]
fn expire_never_and_numbers_that_are_none() {
    let mut talk = Talk::greeted();
    talk.send(Command::Capa);
    talk.says("+OK\r\nEXPIRE NEVER\r\nLOGIN-DELAY soon\r\n.\r\n");
    let heard = talk.heard();
    let [Heard::Capabilities(found)] = heard.as_slice() else {
        panic!("{heard:?}");
    };
    assert_eq!(found.expire_days, Some(u32::MAX));
    assert_eq!(found.login_delay_s, None);
    assert!(!found.changes_after_login);
}

#[test]
fn servers_without_capa_have_no_capabilities() {
    let mut talk = Talk::greeted();
    talk.send(Command::Capa);
    talk.says("-ERR unknown command\r\n");
    assert_eq!(talk.heard(), [Heard::Capabilities(Capabilities::default())]);
}

#[test]
fn stat_counts() {
    for line in ["+OK 2 320\r\n", "+OK  2   320 \r\n", "+OK 2 320 messages (320 octets)\n"] {
        let mut talk = Talk::greeted();
        assert_eq!(talk.send(Command::Stat), "STAT\r\n");
        assert_eq!(talk.says(line).heard(), [Heard::Stat(2, 320)]);
    }
    for line in ["+OK\r\n", "+OK 2\r\n", "+OK two 320\r\n", "+OK -1 3\r\n", "+OK 99999999999 1\r\n"] {
        let mut talk = Talk::greeted();
        talk.send(Command::Stat);
        talk.says(line);
        assert!(talk.misfit().contains("STAT"), "{line:?}");
    }
}

#[test]
fn commands_as_bytes() {
    let commands = [
        (Command::Capa, "CAPA\r\n"),
        (Command::Stat, "STAT\r\n"),
        (Command::Uidl, "UIDL\r\n"),
        (Command::List, "LIST\r\n"),
        (Command::Top { number: 3, lines: 0 }, "TOP 3 0\r\n"),
        (Command::Retr(4_294_967_295), "RETR 4294967295\r\n"),
        (Command::Dele(12), "DELE 12\r\n"),
        (Command::Noop, "NOOP\r\n"),
        (Command::Rset, "RSET\r\n"),
    ];
    let mut talk = Talk::greeted();
    for (command, bytes) in commands {
        assert_eq!(talk.send(command), bytes);
    }
}

#[test]
fn where_a_connection_broke() {
    let mut talk = Talk::greeted();
    talk.send(Command::Retr(4));
    assert_eq!(talk.session.closed(), Cut::Reply("RETR"));
    talk.says("+O");
    assert_eq!(talk.session.closed(), Cut::Reply("RETR"));
    talk.says("K\r\nSubject: x\r\n\r\n.");
    assert_eq!(talk.session.closed(), Cut::Message(4));
    talk.says("\r\n");
    assert_eq!(talk.session.closed(), Cut::Nothing);
    talk.send(Command::Quit);
    assert_eq!(talk.session.closed(), Cut::Reply("QUIT"));
}
