//! Rows of the hand-written file, played by the mock provider or mail server to a whole instance.

use multipop::engine::call::Clock;
use multipop::error::{Error, Status};
use multipop::model::Outcome;
use multipop::secret::Secret;
use multipop::service::fetch::FetchRequest;
use multipop::store::{Grant, GrantSlot};
use multipop_host::mock::TokenTable;
use multipop_host::mock::idp::{At, Consent, Fault, OAuthError, What};
use multipop_host::mock::pop3;
use serde_json::json;

use super::Expected;
use super::world::{ALICE, Listener, SESSION, World};

fn fits(row: &Expected, error: &Error) {
    let statuses: &[Status] = match row.class {
        "R" => &[Status::Consent],
        "A" => &[Status::Provider, Status::Policy],
        "C" => &[Status::Config],
        "T" => &[Status::Transient],
        _ => panic!("{row:?}"),
    };
    assert!(statuses.contains(&error.status), "{row:?} {error:?}");
    assert_eq!(error.cause, row.cause, "{row:?} {error:?}");
    assert!(!error.for_user().is_empty() && !error.for_operator().is_empty(), "{row:?} {error:?}");
    let helper = if row.class == "R" { error.for_user() } else { error.for_operator() };
    assert!(error.advice == helper || row.class == "T", "{row:?} {error:?}");
}

fn said(row: &Expected) -> OAuthError {
    match row.kind {
        "number" => OAuthError::aadsts(row.code.parse().unwrap()),
        "error" => OAuthError::new(row.code),
        "suberror" => OAuthError::new("invalid_grant").suberror(row.code),
        _ => panic!("{row:?}"),
    }
}

pub fn browser(rows: Vec<Expected>) {
    assert!(rows.len() > 100);
    let world = World::entra();
    for row in &rows {
        let said = said(row);
        let words = format!("AADSTS{}: no", row.code);
        world.idp.change(|s| s.consent = Consent::Refused(said.error, words));
        fits(row, &world.bring(&world.sign_in(ALICE), SESSION).result.unwrap_err());
        assert!(world.grant(GrantSlot::Active).is_none());
    }
}

pub fn code(rows: Vec<Expected>) {
    assert!(rows.len() > 100);
    let world = World::entra();
    for row in &rows {
        world.idp.change(|s| s.faults = vec![Fault::new(At::Code, What::Error(said(row)))]);
        let brought = world.bring(&world.sign_in(ALICE), SESSION);
        let error = brought.result.unwrap_err();
        fits(row, &error);
        // The page is read by the user.
        assert_eq!(brought.json["message"], error.for_user(), "{row:?}");
    }
}

pub fn renewal(rows: Vec<Expected>, clock_wrong: bool) {
    let world = World::entra();
    world.connect();
    if clock_wrong {
        world.clock.pass(900);
    }
    for row in &rows {
        let what = match (row.kind, row.code) {
            ("http", "none") => What::Close,
            ("http", "307") => What::Redirect("https://127.0.0.1:1/".to_owned()),
            ("http", status) => What::html(status.parse().unwrap()),
            _ => What::Error(said(row)),
        };
        world.idp.change(|s| s.faults = vec![Fault::new(At::Refresh, what)]);
        change_grant(&world, |grant| (grant.renew_at, grant.expires_at, grant.dead) = (0, 0, false));
        fits(row, &fetched(&world, row));
        let grant = world.grant(GrantSlot::Active).unwrap().grant;
        assert!(!grant.dead || row.class == "R", "lost over {row:?}");
        assert!(grant.refresh_token.is_some());
    }
}

fn change_grant(world: &World, change: impl FnOnce(&mut Grant)) {
    let mut stored = world.grant(GrantSlot::Active).unwrap();
    change(&mut stored.grant);
    world.store().put_grant("a", GrantSlot::Active, stored.version, &stored.grant).unwrap().unwrap();
}

/// The named account is visited, and the outcome kept is the class of the row.
fn fetched(world: &World, row: &Expected) -> Error {
    let request = FetchRequest { actor: "*", account: Some("a"), deadline_s: 60, now: true };
    let (status, _) = world.instance.fetch_once(&mut Listener::default(), &request);
    let error = status.expect_err(row.code);
    let state = world.row("a").state;
    let outcomes: &[Outcome] = match row.class {
        "R" => &[Outcome::ReauthUser],
        "A" => &[Outcome::AdminAction, Outcome::MailboxPolicy],
        "C" => &[Outcome::ConfigError],
        _ => &[Outcome::Transient],
    };
    assert!(outcomes.contains(&state.outcome.unwrap()), "{row:?} {state:?}");
    assert_eq!((&*state.for_user, &*state.for_operator), (error.for_user(), error.for_operator()));
    error
}

const POP_SCOPE: &str = "https://outlook.office.com/POP.AccessAsUser.All offline_access";

pub fn mailbox(rows: Vec<Expected>) {
    let mut world = World::entra();
    // It knows no token, so every log-in is refused.
    let pop = pop3::Server::start(&world.pki, &TokenTable::new(), pop3::Script::exchange()).unwrap();
    let server = pop.address().to_string();
    world.json["providers"]["p"]["servers"] = json!([server]);
    world.json["accounts"]["a"]["server"] = json!(server);
    world.json["accounts"]["b"]["server"] = json!(server);
    world.configure();
    world.connect();
    // Personal accounts want it without a query.
    world.json["providers"]["p"]["redirect_uri"] = json!("https://mail.example.com/back");
    for row in &rows {
        let is = |fact: &str| row.code.split(' ').any(|one| one == fact);
        world.json["providers"]["p"]["profile"] = json!(row.when);
        world.json["accounts"]["a"]["user"] =
            json!(if is("shared") { "sales@contoso.example" } else { ALICE });
        world.json["accounts"]["a"]["sign_in"] = json!(ALICE);
        world.configure();
        let said = |text: &str| pop3::What::Err(text.to_owned());
        let fault = match row.code.split(' ').next() {
            Some("bad-password") => None,
            Some("protocol-error") => Some(said("Protocol error. Connection is closed. 10")),
            Some("close") => Some(pop3::What::Close),
            Some("unavailable") => Some(said("Server Unavailable. 15")),
            Some("not-connected") => Some(said("User is authenticated but not connected.")),
            _ => panic!("{row:?}"),
        };
        let fault = fault.map(|what| pop3::Fault::new(pop3::At::Verb(pop3::Verb::AuthData), what));
        pop.change(|script| script.faults = fault.into_iter().collect());
        let now = world.clock.now();
        let (access_token, scope) = (
            Secret::new("t".repeat(if is("long-token") { 4097 } else { 4096 })),
            match (is("no-pop-scope"), is("graph-scope")) {
                (true, _) => "https://outlook.office.com/IMAP.AccessAsUser.All",
                (_, true) => "https://graph.microsoft.com/POP.AccessAsUser.All",
                _ => POP_SCOPE,
            },
        );
        // Without a refresh token the one that was refused is not renewed first.
        change_grant(&world, |grant| {
            grant.refresh_token = None;
            // Nor does the issuer of another row's profile stand in it.
            grant.identity = None;
            grant.access_token = Some(access_token);
            grant.scope = scope.to_owned();
            (grant.renew_at, grant.expires_at, grant.refreshed_at) = (now + 3000, now + 3600, now);
        });
        let closed = is("closed-twice");
        world
            .store()
            .update_state("a", &mut |state| {
                state.last_login = is("worked").then_some(now - 7200);
                // Lasting, so that it is no throttling.
                state.refused_since = is("worked").then_some(now - 7200);
                state.cause = if closed { "server.unavailable".to_owned() } else { String::new() };
                state.failures = if closed { 2 } else { 0 };
            })
            .unwrap();
        fits(row, &fetched(&world, row));
    }
}
