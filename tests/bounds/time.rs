//! Every step has its time-out, every call its deadline, and a cancel ends any of them within a second.

use std::net::{SocketAddr, TcpStream};
use std::sync::atomic::Ordering;
use std::time::{Duration, Instant};

use multipop::error::Result;
use multipop::model::{Answer, Report};
use multipop::service::fetch::FetchRequest;
use multipop_host::mock::idp;
use multipop_host::mock::pop3::{At, Drip, Fault, Script, Server, Transport, Verb, What};
use serde_json::json;
use tokio::net::{TcpListener, TcpSocket};

use super::house::signed::Signed;
use super::house::{House, Recorder, cause};

const LONG: Duration = Duration::from_secs(60);

/// A house whose steps may take a second each.
fn hasty(script: Script) -> House {
    House::with(script, |config| {
        config["timeouts"] = json!({ "connect_s": 1, "reply_s": 1, "login_s": 1, "https_s": 1 });
        config["accounts"]["alice"]["delete"] = json!("now");
    })
}

fn patient(script: Script) -> House {
    House::with(script, |config| {
        config["timeouts"] = json!({ "connect_s": 60, "reply_s": 60, "login_s": 60, "https_s": 60 });
    })
}

/// Its account goes to another server.
fn elsewhere(mut house: House, server: SocketAddr) -> House {
    house.config["servers"] = json!([server.to_string()]);
    house.config["accounts"]["alice"]["server"] = json!(server.to_string());
    house.configure().unwrap();
    house
}

fn fetch_for(house: &House, sink: &mut Recorder, deadline_s: u32) -> (Result<()>, Report, Duration) {
    let began = Instant::now();
    let what = FetchRequest { actor: "*", account: Some("alice"), deadline_s, now: true };
    let (status, report) = house.instance.fetch_once(sink, &what);
    (status, report.unwrap(), began.elapsed())
}

/// A listener whose queue is full, so that a further connection gets no answer at all.
struct Full {
    address: SocketAddr,
    _runtime: tokio::runtime::Runtime,
    _listener: TcpListener,
    _waiting: Vec<TcpStream>,
}

impl Full {
    fn new() -> Full {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_io().build().unwrap();
        let listener = runtime.block_on(async {
            let socket = TcpSocket::new_v4().unwrap();
            socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
            socket.listen(1).unwrap()
        });
        let address = listener.local_addr().unwrap();
        let connect = || TcpStream::connect_timeout(&address, Duration::from_millis(300)).ok();
        let waiting: Vec<TcpStream> = std::iter::from_fn(connect).take(64).collect();
        assert!(waiting.len() < 64, "the queue never fills");
        Full { address, _runtime: runtime, _listener: listener, _waiting: waiting }
    }
}

/// Takes connections and says nothing, not even a handshake.
fn silent(house: &House) -> Server {
    Server::builder(&house.tokens, Script::dovecot()).transport(Transport::Silent).start().unwrap()
}

#[test]
fn i09_connecting_and_the_handshake_have_their_time_outs() {
    let full = Full::new();
    let house = elsewhere(hasty(Script::dovecot()), full.address);
    let (status, _, took) = fetch_for(&house, &mut Recorder::default(), 60);
    assert_eq!(cause(&status), "connect.failed");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(4), "{took:?}");

    let house = hasty(Script::dovecot());
    let server = silent(&house);
    let house = elsewhere(house, server.address());
    let (status, _, took) = fetch_for(&house, &mut Recorder::default(), 60);
    assert_eq!(cause(&status), "timeout");
    assert!(took >= Duration::from_secs(1) && took < Duration::from_secs(4), "{took:?}");
}

#[test]
fn i09_every_reply_has_its_time_out() {
    let verbs = [
        Verb::Greeting,
        Verb::Capa,
        Verb::Auth,
        Verb::AuthData,
        Verb::Uidl,
        Verb::List,
        Verb::Retr,
        Verb::Dele,
        Verb::Quit,
    ];
    std::thread::scope(|scope| {
        for verb in verbs {
            scope.spawn(move || {
                let house = hasty(Script::dovecot());
                house.fill(1, 500, 1);
                house.pop.change(|s| s.faults.push(Fault::new(At::Verb(verb), What::Stall(LONG))));
                let mut sink = Recorder::default();
                let (status, _, took) = fetch_for(&house, &mut sink, 60);
                assert!(took < Duration::from_secs(8), "{verb:?}: {took:?}");
                match &status {
                    // What is durable is not undone by a server that does not say goodbye.
                    Ok(()) => assert!(matches!(verb, Verb::Dele | Verb::Quit), "{verb:?}"),
                    Err(error) => {
                        assert_eq!(error.cause, "timeout.reply", "{verb:?}");
                        assert!(!error.advice.is_empty());
                    }
                }
                let after = matches!(verb, Verb::Dele | Verb::Quit);
                assert_eq!(sink.delivered.len(), usize::from(after), "{verb:?}");
                house.pop.change(|script| script.faults.clear());
                house.fetch_ok(&mut sink);
                assert_eq!(sink.delivered.len(), 1, "{verb:?}: once, and not lost");
                assert!(
                    house.pop.mailboxes().uidls(super::house::USER).is_empty(),
                    "{verb:?}: deleted at last"
                );
            });
        }
    });
}

#[test]
fn i09_a_provider_that_says_nothing_has_its_time_out() {
    for what in [idp::What::Slow(LONG), idp::What::StallInBody(LONG)] {
        let mut signed = Signed::new(Script::dovecot(), idp::Settings::generic());
        signed.connect();
        signed.house.config["timeouts"]["https_s"] = json!(1);
        signed.house.configure().unwrap();
        signed.house.fill(1, 500, 1);
        signed.house.clock.advance(3700);
        signed.idp.change(|s| s.rotation = idp::Rotation::KeepsOld);
        signed.idp.change(|s| s.faults = vec![idp::Fault::new(idp::At::Refresh, what.clone())]);
        let (status, _, took) = fetch_for(&signed.house, &mut Recorder::default(), 60);
        assert_eq!(cause(&status), "provider.unreachable", "{what:?}");
        assert!(took < Duration::from_secs(4), "{what:?}: {took:?}");
        signed.idp.change(|s| s.faults.clear());
        assert_eq!(signed.house.fetch_ok(&mut Recorder::default()).messages_taken, 1);
    }
}

#[test]
fn i09_slow_is_not_silent() {
    let house = hasty(Script::dovecot());
    house.fill(1, 1200, 1);
    // The message alone takes three times what a reply may.
    house.pop.change(|s| s.drip = Some(Drip { octets: 100, pause: Duration::from_millis(300) }));
    let mut sink = Recorder::default();
    let (status, report, took) = fetch_for(&house, &mut sink, 60);
    assert_eq!((cause(&status), report.messages_taken), ("ok", 1));
    assert!(took > Duration::from_secs(3), "{took:?}");
}

#[test]
fn i09_a_message_without_end_ends_with_the_deadline() {
    let house = hasty(Script::dovecot());
    let uidls = house.fill(4, 800, 1);
    let endless = What::Endless { prefix: b"+OK\r\nA: b\r\n\r\n".to_vec(), unit: vec![b'x'; 40] };
    house.pop.change(|script| {
        script.drip = Some(Drip { octets: 4000, pause: Duration::from_millis(100) });
        script.faults.push(Fault::new(At::Message(Verb::Retr, uidls[2].clone().into()), endless));
    });
    let mut sink = Recorder::batching();
    let (status, report, took) = fetch_for(&house, &mut sink, 2);
    assert_eq!((cause(&status), report.more, report.messages_taken), ("ok", true, 2));
    assert!(took < Duration::from_secs(7), "{took:?}");
    assert_eq!(sink.aborted, 1);
    // The deadline says nothing against the message: it is not counted as its fault.
    house.pop.change(|script| {
        script.faults.clear();
        script.drip = None;
    });
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 2);
    assert_eq!(sink.delivered.len(), 4);
}

#[test]
fn i09_at_the_deadline_everything_taken_is_flushed_recorded_and_said_goodbye() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["delete"] = json!("now");
    });
    house.fill(150, 20_000, 1);
    let mut sink = Recorder::batching();
    sink.on_end = Some(Box::new(|_| {
        std::thread::sleep(Duration::from_millis(40));
        Answer::Queued
    }));
    let (status, report, took) = fetch_for(&house, &mut sink, 2);
    assert_eq!((cause(&status), report.more, report.stopped), ("ok", true, false));
    assert!(took >= Duration::from_secs(2) && took < Duration::from_secs(7), "{took:?}");
    let taken = sink.delivered.len();
    assert!((10..150).contains(&taken), "{taken}");
    assert_eq!(report.messages_taken as usize, taken, "all that was queued is recorded");
    assert_eq!(report.messages_deleted as usize, taken);
    assert!(sink.flushes > 0);
    assert_eq!(house.pop.journal().count(Verb::Quit), 1);
    assert!(house.pop.journal().wait_closed(Duration::from_secs(5)));
    assert_eq!(house.pop.mailboxes().uidls(super::house::USER).len(), 150 - taken);
    sink.on_end = None;
    assert_eq!(house.fetch_ok(&mut sink).messages_taken as usize, 150 - taken);
    assert_eq!(sink.delivered.len(), 150, "nothing twice");
}

/// A server that closes silent sessions, a host that takes longer.
#[test]
fn i09_a_sink_that_takes_long_keeps_its_session() {
    let script = Script { idle: Duration::from_secs(16), ..Script::exchange() };
    let house = House::with(script, |config| {
        config["timeouts"] = json!({ "connect_s": 5, "reply_s": 5, "login_s": 5 });
    });
    house.fill(3, 900, 1);
    let mut sink = Recorder::default();
    let mut first = true;
    sink.on_end = Some(Box::new(move |_| {
        if std::mem::take(&mut first) {
            std::thread::sleep(Duration::from_millis(17_500));
        }
        Answer::Taken
    }));
    let (status, report, _) = fetch_for(&house, &mut sink, 60);
    assert_eq!((cause(&status), report.messages_taken), ("ok", 3));
    let journal = house.pop.journal();
    assert_eq!((journal.connections(), journal.count(Verb::Noop)), (1, 1));
}

#[test]
fn i09_a_cancel_ends_any_step_within_a_second() {
    let full = Full::new();
    let mut houses = vec![("connect", elsewhere(patient(Script::dovecot()), full.address))];
    let house = patient(Script::dovecot());
    let server = silent(&house);
    houses.push(("handshake", elsewhere(house, server.address())));
    for verb in [Verb::Greeting, Verb::Capa, Verb::AuthData, Verb::Retr, Verb::Quit] {
        let house = patient(Script::dovecot());
        house.fill(1, 500, 1);
        house.pop.change(|script| script.faults.push(Fault::new(At::Verb(verb), What::Stall(LONG))));
        houses.push((["greeting", "capa", "login", "message", "quit"][houses.len() - 2], house));
    }
    std::thread::scope(|scope| {
        for (step, house) in &houses {
            scope.spawn(move || {
                let cancel = house.instance.cancel_flag();
                let canceller = std::thread::spawn(move || {
                    std::thread::sleep(Duration::from_millis(700));
                    cancel.store(true, Ordering::Release);
                    Instant::now()
                });
                let (status, ..) = fetch_for(house, &mut Recorder::default(), 60);
                let ended = Instant::now();
                let took = ended.saturating_duration_since(canceller.join().unwrap());
                assert_eq!(cause(&status), "cancelled", "{step}");
                assert!(took < Duration::from_secs(1), "{step}: {took:?}");
            });
        }
    });
}
