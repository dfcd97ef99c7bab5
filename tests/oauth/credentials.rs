//! How the application proves itself: certificates, secrets, and one after the other.

use std::os::unix::fs::PermissionsExt;
use std::sync::LazyLock;
use std::time::Duration;

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use multipop::engine::grant;
use multipop::error::{Error, Status};
use multipop::oauth::credential::{Credential, Proof};
use multipop::oauth::provider::{Loaded, LoadedCertificate, Profile, Provider};
use multipop::oauth::token::{confided, refresh};
use multipop::service::consent::AuthorizeRequest;
use multipop_host::mock::idp::{Client, ClientKey};
use serde_json::{Value, json};

use super::world::{ALICE, BOB, Listener, SESSION, World};
use super::{NOW, TENANT, config, secret};

/// Making one takes a moment.
static KEY: LazyLock<ClientKey> = LazyLock::new(|| ClientKey::until(2100).unwrap());
static OTHER: LazyLock<ClientKey> = LazyLock::new(|| ClientKey::until(2100).unwrap());

fn proved(certificate: &ClientKey, private_key: &[u8], algorithm: &str) -> Result<Provider, Error> {
    let mut config = config(Profile::Microsoft365);
    config.tenant = Some(TENANT.into());
    config.assertion_algorithm = Some(algorithm.into());
    let certificates = vec![LoadedCertificate {
        certificate: certificate.certificate.to_vec(),
        private_key: private_key.to_vec().into(),
    }];
    Provider::new(&config, Loaded { certificates, ..Loaded::default() })
}

fn pkcs8(key: &ClientKey) -> Vec<u8> {
    use rustls_pki_types::PrivateKeyDer;
    use rustls_pki_types::pem::PemObject;
    PrivateKeyDer::from_pem_slice(key.private_key_pem.as_bytes()).unwrap().secret_der().to_vec()
}

fn claims(part: &str) -> Value {
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}

#[test]
fn an_assertion_says_what_microsoft_asks_for() {
    for algorithm in ["PS256", "RS256"] {
        let p = proved(&KEY, &pkcs8(&KEY), algorithm).unwrap();
        let proof = p.credentials[0].prove(&p, NOW, &[7; 16]).unwrap();
        let request = refresh(&p, &proof, &secret("RT")).unwrap();
        let form: Vec<(String, String)> = url::form_urlencoded::parse(request.body()).into_owned().collect();
        let get = |name: &str| form.iter().find(|(n, _)| n == name).map(|(_, value)| value.as_str());
        let kind = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer";
        assert_eq!((get("client_assertion_type"), get("client_secret")), (Some(kind), None));
        assert_eq!(get("client_id"), Some("client-1"));
        assert!(request.headers().get("authorization").is_none());
        let assertion = get("client_assertion").unwrap();
        let parts: Vec<&str> = assertion.split('.').collect();
        let header = claims(parts[0]);
        assert_eq!((header["alg"].as_str(), header["typ"].as_str()), (Some(algorithm), Some("JWT")));
        let thumbprint = header["x5t#S256"].as_str().unwrap();
        assert_eq!((thumbprint.len(), thumbprint.contains('=')), (43, false));
        let told = claims(parts[1]);
        let audience = format!("https://login.microsoftonline.com/{}/oauth2/v2.0/token", super::TENANT);
        assert_eq!(told["aud"], audience);
        assert_eq!((&told["iss"], &told["sub"]), (&json!("client-1"), &json!("client-1")));
        assert_eq!((told["nbf"].as_u64(), told["iat"].as_u64()), (Some(NOW - 60), Some(NOW)));
        assert_eq!(told["exp"].as_u64(), Some(NOW + 300));
        assert_eq!(told["jti"], BASE64_URL_SAFE_NO_PAD.encode([7; 16]));
        // As confidential as a secret.
        assert!(confided(&request).iter().any(|one| one.expose() == assertion));
        assert!(!format!("{:?} {proof:?}", p.credentials).contains(parts[2]));
    }
}

#[test]
fn a_certificate_that_does_not_fit_its_key_is_refused_with_its_own_sentence() {
    for (certificate, key, member, words) in [
        (&*KEY, pkcs8(&OTHER), "certificates[0].certificate_file", "another private key"),
        (&*KEY, b"no key".to_vec(), "certificates[0].private_key_file", "RSA key of at least 2048"),
        (
            &*KEY,
            rcgen::KeyPair::generate().unwrap().serialize_der(),
            "certificates[0].private_key_file",
            "RSA",
        ),
    ] {
        let error = proved(certificate, &key, "PS256").unwrap_err();
        assert_eq!(error.status, Status::Config);
        assert!(error.message.starts_with(&format!("providers.p.{member}: ")), "{}", error.message);
        assert!(error.message.contains(words), "{}", error.message);
    }
    let mut garbage = KEY.clone();
    garbage.certificate = b"\x30\x03\x02\x01\x00".to_vec().into();
    let error = proved(&garbage, &pkcs8(&KEY), "PS256").unwrap_err();
    assert!(error.message.contains("cannot be read"), "{}", error.message);
}

#[test]
fn an_assertion_is_asked_for_only_with_a_certificate() {
    let mut config = config(Profile::Microsoft365);
    config.client_authentication = Some("private_key_jwt".into());
    let error = super::prove(&config).unwrap_err();
    assert!(error.message.contains("certificate_file"), "{}", error.message);
}

/// A world whose provider knows these certificates and secrets, and whose application has `files`.
fn world(certificates: &[&ClientKey], secrets: &[&str], files: Value) -> World {
    let mut world = World::entra();
    let client = Client {
        secrets: secrets.iter().map(|text| (*text).to_owned()).collect(),
        certificates: certificates.iter().map(|key| (*key).clone()).collect(),
        redirect_uris: Vec::new(),
    };
    world.idp.change(|s| drop(s.clients.insert(Client::ID.to_owned(), client)));
    for (name, key) in [("one", &*KEY), ("two", &*OTHER)] {
        world.file(&format!("{name}.pem"), &key.certificate_pem);
        world.file(&format!("{name}.key"), &key.private_key_pem);
    }
    let p = world.provider().as_object_mut().unwrap();
    p.remove("client_secret_files");
    p.extend(files.as_object().unwrap().clone());
    world
}

fn at(world: &World, name: &str) -> Value {
    json!(world.folder.path().join(name))
}

#[test]
fn each_flow_works_with_each_way_of_proof() {
    for (method, algorithm) in [
        ("client_secret_post", None),
        ("client_secret_basic", None),
        ("private_key_jwt", Some("PS256")),
        ("private_key_jwt", Some("RS256")),
    ] {
        let mut world = world(&[&KEY], &[Client::SECRET], json!({ "client_authentication": method }));
        let (certificate, key) = (at(&world, "one.pem"), at(&world, "one.key"));
        let secret = at(&world, "secret");
        let p = world.provider();
        p["tenant"] = json!(TENANT);
        match algorithm {
            None => p["client_secret_file"] = secret,
            Some(algorithm) => {
                p["assertion_algorithm"] = json!(algorithm);
                p["certificate_file"] = certificate;
                p["private_key_file"] = key;
            }
        }
        world.json["accounts"]["of-nobody"] = json!({ "owner": BOB, "user": BOB, "provider": "p", "server": "127.0.0.1:995", "app_only": true });
        world.configure();
        // Every token is over at once.
        world.idp.change(|s| {
            s.token_lifetime = Duration::ZERO;
            s.entra_tenant = Some(TENANT.to_owned());
        });
        world.connect();
        let request = AuthorizeRequest { actor: "*", ..world.ask() };
        let begun = world.instance.device_begin(&mut Listener::default(), &request).unwrap();
        let begun: Value = serde_json::from_str(&begun).unwrap();
        assert!(world.idp.enter_code(begun["user_code"].as_str().unwrap(), ALICE, true).unwrap());
        world.clock.pass(5);
        world.instance.device_poll(&mut Listener::default(), &request).0.unwrap();
        for account in ["a", "a", "of-nobody"] {
            let row = world.row(account);
            world.call(|call| async move { grant::access(&call, &row).await.map(drop) }).unwrap();
        }
        let journal = world.idp.journal();
        let flows = ["authorization_code", "device_code", "refresh_token", "client_credentials"];
        assert_eq!(flows.map(|flow| journal.count(&format!("{flow}/ok"))), [1, 1, 2, 1]);
        // A request for a code, and one for each token.
        let proofs = ["client_secret_post", "client_secret_basic", "private_key_jwt"];
        assert_eq!(proofs.map(|one| journal.count(one)), proofs.map(|one| if one == method { 6 } else { 0 }));
        // The provider takes no assertion twice.
        assert_eq!(journal.violations(), Vec::<String>::new());
    }
}

#[test]
fn the_next_credential_is_tried_where_one_is_refused() {
    let pair = |world: &World, name: &str| {
        json!({
            "certificate_file": at(world, &format!("{name}.pem")),
            "private_key_file": at(world, &format!("{name}.key")),
        })
    };
    // The old certificate is gone at the provider; the second one is known there.
    let mut two = world(&[&OTHER], &[], json!({}));
    let pairs = json!([pair(&two, "one"), pair(&two, "two")]);
    two.provider()["certificates"] = pairs;
    two.configure();
    two.connect();
    assert_eq!(two.idp.journal().count("authorization_code"), 2);
    // A certificate nobody registered yet, beside a secret.
    let mut both = world(&[], &[Client::SECRET], json!({}));
    let pairs = json!([pair(&both, "one")]);
    both.provider()["certificates"] = pairs;
    let file = both.file("client-secret", Client::SECRET);
    both.provider()["client_secret_file"] = json!(file);
    both.configure();
    both.connect();
    // None is known: the first one's refusal is told, and nothing of it is secret.
    let mut none = world(&[], &["another secret"], json!({}));
    let pairs = json!([pair(&none, "one"), pair(&none, "two")]);
    none.provider()["certificates"] = pairs;
    none.configure();
    let brought = none.bring(&none.sign_in(ALICE), SESSION);
    let error = brought.result.unwrap_err();
    assert_eq!((error.status, error.provider_code.as_str()), (Status::Config, "AADSTS50012"));
    let told = format!("{error:?} {:?}", brought.listener.lines);
    assert!(none.idp.journal().secrets_shown().iter().all(|one| !told.contains(one.as_str())));
}

#[test]
fn i03_files_of_a_certificate_are_proved_at_configure_and_change_nothing_if_wrong() {
    let mut world = world(&[&KEY], &[], json!({}));
    let (certificate, key) = (at(&world, "one.pem"), at(&world, "one.key"));
    world.provider()["certificate_file"] = certificate;
    world.provider()["private_key_file"] = key;
    world.configure();
    world.connect();
    let path = world.folder.path().join("one.key");
    let with = |world: &World, status: Status, words: &str| {
        let error = world.try_configure().0.unwrap_err();
        assert_eq!(error.status, status, "{error:?}");
        assert!(error.message.contains(words), "{error:?}");
        assert!(error.message.starts_with("providers.p.certificates[0]."), "{error:?}");
        // What was configured before still works.
        assert!(world.begin(&world.ask()).is_ok());
    };
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o644)).unwrap();
    with(&world, Status::Key, "0644");
    std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
    std::fs::write(
        &path,
        "-----BEGIN ENCRYPTED PRIVATE KEY-----\nAAAA\n-----END ENCRYPTED PRIVATE KEY-----\n",
    )
    .unwrap();
    with(&world, Status::Key, "encrypted");
    std::fs::write(&path, &OTHER.private_key_pem).unwrap();
    with(&world, Status::Config, "another private key");
    std::fs::write(&path, &KEY.private_key_pem).unwrap();
    std::fs::write(world.folder.path().join("one.pem"), "no PEM").unwrap();
    with(&world, Status::Config, "certificate");
}

#[test]
fn a_certificate_that_ends_is_told_of_and_refused_by_nobody_but_the_provider() {
    let ended = ClientKey::until(2021).unwrap();
    let mut world = world(&[&KEY], &[], json!({}));
    let file =
        (world.file("ended.pem", &ended.certificate_pem), world.file("ended.key", &ended.private_key_pem));
    let pairs = json!([
        { "certificate_file": file.0, "private_key_file": file.1 },
        { "certificate_file": at(&world, "one.pem"), "private_key_file": at(&world, "one.key") },
    ]);
    world.provider()["certificates"] = pairs;
    let (done, lines) = world.try_configure();
    done.unwrap();
    let line = lines.iter().find(|line| line.contains("certificate_ends") && line.contains("advice"));
    let line = line.unwrap_or_else(|| panic!("{lines:?}"));
    assert!(line.contains("provider=p") && line.contains("in_days=-"), "{line}");
    world.connect();
    let settings = world.settings();
    let provider = settings.providers().next().unwrap();
    let ends: Vec<(usize, u64)> = provider.certificate_ends().collect();
    assert_eq!(ends, [(0, 1_609_459_200), (1, 4_102_444_800)]);
    let secret = Credential::Secret(secret("x"));
    assert_eq!(secret.not_after(), None);
    assert!(matches!(secret.prove(provider, NOW, &[0; 16]), Ok(Proof::Secret(..))));
}
