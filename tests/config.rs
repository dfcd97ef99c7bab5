//! The configuration as text: what is read, what is refused and how it is told, and that schema, example and
//! documentation say the same.

use std::fs;
use std::path::Path;

use jsonschema::Validator;
use multipop::config::{Config, Profile, Source};
use multipop::error::Status;
use multipop::model::{Actor, DeletePolicy, FirstFetch, Pipelining, Security, TokenSource};
use serde_json::{Value, json};

fn here(path: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(path);
    fs::read_to_string(&path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn schema() -> Value {
    serde_json::from_str(&here("include/config.schema.json")).unwrap()
}

/// The schema of one of its definitions.
fn definition(name: &str) -> Validator {
    let mut schema = schema();
    schema.as_object_mut().unwrap().remove("oneOf");
    schema["$ref"] = json!(format!("#/$defs/{name}"));
    jsonschema::validator_for(&schema).unwrap()
}

fn base() -> Value {
    json!({
        "store": "/var/lib/multipop/store.db",
        "keys": ["/etc/multipop/key"],
        "hostname": "mail.example.com",
        "realms": { "blue": { "owner_domains": ["blue.example"] } },
        "providers": {
            "m365": {
                "profile": "microsoft365",
                "client_id": "id",
                "client_secret_file": "/etc/multipop/m365",
                "redirect_uri": "https://mail.example.com/WorldClient.dll?View=OAuth&AuthRequest=Office365",
            },
            "own": {
                "profile": "generic",
                "client_id": "id",
                "client_secret_files": ["/etc/multipop/own"],
                "redirect_uri": "https://mail.example.com/cb",
                "issuer": "https://id.example.com",
                "authorize_endpoint": "https://id.example.com/a",
                "token_endpoint": "https://id.example.com/t",
                "scopes": ["openid", "pop"],
                "servers": ["POP.example.com:995", "pop2.example.com:110"],
            },
            "blues": {
                "profile": "google",
                "realm": "blue",
                "client_id": "id",
                "client_secret_file": "/etc/multipop/blue",
                "redirect_uri": "https://mail.example.com/cb2",
            },
        },
        "accounts": {
            "alice-1": { "owner": "alice@example.com", "provider": "m365", "user": "alice@contoso.example" },
        },
    })
}

/// The base with one member replaced, by its JSON pointer; `null` removes it.
fn with(pointer: &str, value: Value) -> Value {
    let mut json = base();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = json.pointer_mut(parent).unwrap_or_else(|| panic!("no {pointer}"));
    let parent = parent.as_object_mut().unwrap();
    match value {
        Value::Null => parent.remove(name),
        value => parent.insert(name.to_owned(), value),
    };
    json
}

fn pair(private_key: Value) -> Value {
    json!([{ "certificate_file": "/c", "private_key_file": private_key }])
}

fn accounts(account: Value) -> Value {
    with("/accounts", json!({ "a@1": account }))
}

/// Every case that schema and reader judge alike.
fn cases() -> Vec<(bool, Value)> {
    let account = |more: Value| {
        let mut account = json!({ "owner": "o", "provider": "m365", "user": "u" });
        account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        accounts(account)
    };
    let classic = |more: Value| {
        let mut account = json!({
            "owner": "o", "user": "u", "use_oauth": false, "server": "pop.example.net:995", "password_file": "/p",
        });
        account.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        account
    };
    let proxy = |more: Value| {
        let mut network = json!({ "proxy": "http://proxy.example.com:3128", "proxy_user": "u",
            "proxy_password_file": "/p" });
        network.as_object_mut().unwrap().extend(more.as_object().unwrap().clone());
        network.as_object_mut().unwrap().retain(|_, value| !value.is_null());
        network
    };
    let both = |network: Value| {
        let mut config = with("/proxy", json!("http://proxy.example.com:3128"));
        config["network"] = network;
        config
    };
    let mut cases = vec![
        (true, base()),
        (true, with("/accounts", Value::Null)),
        (true, with("/accounts", json!({}))),
        (false, with("/store", Value::Null)),
        (false, with("/store", json!("relative.db"))),
        (false, with("/store", json!("/ends/with/"))),
        (false, with("/store", json!(7))),
        (false, with("/keys", json!([]))),
        (false, with("/keys", json!("/etc/multipop/key"))),
        (true, with("/keys", json!(["/a", "/b"]))),
        (false, with("/hostname", json!("not a name"))),
        (false, with("/hostname", json!(""))),
        (false, with("/hostname", json!("-x.example"))),
        (false, with("/enabeld", json!(true))),
        (false, with("/enabled", json!("yes"))),
        (false, with("/enabled", json!(1))),
        (true, with("/delete_grace_s", json!(0))),
        (false, with("/delete_grace_s", json!(-1))),
        (false, with("/delete_grace_s", json!(1.5))),
        (false, with("/proxy", json!("proxy.example.com:3128"))),
        (false, with("/proxy", json!("http://user:word@proxy.example.com:3128"))),
        (true, with("/proxy", json!("http://proxy.example.com:3128"))),
        (true, with("/network", json!({}))),
        (true, with("/network", json!({ "source": { "ipv4": "192.0.2.7", "ipv6": "2001:db8::7" } }))),
        (false, with("/network", json!({ "source": { "ipv4": "2001:db8::7" } }))),
        (false, with("/network", json!({ "source": { "ipv6": "192.0.2.7" } }))),
        (false, with("/network", json!({ "source": { "ip": "192.0.2.7" } }))),
        (false, with("/network", json!({ "source": "192.0.2.7" }))),
        (true, with("/network", json!({ "prefer": "ipv6_only" }))),
        (false, with("/network", json!({ "prefer": "ipv5" }))),
        (true, with("/network", json!({ "proxy": "socks5h://[2001:db8::1]:1080" }))),
        (false, with("/network", json!({ "proxy": "socks4://proxy.example.com:1080" }))),
        (false, with("/network", json!({ "proxy": "socks5://proxy.example.com:1080/path" }))),
        (false, with("/network", json!({ "proxy": "socks5://u:w@proxy.example.com:1080" }))),
        (true, with("/network", proxy(json!({})))),
        (false, with("/network", proxy(json!({ "proxy": null })))),
        (false, with("/network", proxy(json!({ "proxy_password_file": null })))),
        (false, with("/network", proxy(json!({ "proxy_user": null })))),
        (false, with("/network", proxy(json!({ "proxy_password_file": "hush" })))),
        (false, with("/network", json!({ "proxy_password": "hush" }))),
        (true, with("/providers/m365/network", proxy(json!({})))),
        (false, with("/providers/m365/network", json!({ "prefered": "ipv4" }))),
        (true, both(json!({ "prefer": "ipv4" }))),
        (false, both(json!({ "proxy": "http://proxy.example.com:3128" }))),
        (true, with("/limits", json!({ "sessions": 1, "flush_after_s": 0.25 }))),
        (false, with("/limits", json!({ "sessions": 0 }))),
        (false, with("/limits", json!({ "flush_after_s": 61 }))),
        (false, with("/limits", json!({ "flush_after_s": 0 }))),
        (false, with("/limits", json!([]))),
        (false, with("/timeouts", json!({ "connect": 5 }))),
        (true, with("/providers/m365/device_flow", json!("owners"))),
        (false, with("/providers/m365/device_flow", json!("everybody"))),
        (false, with("/providers/m365/device_endpoint", json!("http://login.example.com/devicecode"))),
        (true, with("/notices", json!({ "page_url": "https://mail.example.com/m", "digest": "always" }))),
        (false, with("/notices", json!({ "page_url": "mail.example.com" }))),
        (false, with("/notices", json!({ "page_url": "ftp://mail.example.com" }))),
        (false, with("/notices", json!({ "digest": "weekly" }))),
        (false, with("/notices", json!({ "digest_hour": 24 }))),
        (false, with("/notices", json!({ "incident_percent": 0 }))),
        (false, with("/notices", json!({ "hold": 1 }))),
        (true, with("/providers/m365/client_secret_expires_at", json!("2027-01-31"))),
        (true, with("/providers/own/client_secret_expires_at", json!(["2027-01-31"]))),
        (false, with("/providers/own/client_secret_expires_at", json!([]))),
        (false, with("/providers/own/client_secret_expires_at", json!("31.01.2027"))),
        (true, with("/providers/m365/keep_alive", json!(false))),
        (false, with("/providers/m365/grant_idle_s", json!(-1))),
        (true, account(json!({ "app_only": false }))),
        (false, account(json!({ "app_only": "yes" }))),
        (false, account(json!({ "app_only": true, "sign_in": "x" }))),
        (true, with("/timeouts", json!({ "connect_s": 5 }))),
        (
            true,
            with(
                "/defaults",
                json!({ "delete": "now", "pipelining": "probe", "limits": { "session_s": 60 } }),
            ),
        ),
        (false, with("/defaults", json!({ "delete": "later" }))),
        (false, with("/defaults", json!({ "interval_s": 1 }))),
        (true, with("/owners", json!({ "providers": ["m365"], "edit": false }))),
        (false, with("/owners", json!({ "accounts_per_owner": -1 }))),
        (false, with("/realms", json!({ "blue": { "owner_domains": ["not a domain"] } }))),
        (false, with("/realms", json!({ "blue with spaces": {} }))),
        (false, with("/realms", json!([]))),
        (true, with("/servers", json!(["pop.example.com", "10.0.0.7:995", "[::1]:995"]))),
        (false, with("/servers", json!(["pop.example.com:x"]))),
        (false, with("/providers/m365/client_secret", json!("hush"))),
        (false, with("/providers/m365/client_secret_files", json!(["/a"]))),
        (false, with("/providers/own/client_secret_files", json!([]))),
        (false, with("/providers/m365/profile", json!("yandex"))),
        (true, with("/providers/m365/profile", json!("yahoo"))),
        (true, with("/providers/m365/cloud", json!("us_gov_high"))),
        (false, with("/providers/m365/cloud", json!("us_gov_dod"))),
        (false, with("/providers/own/cloud", json!("global"))),
        (true, with("/providers/m365/client_authentication", json!("private_key_jwt"))),
        (true, with("/providers/m365/client_authentication", json!("client_secret_basic"))),
        (false, with("/providers/m365/client_authentication", json!("client_secret_jwt"))),
        (false, with("/providers/m365/certificate_file", json!("/c"))),
        (false, with("/providers/m365/private_key_file", json!("/k"))),
        (true, with("/providers/m365/certificates", pair(json!("/k")))),
        (false, with("/providers/m365/certificates", pair(json!("k")))),
        (false, with("/providers/m365/certificates", json!([{ "certificate_file": "/c" }]))),
        (false, with("/providers/m365/certificates", json!([]))),
        (false, with("/providers/m365/assertion_algorithm", json!("HS256"))),
        (true, with("/providers/own/token_endpoint", Value::Null)),
        (false, with("/providers/m365/redirect_uri", json!(""))),
        (false, with("/providers/m365/redirect_uri", json!("https://mail.example.com/a b"))),
        (false, with("/providers/m365/authority", json!("http://login.example.com"))),
        (false, with("/providers/m365/authorize_parameters", json!({ "state": "x" }))),
        (false, with("/providers/m365/authorize_parameters", json!({ "login_hint": "x" }))),
        (false, with("/providers/m365/authorize_parameters", json!({ "": "x" }))),
        (true, with("/providers/m365/authorize_parameters", json!({ "domain_hint": "contoso.example" }))),
        (false, with("/providers/own/servers", Value::Null)),
        (false, with("/providers/own/servers", json!([]))),
        (false, with("/providers/own/servers", json!(["pop.example.com"]))),
        (false, with("/providers/own/servers", json!(["https://pop.example.com:995"]))),
        (false, with("/providers/own/servers", json!([":995"]))),
        (false, with("/providers/own/servers", json!(["a b:995"]))),
        (false, with("/providers/own/mechanism", json!("plain"))),
        (true, account(json!({}))),
        (false, account(json!({ "owner": "*" }))),
        (false, account(json!({ "owner": "" }))),
        (false, account(json!({ "owner": "a\u{7}b" }))),
        (false, account(json!({ "id": "a" }))),
        (false, account(json!({ "user": "" }))),
        (false, account(json!({ "user": "a\u{1}auth=Bearer x" }))),
        (false, account(json!({ "user": " a" }))),
        (false, account(json!({ "use_oauth": false }))),
        (true, account(json!({ "use_oauth": true }))),
        (true, accounts(classic(json!({})))),
        (true, accounts(classic(json!({ "apop": true, "security": "stls" })))),
        (false, accounts(classic(json!({ "password": "of-alice" })))),
        (false, accounts(classic(json!({ "password_file": "of-alice" })))),
        (false, accounts(classic(json!({ "sign_in": "v" })))),
        (false, accounts(classic(json!({ "provider": "m365" })))),
        (false, accounts(classic(json!({ "token_file": "/run/token" })))),
        (false, accounts(classic(json!({ "use_oauth": true })))),
        (
            false,
            accounts(
                json!({ "owner": "o", "user": "u", "use_oauth": false, "server": "pop.example.net:995" }),
            ),
        ),
        (false, accounts(json!({ "owner": "o", "user": "u", "use_oauth": false, "password_file": "/p" }))),
        (false, account(json!({ "password_file": "/p" }))),
        (false, account(json!({ "apop": true }))),
        (true, with("/owners", json!({ "classic_servers": true }))),
        (false, with("/owners", json!({ "classic_servers": "yes" }))),
        (false, account(json!({ "token_file": "/run/token" }))),
        (false, accounts(json!({ "owner": "o", "user": "u" }))),
        (false, accounts(json!({ "owner": "o", "user": "u", "token_file": "/run/token" }))),
        (false, accounts(json!({ "user": "u", "provider": "m365" }))),
        (
            true,
            accounts(
                json!({ "owner": "o", "user": "u", "token_file": "/run/token", "server": "a.example:995" }),
            ),
        ),
        (true, account(json!({ "security": "stls" }))),
        (false, account(json!({ "security": "none" }))),
        (true, account(json!({ "delete": { "after_days": 1 } }))),
        (false, account(json!({ "delete": { "after_days": 0 } }))),
        (false, account(json!({ "delete": { "after_days": 1, "x": 2 } }))),
        (false, account(json!({ "delete": {} }))),
        (false, account(json!({ "delete": null }))),
        (true, account(json!({ "first_fetch": { "since": "2024-02-29" } }))),
        (false, account(json!({ "first_fetch": { "since": "29.02.2024" } }))),
        (false, account(json!({ "first_fetch": "some" }))),
        (true, account(json!({ "limits": { "max_message_bytes": 1024 } }))),
        (false, account(json!({ "limits": { "max_message_bytes": 1 } }))),
        (false, account(json!({ "interval_s": 9 }))),
        (false, account(json!({ "server": "pop" }))),
        (true, json!({ "file": "/etc/multipop.json" })),
        (false, json!({ "file": "multipop.json" })),
        (false, json!({ "file": "/etc/multipop.json", "store": "/x" })),
        (false, json!([])),
        (false, json!("text")),
    ];
    for id in ["", "a b", "ä", &"x".repeat(129)] {
        let account = json!({ "owner": "o", "provider": "m365", "user": "u" });
        cases.push((false, with("/accounts", json!({ id: account }))));
    }
    cases
}

fn reads(text: &str) -> Result<(), multipop::error::Error> {
    match Config::locate(text)? {
        Source::File(_) => Ok(()),
        Source::Here => Config::read(text).map(|_| ()),
    }
}

#[test]
fn reader_and_schema_judge_alike() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    for (good, case) in cases() {
        let read = reads(&case.to_string());
        assert_eq!(read.is_ok(), good, "reader: {read:?}\n{case:#}");
        assert_eq!(schema.is_valid(&case), good, "schema\n{case:#}");
        if let Err(error) = read {
            assert_eq!(error.status, Status::Config, "{error}");
            assert!(!error.advice.is_empty());
        }
    }
}

/// What only the reader can know, and how each refusal is told.
#[test]
fn a_fault_is_told_with_its_path_and_what_is_expected() {
    let account = |more: Value| accounts(more);
    for (case, path, words) in [
        (with("/enabeld", json!(true)), "enabeld:", "did you mean enabled?"),
        (with("/providers/m365/redirect_url", json!("x")), "providers.m365.redirect_url:", "redirect_uri"),
        (
            with("/providers/m365/client_secret", json!("x")),
            "providers.m365.client_secret:",
            "client_secret_file",
        ),
        (with("/hostname", Value::Null), "hostname:", "missing"),
        (
            with(
                "/network",
                json!({ "proxy": "http://p.example:1", "proxy_user": "a:b", "proxy_password_file": "/p" }),
            ),
            "network.proxy_user:",
            "no colon",
        ),
        (
            with("/network", json!({ "source": { "ipv4": "0.0.0.0" } })),
            "network.source.ipv4:",
            "this machine's",
        ),
        (with("/network", json!({ "proxy": "socks5://p.example:0" })), "network.proxy:", "socks5h"),
        (
            with("/network", json!({ "proxy_password": "x" })),
            "network.proxy_password:",
            "proxy_password_file",
        ),
        (
            with("/providers/m365/network", json!({ "proxy_password_file": "/p" })),
            "providers.m365.network.proxy_password_file:",
            "proxy_user",
        ),
        (
            with("/limits", json!({ "sessions": "many" })),
            "limits.sessions:",
            "a whole number from 1 to 1024, found a text",
        ),
        (with("/keys", json!(["/a", "b"])), "keys[1]:", "absolute path"),
        (
            with("/providers/m365/profile", json!("gogle")),
            "providers.m365.profile:",
            "microsoft365, outlook, google, yahoo, aol, fastmail, comcast, generic",
        ),
        (with("/providers/own/servers", Value::Null), "providers.own.servers:", "host:port"),
        (with("/providers/own/servers", json!(["::1:995"])), "providers.own.servers[0]:", "host:port"),
        (with("/providers/own/servers", json!(["a.example:0"])), "providers.own.servers[0]:", "host:port"),
        (
            with("/providers/own/servers", json!(["a.example:99999"])),
            "providers.own.servers[0]:",
            "host:port",
        ),
        (with("/owners", json!({ "providers": ["m366"] })), "owners.providers[0]:", "no provider"),
        (
            with("/owners", json!({ "least_interval_s": 900, "most_interval_s": 600 })),
            "owners.most_interval_s:",
            "greater",
        ),
        (with("/providers/m365/realm", json!("red")), "providers.m365.realm:", "no realm"),
        (with("/realms/red", json!({ "owner_domains": ["Blue.example"] })), "realms.", "already"),
        (
            account(json!({ "owner": "o", "user": "u", "provider": "m364" })),
            "accounts[\"a@1\"].provider:",
            "m365",
        ),
        (
            account(json!({ "owner": "o", "user": "u", "provider": "m365", "server": "evil.example:995" })),
            "accounts[\"a@1\"].server:",
            "not listed in providers.m365.servers",
        ),
        (
            account(json!({ "owner": "o", "user": "u", "provider": "blues" })),
            "accounts[\"a@1\"].provider:",
            "own realm",
        ),
        (
            account(json!({ "owner": "o", "user": "u", "provider": "m365", "realm": "red" })),
            "accounts[\"a@1\"].realm:",
            "no realm",
        ),
        (
            account(
                json!({ "owner": "o", "user": "u", "provider": "m365", "first_fetch": { "since": "2023-02-29" } }),
            ),
            "accounts[\"a@1\"].first_fetch.since:",
            "YYYY-MM-DD",
        ),
        (
            account(json!({ "owner": "o", "user": "u", "provider": "m365", "use_oauth": false })),
            "accounts[\"a@1\"].use_oauth:",
            "password",
        ),
    ] {
        let error = Config::read(&case.to_string()).expect_err(path);
        assert_eq!(error.status, Status::Config);
        assert!(error.message.starts_with(path), "{path}: {}", error.message);
        assert!(error.message.contains(words), "{words}: {}", error.message);
    }
}

#[test]
fn duplicates_and_lines_are_named() {
    let text = "{\n  \"store\": \"/a\",\n  \"store\": \"/b\"\n}";
    let error = Config::read(text).unwrap_err();
    assert!(error.message.starts_with("line 3: store: this member stands twice"), "{}", error.message);
    let error = Config::read_named(text, Some("/etc/multipop.json")).unwrap_err();
    assert!(error.message.starts_with("/etc/multipop.json:3: store:"), "{}", error.message);
    let error = Config::read_named("{\n \"store\" 1\n}", Some("/etc/multipop.json")).unwrap_err();
    assert!(error.message.starts_with("/etc/multipop.json:2: this is not JSON"), "{}", error.message);
}

#[test]
fn what_is_left_out_has_the_default_that_the_schema_states() {
    let minimal = json!({ "store": "/s", "keys": ["/k"], "hostname": "MAIL.example.com" });
    let config = Config::read(&minimal.to_string()).unwrap();
    let defs = schema()["$defs"].clone();
    let stated = |def: &str, name: &str| defs[def]["properties"][name]["default"].clone();
    assert_eq!(config.hostname, "mail.example.com");
    assert!(config.accounts.is_none() && config.realms.contains_key("default"));
    for (name, value) in [
        ("enabled", json!(config.enabled)),
        ("always_delete", json!(config.always_delete)),
        ("shadow", json!(config.shadow)),
        ("delete_grace_s", json!(config.delete_grace_s)),
        ("system_roots", json!(config.system_roots)),
        ("servers", json!(config.servers)),
    ] {
        assert_eq!(value, stated("configuration", name), "{name}");
    }
    let (limits, timeouts, owners) = (&config.limits, &config.timeouts, &config.owners);
    for (def, name, value) in [
        ("limits", "sessions", json!(limits.sessions)),
        ("limits", "prefetch_bytes", json!(limits.prefetch_bytes)),
        ("limits", "flush_messages", json!(limits.flush_messages)),
        ("limits", "flush_bytes", json!(limits.flush_bytes)),
        ("limits", "flush_after_s", json!(limits.flush_ms as f64 / 1000.0)),
        ("limits", "listing_entries", json!(limits.listing_entries)),
        ("timeouts", "connect_s", json!(timeouts.connect_s)),
        ("timeouts", "reply_s", json!(timeouts.reply_s)),
        ("timeouts", "login_s", json!(timeouts.login_s)),
        ("timeouts", "https_s", json!(timeouts.https_s)),
        ("owners", "edit", json!(owners.edit)),
        ("owners", "accounts_per_owner", json!(owners.accounts_per_owner)),
        ("owners", "delete", json!(owners.delete)),
        ("owners", "least_interval_s", json!(owners.least_interval_s)),
        ("owners", "most_interval_s", json!(owners.most_interval_s)),
        ("notices", "delay_s", json!(config.notices.delay_s)),
        ("notices", "hold_s", json!(config.notices.hold_s)),
        ("notices", "incident_accounts", json!(config.notices.incident_accounts)),
        ("notices", "incident_percent", json!(config.notices.incident_percent)),
        ("notices", "digest", json!(format!("{:?}", config.notices.digest).to_lowercase())),
        ("notices", "digest_hour", json!(config.notices.digest_hour)),
        ("defaults", "interval_s", json!(config.defaults.interval_s)),
        ("account_limits", "max_message_bytes", json!(config.defaults.limits.max_message_bytes)),
        ("account_limits", "session_messages", json!(config.defaults.limits.session_messages)),
        ("account_limits", "session_s", json!(config.defaults.limits.session_s)),
    ] {
        assert_eq!(value, stated(def, name), "{def}.{name}");
    }
    assert_eq!(config.defaults.delete, DeletePolicy::Never);
    assert_eq!(config.defaults.first_fetch, FirstFetch::All);
    assert_eq!(config.defaults.pipelining, Pipelining::Auto);
}

#[test]
fn an_account_is_completed_from_provider_owner_and_defaults() {
    let mut json = base();
    json["defaults"] = json!({ "delete": { "after_days": 7 }, "interval_s": 900 });
    json["accounts"] = json!({
        "b": { "owner": "bob@Blue.example", "provider": "blues", "user": "bob@gmail.example" },
        "a": { "owner": "alice", "provider": "own", "user": "u", "server": "pop2.example.com:110",
               "security": "stls", "first_fetch": { "since": "1970-01-02" } },
        "c": { "owner": "carol", "token_file": "/run/t", "server": "[::1]:995", "user": "c" },
    });
    let accounts = Config::read(&json.to_string()).unwrap().accounts.unwrap();
    let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    let [a, b, c] = &accounts[..] else { panic!() };
    assert_eq!((a.server.security, a.server.port), (Security::Stls, 110));
    assert_eq!(a.first_fetch, FirstFetch::Since(86_400));
    assert_eq!((a.deliver_to.as_str(), a.interval_s), ("alice", 900));
    assert_eq!(a.delete, DeletePolicy::AfterDays(7));
    assert_eq!((b.realm.as_str(), b.server.host.as_str()), ("blue", "pop.gmail.com"));
    assert_eq!(c.source, TokenSource::File("/run/t".into()));
    assert_eq!(c.server.host, "::1");
}

#[test]
fn nothing_is_left_out_at_google_where_it_would_hide_new_mail() {
    let with = |user: &str, first: Value| {
        let mut config = base();
        config["defaults"] = json!({ "first_fetch": first });
        config["accounts"] =
            json!({ "a": { "owner": "alice", "provider": "blues", "realm": "blue", "user": user } });
        Config::read(&config.to_string())
    };
    for first in [json!("new_only"), json!({ "since": "2026-01-01" })] {
        let refused = with("alice@example.com", first.clone()).unwrap_err();
        assert_eq!(refused.status, Status::Config);
        assert!(
            refused.message.starts_with("accounts.a.first_fetch: must be \"all\""),
            "{}",
            refused.message
        );
        with("recent:alice@example.com", first).unwrap();
    }
    let config = with("alice@example.com", json!("all")).unwrap();
    // An owner's account has the operator's default, and hears the same.
    let mut late = base();
    late["defaults"] = json!({ "first_fetch": "new_only" });
    let late = Config::read(&late.to_string()).unwrap();
    let json = json!({ "provider": "blues", "user": "alice@example.com" }).to_string();
    let form = Config::read_account(&json).unwrap();
    let put = |config: &Config| {
        config.account(&Actor::Owner("alice".into()), ("b", "alice", "blue"), (&form, &json), None)
    };
    put(&config).unwrap();
    assert_eq!(put(&late).unwrap_err().status, Status::Argument);
}

#[test]
fn schema_and_reader_know_the_same_profiles() {
    let names = Profile::ALL.map(Profile::name);
    assert_eq!(schema()["$defs"]["provider"]["properties"]["profile"]["enum"], json!(names));
    let config = Config::read(&base().to_string()).unwrap();
    let servers = |id: &str| config.providers[id].servers.clone();
    assert_eq!(servers("m365"), [("outlook.office365.com".to_owned(), 995)]);
    assert_eq!(servers("own"), [("pop.example.com".to_owned(), 995), ("pop2.example.com".to_owned(), 110)]);
}

#[test]
fn an_owner_belongs_to_one_realm() {
    let mut json = base();
    json["accounts"] = json!({
        "a": { "owner": "bob", "provider": "blues", "user": "u" },
        "b": { "owner": "bob", "provider": "blues", "user": "u", "realm": "blue" },
    });
    let accounts = Config::read(&json.to_string()).unwrap().accounts.unwrap();
    assert!(accounts.iter().all(|account| account.realm == "blue"), "named with one, meant for all");
    json["accounts"]["a"]["realm"] = json!("default");
    let error = Config::read(&json.to_string()).unwrap_err();
    assert!(error.message.contains("one realm only"), "{}", error.message);
}

#[test]
fn listed_servers_bind_accounts_with_a_token_file() {
    let mut json =
        accounts(json!({ "owner": "o", "user": "u", "token_file": "/t", "server": "a.example:995" }));
    json["servers"] = json!(["b.example"]);
    assert!(Config::read(&json.to_string()).unwrap_err().message.contains("not listed in servers"));
    json["servers"] = json!(["A.example"]);
    assert!(Config::read(&json.to_string()).is_ok());
}

#[test]
fn the_verbs_are_judged_alike() {
    let schema = definition("act");
    for (good, case) in [
        (true, json!({ "verb": "confirm" })),
        (true, json!({ "verb": "pause" })),
        (false, json!({ "verb": "pause", "count": 1 })),
        (true, json!({ "verb": "offer_again" })),
        (true, json!({ "verb": "offer_again", "uidl": "x" })),
        (true, json!({ "verb": "delete_older" })),
        (true, json!({ "verb": "delete_older", "count": 0 })),
        (false, json!({ "verb": "delete_older", "count": -1 })),
        (false, json!({ "verb": "uidl_reset" })),
        (true, json!({ "verb": "uidl_reset", "same_mail": false })),
        (true, json!({ "verb": "explain" })),
        (true, json!({ "verb": "explain", "message_id": "<a@b>" })),
        (true, json!({ "verb": "explain", "since": 0 })),
        (false, json!({ "verb": "explain", "message_id": "<a@b>", "uidl": "x" })),
        (false, json!({ "verb": "explain", "uidl": "x", "since": 0 })),
        (false, json!({ "verb": "explain", "since": "yesterday" })),
        (true, json!({ "verb": "trace", "minutes": 60 })),
        (false, json!({ "verb": "trace", "minutes": 61 })),
        (false, json!({ "verb": "trace" })),
        (true, json!({ "verb": "trace_read" })),
        (true, json!({ "verb": "support_bundle" })),
        (false, json!({ "verb": "destroy" })),
        (false, json!({})),
        (false, json!("pause")),
    ] {
        let read = Config::read_act(&case.to_string());
        assert_eq!(read.is_ok(), good, "{case}");
        assert_eq!(schema.is_valid(&case), good, "schema: {case}");
    }
}

#[test]
fn an_account_shown_can_be_put_again() {
    let config = Config::read(&base().to_string()).unwrap();
    let account = &config.accounts.as_ref().unwrap()[0];
    let shown = Value::Object(multipop::config::to_json(account, true)).to_string();
    assert!(definition("account").is_valid(&serde_json::from_str(&shown).unwrap()));
    let form = Config::read_account(&shown).unwrap();
    let actor = multipop::model::Actor::Operator;
    let again = config.account(&actor, ("alice-1", "alice@example.com", "default"), (&form, &shown), None);
    assert_eq!(&again.unwrap(), account);
}

#[test]
fn example_and_documentation_validate() {
    let schema = jsonschema::validator_for(&schema()).unwrap();
    let mut texts = vec![("examples/config.json".to_owned(), here("examples/config.json"))];
    for page in pages() {
        let text = here(&page);
        let unmarked = text.split("```json\n").skip(1).filter(|block| block.contains("\"store\""));
        assert_eq!(unmarked.count(), 0, "{page}: a configuration begins with ```json configuration");
        let blocks = text.split("```json configuration\n").skip(1);
        for block in blocks {
            let (block, _) = block.split_once("```").expect("a fence that closes");
            texts.push((page.clone(), block.to_owned()));
        }
    }
    assert!(texts.len() > 3, "the pages show configurations");
    for (page, text) in texts {
        let json: Value = serde_json::from_str(&text).unwrap_or_else(|e| panic!("{page}: {e}\n{text}"));
        let faults: Vec<String> = schema.iter_errors(&json).map(|e| e.to_string()).collect();
        assert!(faults.is_empty(), "{page}: {faults:?}\n{text}");
        reads(&text).unwrap_or_else(|e| panic!("{page}: {e}\n{text}"));
    }
}

/// Every page for people that stands in the project.
fn pages() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut pages: Vec<String> = fs::read_dir(root.join("docs"))
        .unwrap()
        .filter_map(|entry| entry.unwrap().file_name().into_string().ok())
        .filter(|name| name.ends_with(".md"))
        .map(|name| format!("docs/{name}"))
        .collect();
    if root.join("README.md").exists() {
        pages.push("README.md".into());
    }
    pages
}

#[test]
fn the_reference_page_names_every_member_with_its_default() {
    let page = here("docs/configuration.md");
    let defs = schema()["$defs"].clone();
    for def in [
        "configuration",
        "limits",
        "timeouts",
        "defaults",
        "owners",
        "notices",
        "realm",
        "provider",
        "account",
        "account_limits",
    ] {
        for (name, member) in defs[def]["properties"].as_object().unwrap() {
            let mut row = format!("| `{name}` |");
            if let Some(default) = member.get("default") {
                row = format!("{row} `{default}` |");
            }
            let description = member["description"].as_str().unwrap_or_else(|| panic!("{def}.{name}"));
            let found = page.lines().any(|line| line.starts_with(&row) && line.contains(description));
            assert!(found, "docs/configuration.md: {def}: no row {row} … {description}");
        }
    }
}
