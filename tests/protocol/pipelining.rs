//! Several commands under way: answers in order, and what must stand alone.

use multipop::pop3::{Command, Mechanism, Misuse, Verb};

use super::talk::{Heard, Talk, login, token};

#[test]
fn answers_are_matched_in_order() {
    let mut talk = Talk::greeted();
    talk.session.send(Command::Retr(1)).unwrap();
    talk.session.send(Command::Retr(2)).unwrap();
    talk.session.send(Command::Dele(1)).unwrap();
    talk.session.send(Command::Top { number: 3, lines: 1 }).unwrap();
    assert_eq!(talk.sent(), "RETR 1\r\nRETR 2\r\nDELE 1\r\nTOP 3 1\r\n");
    assert_eq!(talk.session.outstanding(), 4);
    talk.says("+OK\r\none\r\n.\r\n-ERR gone\r\n+OK deleted\r\n+OK\r\nthree\r\n.\r\n");
    let heard = talk.heard();
    assert_eq!(
        heard[..3],
        [Heard::Begin(Verb::Retr, 1), Heard::Data(1, b"one\r\n".to_vec()), Heard::End(Verb::Retr, 1, 5),]
    );
    assert!(matches!(heard[3], Heard::Refused(Verb::Retr, 2, _)));
    assert_eq!(
        heard[4..],
        [
            Heard::Done(Verb::Dele, 1),
            Heard::Begin(Verb::Top, 3),
            Heard::Data(3, b"three\r\n".to_vec()),
            Heard::End(Verb::Top, 3, 7),
        ]
    );
    assert_eq!(talk.session.outstanding(), 0);
}

#[test]
fn auth_stls_and_quit_stand_alone() {
    let token = token();
    for alone in [Verb::Login, Verb::Stls, Verb::Quit] {
        let command = || match alone {
            Verb::Login => Command::Login(login(Mechanism::Xoauth2, "alice@contoso.example", &token)),
            Verb::Stls => Command::Stls,
            _ => Command::Quit,
        };
        let mut talk = Talk::greeted();
        talk.send(Command::Noop);
        assert_eq!(talk.session.send(command()), Err(Misuse::NotAlone), "{alone:?}");
        assert_eq!(talk.sent(), "");
        talk.says("+OK\r\n");

        talk.send(command());
        assert_eq!(talk.session.send(Command::Noop), Err(Misuse::NotAlone), "{alone:?}");
        assert_eq!(talk.session.send(command()), Err(Misuse::NotAlone), "{alone:?}");
        assert_eq!(talk.session.outstanding(), 1);
    }
}

#[test]
fn nothing_follows_quit() {
    let mut talk = Talk::greeted();
    talk.send(Command::Quit);
    talk.says("+OK bye\r\n");
    assert_eq!(talk.heard(), [Heard::Done(Verb::Quit, 0)]);
    assert_eq!(talk.session.send(Command::Noop), Err(Misuse::NotAlone));
}

#[test]
fn login_waits_for_the_greeting() {
    let mut talk = Talk::secured();
    let token = token();
    let asked = login(Mechanism::Xoauth2, "alice@contoso.example", &token);
    assert_eq!(talk.session.send(Command::Login(asked)), Err(Misuse::NotAlone));
    assert_eq!(talk.sent(), "");
}
