//! A session with a scripted server on the other side, and what it heard as owned values.

use multipop::pop3::{
    Capabilities, Command, Event, Greeting, Limits, Login, Mechanism, ProtocolError, Refusal, Session, Verb,
};
use multipop::secret::Secret;

pub const LIMITS: Limits = Limits { listing_entries: 1_000, message_bytes: 1 << 20 };

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Greeting,
    Unwelcome(Refusal),
    Capabilities(Capabilities),
    Done(Verb, u32),
    Refused(Verb, u32, Refusal),
    Stat(u32, u64),
    Uidl(Vec<(u32, Vec<u8>)>),
    List(Vec<(u32, u64)>),
    Begin(Verb, u32),
    /// All pieces that came one after the other.
    Data(u32, Vec<u8>),
    End(Verb, u32, u64),
}

pub struct Talk {
    pub session: Session,
    pub heard: Vec<Heard>,
    pub error: Option<ProtocolError>,
}

impl Talk {
    pub fn secured() -> Talk {
        Talk::new(Session::new(true, Greeting::Expected, LIMITS))
    }

    /// Greeted, and that forgotten.
    pub fn greeted() -> Talk {
        let mut talk = Talk::secured();
        talk.says("+OK ready\r\n");
        assert_eq!(talk.heard(), [Heard::Greeting]);
        talk
    }

    pub fn new(session: Session) -> Talk {
        Talk { session, heard: Vec::new(), error: None }
    }

    /// Sends a command and answers what went out.
    pub fn send(&mut self, command: Command<'_>) -> String {
        self.session.send(command).expect("it may be sent now");
        self.sent()
    }

    pub fn sent(&mut self) -> String {
        String::from_utf8(self.session.take_output().to_vec()).expect("commands are text")
    }

    /// The server's bytes, in one go.
    pub fn says(&mut self, bytes: impl AsRef<[u8]>) -> &mut Talk {
        let mut rest = bytes.as_ref();
        while !rest.is_empty() && self.error.is_none() {
            match self.session.next(rest) {
                Ok((used, event)) => {
                    assert!(used <= rest.len());
                    assert!(event.is_some() || used == rest.len(), "all is taken where nothing is told");
                    if let Some(Event::MessageData { bytes, .. }) = &event {
                        assert!(bytes.len() <= rest.len());
                    }
                    if let Some(event) = event {
                        note(&mut self.heard, event);
                    }
                    rest = &rest[used..];
                }
                Err(error) => self.error = Some(error),
            }
        }
        self
    }

    pub fn heard(&mut self) -> Vec<Heard> {
        if let Some(error) = &self.error {
            panic!("out of step: {error}");
        }
        std::mem::take(&mut self.heard)
    }

    /// The protocol error's words; there must be one.
    #[track_caller]
    pub fn misfit(&self) -> &str {
        match &self.error {
            Some(ProtocolError(words)) => words,
            None => panic!("taken as fitting: {:?}", self.heard),
        }
    }
}

fn note(heard: &mut Vec<Heard>, event: Event<'_>) {
    let next = match event {
        Event::MessageData { number, bytes } => {
            if let Some(Heard::Data(same, all)) = heard.last_mut()
                && *same == number
            {
                all.extend_from_slice(bytes);
                return;
            }
            Heard::Data(number, bytes.to_vec())
        }
        Event::Greeting => Heard::Greeting,
        Event::Unwelcome(refusal) => Heard::Unwelcome(refusal),
        Event::Capabilities(found) => Heard::Capabilities(found),
        Event::Done { verb, number } => Heard::Done(verb, number),
        Event::Refused { verb, number, refusal } => Heard::Refused(verb, number, refusal),
        Event::Stat { count, octets } => Heard::Stat(count, octets),
        Event::Uidl(listing) => {
            Heard::Uidl(listing.iter().map(|(number, uidl)| (number, uidl.to_vec())).collect())
        }
        Event::List(sizes) => Heard::List(
            (1..=2_000).filter_map(|number| sizes.of(number).map(|size| (number, size))).collect(),
        ),
        Event::MessageBegin { verb, number } => Heard::Begin(verb, number),
        Event::MessageEnd { verb, number, octets } => Heard::End(verb, number, octets),
    };
    heard.push(next);
}

pub fn token() -> Secret {
    Secret::new("TOKEN123".to_owned())
}

pub fn login<'a>(mechanism: Mechanism, user: &'a str, token: &'a Secret) -> Login<'a> {
    Login { mechanism, user, token, host: "pop.example.net", port: 995, initial_response: false }
}

pub fn refusal(text: &str) -> Refusal {
    Refusal { text: text.to_owned(), ..Refusal::default() }
}

/// As a server sends it: lines that begin with a dot get one more, and the end is told.
pub fn stuffed(message: &[u8]) -> Vec<u8> {
    let mut wire = Vec::new();
    let mut line_start = true;
    for byte in message {
        if line_start && *byte == b'.' {
            wire.push(b'.');
        }
        wire.push(*byte);
        line_start = *byte == b'\n';
    }
    wire.extend_from_slice(b".\r\n");
    wire
}
