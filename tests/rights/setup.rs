//! An instance over a real store in a directory of its own, and what every refusal must look like.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use multipop::engine::call::Clock;
use multipop::engine::pump::{Cookie, Host};
use multipop::error::{Error, Status};
use multipop::model::{Answer, Event, Message, OPERATOR, Reply};
use multipop::service::Instance;
use multipop::service::accounts::AccountsRequest;
use serde_json::{Value, json};

pub const ALICE: &str = "alice@example.com";
pub const NOW: u64 = 1_800_000_000;
pub const BOB: &str = "bob@example.com";

/// A host that only looks on.
pub struct Onlooker;

impl Host for Onlooker {
    fn log(&mut self, _: log::Level, _: &str) {}
    fn event(&mut self, _: &Event) {}
    fn has_offer(&self) -> bool {
        false
    }
    fn has_flush(&self) -> bool {
        false
    }
    fn offer(&mut self, _: &Message) -> Reply {
        no()
    }
    fn begin(&mut self, _: &Message) -> (Reply, Cookie) {
        (no(), Cookie(0))
    }
    fn data(&mut self, _: Cookie, _: &[u8]) -> Reply {
        no()
    }
    fn end(&mut self, _: Cookie) -> Reply {
        no()
    }
    fn abort(&mut self, _: Cookie) {}
    fn flush(&mut self) -> Reply {
        no()
    }
}

pub fn no() -> Reply {
    Reply { answer: Answer::Defer, reason: String::new() }
}

pub struct GivenClock(AtomicU64);

impl Clock for GivenClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

pub struct House {
    pub directory: tempfile::TempDir,
    pub instance: Instance,
}

impl House {
    /// Files, and an instance that was configured with `config()`.
    pub fn new() -> House {
        let house = House::unconfigured();
        house.configure(&house.config()).unwrap();
        house
    }

    pub fn unconfigured() -> House {
        let house = House { directory: tempfile::tempdir().unwrap(), instance: instance() };
        house.write("key", &"ab".repeat(32), 0o600);
        house.write("secret", "hush\n", 0o600);
        house
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    pub fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    pub fn config(&self) -> Value {
        let ca = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/data/ca.pem");
        let provider = |servers: &[&str], realm: &str| {
            json!({
                "profile": "generic",
                "realm": realm,
                "client_id": "id",
                "client_secret_file": self.path("secret"),
                "redirect_uri": "https://mail.example.com/cb",
                "issuer": "https://id.example.com",
                "authorize_endpoint": "https://id.example.com/a",
                "token_endpoint": "https://id.example.com/t",
                "scopes": ["openid", "pop"],
                "servers": servers,
            })
        };
        json!({
            "store": self.path("store.db"),
            "keys": [self.path("key")],
            "hostname": "mail.example.com",
            "system_roots": false,
            "ca_file": ca,
            "realms": { "blue": { "owner_domains": ["blue.example"] } },
            "providers": {
                "one": provider(&["pop.example.com:995", "pop2.example.com:995"], "default"),
                "two": provider(&["pop.two.example:995"], "default"),
                "staff": provider(&["pop.staff.example:995"], "default"),
                "blues": provider(&["pop.blue.example:995"], "blue"),
            },
            "owners": {
                "accounts_per_owner": 2,
                "providers": ["one", "two", "blues"],
                "least_interval_s": 600,
                "most_interval_s": 3600,
            },
            "defaults": { "interval_s": 900 },
            "accounts": {
                "fixed": { "owner": ALICE, "provider": "staff", "user": "fixed@example.net" },
            },
        })
    }

    pub fn configure(&self, config: &Value) -> Result<(), Error> {
        self.instance.configure(&mut Onlooker, &config.to_string())
    }

    pub fn put(&self, actor: &str, owner: &str, id: &str, json: Value) -> Result<(), Error> {
        self.instance.account_put(&mut Onlooker, actor, owner, id, &json.to_string())
    }

    pub fn remove(&self, actor: &str, id: &str) -> Result<(), Error> {
        self.instance.account_remove(&mut Onlooker, actor, id)
    }

    /// A verb that is about no one account.
    pub fn ask(&self, actor: &str, json: Value) -> Result<Value, Error> {
        assert_valid("verb", &json);
        let answer = self.instance.act(&mut Onlooker, actor, &json.to_string())?;
        let answer = serde_json::from_str(&answer).unwrap();
        assert_valid("verb_answer", &answer);
        Ok(answer)
    }

    pub fn act(&self, actor: &str, id: &str, json: Value) -> Result<Value, Error> {
        let answer = self.instance.account_act(&mut Onlooker, actor, id, None, &json.to_string())?;
        let answer = serde_json::from_str(&answer).unwrap();
        assert_valid("acted", &answer);
        Ok(answer)
    }

    pub fn list(&self, actor: &str, account: Option<&str>) -> Result<Vec<Value>, Error> {
        let answer = self.page(actor, account, None, 0)?;
        Ok(answer["accounts"].as_array().unwrap().clone())
    }

    pub fn page(
        &self,
        actor: &str,
        account: Option<&str>,
        after: Option<&str>,
        limit: u32,
    ) -> Result<Value, Error> {
        let request = AccountsRequest { actor, account, realm: None, after, limit };
        let answer = self.instance.accounts(&mut Onlooker, &request)?;
        let answer = serde_json::from_str(&answer).unwrap();
        assert_valid("accounts", &answer);
        Ok(answer)
    }

    pub fn one(&self, id: &str) -> Value {
        self.list(OPERATOR, Some(id)).unwrap().remove(0)
    }

    /// Everything the operator can see.
    pub fn all(&self) -> Vec<Value> {
        self.list(OPERATOR, None).unwrap()
    }
}

pub fn instance() -> Instance {
    Instance::new("test", Arc::new(GivenClock(AtomicU64::new(NOW))))
}

pub fn assert_valid(definition: &str, answer: &Value) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("include/config.schema.json");
    let mut schema: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!(format!("#/$defs/{definition}"));
    let schema = jsonschema::validator_for(&schema).unwrap();
    let faults: Vec<String> =
        schema.iter_errors(answer).map(|e| format!("{}: {e}", e.instance_path())).collect();
    assert!(faults.is_empty(), "{faults:?}\n{answer:#}");
}

/// Refused with this status and cause, with a sentence, and nothing was changed.
pub fn refused<T: std::fmt::Debug>(
    house: &House,
    done: Result<T, Error>,
    status: Status,
    cause: &str,
    before: &[Value],
) -> Error {
    let error = done.expect_err(cause);
    assert_eq!((error.status, error.cause), (status, cause), "{error}");
    assert_eq!(house.all(), before, "{cause}");
    error
}

pub fn mailbox() -> Value {
    json!({ "provider": "one", "user": "a@example.net" })
}

pub fn and(more: Value) -> Value {
    let mut account = mailbox();
    account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    account
}
