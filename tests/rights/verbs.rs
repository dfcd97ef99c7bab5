//! Accounts shown, and the verbs on one of them.

use multipop::error::Status;
use multipop::model::{LedgerRow, OPERATOR, RowState};
use multipop::secret::KeyBytes;
use multipop::store::seal::KeyRing;
use multipop::store::sqlite::SqliteStore;
use multipop::store::{LeaseName, Store};
use serde_json::json;

use crate::setup::{ALICE, BOB, House, NOW, and, mailbox};

#[test]
fn accounts_are_shown_in_pages() {
    let house = House::new();
    for id in ["p1", "p2", "p3"] {
        house.put(OPERATOR, BOB, id, mailbox()).unwrap();
    }
    let first = house.page(BOB, None, None, 2).unwrap();
    let listed = [&first["accounts"][0]["id"], &first["accounts"][1]["id"]];
    assert_eq!(&first["after"], listed[1]);
    let last = house.page(BOB, None, first["after"].as_str(), 2).unwrap();
    let rest = &last["accounts"][0]["id"];
    assert!(!listed.contains(&rest) && ["p1", "p2", "p3"].contains(&rest.as_str().unwrap()));
    assert_eq!((last["accounts"].as_array().unwrap().len(), last.get("after")), (1, None));
    house.remove(BOB, "p3").unwrap();
    assert_eq!(house.list(BOB, None).unwrap().len(), 2);
}

#[test]
fn the_verbs_pause_resume_and_ask_for_the_count() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let answer = house.act(ALICE, "a", json!({ "verb": "pause" })).unwrap();
    assert_eq!(answer["account"]["state"]["paused"], true);
    assert_eq!(answer["account"]["state"].get("next_due"), None);
    let answer = house.act(ALICE, "a", json!({ "verb": "resume" })).unwrap();
    assert_eq!(answer["account"]["state"]["paused"], false);
    assert!(answer["account"]["state"]["next_due"].is_u64());
    let answer = house.act(ALICE, "a", json!({ "verb": "offer_again" })).unwrap();
    assert_eq!(answer["messages"], 0);

    let older = json!({ "verb": "delete_older" });
    assert_eq!(house.act(ALICE, "a", older.clone()).unwrap_err().cause, "argument.delete_policy");
    house.put(ALICE, ALICE, "a", and(json!({ "delete": "now" }))).unwrap();
    let answer = house.act(ALICE, "a", older).unwrap();
    assert_eq!((&answer["count"], answer.get("from")), (&json!(0), None));
    let wrong = house.act(ALICE, "a", json!({ "verb": "delete_older", "count": 3 }));
    assert_eq!(wrong.unwrap_err().cause, "argument.count");
    let answer = house.act(ALICE, "a", json!({ "verb": "delete_older", "count": 0 })).unwrap();
    assert_eq!(answer["from"], NOW + 86_400);
    let answer = house.act(ALICE, "a", json!({ "verb": "keep_older" })).unwrap();
    assert_eq!(answer["account"]["state"].get("delete_older_from"), None);

    let reset = json!({ "verb": "uidl_reset", "same_mail": true });
    assert_eq!(house.act(ALICE, "a", reset.clone()).unwrap_err().cause, "rights.operator");
    assert_eq!(house.act(OPERATOR, "a", reset).unwrap_err().cause, "argument.no_question");
    let unknown = house.act(ALICE, "a", json!({ "verb": "explode" })).unwrap_err();
    assert_eq!(unknown.status, Status::Argument);
}

#[test]
fn i14_what_the_operator_paused_only_he_resumes() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let verb = |actor: &str, verb: &str| house.act(actor, "a", json!({ "verb": verb }));
    verb(ALICE, "pause").unwrap();
    assert_eq!(verb(ALICE, "resume").unwrap()["account"]["state"].get("held"), None);
    let paused = verb(OPERATOR, "pause").unwrap();
    assert_eq!(paused["account"]["state"]["held"], true);
    // Neither by pausing it himself first, nor by putting it again.
    verb(ALICE, "pause").unwrap();
    house.put(ALICE, ALICE, "a", and(json!({ "user": "other@example.net" }))).unwrap();
    let refused = verb(ALICE, "resume").unwrap_err();
    assert_eq!((refused.status, refused.cause), (Status::Rights, "rights.held"));
    assert_eq!(house.one("a")["state"]["paused"], true);
    assert_eq!(verb(OPERATOR, "resume").unwrap()["account"]["state"]["paused"], false);
    verb(ALICE, "pause").unwrap();
    verb(ALICE, "resume").unwrap();
}

/// A row as a visit leaves it.
fn row(uidl: &str, state: RowState, delete_at: Option<u64>) -> LedgerRow {
    let mut key = [0; 16];
    key[..uidl.len()].copy_from_slice(uidl.as_bytes());
    LedgerRow {
        key,
        state,
        noted_at: 1_700_000_000,
        recorded_at: 1_700_000_000,
        digest: None,
        message_id: None,
        size: 1000,
        ends: 0,
        begun: false,
        not_before: 1_900_000_000,
        delete_at,
        uidl: Some(uidl.as_bytes().to_vec()),
        reason: "552 5.2.2 over quota".into(),
    }
}

#[test]
fn what_waits_is_shown_and_offered_again_and_older_mail_is_counted() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", and(json!({ "delete": "now" }))).unwrap();
    let keys = KeyRing::new(vec![KeyBytes::new([0xab; 32])]).unwrap();
    let store = SqliteStore::open(&house.path("store.db"), &keys, NOW).unwrap();
    let lease = store.lease(&LeaseName::Account("a".into()), NOW, 60).unwrap().unwrap();
    let rows = [
        row("refused", RowState::Refused, None),
        row("aside", RowState::SetAside, None),
        row("large", RowState::Oversize, None),
        row("old-1", RowState::Durable, None),
        row("old-2", RowState::Durable, None),
        row("new", RowState::Durable, Some(0)),
        row("imported", RowState::Imported, None),
    ];
    store.write_rows(&lease, 1, &rows, NOW).unwrap();

    let offer = json!({ "verb": "offer_again" });
    let busy = house.act(ALICE, "a", offer.clone()).unwrap_err();
    assert_eq!((busy.status, busy.cause), (Status::Transient, "account.busy"));
    store.release(&lease, true).unwrap();

    let shown = house.one("a");
    let attention: Vec<(&str, &str)> = shown["attention"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["uidl"].as_str().unwrap(), one["what"].as_str().unwrap()))
        .collect();
    assert_eq!(attention.len(), 3, "{attention:?}");
    for one in [("refused", "refused"), ("aside", "set_aside"), ("large", "oversize")] {
        assert!(attention.contains(&one), "{attention:?}");
    }
    assert_eq!(shown["older"], 2);

    let unknown = house.act(ALICE, "a", json!({ "verb": "offer_again", "uidl": "old-1" }));
    assert_eq!(unknown.unwrap_err().cause, "argument.uidl");
    let one = house.act(ALICE, "a", json!({ "verb": "offer_again", "uidl": "refused" })).unwrap();
    assert_eq!(one["messages"], 1);
    let all = house.act(ALICE, "a", offer).unwrap();
    assert_eq!(all["messages"], 2, "the refused one again, and the one set aside; none over the limit");
    let open = store.open_rows("a", 1).unwrap();
    let of = |uidl: &str| open.iter().find(|row| row.uidl.as_deref() == Some(uidl.as_bytes())).unwrap();
    assert_eq!((of("refused").state, of("refused").not_before), (RowState::Deferred, 0));
    assert_eq!((of("aside").state, of("aside").not_before), (RowState::SetAside, 0));
    assert_eq!((of("large").state, of("large").not_before), (RowState::Oversize, 1_900_000_000));

    let older = |count: u64| house.act(ALICE, "a", json!({ "verb": "delete_older", "count": count }));
    assert_eq!(older(3).unwrap_err().cause, "argument.count");
    assert_eq!(house.one("a")["state"].get("delete_older_from"), None);
    older(2).unwrap();
    assert_eq!(house.one("a")["state"]["delete_older_from"], NOW + 86_400);
}
