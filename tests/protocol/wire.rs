//! The loop that reads and writes: windows that fill both directions, futures dropped at any point, early bytes.

use std::sync::Arc;
use std::time::Duration;

use multipop::error::Status;
use multipop::net::wire::Wire;
use multipop::pop3::{Command, Cut, Mechanism, Verb};
use tokio::io::{AsyncBufReadExt, AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt, BufReader};
use tokio::net::{TcpSocket, TcpStream};

use super::talk::{LIMITS, login, token};

pub const LIMIT: Duration = Duration::from_secs(20);

pub fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

/// A client's and a server's end whose kernel buffers hold next to nothing, so that a stalled side is felt at once.
pub async fn sockets() -> (TcpStream, TcpStream) {
    let narrow = || {
        let socket = TcpSocket::new_v4().expect("a socket");
        socket.set_recv_buffer_size(4096).expect("a size");
        socket.set_send_buffer_size(4096).expect("a size");
        socket
    };
    let listening = narrow();
    listening.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
    let listener = listening.listen(1).expect("listening");
    let address = listener.local_addr().expect("its number");
    let client = narrow().connect(address).await.expect("loopback");
    let (server, _) = listener.accept().await.expect("loopback");
    (client, server)
}

pub async fn pair() -> (Wire, TcpStream) {
    let (client, server) = sockets().await;
    (Wire::plain(Box::new(client), LIMITS), server)
}

/// The next event's name, whatever it takes.
pub async fn event(wire: &mut Wire) -> String {
    loop {
        if let Some(event) = wire.step().expect("in step") {
            return format!("{event:?}");
        }
        wire.fill(LIMIT).await.expect("connected");
    }
}

/// Reads a command only after it wrote the last answer whole: the order that dead-locks a client that writes before
/// it reads.
pub async fn serve_in_turns(server: impl AsyncRead + AsyncWrite, command: &str, times: usize) {
    let (read, mut write) = tokio::io::split(server);
    let mut read = BufReader::new(read);
    let answer = format!("-ERR {}\r\n", "x".repeat(100));
    let mut line = String::new();
    for _ in 0..times {
        line.clear();
        read.read_line(&mut line).await.expect("a command");
        assert_eq!(line, command);
        write.write_all(answer.as_bytes()).await.expect("an answer");
        write.flush().await.expect("an answer");
    }
}

/// Reads all commands in small bites, then answers.
pub async fn serve_slowly(server: impl AsyncRead + AsyncWrite, command: &str, times: usize) {
    let (mut read, mut write) = tokio::io::split(server);
    let mut all = Vec::new();
    let mut bite = [0; 777];
    while all.len() < command.len() * times {
        let count = read.read(&mut bite).await.expect("commands");
        all.extend_from_slice(&bite[..count]);
        tokio::task::yield_now().await;
    }
    assert!(all == command.repeat(times).as_bytes(), "lost or repeated");
    for _ in 0..times {
        write.write_all(b"-ERR no\r\n").await.expect("an answer");
        tokio::task::yield_now().await;
    }
    write.flush().await.expect("an answer");
}

/// Hears so many answers.
pub async fn hear(wire: &mut Wire, answers: usize) {
    for _ in 0..answers {
        event(wire).await;
    }
    assert_eq!(wire.session().outstanding(), 0);
}

/// Hears so many answers while `fill` is dropped again and again.
pub async fn hear_impatiently(wire: &mut Wire, answers: usize) {
    let mut heard = 0;
    let mut dropped = 0;
    loop {
        while wire.step().expect("in step").is_some() {
            heard += 1;
        }
        if heard == answers {
            break;
        }
        tokio::select! {
            biased;
            filled = wire.fill(LIMIT) => filled.expect("connected"),
            () = tokio::task::yield_now() => dropped += 1,
        }
    }
    assert!(dropped > 100, "{dropped}");
    assert_eq!(wire.session().outstanding(), 0);
}

#[test]
fn window_larger_than_all_buffers_does_not_stop_both_sides() {
    const TIMES: usize = 20_000;
    run(async {
        let (mut wire, mut server) = pair().await;
        server.write_all(b"+OK ready\r\n").await.expect("greeting");
        assert_eq!(event(&mut wire).await, "Greeting");
        let server = tokio::spawn(serve_in_turns(server, "CAPA\r\n", TIMES));
        for _ in 0..TIMES {
            wire.send(Command::Capa).expect("pipelined");
        }
        hear(&mut wire, TIMES).await;
        server.await.expect("served");
    });
}

#[test]
fn dropped_futures_lose_and_repeat_nothing() {
    const TIMES: usize = 20_000;
    run(async {
        let (mut wire, mut server) = pair().await;
        server.write_all(b"+OK ready\r\n").await.expect("greeting");
        assert_eq!(event(&mut wire).await, "Greeting");
        let server = tokio::spawn(serve_slowly(server, "CAPA\r\n", TIMES));
        for _ in 0..TIMES {
            wire.send(Command::Capa).expect("pipelined");
        }
        hear_impatiently(&mut wire, TIMES).await;
        server.await.expect("served");
    });
}

#[test]
fn i13_bytes_from_before_a_command_are_not_its_answer() {
    run(async {
        let (mut wire, mut server) = pair().await;
        server.write_all(b"+OK ready\r\n+OK forged\r\n").await.expect("greeting");
        assert_eq!(event(&mut wire).await, "Greeting");
        while !wire.buffered() {
            wire.fill(LIMIT).await.expect("connected");
        }
        let error = wire.send(Command::Quit).expect_err("out of step");
        assert_eq!((error.status, error.cause), (Status::Server, "protocol"));
        assert!(error.message.contains("QUIT"));
    });
}

#[test]
fn i08_no_credentials_on_a_wire_in_clear() {
    run(async {
        let (mut wire, mut server) = pair().await;
        server.write_all(b"+OK ready\r\n").await.expect("greeting");
        assert_eq!(event(&mut wire).await, "Greeting");
        let token = token();
        let asked = login(Mechanism::Xoauth2, "alice@contoso.example", &token);
        assert!(wire.send(Command::Login(asked)).is_err());
        assert!(wire.session().output().is_empty());
        wire.flush(LIMIT).await.expect("nothing to write");
        drop(wire);
        let mut heard = Vec::new();
        server.read_to_end(&mut heard).await.expect("closed");
        assert_eq!(heard, b"");
    });
}

#[test]
fn i08_bytes_in_clear_behind_the_answer_to_stls_end_it() {
    run(async {
        let (mut wire, mut server) = pair().await;
        server.write_all(b"+OK ready\r\n").await.expect("greeting");
        assert_eq!(event(&mut wire).await, "Greeting");
        wire.send(Command::Stls).expect("STLS");
        server.write_all(b"+OK begin\r\n+OK injected\r\n").await.expect("answer");
        let answer = event(&mut wire).await;
        assert!(answer.contains(&format!("{:?}", Verb::Stls)), "{answer}");
        while !wire.buffered() {
            wire.fill(LIMIT).await.expect("connected");
        }
        // Any configuration will do: the handshake must not begin.
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let config = rustls::ClientConfig::builder_with_provider(provider)
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_root_certificates(rustls::RootCertStore::empty())
            .with_no_client_auth();
        let error = wire.upgrade(&Arc::new(config), "pop.example.net", LIMITS).await.expect_err("injected");
        assert_eq!(error.cause, "protocol.stls");
    });
}

#[test]
fn broken_connections_tell_where_they_were() {
    run(async {
        let (mut wire, server) = pair().await;
        drop(server);
        assert_eq!(wire.session().closed(), Cut::Greeting);
        let error = wire.fill(LIMIT).await.expect_err("closed");
        assert_eq!(error.cause, "connection.no_greeting");

        let (mut wire, mut server) = pair().await;
        server.write_all(b"+OK ready\r\n").await.expect("greeting");
        assert_eq!(event(&mut wire).await, "Greeting");
        wire.send(Command::Capa).expect("CAPA");
        wire.flush(LIMIT).await.expect("written");
        server.read_exact(&mut [0; 6]).await.expect("CAPA");
        drop(server);
        let error = wire.fill(LIMIT).await.expect_err("closed");
        assert_eq!(error.cause, "connection.no_reply");
        assert!(error.message.contains("CAPA"));
    });
}

#[test]
fn silence_is_a_time_out() {
    run(async {
        let (mut wire, _server) = pair().await;
        let error = wire.fill(Duration::from_millis(20)).await.expect_err("silent");
        assert_eq!((error.status, error.cause), (Status::Transient, "timeout.reply"));
    });
}
