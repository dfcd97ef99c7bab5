//! Sign-in on another device, and access of the application itself, at an independent OpenID provider and Dovecot.

#[path = "house/mod.rs"]
mod house;
#[path = "real/mod.rs"]
mod rig;

use std::sync::Arc;
use std::time::{Duration, Instant};

use house::{Recorder, fetch};
use multipop::engine::call::SystemClock;
use multipop::service::Instance;
use multipop::service::consent::AuthorizeRequest;
use rig::openid::{DEVICE_CLIENT_ID, DEVICE_GRANT};
use rig::{Options, REDIRECT_URI, Rig, server};
use serde_json::{Value, json};

const ALICE: &str = "alice@contoso.example";
const BOB: &str = "bob@contoso.example";

/// At a provider found by its issuer alone.
fn instance(rig: &Rig, app_only: bool) -> Instance {
    let dir = rig.folder("host");
    server::write_secret(&dir.join("key"), "4b".repeat(32).as_bytes());
    let pop = format!("127.0.0.1:{}", rig.dovecot.pop3s_port);
    let config = json!({
        "store": dir.join("store.db"),
        "keys": [dir.join("key")],
        "hostname": "mail.example.com",
        "ca_file": rig.pki.ca_file,
        "system_roots": false,
        "providers": { "contoso": {
            "profile": "generic",
            "issuer": rig.provider.issuer,
            "client_id": DEVICE_CLIENT_ID,
            "client_secret_file": rig.provider.client_secret_file,
            "client_authentication": "post",
            "redirect_uri": REDIRECT_URI,
            "scopes": ["openid", "profile", "email", "offline_access", "mail"],
            "app_scope": "mail",
            "servers": [pop],
        } },
        "accounts": {
            "alice": { "owner": "alice@example.com", "provider": "contoso", "user": ALICE, "app_only": app_only },
            "bob": { "owner": "bob@example.com", "provider": "contoso", "user": BOB, "app_only": app_only },
        },
    });
    let instance = Instance::new("test", Arc::new(SystemClock));
    instance.configure(&mut Recorder::default(), &config.to_string()).unwrap();
    instance
}

#[test]
fn a_code_entered_in_another_browser_brings_the_mail() {
    let mut rig = Rig::start(&Options::default());
    rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\nHello.\r\n");
    let instance = instance(&rig, false);
    let request = AuthorizeRequest {
        actor: "*",
        account: "alice",
        session: "the-operators-own-session",
        choose_account: false,
        force_consent: false,
        admin_consent: false,
    };
    let mut host = Recorder::default();
    let begun: Value = serde_json::from_str(&instance.device_begin(&mut host, &request).unwrap()).unwrap();
    let text = |name: &str| begun[name].as_str().unwrap_or_else(|| panic!("no {name} in {begun}"));
    let until = Instant::now() + Duration::from_secs(60);
    let mut entered = false;
    loop {
        let (result, json) = instance.device_poll(&mut host, &request);
        let Err(error) = result else { break };
        assert_eq!(error.cause, "device.pending", "{error} {json:?}");
        assert!(Instant::now() < until, "it stays pending");
        std::thread::sleep(Duration::from_secs(error.retry_after_s.into()));
        // Asked once before and once after somebody entered the code.
        if rig.provider.count("authorization_pending") > 0 && !entered {
            let page = rig.browser().enter_code(text("verification_uri_complete"), text("user_code"), ALICE);
            assert!(page.contains("Sign-in Success"), "{page}");
            entered = true;
        }
    }
    assert!(entered);
    assert_eq!(rig.provider.count(DEVICE_GRANT), 1);
    let mut sink = Recorder::default();
    let (result, report) = fetch(&instance, &mut sink, Some("alice"), true);
    assert_eq!((result, report.messages_taken), (Ok(()), 1));
}

#[test]
fn an_application_s_own_token_opens_the_mailbox_it_is_for_at_an_independent_provider_and_dovecot() {
    let mut rig = Rig::start(&Options::default());
    rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\nHello.\r\n");
    let instance = instance(&rig, true);
    let (result, report) = fetch(&instance, &mut Recorder::default(), Some("alice"), true);
    assert_eq!((result, report.messages_taken), (Ok(()), 1));
    assert_eq!(rig.provider.count("client_credentials"), 1);
    // Dovecot asks whose the token is, and it is not Bob's. He has the same one, and another is no better.
    let (result, report) = fetch(&instance, &mut Recorder::default(), Some("bob"), true);
    assert_eq!((result.unwrap_err().cause, report.messages_taken), ("mailbox.app_access", 0));
    assert!(rig.provider.count("client_credentials") <= 2);
    assert_eq!(rig.provider.count("invalid_scope"), 0);
}
