//! The LMTP sink against a server that plays back answers: what it sends, and what each answer means.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};
use std::os::unix::net::UnixListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use multipop_host::library::{Begun, Message, No, Sink, Yes};
use multipop_host::sink::lmtp::{Lmtp, Place};
use parking_lot::Mutex;

type Script = fn(&str) -> &'static str;
type Meaning = fn(&No) -> bool;

/// What came: each command a line, each message whole with its dots, and where a connection ended in the middle.
#[derive(Clone, Default)]
struct Seen(Arc<Mutex<Vec<String>>>);

impl Seen {
    fn lines(&self) -> Vec<String> {
        self.0.lock().clone()
    }

    fn count(&self, start: &str) -> usize {
        self.0.lock().iter().filter(|line| line.starts_with(start)).count()
    }

    fn wait_for(&self, line: &str) {
        let until = Instant::now() + Duration::from_secs(10);
        while self.count(line) == 0 {
            assert!(Instant::now() < until, "no {line}: {:?}", self.lines());
            std::thread::yield_now();
        }
    }
}

fn well(command: &str) -> &'static str {
    match command.split(' ').next().unwrap_or_default() {
        "LHLO" => "250-mail.example.com\r\n250-PIPELINING\r\n250-8BITMIME\r\n250 SIZE 100000000\r\n",
        "DATA" => "354 go\r\n",
        _ => "250 2.0.0 ok\r\n",
    }
}

/// Ends with the test's process.
fn server(script: Script) -> (Lmtp, Seen) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::parse(&listener.local_addr().unwrap().to_string()).unwrap();
    let seen = Seen::default();
    let seeing = seen.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            let (stream, seen) = (stream.unwrap(), seeing.clone());
            std::thread::spawn(move || serve(stream, script, &seen));
        }
    });
    (Lmtp::new(place), seen)
}

fn serve(stream: TcpStream, script: Script, seen: &Seen) {
    let (reading, writing) = (stream.try_clone().unwrap(), stream);
    talk(BufReader::new(reading), writing, script, seen);
}

fn talk(mut reading: impl BufRead, mut writing: impl Write, script: Script, seen: &Seen) {
    seen.0.lock().push("connected".into());
    let _ = writing.write_all(b"220 mail.example.com LMTP\r\n");
    let mut line = String::new();
    while reading.read_line(&mut line).is_ok_and(|size| size > 0) {
        let command = line.trim_end().to_owned();
        line.clear();
        seen.0.lock().push(command.clone());
        let mut answer = script(&command);
        let _ = writing.write_all(answer.as_bytes());
        if command == "QUIT" {
            return;
        }
        if command == "DATA" && answer.starts_with("354") {
            let mut message = Vec::new();
            loop {
                let before = message.len();
                match reading.read_until(b'\n', &mut message) {
                    Ok(size) if size > 0 => {}
                    _ => return seen.0.lock().push("broken".into()),
                }
                if &message[before..] == b".\r\n" {
                    break;
                }
            }
            seen.0.lock().push(String::from_utf8(message).unwrap());
            answer = script("message");
            let _ = writing.write_all(answer.as_bytes());
        }
    }
}

fn message(deliver_to: &str) -> Message<'_> {
    Message {
        account: "alice-contoso",
        owner: "alice@example.com",
        deliver_to,
        uidl: b"u1",
        size_hint: 42,
        server: "127.0.0.1:995",
        tls: "TLSv1.3",
        received: "Received: from a\r\n\tby b; now\r\n",
        dedupe_key: Some("k1"),
        may_repeat: false,
    }
}

fn put(sink: &mut Lmtp) -> Result<Yes, No> {
    put_to(sink, "alice@example.com")
}

fn put_to(sink: &mut Lmtp, deliver_to: &str) -> Result<Yes, No> {
    let mut open = match sink.begin(&message(deliver_to))? {
        Begun::Go(open) => open,
        Begun::Already(yes) => return Ok(yes),
    };
    sink.data(&mut open, b"Subject: x\r\n\r\n.dot\r")?;
    sink.data(&mut open, b"\n.\r\nend\r\n")?;
    sink.end(open)
}

#[test]
fn a_message_is_handed_over_with_its_key_on_one_kept_connection() {
    let (mut sink, seen) = server(well);
    assert_eq!(sink.offer(&message("alice@example.com")), Ok(None));
    for _ in 0..3 {
        assert_eq!(put(&mut sink), Ok(Yes::Taken));
        assert_eq!(sink.known_as(), "250 2.0.0 ok", "the server's own words, with its queue id");
    }
    assert!(!sink.flushes(), "every yes is durable at once");
    drop(sink);
    seen.wait_for("QUIT");
    let lines = seen.lines();
    assert_eq!((seen.count("connected"), seen.count("DATA")), (1, 3), "{lines:?}");
    assert!(lines.contains(&"MAIL FROM:<> SIZE=42 BODY=8BITMIME".to_owned()), "{lines:?}");
    assert!(lines.contains(&"RCPT TO:<alice@example.com>".to_owned()));
    let meant = "Received: from a\r\n\tby b; now\r\nX-Multipop-Key: k1\r\nSubject: x\r\n\r\n..dot\r\n..\r\nend\r\n.\r\n";
    assert!(lines.contains(&meant.to_owned()), "{lines:?}");
}

#[test]
fn a_message_that_does_not_end_is_never_delivered() {
    let (mut sink, seen) = server(well);
    let Ok(Begun::Go(mut open)) = sink.begin(&message("alice@example.com")) else { panic!("begin") };
    sink.data(&mut open, b"half").unwrap();
    sink.abort(open);
    seen.wait_for("broken");
    assert_eq!(seen.count("Received:"), 0);
    assert_eq!(put(&mut sink), Ok(Yes::Taken), "on a new connection");
}

#[test]
fn messages_of_several_accounts_interleave() {
    let (mut sink, seen) = server(well);
    let [first, second] = ["a@example.com", "b@example.com"].map(|to| match sink.begin(&message(to)) {
        Ok(Begun::Go(open)) => open,
        other => panic!("{:?}", other.err()),
    });
    let (mut first, mut second) = (first, second);
    sink.data(&mut first, b"one\r\n").unwrap();
    sink.data(&mut second, b"two\r\n").unwrap();
    assert_eq!(sink.end(second), Ok(Yes::Taken));
    assert_eq!(sink.end(first), Ok(Yes::Taken));
    assert_eq!(seen.count("connected"), 2);
}

#[test]
fn each_no_means_what_it_says() {
    fn over_quota_at_rcpt(command: &str) -> &'static str {
        if command.starts_with("RCPT") { "452 4.2.2 over quota\r\n" } else { well(command) }
    }
    fn over_quota_at_end(command: &str) -> &'static str {
        if command == "message" { "552 5.2.2 over quota\r\n" } else { well(command) }
    }
    fn unknown(command: &str) -> &'static str {
        if command.starts_with("RCPT") { "550 5.1.1 no such user\r\n" } else { well(command) }
    }
    fn virus(command: &str) -> &'static str {
        if command == "message" { "554 5.7.1 virus\r\n" } else { well(command) }
    }
    fn later(command: &str) -> &'static str {
        if command == "message" { "451 4.3.0 later\r\n" } else { well(command) }
    }
    fn too_big(command: &str) -> &'static str {
        if command.starts_with("MAIL") { "552 5.3.4 too big\r\n" } else { well(command) }
    }
    let full: Meaning = |no| matches!(no, No::Full(_));
    let recipient: Meaning = |no| matches!(no, No::Recipient(_));
    let refuse: Meaning = |no| matches!(no, No::Refuse(_));
    let defer: Meaning = |no| matches!(no, No::Defer(_));
    let cases: [(Script, Meaning); 6] = [
        (over_quota_at_rcpt, full),
        (over_quota_at_end, full),
        (unknown, recipient),
        (virus, refuse),
        (later, defer),
        (too_big, refuse),
    ];
    for (script, is_meant) in cases {
        let (mut sink, seen) = server(script);
        for _ in 0..2 {
            let no = put(&mut sink).expect_err("a no");
            assert!(is_meant(&no), "{no:?}");
        }
        assert_eq!(seen.count("connected"), 1, "a no keeps the connection: {:?}", seen.lines());
    }
}

#[test]
fn a_server_that_is_gone_stops_the_call_and_is_tried_again() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::parse(&listener.local_addr().unwrap().to_string()).unwrap();
    drop(listener);
    let mut sink = Lmtp::new(place);
    assert!(matches!(sink.offer(&message("alice@example.com")), Err(No::Stop(_))));
    assert!(matches!(put(&mut sink), Err(No::Stop(_))));

    fn closing(command: &str) -> &'static str {
        if command == "message" { "421 4.3.2 shutting down\r\n" } else { well(command) }
    }
    let (mut sink, seen) = server(closing);
    for _ in 0..2 {
        assert!(matches!(put(&mut sink), Err(No::Defer(_))));
    }
    assert_eq!(seen.count("connected"), 2);
}

#[test]
fn a_recipient_cannot_bring_a_command_along() {
    let (mut sink, seen) = server(well);
    for bad in ["a@example.com>\r\nRCPT TO:<b@example.com", "a b@example.com", "", "<a@example.com>"] {
        assert!(matches!(put_to(&mut sink, bad), Err(No::Recipient(_))), "{bad:?}");
        assert!(matches!(sink.offer(&message(bad)), Err(No::Recipient(_))), "{bad:?}");
    }
    assert_eq!(seen.count("RCPT"), 0);
}

#[test]
fn a_socket_in_the_file_system_will_do() {
    let folder = tempfile::tempdir().unwrap();
    let path = folder.path().join("lmtp");
    let listener = UnixListener::bind(&path).unwrap();
    let seen = Seen::default();
    let _ = std::thread::spawn({
        let seeing = seen.clone();
        move || {
            let (stream, _) = listener.accept().unwrap();
            talk(BufReader::new(stream.try_clone().unwrap()), stream, well, &seeing);
        }
    });
    let mut sink = Lmtp::new(Place::parse(&format!("unix:{}", path.display())).unwrap());
    assert_eq!(put(&mut sink), Ok(Yes::Taken));
    assert_eq!(seen.count("Received:"), 1);
    assert!(Place::parse("mail.example.com").is_err());
}

#[test]
fn a_kept_connection_that_the_server_gave_up_is_replaced() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let place = Place::parse(&listener.local_addr().unwrap().to_string()).unwrap();
    let (seen, given_up) = (Seen::default(), Arc::new(Mutex::new(Vec::new())));
    std::thread::spawn({
        let (seen, given_up) = (seen.clone(), given_up.clone());
        move || {
            for stream in listener.incoming() {
                let stream = stream.unwrap();
                given_up.lock().push(stream.try_clone().unwrap());
                let seen = seen.clone();
                std::thread::spawn(move || serve(stream, well, &seen));
            }
        }
    });
    let mut sink = Lmtp::new(place);
    assert_eq!(put(&mut sink), Ok(Yes::Taken));
    given_up.lock()[0].shutdown(std::net::Shutdown::Both).unwrap();
    assert_eq!(put(&mut sink), Ok(Yes::Taken));
    assert_eq!((seen.count("connected"), seen.count("Received:")), (2, 2));
}
