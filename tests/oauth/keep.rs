//! Grants that no visit uses are kept from dying of idleness, and their owners hear when one died all the same.

use multipop::engine::keep::keep_grants;
use multipop::model::{EventKind, Outcome};
use multipop::service::fetch::FetchRequest;
use multipop::store::{GrantSlot, Reach};
use multipop_host::mock::idp::{At, Fault, OAuthError, What};
use serde_json::json;

use super::world::{ALICE, Listener, World};

const DAY: u64 = 86_400;

fn keep(world: &World) {
    world.call(|call| async move { keep_grants(&call, &Reach::All).await }).unwrap();
}

fn refreshes(world: &World) -> u64 {
    world.idp.journal().count("refresh_token")
}

fn pause(world: &World) {
    let json = json!({"verb": "pause"}).to_string();
    world.instance.account_act(&mut Listener::default(), ALICE, "a", None, &json).unwrap();
}

#[test]
fn a_paused_account_is_refreshed_weekly_and_not_more() {
    let world = World::entra();
    world.connect();
    pause(&world);
    for _ in 0..100 {
        world.clock.pass(DAY);
        keep(&world);
    }
    assert_eq!(refreshes(&world), 100 / 7);
    let grant = world.grant(GrantSlot::Active).unwrap().grant;
    assert!(!grant.dead && grant.refreshed_at > grant.obtained_at);
}

#[test]
fn a_pass_over_all_accounts_keeps_them_too() {
    let world = World::entra();
    world.connect();
    pause(&world);
    world.clock.pass(8 * DAY);
    let mut listener = Listener::default();
    let request = FetchRequest { actor: "*", account: None, deadline_s: 30, now: false };
    let (status, _) = world.instance.fetch_once(&mut listener, &request);
    status.unwrap();
    assert_eq!(refreshes(&world), 1);
}

#[test]
fn trouble_is_tried_again_by_the_hour_and_loses_nothing() {
    let world = World::entra();
    world.connect();
    world.clock.pass(8 * DAY);
    world.idp.change(|s| s.faults = vec![Fault::new(At::Refresh, What::too_many(60))]);
    keep(&world);
    keep(&world);
    assert_eq!(refreshes(&world), 1);
    world.idp.change(|s| s.faults.clear());
    world.clock.pass(3601);
    keep(&world);
    assert_eq!(refreshes(&world), 2);
    assert!(!world.grant(GrantSlot::Active).unwrap().grant.dead);
}

#[test]
fn an_owner_hears_once_that_his_idle_grant_died() {
    let world = World::entra();
    world.connect();
    pause(&world);
    world.clock.pass(8 * DAY);
    world.idp.change(|s| s.faults = vec![Fault::new(At::Refresh, What::Error(OAuthError::aadsts(700082)))]);
    let request = FetchRequest { actor: "*", account: None, deadline_s: 30, now: false };
    let mut needed = 0;
    for _ in 0..3 {
        let mut listener = Listener::default();
        world.instance.fetch_once(&mut listener, &request).0.unwrap();
        needed +=
            listener.events.iter().filter(|e| e.kind == EventKind::ConsentNeeded && e.account == "a").count();
        world.clock.pass(DAY);
    }
    assert_eq!(needed, 1);
    assert_eq!(world.row("a").state.outcome, Some(Outcome::ReauthUser));
}
