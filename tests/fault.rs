//! What goes wrong at the server or at the sink, and that nothing is lost or doubled by it (I1, I2, I13, I15).

mod house;

use std::time::Duration;

use house::{DAY, House, Recorder, START, USER, cause};
use multipop::model::{Answer, EventKind};
use multipop_host::mock::mail::Body;
use multipop_host::mock::pop3::{At, Fault, Listing, Message, Refusal, Script, Verb, What};
use serde_json::json;

fn fault(house: &House, at: At, what: What) {
    house.pop.change(|script| script.faults.push(Fault::new(at, what)));
}

fn fault_once(house: &House, at: At, what: What) {
    house.pop.change(|script| script.faults.push(Fault::new(at, what).times(1)));
}

fn mend(house: &House) {
    house.pop.change(|script| script.faults.clear());
}

#[test]
fn i02_without_a_fault_every_message_arrives_once_and_whole() {
    let house = House::new(Script::dovecot());
    let uidls = house.fill(60, 3000, 1);
    let mut sink = Recorder::batching();
    let report = house.fetch_ok(&mut sink);
    assert_eq!((report.messages_taken, report.accounts_ok, report.more), (60, 1, false));
    assert_eq!(sink.uidls(), uidls);
    let sent = house.pop.mailboxes().messages(USER);
    for (delivered, message) in sink.delivered.iter().zip(sent.iter()) {
        assert_eq!(delivered.bytes, message.body.to_vec());
        assert!(!delivered.may_repeat);
        assert!(
            delivered.received.starts_with("Received: from 127.0.0.1 ")
                && delivered.received.ends_with("\r\n")
        );
    }
    let again = house.fetch_ok(&mut sink);
    assert_eq!((again.messages_taken, sink.delivered.len()), (0, 60));
    house.fill(3, 500, 99);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 3);
    assert_eq!(house.pop.journal().count(Verb::Retr), 63);
}

#[test]
fn exchange_and_plain_servers_work_too() {
    for script in [Script::exchange(), Script { announce_sasl: false, ..Script::exchange() }] {
        let house = House::new(script);
        house.fill(5, 1000, 1);
        let mut sink = Recorder::default();
        assert_eq!(house.fetch_ok(&mut sink).messages_taken, 5);
        assert_eq!(sink.flushes, 0);
    }
}

#[test]
fn i02_a_dropped_connection_brings_the_message_again_under_the_same_key() {
    let house = House::new(Script::dovecot());
    let uidls = house.fill(10, 20_000, 1);
    fault_once(&house, At::Message(Verb::Retr, uidls[4].clone().into()), What::DropAfter(5000));
    let mut sink = Recorder::batching();
    let mut begun = Vec::new();
    let keys = std::rc::Rc::new(std::cell::RefCell::new(Vec::new()));
    let seen = keys.clone();
    sink.on_begin = Some(Box::new(move |message| {
        seen.borrow_mut().push((message.uidl.clone(), message.dedupe_key.clone(), message.may_repeat));
        Answer::Go
    }));
    let (status, report) = house.fetch(&mut sink);
    assert_eq!(cause(&status), "connection.in_message");
    assert_eq!(report.messages_taken, 4);
    assert_eq!(sink.aborted, 1);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 6);
    begun.extend(keys.borrow().iter().filter(|(uidl, ..)| *uidl == uidls[4]).cloned());
    assert_eq!(begun.len(), 2);
    assert_eq!(begun[0].1, begun[1].1);
    assert_eq!((begun[0].2, begun[1].2), (false, true));
    assert_eq!(sink.delivered.len(), 10);
}

#[test]
fn i15_a_message_at_which_the_server_always_closes_costs_only_itself() {
    let house = House::new(Script::dovecot());
    let uidls = house.fill(12, 4000, 1);
    fault(&house, At::Message(Verb::Retr, uidls[3].clone().into()), What::DropAfter(1000));
    let mut sink = Recorder::batching();
    let mut set_aside = 0;
    for _ in 0..6 {
        let _ = house.fetch(&mut sink);
    }
    set_aside += sink.kinds().iter().filter(|kind| **kind == EventKind::SetAside).count();
    assert_eq!(sink.delivered.len(), 11);
    assert_eq!(set_aside, 1);
    assert_eq!(house.pop.journal().retrieved(&uidls[3]), 3, "set aside after three times");
    assert_eq!(house.shown()["state"]["outcome"], "ok");
    house.clock.advance(DAY + 1);
    mend(&house);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 1);
    assert_eq!(sink.delivered.len(), 12);
}

#[test]
fn i13_a_truncated_message_is_never_delivered() {
    let house = House::new(Script::dovecot());
    let uidls = house.fill(3, 50_000, 1);
    fault(&house, At::Message(Verb::Retr, uidls[0].clone().into()), What::DropAfter(49_000));
    let mut sink = Recorder::default();
    for _ in 0..5 {
        let _ = house.fetch(&mut sink);
    }
    assert_eq!(sink.uidls(), uidls[1..]);
}

#[test]
fn i13_a_listing_that_contradicts_itself_deletes_nothing() {
    for listing in [Listing::NumberTwice, Listing::OutOfRange, Listing::Garbage] {
        let house = House::with(Script::dovecot(), |config| {
            config["accounts"]["alice"]["delete"] = json!("now");
        });
        house.fill(3, 500, 1);
        house.pop.change(|script| script.listing = listing);
        let mut sink = Recorder::default();
        let (status, report) = house.fetch(&mut sink);
        assert_eq!(cause(&status), "protocol", "{listing:?}");
        assert_eq!((report.messages_taken, house.pop.journal().count(Verb::Dele)), (0, 0));
        house.pop.change(|script| script.listing = Listing::Honest);
        assert_eq!(house.fetch_ok(&mut sink).messages_taken, 3, "{listing:?}");
    }
}

#[test]
fn i13_bytes_after_the_terminator_drop_the_connection_without_quit() {
    let house = House::new(Script::exchange());
    let uidls = house.fill(3, 500, 1);
    fault_once(
        &house,
        At::Message(Verb::Retr, uidls[1].clone().into()),
        What::ExtraAfter(b"oops\r\n".to_vec()),
    );
    let mut sink = Recorder::batching();
    let (status, _) = house.fetch(&mut sink);
    assert_eq!(cause(&status), "protocol");
    assert_eq!(house.pop.journal().count(Verb::Quit), 0);
    while house.fetch(&mut sink).1.messages_taken > 0 {}
    let mut got = sink.uidls();
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 3);
}

#[test]
fn a_failed_flush_records_nothing_of_its_batch() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["delete"] = json!("now");
    });
    house.fill(8, 1000, 1);
    let mut sink = Recorder::batching();
    sink.on_flush = Some(Box::new(|_| Answer::DeferFull));
    let (status, report) = house.fetch(&mut sink);
    assert_eq!(cause(&status), "sink.flush_failed");
    assert_eq!((report.messages_taken, report.messages_deleted), (0, 0));
    assert_eq!(house.pop.mailboxes().uidls(USER).len(), 8);
    let first: Vec<String> = sink.keys();
    let mut sink = Recorder::batching();
    while house.fetch(&mut sink).1.messages_taken > 0 {}
    assert_eq!(sink.delivered.len(), 8);
    assert!(sink.delivered.iter().filter(|one| first.contains(&one.key)).all(|one| one.may_repeat));
    assert!(house.pop.mailboxes().uidls(USER).is_empty());
}

#[test]
fn sink_answers_that_do_not_exist_end_the_account_and_lose_nothing() {
    for answer in [Answer::Go, Answer::Queued, Answer::Invalid(99), Answer::Invalid(-1)] {
        let house = House::new(Script::dovecot());
        house.fill(4, 500, 1);
        let mut sink = Recorder::default();
        sink.on_end = Some(Box::new(move |_| answer));
        let (status, report) = house.fetch(&mut sink);
        assert_eq!(cause(&status), "sink.answer", "{answer:?}");
        assert_eq!((report.failed_sink, report.messages_taken), (1, 0));
        let mut sink = Recorder::default();
        while house.fetch(&mut sink).1.messages_taken > 0 {}
        assert_eq!(sink.delivered.len(), 4, "{answer:?}");
    }
}

#[test]
fn stop_ends_the_call_tidily_and_counts_against_nobody() {
    let house = House::new(Script::dovecot());
    house.fill(10, 500, 1);
    let mut sink = Recorder::batching();
    let mut ended = 0;
    sink.on_end = Some(Box::new(move |_| {
        ended += 1;
        if ended == 4 { Answer::Stop } else { Answer::Queued }
    }));
    let report = house.fetch_ok(&mut sink);
    assert!(report.stopped && report.more);
    assert_eq!((report.messages_taken, sink.flushes), (3, 1));
    let shown = house.shown();
    assert_eq!(shown["state"]["failures"], 0, "{shown}");
    let mut sink = Recorder::batching();
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 7);
}

#[test]
fn a_refused_message_stays_at_the_server_and_does_not_loop() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["delete"] = json!("now");
    });
    let uidls = house.fill(5, 500, 1);
    let bad = uidls[2].clone();
    let mut sink = Recorder::default();
    sink.on_end =
        Some(Box::new(move |message| if message.uidl == bad { Answer::Refuse } else { Answer::Taken }));
    let report = house.fetch_ok(&mut sink);
    assert_eq!((report.messages_taken, report.messages_refused, report.messages_deleted), (4, 1, 4));
    assert_eq!(house.pop.mailboxes().uidls(USER).len(), 1);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
    assert_eq!(house.pop.journal().retrieved(&uidls[2]), 1);
    house.act("alice", json!({"verb": "offer_again"})).unwrap();
    let mut sink = Recorder::default();
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 1);
}

#[test]
fn a_full_host_costs_at_most_three_messages_a_day_and_everything_arrives_afterwards() {
    for answer_at_end in [false, true] {
        let house = House::new(Script::dovecot());
        house.fill(50, 10_000, 1);
        let mut octets = 0;
        let mut visits = 0;
        for _ in 0..DAY / 300 {
            let mut sink = Recorder::batching();
            if answer_at_end {
                sink.on_data = Some(Box::new(|_, _| Answer::DeferFull));
            } else {
                sink.on_begin = Some(Box::new(|_| Answer::DeferFull));
            }
            let (_, report) = house::fetch(&house.instance, &mut sink, Some("alice"), false);
            visits += report.accounts_tried;
            octets += sink.octets;
            house.clock.advance(300);
        }
        let sent = house.pop.journal().count(Verb::Retr);
        if !answer_at_end {
            assert!(sent <= 3, "{sent} RETRs");
        }
        assert!(octets <= 3 * 64 * 1024 * 8, "{octets}");
        assert!(visits > 10);
        let mut sink = Recorder::batching();
        house.clock.advance(DAY);
        let mut rounds = 0;
        while sink.delivered.len() < 50 && rounds < 5 {
            house.fetch_ok(&mut sink);
            rounds += 1;
        }
        assert_eq!(sink.delivered.len(), 50);
    }
}

#[test]
fn deletion_follows_the_policy_of_the_day_a_message_was_recorded() {
    let house = House::new(Script::dovecot());
    house.fill(4, 500, 1);
    let mut sink = Recorder::default();
    house.fetch_ok(&mut sink);
    let mut changed = house.config.clone();
    changed["accounts"]["alice"]["delete"] = json!("now");
    house.instance.configure(&mut Recorder::default(), &changed.to_string()).unwrap();
    house.fill(2, 500, 50);
    let report = house.fetch_ok(&mut sink);
    assert_eq!((report.messages_taken, report.messages_deleted), (2, 2));
    assert_eq!(house.pop.mailboxes().uidls(USER).len(), 4, "older mail stays");
    let count = house.shown()["older"].as_u64().unwrap_or(4);
    house.act("alice", json!({"verb": "delete_older", "count": count})).unwrap();
    assert_eq!(house.fetch_ok(&mut sink).messages_deleted, 0, "the grace is not over");
    house.clock.advance(DAY + 1);
    house.fetch_ok(&mut sink);
    house.fetch_ok(&mut sink);
    assert!(house.pop.mailboxes().uidls(USER).is_empty());
}

#[test]
fn deletion_by_age_waits_for_its_day_and_not_for_a_jumping_clock() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["delete"] = json!({"after_days": 3});
    });
    house.fill(2, 500, 1);
    let mut sink = Recorder::default();
    house.fetch_ok(&mut sink);
    house.clock.advance(30 * DAY);
    assert_eq!(house.fetch_ok(&mut sink).messages_deleted, 0, "after a jump only a clean pass");
    assert_eq!(house.fetch_ok(&mut sink).messages_deleted, 2);
}

#[test]
fn a_lost_quit_costs_nothing() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["delete"] = json!("now");
    });
    house.fill(6, 500, 1);
    fault_once(&house, At::Verb(Verb::Quit), What::Close);
    let mut sink = Recorder::batching();
    let (status, _) = house.fetch(&mut sink);
    assert!(status.is_err());
    assert_eq!(sink.delivered.len(), 6);
    let report = house.fetch_ok(&mut sink);
    assert_eq!((report.messages_taken, report.messages_deleted), (0, 6));
    assert!(house.pop.mailboxes().uidls(USER).is_empty());
}

#[test]
fn shadow_deletes_nothing() {
    let house = House::with(Script::dovecot(), |config| {
        config["shadow"] = json!(true);
        config["always_delete"] = json!(true);
    });
    house.fill(3, 500, 1);
    let mut sink = Recorder::default();
    let report = house.fetch_ok(&mut sink);
    assert_eq!((report.messages_taken, report.messages_deleted), (3, 0));
    assert_eq!(house.pop.journal().count(Verb::Dele), 0);
    assert!(sink.lines.iter().any(|line| line.starts_with("event=would_delete")));
}

#[test]
fn two_messages_under_one_uidl_both_arrive() {
    let house = House::new(Script::dovecot());
    let boxes = house.pop.mailboxes();
    let body =
        |n: u32| Body::from_bytes(format!("Message-ID: <{n}@x>\r\nDate: d\r\nFrom: f\r\n\r\nbody {n}\r\n"));
    boxes.push(USER, Message::new("same", body(1)));
    boxes.push(USER, Message::new("same", body(2)));
    let mut sink = Recorder::batching();
    house.fetch_ok(&mut sink);
    assert_eq!(sink.delivered.len(), 2);
    assert_ne!(sink.delivered[0].key, sink.delivered[1].key);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
    // A third one comes later, and is told apart from the two that are known.
    boxes.push(USER, Message::new("same", body(3)));
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 1);
    // And one whose UIDL stood alone before.
    boxes.push(USER, Message::new("lone", body(4)));
    house.fetch_ok(&mut sink);
    boxes.push(USER, Message::new("lone", body(5)));
    house.fetch_ok(&mut sink);
    assert_eq!(sink.delivered.len(), 5);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
}

#[test]
fn a_uidl_used_again_after_it_was_pruned_arrives() {
    let house = House::new(Script::dovecot());
    let boxes = house.pop.mailboxes();
    boxes.push(USER, Message::new("u1", Body::from_bytes(b"Message-ID: <1@x>\r\n\r\none\r\n".to_vec())));
    house.fill(2, 500, 3);
    let mut sink = Recorder::batching();
    house.fetch_ok(&mut sink);
    boxes.remove(USER, b"u1");
    house.fetch_ok(&mut sink);
    boxes.push(USER, Message::new("u1", Body::from_bytes(b"Message-ID: <2@x>\r\n\r\ntwo\r\n".to_vec())));
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 1);
    assert!(!sink.delivered.last().unwrap().may_repeat);
}

#[test]
fn a_reset_of_a_thousand_uidls_delivers_only_the_new_ones() {
    let house = House::with(Script::dovecot(), |config| {
        config["defaults"] = json!({"limits": {"session_messages": 100_000}});
    });
    house.fill(1000, 400, 1);
    let mut sink = Recorder::batching();
    while house.fetch_ok(&mut sink).more {}
    assert_eq!(sink.delivered.len(), 1000);
    house.pop.mailboxes().reset_uidls(USER);
    house.fill(7, 400, 5000);
    let mut sink = Recorder::batching();
    while house.fetch_ok(&mut sink).more {}
    assert_eq!(sink.delivered.len(), 7);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
}

#[test]
fn a_mailbox_emptied_by_another_program_goes_on() {
    let house = House::new(Script::dovecot());
    house.fill(40, 400, 1);
    let mut sink = Recorder::batching();
    house.fetch_ok(&mut sink);
    house.pop.mailboxes().clear(USER);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
    house.fill(3, 400, 100);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 3);
    house.pop.mailboxes().clear(USER);
    house.fill(60, 400, 200);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 60, "other mail under other UIDLs is no reset");
}

#[test]
fn gmail_loses_nothing_when_the_sink_defers_some() {
    let house = House::new(Script::gmail());
    house.fill(600, 300, 1);
    let mut got: Vec<Vec<u8>> = Vec::new();
    for round in 0..40 {
        let mut sink = Recorder::batching();
        let mut seen = 0;
        sink.on_end = Some(Box::new(move |_| {
            seen += 1;
            if round < 6 && seen % 50 == 49 { Answer::Defer } else { Answer::Queued }
        }));
        let _ = house::fetch(&house.instance, &mut sink, Some("alice"), true);
        got.extend(sink.uidls());
        house.clock.advance(4000);
    }
    let total = got.len();
    got.sort();
    got.dedup();
    assert_eq!(got.len(), 600);
    assert_eq!(total, 600, "none twice");
    assert!(house.pop.mailboxes().uidls(USER).is_empty());
}

#[test]
fn first_fetch_new_only_and_since() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!("new_only");
    });
    house.fill(30, 500, 1);
    let mut sink = Recorder::default();
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
    assert_eq!(house.pop.journal().count(Verb::Retr), 0);
    house.fill(2, 500, 100);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 2);

    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!({"since": "2026-09-01"});
    });
    let boxes = house.pop.mailboxes();
    let dated = |uidl: &str, date: &str| {
        let text = format!("Message-ID: <{uidl}@x>\r\nDate: {date}\r\n\r\nbody\r\n");
        Message::new(uidl, Body::from_bytes(text))
    };
    boxes.push(USER, dated("old", "Mon, 31 Aug 2026 12:00:00 +0000"));
    boxes.push(USER, dated("new", "Tue, 1 Sep 2026 12:00:00 +0000"));
    boxes.push(USER, dated("undated", "some day"));
    let mut sink = Recorder::default();
    house.fetch_ok(&mut sink);
    assert_eq!(sink.uidls(), [b"new".to_vec(), b"undated".to_vec()]);
    boxes.push(USER, dated("late", "Mon, 3 Aug 2026 12:00:00 +0000"));
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 1, "only the first fetch begins at a date");
}

#[test]
fn oversize_is_left_there_until_the_limit_rises() {
    let house = House::with(Script { size_error: -90_000, ..Script::dovecot() }, |config| {
        config["accounts"]["alice"]["limits"] = json!({"max_message_bytes": 50_000});
    });
    house.fill(1, 100_000, 1);
    house.fill(3, 2000, 10);
    let mut sink = Recorder::default();
    while house.fetch_ok(&mut sink).more {}
    assert_eq!(sink.delivered.len(), 3);
    let before = house.pop.journal().count(Verb::Retr);
    house.fetch_ok(&mut sink);
    assert_eq!(house.pop.journal().count(Verb::Retr), before, "it is not asked for again");
    let mut changed = house.config.clone();
    changed["accounts"]["alice"]["limits"] = json!({"max_message_bytes": 500_000});
    house.instance.configure(&mut Recorder::default(), &changed.to_string()).unwrap();
    house.fetch_ok(&mut sink);
    assert_eq!(sink.delivered.len(), 4);
}

#[test]
fn a_long_import_ends_tidily_and_goes_on() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["limits"] = json!({"session_messages": 20});
    });
    let uidls = house.fill(50, 300, 1);
    let mut sink = Recorder::batching();
    let mut sessions = 0;
    loop {
        let report = house.fetch_ok(&mut sink);
        sessions += 1;
        if !report.more {
            break;
        }
    }
    assert_eq!((sink.uidls(), sessions), (uidls, 3));
    assert_eq!(house.pop.journal().count(Verb::Retr), 50);
}

#[test]
fn an_offer_that_says_no_costs_no_download() {
    let house = House::new(Script::dovecot());
    house.fill(6, 900, 1);
    let mut sink = Recorder::batching();
    let mut asked = 0;
    sink.on_offer = Some(Box::new(move |_| {
        asked += 1;
        match asked {
            1 => Answer::Taken,
            2 => Answer::Refuse,
            3 => Answer::Defer,
            _ => Answer::Go,
        }
    }));
    let report = house.fetch_ok(&mut sink);
    assert_eq!((report.messages_taken, report.messages_refused, report.messages_deferred), (4, 1, 1));
    assert_eq!(house.pop.journal().count(Verb::Retr), 3);
}

#[test]
fn i09_a_silent_server_ends_within_its_time_out_and_cancel_within_a_second() {
    let house = House::with(Script::dovecot(), |config| {
        config["timeouts"] = json!({"connect_s": 2, "reply_s": 1, "login_s": 1});
    });
    house.fill(2, 500, 1);
    fault_once(&house, At::Verb(Verb::Uidl), What::Stall(Duration::from_secs(30)));
    let began = std::time::Instant::now();
    let (status, _) = house.fetch(&mut Recorder::default());
    assert_eq!(cause(&status), "timeout.reply");
    assert!(began.elapsed() < Duration::from_secs(10));

    let house = House::with(Script::dovecot(), |config| {
        config["timeouts"] = json!({"connect_s": 60, "reply_s": 60, "login_s": 60});
    });
    house.fill(2, 500, 1);
    fault_once(&house, At::Verb(Verb::Uidl), What::Stall(Duration::from_secs(30)));
    let cancel = house.instance.cancel_flag();
    let began = std::time::Instant::now();
    std::thread::spawn(move || {
        std::thread::sleep(Duration::from_millis(500));
        cancel.store(true, std::sync::atomic::Ordering::Release);
    });
    let (status, report) = house.fetch(&mut Recorder::default());
    assert_eq!(cause(&status), "cancelled");
    assert_eq!(report.accounts_tried, 1);
    assert!(began.elapsed() < Duration::from_millis(1500), "{:?}", began.elapsed());
    // The call that was cancelled consumed it.
    assert_eq!(house.fetch_ok(&mut Recorder::default()).messages_taken, 2);
}

#[test]
fn two_instances_on_one_store_one_is_busy() {
    let house = House::new(Script::dovecot());
    house.fill(3, 500, 1);
    let neighbour = house.neighbour();
    let mut sink = Recorder::default();
    let stop = house.pop.stop_at(multipop_host::mock::pop3::Place::new(
        Verb::Retr,
        multipop_host::mock::pop3::Moment::BeforeReply,
    ));
    std::thread::scope(|scope| {
        let first = scope.spawn(|| house.fetch_ok(&mut Recorder::default()));
        assert!(stop.reached(Duration::from_secs(10)));
        let (status, report) = house::fetch(&neighbour, &mut sink, Some("alice"), true);
        assert_eq!((cause(&status), report.accounts_busy, report.messages_taken), ("ok", 1, 0));
        stop.release();
        assert_eq!(first.join().unwrap().messages_taken, 3);
    });
    assert!(sink.delivered.is_empty());
}

#[test]
fn not_due_is_not_tried() {
    let house = House::new(Script::dovecot());
    house.fill(1, 500, 1);
    let mut sink = Recorder::default();
    let (_, report) = house::fetch(&house.instance, &mut sink, Some("alice"), false);
    assert_eq!(report.messages_taken, 1);
    let (status, report) = house::fetch(&house.instance, &mut sink, Some("alice"), false);
    assert_eq!((cause(&status), report.accounts_tried), ("ok", 0));
    assert!(report.next_due_s >= 300 && report.next_due_s <= 330, "{}", report.next_due_s);
    let (_, report) = house::fetch(&house.instance, &mut sink, None, false);
    assert_eq!(report.accounts_tried, 0);
    assert_eq!(house.clock.now_is(), START);
}

trait NowIs {
    fn now_is(&self) -> u64;
}

impl NowIs for house::SetClock {
    fn now_is(&self) -> u64 {
        multipop::engine::call::Clock::now(self)
    }
}

#[test]
fn a_refused_login_keeps_everything_and_says_why() {
    for (refusal, status) in [
        (Refusal::Plain("-ERR [SYS/TEMP] later".into()), -30),
        (Refusal::Plain("-ERR [IN-USE] locked".into()), -30),
        (Refusal::Plain("-ERR [SYS/PERM] POP is off".into()), -15),
        (Refusal::challenge("-ERR [AUTH] Authentication failed."), -10),
    ] {
        let house = House::new(Script { refusal: refusal.clone(), ..Script::dovecot() });
        house.fill(2, 500, 1);
        house.tokens.revoke(house::TOKEN);
        let (result, _) = house.fetch(&mut Recorder::default());
        let error = result.unwrap_err();
        assert_eq!(error.status.code(), status, "{refusal:?}: {error:?}");
        assert!(!error.advice.is_empty());
        house.tokens.accept(house::TOKEN, USER);
        assert_eq!(house.fetch_ok(&mut Recorder::default()).messages_taken, 2);
    }
}
