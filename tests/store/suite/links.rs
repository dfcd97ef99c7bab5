//! One-time links: for one owner, used once, and nobody's before.

use super::*;

const DAY: u64 = 86_400;

fn link(token: u8, account: &str) -> Link {
    Link { token: [token; 32], account: account.into(), owner: "alice".into(), expires_at: NOW + DAY }
}

fn redeem(store: &dyn Store, token: u8, owner: &str, now: UnixTime) -> Redeemed {
    store.redeem_link(&[token; 32], owner, &consent(9, "inbox"), now).unwrap()
}

fn offered(open: Open) -> Arc<dyn Store> {
    let store = open();
    put(&*store, "inbox");
    store.offer_link(&link(1, "inbox"), NOW).unwrap();
    store
}

pub fn i11_a_link_is_redeemed_once(open: Open) {
    offered(open);
    let stores: Vec<_> = (0..6).map(|_| open()).collect();
    let begun = std::thread::scope(|scope| {
        let threads: Vec<_> =
            stores.iter().map(|store| scope.spawn(|| redeem(&**store, 1, "alice", NOW))).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).filter(|one| *one == Redeemed::Begun).count()
    });
    assert_eq!(begun, 1);
    // The consent was begun with it.
    let taken = open().take_consent(&[9; 32], &[77; 32], NOW).unwrap();
    assert!(matches!(taken, TakenConsent::Taken(_)), "{taken:?}");
}

pub fn i11_a_wrong_owner_or_token_uses_nothing_up(open: Open) {
    let store = offered(open);
    assert_eq!(redeem(&*store, 1, "mallory", NOW), Redeemed::Unknown);
    assert_eq!(redeem(&*store, 1, "ALICE", NOW), Redeemed::Unknown);
    assert_eq!(redeem(&*store, 2, "alice", NOW), Redeemed::Unknown);
    assert!(matches!(store.take_consent(&[9; 32], &[77; 32], NOW).unwrap(), TakenConsent::Unknown));
    let other = account("other", "alice");
    store.put_account(&other, 100, NOW).unwrap();
    let elsewhere = store.redeem_link(&[1; 32], "alice", &consent(8, "other"), NOW).unwrap();
    assert_eq!(elsewhere, Redeemed::Unknown);
    assert_eq!(redeem(&*store, 1, "alice", NOW), Redeemed::Begun);
}

pub fn a_link_ends_with_its_time_or_the_next_one(open: Open) {
    let store = offered(open);
    assert_eq!(redeem(&*store, 1, "alice", NOW + DAY), Redeemed::Expired);
    store.offer_link(&link(2, "inbox"), NOW).unwrap();
    assert_eq!(redeem(&*store, 1, "alice", NOW), Redeemed::Unknown);
    // Swept by the next offer, whosever it is.
    put(&*store, "other");
    store.offer_link(&link(3, "other"), NOW + DAY).unwrap();
    assert_eq!(redeem(&*store, 2, "alice", NOW + DAY), Redeemed::Unknown);
}

pub fn a_link_is_void_once_its_account_is_another(open: Open) {
    type Edit = fn(&mut Account);
    let edits: [Edit; 3] = [
        |account| account.sign_in = Some("bob@contoso.example".into()),
        |account| account.source = TokenSource::Provider("google".into()),
        |account| account.user = "bob@contoso.example".into(),
    ];
    for edit in edits {
        let store = offered(open);
        let mut changed = account("inbox", "alice");
        edit(&mut changed);
        store.put_account(&changed, 100, NOW).unwrap();
        assert_eq!(redeem(&*store, 1, "alice", NOW), Redeemed::Unknown);
        store.remove_account("inbox", true).unwrap();
    }
    let store = offered(open);
    let mut paused = account("inbox", "alice");
    paused.interval_s = 900;
    store.put_account(&paused, 100, NOW).unwrap();
    store.remove_account("inbox", true).unwrap();
    put(&*store, "inbox");
    assert_eq!(redeem(&*store, 1, "alice", NOW), Redeemed::Unknown, "removed with its account");
}
