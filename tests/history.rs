//! Where is my mail: every end a message can come to is answered by `explain`, and nothing of it leaves the house
//! that may not (I3).

mod house;

use std::path::Path;

use house::{DAY, House, OWNER, Recorder, START, TOKEN, USER, cause};
use multipop::error::{Result, Status};
use multipop::model::Answer;
use multipop_host::mock::mail::Body;
use multipop_host::mock::pop3::{At, Fault, Message, Script, Verb, What};
use serde_json::{Value, json};

const ID: &str = "<tuesday.4711@friend.example>";

/// A mail of that Message-ID under that UIDL.
fn mail(house: &House, uidl: &str, id: &str) {
    let text = format!(
        "From: friend@friend.example\r\nMessage-Id:\r\n {id}\r\nDate: Tue, 22 Sep 2026 10:00:00 +0000\r\n\
         Subject: secret plans\r\n\r\n{}",
        "a line of the message\r\n".repeat(200)
    );
    house.pop.mailboxes().push(USER, Message::new(uidl, Body::from_bytes(text)));
}

fn ask(house: &House, actor: &str, act: Value, definition: &str) -> Result<Value> {
    let out = house.instance.account_act(&mut Recorder::default(), actor, "alice", None, &act.to_string())?;
    let answer = serde_json::from_str(&out).unwrap();
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/config.schema.json");
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let schema = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = schema.iter_errors(&answer).map(|e| e.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}\n{answer:#}");
    Ok(answer)
}

fn explain(house: &House, of: Value) -> Value {
    let mut act = json!({ "verb": "explain" });
    act.as_object_mut().unwrap().extend(of.as_object().unwrap().clone());
    ask(house, "*", act, "explained").unwrap()
}

fn by_id(house: &House) -> Value {
    explain(house, json!({ "message_id": ID }))
}

fn steps(answer: &Value) -> Vec<&str> {
    answer["happenings"].as_array().unwrap().iter().map(|one| one["what"].as_str().unwrap()).collect()
}

fn step<'a>(answer: &'a Value, what: &str) -> &'a Value {
    answer["happenings"].as_array().unwrap().iter().rfind(|one| one["what"] == what).unwrap()
}

fn says(answer: &Value, words: &str) {
    assert!(answer["sentence"].as_str().unwrap().contains(words), "{words}: {answer:#}");
}

fn mend(house: &House) {
    house.pop.change(|script| script.faults.clear());
}

#[test]
fn what_was_taken_is_told_with_the_sink_s_answer() {
    for batching in [false, true] {
        let house = House::new(Script::dovecot());
        house.fill(3, 1000, 1);
        mail(&house, "uidl-of-tuesday", ID);
        let sink = if batching { Recorder::batching() } else { Recorder::default() };
        house.fetch_ok(&mut sink.saying("250 2.0.0 queued as 4F2B7"));
        house.clock.advance(DAY);
        // However the person writes it.
        for id in [ID, "tuesday.4711@friend.example", " <tuesday.4711@friend.example> "] {
            let told = explain(&house, json!({ "message_id": id }));
            assert_eq!((told["verdict"].as_str(), steps(&told)), (Some("taken"), vec!["seen", "taken"]));
            let taken = step(&told, "taken");
            assert_eq!(taken["answer"], "250 2.0.0 queued as 4F2B7");
            assert_eq!((&taken["at"], &taken["uidl"]), (&json!(START), &json!("uidl-of-tuesday")));
            assert_eq!(taken["process"], format!("pid {}", std::process::id()));
            says(&told, "which answered 250 2.0.0 queued as 4F2B7.");
        }
        let all = explain(&house, json!({ "since": START }));
        assert_eq!((all["verdict"].as_str(), steps(&all).len()), (Some("several"), 8));
        says(&all, "4 messages: 4 taken.");
        let none = explain(&house, json!({ "since": START + 1 }));
        assert_eq!((none["verdict"].as_str(), steps(&none).len()), (Some("none"), 0));
    }
}

#[test]
fn what_was_never_listed_is_said_with_what_is_known() {
    let house = House::new(Script::dovecot());
    says(&by_id(&house), "not visited yet");
    house.fill(5, 1000, 1);
    house.fetch_ok(&mut Recorder::default());
    house.clock.advance(300);
    house.fetch_ok(&mut Recorder::default());
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), steps(&told).len()), (Some("never_listed"), 0));
    says(&told, "2 visits since 2026-09-21T14:13:20Z; the last listing, at 2026-09-21T14:18:20Z, had 5");
    says(&told, "and none has this Message-ID");
    assert_eq!((&told["passes"]["kept"], &told["unread"]), (&json!(2), &json!(0)));
    assert_eq!(told["passes"]["last"]["listed"], 5);
    assert_eq!(told["listing"], json!({ "at": START, "messages": 5 }));

    // A mailbox that is not reached says nothing of its mail.
    house.pop.change(|script| script.faults.push(Fault::new(At::Verb(Verb::Uidl), What::Close)));
    house.clock.advance(300);
    assert_ne!(cause(&house.fetch(&mut Recorder::default()).0), "ok");
    says(&by_id(&house), "The last visit, at 2026-09-21T14:23:20Z, ended with connection");
    house.clock.advance(3 * DAY);
    says(&by_id(&house), "No visit ended in the 3 days since");
}

#[test]
fn messages_whose_header_nobody_read_are_counted_and_found_by_uidl() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!("new_only");
    });
    mail(&house, "uidl-of-tuesday", ID);
    house.fill(6, 1000, 1);
    house.fetch_ok(&mut Recorder::default());
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), &told["unread"]), (Some("never_listed"), &json!(7)));
    says(&told, "7 messages at the server are known by UIDL alone");
    let told = explain(&house, json!({ "uidl": "uidl-of-tuesday" }));
    assert_eq!(told["verdict"], "left");
    says(&told, "left it unread at the server");
    let told = explain(&house, json!({ "uidl": "no-such-uidl" }));
    assert_eq!(told["verdict"], "never_listed");
}

#[test]
fn what_a_first_fetch_left_by_its_date_is_known_by_its_header() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!({ "since": "2026-09-23" });
    });
    mail(&house, "uidl-of-tuesday", ID);
    house.fetch_ok(&mut Recorder::default());
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), steps(&told)), (Some("left"), vec!["left"]));
    assert_eq!(told["happenings"][0]["uidl"], "uidl-of-tuesday");
}

#[test]
fn what_was_put_off_is_told_with_the_reason_until_it_is_taken() {
    let house = House::new(Script::dovecot());
    mail(&house, "uidl-of-tuesday", ID);
    let mut sink = Recorder::default().saying("452 4.2.2 over quota");
    sink.on_end = Some(Box::new(|_| Answer::DeferFull));
    let _ = house.fetch(&mut sink);
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), steps(&told)), (Some("deferred"), vec!["seen", "deferred"]));
    says(
        &told,
        "Put off 1 time, last at 2026-09-21T14:13:20Z: 452 4.2.2 over quota. Not tried again before 2026-",
    );
    house.clock.advance(DAY);
    house.fetch_ok(&mut Recorder::default().saying("new/4711"));
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), steps(&told)), (Some("taken"), vec!["seen", "deferred", "taken"]));
    assert_eq!(step(&told, "taken")["at"], START + DAY);
}

#[test]
fn what_was_refused_is_told_to_its_owner_and_to_no_stranger() {
    let house = House::with(Script::dovecot(), |config| config["owners"] = json!({ "edit": false }));
    mail(&house, "uidl-of-tuesday", ID);
    let mut sink = Recorder::default().saying("554 5.7.1 no");
    sink.on_end = Some(Box::new(|_| Answer::Refuse));
    house.fetch_ok(&mut sink);
    let question = json!({ "verb": "explain", "message_id": ID });
    let told = ask(&house, OWNER, question.clone(), "explained").unwrap();
    assert_eq!((told["verdict"].as_str(), steps(&told)), (Some("refused"), vec!["seen", "refused"]));
    says(&told, "refused it at 2026-09-21T14:13:20Z: 554 5.7.1 no.");
    let stranger = ask(&house, "mallory@example.com", question, "explained").unwrap_err();
    assert_eq!(stranger.status, Status::Rights);
    for act in [
        json!({ "verb": "trace", "minutes": 5 }),
        json!({"verb": "trace_read"}),
        json!({"verb": "support_bundle"}),
    ] {
        let refused = ask(&house, OWNER, act, "trace").unwrap_err();
        assert_eq!(refused.status, Status::Rights, "the operator's alone: {refused}");
    }

    house.act("alice", json!({ "verb": "offer_again" })).unwrap();
    assert_eq!(steps(&by_id(&house)), ["seen", "refused", "offered_again"]);
    assert_eq!(by_id(&house)["verdict"], "deferred");
}

#[test]
fn what_ended_three_sessions_is_known_by_the_header_that_came() {
    let house = House::new(Script::dovecot());
    mail(&house, "uidl-of-tuesday", ID);
    house.fill(2, 1000, 1);
    let at = At::Message(Verb::Retr, b"uidl-of-tuesday".as_slice().into());
    house.pop.change(|script| script.faults.push(Fault::new(at, What::DropAfter(3000))));
    for round in 0..3 {
        if round == 1 {
            let told = by_id(&house);
            assert_eq!(
                (told["verdict"].as_str(), steps(&told)),
                (Some("unfinished"), vec!["seen", "unfinished"])
            );
            says(&told, "the connection broke inside message 1");
        }
        let _ = house.fetch(&mut Recorder::default());
        house.clock.advance(3600);
    }
    let told = by_id(&house);
    assert_eq!(told["verdict"], "set_aside");
    assert_eq!(steps(&told), ["seen", "unfinished", "unfinished", "set_aside"]);
    says(&told, "It is tried again once a day and never deleted.");
    mend(&house);
    house.clock.advance(DAY);
    house.fetch_ok(&mut Recorder::default());
    assert_eq!(by_id(&house)["verdict"], "taken");
}

#[test]
fn what_was_deleted_after_it_was_taken_is_told_so() {
    let house = House::with(Script::dovecot(), |config| config["accounts"]["alice"]["delete"] = json!("now"));
    mail(&house, "uidl-of-tuesday", ID);
    house.fetch_ok(&mut Recorder::default());
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), steps(&told)), (Some("deleted"), vec!["seen", "taken", "deleted"]));
    says(&told, "Taken by the mail server here at");
    says(&told, "It was deleted at the mail server at 2026-09-21T14:13:20Z.");
    // Absent from the next listing, its row is forgotten, and what happened is not.
    house.fill(1, 1000, 1);
    house.fetch_ok(&mut Recorder::default());
    house.fetch_ok(&mut Recorder::default());
    assert_eq!(by_id(&house)["verdict"], "deleted");
}

#[test]
fn what_somebody_else_removed_before_it_was_taken_is_told_so() {
    let house = House::new(Script::dovecot());
    mail(&house, "uidl-of-tuesday", ID);
    let mut sink = Recorder::default();
    sink.on_end = Some(Box::new(|_| Answer::DeferRecipient));
    let _ = house.fetch(&mut sink);
    house.pop.mailboxes().remove(USER, b"uidl-of-tuesday");
    house.clock.advance(DAY);
    house.fetch_ok(&mut Recorder::default());
    let told = by_id(&house);
    assert_eq!(
        (told["verdict"].as_str(), steps(&told)),
        (Some("vanished"), vec!["seen", "deferred", "vanished"])
    );
    says(&told, "somebody else removed it");
}

#[test]
fn what_is_too_large_is_found_by_its_uidl() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["limits"] = json!({ "max_message_bytes": 2000 });
    });
    mail(&house, "uidl-of-tuesday", ID);
    house.fetch_ok(&mut Recorder::default());
    let told = explain(&house, json!({ "uidl": "uidl-of-tuesday" }));
    assert_eq!(told["verdict"], "oversize");
    says(&told, "larger than the 2000 bytes allowed");
    assert!(step(&told, "oversize")["size"].as_u64().unwrap() > 2000);
    says(&by_id(&house), "1 message at the server is known by UIDL alone");
}

#[test]
fn what_the_host_could_not_keep_comes_again_and_is_told_so() {
    let house = House::new(Script::dovecot());
    mail(&house, "uidl-of-tuesday", ID);
    let mut sink = Recorder::batching().saying("disk on fire");
    sink.on_flush = Some(Box::new(|_| Answer::Defer));
    let _ = house.fetch(&mut sink);
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), steps(&told)), (Some("unfinished"), vec!["seen", "unfinished"]));
    says(&told, "could not keep it: disk on fire");
}

#[test]
fn the_ledger_remembers_what_was_taken_longer_ago_than_steps_are_kept() {
    let house = House::new(Script::dovecot());
    mail(&house, "uidl-of-tuesday", ID);
    house.fetch_ok(&mut Recorder::default());
    house.clock.advance(31 * DAY);
    house.fetch_ok(&mut Recorder::default());
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), steps(&told).len()), (Some("taken"), 0));
    says(&told, "Taken by the mail server here at 2026-09-21T14:13:20Z, longer ago than steps are kept.");
}

#[test]
fn a_trace_is_on_in_every_instance_and_ends_by_itself() {
    let house = House::new(Script::dovecot());
    house.fill(2, 1000, 1);
    let read = || ask(&house, "*", json!({ "verb": "trace_read" }), "trace").unwrap();
    house.fetch_ok(&mut Recorder::default());
    assert_eq!(read()["lines"], json!([]), "nothing is kept of an account that is not traced");

    // One that was configured before the trace began, as another process was.
    let neighbour = house.neighbour();
    let on = ask(&house, "*", json!({ "verb": "trace", "minutes": 15 }), "traced").unwrap();
    assert_eq!(on["until"], START + 900);
    mail(&house, "uidl-of-tuesday", ID);
    house::fetch(&neighbour, &mut Recorder::default(), Some("alice"), true).0.unwrap();
    let trace = read();
    let lines: Vec<&str> =
        trace["lines"].as_array().unwrap().iter().map(|line| line["line"].as_str().unwrap()).collect();
    assert_eq!(lines.first(), Some(&"-- the visit begins"));
    for wanted in [
        "C: CAPA",
        "S: UIDL",
        "C: AUTH OAUTHBEARER (the credentials are not shown)",
        "C: (the log-in goes on, not shown)",
        "C: UIDL",
        "S: (3 lines of UIDL)",
        "C: RETR 3",
        "C: QUIT",
        "-- the visit ends, ok",
    ] {
        assert!(lines.contains(&wanted), "{wanted}: {lines:#?}");
    }
    assert!(lines.iter().any(|line| line.starts_with("S: (message 3, ")), "{lines:#?}");
    let text = lines.join("\n");
    for secret in
        [TOKEN, "alice", "uidl-of-tuesday", "a line of the message", "secret plans", "friend.example"]
    {
        assert!(!text.contains(secret), "{secret} in {text}");
    }

    house.clock.advance(900);
    house::fetch(&neighbour, &mut Recorder::default(), Some("alice"), true).0.unwrap();
    house.fetch_ok(&mut Recorder::default());
    let ended = read();
    assert_eq!((&ended["on"], &ended["lines"]), (&json!(false), &trace["lines"]));
}

#[test]
fn a_trace_ends_in_the_midst_of_a_visit_and_at_once_when_told() {
    let house = House::new(Script::dovecot());
    house.fill(1, 1000, 1);
    ask(&house, "*", json!({ "verb": "trace", "minutes": 1 }), "traced").unwrap();
    let clock = house.clock.clone();
    let mut sink = Recorder::default();
    sink.on_end = Some(Box::new(move |_| {
        clock.advance(60);
        Answer::Taken
    }));
    house.fetch_ok(&mut sink);
    let trace = ask(&house, "*", json!({ "verb": "trace_read" }), "trace").unwrap();
    let text = trace.to_string();
    assert!(text.contains("C: RETR 1") && !text.contains("C: QUIT"), "{trace:#}");

    ask(&house, "*", json!({ "verb": "trace", "minutes": 10 }), "traced").unwrap();
    ask(&house, "*", json!({ "verb": "trace", "minutes": 0 }), "traced").unwrap();
    house.fetch_ok(&mut Recorder::default());
    let trace = ask(&house, "*", json!({ "verb": "trace_read" }), "trace").unwrap();
    assert_eq!((&trace["on"], &trace["lines"]), (&json!(false), &json!([])));
}

/// Everything the trace and the bundle say, after a server that repeats whatever it is told.
#[test]
fn i03_no_secret_and_no_name_is_in_a_trace_or_a_bundle() {
    let house = House::new(Script::dovecot());
    house.fill(2, 1000, 1);
    mail(&house, "uidl-of-tuesday", ID);
    ask(&house, "*", json!({ "verb": "trace", "minutes": 15 }), "traced").unwrap();
    house.pop.change(|script| {
        let says = format!("I heard {{line}} and {{token}} of {USER}, uidl-of-tuesday");
        script
            .faults
            .push(Fault::new(At::Verb(Verb::AuthData), What::Echo(format!("-ERR {says}\r\n"))).times(1));
    });
    assert_ne!(cause(&house.fetch(&mut Recorder::default()).0), "ok");
    let first = ask(&house, "*", json!({ "verb": "trace_read" }), "trace").unwrap().to_string();
    assert!(first.contains("S: -ERR I heard ****"), "{first}");
    house.pop.change(|script| {
        // Long after the log-in it still knows the token.
        let echo = format!("{TOKEN} of alice@contoso.example");
        script.faults.push(Fault::new(At::Verb(Verb::Retr), What::Err(echo)).times(1));
    });
    let words = format!("250 uidl-of-tuesday for <{OWNER}> in /var/mail/alice/new/4711");
    house.clock.advance(3600 * 5);
    ask(&house, "*", json!({ "verb": "trace", "minutes": 15 }), "traced").unwrap();
    let _ = house.fetch(&mut Recorder::default().saying(&words));
    house.clock.advance(60);
    let _ = house.fetch(&mut Recorder::default().saying(&words));

    let trace = ask(&house, "*", json!({ "verb": "trace_read" }), "trace").unwrap().to_string();
    let bundle = ask(&house, "*", json!({ "verb": "support_bundle" }), "bundle").unwrap();
    assert!(trace.contains("S: -ERR ****"), "{trace}");
    let text = bundle.to_string();
    assert!(text.contains("250 <name> for <address> in /var/mail/<name>/new/4711"), "{bundle:#}");
    assert_eq!(bundle["passes"].as_array().unwrap().len(), 3);
    assert_eq!((&bundle["ledger"]["taken"], &bundle["trace"]["on"]), (&json!(2), &json!(true)));
    assert_eq!(bundle["account"]["server"], house.pop.address().to_string());
    let sasl = house.pop.journal().sasl_lines_seen();
    let secrets =
        [TOKEN, &TOKEN[..12], USER, OWNER, "alice", "uidl-of-tuesday", "secret plans", "friend.example"];
    for secret in secrets.into_iter().chain(sasl.iter().map(|line| &line[..40])) {
        assert!(!text.contains(secret), "{secret} in {bundle:#}");
        // Who reads a trace at home knows whose it is, and a UIDL only if the server says one.
        if secret != "alice" && secret != "uidl-of-tuesday" {
            assert!(!trace.contains(secret) && !first.contains(secret), "{secret} in {first} {trace}");
        }
    }
}

#[test]
fn i03_nothing_of_the_history_stands_in_clear_in_the_store() {
    let house = House::new(Script::dovecot());
    mail(&house, "uidl-of-tuesday", ID);
    ask(&house, "*", json!({ "verb": "trace", "minutes": 15 }), "traced").unwrap();
    house.fetch_ok(&mut Recorder::default().saying("250 queued as 4F2B7"));
    assert_eq!(by_id(&house)["verdict"], "taken");
    for entry in std::fs::read_dir(house.dir.path()).unwrap() {
        let path = entry.unwrap().path();
        if !path.file_name().unwrap().to_string_lossy().starts_with("store.db") {
            continue;
        }
        let bytes = std::fs::read(&path).unwrap();
        for text in ["tuesday.4711", "uidl-of-tuesday", "4F2B7", "C: AUTH"] {
            let found = bytes.windows(text.len()).any(|part| part == text.as_bytes());
            assert!(!found, "{text} in {path:?}");
        }
    }
}

#[test]
fn a_mailbox_that_is_not_gone_through_yet_is_said_to_be_so() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["limits"] = json!({ "session_messages": 3 });
        config["limits"] = json!({ "flush_messages": 2 });
    });
    house.fill(6, 1000, 1);
    mail(&house, "uidl-of-tuesday", ID);
    assert!(house.fetch_ok(&mut Recorder::batching()).more);
    let told = by_id(&house);
    assert_eq!(told["verdict"], "waiting");
    says(&told, "had 7 messages. More was waiting then: what was not begun yet is known by nothing.");
    while house.fetch_ok(&mut Recorder::batching()).more {}
    let told = by_id(&house);
    assert_eq!((told["verdict"].as_str(), steps(&told)), (Some("taken"), vec!["seen", "taken"]));
    // Noted, put back at the session's end and noted again: each was seen once.
    let all = explain(&house, json!({}));
    assert_eq!(steps(&all).iter().filter(|what| **what == "seen").count(), 7);
}
