//! Who may do what (I14), and that a refusal changes nothing (I12): over the real store, by the service's verbs.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use multipop::config::Config;
use multipop::engine::call::Clock;
use multipop::engine::pump::{Cookie, Host};
use multipop::engine::settings::Settings;
use multipop::error::{Error, Status};
use multipop::model::{Answer, Event, LedgerRow, Message, OPERATOR, Reply, RowState};
use multipop::secret::KeyBytes;
use multipop::service::Instance;
use multipop::service::accounts::AccountsRequest;
use multipop::service::consent::AuthorizeRequest;
use multipop::store::seal::KeyRing;
use multipop::store::sqlite::SqliteStore;
use multipop::store::{LeaseName, Store};
use serde_json::{Value, json};

const ALICE: &str = "alice@example.com";
const NOW: u64 = 1_800_000_000;
const BOB: &str = "bob@example.com";

/// A host that only looks on.
struct Onlooker;

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

fn no() -> Reply {
    Reply { answer: Answer::Defer, reason: String::new() }
}

struct GivenClock(AtomicU64);

impl Clock for GivenClock {
    fn now(&self) -> u64 {
        self.0.load(Ordering::Relaxed)
    }
}

struct House {
    directory: tempfile::TempDir,
    instance: Instance,
}

impl House {
    /// Files, and an instance that was configured with `config()`.
    fn new() -> House {
        let house = House::unconfigured();
        house.configure(&house.config()).unwrap();
        house
    }

    fn unconfigured() -> House {
        let house = House { directory: tempfile::tempdir().unwrap(), instance: instance() };
        house.write("key", &"ab".repeat(32), 0o600);
        house.write("secret", "hush\n", 0o600);
        house
    }

    fn path(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }

    fn write(&self, name: &str, text: &str, mode: u32) {
        fs::write(self.path(name), text).unwrap();
        fs::set_permissions(self.path(name), fs::Permissions::from_mode(mode)).unwrap();
    }

    fn config(&self) -> Value {
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

    fn configure(&self, config: &Value) -> Result<(), Error> {
        self.instance.configure(&mut Onlooker, &config.to_string())
    }

    fn put(&self, actor: &str, owner: &str, id: &str, json: Value) -> Result<(), Error> {
        self.instance.account_put(&mut Onlooker, actor, owner, id, &json.to_string())
    }

    fn remove(&self, actor: &str, id: &str) -> Result<(), Error> {
        self.instance.account_remove(&mut Onlooker, actor, id)
    }

    fn act(&self, actor: &str, id: &str, json: Value) -> Result<Value, Error> {
        let answer = self.instance.account_act(&mut Onlooker, actor, id, None, &json.to_string())?;
        let answer = serde_json::from_str(&answer).unwrap();
        assert_valid("acted", &answer);
        Ok(answer)
    }

    fn list(&self, actor: &str, account: Option<&str>) -> Result<Vec<Value>, Error> {
        let answer = self.page(actor, account, None, 0)?;
        Ok(answer["accounts"].as_array().unwrap().clone())
    }

    fn page(
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

    fn one(&self, id: &str) -> Value {
        self.list(OPERATOR, Some(id)).unwrap().remove(0)
    }

    /// Everything the operator can see.
    fn all(&self) -> Vec<Value> {
        self.list(OPERATOR, None).unwrap()
    }
}

fn instance() -> Instance {
    Instance::new("test", Arc::new(GivenClock(AtomicU64::new(NOW))))
}

fn assert_valid(definition: &str, answer: &Value) {
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
fn refused<T: std::fmt::Debug>(
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

fn mailbox() -> Value {
    json!({ "provider": "one", "user": "a@example.net" })
}

fn and(more: Value) -> Value {
    let mut account = mailbox();
    account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
    account
}

#[test]
fn i14_an_owner_sets_his_members_and_gets_the_operators_for_the_rest() {
    let house = House::new();
    house
        .put(
            ALICE,
            ALICE,
            "a",
            and(json!({ "delete": "now", "interval_s": 600, "sign_in": "boss@example.net" })),
        )
        .unwrap();
    let shown = house.one("a");
    assert_eq!(shown["server"], "pop.example.com:995");
    assert_eq!(shown["deliver_to"], ALICE);
    assert_eq!(shown["realm"], "default");
    assert_eq!(shown["interval_s"], 600);
    assert_eq!(shown["configured"], false);
    assert_eq!(shown["state"]["needs"], json!(["consent"]));
    // Left out means default again.
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let shown = house.one("a");
    assert_eq!((&shown["delete"], &shown["interval_s"]), (&json!("never"), &json!(900)));
    assert_eq!(shown.get("sign_in"), None);
}

#[test]
fn i14_an_owner_is_refused_by_name_what_is_the_operators() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let before = house.all();
    for (id, json, cause, name) in [
        ("b", and(json!({ "server": "evil.example:995" })), "rights.member", "server"),
        ("b", and(json!({ "server": "pop2.example.com:995" })), "rights.member", "server"),
        ("a", and(json!({ "server": "evil.example:995" })), "rights.member", "server"),
        ("b", json!({ "token_file": "/etc/passwd", "user": "u" }), "rights.member", "token_file"),
        (
            "b",
            json!({ "token_file": "/etc/passwd", "server": "evil.example:995", "user": "u" }),
            "rights.member",
            "token_file",
        ),
        ("a", and(json!({ "deliver_to": BOB })), "rights.member", "deliver_to"),
        ("a", and(json!({ "limits": { "max_message_bytes": 5000000000_u64 } })), "rights.member", "limits"),
        ("a", and(json!({ "security": "stls" })), "rights.member", "security"),
        ("a", and(json!({ "first_fetch": "new_only" })), "rights.member", "first_fetch"),
        ("a", and(json!({ "pipelining": "on" })), "rights.member", "pipelining"),
        ("b", and(json!({ "realm": "blue" })), "rights.member", "realm"),
        ("a", and(json!({ "interval_s": 599 })), "rights.member", "interval_s"),
        ("a", and(json!({ "interval_s": 3601 })), "rights.member", "interval_s"),
        // Not for owners, another realm's, and none at all: one answer.
        ("b", json!({ "provider": "staff", "user": "u" }), "rights.member", "provider"),
        ("b", json!({ "provider": "blues", "user": "u" }), "rights.member", "provider"),
        ("b", json!({ "provider": "none", "user": "u" }), "rights.member", "provider"),
    ] {
        let error = refused(&house, house.put(ALICE, ALICE, id, json), Status::Rights, cause, &before);
        assert!(error.message.starts_with(&format!("{name}: ")), "{name}: {}", error.message);
    }
}

#[test]
fn i14_saying_what_holds_anyway_is_no_change_of_the_operators_members() {
    let house = House::new();
    let full = and(
        json!({ "server": "pop2.example.com:995", "deliver_to": "box-7", "limits": { "session_s": 60 } }),
    );
    house.put(OPERATOR, ALICE, "a", full).unwrap();
    let mut shown = house.list(ALICE, Some("a")).unwrap().remove(0);
    for extra in ["id", "owner", "configured", "state", "attention", "older"] {
        shown.as_object_mut().unwrap().remove(extra);
    }
    shown["enabled"] = json!(false);
    house.put(ALICE, ALICE, "a", shown).unwrap();
    let now = house.one("a");
    assert_eq!(now["server"], "pop2.example.com:995");
    assert_eq!((&now["deliver_to"], &now["limits"]["session_s"]), (&json!("box-7"), &json!(60)));
    assert_eq!(now["enabled"], false);
    // Another provider has other hosts: the token goes to one of those.
    house.put(ALICE, ALICE, "a", json!({ "provider": "two", "user": "u" })).unwrap();
    assert_eq!(house.one("a")["server"], "pop.two.example:995");
}

#[test]
fn i14_anothers_account_and_none_at_all_are_told_the_same() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let before = house.all();
    let told: Vec<Error> = ["a", "nowhere"]
        .into_iter()
        .flat_map(|id| {
            [
                house.remove(BOB, id).unwrap_err(),
                house.act(BOB, id, json!({ "verb": "pause" })).unwrap_err(),
                house.act(BOB, id, json!({ "verb": "delete_older" })).unwrap_err(),
                house.list(BOB, Some(id)).unwrap_err(),
                house.put(BOB, ALICE, id, mailbox()).unwrap_err(),
                house.instance.authorize_url(&mut Onlooker, &consent(BOB, id)).unwrap_err(),
            ]
        })
        .collect();
    assert!(told.iter().all(|error| *error == Error::rights()), "{told:?}");
    // A taken id is all a stranger learns.
    assert_eq!(house.put(BOB, BOB, "a", mailbox()).unwrap_err(), Error::rights());
    assert_eq!(house.put(OPERATOR, BOB, "a", mailbox()).unwrap_err(), Error::rights());
    assert_eq!(house.all(), before);
    assert_eq!(house.list(BOB, None).unwrap(), Vec::<Value>::new());
}

fn consent<'a>(actor: &'a str, account: &'a str) -> AuthorizeRequest<'a> {
    AuthorizeRequest {
        actor,
        account,
        session: "0123456789abcdef",
        choose_account: false,
        force_consent: false,
        admin_consent: false,
    }
}

#[test]
fn i14_a_failed_session_look_up_never_becomes_the_operator() {
    let house = House::new();
    let before = house.all();
    for actor in ["", "a\nb", &"x".repeat(256)] {
        refused(&house, house.put(actor, ALICE, "a", mailbox()), Status::Argument, "argument.owner", &before);
        refused(&house, house.list(actor, None), Status::Argument, "argument.owner", &before);
        refused(&house, house.remove(actor, "fixed"), Status::Argument, "argument.owner", &before);
    }
    refused(
        &house,
        house.put(OPERATOR, OPERATOR, "a", mailbox()),
        Status::Argument,
        "argument.owner",
        &before,
    );
    for id in ["", "a b", "../a", &"x".repeat(129)] {
        refused(
            &house,
            house.put(ALICE, ALICE, id, mailbox()),
            Status::Argument,
            "argument.account",
            &before,
        );
    }
}

#[test]
fn i14_an_owner_has_no_more_accounts_than_allowed() {
    let house = House::new();
    house.put(BOB, BOB, "a", mailbox()).unwrap();
    house.put(BOB, BOB, "b", mailbox()).unwrap();
    // One of Alice's is the configuration's.
    house.put(ALICE, ALICE, "d", mailbox()).unwrap();
    let before = house.all();
    for (owner, id) in [(BOB, "c"), (ALICE, "e")] {
        refused(&house, house.put(owner, owner, id, mailbox()), Status::Rights, "rights.cap", &before);
    }
    // Changing one is no new one, and the operator is not bound.
    house.put(BOB, BOB, "b", and(json!({ "enabled": false }))).unwrap();
    house.put(OPERATOR, BOB, "c", mailbox()).unwrap();
}

#[test]
fn i14_configured_accounts_are_changed_only_in_the_configuration() {
    let house = House::new();
    let before = house.all();
    for actor in [ALICE, OPERATOR] {
        refused(
            &house,
            house.put(actor, ALICE, "fixed", mailbox()),
            Status::Rights,
            "rights.configured",
            &before,
        );
        refused(&house, house.remove(actor, "fixed"), Status::Rights, "rights.configured", &before);
    }
    assert!(house.one("fixed")["configured"].as_bool().unwrap());
}

#[test]
fn i14_the_operators_switches_bind_owners_and_not_him() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let mut config = house.config();
    config["owners"]["edit"] = json!(false);
    house.configure(&config).unwrap();
    let before = house.all();
    refused(&house, house.put(ALICE, ALICE, "a", mailbox()), Status::Rights, "rights.edit", &before);
    refused(&house, house.remove(ALICE, "a"), Status::Rights, "rights.edit", &before);
    refused(
        &house,
        house.act(ALICE, "a", json!({ "verb": "pause" })),
        Status::Rights,
        "rights.edit",
        &before,
    );
    house.put(OPERATOR, ALICE, "a", and(json!({ "enabled": false }))).unwrap();

    config["owners"] = json!({ "delete": false });
    house.configure(&config).unwrap();
    let before = house.all();
    let wish = and(json!({ "delete": "now" }));
    refused(&house, house.put(ALICE, ALICE, "a", wish.clone()), Status::Rights, "rights.member", &before);
    house.put(OPERATOR, ALICE, "a", wish).unwrap();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    assert_eq!(house.one("a")["delete"], "now", "an owner who may not choose keeps what stands");
    let before = house.all();
    refused(
        &house,
        house.act(ALICE, "a", json!({ "verb": "delete_older" })),
        Status::Rights,
        "rights.delete",
        &before,
    );

    config["enabled"] = json!(false);
    house.configure(&config).unwrap();
    let before = house.all();
    refused(&house, house.put(ALICE, ALICE, "a", mailbox()), Status::Rights, "rights.disabled", &before);
    assert_eq!(house.one("a")["state"].get("next_due"), None);
}

#[test]
fn i14_a_token_goes_to_its_providers_hosts_for_the_operator_too() {
    let house = House::new();
    let before = house.all();
    let put = house.put(OPERATOR, ALICE, "a", and(json!({ "server": "evil.example:995" })));
    let error = refused(&house, put, Status::Argument, "argument.json", &before);
    assert!(error.message.contains("not listed in providers.one.servers"), "{}", error.message);
    let mut config = house.config();
    config["accounts"]["fixed"]["server"] = json!("evil.example:995");
    refused(&house, house.configure(&config), Status::Config, "config.invalid", &before);
}

#[test]
fn i14_an_account_of_a_former_configuration_takes_no_token_elsewhere() {
    let house = House::new();
    let account = |json: &Value| Config::read(&json.to_string()).unwrap().accounts.unwrap().remove(0);
    let mut config = house.config();
    let put = account(&config);
    let by_file = {
        let mut config = house.config();
        config["accounts"]["fixed"] =
            json!({ "owner": ALICE, "token_file": "/t", "server": "pop.old.example:995", "user": "u" });
        account(&config)
    };
    let prove = |json: &Value| Settings::prove(Config::read(&json.to_string()).unwrap()).unwrap();
    assert!(prove(&config).tls_of_account(&put).is_ok());
    assert!(prove(&config).tls_of_account(&by_file).is_ok());
    config["accounts"] = json!({});
    config["servers"] = json!(["pop.new.example"]);
    config["providers"]["staff"]["servers"] = json!(["pop.new.example:995"]);
    let narrowed = prove(&config);
    assert_eq!(narrowed.tls_of_account(&put).unwrap_err().cause, "config.provider_server");
    assert_eq!(narrowed.tls_of_account(&by_file).unwrap_err().cause, "config.server_unlisted");
    config["providers"]["staff"] = house.config()["providers"]["staff"].clone();
    config["providers"]["staff"]["realm"] = json!("blue");
    assert_eq!(prove(&config).tls_of_account(&put).unwrap_err().cause, "config.provider_server");
    config["providers"].as_object_mut().unwrap().remove("staff");
    assert_eq!(prove(&config).tls_of_account(&put).unwrap_err().cause, "config.provider_missing");
}

#[test]
fn i14_a_token_file_is_kept_from_its_owner() {
    let house = House::new();
    let file = json!({ "token_file": "/run/token", "server": "pop.other.example:995", "user": "u" });
    house.put(OPERATOR, ALICE, "a", file).unwrap();
    assert_eq!(house.one("a")["token_file"], "/run/token");
    assert_eq!(house.list(ALICE, Some("a")).unwrap()[0].get("token_file"), None);
    // He may change what is his, but not whose token it is.
    house.put(ALICE, ALICE, "a", json!({ "user": "v" })).unwrap();
    let now = house.one("a");
    assert_eq!((&now["token_file"], &now["user"]), (&json!("/run/token"), &json!("v")));
    let before = house.all();
    refused(&house, house.put(ALICE, ALICE, "a", mailbox()), Status::Rights, "rights.member", &before);
}

#[test]
fn i14_realms_do_not_mix() {
    let house = House::new();
    let carol = "carol@blue.example";
    house.put(carol, carol, "c", json!({ "provider": "blues", "user": "u" })).unwrap();
    assert_eq!(house.one("c")["realm"], "blue");
    house.put(OPERATOR, "dora", "d", json!({ "provider": "blues", "user": "u", "realm": "blue" })).unwrap();
    // Her realm is known from now on, and needs no name.
    house.put(OPERATOR, "dora", "d2", json!({ "provider": "blues", "user": "u" })).unwrap();
    let before = house.all();
    refused(&house, house.put(carol, carol, "c2", mailbox()), Status::Rights, "rights.member", &before);
    let put = house.put(OPERATOR, "dora", "d3", and(json!({ "realm": "default" })));
    refused(&house, put, Status::Argument, "argument.json", &before);
    let put = house.put(OPERATOR, "dora", "d3", mailbox());
    let error = refused(&house, put, Status::Argument, "argument.json", &before);
    assert!(error.message.contains("own realm"), "{}", error.message);
}

#[test]
fn i12_a_refused_account_changes_nothing() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", and(json!({ "interval_s": 1200 }))).unwrap();
    let before = house.all();
    for json in [
        json!({}),
        json!([]),
        and(json!({ "owner": BOB })),
        and(json!({ "id": "b" })),
        and(json!({ "intervall_s": 600 })),
        and(json!({ "interval_s": "600" })),
        and(json!({ "use_oauth": false })),
        and(json!({ "delete": "sometimes" })),
        and(json!({ "user": "a\u{1}b" })),
    ] {
        refused(&house, house.put(ALICE, ALICE, "a", json), Status::Argument, "argument.json", &before);
    }
    let twice = r#"{"provider": "one", "user": "x", "user": "y"}"#;
    let put = house.instance.account_put(&mut Onlooker, ALICE, ALICE, "a", twice);
    refused(&house, put, Status::Argument, "argument.json", &before);
}

#[test]
fn i12_a_refused_configuration_changes_nothing() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let before = house.all();
    house.write("open-key", &"cd".repeat(32), 0o644);
    house.write("short-key", "cd", 0o600);
    house.write("other-key", &"cd".repeat(32), 0o600);
    house.write("empty", "", 0o600);
    house.write("no-cert", "hello", 0o600);
    let change = |pointer: &str, value: Value| {
        let mut config = house.config();
        // What would be seen if a part of it were applied.
        config["accounts"] = json!({});
        *config.pointer_mut(pointer).unwrap() = value;
        config
    };
    for (config, status, cause, words) in [
        (change("/hostname", json!(7)), Status::Config, "config.invalid", "hostname"),
        (change("/keys", json!([house.path("gone")])), Status::Key, "key.unreadable", "keys[0]: "),
        (change("/keys", json!([house.path("open-key")])), Status::Key, "key.too_open", "mode 0644"),
        (change("/keys", json!([house.path("short-key")])), Status::Key, "key.malformed", "64 hexadecimal"),
        (change("/keys", json!([house.path("other-key")])), Status::Key, "key.unknown", "sealed"),
        (
            change("/keys", json!([house.path("key"), house.path("key")])),
            Status::Key,
            "key.twice",
            "keys[1]: ",
        ),
        (change("/ca_file", json!(house.path("gone"))), Status::Config, "config.file", "ca_file: "),
        (change("/ca_file", json!(house.path("no-cert"))), Status::Config, "config.file", "ca_file: "),
        (
            change("/providers/one/client_secret_file", json!(house.path("empty"))),
            Status::Config,
            "config.file",
            "providers.one.client_secret_files[0]: ",
        ),
        (
            change("/providers/one/redirect_uri", json!("http://mail.example.com/cb")),
            Status::Config,
            "config.provider",
            "providers.one.redirect_uri: ",
        ),
        (
            change("/store", json!(house.path("no/such/directory/store.db"))),
            Status::Store,
            "store.open",
            "no/such/directory",
        ),
    ] {
        let error = refused_as(&house, house.configure(&config), status, cause, &before);
        assert!(error.message.contains(words), "{words}: {}", error.message);
        assert!(!error.advice.is_empty(), "{error}");
    }
    // An id that a call took already is found last of all, inside the store's transaction.
    let mut config = house.config();
    config["accounts"] = json!({
        "a": { "owner": ALICE, "provider": "one", "user": "u" },
        "new": { "owner": ALICE, "provider": "one", "user": "u" },
    });
    refused(&house, house.configure(&config), Status::Config, "config.account_taken", &before);
    // The former configuration is still in force.
    house.put(BOB, BOB, "b", mailbox()).unwrap();
}

/// As `refused`; the store words its own causes.
fn refused_as(
    house: &House,
    done: Result<(), Error>,
    status: Status,
    cause: &str,
    before: &[Value],
) -> Error {
    let error = done.expect_err(cause);
    assert_eq!(error.status, status, "{error}");
    if status != Status::Store {
        assert_eq!(error.cause, cause, "{error}");
    }
    assert_eq!(house.all(), before, "{cause}");
    error
}

#[test]
fn i12_an_unchanged_configuration_writes_nothing() {
    let house = House::new();
    let files = || -> Vec<(String, Vec<u8>)> {
        let mut files: Vec<_> = fs::read_dir(house.directory.path())
            .unwrap()
            .map(|entry| entry.unwrap())
            .map(|entry| (entry.file_name().into_string().unwrap(), fs::read(entry.path()).unwrap()))
            .filter(|(name, _)| name.starts_with("store"))
            .collect();
        files.sort();
        files
    };
    let before = files();
    house.configure(&house.config()).unwrap();
    // The same, said in another order and from a file.
    house.write("config.json", &serde_json::to_string_pretty(&house.config()).unwrap(), 0o600);
    house.configure(&json!({ "file": house.path("config.json") })).unwrap();
    assert!(files() == before);
    // The content of a file it names is part of it.
    house.write("secret", "another", 0o600);
    house.configure(&house.config()).unwrap();
    assert!(files() != before);
}

#[test]
fn i12_an_instance_whose_configuration_was_replaced_changes_nothing() {
    let house = House::new();
    let second = instance();
    let mut later = house.config();
    later["accounts"] = json!({ "later": { "owner": BOB, "provider": "one", "user": "u" } });
    second.configure(&mut Onlooker, &later.to_string()).unwrap();
    let before = house.all();
    house.configure(&house.config()).unwrap();
    assert_eq!(house.all(), before);
    // A new one is a new one.
    let mut newest = house.config();
    newest["accounts"] = json!({ "newest": { "owner": BOB, "provider": "one", "user": "u" } });
    house.configure(&newest).unwrap();
    assert!(house.one("newest")["enabled"].as_bool().unwrap());
    assert!(!house.one("later")["enabled"].as_bool().unwrap());
}

#[test]
fn a_fault_in_a_file_is_named_with_its_line_and_a_cancel_is_consumed() {
    let house = House::unconfigured();
    assert_eq!(house.put(ALICE, ALICE, "a", mailbox()).unwrap_err().status, Status::State);
    house.write("config.json", "{\n  \"store\": \"/s\",\n  \"keys\": []\n}\n", 0o600);
    let error = house.configure(&json!({ "file": house.path("config.json") })).unwrap_err();
    assert!(error.message.contains("config.json:3: keys: "), "{}", error.message);
    let error = house.configure(&json!({ "file": house.path("gone.json") })).unwrap_err();
    assert!(error.message.starts_with("file: "), "{}", error.message);
    house.instance.cancel();
    assert_eq!(house.configure(&house.config()).unwrap_err().status, Status::Cancelled);
    assert!(!house.path("store.db").exists());
    house.configure(&house.config()).unwrap();
}

#[test]
fn accounts_are_shown_in_pages() {
    let house = House::new();
    for id in ["p1", "p2", "p3"] {
        house.put(OPERATOR, BOB, id, mailbox()).unwrap();
    }
    let first = house.page(BOB, None, None, 2).unwrap();
    assert_eq!(first["after"], "p2");
    let last = house.page(BOB, None, Some("p2"), 2).unwrap();
    assert_eq!(last["accounts"][0]["id"], "p3");
    assert_eq!(last.get("after"), None);
    house.remove(BOB, "p3").unwrap();
    assert_eq!(house.list(BOB, None).unwrap().len(), 2);
}

#[test]
fn the_verbs_pause_resume_and_ask_for_the_count() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", mailbox()).unwrap();
    let answer = house.act(ALICE, "a", json!({ "verb": "pause" })).unwrap();
    assert_eq!(answer["account"]["state"]["paused"], true);
    assert_eq!(answer["account"]["state"].get("next_due"), None);
    let answer = house.act(ALICE, "a", json!({ "verb": "resume" })).unwrap();
    assert_eq!(answer["account"]["state"]["paused"], false);
    assert!(answer["account"]["state"]["next_due"].is_u64());
    let answer = house.act(ALICE, "a", json!({ "verb": "offer_again" })).unwrap();
    assert_eq!(answer["messages"], 0);

    let older = json!({ "verb": "delete_older" });
    assert_eq!(house.act(ALICE, "a", older.clone()).unwrap_err().cause, "argument.delete_policy");
    house.put(ALICE, ALICE, "a", and(json!({ "delete": "now" }))).unwrap();
    let answer = house.act(ALICE, "a", older).unwrap();
    assert_eq!((&answer["count"], answer.get("from")), (&json!(0), None));
    let wrong = house.act(ALICE, "a", json!({ "verb": "delete_older", "count": 3 }));
    assert_eq!(wrong.unwrap_err().cause, "argument.count");
    let answer = house.act(ALICE, "a", json!({ "verb": "delete_older", "count": 0 })).unwrap();
    assert_eq!(answer["from"], NOW + 86_400);
    let answer = house.act(ALICE, "a", json!({ "verb": "keep_older" })).unwrap();
    assert_eq!(answer["account"]["state"].get("delete_older_from"), None);

    let reset = json!({ "verb": "uidl_reset", "same_mail": true });
    assert_eq!(house.act(ALICE, "a", reset.clone()).unwrap_err().cause, "rights.operator");
    assert_eq!(house.act(OPERATOR, "a", reset).unwrap_err().cause, "argument.no_question");
    let unknown = house.act(ALICE, "a", json!({ "verb": "explode" })).unwrap_err();
    assert_eq!(unknown.status, Status::Argument);
}

/// A row as a visit leaves it.
fn row(uidl: &str, state: RowState, delete_at: Option<u64>) -> LedgerRow {
    let mut key = [0; 16];
    key[..uidl.len()].copy_from_slice(uidl.as_bytes());
    LedgerRow {
        key,
        state,
        noted_at: 1_700_000_000,
        recorded_at: 1_700_000_000,
        digest: None,
        size: 1000,
        ends: 0,
        begun: false,
        not_before: 1_900_000_000,
        delete_at,
        uidl: Some(uidl.as_bytes().to_vec()),
        reason: "552 5.2.2 over quota".into(),
    }
}

#[test]
fn what_waits_is_shown_and_offered_again_and_older_mail_is_counted() {
    let house = House::new();
    house.put(ALICE, ALICE, "a", and(json!({ "delete": "now" }))).unwrap();
    let keys = KeyRing::new(vec![KeyBytes::new([0xab; 32])]).unwrap();
    let store = SqliteStore::open(&house.path("store.db"), &keys, NOW).unwrap();
    let lease = store.lease(&LeaseName::Account("a".into()), NOW, 60).unwrap().unwrap();
    let rows = [
        row("refused", RowState::Refused, None),
        row("aside", RowState::SetAside, None),
        row("large", RowState::Oversize, None),
        row("old-1", RowState::Durable, None),
        row("old-2", RowState::Durable, None),
        row("new", RowState::Durable, Some(0)),
        row("imported", RowState::Imported, None),
    ];
    store.write_rows(&lease, 1, &rows, NOW).unwrap();

    let offer = json!({ "verb": "offer_again" });
    let busy = house.act(ALICE, "a", offer.clone()).unwrap_err();
    assert_eq!((busy.status, busy.cause), (Status::Transient, "account.busy"));
    store.release(&lease, true).unwrap();

    let shown = house.one("a");
    let attention: Vec<(&str, &str)> = shown["attention"]
        .as_array()
        .unwrap()
        .iter()
        .map(|one| (one["uidl"].as_str().unwrap(), one["what"].as_str().unwrap()))
        .collect();
    assert_eq!(attention.len(), 3, "{attention:?}");
    for one in [("refused", "refused"), ("aside", "set_aside"), ("large", "oversize")] {
        assert!(attention.contains(&one), "{attention:?}");
    }
    assert_eq!(shown["older"], 2);

    let unknown = house.act(ALICE, "a", json!({ "verb": "offer_again", "uidl": "old-1" }));
    assert_eq!(unknown.unwrap_err().cause, "argument.uidl");
    let one = house.act(ALICE, "a", json!({ "verb": "offer_again", "uidl": "refused" })).unwrap();
    assert_eq!(one["messages"], 1);
    let all = house.act(ALICE, "a", offer).unwrap();
    assert_eq!(all["messages"], 2, "the refused one again, and the one set aside; none over the limit");
    let open = store.open_rows("a", 1).unwrap();
    let of = |uidl: &str| open.iter().find(|row| row.uidl.as_deref() == Some(uidl.as_bytes())).unwrap();
    assert_eq!((of("refused").state, of("refused").not_before), (RowState::Deferred, 0));
    assert_eq!((of("aside").state, of("aside").not_before), (RowState::SetAside, 0));
    assert_eq!((of("large").state, of("large").not_before), (RowState::Oversize, 1_900_000_000));

    let older = |count: u64| house.act(ALICE, "a", json!({ "verb": "delete_older", "count": count }));
    assert_eq!(older(3).unwrap_err().cause, "argument.count");
    assert_eq!(house.one("a")["state"].get("delete_older_from"), None);
    older(2).unwrap();
    assert_eq!(house.one("a")["state"]["delete_older_from"], NOW + 86_400);
}
