//! Real servers on loopback: Debian's Dovecot and npm's oidc-provider. Here the rig itself is held to what the
//! other tests rely on, byte for byte where a client parses the bytes.

#[path = "real/mod.rs"]
mod rig;

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD as BASE64;
use serde_json::Value;

use rig::flow::{authorization_url, grant, parameter, refresh};
use rig::pop::Pop;
use rig::{Options, REDIRECT_URI, Rig};

const ALICE: &str = "alice@contoso.example";
const BOB: &str = "bob@contoso.example";

#[test]
fn a_token_from_the_code_flow_opens_the_mailbox() {
    let rig = Rig::start(&Options::default());
    rig.dovecot.deliver(ALICE, b"From: bob@contoso.example\r\nSubject: one\r\n\r\n.stuffed\r\n");
    let grant = grant(&rig, ALICE);

    let (mut pop, greeting) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert!(greeting.starts_with("+OK"), "{greeting}");
    assert_eq!(pop.say("CAPA"), "+OK");
    let capa = pop.rest();
    for wanted in ["TOP", "UIDL", "RESP-CODES", "PIPELINING", "AUTH-RESP-CODE", "SASL XOAUTH2 OAUTHBEARER"] {
        assert!(capa.iter().any(|line| line == wanted), "{wanted} is not in {capa:?}");
    }
    assert_eq!(pop.xoauth2(ALICE, &grant.access_token), "+OK Logged in.");
    assert_eq!(pop.say("STAT").split(' ').next(), Some("+OK"));
    assert_eq!(pop.say("UIDL"), "+OK");
    assert_eq!(pop.rest().len(), 1);
    assert!(pop.say("RETR 1").starts_with("+OK"));
    assert_eq!(pop.rest().last().map(String::as_str), Some("..stuffed"));
    assert!(pop.say("QUIT").starts_with("+OK"));

    let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert_eq!(pop.oauthbearer(ALICE, &grant.access_token), "+OK Logged in.");
}

#[test]
fn refusals_have_the_shape_a_client_must_know() {
    let mut rig = Rig::start(&Options::default());
    let bobs = grant(&rig, BOB).access_token;
    let alices = grant(&rig, ALICE).access_token;
    rig.provider.expire(ALICE);

    // Unknown, another user's, expired: the same bytes.
    for token in ["-no-such-token", bobs.as_str(), alices.as_str()] {
        let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
        let challenge = pop.xoauth2(ALICE, token);
        let json = BASE64.decode(challenge.strip_prefix("+ ").expect("a challenge")).expect("base64");
        let json: Value = serde_json::from_slice(&json).expect("JSON");
        assert_eq!(json["status"], "401");
        assert_eq!(pop.say(""), "-ERR [AUTH] Authentication failed.");
    }
    let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert_eq!(pop.oauthbearer(ALICE, "wrong"), "+ eyJzdGF0dXMiOiJpbnZhbGlkX3Rva2VuIn0=");
    assert_eq!(pop.say("AQ=="), "-ERR [AUTH] Authentication failed.");
    assert_eq!(pop.say("AUTH XOAUTH2"), "+ ");
    assert_eq!(pop.say("*"), "-ERR Authentication aborted by client.");
    assert_eq!(pop.say("AUTH XOAUTH2"), "+ ");
    assert_eq!(pop.say("not base64!"), "-ERR [AUTH] Invalid base64 in response");
}

#[test]
fn a_stopped_provider_is_no_refusal_and_comes_back_with_its_grants() {
    let mut rig = Rig::start(&Options::default());
    let grant = grant(&rig, ALICE);
    rig.provider.stop();
    let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    let answer = pop.xoauth2(ALICE, &grant.access_token);
    assert!(answer.starts_with("-ERR [SYS/TEMP]"), "{answer}");

    rig.provider.restart();
    let fresh = refresh(&rig, &grant.refresh_token).expect("the grant was kept");
    let (mut pop, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert_eq!(pop.xoauth2(ALICE, &fresh.access_token), "+OK Logged in.");
}

#[test]
fn refresh_tokens_rotate_and_revocation_ends_them() {
    let mut rig = Rig::start(&Options::default());
    let first = grant(&rig, ALICE);
    let second = refresh(&rig, &first.refresh_token).expect("a fresh token");
    assert_ne!(first.refresh_token, second.refresh_token);
    assert_eq!(rig.provider.count("refresh_token"), 1);

    rig.provider.revoke(ALICE);
    assert_eq!(refresh(&rig, &second.refresh_token).expect_err("revoked"), "invalid_grant");

    // A replayed refresh token takes its successor with it.
    let first = grant(&rig, BOB);
    let second = refresh(&rig, &first.refresh_token).expect("a fresh token");
    assert_eq!(refresh(&rig, &first.refresh_token).expect_err("replayed"), "invalid_grant");
    assert_eq!(refresh(&rig, &second.refresh_token).expect_err("dead too"), "invalid_grant");
}

#[test]
fn the_redirect_keeps_the_registered_query_and_tells_a_refusal() {
    let rig = Rig::start(&Options::default());
    let url = authorization_url(&rig, ALICE);
    let yes = rig.browser().consent(&url, ALICE);
    assert!(yes.starts_with(&format!("{REDIRECT_URI}&code=")), "{yes}");
    assert_eq!(parameter(&yes, "state").as_deref(), Some("a-state"));
    assert_eq!(parameter(&yes, "iss"), Some(rig.provider.issuer.clone()));

    let no = rig.browser().refuse(&url, ALICE);
    assert_eq!(parameter(&no, "error").as_deref(), Some("access_denied"));
    assert_eq!(parameter(&no, "View").as_deref(), Some("OAuth"));
}

#[test]
fn a_locked_mailbox_says_in_use() {
    let options =
        Options { dovecot: "protocol pop3 {\n  pop3_lock_session = yes\n}".to_owned(), ..Options::default() };
    let rig = Rig::start(&options);
    rig.dovecot.deliver(ALICE, b"Subject: one\r\n\r\n");
    let token = grant(&rig, ALICE).access_token;
    let (mut holder, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    assert_eq!(holder.xoauth2(ALICE, &token), "+OK Logged in.");
    let (mut second, _) = Pop::connect(rig.dovecot.pop3s_port, &rig.pki);
    let answer = second.xoauth2(ALICE, &token);
    assert!(answer.starts_with("-ERR [IN-USE]"), "{answer}");
}
