//! Leases: one visitor at a time, and none who writes after his time.

use super::*;

fn name() -> LeaseName {
    LeaseName::Account("inbox".into())
}

pub fn a_lease_is_held_once(open: Open) {
    let (one, two) = (open(), open());
    put(&*one, "inbox");
    put(&*one, "other");
    let lease = visit(&*one, "inbox");
    assert!(one.lease(&name(), NOW, 60).unwrap().is_none());
    assert!(two.lease(&name(), NOW, 60).unwrap().is_none());
    let other = visit(&*two, "other");
    assert!(one.renew(&lease, NOW + 30, 60).unwrap());
    assert!(two.lease(&name(), NOW + 80, 60).unwrap().is_none());
    one.release(&lease, true).unwrap();
    let next = two.lease(&name(), NOW + 80, 60).unwrap().unwrap();
    assert!(next.fence > lease.fence);
    // The old value, dropped late, gives nothing of the new one back.
    drop(lease);
    assert!(one.lease(&name(), NOW + 80, 60).unwrap().is_none());
    two.release(&next, true).unwrap();
    two.release(&other, true).unwrap();
}

pub fn a_lease_given_back_writes_nothing_more(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    store.release(&lease, true).unwrap();
    assert!(!store.renew(&lease, NOW, 60).unwrap());
    assert!(!store.update_state_fenced(&lease, &mut |state| state.failures = 9).unwrap());
    assert_eq!(
        store.note_in_hand(&lease, 1, &[row(1, RowState::InHand)], NOW).unwrap_err().cause,
        "lease.lost"
    );
    assert_eq!(store.account("inbox").unwrap().unwrap().state.failures, 0);
    assert!(store.all_rows("inbox", 1).unwrap().is_empty());
    store.release(&lease, true).unwrap();
}

pub fn attempts_count_visits_that_did_not_clear(open: Open) {
    put(&*open(), "inbox");
    let attempts = |clean: Option<bool>| {
        let store = open();
        let lease = visit(&*store, "inbox");
        let attempts = lease.attempts;
        if let Some(clean) = clean {
            store.release(&lease, clean).unwrap();
        }
        attempts
    };
    assert_eq!(attempts(Some(false)), 0);
    assert_eq!(attempts(None), 1);
    assert_eq!(attempts(None), 2);
    assert_eq!(attempts(Some(true)), 3);
    assert_eq!(attempts(Some(true)), 0);
    assert_eq!(attempts(Some(false)), 0);
    let store = open();
    let lease = visit(&*store, "inbox");
    store.clear_attempts(&lease).unwrap();
    drop(lease);
    assert_eq!(attempts(None), 0, "one that got on and died does not count");
    let mut changed = account("inbox", "alice");
    changed.interval_s = 900;
    open().put_account(&changed, 100, NOW).unwrap();
    assert_eq!(attempts(Some(true)), 0);
}

pub fn account_and_grant_are_leased_apart(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let grant = LeaseName::Grant("inbox".into());
    let visit = visit(&*store, "inbox");
    let refresh = store.lease(&grant, NOW, 60).unwrap().unwrap();
    assert!(open().lease(&grant, NOW, 60).unwrap().is_none());
    drop(refresh);
    let refresh = open().lease(&grant, NOW, 60).unwrap().unwrap();
    assert_eq!(refresh.attempts, 0);
    assert!(store.renew(&visit, NOW, 60).unwrap());
    assert!(store.update_state_fenced(&visit, &mut |state| state.failures = 1).unwrap());
}

pub fn a_lease_outlives_no_account(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let old = visit(&*store, "inbox");
    store.remove_account("inbox", true).unwrap();
    put(&*store, "inbox");
    assert!(!store.renew(&old, NOW, 60).unwrap());
    // The new account is another one: it is free, and no fence of the old one opens it.
    let new = visit(&*store, "inbox");
    assert!(!store.update_state_fenced(&old, &mut |state| state.failures = 9).unwrap());
    let delivery = Delivery { lease: &old, generation: 1, row: row(1, RowState::Durable) };
    assert_eq!(store.record(&[delivery], NOW).unwrap(), [false]);
    store.release(&old, true).unwrap();
    assert!(store.renew(&new, NOW, 60).unwrap());
}

pub fn i15_a_changed_mailbox_fences_off_the_visit_under_way(open: Open) {
    let store = open();
    let mut changed = put(&*store, "inbox");
    let lease = visit(&*store, "inbox");
    changed.interval_s = 900;
    open().put_account(&changed, 100, NOW).unwrap();
    assert!(store.renew(&lease, NOW, 60).unwrap());
    changed.server.host = "pop.example.com".into();
    open().put_account(&changed, 100, NOW).unwrap();
    assert!(!store.renew(&lease, NOW, 60).unwrap());
    let mark = ListingMark { count: 1, digest: [1; 32], at: NOW };
    assert_eq!(store.mark_listing(&lease, &mark).unwrap_err().cause, "lease.lost");
    assert_eq!(store.ledger("inbox").unwrap().listing, None);
}
