//! One valid token for an account, refreshed once; and no grant lost over what passes.

use std::time::Duration;

use multipop::engine::grant::{Access, access, renew_after_refusal};
use multipop::error::{Error, Result, Status};
use multipop::model::TokenSource;
use multipop::store::GrantSlot;
use multipop_host::mock::idp::{At, Fault, OAuthError, Rotation, Settings, What};
use serde_json::json;

use super::world::World;

fn token_of(world: &World) -> Result<Access> {
    let row = world.row("a");
    world.call(|call| async move { access(&call, &row).await })
}

fn renewed(world: &World, used: &Access) -> Result<Option<Access>> {
    let row = world.row("a");
    world.call(|call| async move { renew_after_refusal(&call, &row, used).await })
}

fn faulty(world: &World, what: What) {
    world.idp.change(|s| s.faults = vec![Fault::new(At::Refresh, what)]);
}

fn refreshes(world: &World) -> u64 {
    world.idp.journal().count("refresh_token")
}

#[test]
fn a_token_is_cached_until_it_is_due_and_then_refreshed_once() {
    let world = World::entra();
    world.connect();
    let first = token_of(&world).unwrap();
    assert!(!first.fresh && first.scope.contains("POP.AccessAsUser.All"));
    assert_eq!(refreshes(&world), 0);
    world.clock.pass(3300);
    let second = token_of(&world).unwrap();
    assert!(second.fresh && second.token != first.token && second.version > first.version);
    assert_eq!(token_of(&world).unwrap().token, second.token);
    assert_eq!(refreshes(&world), 1);
    assert_eq!(world.idp.journal().violations(), Vec::<String>::new());
}

#[test]
fn a_rotated_token_replaces_the_old_one_and_none_keeps_it() {
    for (rotation, replaced) in [(Rotation::Strict, true), (Rotation::None, false)] {
        let world = World::generic();
        world.idp.change(|s| s.rotation = rotation);
        world.connect();
        let stored = || world.grant(GrantSlot::Active).unwrap().grant.refresh_token.unwrap();
        let before = stored();
        for _ in 0..3 {
            world.clock.pass(3300);
            token_of(&world).unwrap();
        }
        assert_eq!(stored() != before, replaced);
        assert_eq!(refreshes(&world), 3);
    }
}

#[test]
fn i10_many_at_once_refresh_once() {
    let world = World::generic();
    world.idp.change(|s| s.rotation = Rotation::Strict);
    world.connect();
    world.clock.pass(3300);
    faulty(&world, What::Slow(Duration::from_millis(300)));
    let tokens: Vec<String> = std::thread::scope(|scope| {
        // Each a call on a store of its own, as a process has it.
        let all: Vec<_> =
            (0..6).map(|_| scope.spawn(|| token_of(&world).unwrap().token.expose().to_owned())).collect();
        all.into_iter().map(|one| one.join().unwrap()).collect()
    });
    assert!(tokens.iter().all(|token| *token == tokens[0]));
    assert_eq!(refreshes(&world), 1);
    assert_eq!(world.idp.journal().most_in_flight(), 1);
}

#[test]
fn i10_a_holder_that_died_is_waited_for_no_longer() {
    let world = World::entra();
    world.connect();
    world.clock.pass(3300);
    let name = multipop::store::LeaseName::Grant("a".into());
    let store = world.store();
    let lease = store.lease(&name, multipop::engine::call::Clock::now(&*world.clock), 600).unwrap().unwrap();
    // The process ends without giving anything back.
    drop(lease);
    drop(store);
    token_of(&world).unwrap();
    assert_eq!(refreshes(&world), 1);
}

#[test]
fn i10_a_rotated_token_that_could_not_be_stored_is_not_used() {
    let world = World::entra();
    world.connect();
    world.clock.pass(3700);
    let database = rusqlite::Connection::open(world.folder.path().join("store.db")).unwrap();
    database
        .execute_batch(
            "CREATE TRIGGER planted BEFORE INSERT ON grants BEGIN SELECT RAISE(ABORT, 'planted'); END",
        )
        .unwrap();
    let error = token_of(&world).unwrap_err();
    assert!(error.message.contains("planted"), "{error}");
    assert_eq!(refreshes(&world), 1);
    database.execute_batch("DROP TRIGGER planted").unwrap();
    // What was stored before still works.
    token_of(&world).unwrap();
}

#[test]
fn i10_a_refresh_whose_answer_is_lost_keeps_the_old_token() {
    let world = World::entra();
    world.connect();
    let before = world.grant(GrantSlot::Active).unwrap();
    world.clock.pass(3700);
    for what in [What::CloseAfterDoing, What::HalfAnswer, What::StallInBody(Duration::from_secs(20))] {
        faulty(&world, what);
        let error = token_of(&world).unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Transient, "provider.unreachable"));
    }
    let after = world.grant(GrantSlot::Active).unwrap();
    assert_eq!((after.version, after.grant.dead), (before.version, false));
    world.idp.change(|s| s.faults.clear());
    token_of(&world).unwrap();
}

#[test]
fn i10_trouble_and_wrong_configuration_end_no_grant() {
    let world = World::entra();
    world.connect();
    world.clock.pass(3700);
    for (what, status) in [
        (What::Close, Status::Transient),
        (What::html(502), Status::Transient),
        (What::too_many(60), Status::Transient),
        (What::html(200), Status::Config),
        (What::Redirect("https://127.0.0.1:1/".into()), Status::Config),
        (What::Error(OAuthError::aadsts(50_196)), Status::Transient),
        (What::Error(OAuthError::aadsts(7_000_222)), Status::Config),
        (What::Error(OAuthError::aadsts(53_003)), Status::Provider),
        (What::Error(OAuthError::aadsts(50_076)), Status::Consent),
        (What::Error(OAuthError::new("invalid_request")), Status::Config),
    ] {
        faulty(&world, what.clone());
        assert_eq!(token_of(&world).unwrap_err().status, status, "{what:?}");
        assert!(!world.grant(GrantSlot::Active).unwrap().grant.dead, "{what:?}");
    }
    world.idp.change(|s| s.faults.clear());
    token_of(&world).unwrap();
}

#[test]
fn a_provider_that_asks_for_patience_gets_it_and_the_old_token_serves_while_it_lives() {
    let world = World::entra();
    world.connect();
    let first = token_of(&world).unwrap();
    world.clock.pass(3300);
    faulty(&world, What::too_many(77));
    // Due for renewal, and still good for five minutes.
    assert_eq!(token_of(&world).unwrap().token, first.token);
    world.clock.pass(400);
    assert_eq!(token_of(&world).unwrap_err().retry_after_s, 77);
}

#[test]
fn a_revoked_grant_is_over_kept_and_never_asked_for_again() {
    let world = World::entra();
    world.connect();
    world.idp.revoke(super::world::ALICE);
    world.clock.pass(3700);
    let error = token_of(&world).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Consent, "consent.revoked"));
    assert_eq!(error.provider_code, "AADSTS50173");
    let grant = world.grant(GrantSlot::Active).unwrap().grant;
    assert!(grant.dead && grant.refresh_token.is_some());
    let asked = refreshes(&world);
    // What ended it is still told, as the visit left it in the state.
    world
        .store()
        .update_state("a", &mut |state| {
            state.status = Status::Consent.code();
            state.cause = "consent.password_expired".into();
            state.advice = "Set a new password.".into();
        })
        .unwrap();
    let error = token_of(&world).unwrap_err();
    assert_eq!((error.cause, error.advice.as_str()), ("consent.password_expired", "Set a new password."));
    assert_eq!(refreshes(&world), asked);
    world.connect();
    token_of(&world).unwrap();
}

#[test]
fn nobody_signed_in_is_told_as_that() {
    let error = token_of(&World::entra()).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Consent, "consent.none"));
}

#[test]
fn a_token_the_mail_server_refused_is_renewed_once_unless_it_was_fresh() {
    let world = World::entra();
    world.connect();
    let used = token_of(&world).unwrap();
    let better = renewed(&world, &used).unwrap().unwrap();
    assert!(better.fresh && better.token != used.token);
    assert!(renewed(&world, &better).unwrap().is_none());
    // Somebody else renewed meanwhile: his will do.
    let his = renewed(&world, &used).unwrap().unwrap();
    assert_eq!(his.token, better.token);
    assert_eq!(refreshes(&world), 1);
}

#[test]
fn the_next_client_secret_is_tried_where_one_is_refused() {
    let mut world = World::entra();
    world.connect();
    let old = world.json["providers"]["p"]["client_secret_files"][0].clone();
    let new = world.folder.path().join("new-secret");
    std::fs::write(&new, "not-valid-yet\n").unwrap();
    world.json["providers"]["p"]["client_secret_files"] = json!([new, old]);
    world.configure();
    world.clock.pass(3700);
    token_of(&world).unwrap();
    assert_eq!(refreshes(&world), 2);
    world.idp.change(|s| s.clients.values_mut().for_each(|c| c.secrets = vec!["other".into()]));
    world.clock.pass(3700);
    assert_eq!(token_of(&world).unwrap_err().cause, "config.client_secret");
    assert!(!world.grant(GrantSlot::Active).unwrap().grant.dead);
}

#[test]
fn i08_a_certificate_that_does_not_hold_sends_nothing_and_loses_nothing() {
    let world = World::entra();
    world.connect();
    world.clock.pass(3700);
    for identity in [&world.pki.wrong_name, &world.pki.expired, &world.pki.other_ca] {
        world.idp.show(identity).unwrap();
        let error = token_of(&world).unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Transient, "provider.certificate"), "{error}");
        assert!(!error.advice.is_empty());
    }
    assert_eq!(refreshes(&world), 0);
    world.idp.show(&world.pki.good).unwrap();
    token_of(&world).unwrap();
}

#[test]
fn a_token_file_is_read_at_each_use() {
    let world = World::entra();
    let path = world.folder.path().join("token");
    let mut row = world.row("a");
    row.account.source = TokenSource::File(path.clone());
    let read = || {
        world.call(|call| {
            let row = row.clone();
            async move { access(&call, &row).await }
        })
    };
    assert_eq!(read().unwrap_err().cause, "config.token_file");
    std::fs::write(&path, "T1\n").unwrap();
    let used = read().unwrap();
    assert_eq!((used.token.expose(), used.version), ("T1", 0));
    let again = |used: &Access| -> std::result::Result<Option<Access>, Error> {
        world.call(|call| {
            let row = row.clone();
            async move { renew_after_refusal(&call, &row, used).await }
        })
    };
    assert!(again(&used).unwrap().is_none(), "the same token would be refused again");
    std::fs::write(&path, "T2\n").unwrap();
    assert_eq!(again(&used).unwrap().unwrap().token.expose(), "T2");
}

#[test]
fn i14_tokens_of_one_issuer_are_not_another_s_who_got_its_id() {
    let mut world = World::generic();
    world.connect();
    token_of(&world).unwrap();
    let issuer = world.json["providers"]["p"]["issuer"].take();
    world.json["providers"]["p"]["issuer"] = json!("https://id.example.net");
    world.configure();
    let error = token_of(&world).unwrap_err();
    assert_eq!((error.status, error.cause), (Status::Consent, "consent.other_issuer"));
    world.clock.pass(3300);
    assert_eq!(token_of(&world).unwrap_err().cause, "consent.other_issuer");
    assert_eq!(refreshes(&world), 0, "the refresh token went to the other one");
    // A slip of the operator's loses nothing.
    world.json["providers"]["p"]["issuer"] = issuer;
    world.configure();
    token_of(&world).unwrap();
}

#[test]
fn a_renewal_that_brings_somebody_else_s_token_is_not_used_and_the_grant_is_kept() {
    for world in [World::entra(), World::generic()] {
        world.idp.change(|s| s.rotation = Rotation::KeepsOld);
        world.connect();
        let before = world.grant(GrantSlot::Active).unwrap();
        world.clock.pass(3700);
        let mut alice = None;
        world.idp.change(|s| alice = s.users.get(super::world::ALICE).cloned());
        let other = |s: &mut Settings| {
            let user = s.users.get_mut(super::world::ALICE).unwrap();
            (user.sub, user.oid) = ("somebody else".into(), "cccccccc-0000-4000-8000-000000000003".into());
        };
        world.idp.change(other);
        let error = token_of(&world).unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Provider, "provider.other_subject"));
        let kept = world.grant(GrantSlot::Active).unwrap();
        assert_eq!((kept.version, kept.grant.dead), (before.version, false));
        world.idp.change(|s| drop(s.users.insert(super::world::ALICE.to_owned(), alice.unwrap())));
        token_of(&world).unwrap();
    }
}
