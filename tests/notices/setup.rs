//! A hosting company of many accounts at one provider, whose notices are asked for.

use std::path::Path;
use std::sync::{Arc, LazyLock};

use jsonschema::Validator;
use multipop::config::Config;
use multipop::engine::settings::Settings;
use multipop::model::Outcome;
use multipop::secret::Secret;
use multipop::service::Instance;
use multipop::store::{Grant, GrantSlot, Store};
use multipop_host::mock::idp;
use multipop_host::mock::pop3::Script;
use serde_json::{Value, json};

use crate::house::{DAY, House, Recorder, START};

pub const PAGE: &str = "https://mail.example.com/mailboxes";
pub const MINUTES_10: u64 = 600;

pub struct Office {
    pub house: House,
    pub idp: idp::Server,
    pub ids: Vec<String>,
}

impl Office {
    /// Accounts that have a grant each, good for a day, and were never visited.
    pub fn of(accounts: usize) -> Office {
        let mut house = House::new(Script::exchange());
        house.config["accounts"].as_object_mut().unwrap().remove("alice");
        let idp = idp::Server::start(&house.pki, &house.tokens, idp::Settings::entra()).unwrap();
        let server = house.pop.address().to_string();
        std::fs::write(house.path("secret"), idp::Client::SECRET).unwrap();
        house.config["providers"] = json!({ "p": {
            "profile": "microsoft365", "authority": idp.base(), "client_id": idp::Client::ID,
            "client_secret_files": [house.path("secret")], "redirect_uri": "https://mail.example.com/back",
            "servers": [server], "ca_file": house.path("ca.pem"),
        } });
        house.config["notices"] = json!({ "page_url": PAGE, "digest": "never" });
        let ids: Vec<String> = (0..accounts).map(|number| format!("a{number:04}")).collect();
        for id in &ids {
            house.config["accounts"][id] = json!({
                "owner": format!("{id}@example.com"), "server": server, "user": format!("{id}@contoso.example"),
                "provider": "p", "deliver_to": format!("{id}@example.com"),
            });
        }
        house.configure().unwrap();
        let office = Office { house, idp, ids };
        office.well(&office.ids);
        office
    }

    pub fn store(&self) -> Arc<dyn Store> {
        let config = Config::read(&self.house.config.to_string()).unwrap();
        Settings::prove(config).unwrap().open_store(START).unwrap()
    }

    pub fn now(&self) -> u64 {
        use multipop::engine::call::Clock;
        self.house.clock.now()
    }

    pub fn pass(&self, seconds: u64) {
        self.house.clock.advance(seconds);
    }

    /// They sign in; what was given then is to be renewed from `renew_at` on.
    pub fn sign_in(&self, renew_at: u64) {
        let store = self.store();
        for id in &self.ids {
            let grant = Grant {
                provider: "p".to_owned(),
                refresh_token: Some(Secret::new(format!("refresh-{id}"))),
                access_token: Some(Secret::new(format!("access-{id}"))),
                renew_at,
                expires_at: renew_at,
                scope: "https://outlook.office.com/POP.AccessAsUser.All".to_owned(),
                identity: None,
                obtained_at: self.now(),
                refreshed_at: self.now(),
                session: None,
                dead: false,
            };
            store.put_grant(id, GrantSlot::Active, 0, &grant).unwrap().unwrap();
        }
    }

    /// As a visit leaves it that ended so.
    pub fn stop(&self, ids: &[String], outcome: Outcome, cause: &str) {
        self.left(ids, outcome, cause);
    }

    pub fn well(&self, ids: &[String]) {
        self.left(ids, Outcome::Ok, "");
    }

    fn left(&self, ids: &[String], outcome: Outcome, cause: &str) {
        let (store, now) = (self.store(), self.now());
        for id in ids {
            let known = store.update_state(id, &mut |state| {
                if state.outcome != Some(outcome) {
                    state.since = now;
                }
                state.outcome = Some(outcome);
                state.cause = cause.to_owned();
                state.last_try = Some(now);
            });
            assert!(known.unwrap());
        }
    }

    pub fn ask(&self) -> Vec<Value> {
        ask(&self.house.instance, 1000)
    }

    pub fn done(&self, notices: &[Value]) {
        done(&self.house.instance, notices);
    }

    /// What is due now, which is sent.
    pub fn send(&self) -> Vec<Value> {
        let notices = self.ask();
        self.done(&notices);
        notices
    }
}

pub fn ask(instance: &Instance, limit: u32) -> Vec<Value> {
    let answer = act(instance, json!({ "verb": "notices", "limit": limit }));
    answer["notices"].as_array().unwrap().clone()
}

pub fn done(instance: &Instance, notices: &[Value]) {
    let ids: Vec<&Value> = notices.iter().map(|notice| &notice["id"]).collect();
    let answer = act(instance, json!({ "verb": "notices_done", "ids": ids }));
    assert_eq!(answer["noted"], notices.len());
}

/// As the schema has it, both ways.
fn act(instance: &Instance, verb: Value) -> Value {
    assert!(VERB.is_valid(&verb), "{verb}");
    let answer = instance.act(&mut Recorder::default(), "*", &verb.to_string()).unwrap();
    let answer: Value = serde_json::from_str(&answer).unwrap();
    assert!(ANSWER.is_valid(&answer), "{answer:#}");
    answer
}

static VERB: LazyLock<Validator> = LazyLock::new(|| definition("verb"));
static ANSWER: LazyLock<Validator> = LazyLock::new(|| definition("verb_answer"));

fn definition(name: &str) -> Validator {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/config.schema.json");
    let mut schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::validator_for(&schema).unwrap()
}

/// Kind and account of each, in order.
pub fn kinds(notices: &[Value]) -> Vec<(&str, &str)> {
    let text = |value: &'_ Value| value.as_str().unwrap_or("").to_owned().leak() as &str;
    notices.iter().map(|notice| (text(&notice["kind"]), text(&notice["account"]))).collect()
}

/// `YYYY-MM-DD` of a time at midnight.
pub fn date(at: u64) -> String {
    assert_eq!(at % DAY, 0);
    let at = time::OffsetDateTime::from_unix_timestamp(at.try_into().unwrap()).unwrap();
    format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day())
}
