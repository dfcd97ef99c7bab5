//! The doctor: each broken set-up has exactly one first cause, the right one, and looking changes nothing.

mod house;

use std::net::TcpListener;

use house::signed::Signed;
use house::{House, OWNER, Recorder, USER};
use multipop::error::Result;
use multipop::service::check::CheckRequest;
use multipop_host::mock::idp::{self, OAuthError, Settings};
use multipop_host::mock::pki::Identity;
use multipop_host::mock::pop3::{At, Fault, Script, Server, Transport, Verb, What};
use serde_json::{Value, json};

const STEPS: [&str; 8] = ["configuration", "dns", "tcp", "tls", "greeting", "token", "login", "uidl"];
/// Longer ago than a renewal counts as proof.
const LATER_S: u64 = 400;

fn ask(house: &House, actor: &str, account: Option<&str>, dry_run: bool) -> Result<Value> {
    let request = CheckRequest { actor, account, deadline_s: 60, dry_run };
    let json = house.instance.check(&mut Recorder::default(), &request)?;
    let answer: Value = serde_json::from_str(&json).unwrap();
    fits_the_schema(&answer);
    Ok(answer)
}

fn alice(house: &House) -> Value {
    ask(house, "*", Some("alice"), false).unwrap()["accounts"][0].clone()
}

fn fits_the_schema(answer: &Value) {
    let mut schema: Value = serde_json::from_str(include_str!("../include/config.schema.json")).unwrap();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!("#/$defs/check");
    let schema = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> = schema.iter_errors(answer).map(|fault| fault.to_string()).collect();
    assert!(faults.is_empty(), "{faults:?}\n{answer:#}");
}

/// One red step with this cause; green before it, grey behind it.
fn assert_red(found: &Value, step: &str, cause: &str, who: &str) {
    let place = STEPS.iter().position(|name| *name == step).unwrap();
    let steps = found["steps"].as_array().unwrap();
    assert_eq!(steps.len(), STEPS.len(), "{found:#}");
    for (at, one) in steps.iter().enumerate() {
        let state = match at.cmp(&place) {
            std::cmp::Ordering::Less => "green",
            std::cmp::Ordering::Equal => "red",
            std::cmp::Ordering::Greater => "grey",
        };
        assert_eq!((&one["step"], &one["state"]), (&json!(STEPS[at]), &json!(state)), "{found:#}");
    }
    let red = &steps[place];
    assert_eq!((&red["cause"], &red["who"]), (&json!(cause), &json!(who)), "{found:#}");
    assert!(!red["advice"].as_str().unwrap().is_empty(), "no cure: {found:#}");
    assert_eq!((&found["first"], &found["ok"]), (&json!(step), &json!(false)));
}

/// Alice's account, connected at a provider of no particular kind.
fn connected() -> Signed {
    let signed = Signed::new(Script::dovecot(), Settings::generic());
    signed.connect();
    signed
}

/// The same at Microsoft 365.
fn at_microsoft() -> Signed {
    let mut signed = Signed::new(Script::exchange(), Settings::entra());
    let provider = json!({
        "profile": "microsoft365", "authority": signed.idp.base(), "client_id": idp::Client::ID,
        "client_secret_file": signed.house.path("client-secret"), "redirect_uri": house::signed::REDIRECT,
        "servers": [signed.house.pop.address().to_string()], "ca_file": signed.house.path("ca.pem"),
    });
    signed.house.config["providers"]["p"] = provider;
    signed.house.configure().unwrap();
    signed.connect();
    signed
}

fn move_server(signed: &mut Signed, server: &str) {
    signed.house.config["providers"]["p"]["servers"] = json!([server]);
    signed.house.config["accounts"]["alice"]["server"] = json!(server);
    signed.house.configure().unwrap();
}

fn dead_port() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    listener.local_addr().unwrap().to_string()
}

/// So that the next look renews the token.
fn wait(signed: &Signed) {
    signed.house.clock.advance(LATER_S);
}

fn show(signed: &Signed, identity: impl Fn(&multipop_host::mock::pki::Pki) -> &Identity) {
    signed.house.pop.show(identity(&signed.house.pki)).unwrap();
}

fn refuse_log_ins(signed: &Signed, words: &str) {
    signed.house.pop.change(|script| {
        script.faults.push(Fault::new(At::Verb(Verb::AuthData), What::Err(words.to_owned())))
    });
}

#[test]
fn a_set_up_that_works_is_green_in_every_step_and_looking_changes_nothing() {
    let signed = connected();
    signed.house.fill(3, 900, 1);
    let before = signed.house.shown();
    let answer = ask(&signed.house, "*", None, false).unwrap();
    assert_eq!((&answer["ok"], &answer["more"]), (&json!(true), &json!(false)), "{answer:#}");
    let found = &answer["accounts"][0];
    assert!(found["steps"].as_array().unwrap().iter().all(|step| step["state"] == "green"));
    assert_eq!(found["steps"][7]["note"], "3 messages");
    assert!(found.get("first").is_none() && found.get("forecast").is_none());
    assert_eq!(signed.house.shown(), before, "the account's state is as it was");
    let journal = signed.house.pop.journal();
    assert_eq!((journal.count(Verb::Retr), journal.count(Verb::Dele), journal.count(Verb::Quit)), (0, 0, 1));
    let mut sink = Recorder::default();
    assert_eq!(signed.house.fetch_ok(&mut sink).messages_taken, 3);
}

#[test]
fn a_host_name_that_does_not_exist() {
    let mut signed = connected();
    move_server(&mut signed, "pop.contoso.invalid:995");
    assert_red(&alice(&signed.house), "dns", "dns.failed", "operator");
}

#[test]
fn a_port_where_nobody_listens() {
    let mut signed = connected();
    move_server(&mut signed, &dead_port());
    assert_red(&alice(&signed.house), "tcp", "connect.failed", "operator");
}

#[test]
fn a_server_that_is_down_today_and_worked_before() {
    let signed = connected();
    signed.house.fetch_ok(&mut Recorder::default());
    let Signed { house, idp: _idp } = signed;
    let House { dir, pki, tokens, pop, clock, config, instance } = house;
    let (server, script) = (pop.address(), Script::dovecot());
    drop(pop);
    let elsewhere = Server::start(&pki, &tokens, script).unwrap();
    assert_ne!(elsewhere.address(), server);
    let house = House { dir, pki, tokens, pop: elsewhere, clock, config, instance };
    assert_red(&alice(&house), "tcp", "connect.failed", "time");
}

#[test]
fn a_certificate_of_an_unknown_authority() {
    let signed = connected();
    show(&signed, |pki| &pki.other_ca);
    assert_red(&alice(&signed.house), "tls", "tls.unknown_issuer", "operator");
}

#[test]
fn an_expired_certificate() {
    let signed = connected();
    show(&signed, |pki| &pki.expired);
    assert_red(&alice(&signed.house), "tls", "tls.expired", "operator");
}

#[test]
fn a_certificate_of_another_name() {
    let signed = connected();
    show(&signed, |pki| &pki.wrong_name);
    let found = alice(&signed.house);
    assert_red(&found, "tls", "tls.wrong_name", "operator");
    let message = found["steps"][3]["message"].as_str().unwrap();
    assert!(message.ends_with("but for other.example.com"), "the name to configure is told: {message}");
}

#[test]
fn stls_is_gone_through_too_and_its_absence_is_a_fault_of_tls() {
    let mut house = House::new(Script::dovecot());
    let clear = Server::builder(&house.tokens, Script::dovecot())
        .identity(&house.pki.good)
        .transport(Transport::Stls)
        .start()
        .unwrap();
    let server = clear.address().to_string();
    house.config["servers"] = json!([server]);
    house.config["accounts"]["alice"]["server"] = json!(server);
    house.config["accounts"]["alice"]["security"] = json!("stls");
    house.configure().unwrap();
    let found = alice(&house);
    assert_eq!(found["ok"], true, "{found:#}");
    assert_eq!(found["steps"][3]["note"], "TLSv1.3");
    clear.change(|script| script.announce_stls = false);
    assert_red(&alice(&house), "tls", "tls.stls_refused", "operator");
}

#[test]
fn a_server_that_turns_everybody_away() {
    let signed = connected();
    let busy = What::Raw(b"-ERR [SYS/TEMP] too many connections\r\n".to_vec());
    signed.house.pop.change(|script| script.faults.push(Fault::new(At::Verb(Verb::Greeting), busy)));
    assert_red(&alice(&signed.house), "greeting", "server.unwelcome", "time");
}

#[test]
fn nobody_signed_in() {
    let signed = Signed::new(Script::dovecot(), Settings::generic());
    assert_red(&alice(&signed.house), "token", "consent.none", "user");
}

#[test]
fn why_the_last_sign_in_failed_is_why_nobody_is_signed_in_at_the_same_provider() {
    let mut signed = Signed::new(Script::dovecot(), Settings::generic());
    let fail = |signed: &Signed, what: idp::What| {
        signed.idp.change(|settings| settings.faults = vec![idp::Fault::new(idp::At::Code, what)]);
        let mut host = Recorder::default();
        let uri = signed.idp.consent(&signed.begin(&mut host).unwrap(), USER).unwrap();
        signed.bring(&mut host, &uri, house::signed::SESSION).0.unwrap_err();
    };
    // What passes is no reason to ask anybody for anything but another try.
    fail(&signed, idp::What::html(503));
    assert_red(&alice(&signed.house), "token", "consent.none", "user");
    fail(&signed, idp::What::Error(OAuthError::new("unauthorized_client")));
    let before = signed.house.shown();
    assert_red(&alice(&signed.house), "token", "config.client", "operator");
    assert_eq!(signed.house.shown(), before);
    let mut other = signed.house.config["providers"]["p"].clone();
    other["client_id"] = json!("another");
    signed.house.config["providers"]["q"] = other;
    signed.house.config["accounts"]["alice"]["provider"] = json!("q");
    signed.house.configure().unwrap();
    assert_red(&alice(&signed.house), "token", "consent.none", "user");
}

#[test]
fn a_grant_withdrawn_while_its_access_token_still_works() {
    let signed = connected();
    signed.idp.revoke(USER);
    wait(&signed);
    assert_red(&alice(&signed.house), "token", "consent.revoked", "user");
}

#[test]
fn a_token_without_the_permission_for_pop() {
    let signed = at_microsoft();
    let other = "openid profile offline_access https://outlook.office.com/IMAP.AccessAsUser.All";
    signed.idp.change(|settings| settings.scope = Some(other.to_owned()));
    wait(&signed);
    assert_red(&alice(&signed.house), "token", "provider.pop_not_granted", "operator");
}

#[test]
fn an_expired_client_secret() {
    let signed = at_microsoft();
    refuse_refresh(&signed, idp::What::Error(OAuthError::aadsts(7_000_222)));
    wait(&signed);
    let found = alice(&signed.house);
    assert_red(&found, "token", "config.client_secret_expired", "operator");
    assert_eq!(found["steps"][5]["provider_code"], "AADSTS7000222");
}

fn refuse_refresh(signed: &Signed, what: idp::What) {
    signed.idp.change(|settings| settings.faults.push(idp::Fault::new(idp::At::Refresh, what)));
}

#[test]
fn the_secrets_id_in_place_of_its_value() {
    let mut signed = at_microsoft();
    copy_the_secret_id(&mut signed);
    let found = alice(&signed.house);
    assert_red(&found, "configuration", "config.secret_id", "operator");
    assert!(!found.to_string().contains(SECRET_ID), "what stands in the secret's file is not shown");
}

const SECRET_ID: &str = "5f0c1d9e-2b7a-4c3d-8e1f-a0b1c2d3e4f5";

fn copy_the_secret_id(signed: &mut Signed) {
    std::fs::write(signed.house.path("client-secret"), SECRET_ID).unwrap();
    signed.house.configure().unwrap();
}

#[test]
fn an_identity_provider_that_is_down() {
    let Signed { house, idp } = connected();
    drop(idp);
    house.clock.advance(LATER_S);
    assert_red(&alice(&house), "token", "provider.unreachable", "time");
}

#[test]
fn pop_switched_off_at_microsoft() {
    let signed = at_microsoft();
    refuse_log_ins(&signed, "Authentication failure: unknown user name or bad password.");
    assert_red(&alice(&signed.house), "login", "mailbox.pop_off", "operator");
}

#[test]
fn pop_switched_off_at_google() {
    let signed = connected();
    refuse_log_ins(&signed, "[SYS/PERM] Your account is not enabled for POP access.");
    assert_red(&alice(&signed.house), "login", "mailbox.pop_off", "operator");
}

#[test]
fn the_user_name_of_another_mailbox() {
    let mut signed = connected();
    rename_user(&mut signed);
    assert_red(&alice(&signed.house), "login", "mailbox.refused", "operator");
}

fn rename_user(signed: &mut Signed) {
    signed.house.config["accounts"]["alice"]["sign_in"] = json!(USER);
    signed.house.config["accounts"]["alice"]["user"] = json!("bob@contoso.example");
    signed.house.configure().unwrap();
}

#[test]
fn a_mailbox_that_cannot_be_listed() {
    let signed = connected();
    let no = What::Err("[SYS/TEMP] index is being rebuilt".to_owned());
    signed.house.pop.change(|script| script.faults.push(Fault::new(At::Verb(Verb::Uidl), no)));
    assert_red(&alice(&signed.house), "uidl", "server.no_listing", "time");
}

#[test]
fn two_faults_nobody_signed_in_and_a_dead_port() {
    let mut signed = Signed::new(Script::dovecot(), Settings::generic());
    move_server(&mut signed, &dead_port());
    assert_red(&alice(&signed.house), "tcp", "connect.failed", "operator");
}

#[test]
fn two_faults_the_provider_down_and_pop_switched_off() {
    let signed = connected();
    refuse_log_ins(&signed, "[SYS/PERM] Your account is not enabled for POP access.");
    let Signed { house, idp } = signed;
    drop(idp);
    house.clock.advance(LATER_S);
    assert_red(&alice(&house), "token", "provider.unreachable", "time");
}

#[test]
fn two_faults_an_expired_certificate_and_a_wrong_user() {
    let mut signed = connected();
    rename_user(&mut signed);
    show(&signed, |pki| &pki.expired);
    assert_red(&alice(&signed.house), "tls", "tls.expired", "operator");
}

#[test]
fn two_faults_a_secret_id_and_a_name_that_does_not_exist() {
    let mut signed = at_microsoft();
    copy_the_secret_id(&mut signed);
    move_server(&mut signed, "pop.contoso.invalid:995");
    assert_red(&alice(&signed.house), "configuration", "config.secret_id", "operator");
}

#[test]
fn a_mailbox_in_use_is_grey_and_no_failure() {
    let house = House::new(Script::dovecot());
    house.fill(1, 900, 1);
    let mut sink = Recorder::default();
    let neighbour = house.neighbour();
    let seen = std::rc::Rc::new(std::cell::RefCell::new(Value::Null));
    let keep = seen.clone();
    sink.on_begin = Some(Box::new(move |_| {
        let request = CheckRequest { actor: "*", account: Some("alice"), deadline_s: 60, dry_run: true };
        let json = neighbour.check(&mut Recorder::default(), &request).unwrap();
        *keep.borrow_mut() = serde_json::from_str(&json).unwrap();
        multipop::model::Answer::Go
    }));
    assert_eq!(house.fetch_ok(&mut sink).messages_taken, 1, "the fetch is not disturbed");
    let answer = seen.borrow();
    fits_the_schema(&answer);
    let steps = answer["accounts"][0]["steps"].as_array().unwrap();
    assert_eq!(steps[0]["state"], "green");
    for step in &steps[1..] {
        assert_eq!(step["state"], "grey");
        assert!(step["note"].as_str().unwrap().starts_with("in use"), "{answer:#}");
    }
}

#[test]
fn a_dry_run_shows_what_a_pass_then_does() {
    let mut house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["delete"] = json!({ "after_days": 1 });
    });
    let known = house.fill(2, 900, 1);
    let mut sink = Recorder::default();
    house.fetch_ok(&mut sink);
    house.clock.advance(2 * house::DAY - 10);
    // The clock jumped as far as the library can tell: deletion by age waits for a clean pass.
    house.fetch_ok(&mut sink);
    let new = house.fill(3, 900, 2);
    let text = |uidls: &[Vec<u8>]| -> Vec<String> {
        uidls.iter().map(|uidl| String::from_utf8(uidl.clone()).unwrap()).collect()
    };
    let answer = ask(&house, "*", Some("alice"), true).unwrap();
    let forecast = &answer["accounts"][0]["forecast"];
    assert_eq!(
        (&forecast["listed"], &forecast["fetch"], &forecast["delete"]),
        (&json!(5), &json!(3), &json!(2))
    );
    assert_eq!(forecast["fetch_uidls"], json!(text(&new)));
    assert_eq!(forecast["delete_uidls"], json!(text(&known)));
    assert_eq!(ask(&house, "*", Some("alice"), true).unwrap()["accounts"][0]["forecast"], *forecast);
    let report = house.fetch_ok(&mut sink);
    assert_eq!((report.messages_taken, report.messages_deleted), (3, 2), "as it was foretold");
    house.config["accounts"]["alice"]["delete"] = json!("now");
    house.configure().unwrap();
    house.fill(1, 900, 3);
    let answer = ask(&house, "*", None, true).unwrap();
    let forecast = &answer["accounts"][0]["forecast"];
    assert_eq!((&forecast["fetch"], &forecast["delete_after_fetch"]), (&json!(1), &json!(true)));
}

#[test]
fn a_dry_run_of_an_account_for_new_mail_only_records_and_fetches_none() {
    let house = House::with(Script::dovecot(), |config| {
        config["accounts"]["alice"]["first_fetch"] = json!("new_only");
    });
    house.fill(4, 900, 1);
    let foretold = |house: &House| {
        let answer = ask(house, "*", Some("alice"), true).unwrap();
        let forecast = &answer["accounts"][0]["forecast"];
        (forecast["record"].clone(), forecast["fetch"].clone())
    };
    assert_eq!(foretold(&house), (json!(4), json!(0)));
    house.fetch_ok(&mut Recorder::default());
    house.fill(1, 900, 2);
    assert_eq!(foretold(&house), (json!(0), json!(1)));
}

#[test]
fn uidls_are_shown_escaped_and_no_more_than_a_hundred() {
    let house = House::new(Script::dovecot());
    house.fill(130, 300, 1);
    let answer = ask(&house, "*", Some("alice"), true).unwrap();
    let forecast = &answer["accounts"][0]["forecast"];
    assert_eq!(forecast["fetch"], 130);
    assert_eq!(forecast["fetch_uidls"].as_array().unwrap().len(), 100);
}

#[test]
fn i14_an_owner_looks_at_his_own_accounts_only() {
    let mut house = House::new(Script::dovecot());
    let mut bobs = house.config["accounts"]["alice"].clone();
    bobs["owner"] = json!("bob@example.com");
    house.config["accounts"]["bobs"] = bobs;
    house.configure().unwrap();
    let refused = ask(&house, OWNER, Some("bobs"), false).unwrap_err();
    let nobodys = ask(&house, OWNER, Some("nobodys"), false).unwrap_err();
    assert_eq!(refused, nobodys);
    let seen = ask(&house, OWNER, None, false).unwrap();
    let ids: Vec<&Value> =
        seen["accounts"].as_array().unwrap().iter().map(|account| &account["account"]).collect();
    assert_eq!(ids, ["alice"]);
    assert_eq!(ask(&house, "*", None, false).unwrap()["accounts"].as_array().unwrap().len(), 2);
}

#[test]
fn a_disabled_account_sends_its_token_nowhere() {
    let mut house = House::new(Script::dovecot());
    house.config["accounts"]["alice"]["enabled"] = json!(false);
    house.configure().unwrap();
    assert_red(&alice(&house), "configuration", "rights.account_disabled", "user");
    assert_eq!(house.pop.journal().count(Verb::Auth), 0);
}

#[test]
fn i09_a_cancel_ends_it() {
    let house = House::new(Script::dovecot());
    house.instance.cancel();
    let error = ask(&house, "*", None, false).unwrap_err();
    assert_eq!(error.status, multipop::error::Status::Cancelled);
    assert_eq!(ask(&house, "*", None, false).unwrap()["ok"], true, "it is consumed");
}

#[test]
fn a_sign_in_that_failed_long_ago_is_told_with_its_age_and_not_held_against_a_mended_configuration() {
    let unconnected = |error: OAuthError| {
        let signed = Signed::new(Script::dovecot(), Settings::generic());
        signed
            .idp
            .change(|s| s.faults = vec![idp::Fault::new(idp::At::Code, idp::What::Error(error)).times(1)]);
        let mut host = Recorder::default();
        let uri = signed.idp.consent(&signed.begin(&mut host).unwrap(), house::USER).unwrap();
        signed.bring(&mut host, &uri, house::signed::SESSION).0.unwrap_err();
        signed
    };
    let message = |found: &Value| {
        let red = found["steps"].as_array().unwrap().iter().find(|step| step["state"] == "red").unwrap();
        red["message"].as_str().unwrap().to_owned()
    };
    let signed = unconnected(OAuthError::new("unauthorized_client"));
    signed.house.clock.advance(3 * 3600);
    let found = alice(&signed.house);
    assert!(message(&found).contains("the last sign-in, 3 hours ago, failed"), "{found:#}");
    let cause = found["steps"].as_array().unwrap().iter().find_map(|step| step["cause"].as_str()).unwrap();
    assert!(cause.starts_with("config."), "{found:#}");
    signed.house.clock.advance(86_400);
    assert_red(&alice(&signed.house), "token", "consent.none", "user");
    // What a person said stays until he says something else.
    let signed = unconnected(OAuthError::new("access_denied"));
    signed.house.clock.advance(3 * 86_400);
    let found = alice(&signed.house);
    assert!(message(&found).contains("the last sign-in, 3 days ago, failed"), "{found:#}");
}
