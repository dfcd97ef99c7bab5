//! Where tokens go, whose they are, and that realms do not mix (I14).

use multipop::config::Config;
use multipop::engine::settings::Settings;
use multipop::error::Status;
use multipop::model::OPERATOR;
use serde_json::{Value, json};

use crate::setup::{ALICE, House, and, mailbox, refused};

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
    // He may change what is his, but not whose token it is, nor which mailbox it opens.
    house.put(ALICE, ALICE, "a", json!({ "user": "u", "delete": "now" })).unwrap();
    let now = house.one("a");
    assert_eq!((&now["token_file"], &now["delete"]), (&json!("/run/token"), &json!("now")));
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
