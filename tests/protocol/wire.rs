//! The loop that reads and writes: windows that fill both directions, futures dropped at any point, early bytes.

use std::sync::Arc;
use std::time::Duration;

use multipop::error::Status;
use multipop::net::wire::Wire;
use multipop::pop3::{Command, Cut, Event, Mechanism, Verb};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{TcpListener, TcpStream};

use super::talk::{LIMITS, login, token};

const LIMIT: Duration = Duration::from_secs(20);

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime").block_on(future)
}

async fn pair() -> (Wire, TcpStream) {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("its number");
    let client = TcpStream::connect(address).await.expect("loopback");
    let (server, _) = listener.accept().await.expect("loopback");
    (Wire::plain(client, LIMITS), server)
}

/// The next event's name, whatever it takes.
async fn event(wire: &mut Wire) -> String {
    loop {
        if let Some(event) = wire.step().expect("in step") {
            return format!("{event:?}");
        }
        wire.fill(LIMIT).await.expect("connected");
    }
}

#[test]
fn window_larger_than_all_buffers_does_not_stop_both_sides() {
    const COMMANDS: usize = 300_000;
    run(async {
        let (mut wire, server) = pair().await;
        // Reads a command only after it wrote the last answer whole: the order that dead-locks a client that
        // writes before it reads.
        let server = tokio::spawn(async move {
            let (read, mut write) = server.into_split();
            let mut read = BufReader::new(read);
            write.write_all(b"+OK ready\r\n").await.expect("greeting");
            let answer = format!("-ERR {}\r\n", "x".repeat(100));
            let mut command = String::new();
            for _ in 0..COMMANDS {
                command.clear();
                read.read_line(&mut command).await.expect("a command");
                assert_eq!(command, "CAPA\r\n");
                write.write_all(answer.as_bytes()).await.expect("an answer");
            }
        });
        assert_eq!(event(&mut wire).await, "Greeting");
        for _ in 0..COMMANDS {
            wire.send(Command::Capa).expect("pipelined");
        }
        let mut answers = 0;
        while answers < COMMANDS {
            while wire.step().expect("in step").is_some() {
                answers += 1;
            }
            if answers < COMMANDS {
                wire.fill(LIMIT).await.expect("connected");
            }
        }
        assert_eq!(wire.session().outstanding(), 0);
        server.await.expect("served");
    });
}

#[test]
fn dropped_futures_lose_and_repeat_nothing() {
    const COMMANDS: usize = 20_000;
    run(async {
        let (mut wire, server) = pair().await;
        let server = tokio::spawn(async move {
            let (mut read, mut write) = server.into_split();
            write.write_all(b"+OK ready\r\n").await.expect("greeting");
            let mut all = Vec::new();
            let mut piece = [0; 777];
            while all.len() < COMMANDS * 6 {
                let count = read.read(&mut piece).await.expect("commands");
                all.extend_from_slice(&piece[..count]);
                tokio::task::yield_now().await;
            }
            assert_eq!(all, b"CAPA\r\n".repeat(COMMANDS));
            for _ in 0..COMMANDS {
                write.write_all(b"+OK\r\nTOP\r\n.\r\n").await.expect("an answer");
            }
        });
        assert_eq!(event(&mut wire).await, "Greeting");
        for _ in 0..COMMANDS {
            wire.send(Command::Capa).expect("pipelined");
        }
        let mut answers = 0;
        let mut dropped = 0;
        while answers < COMMANDS {
            while let Some(event) = wire.step().expect("in step") {
                assert!(matches!(&event, Event::Capabilities(found) if found.top), "{event:?}");
                answers += 1;
            }
            if answers == COMMANDS {
                break;
            }
            tokio::select! {
                biased;
                filled = wire.fill(LIMIT) => filled.expect("connected"),
                () = tokio::task::yield_now() => dropped += 1,
            }
        }
        assert!(dropped > 100, "{dropped}");
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
