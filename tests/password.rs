//! Accounts with a password: how they log in, what a no means, who may make them, and where the password never is.

mod house;
#[path = "secrets/search.rs"]
mod search;

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::rc::Rc;

use house::{House, OWNER, Recorder, USER, cause};
use multipop::config::Config;
use multipop::engine::settings::Settings;
use multipop::error::{Error, Status};
use multipop::model::{Actor, Answer, EventKind, OPERATOR};
use multipop::net::dial::Reach;
use multipop_host::mock::pop3::{At, Fault, Script, Server, Transport, Verb, What};
use search::Seen;
use serde_json::{Value, json};

const PASSWORD: &str = "correct horse, b4ttery=staple";
const OTHER: &str = "another password altogether";
const HOUR: u64 = 3600;

/// The house's one account has a password, put by a call.
fn house(script: Script) -> House {
    let house = House::with(script, |config| {
        config["accounts"] = json!({});
        config["owners"] = json!({ "classic_servers": true });
    });
    house.tokens.accept(PASSWORD, USER);
    put(&house, OPERATOR, json!({ "password": PASSWORD })).unwrap();
    house
}

fn account(house: &House, more: Value) -> Value {
    let server = house.pop.address().to_string();
    let mut account = json!({ "use_oauth": false, "server": server, "user": USER });
    account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    account
}

fn put(house: &House, actor: &str, more: Value) -> Result<(), Error> {
    let json = account(house, more).to_string();
    house.instance.account_put(&mut Recorder::default(), actor, OWNER, "alice", &json)
}

fn fetch(house: &House) -> (&'static str, Recorder) {
    let mut sink = Recorder::default();
    let (status, _) = house.fetch(&mut sink);
    (cause(&status), sink)
}

/// The log-in's commands, in the journal's words.
fn said(house: &House) -> Vec<String> {
    let words = ["AUTH ", "USER ", "PASS ", "APOP "];
    let commands = house.pop.journal().lines().into_iter().filter_map(|line| {
        let (_, command) = line.split_once(' ')?;
        let keyword = words.iter().find(|word| command.starts_with(**word))?;
        let mechanism = if *keyword == "AUTH " { command } else { keyword.trim() };
        Some(mechanism.to_owned())
    });
    commands.collect()
}

#[test]
fn the_best_mechanism_there_is_collects_the_mail() {
    for (mechanisms, apop, expected) in [
        (&["PLAIN", "SCRAM-SHA-256", "XOAUTH2"][..], true, &["AUTH SCRAM-SHA-256"][..]),
        (&["XOAUTH2", "PLAIN"], true, &["AUTH PLAIN"]),
        (&[], true, &["APOP"]),
        (&[], false, &["USER", "PASS"]),
        (&["XOAUTH2", "OAUTHBEARER"], false, &["USER", "PASS"]),
    ] {
        let house = house(Script::classic(mechanisms));
        put(&house, OPERATOR, json!({ "apop": apop })).unwrap();
        house.fill(3, 2000, 1);
        let (status, sink) = fetch(&house);
        assert_eq!((status, sink.delivered.len()), ("ok", 3), "{mechanisms:?}");
        assert_eq!(said(&house), expected, "{mechanisms:?}");
        assert_eq!(fetch(&house).1.delivered.len(), 0);
    }
}

#[test]
fn a_server_without_any_is_told_and_hears_no_password() {
    let mut script = Script::classic(&["XOAUTH2", "GSSAPI"]);
    script.capabilities.retain(|line| line != "USER");
    let house = house(script);
    assert_eq!(fetch(&house).0, "server.mechanism");
    assert_eq!(said(&house), Vec::<String>::new());
}

#[test]
fn a_password_of_other_scripts_and_signs_works_by_each_mechanism() {
    let password = "pä$$ wörd: ≠\"=,";
    for mechanisms in [&["SCRAM-SHA-256"][..], &["PLAIN"], &[]] {
        let house = house(Script::classic(mechanisms));
        house.tokens.accept(password, USER);
        put(&house, OPERATOR, json!({ "password": password })).unwrap();
        assert_eq!(fetch(&house).0, "ok", "{mechanisms:?}");
    }
}

#[test]
fn i08_there_is_no_way_from_oauth_to_a_password_nor_back() {
    let fixed = House::new(Script::classic(&["PLAIN", "SCRAM-SHA-256"]));
    assert_eq!(cause(&fixed.fetch(&mut Recorder::default()).0), "server.mechanism");
    assert_eq!(said(&fixed), Vec::<String>::new());
    // A refused token brings no password, a refused password no weaker mechanism.
    let fixed = House::new(Script::exchange());
    fixed.tokens.expire_all();
    assert_ne!(cause(&fixed.fetch(&mut Recorder::default()).0), "ok");
    assert!(said(&fixed).iter().all(|said| said == "AUTH XOAUTH2"), "{:?}", said(&fixed));
    let house = house(Script::classic(&["PLAIN", "SCRAM-SHA-256", "XOAUTH2"]));
    house.tokens.expire_all();
    assert_eq!(fetch(&house).0, "password.refused");
    assert_eq!(said(&house), ["AUTH SCRAM-SHA-256"]);
}

#[test]
fn i08_nothing_is_said_without_tls() {
    let house = house(Script::classic(&[]));
    let clear = |transport| {
        let script = Script { announce_stls: false, ..Script::classic(&["PLAIN"]) };
        Server::builder(&house.tokens, script).identity(&house.pki.good).transport(transport).start().unwrap()
    };
    let server = clear(Transport::Clear);
    let there = json!({ "server": server.address().to_string(), "security": "stls", "password": PASSWORD });
    put(&house, OPERATOR, there).unwrap();
    assert_eq!(fetch(&house).0, "tls.stls_refused");
    assert!(server.journal().sasl_lines_seen().is_empty());
    assert!(!server.journal().lines().iter().any(|line| line.contains("USER") || line.contains("AUTH")));
}

#[test]
fn after_stls_it_is_as_with_tls_and_apop_is_not_used() {
    let house = house(Script::classic(&[]));
    let server = Server::builder(&house.tokens, Script::classic(&[]))
        .identity(&house.pki.good)
        .transport(Transport::Stls)
        .start()
        .unwrap();
    let there = json!({
        "server": server.address().to_string(), "security": "stls", "apop": true, "password": PASSWORD,
    });
    put(&house, OPERATOR, there).unwrap();
    assert_eq!(fetch(&house).0, "ok");
    // The timestamp came in clear, and could have been anybody's.
    assert_eq!(server.journal().count(Verb::Apop), 0);
    assert_eq!(server.journal().count(Verb::Pass), 1);
}

#[test]
fn a_server_that_does_not_prove_itself_by_scram_gives_no_mail() {
    let forged = Script { scram_forged: true, ..Script::classic(&["SCRAM-SHA-256"]) };
    let cheap = Script { scram_rounds: 1, ..Script::classic(&["SCRAM-SHA-256"]) };
    let dear = Script { scram_rounds: 100_000_000, ..Script::classic(&["SCRAM-SHA-256"]) };
    for (script, words) in [(forged, "did not prove"), (cheap, "not what SCRAM"), (dear, "not what SCRAM")] {
        let house = house(script);
        house.fill(1, 500, 1);
        let (status, sink) = fetch(&house);
        assert_ne!(status, "ok");
        assert_eq!(sink.delivered.len(), 0);
        let state = &house.shown()["state"];
        assert_eq!(state["outcome"], "protocol_error");
        assert!(state["message"].as_str().unwrap().contains(words), "{state}");
    }
    // Yes before the proof is no yes.
    let house = house(Script::classic(&["SCRAM-SHA-256"]));
    let early = What::Raw(b"+OK welcome\r\n".to_vec());
    house.pop.change(|script| script.faults = vec![Fault::new(At::Verb(Verb::AuthData), early)]);
    assert_ne!(fetch(&house).0, "ok");
    assert_eq!(house.shown()["state"]["outcome"], "protocol_error");
}

#[test]
fn a_refused_password_is_the_users_to_mend_and_is_not_hammered() {
    for refusal in ["-ERR [AUTH] no", "-ERR unknown user name or bad password"] {
        let house = house(Script {
            refusal: multipop_host::mock::pop3::Refusal::Plain(refusal.to_owned()),
            ..Script::classic(&["PLAIN"])
        });
        house.tokens.revoke(PASSWORD);
        let (status, sink) = fetch(&house);
        assert_eq!(status, "password.refused");
        assert!(sink.kinds().contains(&EventKind::ConsentNeeded));
        let shown = house.shown();
        assert_eq!(shown["state"]["outcome"], "reauth_user");
        assert_eq!(shown["state"]["needs"], json!(["password"]));
        assert!(shown["state"]["advice"].as_str().unwrap().contains("password again"));
        for _ in 0..5 {
            fetch(&house);
        }
        assert_eq!(house.pop.journal().refusals(), 3, "three in a row, then it waits, whoever asks");
        house.act("alice", json!({ "verb": "resume" })).unwrap();
        // The same password again, or another interval, is no other password.
        put(&house, OPERATOR, json!({ "password": PASSWORD })).unwrap();
        put(&house, OPERATOR, json!({ "interval_s": 900 })).unwrap();
        fetch(&house);
        assert_eq!(house.pop.journal().refusals(), 3);
        house.clock.advance(HOUR);
        fetch(&house);
        fetch(&house);
        assert_eq!(house.pop.journal().refusals(), 4, "once an hour");
        house.tokens.accept(OTHER, USER);
        put(&house, OWNER, json!({ "password": OTHER })).unwrap();
        let (status, sink) = fetch(&house);
        assert_eq!(status, "ok", "at once with another one");
        assert!(!sink.kinds().contains(&EventKind::ConsentNeeded));
        assert_eq!(house.shown()["state"]["needs"], json!([]));
    }
}

#[test]
fn a_password_given_during_a_visit_is_not_blamed_for_the_one_before() {
    let house = house(Script::classic(&["PLAIN"]));
    house.tokens.revoke(PASSWORD);
    fetch(&house);
    fetch(&house);
    let neighbour = house.neighbour();
    let json = account(&house, json!({ "password": OTHER })).to_string();
    let mut sink = Recorder::default();
    sink.on_event = Some(Box::new(move |event| {
        if event.kind == EventKind::AccountBegin {
            neighbour.account_put(&mut Recorder::default(), OPERATOR, OWNER, "alice", &json).unwrap();
        }
    }));
    assert_eq!(cause(&house.fetch(&mut sink).0), "password.refused");
    // Due at once, as every new password is.
    let (status, report) = house::fetch(&house.instance, &mut Recorder::default(), None, false);
    assert_eq!((cause(&status), report.accounts_tried), ("ok", 1));
    fetch(&house);
    assert_eq!(house.pop.journal().refusals(), 5);
    house.tokens.accept(OTHER, USER);
    assert_eq!(fetch(&house).0, "ok");
}

#[test]
fn a_no_that_is_not_about_the_password_counts_for_nothing() {
    let house = house(Script::classic(&["PLAIN"]));
    for (said, expected) in [
        ("-ERR [IN-USE] locked\r\n", "server.in_use"),
        ("-ERR [SYS/TEMP] later\r\n", "server.trouble"),
        ("-ERR [SYS/PERM] off\r\n", "mailbox.needs_operator"),
        ("-ERR [LOGIN-DELAY] wait\r\n", "server.login_delay"),
    ] {
        let no = What::Raw(said.as_bytes().to_vec());
        house.pop.change(|script| script.faults = vec![Fault::new(At::Verb(Verb::AuthData), no).times(1)]);
        assert_eq!(fetch(&house).0, expected);
    }
    assert_eq!(fetch(&house).0, "ok");
}

#[test]
fn a_put_without_a_password_keeps_it_for_the_same_server_and_user_only() {
    let house = house(Script::classic(&["PLAIN"]));
    put(&house, OPERATOR, json!({ "interval_s": 900, "deliver_to": "b@example.com" })).unwrap();
    assert_eq!(fetch(&house).0, "ok");
    // What is shown can be put again.
    let shown = house.shown();
    let mut again = shown.clone();
    for name in ["id", "owner", "configured", "state", "attention", "older"] {
        again.as_object_mut().unwrap().remove(name);
    }
    assert_eq!((&again["use_oauth"], again.get("password")), (&json!(false), None));
    let mut host = Recorder::default();
    house.instance.account_put(&mut host, OPERATOR, OWNER, "alice", &again.to_string()).unwrap();
    assert_eq!(fetch(&house).0, "ok");
    for change in [json!({ "user": "bob@contoso.example" }), json!({ "server": "127.0.0.1:9" })] {
        let error = put(&house, OPERATOR, change.clone()).unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Argument, "argument.password"));
        assert_eq!(house.shown()["server"], shown["server"], "a refused put changes nothing");
        assert_eq!(house.shown()["user"], USER);
        assert_eq!(fetch(&house).0, "ok");
        let mut change = change;
        change["password"] = json!(OTHER);
        put(&house, OPERATOR, change).unwrap();
        put(&house, OPERATOR, json!({ "password": PASSWORD })).unwrap();
    }
    // A first one needs a password; other accounts have none.
    let new = account(&house, json!({})).to_string();
    let error = house.instance.account_put(&mut host, OPERATOR, OWNER, "new", &new).unwrap_err();
    assert_eq!(error.cause, "argument.password");
    for bad in [json!(""), json!("a\r\nDELE 1"), json!("a\u{0}b"), json!(7), json!("x".repeat(1025))] {
        let error = put(&house, OPERATOR, json!({ "password": bad })).unwrap_err();
        assert_eq!(error.status, Status::Argument, "{bad}");
    }
    let token = json!({ "token_file": "/run/token", "server": "127.0.0.1:9", "user": USER });
    let put = house.instance.account_put(&mut host, OPERATOR, OWNER, "alice", &token.to_string());
    assert!(put.is_err(), "an unlisted server takes no token");
}

#[test]
fn a_password_is_forgotten_with_its_account() {
    let house = house(Script::classic(&["PLAIN"]));
    let mut host = Recorder::default();
    house.instance.account_remove(&mut host, OPERATOR, "alice").unwrap();
    assert_eq!(put(&house, OPERATOR, json!({})).unwrap_err().cause, "argument.password");
    put(&house, OPERATOR, json!({ "password": PASSWORD })).unwrap();
    // Another kind of account, and back.
    let token = account(&house, json!({ "use_oauth": true, "token_file": house.path("token") }));
    house.instance.account_put(&mut host, OPERATOR, OWNER, "alice", &token.to_string()).unwrap();
    assert_eq!(put(&house, OPERATOR, json!({})).unwrap_err().cause, "argument.password");
}

#[test]
fn a_configured_password_comes_from_its_file() {
    let house = House::with(Script::classic(&["SCRAM-SHA-256"]), |config| {
        config["accounts"]["alice"].as_object_mut().unwrap().remove("token_file");
        config["accounts"]["alice"]["use_oauth"] = json!(false);
        let token = config["store"].as_str().unwrap().replace("store.db", "token");
        config["accounts"]["alice"]["password_file"] = json!(token);
    });
    assert_eq!(fetch(&house).0, "ok");
    std::fs::write(house.path("token"), format!("{PASSWORD}\n")).unwrap();
    house.configure().unwrap();
    assert_eq!(fetch(&house).0, "password.refused");
    house.tokens.accept(PASSWORD, USER);
    assert_eq!(fetch(&house).0, "ok");
    for (content, word) in [("", "empty"), ("a\nb\n", "more than one line")] {
        std::fs::write(house.path("token"), content).unwrap();
        let error = house.configure().unwrap_err();
        assert!(error.message.contains("password_file") && error.message.contains(word), "{}", error.message);
        assert_eq!(fetch(&house).0, "ok", "the former configuration holds");
    }
}

#[test]
fn i14_an_owner_chooses_a_classic_server_only_where_the_operator_allows() {
    let mut house = house(Script::classic(&["PLAIN"]));
    let by_owner = |house: &House, id: &str, json: Value| {
        let json = account(house, json).to_string();
        house.instance.account_put(&mut Recorder::default(), OWNER, OWNER, id, &json)
    };
    let elsewhere = json!({ "server": "pop.example.net:995", "password": PASSWORD });
    by_owner(&house, "his", elsewhere.clone()).unwrap();
    assert_eq!(house.shown_account("his")["server"], "pop.example.net:995");
    house.config["owners"]["classic_servers"] = json!(false);
    house.configure().unwrap();
    let error = by_owner(&house, "hers", elsewhere.clone()).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Rights, "rights.member"));
    // Neither may he move what the operator chose; the password is his to give again.
    let error = by_owner(&house, "alice", elsewhere).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Rights, "rights.member"));
    by_owner(&house, "alice", json!({ "password": OTHER })).unwrap();
    house.tokens.accept(OTHER, USER);
    assert_eq!(fetch(&house).0, "ok");
    // What he chose while he might goes nowhere any more.
    let (status, _) = house::fetch(&house.instance, &mut Recorder::default(), Some("his"), true);
    assert_eq!(cause(&status), "config.classic_servers");
    // For whom the operator chose a token's file, he keeps it.
    let token = account(&house, json!({ "use_oauth": true, "token_file": house.path("token") })).to_string();
    house.instance.account_put(&mut Recorder::default(), OPERATOR, OWNER, "file", &token).unwrap();
    house.config["owners"]["classic_servers"] = json!(true);
    house.configure().unwrap();
    let error = by_owner(&house, "file", json!({ "password": PASSWORD })).unwrap_err();
    assert_eq!(error.status, Status::Rights);
}

#[test]
fn i14_a_server_an_owner_chose_is_public_or_listed() {
    let mut house = house(Script::classic(&["PLAIN"]));
    let port = house.pop.address().port();
    let by_owner = |house: &House, id: &str, server: String| {
        let json = account(house, json!({ "server": server, "password": PASSWORD })).to_string();
        house.instance.account_put(&mut Recorder::default(), OWNER, OWNER, id, &json).unwrap();
        let (status, _) = house::fetch(&house.instance, &mut Recorder::default(), Some(id), true);
        cause(&status)
    };
    // Listed by the house.
    assert_eq!(by_owner(&house, "listed", format!("127.0.0.1:{port}")), "ok");
    house.config["servers"] = json!([]);
    house.configure().unwrap();
    let before = house.pop.journal().connections();
    for (id, host) in [
        ("a", "127.0.0.1"),
        ("b", "localhost"),
        ("c", "[::1]"),
        ("d", "[::ffff:127.0.0.1]"),
        ("e", "0.0.0.0"),
        ("f", "169.254.169.254"),
    ] {
        assert_eq!(by_owner(&house, id, format!("{host}:{port}")), "config.server_private", "{host}");
        let shown = house.shown_account(id);
        assert_eq!(shown["state"]["outcome"], "config_error");
    }
    assert_eq!(by_owner(&house, "listed", format!("127.0.0.1:{port}")), "config.server_private");
    assert_eq!(house.pop.journal().connections(), before, "nobody was dialled");
    // The operator's own choice is his, also after the owner gave the password again.
    assert_eq!(fetch(&house).0, "ok");
    put(&house, OWNER, json!({ "password": PASSWORD })).unwrap();
    assert_eq!(fetch(&house).0, "ok");
    // Once he moved it, it is the owner's, and moving back does not make it the operator's.
    assert_eq!(by_owner(&house, "alice", format!("localhost:{port}")), "config.server_private");
    assert_eq!(by_owner(&house, "alice", format!("127.0.0.1:{port}")), "config.server_private");
}

#[test]
fn i14_reach_is_by_who_chose() {
    let house = house(Script::classic(&["PLAIN"]));
    let settings = Settings::prove(Config::read(&house.config.to_string()).unwrap()).unwrap();
    let config = &settings.config;
    let read = |actor, json: &Value| {
        let form = Config::read_account(&json.to_string()).unwrap();
        config.account(&actor, ("x", OWNER, "default"), (&form, &json.to_string()), None).unwrap()
    };
    let json = json!({ "use_oauth": false, "user": "u", "server": "pop.example.net:995", "password": "p" });
    assert_eq!(settings.reach_of_account(&read(Actor::Operator, &json)), Reach::Anywhere);
    assert_eq!(settings.reach_of_account(&read(Actor::Owner(OWNER.into()), &json)), Reach::Public);
}

#[test]
fn i03_a_password_is_in_no_log_error_answer_or_store() {
    let mut seen = Seen::default();
    let mut secrets: BTreeMap<String, Vec<u8>> = BTreeMap::new();
    for mechanisms in [&["SCRAM-SHA-256"][..], &["PLAIN"], &[], &["apop"]] {
        let apop = mechanisms == ["apop"];
        let house = house(Script::classic(if apop { &[] } else { mechanisms }));
        let mut host = Recorder::default();
        let json = account(&house, json!({ "apop": apop, "password": PASSWORD })).to_string();
        house.instance.account_put(&mut host, OPERATOR, OWNER, "alice", &json).unwrap();
        hear(&mut seen, &house, &host);
        house.fill(2, 500, 1);
        let long = "x".repeat(190);
        let mut echoes = vec![None];
        for secret in ["{line}", "{token}"] {
            echoes.extend(
                [
                    format!("-ERR [AUTH] no {secret} here"),
                    format!("-ERR [X/{secret}] {secret}"),
                    format!("-ERR {long} {secret}"),
                    format!("{secret} what"),
                    format!("{} {secret}", &long[..74]),
                    format!("+OK {secret}\r\n{secret}"),
                    format!("+ {secret}\r\n-ERR {secret}"),
                ]
                .map(Some),
            );
        }
        for echo in echoes {
            let faults = echo.into_iter().flat_map(|said| {
                [Verb::AuthData, Verb::Pass, Verb::Apop]
                    .map(|verb| Fault::new(At::Verb(verb), What::Echo(format!("{said}\r\n"))))
            });
            let faults: Vec<Fault> = faults.collect();
            house.pop.change(|script| script.faults = faults);
            house.clock.advance(2 * HOUR);
            let during = Rc::new(RefCell::new(Seen::default()));
            let (inside, folder) = (during.clone(), house.dir.path().to_owned());
            let mut sink = Recorder::default();
            sink.on_begin = Some(Box::new(move |message| {
                inside.borrow_mut().add("message", format!("{message:?}"));
                inside.borrow_mut().store(&folder);
                Answer::Go
            }));
            house.act("alice", json!({ "verb": "trace", "minutes": 60 })).unwrap();
            let (status, report) = house.fetch(&mut sink);
            seen.add("error", format!("{status:?} {report:?}"));
            let trace = house.act("alice", json!({ "verb": "trace_read" })).unwrap().to_string();
            assert!(trace.contains("C: a log-in with a password"), "{trace}");
            seen.add("trace", trace);
            hear(&mut seen, &house, &sink);
            seen.join(&during.borrow());
        }
        for wrong in [json!([PASSWORD]), json!({ "is": PASSWORD }), json!(format!("{PASSWORD}\n"))] {
            let error = put(&house, OPERATOR, json!({ "password": wrong })).unwrap_err();
            seen.add("error", format!("{error} {error:?}"));
        }
        let mut config = house.config.clone();
        config["accounts"]["x"] = account(&house, json!({ "owner": OWNER, "password": PASSWORD }));
        let error = house.instance.configure(&mut host, &config.to_string()).unwrap_err();
        assert!(error.message.contains("password_file"), "{}", error.message);
        seen.add("error", format!("{error} {error:?}"));
        let form = Config::read_account(&json).unwrap();
        seen.add("debug", format!("{form:?}"));
        let lines = house.pop.journal().sasl_lines_seen();
        for (number, line) in lines.into_iter().filter(|line| line.len() > 8).enumerate() {
            secrets.insert(format!("line {mechanisms:?} {number}"), line.into_bytes());
        }
    }
    secrets.insert("password".to_owned(), PASSWORD.into());
    assert!(secrets.len() > 10, "{}", secrets.len());
    for place in ["log", "error", "accounts", "message", "store.db", "store.db-wal"] {
        assert!(seen.places().contains(&place), "{place} was not looked at: {:?}", seen.places());
    }
    assert!(seen.text("log").contains("event=auth mechanism=SCRAM-SHA-256"));
    assert!(seen.text("log").contains("*****"));
    assert_eq!(seen.leaks(&secrets), Vec::<String>::new());
}

fn hear(seen: &mut Seen, house: &House, host: &Recorder) {
    for line in &host.lines {
        seen.add("log", line);
    }
    for event in &host.events {
        seen.add("event", format!("{event:?}"));
    }
    seen.add("accounts", house.shown().to_string());
    seen.store(house.dir.path());
}
