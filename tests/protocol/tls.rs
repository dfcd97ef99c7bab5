//! The wire under TLS: the same promises, and what STLS leaves behind.

use std::sync::Arc;

use multipop::error::Status;
use multipop::net::{tls, wire::Wire};
use multipop::pop3::{Command, Mechanism, Verb};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::{ClientConfig, ServerConfig};
use rustls_pki_types::PrivateKeyDer;
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;

use super::talk::{LIMITS, login, token};
use super::wire::{LIMIT, event, hear, hear_impatiently, pair, run, serve_in_turns, serve_slowly, sockets};

const HOST: &str = "pop.example.net";

/// A server's and a client's side of an authority made for one test.
fn authority() -> (TlsAcceptor, Arc<ClientConfig>) {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let key = KeyPair::generate().expect("a key");
    let issuer = CertifiedIssuer::self_signed(params, key).expect("an authority");
    let key = KeyPair::generate().expect("a key");
    let leaf = CertificateParams::new(vec![HOST.to_owned()])
        .expect("parameters")
        .signed_by(&key, &issuer)
        .expect("a certificate");
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .expect("versions")
        .with_no_client_auth()
        .with_single_cert(vec![leaf.der().clone()], PrivateKeyDer::Pkcs8(key.serialize_der().into()))
        .expect("key and certificate fit");
    let client = tls::client([issuer.der().clone()]).expect("one root");
    (TlsAcceptor::from(Arc::new(server)), client)
}

async fn secured() -> (Wire, tokio_rustls::server::TlsStream<TcpStream>) {
    let (acceptor, config) = authority();
    let (client, server) = sockets().await;
    let (client, server) =
        tokio::join!(tls::secure(&config, HOST, Box::new(client)), acceptor.accept(server));
    let mut wire = Wire::secured(client.expect("handshake"), LIMITS);
    let mut server = server.expect("handshake");
    server.write_all(b"+OK ready\r\n").await.expect("greeting");
    server.flush().await.expect("greeting");
    assert_eq!(event(&mut wire).await, "Greeting");
    (wire, server)
}

#[test]
fn window_larger_than_all_buffers_does_not_stop_both_sides_under_tls() {
    const TIMES: usize = 40_000;
    run(async {
        let (mut wire, server) = secured().await;
        let server = tokio::spawn(serve_in_turns(server, "NOOP\r\n", TIMES));
        for _ in 0..TIMES {
            wire.send(Command::Noop).expect("pipelined");
        }
        hear(&mut wire, TIMES).await;
        server.await.expect("served");
    });
}

#[test]
fn dropped_futures_lose_and_repeat_nothing_under_tls() {
    const TIMES: usize = 20_000;
    run(async {
        let (mut wire, server) = secured().await;
        let server = tokio::spawn(serve_slowly(server, "NOOP\r\n", TIMES));
        for _ in 0..TIMES {
            wire.send(Command::Noop).expect("pipelined");
        }
        hear_impatiently(&mut wire, TIMES).await;
        server.await.expect("served");
    });
}

#[test]
fn stls_begins_a_session_that_knows_nothing_of_before() {
    run(async {
        let (mut wire, mut server) = pair().await;
        let (acceptor, config) = authority();
        let server = tokio::spawn(async move {
            server.write_all(b"+OK ready\r\n").await.expect("greeting");
            let mut line = [0; 6];
            server.read_exact(&mut line).await.expect("STLS");
            assert_eq!(&line, b"STLS\r\n");
            server.write_all(b"+OK begin\r\n").await.expect("answer");
            let mut server = BufReader::new(acceptor.accept(server).await.expect("handshake"));
            // No second greeting (RFC 2595 §4).
            let mut line = String::new();
            server.read_line(&mut line).await.expect("AUTH");
            assert_eq!(line, "AUTH XOAUTH2\r\n");
            server.write_all(b"+ \r\n").await.expect("challenge");
            server.flush().await.expect("challenge");
            line.clear();
            server.read_line(&mut line).await.expect("credentials");
            server.write_all(b"+OK\r\n").await.expect("answer");
            server.flush().await.expect("answer");
            line
        });
        assert_eq!(event(&mut wire).await, "Greeting");
        assert_eq!(wire.tls_version(), "none");
        wire.send(Command::Stls).expect("STLS");
        assert!(event(&mut wire).await.contains(&format!("{:?}", Verb::Stls)));
        wire.upgrade(&config, HOST, LIMITS).await.expect("handshake");
        assert_eq!(wire.tls_version(), "TLSv1.3");
        let token = token();
        let asked = login(Mechanism::Xoauth2, "alice@contoso.example", &token);
        wire.send(Command::Login(asked)).expect("secured");
        assert!(event(&mut wire).await.contains(&format!("{:?}", Verb::Login)));
        assert!(wire.session().output().is_empty());
        assert!(server.await.expect("served").starts_with("dXNlcj1hbGlj"));
    });
}

#[test]
fn i08_certificate_for_another_host_ends_it_before_any_credential() {
    run(async {
        let (mut wire, mut server) = pair().await;
        let (acceptor, config) = authority();
        let server = tokio::spawn(async move {
            server.write_all(b"+OK ready\r\n").await.expect("greeting");
            server.read_exact(&mut [0; 6]).await.expect("STLS");
            server.write_all(b"+OK begin\r\n").await.expect("answer");
            acceptor.accept(server).await.is_err()
        });
        assert_eq!(event(&mut wire).await, "Greeting");
        wire.send(Command::Stls).expect("STLS");
        event(&mut wire).await;
        let error = wire.upgrade(&config, "pop.other.example", LIMITS).await.expect_err("another host");
        assert_eq!((error.status, error.cause), (Status::Server, "tls.wrong_name"));
        let token = token();
        let asked = login(Mechanism::Xoauth2, "alice@contoso.example", &token);
        assert!(wire.send(Command::Login(asked)).is_err());
        assert!(wire.flush(LIMIT).await.is_ok() && wire.session().output().is_empty());
        assert!(server.await.expect("served"), "the handshake was broken off");
    });
}
