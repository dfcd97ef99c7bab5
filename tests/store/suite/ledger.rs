//! The ledger: what is recorded is what was handed over, and only by who holds the lease.

use super::*;

fn keys_of(rows: &[LedgerRow]) -> Vec<u8> {
    rows.iter().map(|row| row.key[0]).collect()
}

pub fn rows_come_back_as_they_were_written(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    let mut refused = row(1, RowState::Refused);
    refused.uidl = Some(b"AAA\xff1".to_vec());
    refused.reason = "550 5.7.1 no".into();
    refused.ends = 2;
    refused.begun = true;
    refused.not_before = NOW + 60;
    refused.delete_at = Some(0);
    let mut durable = row(2, RowState::Durable);
    durable.recorded_at = NOW + 1;
    durable.uidl = Some(b"BBB".to_vec());
    let mut imported = row(3, RowState::Imported);
    imported.digest = None;
    store.write_rows(&lease, 1, &[refused.clone(), durable, imported], NOW).unwrap();

    let back = open().rows("inbox", 1, &[[1; 16], [2; 16], [3; 16]]).unwrap();
    let [Some(one), Some(two), Some(three)] = &back[..] else {
        panic!("{back:?}");
    };
    assert_eq!((one.state, one.ends, one.begun), (RowState::Refused, 2, true));
    assert_eq!((&one.uidl, &one.reason), (&refused.uidl, &refused.reason));
    assert_eq!((one.not_before, one.delete_at), (NOW + 60, Some(0)));
    assert_eq!((one.noted_at, one.size, one.digest), (NOW, 1001, refused.digest));
    // Nobody needs the UIDL of what arrived.
    assert_eq!((two.recorded_at, &two.uidl), (NOW + 1, &None));
    assert_eq!((three.state, three.digest), (RowState::Imported, None));
}

pub fn i01_a_lost_fence_records_nothing(open: Open) {
    let store = open();
    let mut account = put(&*store, "inbox");
    put(&*store, "other");
    let (lost, good) = (visit(&*store, "inbox"), visit(&*store, "other"));
    account.user = "elsewhere@contoso.example".into();
    store.put_account(&account, 100, NOW).unwrap();

    let delivery = |lease| Delivery { lease, generation: 1, row: row(1, RowState::Durable) };
    let recorded = store.record(&[delivery(&lost), delivery(&good), delivery(&lost)], NOW);
    assert_eq!(recorded.unwrap(), [false, true, false]);
    let lost_now = [
        store.note_in_hand(&lost, 1, &[row(2, RowState::InHand)], NOW),
        store.write_rows(&lost, 1, &[row(3, RowState::Refused)], NOW),
        store.forget(&lost, 1, &[[1; 16]], NOW),
        store.begin_generation(&lost, &[], NOW).map(drop),
    ];
    for answer in lost_now {
        assert_eq!(answer.unwrap_err().cause, "lease.lost");
    }
    assert!(store.all_rows("inbox", 1).unwrap().is_empty());
    assert!(store.all_rows("inbox", 2).unwrap().is_empty());
    assert_eq!(keys_of(&store.all_rows("other", 1).unwrap()), [1]);
}

pub fn many_accounts_are_recorded_at_once(open: Open) {
    let store = open();
    let ids = ["a", "b", "c"];
    let leases = ids.map(|id| {
        put(&*store, id);
        visit(&*store, id)
    });
    let deliveries: Vec<_> = (0..90)
        .map(|place: u8| Delivery {
            lease: &leases[usize::from(place) % 3],
            generation: 1,
            row: row(place, RowState::Durable),
        })
        .collect();
    let recorded = store.record(&deliveries, NOW + 7).unwrap();
    assert!(recorded.iter().all(|recorded| *recorded));
    for id in ids {
        let rows = open().all_rows(id, 1).unwrap();
        assert_eq!(rows.len(), 30);
        assert!(rows.iter().all(|row| row.state == RowState::Durable && row.recorded_at == NOW + 7));
    }
}

pub fn what_is_durable_is_not_noted_again(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    store.write_rows(&lease, 1, &[row(1, RowState::Durable), row(2, RowState::Gone)], NOW).unwrap();
    let again = [row(1, RowState::InHand), row(2, RowState::InHand)];
    store.note_in_hand(&lease, 1, &again, NOW).unwrap();
    let rows = store.rows("inbox", 1, &[[1; 16], [2; 16]]).unwrap();
    let states: Vec<_> = rows.into_iter().map(|row| row.unwrap().state).collect();
    assert_eq!(states, [RowState::Durable, RowState::InHand]);
}

pub fn open_rows_keep_the_order_they_were_noted_in(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    let in_hand = |keys: &[u8]| {
        let rows: Vec<_> = keys
            .iter()
            .map(|key| {
                let mut row = row(*key, RowState::InHand);
                row.uidl = Some(vec![*key]);
                row
            })
            .collect();
        store.note_in_hand(&lease, 1, &rows, NOW).unwrap();
    };
    in_hand(&[9, 3, 7, 1]);
    in_hand(&[8, 2]);
    // One is done, one changes, one is noted again: the others stay in their turn.
    store.record(&[Delivery { lease: &lease, generation: 1, row: row(3, RowState::Durable) }], NOW).unwrap();
    store.write_rows(&lease, 1, &[row(7, RowState::Deferred), row(5, RowState::Oversize)], NOW).unwrap();
    in_hand(&[9]);
    for (key, state) in [(20, RowState::Imported), (21, RowState::Gone)] {
        store.write_rows(&lease, 1, &[row(key, state)], NOW).unwrap();
    }
    assert_eq!(keys_of(&open().open_rows("inbox", 1).unwrap()), [9, 7, 1, 8, 2, 5]);
}

pub fn only_rows_whose_time_has_come_are_to_delete(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    let with = |key, state, delete_at| {
        let mut row = row(key, state);
        row.delete_at = delete_at;
        row
    };
    let rows = [
        with(1, RowState::Durable, None),
        with(2, RowState::Durable, Some(0)),
        with(3, RowState::Durable, Some(NOW + 10)),
        with(4, RowState::Durable, Some(NOW + 11)),
        with(5, RowState::Refused, Some(0)),
        with(6, RowState::Gone, Some(0)),
        with(7, RowState::Imported, Some(0)),
    ];
    store.write_rows(&lease, 1, &rows, NOW).unwrap();
    let due = || keys_of(&store.rows_to_delete("inbox", 1, NOW + 10).unwrap());
    assert_eq!(due(), [2, 3]);
    store.write_rows(&lease, 1, &[with(2, RowState::Gone, Some(0))], NOW).unwrap();
    assert_eq!(due(), [3]);
}

pub fn answers_follow_the_keys_asked_for(open: Open) {
    let store = open();
    put(&*store, "inbox");
    put(&*store, "other");
    let lease = visit(&*store, "inbox");
    store.write_rows(&lease, 1, &[row(1, RowState::Durable), row(2, RowState::Durable)], NOW).unwrap();
    let found = |account: &str, generation| -> Vec<Option<u8>> {
        let rows = store.rows(account, generation, &[[2; 16], [9; 16], [1; 16], [2; 16]]);
        rows.unwrap().iter().map(|row| row.as_ref().map(|row| row.key[0])).collect()
    };
    assert_eq!(found("inbox", 1), [Some(2), None, Some(1), Some(2)]);
    assert_eq!(found("inbox", 2), [None; 4]);
    assert_eq!(found("other", 1), [None; 4]);
}

pub fn a_mark_holds_for_its_generation(open: Open) {
    let store = open();
    put(&*store, "inbox");
    assert_eq!(store.ledger("inbox").unwrap().listing, None);
    let lease = visit(&*store, "inbox");
    let mut mark = ListingMark { count: 3, digest: [1; 32], at: NOW };
    store.mark_listing(&lease, &mark).unwrap();
    mark.count = 4;
    mark.digest = [2; 32];
    store.mark_listing(&lease, &mark).unwrap();
    assert_eq!(open().ledger("inbox").unwrap().listing, Some(mark.clone()));
    store.begin_generation(&lease, &[], NOW).unwrap();
    assert_eq!(open().ledger("inbox").unwrap().listing, None);
    store.mark_listing(&lease, &mark).unwrap();
    assert_eq!(open().ledger("inbox").unwrap().listing, Some(mark));
}

pub fn a_new_generation_begins_with_its_rows(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    store.write_rows(&lease, 1, &[row(1, RowState::Durable)], NOW).unwrap();
    let generation =
        store.begin_generation(&lease, &[row(2, RowState::Durable), row(3, RowState::InHand)], NOW).unwrap();
    assert_eq!(generation, 2);
    assert_eq!(store.ledger("inbox").unwrap().generation, 2);
    assert_eq!(keys_of(&store.all_rows("inbox", 2).unwrap()), [2, 3]);
    assert_eq!(keys_of(&store.open_rows("inbox", 2).unwrap()), [3]);
    // The lease is still good, and the rows before are still to be looked into.
    assert!(store.renew(&lease, NOW, 60).unwrap());
    assert_eq!(keys_of(&store.all_rows("inbox", 1).unwrap()), [1]);
    store.begin_generation(&lease, &[], NOW).unwrap();
    assert!(store.all_rows("inbox", 1).unwrap().is_empty());
}

pub fn forgotten_rows_are_gone(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    store.write_rows(&lease, 1, &[row(1, RowState::Gone), row(2, RowState::InHand)], NOW).unwrap();
    store.forget(&lease, 1, &[[1; 16], [9; 16]], NOW).unwrap();
    assert_eq!(keys_of(&store.all_rows("inbox", 1).unwrap()), [2]);
}

pub fn digest_keys_are_each_accounts_own_and_stay(open: Open) {
    let store = open();
    let mut changed = put(&*store, "one");
    put(&*store, "two");
    let key = |id: &str| *open().digest_key(id).unwrap().expose();
    let before = key("one");
    assert_ne!(before, key("two"));
    changed.server.host = "pop.example.com".into();
    store.put_account(&changed, 100, NOW).unwrap();
    assert_eq!(key("one"), before);
}
