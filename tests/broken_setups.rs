//! Broken set-ups, ten of them with two faults at once: `check` names exactly one first cause, the right one.
//!
//! What is to be seen stands in `broken_setups/expected.rs`, which was written before any of this was run. With two
//! faults the first is mended here, and the second must come to light then and not before.

#[path = "broken_setups/expected.rs"]
mod expected;
mod house;

use std::net::TcpListener;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use expected::{AFTERWARDS, Broken, LOGIN_DELAY, ONE_FAULT, Seen, TWO_FAULTS, Who};
use house::signed::{REDIRECT, SESSION, Signed};
use house::{House, Recorder, USER};
use multipop::engine::call::Clock;
use multipop::error::Error;
use multipop::service::check::CheckRequest;
use multipop_host::mock::idp::{self, Client, ClientKey, OAuthError, Settings};
use multipop_host::mock::pop3::{At, Fault, Script, Server, Transport, Verb, What};
use serde_json::{Value, json};

const STEPS: [&str; 8] = ["configuration", "dns", "tcp", "tls", "greeting", "token", "login", "uidl"];
/// What is prepared lies so long ago, less than what counts as a wrong clock, and tokens do not live so long: each
/// look asks for a new one at a time that is right.
const AGO_S: u64 = 250;
const TOKEN_LIFE: Duration = Duration::from_secs(200);
const TENANT: &str = "3f1c0a52-9d1e-4b8a-8c6f-0d9f4e7b2a11";
/// The tenant of personal accounts (PROTOCOL.md A.3).
const PERSONAL: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";
/// Exchange's one refusal for every cause (PROTOCOL.md, fact 7).
const REFUSAL: &str = "Authentication failure: unknown user name or bad password.";

/// Each set-up breaks what it is given, looks, mends the first fault where there are two, and looks again.
macro_rules! set_ups {
    ($($name:ident => $play:expr;)*) => {
        $(#[test] fn $name() {
            let play: fn(&mut Bench) = $play;
            play(&mut Bench::new(stringify!($name)));
        })*
        const PLAYED: &[&str] = &[$(stringify!($name)),*];
    };
}

#[test]
fn every_set_up_is_played_and_at_least_twenty_with_five_of_two_faults() {
    let expected: Vec<&str> = all().map(|one| one.name).collect();
    assert_eq!(expected, PLAYED);
    assert!(expected.len() >= 20 && TWO_FAULTS.iter().filter(|one| one.then.is_some()).count() >= 5);
}

set_ups! {
    secret_id_and_wrong_tenant => |bench| {
        let mut at = of_the_application();
        refuse(&at, idp::At::Application, OAuthError::aadsts(90_002));
        write_secret(&mut at, "5f0c1d9e-2b7a-4c3d-8e1f-a0b1c2d3e4f5");
        bench.first(&at.house);
        write_secret(&mut at, Client::SECRET);
        bench.then(&at.house);
    };
    secret_expired_and_pop_off => |bench| {
        let at = connected();
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(7_000_222));
        refuse_log_ins(&at, REFUSAL);
        bench.first(&at.house);
        mend_provider(&at);
        bench.then(&at.house);
    };
    name_wrong_and_certificate_over => |bench| {
        let mut at = connected();
        at.house.pop.show(&at.house.pki.expired).unwrap();
        let right = at.house.pop.address().to_string();
        move_server(&mut at, "pop.contoso.invalid:995");
        bench.first(&at.house);
        move_server(&mut at, &right);
        bench.then(&at.house);
    };
    no_consent_and_wrong_user => |bench| {
        let at = connected_as(|_, account| {
            account["sign_in"] = json!(USER);
            account["user"] = json!("alise@contoso.example");
        });
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(65_001));
        bench.first(&at.house);
        mend_provider(&at);
        at.connect();
        bench.then(&at.house);
    };
    wrong_ca_and_conditional_access => |bench| {
        let at = connected();
        at.house.pop.show(&at.house.pki.other_ca).unwrap();
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(53_003));
        bench.first(&at.house);
        at.house.pop.show(&at.house.pki.good).unwrap();
        bench.then(&at.house);
    };
    port_closed_and_account_disabled => |bench| {
        let mut at = connected();
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(50_057));
        let right = at.house.pop.address().to_string();
        let closed = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().to_string();
        move_server(&mut at, &closed);
        bench.first(&at.house);
        move_server(&mut at, &right);
        bench.then(&at.house);
    };
    stls_port_and_permission_not_registered => |bench| {
        let mut at = connected();
        another_server(&mut at, Transport::Stls);
        refuse(&at, idp::At::Refresh, numbered("invalid_resource", 650_057));
        bench.first(&at.house);
        at.house.config["accounts"]["alice"]["security"] = json!("stls");
        at.house.configure().unwrap();
        bench.then(&at.house);
    };
    grant_revoked_and_no_full_access => |bench| {
        let at = connected_as(|_, account| {
            account["sign_in"] = json!(USER);
            account["user"] = json!("info@contoso.example");
        });
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(50_173));
        bench.first(&at.house);
        mend_provider(&at);
        at.connect();
        bench.then(&at.house);
    };
    http_redirect_and_wrong_secret => |bench| {
        let mut at = connected();
        register_secret(&at, "another~secret");
        at.house.config["providers"]["p"]["redirect_uri"] = json!("http://mail.example.com/oauth/back");
        bench.first_refused(&at.house);
        at.house.config["providers"]["p"]["redirect_uri"] = json!(REDIRECT);
        at.house.configure().unwrap();
        bench.then(&at.house);
    };
    query_with_personal_accounts_and_single_tenant => |bench| {
        let mut at = connected_as(|provider, _| provider["tenant"] = json!("common"));
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(50_194));
        at.house.config["providers"]["p"]["redirect_uri"] =
            json!("https://mail.example.com/WorldClient.dll?View=OAuth&AuthRequest=Office365");
        bench.first_refused(&at.house);
        at.house.config["providers"]["p"]["redirect_uri"] = json!(REDIRECT);
        at.house.configure().unwrap();
        bench.then(&at.house);
    };

    secret_wrong => |bench| {
        let at = connected();
        register_secret(&at, "another~secret");
        bench.first(&at.house);
    };
    two_resources => |bench| {
        let mut at = connected();
        at.house.config["providers"]["p"]["scopes"] = json!([
            "openid", "offline_access", "https://outlook.office.com/POP.AccessAsUser.All",
            "https://graph.microsoft.com/User.Read",
        ]);
        bench.first_refused(&at.house);
    };
    scope_without_resource => |bench| {
        let mut at = connected();
        at.house.config["providers"]["p"]["scopes"] = json!(["openid", "offline_access", "POP.AccessAsUser.All"]);
        bench.first_refused(&at.house);
    };
    token_for_graph => |bench| {
        let at = connected();
        at.idp.change(|settings| settings.scope = Some("openid https://graph.microsoft.com/User.Read".to_owned()));
        bench.first(&at.house);
    };
    personal_account_at_organisation => |bench| {
        let at = microsoft(|_, _| {});
        refuse(&at, idp::At::Code, OAuthError::aadsts(50_020));
        fail_to_connect(&at);
        bench.first(&at.house);
    };
    second_factor => |bench| bench.refused_refresh(OAuthError::aadsts(50_076));
    password_changed => |bench| bench.refused_refresh(OAuthError::aadsts(50_133));
    ninety_days => |bench| bench.refused_refresh(OAuthError::aadsts(700_082));
    account_deleted => |bench| bench.refused_refresh(OAuthError::aadsts(50_034));
    account_locked => |bench| bench.refused_refresh(OAuthError::aadsts(50_053));
    throttled_like_a_bad_grant => |bench| bench.refused_refresh(OAuthError::aadsts(50_196));
    too_many_requests => |bench| bench.broken_refresh(idp::What::too_many(60));
    provider_down => |bench| bench.broken_refresh(idp::What::html(502));
    page_of_a_proxy => |bench| bench.broken_refresh(idp::What::html(200));
    administrator_must_agree => |bench| bench.refused_refresh(OAuthError::aadsts(90_094));
    not_assigned => |bench| bench.refused_refresh(OAuthError::aadsts(50_105));
    device_not_compliant => |bench| bench.refused_refresh(OAuthError::aadsts(53_000));
    no_subscription => |bench| bench.refused_refresh(numbered("invalid_client", 650_052));
    redirect_as_spa => |bench| bench.refused_refresh(OAuthError::aadsts(700_084));
    registered_as_public_client => |bench| bench.refused_refresh(numbered("invalid_client", 700_025));
    redirect_not_registered => |bench| {
        let at = microsoft(|_, _| {});
        let client = |redirect: &str| Client { redirect_uris: vec![redirect.to_owned()], ..Client::default() };
        let registered = client("https://mail.example.com/OAuth/Back");
        at.idp.change(|settings| drop(settings.clients.insert(Client::ID.to_owned(), registered)));
        let url = at.begin(&mut Recorder::default()).unwrap();
        at.idp.consent(&url, USER).expect_err("the browser stays at the provider's page");
        bench.first(&at.house);
    };
    another_cloud => |bench| bench.refused_refresh(numbered("invalid_request", 900_432));
    client_id_unknown => |bench| {
        let mut at = of_the_application();
        at.house.config["providers"]["p"]["client_id"] = json!("another-client");
        at.house.configure().unwrap();
        bench.first(&at.house);
    };
    certificate_not_uploaded => |bench| {
        let at = with_certificate(2090);
        let other = Client { certificates: vec![ClientKey::until(2090).unwrap()], ..Client::default() };
        at.idp.change(|settings| drop(settings.clients.insert(Client::ID.to_owned(), other)));
        bench.first(&at.house);
    };
    certificate_over => |bench| {
        let at = with_certificate(2026);
        let reason = "Client assertion failed signature validation. [Reason - The key used is expired.]";
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(700_027).description(reason));
        bench.first(&at.house);
    };
    clock_ahead => |bench| {
        let at = with_certificate(2090);
        at.house.clock.set(system_s() + 7200);
        bench.first(&at.house);
    };
    token_too_long => |bench| {
        let at = connected();
        at.idp.change(|settings| settings.token_length = 5000);
        at.house.pop.change(|script| script.token_limit = Some(4096));
        bench.first(&at.house);
    };
    no_service_principal => |bench| {
        let at = of_the_application();
        at.idp.change(|settings| settings.app_mailboxes.clear());
        bench.first(&at.house);
    };
    outlook_pop_not_switched_on => |bench| {
        let at = microsoft(|provider, _| provider["profile"] = json!("outlook"));
        let person = idp::User { tid: Some(PERSONAL.to_owned()), ..idp::User::named(USER) };
        at.idp.change(|settings| drop(settings.users.insert(USER.to_owned(), person)));
        at.connect();
        refuse_log_ins(&at, REFUSAL);
        bench.first(&at.house);
    };
    pop_switched_off_later => |bench| {
        let at = connected();
        at.house.fetch_ok(&mut Recorder::default());
        refuse_log_ins(&at, REFUSAL);
        at.house.fetch(&mut Recorder::default()).0.expect_err("refused");
        at.house.clock.advance(1000);
        bench.first(&at.house);
    };
    one_line_auth => |bench| {
        let at = connected_as(|provider, _| provider["initial_response"] = json!(true));
        bench.first(&at.house);
    };
    server_unavailable_at_login => |bench| {
        let at = connected();
        refuse_log_ins(&at, "Server Unavailable. 21");
        bench.first(&at.house);
    };
    closed_at_login => |bench| {
        let at = connected();
        let closes = Fault::new(At::Verb(Verb::AuthData), What::Close);
        at.house.pop.change(|script| script.faults.push(closes));
        bench.first(&at.house);
    };
    not_connected_at_listing => |bench| {
        let at = connected();
        let away = What::Err("User is authenticated but not connected.".to_owned());
        at.house.pop.change(|script| script.faults.push(Fault::new(At::Verb(Verb::Uidl), away)));
        bench.first(&at.house);
    };
    implicit_port_and_stls => |bench| {
        let mut at = connected();
        at.house.config["timeouts"]["reply_s"] = json!(1);
        at.house.config["accounts"]["alice"]["security"] = json!("stls");
        at.house.configure().unwrap();
        bench.first(&at.house);
    };
    certificate_of_another_name => |bench| {
        let at = connected();
        at.house.pop.show(&at.house.pki.wrong_name).unwrap();
        bench.first(&at.house);
    };

    refused_a_moment_after_it_worked => |bench| {
        let at = connected();
        at.house.fetch_ok(&mut Recorder::default());
        refuse_log_ins(&at, REFUSAL);
        bench.first(&at.house);
    };
    certificate_over_in_its_own_number => |bench| {
        let at = with_certificate(2026);
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(1_000_502));
        bench.first(&at.house);
    };
    clock_ahead_in_its_own_number => |bench| {
        let at = with_certificate(2090);
        at.house.clock.set(system_s() + 7200);
        refuse(&at, idp::At::Refresh, OAuthError::aadsts(700_024));
        bench.first(&at.house);
    };
    clock_ahead_and_certificate_not_uploaded => |bench| {
        let at = with_certificate(2090);
        let other = Client { certificates: vec![ClientKey::until(2090).unwrap()], ..Client::default() };
        at.idp.change(|settings| drop(settings.clients.insert(Client::ID.to_owned(), other)));
        at.house.clock.set(system_s() + 420);
        bench.first(&at.house);
        at.house.clock.set(system_s());
        bench.then(&at.house);
    };
    application_removed => |bench| {
        let at = connected();
        at.idp.change(|settings| settings.clients.clear());
        bench.first(&at.house);
    };
    administrator_must_agree_first => |bench| {
        let at = microsoft(|_, _| {});
        let words = "AADSTS90094: An administrator of Contoso has set a policy.";
        at.idp.change(|s| s.consent = idp::Consent::Refused("access_denied".to_owned(), words.to_owned()));
        fail_to_connect(&at);
        bench.first(&at.house);
        at.idp.change(|settings| settings.consent = idp::Consent::Granted);
        at.connect();
        assert_eq!(look(&at.house)["ok"], true, "what was in the way is forgotten");
    };
    another_name_signed_in => |bench| {
        let at = microsoft(|_, account| account["user"] = json!("info@contoso.example"));
        fail_to_connect(&at);
        bench.first(&at.house);
        at.house.clock.advance(3700);
        assert_eq!(red_step(&look(&at.house))["cause"], "consent.none", "it is too late for a yes");
    };
    secret_wrong_at_the_first_sign_in => |bench| {
        let at = microsoft(|_, _| {});
        register_secret(&at, "another~secret");
        fail_to_connect(&at);
        bench.first(&at.house);
    };
}

/// Without this a red step could be the bench's own fault.
#[test]
fn unbroken_every_bench_is_green() {
    for at in [connected(), of_the_application(), with_certificate(2090)] {
        let found = look(&at.house);
        assert!(found["steps"].as_array().unwrap().iter().all(|step| step["state"] == "green"), "{found:#}");
    }
}

#[test]
fn a_pause_between_log_ins_is_grey_and_no_fault() {
    let at = connected();
    at.house.pop.change(|script| script.login_delay = Some(Duration::from_secs(900)));
    at.house.fetch_ok(&mut Recorder::default());
    let found = look(&at.house);
    let step =
        |name: &str| found["steps"].as_array().unwrap().iter().find(|step| step["step"] == name).unwrap();
    assert!(found["steps"].as_array().unwrap().iter().all(|step| step["state"] != "red"), "{found:#}");
    assert_eq!(step("login")["state"], "grey", "{found:#}");
    assert!(says(&step("login")["note"], LOGIN_DELAY), "{found:#}");
}

fn all() -> impl Iterator<Item = &'static Broken> {
    TWO_FAULTS.iter().chain(ONE_FAULT).chain(AFTERWARDS)
}

/// A set-up while it is played.
struct Bench(&'static Broken);

impl Bench {
    fn new(name: &str) -> Bench {
        Bench(all().find(|one| one.name == name).expect("an expectation"))
    }

    fn first(&self, house: &House) {
        self.see(&self.0.first, &red_step(&look(house)));
    }

    /// The same where the configuration is refused as a whole; `multipop-host check` shows the refusal as the red step.
    fn first_refused(&self, house: &House) {
        let Error { status, cause, message, advice, .. } = house.configure().expect_err(self.0.broken);
        assert!(advice.contains("providers.p."), "the advice alone names no member: {advice}");
        let both = format!("{message} {advice}");
        let shown =
            json!({ "step": "configuration", "status": status as i32, "cause": cause, "advice": both });
        self.see(&self.0.first, &shown);
    }

    fn then(&self, house: &House) {
        self.see(self.0.then.as_ref().expect("a second fault"), &red_step(&look(house)));
    }

    fn refused_refresh(&self, error: OAuthError) {
        self.broken_refresh(idp::What::Error(error));
    }

    fn broken_refresh(&self, what: idp::What) {
        let at = connected();
        at.idp.change(|settings| settings.faults.push(idp::Fault::new(idp::At::Refresh, what)));
        self.first(&at.house);
    }

    fn see(&self, seen: &Seen, red: &Value) {
        let told = format!("{}, made by: {}\n{red:#}", self.0.broken, self.0.made);
        println!("{told}");
        assert_eq!(red["step"], seen.step, "{told}");
        let who = match red["status"].as_i64().unwrap() {
            -13 | -15 => Who::Administrator,
            -19..=-10 => Who::Operator,
            -29..=-20 => Who::User,
            -39..=-30 => Who::Wait,
            other => panic!("nobody: {other}; {told}"),
        };
        assert_eq!(who, seen.who, "{told}");
        for words in seen.words {
            assert!(says(&red["advice"], words), "the advice lacks {words:?}; {told}");
        }
    }
}

/// `|` stands between words of which one is enough.
fn says(text: &Value, words: &str) -> bool {
    let text = text.as_str().unwrap_or_default().to_lowercase();
    words.split('|').any(|word| text.contains(&word.to_lowercase()))
}

/// The one red step: green is everything before it, grey everything behind it.
fn red_step(found: &Value) -> Value {
    let steps = found["steps"].as_array().unwrap();
    let names: Vec<&str> = steps.iter().map(|step| step["step"].as_str().unwrap()).collect();
    assert_eq!(names, STEPS, "{found:#}");
    let at = steps.iter().position(|step| step["state"] == "red");
    let at = at.unwrap_or_else(|| panic!("nothing is red: {found:#}"));
    assert!(steps[..at].iter().all(|step| step["state"] == "green"), "{found:#}");
    assert!(steps[at + 1..].iter().all(|step| step["state"] == "grey"), "{found:#}");
    assert_eq!((&found["first"], &found["ok"]), (&steps[at]["step"], &json!(false)), "{found:#}");
    steps[at].clone()
}

/// What `multipop_check` answers of the account.
fn look(house: &House) -> Value {
    house.clock.set(house.clock.now().max(system_s()));
    let request = CheckRequest { actor: "*", account: Some("alice"), deadline_s: 60, dry_run: false };
    let answer = house.instance.check(&mut Recorder::default(), &request).unwrap();
    serde_json::from_str::<Value>(&answer).unwrap()["accounts"][0].clone()
}

/// Alice's account at Microsoft 365, signed in, collected from Exchange.
fn connected() -> Signed {
    connected_as(|_, _| {})
}

fn connected_as(change: impl FnOnce(&mut Value, &mut Value)) -> Signed {
    let at = microsoft(change);
    at.connect();
    at
}

/// The same before anybody signed in; `change` gets provider and account.
fn microsoft(change: impl FnOnce(&mut Value, &mut Value)) -> Signed {
    let mut at =
        Signed::new(Script::exchange(), Settings { token_lifetime: TOKEN_LIFE, ..Settings::entra() });
    let mut provider = json!({
        "profile": "microsoft365", "authority": at.idp.base(), "client_id": Client::ID,
        "client_secret_file": at.house.path("client-secret"), "redirect_uri": REDIRECT,
        "servers": [at.house.pop.address().to_string()], "ca_file": at.house.path("ca.pem"),
    });
    at.house.clock.set(system_s() - AGO_S);
    change(&mut provider, &mut at.house.config["accounts"]["alice"]);
    at.house.config["providers"]["p"] = provider;
    at.house.configure().unwrap();
    at
}

/// Nobody signs in; the application has access to the mailbox.
fn of_the_application() -> Signed {
    let at = microsoft(|provider, account| {
        provider["tenant"] = json!(TENANT);
        account["app_only"] = json!(true);
    });
    at.idp.change(|settings| settings.app_mailboxes = vec![USER.to_owned()]);
    at
}

/// The application signs in with a certificate that ends with this year's first day, and is connected.
fn with_certificate(year: i32) -> Signed {
    use std::os::unix::fs::PermissionsExt;
    let key = ClientKey::until(year).unwrap();
    let mut at = microsoft(|_, _| {});
    std::fs::write(at.house.path("app.pem"), &key.certificate_pem).unwrap();
    std::fs::write(at.house.path("app.key"), &key.private_key_pem).unwrap();
    std::fs::set_permissions(at.house.path("app.key"), std::fs::Permissions::from_mode(0o600)).unwrap();
    let files =
        [("certificate_file", at.house.path("app.pem")), ("private_key_file", at.house.path("app.key"))];
    let provider = at.house.config["providers"]["p"].as_object_mut().unwrap();
    provider.remove("client_secret_file");
    provider.extend(files.map(|(member, file)| (member.to_owned(), json!(file))));
    let registered = Client { certificates: vec![key], ..Client::default() };
    at.idp.change(|settings| drop(settings.clients.insert(Client::ID.to_owned(), registered)));
    at.house.configure().unwrap();
    at.connect();
    at
}

fn fail_to_connect(at: &Signed) {
    let uri = at.idp.consent(&at.begin(&mut Recorder::default()).unwrap(), USER).unwrap();
    at.bring(&mut Recorder::default(), &uri, SESSION).0.expect_err("not let in");
}

fn system_s() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs()
}

fn numbered(error: &str, number: u64) -> OAuthError {
    OAuthError { number: Some(number), ..OAuthError::new(error) }
}

fn refuse(at: &Signed, place: idp::At, error: OAuthError) {
    at.idp.change(|settings| settings.faults.push(idp::Fault::new(place, idp::What::Error(error))));
}

fn mend_provider(at: &Signed) {
    at.idp.change(|settings| settings.faults.clear());
}

fn refuse_log_ins(at: &Signed, words: &str) {
    let fault = Fault::new(At::Verb(Verb::AuthData), What::Err(words.to_owned()));
    at.house.pop.change(|script| script.faults.push(fault));
}

fn register_secret(at: &Signed, secret: &str) {
    let client = Client { secrets: vec![secret.to_owned()], ..Client::default() };
    at.idp.change(|settings| drop(settings.clients.insert(Client::ID.to_owned(), client)));
}

fn write_secret(at: &mut Signed, secret: &str) {
    std::fs::write(at.house.path("client-secret"), secret).unwrap();
    at.house.configure().unwrap();
}

fn move_server(at: &mut Signed, server: &str) {
    at.house.config["providers"]["p"]["servers"] = json!([server]);
    at.house.config["accounts"]["alice"]["server"] = json!(server);
    at.house.configure().unwrap();
}

fn another_server(at: &mut Signed, transport: Transport) {
    let server = Server::builder(&at.house.tokens, Script::exchange()).transport(transport);
    at.house.pop = server.identity(&at.house.pki.good).start().unwrap();
    at.house.pop.mailboxes().add_user(USER);
    let server = at.house.pop.address().to_string();
    move_server(at, &server);
}
