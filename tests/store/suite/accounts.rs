//! Accounts, owners, realms, and when an account is due.

use multipop::error::Status;

use super::*;

pub fn a_put_account_is_there_for_every_instance(open: Open) {
    let account = put(&*open(), "inbox");
    let row = open().account("inbox").unwrap().unwrap();
    assert_eq!(row.account, account);
    assert_eq!((row.generation, row.configured), (1, false));
    assert_eq!((row.state.since, row.state.policy_since), (NOW, NOW));
    assert!(open().account("Inbox").unwrap().is_none());
    assert_eq!(open().realm_of("alice").unwrap().as_deref(), Some(DEFAULT_REALM));
    assert_eq!(open().realm_of("bob").unwrap(), None);
}

pub fn an_account_of_another_owner_is_refused_as_if_it_were_none(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let error = store.put_account(&account("inbox", "mallory"), 100, NOW).unwrap_err();
    assert_eq!(error, multipop::error::Error::rights());
    assert_eq!(store.account("inbox").unwrap().unwrap().account.owner, "alice");
    assert_eq!(store.realm_of("mallory").unwrap(), None);
}

pub fn an_owner_stays_in_his_realm(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let mut other = account("second", "alice");
    other.realm = "fabrikam".into();
    assert_eq!(store.put_account(&other, 100, NOW).unwrap_err().status, Status::Rights);
    assert!(store.account("second").unwrap().is_none());
    store.remove_account("inbox", true).unwrap();
    store.put_account(&other, 100, NOW).unwrap();
    assert_eq!(store.realm_of("alice").unwrap().as_deref(), Some("fabrikam"));
}

pub fn no_owner_has_more_accounts_than_the_cap(open: Open) {
    let store = open();
    for id in ["a", "b"] {
        store.put_account(&account(id, "alice"), 2, NOW).unwrap();
    }
    let error = store.put_account(&account("c", "alice"), 2, NOW).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Rights, "rights.cap"));
    let mut changed = account("b", "alice");
    changed.interval_s = 900;
    store.put_account(&changed, 2, NOW).unwrap();
    store.put_account(&account("c", "bob"), 2, NOW).unwrap();
    assert_eq!(store.put_account(&account("d", "carol"), 0, NOW).unwrap_err().cause, "rights.cap");
}

pub fn another_mailbox_begins_a_new_generation(open: Open) {
    let store = open();
    let mut changed = put(&*store, "inbox");
    let number = store.account("inbox").unwrap().unwrap().number;
    changed.server.host = "pop.example.com".into();
    store.put_account(&changed, 100, NOW).unwrap();
    assert_eq!(store.ledger("inbox").unwrap().generation, 2);
    changed.user = "info@contoso.example".into();
    store.put_account(&changed, 100, NOW).unwrap();
    let head = store.ledger("inbox").unwrap();
    assert_eq!((head.generation, head.number), (3, number));
    changed.interval_s = 9000;
    store.put_account(&changed, 100, NOW).unwrap();
    assert_eq!(store.ledger("inbox").unwrap().generation, 3);
}

pub fn another_signer_voids_both_grants_and_consents_under_way(open: Open) {
    let store = open();
    let mut changed = put(&*store, "inbox");
    for slot in [GrantSlot::Active, GrantSlot::Pending] {
        store.put_grant("inbox", slot, 0, &grant("old")).unwrap().unwrap();
    }
    let identity = grant("old").identity;
    store.update_state("inbox", &mut |state| state.identity = identity.clone()).unwrap();
    store.begin_consent(&consent(1, "inbox")).unwrap();

    changed.interval_s = 900;
    store.put_account(&changed, 100, NOW).unwrap();
    assert!(store.grant("inbox", GrantSlot::Active).unwrap().is_some());
    assert_eq!(store.account("inbox").unwrap().unwrap().state.identity, identity);

    changed.sign_in = Some("delegate@contoso.example".into());
    store.put_account(&changed, 100, NOW).unwrap();
    for slot in [GrantSlot::Active, GrantSlot::Pending] {
        assert!(store.grant("inbox", slot).unwrap().is_none());
    }
    let row = store.account("inbox").unwrap().unwrap();
    assert_eq!((row.state.identity, row.generation), (None, 1));
    assert!(matches!(store.take_consent(&[1; 32], &[77; 32], NOW).unwrap(), TakenConsent::Unknown));
}

pub fn the_same_put_again_changes_nothing(open: Open) {
    let store = open();
    let account = put(&*store, "inbox");
    store.update_state("inbox", &mut |state| state.next_due = NOW + 500).unwrap();
    let before = store.account("inbox").unwrap().unwrap();
    store.put_account(&account, 100, NOW + 9).unwrap();
    let after = store.account("inbox").unwrap().unwrap();
    assert_eq!(
        (before.state, before.generation, before.number),
        (after.state, after.generation, after.number)
    );
}

pub fn a_put_is_due_now_and_keeps_the_pause(open: Open) {
    let store = open();
    let mut changed = put(&*store, "inbox");
    store
        .update_state("inbox", &mut |state| {
            state.next_due = NOW + 500;
            state.aside_until = NOW + 86_400;
            state.failures = 4;
            state.outcome = Some(Outcome::ConfigError);
            state.taken_total = 17;
        })
        .unwrap();
    assert!(store.due(&Reach::All, NOW, true, 10).unwrap().is_empty());
    changed.interval_s = 900;
    store.put_account(&changed, 100, NOW).unwrap();
    assert_eq!(store.due(&Reach::All, NOW, false, 10).unwrap(), ["inbox"]);
    let state = store.account("inbox").unwrap().unwrap().state;
    assert_eq!((state.failures, state.outcome, state.taken_total), (0, None, 17));

    store.update_state("inbox", &mut |state| state.paused = true).unwrap();
    changed.interval_s = 600;
    store.put_account(&changed, 100, NOW).unwrap();
    assert!(store.due(&Reach::All, NOW, true, 10).unwrap().is_empty());
}

pub fn a_stricter_policy_holds_for_later_mail_only(open: Open) {
    let store = open();
    let mut changed = put(&*store, "inbox");
    store.update_state("inbox", &mut |state| state.delete_older_from = Some(NOW)).unwrap();
    changed.delete = DeletePolicy::Now;
    store.put_account(&changed, 100, NOW + 50).unwrap();
    let state = store.account("inbox").unwrap().unwrap().state;
    assert_eq!((state.policy_since, state.delete_older_from), (NOW + 50, None));
    changed.interval_s = 900;
    store.put_account(&changed, 100, NOW + 90).unwrap();
    assert_eq!(store.account("inbox").unwrap().unwrap().state.policy_since, NOW + 50);
}

pub fn removal_leaves_nothing_and_numbers_never_come_again(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let number = store.account("inbox").unwrap().unwrap().number;
    let key = *store.digest_key("inbox").unwrap().expose();
    store.put_grant("inbox", GrantSlot::Active, 0, &grant("x")).unwrap();
    let lease = visit(&*store, "inbox");
    store.write_rows(&lease, 1, &[row(1, RowState::Durable)], NOW).unwrap();
    store.release(&lease, true).unwrap();

    assert!(store.remove_account("inbox", true).unwrap());
    assert!(!store.remove_account("inbox", true).unwrap());
    assert!(store.account("inbox").unwrap().is_none());
    assert_eq!(store.realm_of("alice").unwrap(), None);
    assert_eq!(store.grant("inbox", GrantSlot::Active).unwrap_err().status, Status::Rights);
    assert_eq!(store.lease(&LeaseName::Account("inbox".into()), NOW, 9).unwrap_err().status, Status::Rights);
    assert!(!store.update_state("inbox", &mut |_| ()).unwrap());

    put(&*store, "inbox");
    assert_ne!(store.account("inbox").unwrap().unwrap().number, number);
    assert_ne!(*store.digest_key("inbox").unwrap().expose(), key);
    assert!(store.grant("inbox", GrantSlot::Active).unwrap().is_none());
    assert!(store.all_rows("inbox", 1).unwrap().is_empty());
}

pub fn listing_follows_the_query_in_one_order(open: Open) {
    let store = open();
    for (id, owner, realm) in
        [("c", "alice", "one"), ("a", "alice", "one"), ("B", "bob", "two"), ("b", "bob", "two")]
    {
        let mut account = account(id, owner);
        account.realm = realm.into();
        store.put_account(&account, 100, NOW).unwrap();
    }
    let ids = |query: AccountQuery| -> Vec<String> {
        let rows = store.accounts(&query).unwrap();
        rows.into_iter().map(|row| row.account.id).collect()
    };
    let all = AccountQuery::default;
    let in_order = ids(all());
    let of = |wanted: &[&str]| -> Vec<String> {
        in_order.iter().filter(|id| wanted.contains(&id.as_str())).cloned().collect()
    };
    assert_eq!(of(&["B", "a", "b", "c"]).len(), 4);
    assert_eq!(ids(AccountQuery { limit: 2, ..all() }), in_order[..2]);
    assert_eq!(ids(AccountQuery { after: Some(in_order[1].clone()), ..all() }), in_order[2..]);
    assert_eq!(ids(AccountQuery { owner: Some("alice".into()), ..all() }), of(&["a", "c"]));
    assert_eq!(ids(AccountQuery { realm: Some("two".into()), ..all() }), of(&["B", "b"]));
    let other = AccountQuery { owner: Some("bob".into()), account: Some("a".into()), ..all() };
    assert!(ids(other).is_empty());
}

pub fn pages_bring_every_account_once_whatever_comes_and_goes(open: Open) {
    let store = open();
    let name = |number: u32| format!("person-{number}@contoso.example");
    for number in 0..40 {
        put(&*store, &name(number));
    }
    let mut seen = Vec::new();
    let mut after = None;
    loop {
        let query = AccountQuery { after: after.clone(), limit: 7, ..AccountQuery::default() };
        let page = store.accounts(&query).unwrap();
        let Some(last) = page.last() else { break };
        after = Some(last.account.id.clone());
        seen.extend(page.into_iter().map(|row| row.account.id));
        // Where the page was turned is there no more, and somebody else came.
        store.remove_account(after.as_ref().unwrap(), true).unwrap();
        put(&*store, &name(1000 + seen.len() as u32));
    }
    for number in 0..40 {
        assert_eq!(seen.iter().filter(|id| **id == name(number)).count(), 1, "{number}");
    }
    let left: Vec<_> = store.accounts(&AccountQuery::default()).unwrap();
    let again: Vec<_> = open().accounts(&AccountQuery::default()).unwrap();
    assert_eq!(
        left.iter().map(|row| &row.account.id).collect::<Vec<_>>(),
        again.iter().map(|row| &row.account.id).collect::<Vec<_>>()
    );
}

pub fn due_accounts_come_soonest_first(open: Open) {
    let store = open();
    for (id, owner, at) in
        [("late", "alice", 30), ("soon", "alice", 10), ("mid", "bob", 20), ("far", "bob", 99)]
    {
        store.put_account(&account(id, owner), 100, NOW).unwrap();
        store.update_state(id, &mut |state| state.next_due = NOW + at).unwrap();
    }
    let mut disabled = account("off", "alice");
    disabled.enabled = false;
    store.put_account(&disabled, 100, NOW).unwrap();

    let bob = Reach::Owner("bob".into());
    let due = |reach: &Reach, at, limit| store.due(reach, NOW + at, false, limit).unwrap();
    assert!(due(&Reach::All, 9, 10).is_empty());
    assert_eq!(due(&Reach::All, 30, 10), ["soon", "mid", "late"]);
    assert_eq!(due(&Reach::All, 30, 2), ["soon", "mid"]);
    assert_eq!(due(&bob, 30, 10), ["mid"]);
    assert_eq!(store.next_due(&Reach::All).unwrap(), Some(NOW + 10));
    assert_eq!(store.next_due(&bob).unwrap(), Some(NOW + 20));
    assert_eq!(store.next_due(&Reach::Owner("nobody".into())).unwrap(), None);
}

pub fn regardless_ignores_the_interval_only(open: Open) {
    let store = open();
    for id in ["interval", "paused", "aside", "login"] {
        put(&*store, id);
        store
            .update_state(id, &mut |state| {
                state.next_due = NOW + 500;
                state.paused = id == "paused";
                state.aside_until = if id == "aside" { NOW + 100 } else { 0 };
                state.not_before = if id == "login" { NOW + 50 } else { 0 };
            })
            .unwrap();
    }
    assert!(store.due(&Reach::All, NOW, false, 10).unwrap().is_empty());
    assert_eq!(store.due(&Reach::All, NOW, true, 10).unwrap(), ["interval"]);
    let alice = Reach::Owner("alice".into());
    assert_eq!(
        store.due(&alice, NOW + 50, true, 10).unwrap(),
        ["login", "interval"].map(String::from).iter().rev().cloned().collect::<Vec<_>>()
    );
    assert_eq!(store.due(&alice, NOW + 100, true, 10).unwrap().len(), 3);
    assert_eq!(store.due(&alice, NOW + 500, false, 10).unwrap().len(), 3);
}

pub fn states_change_without_losing_each_other(open: Open) {
    put(&*open(), "inbox");
    let stores: Vec<_> = (0..4).map(|_| open()).collect();
    std::thread::scope(|scope| {
        for store in &stores {
            scope.spawn(|| {
                for _ in 0..25 {
                    let changed = store.update_state("inbox", &mut |state| state.taken_total += 1);
                    assert!(changed.unwrap());
                }
            });
        }
    });
    assert_eq!(open().account("inbox").unwrap().unwrap().state.taken_total, 100);
}
