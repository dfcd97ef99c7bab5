//! Revocation, erasure, access: what is left of a person, who wins, who is told, and what he may ask for.

mod house;

#[path = "erasure/player.rs"]
mod player;
#[path = "erasure/same_person.rs"]
mod same_person;
#[path = "erasure/wins.rs"]
mod wins;

use std::path::Path;
use std::time::Duration;

use house::signed::{SESSION, Signed};
use house::{DAY, OWNER, Recorder, USER};
use multipop::error::{Result, Status};
use multipop::model::{Answer, OPERATOR};
use multipop::service::consent::{AuthorizeRequest, CallbackRequest};
use multipop::service::fetch::FetchRequest;
use multipop_host::mock::idp::{self, At, Fault, What};
use multipop_host::mock::pop3::Script;
use serde_json::{Value, json};

/// As a host that uses addresses for everything has it.
pub const ID: &str = "mailbox.of.alice@contoso.example";

/// One account that a call put, not yet connected.
fn world(script: Script, change: impl FnOnce(&mut Value)) -> Signed {
    let mut signed = Signed::new(script, idp::Settings::generic());
    signed.house.config.as_object_mut().unwrap().remove("accounts");
    let base = signed.idp.base().to_owned();
    let provider = &mut signed.house.config["providers"]["p"];
    provider["revocation_endpoint"] = json!(signed.idp.revocation_url());
    provider["device_endpoint"] = json!(format!("{base}/devicecode"));
    change(provider);
    signed.house.config["store"] = json!(signed.house.path("erased.db"));
    signed.house.configure().unwrap();
    put(&signed);
    signed
}

/// The provider is to be discovered.
fn by_issuer_alone(provider: &mut Value) {
    for member in ["authorize_endpoint", "token_endpoint", "revocation_endpoint"] {
        provider.as_object_mut().unwrap().remove(member);
    }
}

fn put(signed: &Signed) {
    let account = json!({ "provider": "p", "user": USER, "deliver_to": "box.of.alice@contoso.example",
        "server": signed.house.config["providers"]["p"]["servers"][0] });
    let instance = &signed.house.instance;
    instance.account_put(&mut Recorder::default(), OPERATOR, OWNER, ID, &account.to_string()).unwrap();
}

fn request(actor: &str) -> AuthorizeRequest<'_> {
    AuthorizeRequest {
        actor,
        account: ID,
        session: SESSION,
        choose_account: false,
        force_consent: false,
        admin_consent: false,
    }
}

/// The address the browser ends at.
fn signed_in(signed: &Signed) -> String {
    let url = signed.house.instance.authorize_url(&mut Recorder::default(), &request(OWNER)).unwrap();
    signed.idp.consent(&url, USER).unwrap()
}

fn connect(signed: &Signed) {
    let callback = CallbackRequest { uri: &signed_in(signed), form: None, session: SESSION };
    signed.house.instance.handle_callback(&mut Recorder::default(), &callback).0.unwrap();
}

fn ask(signed: &Signed, actor: &str, verb: Value) -> Result<Value> {
    assert_valid("verb", &verb);
    let answer = signed.house.instance.act(&mut Recorder::default(), actor, &verb.to_string())?;
    let answer = serde_json::from_str(&answer).unwrap();
    assert_valid("verb_answer", &answer);
    Ok(answer)
}

fn erase(signed: &Signed) -> Value {
    ask(signed, OPERATOR, json!({ "verb": "erase", "owner": OWNER })).unwrap()
}

/// One pass over everything; its log.
fn pass(signed: &Signed) -> (Vec<String>, u32) {
    let mut sink = Recorder::default();
    let request = FetchRequest { actor: OPERATOR, account: None, deadline_s: 60, now: false };
    let (status, report) = signed.house.instance.fetch_once(&mut sink, &request);
    status.unwrap();
    (sink.lines, report.unwrap().next_due_s)
}

fn told(lines: &[String], event: &str) -> bool {
    lines.iter().any(|line| line.contains(event))
}

/// Everything that tells of the person.
fn traces(signed: &Signed) -> Vec<Vec<u8>> {
    let mut traces: Vec<Vec<u8>> =
        [ID, OWNER, USER, "contoso.example", "box.of.alice", SESSION].map(|text| text.into()).to_vec();
    traces.push(idp::User::named(USER).sub.into_bytes());
    traces.extend(signed.house.pop.mailboxes().uidls(USER).iter().map(|uidl| uidl.to_vec()));
    for secrets in [signed.idp.journal().secrets_issued(), signed.idp.journal().secrets_shown()] {
        traces.extend(secrets.into_iter().filter(|one| one != idp::Client::SECRET).map(String::into_bytes));
    }
    traces
}

/// In which file of the store which of them stands.
fn found(folder: &Path, traces: &[Vec<u8>]) -> Vec<String> {
    let mut found = Vec::new();
    let mut files = 0;
    for file in std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let name = file.file_name().unwrap().to_string_lossy().into_owned();
        if !name.starts_with("erased.db") {
            continue;
        }
        files += 1;
        let bytes = std::fs::read(&file).unwrap();
        for trace in traces.iter().filter(|trace| bytes.windows(trace.len()).any(|part| part == *trace)) {
            found.push(format!("{} in {name}", String::from_utf8_lossy(trace)));
        }
    }
    assert!(files >= 2, "the store was not found");
    found
}

fn assert_valid(definition: &str, answer: &Value) {
    let mut schema: Value = serde_json::from_str(include_str!("../include/config.schema.json")).unwrap();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let schema = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> =
        schema.iter_errors(answer).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:?}\n{answer:#}");
}

fn fault(signed: &Signed, at: At, what: What) {
    signed.idp.change(|settings| settings.faults = vec![Fault::new(at, what)]);
}

#[test]
fn nothing_of_a_person_stands_in_any_file() {
    let signed = world(Script::dovecot(), |_| {});
    connect(&signed);
    signed.house.fill(12, 3000, 1);
    signed.house.act(ID, json!({ "verb": "trace", "minutes": 5 })).unwrap();
    let mut sink = Recorder::batching().saying(&format!("250 delivered to {OWNER}"));
    let mut seen = 0;
    // One is refused, so that its UIDL and the reason are kept.
    sink.on_end = Some(Box::new(move |_| {
        seen += 1;
        if seen == 3 { Answer::Refuse } else { Answer::Queued }
    }));
    let request = FetchRequest { actor: OPERATOR, account: Some(ID), deadline_s: 60, now: true };
    signed.house.instance.fetch_once(&mut sink, &request).0.unwrap();
    // A second sign-in is under way.
    signed_in(&signed);
    let traces = traces(&signed);
    assert!(traces.len() > 20);
    // Even before: all of it is sealed.
    assert_eq!(found(signed.house.dir.path(), &traces), Vec::<String>::new());
    let answer = erase(&signed);
    assert_eq!((&answer["accounts"], &answer["complete"]), (&json!(1), &json!(true)));
    assert_eq!(found(signed.house.dir.path(), &traces), Vec::<String>::new());
    let left = ask(&signed, OPERATOR, json!({ "verb": "export", "owner": OWNER })).unwrap();
    assert_eq!((&left["accounts"], &left["realm"]), (&json!([]), &Value::Null));
}

#[test]
fn a_grant_is_given_back_by_a_later_pass_however_long_the_provider_fails() {
    let signed = world(Script::dovecot(), |_| {});
    connect(&signed);
    fault(&signed, At::Revoke, What::retry(503, "900"));
    let answer = erase(&signed);
    assert_eq!(answer["revocations"], 1);
    assert_eq!(answer["withdraw"][0]["revoked"], true);
    assert_eq!(signed.idp.journal().count("revoke"), 0, "an erasure is local");

    let (lines, next_s) = pass(&signed);
    assert!(told(&lines, "revocation_failed"), "{lines:?}");
    assert_eq!((signed.idp.journal().count("revoke"), next_s), (1, 900), "as the provider asked");
    assert_eq!(signed.idp.live_refresh_tokens(), 1);
    pass(&signed);
    assert_eq!(signed.idp.journal().count("revoke"), 1, "not before its time");

    // Nothing of it is told but the provider's id.
    signed.idp.change(|settings| settings.faults.clear());
    signed.house.clock.advance(900);
    let (lines, _) = pass(&signed);
    assert!(told(&lines, "grant_revoked"), "{lines:?}");
    assert_eq!(signed.idp.live_refresh_tokens(), 0);
    let secrets = signed.idp.journal().secrets_issued();
    assert!(!lines.iter().any(|line| secrets.iter().any(|secret| line.contains(secret))));
    signed.house.clock.advance(DAY);
    pass(&signed);
    assert_eq!(signed.idp.journal().count("revoke"), 2, "once is enough");
    assert_eq!(found(signed.house.dir.path(), &traces(&signed)), Vec::<String>::new());
}

#[test]
fn after_seven_days_a_revocation_is_given_up() {
    let signed = world(Script::dovecot(), |_| {});
    connect(&signed);
    fault(&signed, At::Revoke, What::Close);
    erase(&signed);
    let mut tried = 0;
    for _ in 0..7 * 24 - 1 {
        pass(&signed);
        signed.house.clock.advance(3600);
        tried = signed.idp.journal().count("revoke");
    }
    assert!((25..60).contains(&tried), "it is tried less and less often: {tried}");
    signed.house.clock.advance(3600);
    let (lines, next_s) = pass(&signed);
    assert!(told(&lines, "revocation_given_up"), "{lines:?}");
    assert_eq!(next_s, u32::MAX, "nothing is left to do");
    signed.idp.change(|settings| settings.faults.clear());
    signed.house.clock.advance(DAY);
    pass(&signed);
    assert_eq!((signed.idp.journal().count("revoke"), signed.idp.live_refresh_tokens()), (tried, 1));
}

#[test]
fn a_token_goes_to_no_other_provider_of_the_same_id() {
    let mut signed = world(Script::dovecot(), |_| {});
    connect(&signed);
    erase(&signed);
    let endpoint = signed.house.config["providers"]["p"]["revocation_endpoint"].clone();
    signed.house.config["providers"]["p"]["revocation_endpoint"] =
        json!(format!("{}/elsewhere/revoke", signed.idp.base()));
    signed.house.configure().unwrap();
    let (lines, _) = pass(&signed);
    assert!(told(&lines, "config.other_provider") || told(&lines, "another one now"), "{lines:?}");
    assert_eq!(signed.idp.journal().count("revoke"), 0);
    signed.house.config["providers"]["p"]["revocation_endpoint"] = endpoint;
    signed.house.configure().unwrap();
    signed.house.clock.advance(DAY);
    pass(&signed);
    assert_eq!(signed.idp.live_refresh_tokens(), 0);
}

#[test]
fn a_discovered_provider_says_itself_where_it_takes_grants_back() {
    let signed = world(Script::dovecot(), by_issuer_alone);
    connect(&signed);
    assert_eq!(erase(&signed)["revocations"], 1);
    let (lines, _) = pass(&signed);
    assert!(told(&lines, "grant_revoked"), "{lines:?}");
    assert_eq!(signed.idp.live_refresh_tokens(), 0);
}

#[test]
fn where_nothing_takes_a_grant_back_the_person_hears_where_he_does() {
    let page = "https://login.example.com/applications";
    let signed = world(Script::dovecot(), |provider| {
        provider.as_object_mut().unwrap().remove("revocation_endpoint");
        provider["withdraw_url"] = json!(page);
    });
    connect(&signed);
    let shown = signed.house.shown_account(ID)["state"]["withdraw"].clone();
    assert_eq!((&shown["revoked"], &shown["url"]), (&json!(false), &json!(page)));
    assert!(shown["advice"].as_str().unwrap().contains(page));
    let answer = erase(&signed);
    assert_eq!((&answer["revocations"], &answer["withdraw"][0]), (&json!(0), &shown));
    pass(&signed);
    assert_eq!(signed.idp.journal().count("revoke"), 0);
}

#[test]
fn an_export_holds_everything_but_secrets() {
    let signed = world(Script::dovecot(), |_| {});
    connect(&signed);
    signed.house.fill(3, 3000, 1);
    let uidls = signed.house.pop.mailboxes().uidls(USER);
    let mut sink = Recorder::default();
    sink.on_begin = Some(Box::new({
        let refused = uidls[1].to_vec();
        move |message| if message.uidl == refused { Answer::Refuse } else { Answer::Go }
    }));
    let request = FetchRequest { actor: OPERATOR, account: Some(ID), deadline_s: 60, now: true };
    signed.house.act(ID, json!({ "verb": "trace", "minutes": 5 })).unwrap();
    signed.house.instance.fetch_once(&mut sink, &request).0.unwrap();
    signed_in(&signed);

    let verb = || json!({ "verb": "export", "owner": OWNER });
    let answer = ask(&signed, OPERATOR, verb()).unwrap();
    let account = &answer["accounts"][0];
    assert_eq!(
        (&account["id"], &account["user"], &account["owner"]),
        (&json!(ID), &json!(USER), &json!(OWNER))
    );
    assert_eq!(account["deliver_to"], "box.of.alice@contoso.example");
    assert_eq!(account["ledger"]["counts"], json!({ "durable": 2, "refused": 1 }));
    let messages = account["ledger"]["messages"].as_array().unwrap();
    let refused = messages.iter().find(|message| message["state"] == "refused").unwrap();
    assert_eq!(refused["uidl"], String::from_utf8_lossy(&uidls[1]).as_ref());
    assert_eq!(account["ledger"]["listing"]["count"], 3);
    let history = &account["history"];
    assert_eq!((&history["passes"][0]["taken"], &history["passes"][0]["refused"]), (&json!(2), &json!(1)));
    let steps: Vec<&Value> =
        history["happenings"].as_array().unwrap().iter().map(|one| &one["what"]).collect();
    assert_eq!(steps.iter().filter(|what| **what == "taken").count(), 2, "{steps:?}");
    assert!(history["trace"].to_string().contains("C: QUIT"));
    let grant = &account["grants"][0];
    assert_eq!((&grant["slot"], &grant["refresh_token_stored"]), (&json!("active"), &json!(true)));
    let subject = idp::User::named(USER).sub;
    assert_eq!(grant["identity"]["subject"], subject.as_str());
    assert_eq!(account["kept"]["taken_total"], 2);
    let under_way = account["consents"].as_array().unwrap().iter().find(|one| one["used"] == false).unwrap();
    assert_eq!((&under_way["begun_by"], &under_way["provider"]), (&json!(OWNER), &json!("p")));

    let text = answer.to_string();
    for secrets in [signed.idp.journal().secrets_issued(), signed.idp.journal().secrets_shown()] {
        assert!(!secrets.is_empty());
        assert!(!secrets.iter().any(|secret| text.contains(secret.as_str())));
    }
    // His own; another's and nobody's are told the same.
    assert_eq!(ask(&signed, OWNER, verb()).unwrap()["accounts"][0]["id"], ID);
    let refused = ask(&signed, "mallory@example.com", verb()).unwrap_err();
    assert_eq!((refused.status, refused.cause), (Status::Rights, "rights"));
    let nobody =
        ask(&signed, "mallory@example.com", json!({ "verb": "export", "owner": "nobody" })).unwrap_err();
    assert_eq!(refused, nobody);
}

#[test]
fn only_the_operator_erases_and_nothing_of_the_configuration() {
    let mut signed = world(Script::dovecot(), |_| {});
    for verb in [json!({ "verb": "erase", "owner": OWNER }), json!({ "verb": "erase", "realm": "default" })] {
        let refused = ask(&signed, OWNER, verb).unwrap_err();
        assert_eq!((refused.status, refused.cause), (Status::Rights, "rights.operator"));
    }
    signed.house.config["accounts"] = json!({ "conf": { "owner": OWNER, "provider": "p", "user": USER,
        "server": signed.house.config["providers"]["p"]["servers"][0] } });
    signed.house.configure().unwrap();
    let verb = || json!({ "verb": "erase", "realm": "default" });
    let refused = ask(&signed, OPERATOR, verb()).unwrap_err();
    assert_eq!((refused.status, refused.cause), (Status::Rights, "rights.configured"));
    assert!(refused.message.contains("conf") && !refused.advice.is_empty());
    assert_eq!(signed.house.shown_account(ID)["id"], ID);
    // Taken out of the configuration it goes with the others.
    signed.house.config["accounts"] = json!({});
    signed.house.configure().unwrap();
    assert_eq!(ask(&signed, OPERATOR, verb()).unwrap()["accounts"], 2);

    let act = |text: &str| signed.house.instance.act(&mut Recorder::default(), OPERATOR, text).unwrap_err();
    for bad in [
        r#"{"verb": "erase"}"#,
        r#"{"verb": "erase", "owner": "*"}"#,
        r#"{"verb": "erase", "owner": "a", "realm": "b"}"#,
        r#"{"verb": "export", "realm": "default"}"#,
    ] {
        assert_eq!(act(bad).status, Status::Argument, "{bad}");
    }
}

/// How long a provider takes in these tests: longer than an erasure.
const SLOW: Duration = Duration::from_secs(5);
