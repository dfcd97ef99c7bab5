//! What seldom happens and must cost nothing: odd answers, odd servers, changed settings (I1, I2, I15).

mod house;

use std::time::Duration;

use house::{DAY, House, Recorder, USER, cause};
use multipop::model::Answer;
use multipop::service::fetch::FetchRequest;
use multipop_host::mock::mail::Body;
use multipop_host::mock::pop3::{At, Fault, Message, Script, Verb, What};
use serde_json::json;

fn fault(house: &House, at: At, what: What, times: u32) {
    house.pop.change(|script| script.faults.push(Fault::new(at, what).times(times)));
}

fn reconfigure(house: &mut House, change: impl FnOnce(&mut serde_json::Value)) {
    change(&mut house.config);
    house.configure().unwrap();
}

fn mail(n: u32) -> Body {
    Body::from_bytes(format!("Message-ID: <{n}@x>\r\nDate: d\r\nFrom: f\r\n\r\nbody {n}\r\n"))
}

#[test]
fn a_changed_setting_makes_no_mail_known_that_never_came() {
    let mut house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!("new_only");
    });
    house.fill(3, 500, 1);
    let mut sink = Recorder::default();
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
    house.fill(2, 500, 50);
    reconfigure(&mut house, |config| config["accounts"]["alice"]["interval_s"] = json!(600));
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 2);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
}

#[test]
fn an_oversize_message_that_was_planned_and_not_begun_is_not_lost_sight_of() {
    let mut house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["limits"] = json!({"max_message_bytes": 50_000});
    });
    house.fill(2, 60_000, 1);
    let mut sink = Recorder::default();
    house.fetch_ok(&mut sink);
    house.fetch_ok(&mut sink);
    reconfigure(&mut house, |config| {
        config["accounts"]["alice"]["limits"] = json!({"max_message_bytes": 500_000, "session_messages": 1});
    });
    assert!(house.fetch_ok(&mut sink).more);
    house.fetch_ok(&mut sink);
    assert_eq!(sink.delivered.len(), 2);
}

#[test]
fn a_header_that_could_not_be_read_once_hides_nothing_and_doubles_nothing() {
    let house = House::new(Script::dovecot());
    let boxes = house.pop.mailboxes();
    boxes.push(USER, Message::new("same", mail(1)));
    boxes.push(USER, Message::new("same", mail(2)));
    let mut sink = Recorder::batching();
    house.fetch_ok(&mut sink);
    assert_eq!(sink.delivered.len(), 2);
    boxes.push(USER, Message::new("same", mail(3)));
    fault(&house, At::Verb(Verb::Top), What::Err("later".into()), 3);
    fault(&house, At::Verb(Verb::Retr), What::Err("later".into()), 3);
    let (status, _) = house.fetch(&mut sink);
    assert_eq!(cause(&status), "ok");
    assert_eq!(sink.delivered.len(), 2);
    house.fetch_ok(&mut sink);
    assert_eq!(sink.delivered.len(), 3);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
}

#[test]
fn a_flush_that_fails_for_hours_sets_no_message_aside() {
    let house = House::new(Script::dovecot());
    house.fill(4, 1000, 1);
    for _ in 0..8 {
        let mut sink = Recorder::batching();
        sink.on_flush = Some(Box::new(|_| Answer::DeferFull));
        let (status, _) = house.fetch(&mut sink);
        assert_eq!(cause(&status), "sink.flush_failed");
        house.clock.advance(3700);
    }
    let mut sink = Recorder::batching();
    for _ in 0..3 {
        let _ = house.fetch(&mut sink);
    }
    assert_eq!(sink.delivered.len(), 4);
    assert!(sink.delivered.iter().all(|one| one.may_repeat));
}

#[test]
fn an_oversize_message_in_a_pipelined_window_costs_the_others_nothing() {
    let house = House::with(Script { size_error: -90_000, ..Script::dovecot() }, |config| {
        config["accounts"]["alice"]["limits"] = json!({"max_message_bytes": 50_000});
    });
    house.fill(3, 1000, 1);
    house.fill(1, 100_000, 10);
    house.fill(5, 1000, 20);
    let mut sink = Recorder::default();
    for _ in 0..4 {
        let (status, _) = house.fetch(&mut sink);
        assert_eq!(cause(&status), "ok");
    }
    assert_eq!(sink.delivered.len(), 8);
    assert!(sink.delivered.iter().all(|one| !one.may_repeat));
}

#[test]
fn login_delay_holds_after_a_long_session_too() {
    let house = House::with(Script::gmail(), |config| {
        config["accounts"]["alice"]["limits"] = json!({"session_messages": 5});
    });
    house.fill(20, 500, 1);
    let mut sink = Recorder::batching();
    let clock = house.clock.clone();
    sink.on_end = Some(Box::new(move |_| {
        clock.advance(2);
        Answer::Queued
    }));
    let report = house.fetch_ok(&mut sink);
    assert!(report.more && report.messages_taken == 5);
    assert!(report.next_due_s > 280, "{}", report.next_due_s);
}

#[test]
fn i15_a_message_whose_header_breaks_the_session_costs_only_itself() {
    // A first fetch by date, and a UIDL that stands twice.
    for twice in [false, true] {
        let house = House::with(Script::dovecot(), |config| {
            config["accounts"]["alice"]["first_fetch"] = json!({"since": "2020-01-01"});
        });
        let uidls = house.fill(6, 500, 1);
        let boxes = house.pop.mailboxes();
        let bad = if twice {
            boxes.push(USER, Message::new("same", mail(1)));
            boxes.push(USER, Message::new("same", mail(2)));
            b"same".to_vec()
        } else {
            uidls[2].clone()
        };
        for verb in [Verb::Top, Verb::Retr] {
            house.pop.change(|script| {
                script.faults.push(Fault::new(At::Message(verb, bad.clone().into()), What::Close));
            });
        }
        let mut sink = Recorder::batching();
        for _ in 0..9 {
            let _ = house.fetch(&mut sink);
            house.clock.advance(600);
        }
        assert_eq!(sink.delivered.len(), if twice { 6 } else { 5 }, "twice: {twice}");
        assert_eq!(house.shown()["state"]["outcome"], "ok");
        house.pop.change(|script| script.faults.clear());
        house.clock.advance(DAY + 1);
        house.fetch_ok(&mut sink);
        house.fetch_ok(&mut sink);
        assert_eq!(sink.delivered.len(), if twice { 8 } else { 6 }, "twice: {twice}");
    }
}

#[test]
fn deleting_more_than_a_call_has_time_for_goes_on_in_the_next() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["delete"] = json!("now");
    });
    house.fill(200, 100, 1);
    fault(&house, At::Verb(Verb::Quit), What::Close, 1);
    let mut sink = Recorder::batching();
    assert!(house.fetch(&mut sink).0.is_err());
    assert_eq!(sink.delivered.len(), 200);
    house.pop.change(|script| script.round_trip = Duration::from_millis(60));
    let request = FetchRequest { actor: "*", account: Some("alice"), deadline_s: 2, now: true };
    let (status, report) = house.instance.fetch_once(&mut sink, &request);
    status.unwrap();
    let report = report.unwrap();
    assert!(report.more && report.messages_deleted > 0, "{report:?}");
    assert_eq!(house.pop.mailboxes().uidls(USER).len() as u64, 200 - report.messages_deleted);
}

#[test]
fn one_message_deferred_again_and_again_is_not_downloaded_each_time() {
    let house = House::new(Script::dovecot());
    house.fill(1, 500, 1);
    let large = house.fill(1, 20_000, 2).remove(0);
    for _ in 0..DAY / 300 {
        let mut sink = Recorder::batching();
        let large = large.clone();
        sink.on_end = Some(Box::new(
            move |message| {
                if message.uidl == large { Answer::DeferFull } else { Answer::Queued }
            },
        ));
        let _ = house::fetch(&house.instance, &mut sink, Some("alice"), false);
        house.clock.advance(300);
    }
    let times = house.pop.journal().retrieved(&large);
    assert!((10..=36).contains(&times), "{times} downloads");
}

#[test]
fn sizes_beyond_all_bounds_are_only_sizes() {
    let house = House::new(Script { size_error: i64::MAX, ..Script::dovecot() });
    house.fill(3, 500, 1);
    let (status, report) = house.fetch(&mut Recorder::default());
    assert_eq!((cause(&status), report.messages_refused), ("ok", 3));
}

#[test]
fn deletion_by_age_works_where_the_interval_is_longer_than_a_day() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["delete"] = json!({"after_days": 3});
        config["accounts"]["alice"]["interval_s"] = json!(DAY);
    });
    house.fill(2, 500, 1);
    let mut sink = Recorder::default();
    for _ in 0..6 {
        let _ = house::fetch(&house.instance, &mut sink, Some("alice"), false);
        house.clock.advance(DAY + DAY / 5);
    }
    assert!(house.pop.mailboxes().uidls(USER).is_empty());
}

#[test]
fn the_operator_s_same_mail_covers_no_more_than_was_known() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!("new_only");
    });
    house.fill(30, 500, 1);
    let mut sink = Recorder::default();
    house.fetch_ok(&mut sink);
    house.pop.mailboxes().reset_uidls(USER);
    let fresh = house.fill(4, 500, 100);
    let (status, _) = house.fetch(&mut sink);
    assert_eq!(cause(&status), "mailbox.reset_question");
    house.act("alice", json!({"verb": "uidl_reset", "same_mail": true})).unwrap();
    house.fetch_ok(&mut sink);
    assert_eq!(sink.uidls(), fresh);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
}

/// Whatever the host says at whatever step, and wherever it cancels: everything arrives, and what arrives again was
/// told as a possible repetition under its first key.
#[test]
fn i01_any_answer_at_any_step_and_any_cancel_lose_nothing() {
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Step {
        Offer,
        Begin,
        Data,
        End,
        Flush,
    }
    for script in [Script::dovecot(), Script::gmail()] {
        for step in [Step::Offer, Step::Begin, Step::Data, Step::End, Step::Flush] {
            for answer in [Some(Answer::Stop), Some(Answer::DeferRecipient), Some(Answer::Invalid(9)), None] {
                for at in [1, 4] {
                    let what = format!("{step:?} {answer:?} {at} {}", script.retr_is_final);
                    let house = House::with(script.clone(), |config| {
                        config["accounts"]["alice"]["delete"] = json!("now");
                        config["limits"] = json!({"flush_messages": 2});
                    });
                    let uidls = house.fill(6, 3000, 1);
                    let mut sink = Recorder::batching();
                    let cancel = house.instance.cancel_flag();
                    let count = std::rc::Rc::new(std::cell::Cell::new(0));
                    let say = move |here: Step, usual: Answer| {
                        if here != step {
                            return usual;
                        }
                        count.set(count.get() + 1);
                        match answer {
                            Some(answer) if count.get() == at => answer,
                            None if count.get() == at => {
                                cancel.store(true, std::sync::atomic::Ordering::Release);
                                std::thread::sleep(Duration::from_millis(120));
                                usual
                            }
                            _ => usual,
                        }
                    };
                    let (a, b, c, d) = (say.clone(), say.clone(), say.clone(), say.clone());
                    if step == Step::Offer {
                        sink.on_offer = Some(Box::new(move |_| a(Step::Offer, Answer::Go)));
                    }
                    sink.on_begin = Some(Box::new(move |_| b(Step::Begin, Answer::Go)));
                    sink.on_data = Some(Box::new(move |_, _| c(Step::Data, Answer::Go)));
                    sink.on_end = Some(Box::new(move |_| d(Step::End, Answer::Queued)));
                    sink.on_flush = Some(Box::new(move |_| say(Step::Flush, Answer::Go)));
                    let _ = house.fetch(&mut sink);
                    let first = sink.delivered.len();
                    for _ in 0..6 {
                        house.clock.advance(4000);
                        let (status, _) = house.fetch(&mut sink);
                        assert_eq!(cause(&status), "ok", "{what}");
                    }
                    let mut got = sink.uidls();
                    got.sort();
                    got.dedup();
                    assert_eq!(got, uidls, "{what}");
                    for again in &sink.delivered[first..] {
                        let before = sink.delivered[..first].iter().find(|one| one.uidl == again.uidl);
                        if let Some(before) = before {
                            assert!(again.may_repeat && again.key == before.key, "{what}");
                            assert!(step == Step::Flush || answer.is_none(), "twice: {what}");
                        }
                    }
                    assert!(house.pop.mailboxes().uidls(USER).is_empty(), "{what}");
                }
            }
        }
    }
}

/// Many accounts, less room than one message, a host that is slow and says no now and then.
#[test]
fn many_accounts_share_a_tiny_pool() {
    let users: Vec<String> = (0..30).map(|n| format!("user{n}@contoso.example")).collect();
    let house = House::with(Script::dovecot(), |config| {
        config["limits"] = json!({"prefetch_bytes": 65_536, "sessions": 30, "flush_messages": 7});
        let server = config["accounts"]["alice"]["server"].clone();
        let token = config["accounts"]["alice"]["token_file"].as_str().unwrap().to_owned();
        for user in &users {
            std::fs::write(format!("{token}-{user}"), format!("token-{user}")).unwrap();
            config["accounts"][user] = json!({"owner": house::OWNER, "server": server, "user": user,
                "token_file": format!("{token}-{user}"), "deliver_to": "x"});
        }
    });
    for user in &users {
        house.tokens.accept(&format!("token-{user}"), user);
        house.pop.mailboxes().add_user(user);
        house.pop.mailboxes().fill(user, 6, 150_000, 1);
    }
    let mut sink = Recorder::batching();
    let mut ends = 0;
    sink.on_end = Some(Box::new(move |_| {
        ends += 1;
        std::thread::sleep(Duration::from_millis(2));
        if ends % 17 == 0 { Answer::Defer } else { Answer::Queued }
    }));
    let (status, report) = house::fetch(&house.instance, &mut sink, None, false);
    status.unwrap();
    assert_eq!(report.accounts_tried, 31);
    house.clock.advance(4000);
    sink.on_end = None;
    house::fetch(&house.instance, &mut sink, None, false).0.unwrap();
    assert_eq!(sink.delivered.len(), 180);
}

#[test]
fn a_server_that_keeps_what_it_said_retr_would_take_is_not_read_again_at_every_poll() {
    let house = House::new(Script { retr_is_final: false, window: None, ..Script::gmail() });
    house.fill(5, 500, 1);
    let mut sink = Recorder::batching();
    for _ in 0..5 {
        house.fetch_ok(&mut sink);
        house.clock.advance(400);
    }
    assert_eq!((sink.delivered.len(), house.pop.journal().count(Verb::Retr)), (5, 5));
}

#[test]
fn an_unfinished_delivery_whose_uidl_comes_to_stand_twice_comes_once() {
    let house = House::new(Script::dovecot());
    let boxes = house.pop.mailboxes();
    boxes.push(USER, Message::new("lone", mail(1)));
    fault(&house, At::Verb(Verb::Retr), What::DropAfter(10), 1);
    let mut sink = Recorder::batching();
    assert!(house.fetch(&mut sink).0.is_err());
    boxes.push(USER, Message::new("lone", mail(2)));
    house.fetch_ok(&mut sink);
    assert_eq!(sink.delivered.len(), 2);
    // The second one goes; the first stands alone again.
    let first = Message::new("lone", mail(1));
    boxes.clear(USER);
    boxes.push(USER, first);
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 0);
}

#[test]
fn the_operator_s_other_mail_is_asked_for_once() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!("new_only");
    });
    house.fill(30, 500, 1);
    let mut sink = Recorder::default();
    house.fetch_ok(&mut sink);
    house.pop.mailboxes().reset_uidls(USER);
    assert_eq!(cause(&house.fetch(&mut sink).0), "mailbox.reset_question");
    house.act("alice", json!({"verb": "uidl_reset", "same_mail": false})).unwrap();
    fault(&house, At::Verb(Verb::Retr), What::Close, 1);
    assert_eq!(cause(&house.fetch(&mut sink).0), "connection.no_reply");
    house.fetch_ok(&mut sink);
    assert_eq!(sink.delivered.len(), 30);
    assert!(house.act("alice", json!({"verb": "uidl_reset", "same_mail": false})).is_err());
}
