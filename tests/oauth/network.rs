//! How providers are reached: a proxy from the configuration only, and never longer than the host wants to wait.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::Command;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use multipop::engine::call::{self, Clock};
use multipop::engine::grant::access;
use multipop::error::Status;
use multipop_host::mock::idp::{At, Fault, Rotation, What};
use serde_json::json;

use super::world::{ALICE, Listener, SESSION, World};

#[test]
fn the_environment_names_no_proxy() {
    // The environment is read by a process of its own, or tests beside this one would see it.
    let nowhere = "http://127.0.0.1:1";
    let done = Command::new(std::env::current_exe().unwrap())
        .args(["--exact", "consent::a_consent_connects_the_mailbox"])
        .envs(["HTTPS_PROXY", "https_proxy", "ALL_PROXY", "all_proxy"].map(|name| (name, nowhere)))
        .env("SSL_CERT_FILE", "/nonexistent")
        .output()
        .unwrap();
    let output = String::from_utf8_lossy(&done.stdout);
    assert!(done.status.success() && output.contains("1 passed"), "{output}");
}

#[test]
fn a_configured_proxy_is_used_and_its_no_is_no_answer() {
    let mut world = World::entra();
    let proxy = TcpListener::bind("127.0.0.1:0").unwrap();
    world.json["proxy"] = json!(format!("http://{}", proxy.local_addr().unwrap()));
    world.configure();
    let uri = world.sign_in(ALICE);
    let asked = std::thread::spawn(move || {
        let (mut stream, _) = proxy.accept().unwrap();
        let mut request = [0; 1024];
        let length = stream.read(&mut request).unwrap();
        stream.write_all(b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n").unwrap();
        String::from_utf8_lossy(&request[..length]).into_owned()
    });
    assert_eq!(world.bring(&uri, SESSION).cause(), "provider.unreachable");
    let asked = asked.join().unwrap();
    let line = format!("CONNECT {} HTTP/1.1", world.idp.address());
    assert!(asked.starts_with(&line), "{asked}");
    assert_eq!(world.idp.journal().count("authorization_code"), 0);
}

#[test]
fn i09_a_cancel_ends_a_callback_within_a_second() {
    let mut world = World::entra();
    world.json["timeouts"]["https_s"] = json!(30);
    world.configure();
    let uri = world.sign_in(ALICE);
    world.idp.change(|s| s.faults = vec![Fault::new(At::Code, What::Slow(Duration::from_secs(20))).times(1)]);
    let (brought, ended) = std::thread::scope(|scope| {
        let cancel = scope.spawn(|| {
            let waited = world.idp.journal().wait_for_count("authorization_code", 1, Duration::from_secs(10));
            assert!(waited);
            world.instance.cancel();
            Instant::now()
        });
        let brought = world.bring(&uri, SESSION);
        let ended = Instant::now();
        (brought, ended.duration_since(cancel.join().unwrap()))
    });
    assert_eq!(brought.result.unwrap_err().status, Status::Cancelled);
    assert!(ended < Duration::from_secs(1), "{ended:?}");
    // Consumed by that call: the next one runs.
    world.connect();
}

#[test]
fn i10_a_cancel_while_a_token_is_renewed_loses_no_grant_where_each_is_good_once() {
    let mut world = World::generic();
    world.json["timeouts"]["https_s"] = json!(30);
    world.configure();
    world.idp.change(|s| s.rotation = Rotation::Strict);
    world.connect();
    world.clock.pass(3300);
    // The old one is used up; the answer that brings the new one is on its way.
    let under_way = What::SlowAnswer(Duration::from_millis(250));
    world.idp.change(|s| s.faults = vec![Fault::new(At::Refresh, under_way).times(1)]);
    let cancel = Arc::new(AtomicBool::new(false));
    let row = world.row("a");
    let settings = world.settings();
    std::thread::scope(|scope| {
        scope.spawn(|| {
            assert!(world.idp.journal().wait_for_count("refresh_token", 1, Duration::from_secs(10)));
            cancel.store(true, Ordering::Release);
        });
        let clock: Arc<dyn Clock> = world.clock.clone();
        let limit = Duration::from_secs(60);
        let work = |call| async move { access(&call, &row).await };
        let _ = call::run(&mut Listener::default(), &settings, &clock, &cancel, limit, work);
    });
    world.clock.pass(3300);
    let row = world.row("a");
    world.call(|call| async move { access(&call, &row).await }).unwrap();
}
