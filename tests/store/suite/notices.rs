//! Notices: how accounts stand follows their state, and whoever tells something tells it alone.

use super::*;

const DAY: u64 = 86_400;

fn stop(store: &dyn Store, id: &str, outcome: Outcome, cause: &str, at: UnixTime) {
    store
        .update_state(id, &mut |state| {
            state.since = if state.outcome == Some(outcome) { state.since } else { at };
            state.outcome = Some(outcome);
            state.cause = cause.into();
            state.last_try = Some(at);
        })
        .unwrap();
}

fn consent(account: i64, mark: UnixTime) -> About {
    About { kind: "consent_needed", account, topic: String::new(), mark }
}

pub fn a_standing_follows_every_change_of_state(open: Open) {
    let store = open();
    for id in ["a", "b", "c"] {
        put(&*store, id);
        stop(&*store, id, Outcome::Ok, "", NOW);
    }
    assert!(store.troubles(NOW).unwrap().is_empty());
    stop(&*store, "a", Outcome::ReauthUser, "consent.revoked", NOW + 10);
    stop(&*store, "b", Outcome::ReauthUser, "consent.revoked", NOW + 20);
    let lease = visit(&*store, "c");
    let fenced = store.update_state_fenced(&lease, &mut |state| {
        state.outcome = Some(Outcome::MailboxPolicy);
        state.cause = "mailbox.pop_off".into();
        state.last_try = Some(NOW + 30);
        state.since = NOW + 30;
    });
    assert!(fenced.unwrap());
    let troubles = open().troubles(NOW + 40).unwrap();
    let seen: Vec<_> = troubles
        .iter()
        .map(|one| (one.cause.as_str(), one.needs, one.accounts, one.of, one.within_an_hour, one.since))
        .collect();
    assert_eq!(
        seen,
        [
            ("consent.revoked", Needs::User, 2, 3, 2, NOW + 10),
            ("mailbox.pop_off", Needs::Operator, 1, 3, 1, NOW + 30)
        ]
    );
    assert_eq!(troubles[0].provider, "microsoft");
    let shown = store.account_at(troubles[1].sample).unwrap().unwrap();
    assert_eq!(shown.account.id, "c");
    // Another cause of the same sort: the account stands still since the first.
    stop(&*store, "a", Outcome::ReauthUser, "consent.expired", NOW + 50);
    let expired = &store.troubles(NOW + 60).unwrap()[0];
    assert_eq!((expired.since, expired.cause_since), (NOW + 10, NOW + 50));
    // A visit cut off before it was let in says nothing.
    stop(&*store, "a", Outcome::OkMore, "", NOW + 60);
    assert_eq!(store.troubles(NOW + 60).unwrap().len(), 3);
    store.update_state("a", &mut |state| state.last_login = Some(NOW + 65)).unwrap();
    assert_eq!(store.troubles(NOW + 65).unwrap().len(), 2);
    stop(&*store, "a", Outcome::ReauthUser, "consent.expired", NOW + 66);
    for id in ["a", "b", "c"] {
        stop(&*store, id, Outcome::Ok, "", NOW + 70);
    }
    assert!(store.troubles(NOW + 80).unwrap().is_empty());
    assert_eq!((store.healed_since(NOW + 69).unwrap(), store.healed_since(NOW + 70).unwrap()), (3, 0));
}

pub fn what_time_heals_in_between_ends_no_need(open: Open) {
    let store = open();
    put(&*store, "a");
    stop(&*store, "a", Outcome::ReauthUser, "consent.revoked", NOW);
    let (row, since) = store.users_to_tell(NOW, NOW, 10).unwrap()[0];
    let told = |at| {
        let ids = store.lease_notices(&[consent(row, since)], at, 60).unwrap();
        store.notices_told(&ids.into_iter().flatten().collect::<Vec<_>>(), at).unwrap()
    };
    assert_eq!(told(NOW), 1);
    for day in 1..4 {
        let at = NOW + day * DAY;
        stop(&*store, "a", Outcome::Transient, "server.trouble", at);
        stop(&*store, "a", Outcome::Transient, "server.unavailable", at + 1);
        assert!(store.users_to_tell(at + 2, at + 2, 10).unwrap().is_empty(), "nobody knows");
        stop(&*store, "a", Outcome::ReauthUser, "consent.revoked", at + 3);
        assert_eq!(store.troubles(at + 4).unwrap()[0].since, NOW);
        assert!(store.users_to_tell(at + 4, at + 4, 10).unwrap().is_empty(), "he was told");
    }
    stop(&*store, "a", Outcome::Transient, "server.trouble", NOW + 4 * DAY);
    stop(&*store, "a", Outcome::Ok, "", NOW + 4 * DAY + 1);
    assert_eq!(store.healed_since(NOW + 4 * DAY).unwrap(), 1);
    stop(&*store, "a", Outcome::Transient, "server.trouble", NOW + 5 * DAY);
    stop(&*store, "a", Outcome::Ok, "", NOW + 5 * DAY + 1);
    assert_eq!(store.healed_since(NOW + 5 * DAY).unwrap(), 0, "a moment is no news");
    stop(&*store, "a", Outcome::ReauthUser, "consent.revoked", NOW + 6 * DAY);
    assert_eq!(store.users_to_tell(NOW + 6 * DAY, NOW + 6 * DAY, 10).unwrap().len(), 1, "stopped anew");
}

pub fn whoever_cannot_be_told_keeps_nobody_else_waiting(open: Open) {
    let store = open();
    for (at, id) in ["a", "b", "c"].into_iter().enumerate() {
        put(&*store, id);
        stop(&*store, id, Outcome::ReauthUser, "consent.revoked", NOW + at as u64);
    }
    let now = NOW + 10;
    let first = store.users_to_tell(now, now, 1).unwrap();
    let (row, since) = first[0];
    store.lease_notices(&[consent(row, since)], now, 60).unwrap();
    // His mailbox is full, and the lease over.
    let next = store.users_to_tell(now, now + 61, 1).unwrap();
    assert_ne!(next, first);
    let all = store.users_to_tell(now, now + 61, 3).unwrap();
    assert_eq!((all.len(), all[2]), (3, first[0]));
}

pub fn a_clock_put_right_leaves_nobody_waiting_for_the_future(open: Open) {
    let store = open();
    let future = NOW + 3000 * DAY;
    for id in ["a", "b"] {
        put(&*store, id);
    }
    // Told, and told of an incident, in a year that is not yet.
    stop(&*store, "a", Outcome::ReauthUser, "consent.revoked", NOW);
    let (row, since) = store.users_to_tell(NOW, NOW, 10).unwrap()[0];
    let ids = store.lease_notices(&[consent(row, since)], future, 60).unwrap();
    store.notices_told(&[ids[0].clone().unwrap()], future).unwrap();
    let incident = Incident {
        provider: "microsoft".into(),
        cause: "consent.expired".into(),
        begun_at: future,
        held_until: future + 100,
        ended_at: None,
    };
    stop(&*store, "b", Outcome::ReauthUser, "consent.expired", future);
    store.settle_incidents(&[incident], future).unwrap();
    stop(&*store, "a", Outcome::Ok, "", NOW + 10);
    stop(&*store, "a", Outcome::ReauthUser, "consent.revoked", NOW + 20);
    assert!(store.users_to_tell(NOW + 5 * DAY, NOW + 5 * DAY, 10).unwrap().is_empty());
    store.put_right(NOW + 30).unwrap();
    let begun: Vec<_> =
        store.incidents(NOW).unwrap().iter().map(|one| (one.begun_at, one.held_until)).collect();
    assert_eq!(begun, [(NOW + 30, NOW + 130)]);
    let then = NOW + 30 + DAY;
    let waiting = store.users_to_tell(then, then, 10).unwrap();
    assert_eq!(waiting.iter().map(|(_, since)| *since).collect::<Vec<_>>(), [NOW + 20, NOW + 30]);
    let before = store.troubles(then).unwrap();
    store.put_right(then).unwrap();
    assert_eq!(store.troubles(then).unwrap(), before, "what is past stays");
}

pub fn the_most_within_any_hour_is_counted(open: Open) {
    let store = open();
    for (at, id) in ["a", "b", "c", "d", "e"].into_iter().enumerate() {
        put(&*store, id);
        // Three within an hour, then two a day later.
        let began = NOW + if at < 3 { at as u64 * 1800 } else { DAY };
        stop(&*store, id, Outcome::ReauthUser, "consent.revoked", began);
    }
    let counted = |now| store.troubles(now).unwrap()[0].within_an_hour;
    assert_eq!(counted(NOW + DAY), 3);
    assert_eq!(store.troubles(NOW + DAY).unwrap()[0].peak_at, NOW + 3600);
    // What time heals does not hit before it lasted an hour.
    for id in ["a", "b", "c", "d", "e"] {
        stop(&*store, id, Outcome::Transient, "server.trouble", NOW + 2 * DAY);
    }
    assert_eq!((counted(NOW + 2 * DAY + 3599), counted(NOW + 2 * DAY + 3600)), (0, 5));
}

pub fn an_incident_is_begun_once_and_holds_its_users(open: Open) {
    let (one, two) = (open(), open());
    put(&*one, "a");
    stop(&*one, "a", Outcome::ReauthUser, "consent.revoked", NOW);
    let incident = |begun_at| Incident {
        provider: "microsoft".into(),
        cause: "consent.revoked".into(),
        begun_at,
        held_until: begun_at + 100,
        ended_at: None,
    };
    assert_eq!(one.users_to_tell(NOW, NOW + 1, 10).unwrap().len(), 1);
    assert_eq!(one.settle_incidents(&[incident(NOW + 1)], NOW + 1).unwrap(), [incident(NOW + 1)]);
    assert_eq!(
        two.settle_incidents(&[incident(NOW + 2)], NOW + 2).unwrap(),
        [incident(NOW + 1)],
        "it is under way"
    );
    assert!(two.users_to_tell(NOW, NOW + 100, 10).unwrap().is_empty());
    assert_eq!(two.users_to_tell(NOW, NOW + 101, 10).unwrap().len(), 1);
    assert_eq!(one.troubles(NOW + 101).unwrap()[0].within_an_hour, 0, "what it hit does not begin another");
    stop(&*one, "a", Outcome::Ok, "", NOW + 110);
    assert!(two.settle_incidents(&[], NOW + 120).unwrap().is_empty());
    let ended = two.incidents(NOW + 119).unwrap();
    assert_eq!(ended[0].ended_at, Some(NOW + 120));
    assert!(two.incidents(NOW + 120).unwrap().is_empty());
    stop(&*one, "a", Outcome::ReauthUser, "consent.revoked", NOW + 130);
    assert_eq!(one.settle_incidents(&[incident(NOW + 130)], NOW + 130).unwrap(), [incident(NOW + 130)]);
}

pub fn a_notice_is_told_by_one_and_an_owner_hears_once_a_day(open: Open) {
    let (one, two) = (open(), open());
    put(&*one, "a");
    stop(&*one, "a", Outcome::ReauthUser, "consent.revoked", NOW);
    let (row, since) = one.users_to_tell(NOW, NOW, 10).unwrap()[0];
    assert_eq!(since, NOW);
    let about = consent(row, since);
    let ends = About { kind: "consent_ends", ..about.clone() };
    let lease = |store: &dyn Store, about: &About, now| {
        store.lease_notices(std::slice::from_ref(about), now, 60).unwrap().remove(0)
    };
    let id = lease(&*one, &about, NOW).expect("nobody told it");
    assert_eq!(lease(&*two, &about, NOW + 59), None);
    assert_eq!(lease(&*two, &ends, NOW + 59), None, "its owner is being told something");
    assert!(two.users_to_tell(NOW, NOW + 59, 10).unwrap().is_empty());
    assert_eq!(lease(&*two, &about, NOW + 60).as_ref(), Some(&id), "the one who had it died");
    assert_eq!(one.told(&about).unwrap(), None);
    assert_eq!(two.notices_told(&[id.clone(), "no id".into(), "77.1".into()], NOW + 61).unwrap(), 1);
    assert_eq!(one.told(&about).unwrap(), Some(Told { mark: NOW, at: NOW + 61 }));
    assert_eq!(one.told_of("a").unwrap(), [("consent_needed".to_owned(), NOW + 61)]);
    assert_eq!(lease(&*one, &about, NOW + 9 * DAY), None, "told");
    assert!(one.users_to_tell(NOW, NOW + 9 * DAY, 10).unwrap().is_empty());
    assert_eq!(lease(&*one, &ends, NOW + 60 + DAY), None);
    assert!(lease(&*one, &ends, NOW + 61 + DAY).is_some());
    // The operator hears as much as there is.
    let operator = |topic: &str| About { kind: "incident", account: 0, topic: topic.into(), mark: NOW };
    assert!(lease(&*one, &operator("x"), NOW).is_some() && lease(&*two, &operator("y"), NOW).is_some());
    assert_eq!(lease(&*two, &operator("x"), NOW), None);
    // Who says late that he told an earlier occasion disturbs nobody who tells, or told, a later one.
    let digest = |mark| About { kind: "digest", account: 0, topic: String::new(), mark };
    let late = lease(&*one, &digest(NOW), NOW).unwrap();
    let id = lease(&*two, &digest(NOW + DAY), NOW + DAY).unwrap();
    assert_eq!(one.notices_told(std::slice::from_ref(&late), NOW + DAY).unwrap(), 0);
    assert_eq!(lease(&*one, &digest(NOW + DAY), NOW + DAY), None, "two is telling it");
    assert_eq!(two.notices_told(&[id], NOW + DAY).unwrap(), 1);
    assert_eq!(one.notices_told(&[late], NOW + DAY + 1).unwrap(), 0);
    assert_eq!(lease(&*one, &digest(NOW + DAY), NOW + DAY + 60), None, "told");
}

pub fn idle_grants_are_found_by_their_last_renewal(open: Open) {
    let store = open();
    for (id, at) in [("a", NOW), ("b", NOW + 100)] {
        put(&*store, id);
        let grant = Grant { refreshed_at: at, obtained_at: at, ..grant(id) };
        store.put_grant(id, GrantSlot::Active, 0, &grant).unwrap().unwrap();
        store.put_grant(id, GrantSlot::Pending, 0, &Grant { refreshed_at: 1, ..grant }).unwrap().unwrap();
    }
    let all = |store: &dyn Store| store.idle_grants("microsoft", NOW - 1, NOW + 100).unwrap();
    assert_eq!(all(&*store), Some((2, NOW)));
    assert_eq!(store.idle_grants("microsoft", NOW, NOW + 99).unwrap(), None);
    let idle = Idle { provider: "microsoft".into(), from: NOW - 1, to: NOW + 99, lasts_s: 50 };
    let found = store.idle_users_to_tell(&idle, NOW + 60, 10).unwrap();
    assert_eq!(found.iter().map(|(_, at)| *at).collect::<Vec<_>>(), [NOW]);
    let about = About { kind: "consent_ends", account: found[0].0, topic: String::new(), mark: NOW + 50 };
    let ids: Vec<String> =
        store.lease_notices(&[about], NOW + 60, 60).unwrap().into_iter().flatten().collect();
    store.notices_told(&ids, NOW + 60).unwrap();
    assert!(store.idle_users_to_tell(&idle, NOW + 9 * DAY, 10).unwrap().is_empty(), "told of this renewal");
    store.drop_grant("a", GrantSlot::Active).unwrap();
    assert_eq!(all(&*store), Some((1, NOW + 100)));
    stop(&*store, "b", Outcome::ReauthUser, "consent.revoked", NOW);
    assert_eq!(all(&*store), None, "somebody must act for it already");
}

pub fn removal_forgets_what_was_told(open: Open) {
    let store = open();
    put(&*store, "a");
    stop(&*store, "a", Outcome::ReauthUser, "consent.revoked", NOW);
    let (row, since) = store.users_to_tell(NOW, NOW, 10).unwrap()[0];
    let ids = store.lease_notices(&[consent(row, since)], NOW, 60).unwrap();
    assert!(store.remove_account("a", true).unwrap());
    assert!(store.troubles(NOW).unwrap().is_empty() && store.account_at(row).unwrap().is_none());
    assert_eq!(store.notices_told(&[ids[0].clone().unwrap()], NOW).unwrap(), 0);
    assert_eq!(store.told(&consent(row, since)).unwrap(), None);
}
