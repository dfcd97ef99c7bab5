//! What may answer where a token endpoint should: each ends in time, with a sentence of its own, and costs no grant.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use multipop::engine::grant::access;
use multipop::error::Status;
use multipop::store::GrantSlot;
use serde_json::json;

use super::world::World;

type Play = Box<dyn Fn(&mut dyn Write) -> std::io::Result<()> + Send + Sync>;

/// An endpoint that says these bytes over TLS, how often it was asked.
fn endpoint(world: &World, play: Play) -> (String, Arc<AtomicUsize>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("https://{}/token", listener.local_addr().unwrap());
    let config = world.pki.good.server().unwrap();
    let asked = Arc::new(AtomicUsize::new(0));
    let count = asked.clone();
    std::thread::spawn(move || {
        for stream in listener.incoming() {
            // Whatever breaks here is what the other side had enough of.
            let _ = serve(stream.unwrap(), &config, &play, &count);
        }
    });
    (url, asked)
}

fn serve(
    mut tcp: TcpStream,
    config: &Arc<rustls::ServerConfig>,
    play: &Play,
    count: &AtomicUsize,
) -> std::io::Result<()> {
    tcp.set_read_timeout(Some(Duration::from_secs(10)))?;
    let mut tls = rustls::ServerConnection::new(config.clone()).map_err(std::io::Error::other)?;
    let mut stream = rustls::Stream::new(&mut tls, &mut tcp);
    let mut request = Vec::new();
    let mut byte = [0; 4096];
    while !String::from_utf8_lossy(&request).contains("grant_type=refresh_token") {
        let length = stream.read(&mut byte)?;
        if length == 0 {
            return Ok(());
        }
        request.extend_from_slice(&byte[..length]);
    }
    count.fetch_add(1, Ordering::SeqCst);
    play(&mut stream)?;
    stream.flush()?;
    stream.conn.send_close_notify();
    stream.conn.complete_io(stream.sock).map(drop)
}

const TOKEN: &str =
    r#"{"access_token":"new-token","token_type":"Bearer","expires_in":3600,"scope":"openid"}"#;

fn says(bytes: impl Into<Vec<u8>>) -> Play {
    let bytes = bytes.into();
    Box::new(move |to| to.write_all(&bytes))
}

/// Once `head`, then `part` without end, so long apart.
fn endless(head: &str, part: &str, pause: Duration) -> Play {
    let (head, part) = (head.to_owned(), part.to_owned());
    Box::new(move |to| {
        to.write_all(head.as_bytes())?;
        loop {
            to.write_all(part.as_bytes())?;
            to.flush()?;
            if !pause.is_zero() {
                std::thread::sleep(pause);
            }
        }
    })
}

fn is_refreshed(play: Play) -> Result<String, (Status, &'static str)> {
    let mut world = World::generic();
    world.connect();
    world.clock.pass(3700);
    let before = world.grant(GrantSlot::Active).unwrap();
    let (url, asked) = endpoint(&world, play);
    world.provider()["token_endpoint"] = json!(url);
    world.configure();
    let row = world.row("a");
    let began = Instant::now();
    let got = world.call(|call| async move { access(&call, &row).await });
    // The house gives HTTPS two seconds.
    assert!(began.elapsed() < Duration::from_secs(4), "{:?}", began.elapsed());
    assert_eq!(asked.load(Ordering::SeqCst), 1, "asked once");
    let after = world.grant(GrantSlot::Active).unwrap();
    assert!(!after.grant.dead);
    if got.is_err() {
        assert_eq!(after.version, before.version);
    }
    got.map(|access| access.token.expose().to_owned()).map_err(|error| (error.status, error.cause))
}

#[test]
fn answers_in_any_form_http_allows_are_read() {
    let length = TOKEN.len();
    let (one, other) = TOKEN.split_at(20);
    let forms = [
        ("length", format!("HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{TOKEN}")),
        ("to the end", format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{TOKEN}")),
        ("1.0", format!("HTTP/1.0 200 OK\r\n\r\n{TOKEN}")),
        (
            "chunks with extensions and trailers",
            format!(
                "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n14;a=b\r\n{one}\r\n{:x}\r\n{other}\r\n0\r\nx: y\r\n\r\n",
                other.len()
            ),
        ),
        (
            "1xx before",
            format!(
                "HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nlink: </x>\r\n\r\nHTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{TOKEN}"
            ),
        ),
        (
            "more behind it",
            format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {length}\r\n\r\n{TOKEN}HTTP/1.1 400 Bad\r\ncontent-length: 25\r\n\r\n{{\"error\":\"invalid_grant\"}}"
            ),
        ),
    ];
    for (what, bytes) in forms {
        assert_eq!(is_refreshed(says(bytes)), Ok("new-token".to_owned()), "{what}");
    }
}

#[test]
fn i09_what_is_no_answer_ends_in_time_and_no_grant_with_it() {
    const NOW: Duration = Duration::ZERO;
    const SLOWLY: Duration = Duration::from_millis(100);
    let ok = "HTTP/1.1 200 OK\r\n";
    let unreachable = (Status::Transient, "provider.unreachable");
    let cases = [
        ("head without end", endless(ok, "x-flood: aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa\r\n", NOW), unreachable),
        ("one header line without end", endless(&format!("{ok}x: "), &"a".repeat(1024), NOW), unreachable),
        ("head by the byte", endless(ok, "x", SLOWLY), unreachable),
        ("body by the byte", endless(&format!("{ok}content-length: 5000\r\n\r\n"), " ", SLOWLY), unreachable),
        ("1xx without end", endless("", "HTTP/1.1 103 Early Hints\r\n\r\n", NOW), unreachable),
        (
            "body without end",
            endless(&format!("{ok}\r\n"), &" ".repeat(4096), NOW),
            (Status::Config, "provider.too_long"),
        ),
        (
            "chunks without end",
            endless(&format!("{ok}transfer-encoding: chunked\r\n\r\n"), "1\r\n \r\n", NOW),
            (Status::Config, "provider.too_long"),
        ),
        (
            "a chunk's extension without end",
            endless(&format!("{ok}transfer-encoding: chunked\r\n\r\n1;"), &"a".repeat(1024), NOW),
            unreachable,
        ),
        ("a length that is longer", says(format!("{ok}content-length: 999\r\n\r\n{TOKEN}")), unreachable),
        (
            "a length that is shorter",
            says(format!("{ok}content-length: 20\r\n\r\n{TOKEN}")),
            (Status::Config, "provider.not_json"),
        ),
        (
            "two lengths",
            says(format!("{ok}content-length: 20\r\ncontent-length: {}\r\n\r\n{TOKEN}", TOKEN.len())),
            unreachable,
        ),
        (
            "packed, though nobody asked for it",
            says([ok.as_bytes(), b"content-encoding: gzip\r\n\r\n\x1f\x8b\x08\0\0\0\0\0\0\x03"].concat()),
            (Status::Config, "provider.not_json"),
        ),
        ("another protocol", says("+OK POP3 ready\r\n"), unreachable),
        (
            "switching",
            says("HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\n\r\n"),
            (Status::Config, "provider.not_json"),
        ),
        (
            "a redirect with a token in it",
            says(format!(
                "HTTP/1.1 307 Go\r\nlocation: https://127.0.0.1:1/\r\ncontent-length: {}\r\n\r\n{TOKEN}",
                TOKEN.len()
            )),
            (Status::Config, "provider.redirect"),
        ),
        (
            "trouble that says the grant is over",
            says("HTTP/1.1 503 No\r\ncontent-length: 25\r\n\r\n{\"error\":\"invalid_grant\"}"),
            (Status::Transient, "provider.trouble"),
        ),
    ];
    for (what, play, expected) in cases {
        assert_eq!(is_refreshed(play), Err(expected), "{what}");
    }
}
