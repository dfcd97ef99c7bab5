//! Grants: nobody overwrites a token he has not read.

use super::*;

fn token(store: &dyn Store, slot: GrantSlot) -> Option<(u64, String)> {
    let stored = store.grant("inbox", slot).unwrap()?;
    Some((stored.version, stored.grant.refresh_token?.expose().to_owned()))
}

pub fn a_grant_comes_back_whole(open: Open) {
    put(&*open(), "inbox");
    let mut given = grant("x");
    given.dead = true;
    open().put_grant("inbox", GrantSlot::Active, 0, &given).unwrap().unwrap();
    let back = open().grant("inbox", GrantSlot::Active).unwrap().unwrap().grant;
    assert_eq!(back.provider, given.provider);
    assert_eq!(back.refresh_token, given.refresh_token);
    assert_eq!(back.access_token, given.access_token);
    assert_eq!((back.renew_at, back.expires_at), (given.renew_at, given.expires_at));
    assert_eq!((back.scope, back.identity), (given.scope, given.identity));
    assert_eq!((back.obtained_at, back.refreshed_at), (NOW, NOW));
    assert_eq!((back.session, back.dead), (given.session, true));
    assert!(open().grant("inbox", GrantSlot::Pending).unwrap().is_none());
}

pub fn i10_grant_version_loses_no_grant(open: Open) {
    put(&*open(), "inbox");
    let first = open().put_grant("inbox", GrantSlot::Active, 0, &grant("0")).unwrap().unwrap();
    assert_eq!(open().put_grant("inbox", GrantSlot::Active, 0, &grant("late")).unwrap(), None);
    // Many who have read the same version: exactly one writes, and what he wrote stands.
    let stores: Vec<_> = (0..8).map(|_| open()).collect();
    let winners: Vec<u64> = std::thread::scope(|scope| {
        let threads: Vec<_> = stores
            .iter()
            .enumerate()
            .map(|(place, store)| {
                scope.spawn(move || {
                    let mine = grant(&format!("rotated-{place}"));
                    let version = store.put_grant("inbox", GrantSlot::Active, first, &mine).unwrap();
                    version.map(|version| (place, version))
                })
            })
            .collect();
        let won: Vec<_> = threads.into_iter().filter_map(|thread| thread.join().unwrap()).collect();
        assert_eq!(won.len(), 1);
        let (version, stands) = token(&*open(), GrantSlot::Active).unwrap();
        assert_eq!(version, won[0].1);
        assert_eq!(stands, format!("refresh-rotated-{}", won[0].0));
        won.into_iter().map(|(_, version)| version).collect()
    });
    assert!(winners[0] > first);
    let next = open().put_grant("inbox", GrantSlot::Active, winners[0], &grant("next")).unwrap();
    assert!(next.unwrap() > winners[0]);
}

pub fn an_emptied_slot_never_takes_an_old_version(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let read = store.put_grant("inbox", GrantSlot::Active, 0, &grant("old")).unwrap().unwrap();
    store.drop_grant("inbox", GrantSlot::Active).unwrap();
    assert_eq!(token(&*store, GrantSlot::Active), None);
    assert_eq!(store.put_grant("inbox", GrantSlot::Active, read, &grant("late")).unwrap(), None);
    let new = store.put_grant("inbox", GrantSlot::Active, 0, &grant("new")).unwrap().unwrap();
    assert!(new > read);
    assert_eq!(store.put_grant("inbox", GrantSlot::Active, read, &grant("late")).unwrap(), None);
    assert_eq!(token(&*store, GrantSlot::Active), Some((new, "refresh-new".into())));
}

pub fn confirming_moves_the_pending_grant(open: Open) {
    let store = open();
    put(&*store, "inbox");
    let active = store.put_grant("inbox", GrantSlot::Active, 0, &grant("old")).unwrap().unwrap();
    let pending = store.put_grant("inbox", GrantSlot::Pending, 0, &grant("new")).unwrap().unwrap();
    assert!(!store.confirm_grant("inbox", pending + 1).unwrap());
    assert_eq!(token(&*store, GrantSlot::Active), Some((active, "refresh-old".into())));
    assert!(store.confirm_grant("inbox", pending).unwrap());
    let (version, stands) = token(&*store, GrantSlot::Active).unwrap();
    assert!(version > active);
    assert_eq!(stands, "refresh-new");
    assert_eq!(token(&*store, GrantSlot::Pending), None);
    assert!(!store.confirm_grant("inbox", pending).unwrap());
    // Who was refreshing the old one meanwhile comes too late.
    assert_eq!(store.put_grant("inbox", GrantSlot::Active, active, &grant("late")).unwrap(), None);
}
