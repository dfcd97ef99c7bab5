//! Passwords: kept for what they were given for, counted apart.

use std::collections::BTreeMap;

use super::*;

fn classic(id: &str) -> Account {
    let mut account = account(id, "alice");
    account.source = TokenSource::Password(Classic { apop: false, owners_choice: false });
    account
}

fn secret(text: &str) -> Secret {
    Secret::new(text.to_owned())
}

fn stored(store: &dyn Store) -> Option<(u64, String)> {
    let stored = store.password("inbox").unwrap()?;
    Some((stored.version, stored.password.expose().to_owned()))
}

pub fn a_password_stays_until_another_comes(open: Open) {
    let error = open().put_account(&classic("inbox"), 9, NOW).unwrap_err();
    assert_eq!(error.cause, "argument.password");
    assert!(open().account("inbox").unwrap().is_none(), "nothing was written");
    open().put_account_with(&classic("inbox"), Some(&secret("one")), 9, NOW).unwrap();
    let (first, text) = stored(&*open()).unwrap();
    assert_eq!(text, "one");
    let count = |state: &mut AccountState| {
        state.password.refusals = 3;
        state.password.wait_until = NOW + 50;
        state.next_due = NOW;
    };
    let mut count = count;
    open().update_state("inbox", &mut count).unwrap();
    let due = |at| open().due(&Reach::All, at, true, 9).unwrap().len();
    assert_eq!((due(NOW + 49), due(NOW + 50)), (0, 1), "on demand neither");
    // The same again, and another member, are no other password.
    open().put_account_with(&classic("inbox"), Some(&secret("one")), 9, NOW).unwrap();
    let mut changed = classic("inbox");
    changed.interval_s += 1;
    open().put_account(&changed, 9, NOW).unwrap();
    assert_eq!(stored(&*open()), Some((first, "one".into())));
    assert_eq!(open().account("inbox").unwrap().unwrap().state.password.refusals, 3);
    assert_eq!(due(NOW + 49), 0);
    open().put_account_with(&changed, Some(&secret("two")), 9, NOW).unwrap();
    let (second, text) = stored(&*open()).unwrap();
    assert!(second > first && text == "two");
    let state = open().account("inbox").unwrap().unwrap().state.password;
    assert_eq!(state, PasswordState { version: second, refusals: 0, wait_until: 0 });
    assert_eq!(due(NOW), 1);
}

pub fn a_password_is_for_one_server_user_and_owner(open: Open) {
    let store = open();
    store.put_account_with(&classic("inbox"), Some(&secret("one")), 9, NOW).unwrap();
    let (version, _) = stored(&*store).unwrap();
    let mut server = classic("inbox");
    server.server.port += 1;
    let mut user = classic("inbox");
    user.user = user.user.to_uppercase();
    for changed in [server, user] {
        assert_eq!(store.put_account(&changed, 9, NOW).unwrap_err().cause, "argument.password");
        assert_eq!(stored(&*store), Some((version, "one".into())), "a refused put changes nothing");
    }
    let mut token = classic("inbox");
    token.source = TokenSource::File("/run/token".into());
    store.put_account(&token, 9, NOW).unwrap();
    assert_eq!(stored(&*store), None);
    store.put_account_with(&classic("inbox"), Some(&secret("one")), 9, NOW).unwrap();
    assert!(stored(&*store).unwrap().0 > version, "versions only rise");
}

pub fn a_configured_password_goes_with_its_configuration(open: Open) {
    let store = open();
    let desired = |digest| Desired { digest: [digest; 32], accounts: Some(vec![classic("inbox")]) };
    let with = |text: &str| BTreeMap::from([("inbox".to_owned(), secret(text))]);
    assert_eq!(store.apply(&desired(1), None, NOW).unwrap_err().cause, "argument.password");
    store.apply_with(&desired(1), &with("one"), None, NOW).unwrap();
    let (first, _) = stored(&*store).unwrap();
    store.apply_with(&desired(2), &with("one"), None, NOW).unwrap();
    assert_eq!(stored(&*store), Some((first, "one".into())));
    store.apply_with(&desired(3), &with("two"), None, NOW).unwrap();
    assert_eq!(stored(&*store).unwrap().1, "two");
    // Instances without the member leave it to those who name it.
    store.apply(&Desired { digest: [4; 32], accounts: None }, None, NOW).unwrap();
    assert_eq!(stored(&*store).unwrap().1, "two");
}
