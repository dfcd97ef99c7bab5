//! However the server's bytes are cut, the same is heard.

use multipop::pop3::{Command, Mechanism};
use proptest::prelude::*;

use super::talk::{Heard, Talk, login, stuffed, token};

#[derive(Debug, Clone)]
enum Asked {
    Capa,
    Stat,
    Uidl,
    List,
    Retr(u32),
    Top(u32),
    Dele(u32),
    Noop,
}

impl Asked {
    fn command(&self) -> Command<'static> {
        match *self {
            Asked::Capa => Command::Capa,
            Asked::Stat => Command::Stat,
            Asked::Uidl => Command::Uidl,
            Asked::List => Command::List,
            Asked::Retr(number) => Command::Retr(number),
            Asked::Top(number) => Command::Top { number, lines: 3 },
            Asked::Dele(number) => Command::Dele(number),
            Asked::Noop => Command::Noop,
        }
    }
}

fn line_end() -> impl Strategy<Value = &'static str> {
    prop_oneof![3 => Just("\r\n"), 1 => Just("\n")]
}

fn message() -> impl Strategy<Value = Vec<u8>> {
    let byte = prop_oneof![Just(b'.'), Just(b'\r'), Just(b'\n'), Just(b'+'), Just(b'a'), any::<u8>()];
    prop::collection::vec(byte, 0..80).prop_map(|mut message| {
        message.extend_from_slice(b"\r\n");
        message
    })
}

/// A command and a reply that fits it.
fn exchange() -> impl Strategy<Value = (Asked, Vec<u8>)> {
    let body = |asked: fn(u32) -> Asked| {
        (1u32..9, message()).prop_map(move |(number, message)| {
            let mut reply = b"+OK follows\r\n".to_vec();
            reply.extend(stuffed(&message));
            (asked(number), reply)
        })
    };
    let listing = |asked: Asked, word: &'static str| {
        (0usize..20, line_end()).prop_map(move |(count, end)| {
            let lines: String = (1..=count).map(|number| format!("{number} {word}{number}{end}")).collect();
            (asked.clone(), format!("+OK{end}{lines}.{end}").into_bytes())
        })
    };
    let refusable = prop_oneof![
        Just(Asked::Capa),
        Just(Asked::Stat),
        Just(Asked::Uidl),
        Just(Asked::Retr(3)),
        Just(Asked::Dele(3)),
    ];
    prop_oneof![
        body(Asked::Retr),
        body(Asked::Top),
        listing(Asked::Uidl, "id-"),
        listing(Asked::List, "10"),
        line_end().prop_map(|end| (Asked::Stat, format!("+OK 0 0{end}").into_bytes())),
        line_end().prop_map(|end| (Asked::Noop, format!("+OK{end}").into_bytes())),
        line_end()
            .prop_map(|end| (Asked::Capa, format!("+OK{end}TOP{end}SASL XOAUTH2{end}.{end}").into_bytes())),
        (refusable, line_end())
            .prop_map(|(asked, end)| (asked, format!("-ERR [SYS/TEMP] later{end}").into_bytes())),
    ]
}

/// Everything is asked at once; then the server's bytes come in pieces of these sizes.
fn listen(asked: &[Asked], bytes: &[u8], cuts: &[usize]) -> Talk {
    let mut talk = Talk::greeted();
    for command in asked {
        talk.send(command.command());
    }
    hear(&mut talk, bytes, cuts);
    talk
}

fn hear(talk: &mut Talk, mut bytes: &[u8], cuts: &[usize]) {
    for cut in cuts.iter().cycle() {
        if bytes.is_empty() {
            break;
        }
        let (piece, rest) = bytes.split_at((*cut).min(bytes.len()));
        talk.says(piece);
        bytes = rest;
    }
}

proptest! {
    #[test]
    fn any_split_of_fitting_replies_gives_the_same_events(
        exchanges in prop::collection::vec(exchange(), 1..8),
        cuts in prop::collection::vec(1usize..30, 1..20),
    ) {
        let asked: Vec<Asked> = exchanges.iter().map(|(asked, _)| asked.clone()).collect();
        // STAT counts nothing here, so listings would contradict it; each is fine on its own.
        prop_assume!(!asked.iter().any(|a| matches!(a, Asked::Stat | Asked::Dele(_))) || !asked.iter().any(|a| matches!(a, Asked::Uidl | Asked::List)));
        let bytes: Vec<u8> = exchanges.iter().flat_map(|(_, reply)| reply.clone()).collect();

        let mut whole = listen(&asked, &bytes, &[bytes.len()]);
        prop_assert_eq!(whole.session.outstanding(), 0);
        let heard = whole.heard();
        prop_assert_eq!(&listen(&asked, &bytes, &[1]).heard(), &heard);
        prop_assert_eq!(&listen(&asked, &bytes, &cuts).heard(), &heard);
    }

    /// A broken stream is found broken however it is cut. Where bytes stand behind an answer's end, one who sees
    /// them at once is told one event less.
    #[test]
    fn any_split_of_broken_replies_is_found_broken(
        exchanges in prop::collection::vec(exchange(), 1..6),
        changes in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..4),
        cuts in prop::collection::vec(1usize..30, 1..20),
    ) {
        let asked: Vec<Asked> = exchanges.iter().map(|(asked, _)| asked.clone()).collect();
        let mut bytes: Vec<u8> = exchanges.iter().flat_map(|(_, reply)| reply.clone()).collect();
        for (place, value) in changes {
            let place = place.index(bytes.len());
            bytes[place] = value;
        }

        let whole = listen(&asked, &bytes, &[bytes.len()]);
        for cuts in [&[1][..], &cuts] {
            let cut = listen(&asked, &bytes, cuts);
            prop_assert_eq!(whole.error.is_some(), cut.error.is_some());
            prop_assert!(cut.heard.starts_with(&whole.heard), "{:?} and {:?}", whole.heard, cut.heard);
            prop_assert!(cut.heard.len() <= whole.heard.len() + usize::from(whole.error.is_some()));
        }
    }

    #[test]
    fn any_split_of_a_refused_login_gives_the_same_events(cuts in prop::collection::vec(1usize..30, 1..20)) {
        let mut talk = Talk::greeted();
        let token = token();
        talk.send(Command::Login(login(Mechanism::Oauthbearer, "alice@contoso.example", &token)));
        hear(&mut talk, b"+ \r\n+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=\r\n-ERR [AUTH] no\r\n", &cuts);
        let heard = talk.heard();
        let refused = matches!(heard.as_slice(), [Heard::Refused(..)]);
        prop_assert!(refused, "{:?}", heard);
        prop_assert!(talk.sent().ends_with("\r\nAQ==\r\n"));
    }
}
