//! Gmail's recent mode: one mailbox for several readers, whose name in POP is not that of who signs in.

mod house;

use house::signed::{SESSION, Signed};
use house::{House, OWNER, Recorder, USER, cause};
use multipop::config::Config;
use multipop_host::mock::idp::{Client, Settings};
use multipop_host::mock::pop3::{Script, Server, Verb};
use serde_json::{Value, json};

const RECENT: &str = "recent:alice@contoso.example";

/// A mail server that lists the last days' mail though RETR and QUIT saw it, and still announces EXPIRE 0.
fn recent(house: &House) -> Server {
    let script = Script { window: None, retr_is_final: false, ..Script::gmail() };
    let tokens = house.tokens.clone();
    let pop = Server::builder(&house.tokens, script)
        .identity(&house.pki.good)
        .validator(move |user, token| user == RECENT && tokens.fits(token, USER))
        .start()
        .unwrap();
    pop.mailboxes().add_user(RECENT);
    pop
}

fn google(account: Value) -> (Signed, Server) {
    let mut signed = Signed::new(Script::gmail(), Settings::google());
    let pop = recent(&signed.house);
    let (base, server) = (signed.idp.base().to_owned(), pop.address().to_string());
    signed.house.config["providers"]["p"] = json!({
        "profile": "google", "issuer": base, "authorize_endpoint": format!("{base}/authorize"),
        "token_endpoint": format!("{base}/token"), "client_id": Client::ID,
        "client_secret_files": [signed.house.path("client-secret")], "redirect_uri": house::signed::REDIRECT,
        "servers": [server], "ca_file": signed.house.path("ca.pem"), "login_delay_s": 0,
    });
    let mut alice = json!({ "owner": OWNER, "user": RECENT, "provider": "p" });
    alice.as_object_mut().unwrap().extend(account.as_object().unwrap().clone());
    signed.house.config["accounts"]["alice"] = alice;
    signed.house.configure().unwrap();
    (signed, pop)
}

#[test]
fn the_address_signs_in_and_agrees_and_the_mail_server_is_told_the_mode() {
    let (signed, pop) = google(json!({}));
    let url = signed.begin(&mut Recorder::default()).unwrap();
    let hint = url::Url::parse(&url)
        .unwrap()
        .query_pairs()
        .find(|(name, _)| name == "login_hint")
        .unwrap()
        .1
        .into_owned();
    assert_eq!(hint, USER);
    // Nobody has to confirm.
    signed.connect();
    pop.mailboxes().fill(RECENT, 2, 900, 1);
    assert_eq!(signed.house.fetch_ok(&mut Recorder::default()).messages_taken, 2);
    // A token of somebody else's mailbox is refused as before.
    let uri = signed.idp.consent(&url, "bob@contoso.example").unwrap();
    let (result, _) = signed.bring(&mut Recorder::default(), &uri, SESSION);
    assert_ne!(cause(&result), "ok");
}

#[test]
fn what_others_may_want_to_read_is_neither_deleted_nor_fetched_again() {
    for always_delete in [false, true] {
        let (mut signed, pop) = google(json!({ "delete": "now" }));
        signed.house.config["always_delete"] = json!(always_delete);
        signed.house.configure().unwrap();
        signed.connect();
        pop.mailboxes().fill(RECENT, 3, 900, 1);
        assert_eq!(signed.house.fetch_ok(&mut Recorder::default()).messages_taken, 3);
        for days in 1..=3 {
            signed.house.clock.advance(days * house::DAY);
            pop.forget_logins();
            assert_eq!(signed.house.fetch_ok(&mut Recorder::default()).messages_taken, 0);
        }
        let journal = pop.journal();
        assert_eq!((journal.count(Verb::Retr), journal.count(Verb::Dele)), (3, 0), "{always_delete}");
    }
}

#[test]
fn the_prefix_is_a_mode_at_google_alone_and_a_named_signer_counts_more() {
    let base = json!({
        "store": "/s", "keys": ["/k"], "hostname": "mail.example.com",
        "providers": {
            "g": { "profile": "google", "client_id": "c", "client_secret_file": "/c", "redirect_uri": "https://h/cb" },
            "own": { "profile": "generic", "client_id": "c", "client_secret_file": "/c", "issuer": "https://i",
                "redirect_uri": "https://h/cb", "servers": ["pop.example.net:995"] },
        },
    });
    let signer = |provider: &str, user: &str, sign_in: Option<&str>| {
        let mut config = base.clone();
        config["accounts"]["a"] = json!({ "owner": OWNER, "provider": provider, "user": user });
        if let Some(name) = sign_in {
            config["accounts"]["a"]["sign_in"] = json!(name);
        }
        let config = Config::read(&config.to_string()).unwrap();
        let account = &config.accounts.unwrap()[0];
        assert_eq!(account.user, user);
        account.sign_in_name().to_owned()
    };
    assert_eq!(signer("g", "recent:a@gmail.com", None), "a@gmail.com");
    assert_eq!(signer("g", "Recent:a@gmail.com", None), "a@gmail.com");
    assert_eq!(signer("g", "recent:a@gmail.com", Some("b@gmail.com")), "b@gmail.com");
    assert_eq!(signer("g", "a@gmail.com", None), "a@gmail.com");
    assert_eq!(signer("g", "recent:", None), "recent:");
    assert_eq!(signer("own", "recent:a@gmail.com", None), "recent:a@gmail.com");
}
