//! Applying a configuration: all or nothing, a number that only rises, one set of ids.

use multipop::error::Status;

use super::*;

fn desired(digest: u8, accounts: &[Account]) -> Desired {
    Desired { digest: [digest; 32], accounts: Some(accounts.to_vec()) }
}

fn written(number: u64) -> Applied {
    Applied { number, change: Change::Written }
}

/// Everything an observer can see of the accounts.
fn seen(store: &dyn Store) -> String {
    let rows = store.accounts(&AccountQuery::default()).unwrap();
    format!("{rows:?} {:?}", store.due(&Reach::All, u64::MAX / 4, false, 99))
}

pub fn i12_a_refused_apply_changes_nothing(open: Open) {
    let store = open();
    let standing = desired(1, &[account("conf", "alice"), account("leaving", "alice")]);
    store.apply(&standing, None, NOW).unwrap();
    store.put_account(&account("zz-put", "bob"), 9, NOW).unwrap();
    let before = seen(&*store);

    let mut changed = account("conf", "alice");
    changed.user = "other@contoso.example".into();
    // The refusal comes last, after others were written.
    let refused = desired(2, &[changed, account("new", "carol"), account("zz-put", "bob")]);
    let error = store.apply(&refused, Some(1), NOW).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Config, "config.account_taken"));
    assert!(error.message.contains("zz-put"));
    assert_eq!(seen(&*store), before);
    assert_eq!(store.realm_of("carol").unwrap(), None);
    assert_eq!(store.apply(&standing, Some(1), NOW).unwrap().change, Change::Unchanged);
    assert_eq!(store.apply(&desired(3, &[]), Some(1), NOW).unwrap(), written(2));
}

pub fn an_unchanged_configuration_keeps_its_number(open: Open) {
    let one = desired(1, &[account("a", "alice")]);
    assert_eq!(open().apply(&one, None, NOW).unwrap(), written(1));
    let unchanged = Applied { number: 1, change: Change::Unchanged };
    assert_eq!(open().apply(&one, Some(1), NOW + 5).unwrap(), unchanged);
    assert_eq!(open().apply(&one, None, NOW + 5).unwrap(), unchanged);
    assert_eq!(open().apply(&desired(2, &[]), Some(1), NOW).unwrap(), written(2));
    assert_eq!(open().apply(&one, Some(2), NOW).unwrap(), written(3));
}

pub fn a_replaced_configuration_changes_nothing(open: Open) {
    let (old, new) = (desired(1, &[account("a", "alice")]), desired(2, &[account("b", "alice")]));
    let mine = open().apply(&old, None, NOW).unwrap().number;
    open().apply(&new, None, NOW).unwrap();
    let before = seen(&*open());
    let mut number = mine;
    for _ in 0..3 {
        let applied = open().apply(&old, Some(number), NOW).unwrap();
        assert_eq!(applied.change, Change::Superseded);
        number = applied.number;
    }
    assert_eq!(seen(&*open()), before);
    // A third one is later than both.
    assert_eq!(open().apply(&desired(3, &[]), Some(mine), NOW).unwrap(), written(3));
    // A store that was restored from before: numbers still only rise.
    assert_eq!(open().apply(&desired(4, &[]), Some(50), NOW).unwrap(), written(51));
}

pub fn accounts_named_no_more_are_disabled_and_come_back(open: Open) {
    let store = open();
    let accounts = [account("a", "alice"), account("b", "alice")];
    store.apply(&desired(1, &accounts), None, NOW).unwrap();
    store.put_grant("a", GrantSlot::Active, 0, &grant("kept")).unwrap();
    let lease = visit(&*store, "a");
    store.write_rows(&lease, 1, &[row(1, RowState::Durable)], NOW).unwrap();
    store.release(&lease, true).unwrap();

    store.apply(&desired(2, &accounts[1..]), Some(1), NOW).unwrap();
    let gone = store.account("a").unwrap().unwrap();
    assert!(!gone.account.enabled && !gone.configured);
    assert_eq!(store.due(&Reach::All, NOW, true, 9).unwrap(), ["b"]);
    assert!(store.grant("a", GrantSlot::Active).unwrap().is_some());
    assert_eq!(store.all_rows("a", 1).unwrap().len(), 1);

    store.apply(&desired(3, &accounts), Some(2), NOW).unwrap();
    let back = store.account("a").unwrap().unwrap();
    assert!(back.account.enabled && back.configured);
    assert_eq!((back.generation, back.number), (1, gone.number));
    assert!(store.grant("a", GrantSlot::Active).unwrap().is_some());

    store.apply(&desired(4, &[]), Some(3), NOW).unwrap();
    assert!(store.due(&Reach::All, NOW, true, 9).unwrap().is_empty());
    assert!(store.remove_account("a", true).unwrap());
    store.put_account(&account("b", "alice"), 1, NOW).unwrap();
    assert_eq!(store.due(&Reach::All, NOW, true, 9).unwrap(), ["b"]);
}

pub fn no_member_accounts_leaves_them_alone(open: Open) {
    let store = open();
    store.apply(&desired(1, &[account("a", "alice")]), None, NOW).unwrap();
    let before = seen(&*store);
    let without = Desired { digest: [2; 32], accounts: None };
    assert_eq!(store.apply(&without, Some(1), NOW).unwrap(), written(2));
    assert_eq!(seen(&*store), before);
}

pub fn one_set_of_ids_for_configuration_and_calls(open: Open) {
    let store = open();
    store.apply(&desired(1, &[account("a", "alice")]), None, NOW).unwrap();
    let mut changed = account("a", "alice");
    changed.interval_s = 900;
    let error = store.put_account(&changed, 9, NOW).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Rights, "rights.configured"));
    assert_eq!(store.remove_account("a", true).unwrap_err().cause, "rights.configured");
    // A stranger does not learn where it comes from.
    let stranger = store.put_account(&account("a", "mallory"), 9, NOW).unwrap_err();
    assert_eq!(stranger, multipop::error::Error::rights());
    assert_eq!(store.account("a").unwrap().unwrap().account.interval_s, 300);
}

pub fn an_owner_moves_realms_with_all_his_accounts(open: Open) {
    let store = open();
    let moved = |id: &str| {
        let mut account = account(id, "alice");
        account.realm = "fabrikam".into();
        account
    };
    store.apply(&desired(1, &[account("a", "alice"), account("b", "alice")]), None, NOW).unwrap();
    for torn in [desired(2, &[moved("a"), account("b", "alice")]), desired(3, &[moved("a")])] {
        let error = store.apply(&torn, Some(1), NOW).unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Config, "config.owner_realm"));
        assert_eq!(store.realm_of("alice").unwrap().as_deref(), Some(DEFAULT_REALM));
    }
    store.apply(&desired(4, &[moved("a"), moved("b")]), Some(1), NOW).unwrap();
    assert_eq!(store.realm_of("alice").unwrap().as_deref(), Some("fabrikam"));
    assert_eq!(store.account("b").unwrap().unwrap().account.realm, "fabrikam");
    assert_eq!(store.account("b").unwrap().unwrap().generation, 1);
}

pub fn a_configured_account_given_to_another_owner_starts_anew(open: Open) {
    let store = open();
    store.apply(&desired(1, &[account("a", "alice")]), None, NOW).unwrap();
    store.put_grant("a", GrantSlot::Active, 0, &grant("alices")).unwrap();
    store.apply(&desired(2, &[account("a", "bob")]), Some(1), NOW).unwrap();
    assert!(store.grant("a", GrantSlot::Active).unwrap().is_none());
    assert_eq!(store.account("a").unwrap().unwrap().generation, 2);
    assert_eq!(store.realm_of("alice").unwrap(), None);
    assert_eq!(store.realm_of("bob").unwrap().as_deref(), Some(DEFAULT_REALM));
}
