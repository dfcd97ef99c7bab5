//! The history: what the ledger's writes tell, how much of it is kept, and that it goes with its account.

use super::*;

const DAY: u64 = 24 * 3600;

fn told(store: &dyn Store, asked: Asked, now: UnixTime) -> Vec<(u8, What)> {
    let became = store.what_became("inbox", &asked, now, 100_000).unwrap();
    became.happenings.iter().map(|one| (one.key[0], one.what)).collect()
}

pub fn pass(at: UnixTime) -> Pass {
    Pass {
        begun: at,
        ended: at + 1,
        process: String::new(),
        outcome: Outcome::OkMore,
        status: 0,
        cause: String::new(),
        listed: Some(7),
        new: 3,
        taken: 2,
        deferred: 1,
        refused: 0,
        deleted: 4,
        bytes: 5000,
    }
}

pub fn line(text: &str) -> TraceLine {
    TraceLine { at: NOW, ms: 12, text: text.into() }
}

pub fn what_changes_a_row_is_told_with_it(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    let in_hand: Vec<LedgerRow> =
        (1..=4).map(|key| LedgerRow { uidl: Some(vec![b'u', key]), ..row(key, RowState::InHand) }).collect();
    store.note_in_hand(&lease, 1, &in_hand, NOW).unwrap();
    // Put back unbegun and noted again, it was seen once.
    store.forget(&lease, 1, &[[4; 16]], NOW + 1).unwrap();
    store.note_in_hand(&lease, 1, &in_hand[3..], NOW + 1).unwrap();
    let taken = LedgerRow {
        message_id: Some([9; 16]),
        uidl: Some(b"u\x01".to_vec()),
        reason: "250 queued as 4711".into(),
        ..row(1, RowState::Durable)
    };
    assert_eq!(
        store.record(&[Delivery { lease: &lease, generation: 1, row: taken }], NOW + 2).unwrap(),
        [true]
    );
    let mut deferred = row(2, RowState::Deferred);
    (deferred.not_before, deferred.reason) = (NOW + 60, "452 full".into());
    let refused = LedgerRow { message_id: Some([8; 16]), ..row(3, RowState::Refused) };
    store.write_rows(&lease, 1, &[deferred.clone(), refused], NOW + 3).unwrap();
    // Deleted without its Message-ID in hand: the ledger remembers it.
    store.write_rows(&lease, 1, &[row(1, RowState::Gone)], NOW + 4).unwrap();
    // A note that is no deletion, and a mailbox recorded as a whole, are not told.
    store.write_rows(&lease, 1, &[row(7, RowState::Gone), row(8, RowState::Imported)], NOW + 5).unwrap();
    deferred.not_before = 0;
    store.write_rows(&lease, 1, &[deferred], NOW + 6).unwrap();
    store.forget(&lease, 1, &[[2; 16], [8; 16]], NOW + 7).unwrap();

    let another = open();
    use What::*;
    let all = [
        (1, Seen),
        (2, Seen),
        (3, Seen),
        (4, Seen),
        (1, Taken),
        (2, Deferred),
        (3, Refused),
        (1, Deleted),
        (2, OfferedAgain),
        (2, Vanished),
    ];
    assert_eq!(told(&*another, Asked::All, NOW + 9), all);
    assert_eq!(told(&*another, Asked::MessageId([9; 16]), NOW + 9), [(1, Seen), (1, Taken), (1, Deleted)]);
    assert_eq!(told(&*another, Asked::MessageId([7; 16]), NOW + 9), []);
    assert_eq!(told(&*another, Asked::Since(NOW + 4), NOW + 9), all[7..]);
    let by_uidl = Asked::Uidl { uidl: b"u\x02".to_vec(), keys: vec![[2; 16]] };
    assert_eq!(
        told(&*another, by_uidl, NOW + 9),
        [(2, Seen), (2, Deferred), (2, OfferedAgain), (2, Vanished)]
    );

    let became = another.what_became("inbox", &Asked::MessageId([9; 16]), NOW + 9, 100).unwrap();
    let taken = &became.happenings[1];
    assert_eq!((taken.at, taken.size, taken.answer.as_str()), (NOW + 2, 1001, "250 queued as 4711"));
    assert_eq!(taken.process, format!("pid {}", std::process::id()));
    assert_eq!(taken.uidl.as_deref(), Some(&b"u\x01"[..]));
    assert_eq!(became.rows.iter().map(|row| row.state).collect::<Vec<_>>(), [RowState::Gone]);
    // Only number 4 waits without its header.
    assert_eq!(became.unread, 1);
    let last = another.what_became("inbox", &Asked::All, NOW + 9, 2).unwrap();
    assert!(last.more);
    assert_eq!(last.happenings.iter().map(|one| one.what).collect::<Vec<_>>(), [OfferedAgain, Vanished]);
}

pub fn a_lost_fence_tells_nothing(open: Open) {
    let store = open();
    let mut account = put(&*store, "inbox");
    let lost = visit(&*store, "inbox");
    account.user = "elsewhere@contoso.example".into();
    store.put_account(&account, 100, NOW).unwrap();
    let delivery = Delivery { lease: &lost, generation: 1, row: row(1, RowState::Durable) };
    assert_eq!(store.record(&[delivery], NOW).unwrap(), [false]);
    assert!(store.note_in_hand(&lost, 1, &[row(2, RowState::InHand)], NOW).is_err());
    assert!(!store.end_visit(&lost, &pass(NOW), &[line("C: CAPA")], &mut |_| ()).unwrap());
    store.add_trace(&lost, &[line("C: CAPA")], NOW).unwrap();
    assert_eq!(told(&*store, Asked::All, NOW), []);
    assert!(store.passes("inbox").unwrap().is_empty());
    assert!(store.trace("inbox").unwrap().lines.is_empty());
}

pub fn a_hundred_passes_are_kept_of_each_account(open: Open) {
    let store = open();
    put(&*store, "inbox");
    put(&*store, "other");
    let lease = visit(&*store, "inbox");
    let other = visit(&*store, "other");
    assert!(store.end_visit(&other, &pass(1), &[], &mut |_| ()).unwrap());
    for at in 0..105 {
        let ended = store.end_visit(&lease, &pass(NOW + at), &[], &mut |state| state.failures += 1);
        assert!(ended.unwrap());
    }
    let kept = open().passes("inbox").unwrap();
    assert_eq!((kept.len(), kept[0].begun, kept[99].begun), (100, NOW + 5, NOW + 104));
    let process = format!("pid {}", std::process::id());
    assert_eq!(kept[99], Pass { process, ..pass(NOW + 104) });
    assert_eq!(open().account("inbox").unwrap().unwrap().state.failures, 105, "in the same transaction");
    assert_eq!(open().passes("other").unwrap().len(), 1);
    assert!(store.add_pass(&"other".into(), &pass(2), &mut |state| state.failures = 7).unwrap());
    assert_eq!(open().passes("other").unwrap().len(), 2);
    assert_eq!(open().account("other").unwrap().unwrap().state.failures, 7);

    // Not into a later account of the id.
    let before = open().account("other").unwrap().unwrap().known();
    store.remove_account("other", true).unwrap();
    assert!(!store.add_pass(&before, &pass(3), &mut |_| panic!()).unwrap());
    put(&*store, "other");
    assert!(!store.add_pass(&before, &pass(3), &mut |_| panic!()).unwrap());
    assert!(open().passes("other").unwrap().is_empty());
}

pub fn a_visit_that_came_to_no_end_is_noted_by_the_next(open: Open) {
    put(&*open(), "inbox");
    let name = LeaseName::Account("inbox".into());
    let begin = |at| open().lease(&name, at, 120).unwrap().unwrap();
    let lease = begin(NOW);
    assert!(open().renew(&lease, NOW + 60, 120).unwrap());
    // Killed.
    drop(lease);
    let store = open();
    let lease = store.lease(&name, NOW + 900, 120).unwrap().unwrap();
    let died = store.passes("inbox").unwrap();
    assert_eq!(died.len(), 1);
    assert_eq!((died[0].begun, died[0].ended, died[0].listed), (NOW + 60, NOW + 60, None));
    assert_eq!((died[0].cause.as_str(), died[0].process.is_empty()), ("visit.died", false));
    assert!(store.end_visit(&lease, &pass(NOW + 901), &[], &mut |_| ()).unwrap());
    store.release(&lease, true).unwrap();

    // One that ended, or of which somebody told, is no other.
    let lease = store.lease(&name, NOW + 902, 120).unwrap().unwrap();
    assert_eq!(store.passes("inbox").unwrap().len(), 2);
    drop(lease);
    assert!(store.add_pass(&"inbox".into(), &pass(NOW + 903), &mut |_| ()).unwrap());
    let lease = begin(NOW + 904);
    // Nor is one whose account was moved to another mailbox under it.
    let mut moved = store.account("inbox").unwrap().unwrap().account;
    moved.user = "elsewhere@contoso.example".into();
    store.put_account(&moved, 1000, NOW + 905).unwrap();
    drop(lease);
    drop(begin(NOW + 906));
    assert_eq!(store.passes("inbox").unwrap().iter().filter(|pass| pass.cause == "visit.died").count(), 1);
}

pub fn thirty_days_are_kept_of_what_happened(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    store.note_in_hand(&lease, 1, &[row(1, RowState::InHand)], NOW).unwrap();
    store.note_in_hand(&lease, 1, &[row(2, RowState::InHand)], NOW + 10 * DAY).unwrap();
    assert_eq!(told(&*store, Asked::All, NOW + 30 * DAY).len(), 2);
    // Neither shown any more, nor kept once the account is visited, or written to, again.
    assert_eq!(told(&*store, Asked::All, NOW + 30 * DAY + 1), [(2, What::Seen)]);
    assert!(store.end_visit(&lease, &pass(NOW + 31 * DAY), &[], &mut |_| ()).unwrap());
    assert_eq!(told(&*store, Asked::All, NOW), [(2, What::Seen)]);
    store.note_in_hand(&lease, 1, &[row(3, RowState::InHand)], NOW + 41 * DAY).unwrap();
    assert_eq!(told(&*store, Asked::All, NOW), [(3, What::Seen)]);
}

pub fn so_many_happenings_are_kept_and_no_more(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    let mut number = 0_u32;
    for _ in 0..21 {
        let rows: Vec<LedgerRow> = (0..1000)
            .map(|_| {
                number += 1;
                let mut key = [0; 16];
                key[..4].copy_from_slice(&number.to_be_bytes());
                LedgerRow { key, ..row(0, RowState::InHand) }
            })
            .collect();
        store.note_in_hand(&lease, 1, &rows, NOW).unwrap();
    }
    let kept = store.what_became("inbox", &Asked::All, NOW, 100_000).unwrap().happenings;
    let number = |one: &Happening| u32::from_be_bytes(one.key[..4].try_into().unwrap());
    assert_eq!((kept.len(), number(&kept[0]), number(&kept[19_999])), (20_000, 1001, 21_000));
}

pub fn a_trace_is_on_for_every_instance_until_its_time(open: Open) {
    let store = open();
    put(&*store, "inbox");
    put(&*store, "other");
    assert_eq!(store.traced("inbox", NOW).unwrap(), None);
    store.trace_until("inbox", NOW + 60).unwrap();
    assert_eq!(open().traced("inbox", NOW + 59).unwrap(), Some(NOW + 60));
    assert_eq!(open().traced("inbox", NOW + 60).unwrap(), None);
    assert_eq!(open().traced("other", NOW).unwrap(), None);
    let lease = visit(&*store, "inbox");
    store.add_trace(&lease, &[line("C: CAPA"), line("S: +OK")], NOW).unwrap();
    assert!(store.end_visit(&lease, &pass(NOW), &[line("C: QUIT")], &mut |_| ()).unwrap());
    let trace = open().trace("inbox").unwrap();
    let texts: Vec<&str> = trace.lines.iter().map(|(_, line)| line.text.as_str()).collect();
    assert_eq!((trace.until, texts), (NOW + 60, vec!["C: CAPA", "S: +OK", "C: QUIT"]));
    assert_eq!(trace.lines[0].0, format!("pid {}", std::process::id()));
    store.trace_until("inbox", 0).unwrap();
    assert_eq!(store.traced("inbox", NOW).unwrap(), None);
    assert_eq!(store.trace("inbox").unwrap().lines.len(), 3, "what was traced stays to be read");
    store.trace_until("inbox", NOW + 90).unwrap();
    assert!(store.trace("inbox").unwrap().lines.is_empty(), "another trace begins empty");
}

pub fn a_trace_is_a_bounded_ring(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    for round in 0..30 {
        let lines: Vec<TraceLine> = (0..100).map(|n| line(&format!("S: {round} {n}"))).collect();
        store.add_trace(&lease, &lines, NOW).unwrap();
    }
    let kept = store.trace("inbox").unwrap().lines;
    assert!((1_900..=TRACE_LINES as usize).contains(&kept.len()), "{}", kept.len());
    assert_eq!(kept.last().unwrap().1.text, "S: 29 99");
    let long: Vec<TraceLine> = (0..2_000).map(|_| line(&"x".repeat(1_000))).collect();
    store.add_trace(&lease, &long, NOW).unwrap();
    let kept = store.trace("inbox").unwrap().lines;
    assert!((150..=TRACE_BYTES as usize / 1_000).contains(&kept.len()), "{}", kept.len());
    // Nor is it kept for ever.
    store.end_visit(&lease, &pass(NOW + 31 * DAY), &[], &mut |_| ()).unwrap();
    assert!(store.trace("inbox").unwrap().lines.is_empty());
}

pub fn the_history_goes_with_its_account_and_its_owner(open: Open) {
    let store = open();
    let fill = || {
        let lease = visit(&*store, "inbox");
        store.note_in_hand(&lease, 1, &[row(1, RowState::InHand)], NOW).unwrap();
        store.trace_until("inbox", NOW + 60).unwrap();
        store.end_visit(&lease, &pass(NOW), &[line("C: CAPA")], &mut |_| ()).unwrap();
        store.release(&lease, true).unwrap();
    };
    let is_empty = || {
        told(&*store, Asked::All, NOW).is_empty()
            && store.passes("inbox").unwrap().is_empty()
            && store.traced("inbox", NOW).unwrap().is_none()
            && store.trace("inbox").unwrap().lines.is_empty()
    };
    put(&*store, "inbox");
    fill();
    assert!(!is_empty());
    assert!(store.remove_account("inbox", false).unwrap());
    assert_eq!(store.passes("inbox").unwrap_err().status, multipop::error::Status::Rights);
    put(&*store, "inbox");
    assert!(is_empty());

    assert!(store.remove_account("inbox", true).unwrap());
    let configured =
        |owner: &str, digest| Desired { digest: [digest; 32], accounts: Some(vec![account("inbox", owner)]) };
    store.apply(&configured("alice", 1), None, NOW).unwrap();
    fill();
    store.apply(&configured("bob", 2), None, NOW).unwrap();
    assert!(is_empty(), "another's history is told to nobody");
}
