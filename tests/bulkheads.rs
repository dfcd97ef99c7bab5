//! One bad message, account or server costs only itself (I15).

mod house;

use std::collections::{BTreeMap, BTreeSet};
use std::net::TcpListener;
use std::time::Duration;

use house::{DAY, House, OWNER, Recorder, TOKEN, USER, cause, planted};
use multipop::error::Result;
use multipop::model::{EventKind, Report};
use multipop_host::mock::pop3::{At, Fault, Script, Server, Verb, What};
use serde_json::{Value, json};

/// Whatever is due, as a host's loop asks for it.
fn pass(house: &House, sink: &mut Recorder) -> (Result<()>, Report) {
    house::fetch(&house.instance, sink, None, true)
}

fn account(house: &House, server: &str, user: &str, token: &str) -> Value {
    let token_file = house.path(&format!("token-of-{token}"));
    std::fs::write(&token_file, token).unwrap();
    json!({
        "owner": OWNER, "server": server, "user": user, "token_file": token_file, "deliver_to": user,
    })
}

/// Accounts `a00`, `a01`, … at the mock server, with three messages each.
fn healthy(house: &mut House, count: usize) -> Vec<String> {
    let server = house.pop.address().to_string();
    (0..count)
        .map(|number| {
            let (id, user) = (format!("a{number:02}"), format!("user{number:02}@contoso.example"));
            let token = format!("token-{number:02}");
            house.tokens.accept(&token, &user);
            house.pop.mailboxes().fill(&user, 3, 900, number as u64);
            house.config["accounts"][&id] = account(house, &server, &user, &token);
            id
        })
        .collect()
}

fn delivered_by(sink: &Recorder) -> BTreeMap<&str, usize> {
    let mut by = BTreeMap::new();
    for one in &sink.delivered {
        *by.entry(one.account.as_str()).or_default() += 1;
    }
    by
}

/// A message comes twice only where it may, and then under the same key.
fn distinct(sink: &Recorder, account: &str) -> BTreeSet<Vec<u8>> {
    let mut seen = BTreeMap::new();
    for one in sink.delivered.iter().filter(|one| one.account == account) {
        if let Some(key) = seen.insert(one.uidl.clone(), one.key.clone()) {
            assert!(one.may_repeat && key == one.key);
        }
    }
    seen.into_keys().collect()
}

#[test]
fn i15_a_message_at_which_we_panic_costs_only_itself() {
    planted::install();
    let mut house = House::new(Script::dovecot());
    let uidls = house.fill(12, 3000, 1);
    let others = healthy(&mut house, 4);
    house.config["accounts"]["shaky"] = house.config["accounts"]["alice"].clone();
    house.config["accounts"].as_object_mut().unwrap().remove("alice");
    house.configure().unwrap();
    planted::plant("event=message_begin account=shaky number=6");

    let mut sink = Recorder::batching();
    let (status, report) = pass(&house, &mut sink);
    assert_eq!(cause(&status), "ok", "the call goes on");
    assert_eq!((report.accounts_tried, report.accounts_ok, report.failed_bug), (5, 4, 1));
    assert!(others.iter().all(|id| delivered_by(&sink)[id.as_str()] == 3));
    assert!(sink.lines.iter().any(|line| line.starts_with("event=panic ")), "the panic is in the log");
    let told = |kind, sink: &Recorder| {
        let his = sink.events.iter().filter(|event| event.kind == kind && event.account == "shaky");
        his.cloned().collect::<Vec<_>>()
    };
    assert_eq!(told(EventKind::AccountBegin, &sink).len(), told(EventKind::AccountEnd, &sink).len());
    let needed = told(EventKind::OperatorNeeded, &sink);
    assert_eq!((needed.len(), needed[0].status, needed[0].owner.as_str()), (1, -50, OWNER));
    assert!(!needed[0].advice.is_empty());

    // The one in hand is told apart from those around it, then counted, then set aside.
    let mut passes = 1;
    while told(EventKind::SetAside, &sink).is_empty() {
        assert_eq!(cause(&pass(&house, &mut sink).0), "ok");
        passes += 1;
        assert!(passes < 7, "never set aside: {:?}", house.shown_account("shaky"));
    }
    let asked = house.pop.journal().retrieved(&uidls[5]);
    assert!((3..=4).contains(&asked), "asked for {asked} times");
    let aside = told(EventKind::SetAside, &sink).remove(0);
    assert!(aside.message.contains(std::str::from_utf8(&uidls[5]).unwrap()), "{}", aside.message);
    assert_eq!(told(EventKind::OperatorNeeded, &sink).len(), 1, "once, not every pass");
    assert!(!sink.botched, "the instance lives");

    let well: BTreeSet<Vec<u8>> =
        uidls.iter().enumerate().filter(|(place, _)| *place != 5).map(|(_, uidl)| uidl.clone()).collect();
    assert_eq!(distinct(&sink, "shaky"), well, "all the others arrived");
    assert_eq!(cause(&pass(&house, &mut sink).0), "ok");
    assert_eq!(house.pop.journal().retrieved(&uidls[5]), asked, "not again today");
    assert_eq!(house.shown_account("shaky")["state"]["outcome"], "ok");

    // Mended, it arrives; it was never deleted.
    planted::clear("event=message_begin account=shaky number=6");
    house.clock.advance(DAY + 1);
    assert_eq!(pass(&house, &mut sink).1.messages_taken, 1);
    assert_eq!(distinct(&sink, "shaky").len(), 12);
}

#[test]
fn i15_an_account_at_which_we_always_panic_is_set_aside_and_the_others_go_on() {
    planted::install();
    let mut house = House::new(Script::dovecot());
    house.fill(2, 900, 1);
    house.config["accounts"]["cursed"] = house.config["accounts"]["alice"].clone();
    house.config["accounts"].as_object_mut().unwrap().remove("alice");
    let others = healthy(&mut house, 3);
    house.configure().unwrap();
    planted::plant("event=planned account=cursed");
    let mut sink = Recorder::batching();
    for _ in 0..6 {
        let (status, report) = pass(&house, &mut sink);
        assert_eq!((cause(&status), report.accounts_ok), ("ok", 3));
        for id in &others {
            let user = format!("user{}@contoso.example", &id[1..]);
            house.pop.mailboxes().fill(&user, 1, 500, 77);
        }
    }
    let logins = house.pop.journal().count_by(USER, Verb::Uidl);
    assert_eq!(logins, 3, "a fourth attempt is not made today");
    assert_eq!(house.shown_account("cursed")["state"]["cause"], "account.set_aside");
    assert!(others.iter().all(|id| delivered_by(&sink)[id.as_str()] == 3 + 5));
    assert!(!sink.botched);
    planted::clear("event=planned account=cursed");
    house.clock.advance(DAY + 1);
    assert_eq!(pass(&house, &mut sink).1.accounts_ok, 4);
    assert_eq!(distinct(&sink, "cursed").len(), 2);
}

/// A server that says something that is no greeting, behind good TLS.
fn babbling(house: &House) -> Server {
    let script = Script { greeting: "HTTP/1.1 400 Bad Request".to_owned(), ..Script::dovecot() };
    Server::start(&house.pki, &house.tokens, script).unwrap()
}

#[test]
fn i15_of_twenty_accounts_a_third_may_fail_and_the_others_arrive() {
    planted::install();
    let mut house = House::with(Script::dovecot(), |config| {
        config["timeouts"] = json!({ "connect_s": 2, "reply_s": 2, "login_s": 2 });
    });
    let well = healthy(&mut house, 13);
    let stranger =
        Server::builder(&house.tokens, Script::dovecot()).identity(&house.pki.other_ca).start().unwrap();
    let babbler = babbling(&house);
    let dead = {
        // Bound and given back at once: nobody listens there.
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        listener.local_addr().unwrap().to_string()
    };
    let server = house.pop.address().to_string();
    let (stranger, babbler) = (stranger_address(stranger), stranger_address(babbler));
    let bad = [
        ("refused1", account(&house, &server, USER, "no-such-token")),
        ("refused2", account(&house, &server, "bob@contoso.example", TOKEN)),
        ("stranger", account(&house, &stranger.0, USER, TOKEN)),
        ("babbler", account(&house, &babbler.0, USER, TOKEN)),
        ("dead", account(&house, &dead, USER, TOKEN)),
        ("tokenless", {
            let mut account = account(&house, &server, USER, "gone");
            account["token_file"] = json!(house.path("no-such-file"));
            account
        }),
        ("unsigned", {
            json!({
                "owner": OWNER, "server": server, "user": USER, "provider": "p", "deliver_to": "alice",
            })
        }),
    ];
    house.config["servers"] = json!([server, stranger.0, babbler.0, dead]);
    std::fs::write(house.path("secret"), "a-client-secret").unwrap();
    house.config["providers"] = json!({ "p": {
        "profile": "generic", "issuer": "https://id.example.com",
        "authorize_endpoint": "https://id.example.com/authorize", "token_endpoint": "https://id.example.com/token",
        "client_id": "client", "client_secret_files": [house.path("secret")],
        "redirect_uri": "https://mail.example.com/back", "scopes": ["openid", "mail"], "servers": [server],
        "ca_file": house.path("ca.pem"),
    } });
    let accounts = house.config["accounts"].as_object_mut().unwrap();
    accounts.remove("alice");
    for (id, account) in bad {
        accounts.insert(id.to_owned(), account);
    }
    house.configure().unwrap();

    let mut sink = Recorder::batching();
    for round in 0..3 {
        let (status, report) = pass(&house, &mut sink);
        assert_eq!(cause(&status), "ok");
        let counts = (
            (report.accounts_tried, report.accounts_ok, report.accounts_busy),
            (report.failed_host, report.failed_operator, report.failed_user, report.failed_time),
            (report.failed_sink, report.failed_bug),
        );
        assert_eq!(counts, ((20, 13, 0), (0, 5, 1, 1), (0, 0)), "round {round}: {:#?}", states(&house));
        assert_eq!(report.messages_taken, if round == 0 { 39 } else { 0 });
    }
    assert!(well.iter().all(|id| delivered_by(&sink)[id.as_str()] == 3));
    let needed = |kind| {
        let ids: Vec<&str> = sink
            .events
            .iter()
            .filter(|event| event.kind == kind)
            .map(|event| event.account.as_str())
            .collect();
        let once: BTreeSet<&str> = ids.iter().copied().collect();
        assert_eq!(once.len(), ids.len(), "once each, not every pass: {ids:?}");
        once.into_iter().map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(needed(EventKind::ConsentNeeded), ["unsigned"]);
    assert_eq!(
        needed(EventKind::OperatorNeeded),
        ["babbler", "refused1", "refused2", "stranger", "tokenless"]
    );
    for event in sink.events.iter().filter(|event| event.kind == EventKind::AccountEnd && event.status != 0) {
        assert!(!event.cause.is_empty() && !event.message.is_empty(), "{event:?}");
        assert!(!event.advice.is_empty(), "{event:?}");
    }
}

/// The address, and the server that must outlive the test.
fn stranger_address(server: Server) -> (String, Server) {
    (server.address().to_string(), server)
}

fn states(house: &House) -> Vec<(String, String)> {
    let ids = house.config["accounts"].as_object().unwrap().keys();
    let shown = ids.map(|id| (id.clone(), house.shown_account(id)["state"]["message"].to_string()));
    shown.filter(|(_, message)| message != "\"\"").collect()
}

#[test]
fn i15_a_slow_server_stops_nobody_else() {
    planted::install();
    let mut house = House::with(Script::dovecot(), |config| {
        config["limits"] = json!({ "sessions": 2 });
        config["timeouts"] = json!({ "connect_s": 5, "reply_s": 8, "login_s": 8 });
    });
    house.fill(1, 900, 1);
    let slow = house.config["accounts"]["alice"].clone();
    house.config["accounts"].as_object_mut().unwrap().remove("alice");
    // The first in line.
    house.config["accounts"]["a"] = slow;
    let others = healthy(&mut house, 10);
    house.configure().unwrap();
    let stall = What::Stall(Duration::from_secs(4));
    house.pop.change(|script| script.faults.push(Fault::new(At::Verb(Verb::Retr), stall).of_user(USER)));
    let mut sink = Recorder::default();
    let (status, report) = pass(&house, &mut sink);
    assert_eq!((cause(&status), report.accounts_ok), ("ok", 11));
    assert_eq!(sink.delivered.last().unwrap().account, "a", "the slow one is the last");
    assert!(others.iter().all(|id| delivered_by(&sink)[id.as_str()] == 3));
}

#[test]
fn i15_a_panic_is_not_told_of_a_later_account_of_the_same_id() {
    planted::install();
    let mut house = House::new(Script::dovecot());
    house.config["accounts"] = json!({});
    house.configure().unwrap();
    let server = house.pop.address().to_string();
    let mut moved = account(&house, &server, USER, TOKEN);
    moved.as_object_mut().unwrap().remove("owner");
    let open = || {
        let config = multipop::config::Config::read(&house.config.to_string()).unwrap();
        multipop::engine::settings::Settings::prove(config).unwrap().open_store(0).unwrap()
    };
    house.instance.account_put(&mut Recorder::default(), "*", OWNER, "moved", &moved.to_string()).unwrap();
    planted::plant("event=account_end account=moved");
    let mut sink = Recorder::default();
    let other = open();
    sink.on_event = Some(Box::new(move |event| {
        if event.kind == EventKind::AccountBegin {
            let account = other.account("moved").unwrap().unwrap().account;
            assert!(other.remove_account("moved", true).unwrap());
            other.put_account(&account, 1000, 0).unwrap();
        }
    }));
    let (status, report) = pass(&house, &mut sink);
    planted::clear("event=account_end account=moved");
    assert_eq!((cause(&status), report.failed_bug), ("ok", 1));
    assert_eq!(open().account("moved").unwrap().unwrap().state.outcome, None);
    assert!(open().passes("moved").unwrap().is_empty());
    assert!(!sink.kinds().contains(&EventKind::OperatorNeeded));
}
