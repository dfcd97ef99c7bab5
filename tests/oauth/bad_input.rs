//! Issuers that lie and answers that are none: each is refused with its own sentence, and the mailbox that was
//! connected before is read on, with the token there is and with the next one.

use std::collections::BTreeSet;

use multipop::error::{Error, Status};
use multipop::service::consent::AuthorizeRequest;
use multipop::service::fetch::FetchRequest;
use multipop_host::mock::TokenTable;
use multipop_host::mock::idp::{self, At, ClientKey, Fault, IdToken, IssAnswer, Rotation, What};
use multipop_host::mock::pop3;
use serde_json::{Value, json};

use super::device::{begin_as, operator, poll};
use super::world::{ALICE, BOB, Listener, OTHER_SESSION, SESSION, World, bring};

/// A mailbox that is connected, at a mail server that knows its tokens.
struct Connected {
    world: World,
    pop: pop3::Server,
    told: BTreeSet<String>,
}

impl Connected {
    fn new(change: impl FnOnce(&mut World)) -> Connected {
        let mut world = World::generic();
        let pop = pop3::Server::start(&world.pki, &world.tokens, pop3::Script::dovecot()).unwrap();
        pop.mailboxes().add_user(ALICE);
        let server = json!(pop.address().to_string());
        world.provider()["servers"] = json!([server]);
        world.provider()["pop_scope_suffix"] = json!("mail");
        for account in ["a", "b"] {
            world.json["accounts"][account]["server"] = server.clone();
        }
        change(&mut world);
        world.configure();
        world.connect();
        let mut connected = Connected { world, pop, told: BTreeSet::new() };
        connected.reads_on();
        connected
    }

    fn fetch(&self) -> Result<(), Error> {
        let logins = self.pop.journal().logins();
        let request = FetchRequest { actor: "*", account: Some("a"), deadline_s: 60, now: true };
        let (status, report) = self.world.instance.fetch_once(&mut Listener::default(), &request);
        if status.is_ok() {
            assert_eq!((report.unwrap().accounts_ok, self.pop.journal().logins()), (1, logins + 1));
        }
        status
    }

    fn reads_on(&mut self) {
        assert_eq!(self.fetch(), Ok(()));
    }

    /// With another token than before.
    fn renews(&mut self) {
        let before = self.world.idp.journal().count("refresh_token/ok");
        self.world.clock.pass(3700);
        self.reads_on();
        assert_eq!(self.world.idp.journal().count("refresh_token/ok"), before + 1);
    }

    /// A sentence of its own, for the log and for whoever can mend it.
    fn own_sentence(&mut self, error: &Error, cause: &str) {
        assert_eq!(error.cause, cause, "{error:?}");
        assert!(!error.advice.is_empty() && !error.message.is_empty(), "{error:?}");
        assert!(self.told.insert(error.message.clone()), "said before: {error:?}");
    }

    fn signing_in_is_refused(&mut self, cause: &str) {
        let error = self.world.bring(&self.world.sign_in(ALICE), SESSION).result.expect_err(cause);
        self.own_sentence(&error, cause);
        self.reads_on();
    }
}

fn lie(world: &World, at: At, what: What) {
    world.idp.change(|s| s.faults = vec![Fault::new(at, what)]);
}

fn truth(world: &World) {
    world.idp.change(|s| s.faults.clear());
}

/// Members of the token endpoint's answer that are not what they should be.
fn members() -> Vec<(What, &'static str)> {
    let member = What::Member;
    vec![
        (member("access_token", json!(7)), "provider.member_type"),
        (member("access_token", json!("")), "provider.no_token"),
        (member("access_token", json!("a b\r\n")), "provider.bad_token"),
        (member("token_type", json!(["Bearer"])), "provider.member_type"),
        (member("token_type", json!("mac")), "provider.token_type"),
        (member("id_token", json!({})), "provider.member_type"),
        (member("scope", json!(["mail"])), "provider.member_type"),
        (member("scope", json!("openid")), "consent.pop_not_granted"),
        (member("expires_in", json!("soon")), "provider.expires_in"),
    ]
}

#[test]
fn a_token_endpoint_that_lies_connects_nothing_and_disconnects_nobody() {
    let mut c = Connected::new(|_| {});
    let elsewhere = idp::Server::start(&c.world.pki, &TokenTable::new(), idp::Settings::generic()).unwrap();
    let mut lies = members();
    lies.extend([
        (What::Redirect(elsewhere.token_url()), "provider.redirect"),
        (What::Huge(10_000_000), "provider.too_long"),
        (What::html(200), "provider.not_json"),
    ]);
    for (what, cause) in lies {
        lie(&c.world, At::Code, what);
        c.signing_in_is_refused(cause);
    }
    assert_eq!(elsewhere.journal().lines(), Vec::<String>::new(), "code and secret went after a redirect");
    // The same to a request for a code of another device's, and to the question what came of it.
    truth(&c.world);
    for (at, what, cause) in [
        (At::Device, What::Redirect(elsewhere.device_url()), "provider.redirect"),
        (At::Device, What::Huge(10_000_000), "provider.too_long"),
        (At::Device, What::html(200), "provider.not_json"),
        (At::Device, What::Member("user_code", json!(7)), "provider.device_answer"),
        (At::Device, What::Member("verification_uri", json!("http://127.0.0.1/")), "provider.device_answer"),
    ] {
        lie(&c.world, at, what);
        let error = begin_as(&c.world, &operator(&c.world)).unwrap_err();
        assert_eq!(error.cause, cause);
        c.reads_on();
    }
    assert_eq!(elsewhere.journal().lines(), Vec::<String>::new());
    truth(&c.world);
    c.renews();
    c.world.connect();
    c.renews();
}

#[test]
fn i10_a_lie_told_to_a_refresh_ends_no_grant_though_the_old_token_was_taken_back() {
    let mut c = Connected::new(|_| {});
    c.world.idp.change(|s| s.rotation = Rotation::Strict);
    for (what, cause) in members() {
        c.world.clock.pass(3700);
        lie(&c.world, At::Refresh, what);
        let error = c.fetch().expect_err(cause);
        c.own_sentence(&error, cause);
        truth(&c.world);
        c.reads_on();
    }
    assert_eq!(c.world.idp.journal().violations(), Vec::<String>::new());
    // Where nothing of the answer can be read, the old token must still be good.
    c.world.idp.change(|s| s.rotation = Rotation::KeepsOld);
    let elsewhere = idp::Server::start(&c.world.pki, &TokenTable::new(), idp::Settings::generic()).unwrap();
    for (what, cause) in [
        (What::Member("refresh_token", json!(7)), "provider.member_type"),
        (What::Redirect(elsewhere.token_url()), "provider.redirect"),
        (What::Huge(10_000_000), "provider.too_long"),
        (What::html(200), "provider.not_json"),
    ] {
        c.world.clock.pass(3700);
        lie(&c.world, At::Refresh, what);
        let error = c.fetch().expect_err(cause);
        c.own_sentence(&error, cause);
        assert_eq!(
            error.for_user(),
            "Nothing is wrong with your mailbox: the operator of this mail server must mend its set-up."
        );
        truth(&c.world);
        c.reads_on();
    }
    assert_eq!(elsewhere.journal().lines(), Vec::<String>::new(), "a refresh token went after a redirect");
}

#[test]
fn a_lifetime_in_text_and_a_scope_left_out_are_understood() {
    let mut c = Connected::new(|_| {});
    c.world.idp.change(|s| (s.expires_in_as_text, s.omit_scope) = (true, true));
    c.renews();
    c.world.connect();
    c.renews();
    c.world.idp.change(|s| s.omit_expires_in = true);
    c.renews();
}

#[test]
fn an_issuer_that_is_not_the_one_configured_is_refused_wherever_it_says_so() {
    let mut c = Connected::new(|_| {});
    c.world.idp.change(|s| s.iss = IssAnswer::Wrong);
    c.signing_in_is_refused("callback.issuer");
    c.world.idp.change(|s| (s.iss, s.id_token) = (IssAnswer::Right, IdToken::WrongIssuer));
    c.signing_in_is_refused("identity.issuer");
    c.world.idp.change(|s| s.id_token = IdToken::Good);
    c.renews();
}

#[test]
fn metadata_that_lies_stops_no_mailbox_that_is_connected() {
    let mut c = Connected::new(|world| {
        let p = world.provider().as_object_mut().unwrap();
        p.remove("authorize_endpoint");
        p.remove("token_endpoint");
    });
    let elsewhere = idp::Server::start(&c.world.pki, &TokenTable::new(), idp::Settings::generic()).unwrap();
    let member = What::Member;
    let http = |name| member(name, json!("http://127.0.0.1/x"));
    for (what, cause) in [
        (member("issuer", json!(elsewhere.issuer())), "provider.other_issuer"),
        (member("issuer", json!(7)), "provider.member_type"),
        (http("token_endpoint"), "provider.endpoint"),
        (http("authorization_endpoint"), "provider.endpoint"),
        (http("revocation_endpoint"), "provider.endpoint"),
        (member("token_endpoint", json!(["https://127.0.0.1/x"])), "provider.member_type"),
        (member("code_challenge_methods_supported", json!("S256")), "provider.member_type"),
        (member("authorization_response_iss_parameter_supported", json!("true")), "provider.member_type"),
        (
            What::Redirect(format!("{}/.well-known/openid-configuration", elsewhere.base())),
            "provider.redirect",
        ),
        (What::Huge(10_000_000), "provider.too_long"),
        (What::html(200), "provider.not_json"),
    ] {
        lie(&c.world, At::Discovery, what);
        // As after a restart: nothing is remembered.
        c.world.configure();
        let error = c.world.begin(&c.world.ask()).expect_err(cause);
        c.own_sentence(&error, cause);
        assert_eq!(error.status, Status::Config);
        c.reads_on();
        // Now it must be asked for the endpoint of the refresh.
        c.world.clock.pass(3700);
        assert_eq!(c.fetch().unwrap_err().cause, cause);
        truth(&c.world);
        c.world.clock.pass(31);
        c.reads_on();
    }
    assert_eq!(elsewhere.journal().lines(), Vec::<String>::new());
}

#[test]
fn a_configuration_that_lies_changes_nothing() {
    let mut c = Connected::new(|_| {});
    let configured = c.world.json.clone();
    let (mine, other) = (ClientKey::until(2100).unwrap(), ClientKey::until(2100).unwrap());
    let certificate = c.world.file("client.pem", &mine.certificate_pem);
    let of_another = c.world.file("other.key", &other.private_key_pem);
    let endpoints =
        ["issuer", "authorize_endpoint", "token_endpoint", "device_endpoint", "revocation_endpoint"];
    let http = |name: &&str| (json!({ *name: "http://127.0.0.1/x" }), format!("providers.p.{name}: "));
    let mut lies: Vec<(Value, String)> = endpoints.iter().map(http).collect();
    lies.extend([
        (json!({ "redirect_uri": "http://mail.example.com/x" }), "providers.p.redirect_uri: ".to_owned()),
        (
            json!({ "certificate_file": certificate, "private_key_file": of_another }),
            "providers.p.certificates[0].certificate_file: the certificate belongs to another private key"
                .to_owned(),
        ),
    ]);
    for (members, begins) in lies {
        let p = c.world.provider().as_object_mut().unwrap();
        p.extend(members.as_object().unwrap().clone());
        let error = c.world.try_configure().0.unwrap_err();
        assert_eq!(error.status, Status::Config, "{error:?}");
        assert!(error.message.contains(&begins), "{error:?}");
        c.own_sentence(&error, error.cause);
        c.world.json = configured.clone();
        c.reads_on();
    }
    c.renews();
}

fn parameter(uri: &str, name: &str) -> String {
    let url = url::Url::parse(uri).unwrap();
    url.query_pairs().find(|(n, _)| n == name).unwrap().1.into_owned()
}

#[test]
fn i11_a_state_is_no_good_twice() {
    let mut c = Connected::new(|_| {});
    let uri = c.world.sign_in(ALICE);
    assert_eq!(c.world.bring(&uri, SESSION).result, Ok(()));
    let redeemed = c.world.idp.journal().count("authorization_code");
    // With another's code in it: the first answer is heard, and the code goes nowhere.
    let others = c.world.idp.consent(&c.world.begin(&c.world.ask()).unwrap(), BOB).unwrap();
    let replayed = uri.replace(&parameter(&uri, "code"), &parameter(&others, "code"));
    assert_eq!(c.world.bring(&replayed, SESSION).json["names"]["signed_in"], ALICE);
    let stranger = c.world.bring(&replayed, OTHER_SESSION).result.unwrap_err();
    c.own_sentence(&stranger, "callback.unknown");
    c.world.clock.pass(15 * 60 + 1);
    let late = c.world.bring(&uri, SESSION).result.unwrap_err();
    c.own_sentence(&late, "callback.expired");
    assert_eq!(c.world.idp.journal().count("authorization_code"), redeemed);
    c.reads_on();
    c.renews();
}

#[test]
fn i11_sessions_that_are_swapped_connect_nothing_and_cost_nobody_his_own() {
    let mut c = Connected::new(|_| {});
    let alices = c.world.sign_in(ALICE);
    let bob = AuthorizeRequest { actor: BOB, account: "b", session: OTHER_SESSION, ..c.world.ask() };
    let bobs = c.world.idp.consent(&c.world.begin(&bob).unwrap(), BOB).unwrap();
    for (uri, session) in [(&alices, OTHER_SESSION), (&bobs, SESSION)] {
        let error = c.world.bring(uri, session).result.unwrap_err();
        assert_eq!((error.status, error.cause), (Status::Callback, "callback.unknown"));
        c.reads_on();
    }
    assert_eq!(c.world.idp.journal().count("authorization_code"), 1);
    // The codes of the two, each with the other's state: the verifier does not fit (RFC 7636 §4.6).
    let (code, others) = (parameter(&alices, "code"), parameter(&bobs, "code"));
    let swapped = c.world.bring(&alices.replace(&code, &others), SESSION).result.unwrap_err();
    c.own_sentence(&swapped, "callback.code");
    c.reads_on();
    // The provider ended that code; bob begins again, and nothing else is in his way.
    let bobs = c.world.idp.consent(&c.world.begin(&bob).unwrap(), BOB).unwrap();
    assert_eq!(c.world.bring(&bobs, OTHER_SESSION).result, Ok(()));
    c.renews();
}

#[test]
fn i11_two_codes_in_one_answer_are_refused_and_two_answers_at_once_leave_one_grant() {
    let mut c = Connected::new(|_| {});
    c.world.idp.change(|s| s.rotation = Rotation::Strict);
    let (one, two) = (c.world.sign_in(ALICE), c.world.sign_in(ALICE));
    let both = format!("{one}&code={}", parameter(&two, "code"));
    let error = c.world.bring(&both, SESSION).result.unwrap_err();
    c.own_sentence(&error, "callback.repeated");
    c.reads_on();
    c.world.idp.change(|s| s.consent = idp::Consent::Both);
    c.signing_in_is_refused("callback.code_and_error");
    c.world.idp.change(|s| s.consent = idp::Consent::Granted);
    // Two tabs, two consents, two processes.
    let (another, three) = (c.world.another(), c.world.sign_in(ALICE));
    let world = &c.world;
    let (second, third) = std::thread::scope(|scope| {
        let second = scope.spawn(|| world.bring(&two, SESSION).result);
        let third = scope.spawn(|| bring(&another, &three, None, SESSION).result);
        (second.join().unwrap(), third.join().unwrap())
    });
    assert_eq!((second, third), (Ok(()), Ok(())));
    c.reads_on();
    c.renews();
    assert_eq!(c.world.idp.journal().violations(), Vec::<String>::new());
}

#[test]
fn i11_parameters_may_come_in_any_order_and_once() {
    let mut c = Connected::new(|_| {});
    for name in ["state", "code", "iss"] {
        let uri = c.world.sign_in(ALICE);
        let value: String = url::form_urlencoded::byte_serialize(parameter(&uri, name).as_bytes()).collect();
        let error = c.world.bring(&format!("{uri}&{name}={value}"), SESSION).result.unwrap_err();
        c.own_sentence(&error, "callback.repeated");
        c.reads_on();
    }
    let uri = c.world.sign_in(ALICE);
    let (path, query) = uri.split_once('?').unwrap();
    let reordered: Vec<&str> = query.split('&').rev().collect();
    assert_eq!(c.world.bring(&format!("{path}?{}", reordered.join("&")), SESSION).result, Ok(()));
    c.renews();
}

#[test]
fn i11_an_answer_of_another_provider_is_refused_by_name_by_address_and_by_its_code() {
    let mut c = Connected::new(|_| {});
    let other = idp::Server::start(&c.world.pki, &TokenTable::new(), idp::Settings::generic()).unwrap();
    let mut q = c.world.provider().clone();
    for (name, value) in [
        ("issuer", other.issuer()),
        ("authorize_endpoint", other.authorize_url()),
        ("token_endpoint", other.token_url()),
    ] {
        q[name] = json!(value);
    }
    c.world.json["providers"]["q"] = q;
    c.world.json["accounts"]["at-q"] =
        json!({ "owner": ALICE, "user": ALICE, "provider": "q", "server": c.pop.address().to_string() });
    c.world.configure();
    let at_q = AuthorizeRequest { account: "at-q", ..c.world.ask() };
    let state = |world: &World| parameter(&world.begin(&world.ask()).unwrap(), "state");
    // What comes from q, with the state of a sign-in at p.
    let mixed_up = |c: &Connected| {
        let answer = other.consent(&c.world.begin(&at_q).unwrap(), ALICE).unwrap();
        answer.replace(&parameter(&answer, "state"), &state(&c.world))
    };
    let redeemed = c.world.idp.journal().count("authorization_code");
    let named = c.world.bring(&mixed_up(&c), SESSION).result.unwrap_err();
    c.own_sentence(&named, "callback.issuer");
    c.reads_on();
    assert_eq!(c.world.idp.journal().count("authorization_code"), redeemed, "q's code went to p");
    // It does not say who it is, and has the same address: p knows no such code.
    other.change(|s| s.iss = IssAnswer::Absent);
    let unnamed = c.world.bring(&mixed_up(&c), SESSION).result.unwrap_err();
    c.own_sentence(&unnamed, "callback.code");
    c.reads_on();
    // An address of its own tells it apart before anything is sent.
    c.world.json["providers"]["q"]["redirect_uri"] = json!("https://mail.example.com/q");
    c.world.configure();
    let redeemed = c.world.idp.journal().count("authorization_code");
    let elsewhere = c.world.bring(&mixed_up(&c), SESSION).result.unwrap_err();
    c.own_sentence(&elsewhere, "callback.path");
    assert_eq!(c.world.idp.journal().count("authorization_code"), redeemed);
    c.reads_on();
    c.renews();
}

#[test]
fn a_code_for_another_device_that_ends_ends_nothing_else() {
    let mut c = Connected::new(|_| {});
    // By the provider's word, and by this machine's clock.
    for ends_there in [true, false] {
        begin_as(&c.world, &operator(&c.world)).unwrap();
        if ends_there {
            c.world.clock.pass(5);
            c.world.idp.expire_codes();
        } else {
            c.world.clock.pass(901);
        }
        let error = poll(&c.world).result.unwrap_err();
        c.own_sentence(&error, "device.expired");
        c.reads_on();
    }
    begin_as(&c.world, &operator(&c.world)).unwrap();
    c.renews();
}
