//! How peers are reached, mail servers and identity providers alike: from which address, by which family, through
//! which proxy; and who is told what when that fails.

mod house;
#[path = "network/names.rs"]
mod names;
#[path = "network/proxy.rs"]
mod proxy;

use std::time::{Duration, Instant};

use house::signed::{SESSION, Signed};
use house::{House, OWNER, Recorder, USER, cause};
use multipop::error::Status;
use multipop::service::check::CheckRequest;
use multipop_host::mock::idp::Settings;
use multipop_host::mock::pop3::{Script, Server, Transport};
use proxy::{Kind, Mood, Proxy, proxy};
use serde_json::{Value, json};

const LOGIN: &str = "multipop:a pass:word of the proxy";

fn url(kind: &str, proxy: &Proxy) -> Value {
    json!(format!("{kind}://{}", proxy.address))
}

/// Alice, whose provider is reached so.
fn signed(network: Value) -> Signed {
    let mut signed = Signed::new(Script::exchange(), Settings::generic());
    signed.house.config["providers"]["p"]["network"] = network;
    // OAUTHBEARER names the port, which a door beside the server has not.
    signed.house.config["providers"]["p"]["mechanism"] = json!("xoauth2");
    signed.house.configure().unwrap();
    signed
}

/// A house whose token comes from a file: POP alone, by the general network.
fn reached(network: Value) -> House {
    House::with(Script::exchange(), |config| {
        config["network"] = network;
        config["timeouts"]["connect_s"] = json!(1);
    })
}

/// What became of alice's account.
fn state(house: &House) -> Value {
    house.shown()["state"].clone()
}

/// What the doctor says of it.
fn check(house: &House) -> Value {
    let request = CheckRequest { actor: "*", account: Some("alice"), deadline_s: 60, dry_run: false };
    let found = house.instance.check(&mut Recorder::default(), &request).unwrap();
    serde_json::from_str::<Value>(&found).unwrap()["accounts"][0].clone()
}

fn with_password(signed: &mut Signed, kind: &str, proxy: &Proxy) {
    let file = signed.house.path("proxy-password");
    std::fs::write(&file, LOGIN.split_once(':').unwrap().1).unwrap();
    signed.house.config["providers"]["p"]["network"] =
        json!({ "proxy": url(kind, proxy), "proxy_user": "multipop", "proxy_password_file": file });
    signed.house.configure().unwrap();
}

fn move_to(house: &mut House, server: &str) {
    house.config["servers"] = json!([server]);
    house.config["accounts"]["alice"]["server"] = json!(server);
    house.configure().unwrap();
}

#[test]
fn mail_and_tokens_go_through_a_proxy_of_each_kind_and_nobody_sees_its_password() {
    for (kind, speaks) in
        [("socks5", Kind::Socks), ("socks5h", Kind::Socks), ("http", Kind::Connect), ("https", Kind::Connect)]
    {
        let mut signed = signed(json!({}));
        let mut builder = proxy(speaks).login(LOGIN);
        if kind == "https" {
            builder = builder.tls(&signed.house.pki.good);
        }
        let proxy = builder.start();
        with_password(&mut signed, kind, &proxy);
        signed.connect();
        signed.house.fill(3, 20_000, 1);
        let mut sink = Recorder::default();
        assert_eq!(signed.house.fetch_ok(&mut sink).messages_taken, 3, "{kind}");
        let (idp, pop) = (signed.idp.address().to_string(), signed.house.pop.address().to_string());
        assert_eq!(proxy.targets(), [idp, pop], "{kind}");
        assert!(proxy.seen().iter().all(|seen| seen.login == LOGIN), "{kind}: {:?}", proxy.seen());
        let told = format!("{:?} {:?} {}", sink.lines, sink.events, state(&signed.house));
        assert!(!told.contains("word of the proxy"), "{told}");
    }
}

#[test]
fn a_greeting_in_clear_that_comes_with_the_proxy_s_answer_is_not_lost() {
    let mut house = reached(json!({}));
    let pop = Server::builder(&house.tokens, Script::dovecot())
        .identity(&house.pki.good)
        .transport(Transport::Stls)
        .start()
        .unwrap();
    pop.mailboxes().add_user(USER);
    pop.mailboxes().fill(USER, 2, 900, 1);
    let proxy = proxy(Kind::Connect).start();
    house.config["network"] = json!({ "proxy": url("http", &proxy) });
    house.config["accounts"]["alice"]["security"] = json!("stls");
    move_to(&mut house, &pop.address().to_string());
    assert_eq!(house.fetch_ok(&mut Recorder::default()).messages_taken, 2);
    assert_eq!(proxy.targets(), [pop.address().to_string()]);
}

#[test]
fn a_name_is_resolved_by_the_proxy_or_here() {
    const NAME: &str = "pop.contoso.invalid";
    for (kind, speaks, expected) in [
        ("socks5h", Kind::Socks, "ok"),
        ("http", Kind::Connect, "ok"),
        // There is no such name for us.
        ("socks5", Kind::Socks, "dns.failed"),
    ] {
        let mut house = reached(json!({}));
        let server = format!("{NAME}:{}", house.pop.address().port());
        house.pop.show(&house.pki.for_names(&[NAME]).unwrap()).unwrap();
        let proxy = proxy(speaks).name(&server, house.pop.address()).start();
        house.config["network"] = json!({ "proxy": url(kind, &proxy) });
        move_to(&mut house, &server);
        let (status, _) = house.fetch(&mut Recorder::default());
        assert_eq!(cause(&status), expected, "{kind}: {:#}", state(&house));
        let asked = if expected == "ok" { vec![server.clone()] } else { vec![] };
        assert_eq!(proxy.targets(), asked, "{kind}");
        if expected == "ok" {
            let found = check(&house);
            assert_eq!(found["ok"], true, "{found:#}");
            let note = found["steps"][1]["note"].as_str().unwrap();
            assert!(note.starts_with(&format!("left to the proxy {kind}://")), "{note}");
        }
    }
}

#[test]
fn i14_what_an_owner_chose_is_judged_before_any_proxy_is_asked() {
    for (kind, speaks) in [("socks5h", Kind::Socks), ("http", Kind::Connect)] {
        let proxy = proxy(speaks).mood(Mood::Refuse(if speaks == Kind::Socks { 5 } else { 502 })).start();
        let house = House::with(Script::classic(&[]), |config| {
            config["accounts"] = json!({});
            config["servers"] = json!([]);
            config["owners"] = json!({ "classic_servers": true });
            config["network"] = json!({ "proxy": url(kind, &proxy) });
        });
        let collect = |server: &str| {
            let account = json!({ "use_oauth": false, "server": server, "user": USER, "password": "pass" });
            let text = account.to_string();
            house.instance.account_put(&mut Recorder::default(), OWNER, OWNER, "alice", &text).unwrap();
            let _ = house.fetch(&mut Recorder::default());
            state(&house)["cause"].clone()
        };
        for server in ["localhost:995", "127.0.0.1:995", "[::1]:995", "10.0.0.1:995"] {
            assert_eq!(collect(server), "config.server_private", "{kind} {server}");
        }
        assert_eq!(collect("localhost:995"), "config.server_private");
        let request = CheckRequest { actor: OWNER, account: Some("alice"), deadline_s: 60, dry_run: false };
        let found = house.instance.check(&mut Recorder::default(), &request).unwrap();
        assert!(found.contains("config.server_private"), "{found}");
        assert!(!found.contains("127.0.0.1") && !found.contains("::1"), "where it lies in here: {found}");
        assert_eq!(proxy.targets(), Vec::<String>::new(), "{kind}");
        // The address that was judged is the one asked for.
        assert_eq!(collect("192.88.98.1:995"), "connect.failed");
        assert_eq!(proxy.targets(), ["192.88.98.1:995"]);
    }
}

/// What a proxy may do wrong, and what it is called.
fn faults() -> Vec<(&'static str, Kind, Mood, Status, &'static str)> {
    vec![
        ("socks5", Kind::Socks, Mood::Refuse(1), Status::Transient, "proxy.refused"),
        ("socks5", Kind::Socks, Mood::Refuse(2), Status::Config, "proxy.refused"),
        ("http", Kind::Connect, Mood::Refuse(403), Status::Config, "proxy.refused"),
        ("http", Kind::Connect, Mood::Refuse(500), Status::Transient, "proxy.refused"),
        ("socks5", Kind::Socks, Mood::HangUp, Status::Transient, "proxy.unreachable"),
        ("http", Kind::Connect, Mood::HangUp, Status::Transient, "proxy.unreachable"),
        ("socks5", Kind::Socks, Mood::Silent, Status::Transient, "proxy.no_answer"),
        ("http", Kind::Connect, Mood::Silent, Status::Transient, "proxy.no_answer"),
        ("socks5", Kind::Socks, Mood::Babble, Status::Config, "proxy.protocol"),
        ("http", Kind::Connect, Mood::Babble, Status::Config, "proxy.protocol"),
        ("http", Kind::Connect, Mood::Refuse(407), Status::Config, "proxy.authentication"),
        // The proxy works; the server does not.
        ("socks5", Kind::Socks, Mood::Refuse(5), Status::Transient, "connect.failed"),
        ("http", Kind::Connect, Mood::Refuse(502), Status::Transient, "connect.failed"),
    ]
}

fn assert_told(what: &str, shown: &Value, status: Status, cause: &str) {
    let expected = (&json!(status.code()), &json!(cause));
    assert_eq!((&shown["status"], &shown["cause"]), expected, "{what} {shown:#}");
    if cause.starts_with("proxy.") {
        let for_user = shown["for_user"].as_str().unwrap_or_default();
        assert!(for_user.starts_with("Nothing "), "the user is not to blame: {shown:#}");
    }
}

#[test]
fn a_proxy_s_fault_is_told_as_such_and_costs_no_account_anything() {
    for (kind, speaks, mood, status, expected) in faults() {
        let proxy = proxy(speaks).mood(mood).start();
        let house = reached(json!({ "proxy": url(kind, &proxy) }));
        house.fill(1, 900, 1);
        let _ = house.fetch(&mut Recorder::default());
        assert_told(&format!("{kind} {mood:?}"), &state(&house), status, expected);
        assert!(house.pop.journal().lines().is_empty(), "{kind} {mood:?}");
    }
    let gone = proxy(Kind::Socks).start();
    let house = reached(json!({ "proxy": url("socks5", &gone) }));
    drop(gone);
    let _ = house.fetch(&mut Recorder::default());
    assert_told("", &state(&house), Status::Transient, "proxy.unreachable");
    // Where nobody ever logged in it is not time that mends it.
    let found = check(&house);
    assert_eq!((&found["first"], &found["steps"][2]["cause"]), (&json!("tcp"), &json!("proxy.unreachable")));
    assert_eq!(found["steps"][2]["who"], "operator", "{found:#}");
    let house = reached(json!({ "proxy": "socks5h://proxy.contoso.invalid:1080" }));
    let _ = house.fetch(&mut Recorder::default());
    assert_told("", &state(&house), Status::Transient, "proxy.unreachable");
}

#[test]
fn a_proxy_that_wants_a_password_is_the_operator_s_to_mend() {
    for (kind, speaks) in [("socks5", Kind::Socks), ("http", Kind::Connect)] {
        let proxy = proxy(speaks).login(LOGIN).start();
        let mut house = reached(json!({ "proxy": url(kind, &proxy) }));
        let _ = house.fetch(&mut Recorder::default());
        assert_told("", &state(&house), Status::Config, "proxy.authentication");
        std::fs::write(house.path("wrong"), "another").unwrap();
        let login = json!({ "proxy": url(kind, &proxy), "proxy_user": "multipop",
            "proxy_password_file": house.path("wrong") });
        house.config["network"] = login;
        house.configure().unwrap();
        let mut sink = Recorder::default();
        let _ = house.fetch(&mut sink);
        let shown = state(&house);
        assert_told("", &shown, Status::Config, "proxy.authentication");
        assert!(
            shown["message"].as_str().unwrap().contains("refused the user name or password"),
            "{shown:#}"
        );
        // The file is read again, and the same JSON then means something else.
        std::fs::write(house.path("wrong"), LOGIN.split_once(':').unwrap().1).unwrap();
        house.configure().unwrap();
        house.fetch_ok(&mut sink);
        assert_eq!(state(&house)["outcome"], "ok");
    }
}

#[test]
fn a_sign_in_through_a_broken_proxy_says_so_and_keeps_the_grant() {
    for (kind, speaks, mood, status, expected) in faults() {
        let signed = signed(json!({}));
        signed.connect();
        let proxy = proxy(speaks).mood(mood).start();
        let mut signed = signed;
        signed.house.config["providers"]["p"]["network"] = json!({ "proxy": url(kind, &proxy) });
        signed.house.config["timeouts"]["https_s"] = json!(1);
        signed.house.configure().unwrap();
        let mut host = Recorder::default();
        let uri = signed.idp.consent(&signed.begin(&mut host).unwrap(), USER).unwrap();
        let (result, _) = signed.bring(&mut host, &uri, SESSION);
        let error = result.unwrap_err();
        let expected = if expected == "connect.failed" { "provider.unreachable" } else { expected };
        assert_eq!((error.status, error.cause), (status, expected), "{kind} {mood:?}: {error:?}");
        // The former sign-in still works where the proxy is gone.
        signed.house.config["providers"]["p"]["network"] = json!({});
        signed.house.configure().unwrap();
        signed.house.fetch_ok(&mut host);
        assert_eq!(state(&signed.house)["outcome"], "ok", "{kind} {mood:?}");
    }
}

#[test]
fn i09_a_cancel_ends_the_wait_for_a_proxy_within_a_second() {
    let proxy = proxy(Kind::Socks).mood(Mood::Silent).start();
    let mut house = reached(json!({ "proxy": url("socks5", &proxy) }));
    house.config["timeouts"]["connect_s"] = json!(60);
    house.configure().unwrap();
    let ended = std::thread::scope(|scope| {
        let cancelled = scope.spawn(|| {
            while proxy.seen().is_empty() {
                std::thread::yield_now();
            }
            house.instance.cancel();
            Instant::now()
        });
        let _ = house.fetch(&mut Recorder::default());
        let ended = Instant::now();
        ended.duration_since(cancelled.join().unwrap())
    });
    assert!(ended < Duration::from_secs(1), "{ended:?}");
}

#[test]
fn connections_come_from_the_configured_address() {
    let mut signed = signed(json!({ "source": { "ipv4": "127.0.0.2" } }));
    let pop = proxy(Kind::Tap(signed.house.pop.address())).start();
    let idp = proxy(Kind::Tap(signed.idp.address())).start();
    let server = pop.address.to_string();
    let provider = &mut signed.house.config["providers"]["p"];
    provider["servers"] = json!([server]);
    provider["token_endpoint"] = json!(format!("https://{}/token", idp.address));
    signed.house.config["accounts"]["alice"]["server"] = json!(server);
    signed.house.configure().unwrap();
    signed.connect();
    signed.house.fetch_ok(&mut Recorder::default());
    for (what, tap) in [("mail", &pop), ("tokens", &idp)] {
        let from: Vec<String> = tap.seen().iter().map(|seen| seen.from.ip().to_string()).collect();
        assert_eq!(from, ["127.0.0.2"], "{what}");
    }
    // A proxy is reached from there, too.
    let through = proxy(Kind::Socks).start();
    signed.house.config["providers"]["p"]["network"]["proxy"] = url("socks5", &through);
    signed.house.configure().unwrap();
    signed.house.fetch_ok(&mut Recorder::default());
    assert_eq!(through.seen()[0].from.ip().to_string(), "127.0.0.2");
}

#[test]
fn what_the_network_names_is_proved_at_configure() {
    let mut house = reached(json!({}));
    let login = |kind: &str, file: std::path::PathBuf| json!({ "proxy": format!("{kind}://127.0.0.1:1"), "proxy_user": "multipop", "proxy_password_file": file });
    std::fs::write(house.path("long"), "x".repeat(256)).unwrap();
    for network in [login("http", house.path("nowhere")), login("socks5", house.path("long"))] {
        house.config["network"] = network;
        let error = house.configure().unwrap_err();
        assert!(error.message.starts_with("network.proxy_password_file:"), "{error}");
    }
    house.config["network"] = login("http", house.path("long"));
    house.configure().unwrap();
    // A proxy over TLS is trusted as peers are.
    house.config["network"] = json!({});
    house.config["proxy"] = json!("https://127.0.0.1:1");
    house.config["accounts"] = json!({});
    house.config.as_object_mut().unwrap().remove("ca_file");
    let error = house.configure().unwrap_err();
    assert_eq!((error.cause, error.message.starts_with("proxy:")), ("config.roots", true), "{error}");
}

#[test]
fn an_address_this_machine_has_not_is_the_operator_s_to_mend() {
    let house = reached(json!({ "source": { "ipv4": "192.0.2.77" } }));
    let _ = house.fetch(&mut Recorder::default());
    let shown = state(&house);
    assert_eq!(
        (&shown["cause"], &shown["status"]),
        (&json!("network.source"), &json!(Status::Config.code()))
    );
    assert!(shown["message"].as_str().unwrap().contains("192.0.2.77"), "{shown:#}");
}

/// Two doors to one server, on the same port of both families.
fn two_doors(house: &House) -> (Proxy, Proxy) {
    house.pop.show(&house.pki.for_names(&["localhost"]).unwrap()).unwrap();
    let v4 = proxy(Kind::Tap(house.pop.address())).start();
    let v6 = proxy(Kind::Tap(house.pop.address())).at(&format!("[::1]:{}", v4.address.port())).start();
    (v4, v6)
}

#[test]
fn a_family_is_preferred_and_no_other_is_taken_where_only_it_may_be() {
    for (prefer, expected) in
        [("ipv4", [1, 0]), ("ipv6", [0, 1]), ("ipv4_only", [1, 0]), ("ipv6_only", [0, 1])]
    {
        let mut house = reached(json!({ "prefer": prefer }));
        let (v4, v6) = two_doors(&house);
        let port = v4.address.port();
        move_to(&mut house, &format!("localhost:{port}"));
        house.fetch_ok(&mut Recorder::default());
        assert_eq!(state(&house)["outcome"], "ok", "{prefer}: {:#}", state(&house));
        assert_eq!([v4.seen().len(), v6.seen().len()], expected, "{prefer}");
        // Where the preferred door is shut, the other one is taken, unless it may not be.
        let open = if prefer.starts_with("ipv4") {
            drop(v4);
            v6
        } else {
            drop(v6);
            v4
        };
        let _ = house.fetch(&mut Recorder::default());
        let shown = state(&house);
        if prefer.ends_with("only") {
            assert_eq!((open.seen().len(), &shown["cause"]), (0, &json!("connect.failed")), "{prefer}");
        } else {
            assert_eq!((open.seen().len(), &shown["outcome"]), (1, &json!("ok")), "{prefer}: {shown:#}");
        }
    }
    let house = reached(json!({ "prefer": "ipv6_only" }));
    let _ = house.fetch(&mut Recorder::default());
    assert_eq!(state(&house)["cause"], "network.family");
}

#[test]
fn an_address_that_does_not_answer_is_not_waited_for() {
    let mut house = reached(json!({ "prefer": "ipv6" }));
    house.pop.show(&house.pki.for_names(&["localhost"]).unwrap()).unwrap();
    let v4 = proxy(Kind::Tap(house.pop.address())).start();
    let port = v4.address.port();
    let _mute = proxy::Mute::at(&format!("[::1]:{port}"));
    house.config["timeouts"]["connect_s"] = json!(20);
    move_to(&mut house, &format!("localhost:{port}"));
    let began = Instant::now();
    house.fetch_ok(&mut Recorder::default());
    assert_eq!(v4.seen().len(), 1);
    assert!(began.elapsed() < Duration::from_secs(10), "{:?}", began.elapsed());
}

#[test]
fn a_provider_s_own_network_stands_in_place_of_the_general_one() {
    let general = proxy(Kind::Socks).mood(Mood::HangUp).start();
    let mut signed = signed(json!({}));
    signed.house.config["network"] = json!({ "proxy": url("socks5", &general) });
    signed.house.configure().unwrap();
    signed.connect();
    signed.house.fetch_ok(&mut Recorder::default());
    assert_eq!((general.seen().len(), &state(&signed.house)["outcome"]), (0, &json!("ok")));
    // The older member is for HTTPS alone, and not for a provider with a network of its own.
    signed.house.config["network"] = json!({});
    signed.house.config["proxy"] = url("socks5", &general);
    signed.house.configure().unwrap();
    signed.connect();
    assert_eq!(general.seen().len(), 0);
    let https = proxy(Kind::Socks).start();
    signed.house.config["proxy"] = url("socks5", &https);
    signed.house.config["providers"]["p"].as_object_mut().unwrap().remove("network");
    signed.house.configure().unwrap();
    signed.connect();
    signed.house.fetch_ok(&mut Recorder::default());
    assert_eq!(https.targets(), [signed.idp.address().to_string()]);
}
