//! Erasure: whose accounts go, who writes no more, and what is given back.

use multipop::error::Status;

use super::*;

fn takes_back(provider: &str) -> Option<TakesBack> {
    (provider == "microsoft").then(|| TakesBack {
        issuer: "https://login.example/v2.0".into(),
        endpoint: Some("https://login.example/revoke".into()),
    })
}

fn erase(store: &dyn Store, whose: Whose) -> Erased {
    store.erase(&whose, &takes_back, NOW).unwrap()
}

pub fn everything_of_an_owner_or_a_realm_goes(open: Open) {
    let store = open();
    for (id, owner, realm) in
        [("a1", "alice", "one"), ("a2", "alice", "one"), ("b1", "bob", "one"), ("c1", "carol", "two")]
    {
        let mut account = account(id, owner);
        account.realm = realm.into();
        store.put_account(&account, 9, NOW).unwrap();
    }
    assert_eq!(erase(&*store, Whose::Owner("alice".into())).accounts, 2);
    assert!(store.account("a1").unwrap().is_none() && store.account("b1").unwrap().is_some());
    assert_eq!(store.realm_of("alice").unwrap(), None);
    assert_eq!(erase(&*store, Whose::Owner("alice".into())), Erased { complete: true, ..Erased::default() });
    // One who removed all his accounts himself is known by his realm, until he is erased.
    store.remove_account("b1", false).unwrap();
    assert!(open().realm_of("bob").unwrap().is_some());
    assert_eq!(erase(&*store, Whose::Realm("one".into())).accounts, 0);
    assert_eq!(store.realm_of("bob").unwrap(), None);
    assert!(store.account("c1").unwrap().is_some());
    assert_eq!(erase(&*store, Whose::Realm("two".into())).accounts, 1);
    assert!(open().accounts(&AccountQuery::default()).unwrap().is_empty());
}

pub fn accounts_of_the_configuration_keep_all_others(open: Open) {
    let store = open();
    let configured = Desired { digest: [1; 32], accounts: Some(vec![account("conf", "alice")]) };
    store.apply(&configured, None, NOW).unwrap();
    put(&*store, "inbox");
    for whose in [Whose::Owner("alice".into()), Whose::Realm(DEFAULT_REALM.into())] {
        let error = store.erase(&whose, &takes_back, NOW).unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Rights, "rights.configured"));
        assert!(error.message.contains("conf") && !error.message.contains("inbox"), "{error}");
    }
    assert!(store.account("inbox").unwrap().is_some());
    store.apply(&Desired { digest: [2; 32], accounts: Some(Vec::new()) }, Some(1), NOW).unwrap();
    assert_eq!(erase(&*store, Whose::Owner("alice".into())).accounts, 2);
}

/// However many they are: nobody else is locked out for long meanwhile.
pub fn a_realm_of_many_goes_in_steps(open: Open) {
    let store = open();
    let many: Vec<_> = (0..600).map(|number| account(&format!("a{number}"), &format!("o{number}"))).collect();
    store.apply(&Desired { digest: [1; 32], accounts: Some(many) }, None, NOW).unwrap();
    store.apply(&Desired { digest: [2; 32], accounts: Some(Vec::new()) }, Some(1), NOW).unwrap();
    let erased = erase(&*store, Whose::Realm(DEFAULT_REALM.into()));
    assert_eq!((erased.accounts, erased.complete), (600, true));
    assert!(open().accounts(&AccountQuery::default()).unwrap().is_empty());
    assert!((0..600).all(|number| store.realm_of(&format!("o{number}")).unwrap().is_none()));
}

/// Whoever works on an account that was erased, and then put again, meets another one.
pub fn what_was_known_before_reaches_no_later_account(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let before = store.account("inbox").unwrap().unwrap().known();
    let lease = visit(&*open(), "inbox");
    store.begin_consent(&consent(1, "inbox")).unwrap();
    let TakenConsent::Taken(taken) = store.take_consent(&[1; 32], &[77; 32], NOW).unwrap() else {
        panic!("it is there")
    };
    assert!(store.holds(&lease).unwrap());
    erase(&*store, Whose::Owner("alice".into()));
    put(&*store, "inbox");

    assert!(!store.holds(&lease).unwrap());
    for slot in [GrantSlot::Active, GrantSlot::Pending] {
        assert_eq!(store.put_grant_of(&before, slot, 0, &grant("late")).unwrap_err().status, Status::Rights);
        assert_eq!(store.drop_grant_of(&before, slot).unwrap_err().status, Status::Rights);
        assert!(store.grant("inbox", slot).unwrap().is_none());
    }
    assert_eq!(store.confirm_grant_of(&before, 1).unwrap_err().status, Status::Rights);
    assert!(!store.update_state_of(&before, &mut |state| state.failures = 9).unwrap());
    assert!(!store.put_back_consent(&taken).unwrap());
    store.answer_consent(&[1; 32], "late").unwrap();
    assert!(matches!(store.take_consent(&[1; 32], &[77; 32], NOW).unwrap(), TakenConsent::Unknown));
    assert_eq!(store.account("inbox").unwrap().unwrap().state.failures, 0);

    let now = store.account("inbox").unwrap().unwrap().known();
    assert!(store.put_grant_of(&now, GrantSlot::Active, 0, &grant("new")).unwrap().is_some());
    assert!(store.update_state_of(&now, &mut |state| state.failures = 1).unwrap());
}

pub fn tokens_of_an_erased_account_are_given_back_for_a_week(open: Open) {
    const WEEK: u64 = 7 * 86_400;
    let store = open();
    put(&*store, "inbox");
    store.put_grant("inbox", GrantSlot::Active, 0, &grant("one")).unwrap();
    let dead = Grant { dead: true, ..grant("two") };
    store.put_grant("inbox", GrantSlot::Pending, 0, &dead).unwrap();
    put(&*store, "other");
    let elsewhere = Grant { provider: "elsewhere".into(), ..grant("three") };
    store.put_grant("other", GrantSlot::Active, 0, &elsewhere).unwrap();
    assert_eq!(store.next_revocation().unwrap(), None);
    let erased = erase(&*store, Whose::Owner("alice".into()));
    assert_eq!((erased.accounts, erased.revocations), (2, 1));

    assert_eq!(open().next_revocation().unwrap(), Some(NOW));
    let taken = open().take_revocations(NOW, 9).unwrap().remove(0);
    assert_eq!((taken.token.provider.as_str(), taken.attempts, taken.until), ("microsoft", 1, NOW + WEEK));
    assert_eq!(taken.token.refresh_token.expose(), "refresh-one");
    assert_eq!(Some(taken.token.to), takes_back("microsoft"));
    // Nobody else has it meanwhile; whoever took it and died held it up for minutes only.
    assert!(open().take_revocations(NOW + 299, 9).unwrap().is_empty());
    let again = open().take_revocations(NOW + 300, 9).unwrap().remove(0);
    assert_eq!((again.number, again.attempts), (taken.number, 2));
    store.put_off_revocation(again.number, NOW + 2 * WEEK).unwrap();
    assert_eq!(store.next_revocation().unwrap(), Some(NOW + WEEK), "to be given up then");
    store.end_revocation(again.number).unwrap();
    store.end_revocation(again.number).unwrap();
    assert_eq!(open().next_revocation().unwrap(), None);

    let late = ToRevoke {
        provider: "microsoft".into(),
        to: takes_back("microsoft").unwrap(),
        person: store.person(None, "Alice@Example.com"),
        refresh_token: Secret::new("late".into()),
    };
    store.revoke_later(&late, NOW).unwrap();
    assert_eq!(open().take_revocations(NOW, 9).unwrap()[0].token.refresh_token.expose(), "late");
}

pub fn living_grants_are_found_by_the_person_who_gave_them(open: Open) {
    let store = open();
    put(&*store, "inbox");
    put(&*store, "other");
    let of = |subject: &str, token: &str| {
        let mut grant = grant(token);
        let identity = grant.identity.as_mut().unwrap();
        (identity.subject, identity.tenant, identity.object) = (subject.into(), None, None);
        grant
    };
    let person = |subject: &str| store.person(of(subject, "").identity.as_ref(), "whatever");
    let living = |subject: &str| open().living_grants_of(&person(subject)).unwrap();
    store.put_grant("inbox", GrantSlot::Active, 0, &of("a", "one")).unwrap();
    store.put_grant("other", GrantSlot::Pending, 0, &of("a", "two")).unwrap();
    assert_eq!((living("a").len(), living("b").len()), (2, 0));
    erase(&*store, Whose::Account { id: "inbox".into(), forget_realm: true });
    let taken = store.take_revocations(NOW, 9).unwrap().remove(0);
    assert_eq!(taken.token.person, person("a"));
    assert_eq!(living("a"), ["microsoft"]);

    // What is over, or cannot be given back, is nobody's use.
    let dead = Grant { dead: true, ..of("a", "three") };
    let version = store.put_grant("other", GrantSlot::Active, 0, &dead).unwrap().unwrap();
    store.drop_grant("other", GrantSlot::Pending).unwrap();
    assert!(living("a").is_empty());
    store.put_grant("other", GrantSlot::Active, version, &of("a", "four")).unwrap().unwrap();
    assert_eq!(living("a").len(), 1);
    let mut elsewhere = store.account("other").unwrap().unwrap().account;
    elsewhere.source = TokenSource::Provider("elsewhere".into());
    store.put_account(&elsewhere, 1000, NOW).unwrap();
    assert!(living("a").is_empty());

    // Without an identity it is the name, in whatever case.
    let nameless = Grant { identity: None, ..grant("five") };
    let name = elsewhere.sign_in_name().to_uppercase();
    store.put_grant("other", GrantSlot::Pending, 0, &nameless).unwrap();
    assert_eq!(open().living_grants_of(&store.person(None, &name)).unwrap(), ["microsoft"]);
}

pub fn consents_are_told_without_what_is_secret(open: Open) {
    let store = open();
    put(&*store, "inbox");
    store.begin_consent(&consent(1, "inbox")).unwrap();
    store.begin_consent(&consent(2, "inbox")).unwrap();
    store.take_consent(&[2; 32], &[77; 32], NOW).unwrap();
    let mut told = store.consents_of("inbox").unwrap();
    told.sort_by_key(|one| one.used);
    assert_eq!(told.len(), 2);
    assert_eq!(told[0].provider.as_deref(), Some("microsoft"));
    assert_eq!((told[0].created_at, told[0].expires_at, told[0].used), (Some(NOW), NOW + 600, false));
    assert_eq!((told[1].provider.as_deref(), told[1].used), (None, true));
    assert_eq!(store.consents_of("nobody").unwrap_err().status, Status::Rights);
}
