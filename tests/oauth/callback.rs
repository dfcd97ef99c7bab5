//! Everything a browser may bring back, and everything that is refused.

use multipop::error::{Error, Status};
use multipop::oauth::callback::{Answer, read};
use multipop::oauth::provider::Profile;
use multipop::oauth::provider::Provider;

use super::{TENANT, config, generic, microsoft, provider};

const REGISTERED: &str = "https://mail.example.com/WorldClient.dll?View=OAuth&AuthRequest=Office365";

fn answer(provider: &Provider, registered: &str, uri: &str, form: Option<&str>) -> Result<Answer, Error> {
    read(uri, form)?.answer(provider, registered)
}

fn code_of(uri: &str, form: Option<&str>) -> Result<(String, String), Error> {
    let callback = read(uri, form)?;
    match callback.answer(&microsoft(), REGISTERED)? {
        Answer::Code(code) => Ok((code.expose().to_owned(), callback.state().expose().to_owned())),
        _ => panic!("no code"),
    }
}

fn cause_of(uri: &str) -> &'static str {
    let error = code_of(uri, None).expect_err(uri);
    assert_eq!(error.status, Status::Callback, "{uri}");
    assert!(!error.advice.is_empty());
    error.cause
}

#[test]
fn every_shape_of_an_answer_is_read() {
    let own = "View=OAuth&AuthRequest=Office365";
    for uri in [
        format!("https://mail.example.com/WorldClient.dll?{own}&code=C%2B1&state=S1"),
        // Any order, the registered parameters among the others.
        "/WorldClient.dll?code=C%2B1&AuthRequest=Office365&session_state=x&state=S1&View=OAuth".into(),
        format!("https://inside.proxy.example:8443/WorldClient.dll?state=S1&{own}&code=C%2B1"),
        format!("WorldClient.dll?{own}&code=C%2B1&state=S1"),
        format!("/WorldClient%2Edll?{own}&code=C%2B1&state=S1"),
        // A bare query needs none of the registered ones.
        "?code=C%2B1&state=S1".into(),
        "code=C%2B1&state=S1".into(),
        "state=S1&code=C%2B1&unknown=a?b=c".into(),
        // As pasted.
        format!("  https://mail.example.com/WorldClient.dll?{own}&code=C%2B1&state=S1#_=_ \r\n"),
        "\tcode=C%2B1&state=S1#".into(),
    ] {
        let read = code_of(&uri, None).unwrap_or_else(|e| panic!("{uri}: {e}"));
        assert_eq!(read, ("C+1".to_owned(), "S1".to_owned()), "{uri}");
    }
}

#[test]
fn a_form_body_is_read_and_the_address_keeps_the_registered_query() {
    let address = "/WorldClient.dll?View=OAuth&AuthRequest=Office365";
    let form = Some("code=C1&state=S1&session_state=x");
    assert_eq!(code_of(address, form).unwrap().0, "C1");
    assert_eq!(code_of("", form).unwrap().1, "S1");
    // Half here, half there is nobody's answer.
    let mixed = code_of("/WorldClient.dll?View=OAuth&AuthRequest=Office365&state=S1", form).unwrap_err();
    assert_eq!(mixed.cause, "callback.mixed");
    let other = code_of("/other", form).unwrap_err();
    assert_eq!(other.cause, "callback.path");
    assert_eq!(code_of("/WorldClient.dll", form).unwrap_err().cause, "callback.query");
}

#[test]
fn i11_repeated_parameters_are_refused() {
    for name in ["state", "code", "iss", "session_state", "error", "error_description"] {
        let uri = format!("code=C1&state=S1&{name}=a&{name}=a");
        assert_eq!(cause_of(&uri), "callback.repeated", "{name}");
    }
    // The host's own may repeat.
    code_of("code=C1&state=S1&lang=de&lang=en", None).unwrap();
}

#[test]
fn what_is_no_answer_is_refused_with_its_own_cause() {
    for (uri, cause) in [
        ("", "callback.no_state"),
        ("https://mail.example.com/WorldClient.dll", "callback.no_state"),
        ("code=C1", "callback.no_state"),
        ("state=S1", "callback.no_code"),
        ("state=S1&code=", "callback.no_code"),
        ("state=S1&code=C1&error=access_denied", "callback.code_and_error"),
        ("/#code=C1&state=S1", "callback.fragment"),
        ("state=S1\r\nX: y&code=C1", "callback.characters"),
        ("/worldclient.dll?View=OAuth&AuthRequest=Office365&code=C1&state=S1", "callback.path"),
        ("/x/WorldClient.dll?View=OAuth&AuthRequest=Office365&code=C1&state=S1", "callback.path"),
        ("/WorldClient.dll?View=OAuth&code=C1&state=S1", "callback.query"),
        ("/WorldClient.dll?View=oauth&AuthRequest=Office365&code=C1&state=S1", "callback.query"),
    ] {
        assert_eq!(cause_of(uri), cause, "{uri}");
    }
    let long = format!("state=S1&code={}", "x".repeat(70_000));
    assert_eq!(cause_of(&long), "callback.too_long");
}

#[test]
fn a_registered_address_without_a_path_comes_back_with_a_slash() {
    let registered = "https://mail.example.com";
    for uri in [
        "/?code=C1&state=S1",
        "https://mail.example.com/?code=C1&state=S1",
        "https://mail.example.com?code=C1&state=S1",
    ] {
        assert!(matches!(answer(&microsoft(), registered, uri, None), Ok(Answer::Code(_))), "{uri}");
    }
}

#[test]
fn i11_an_answer_of_another_provider_is_refused() {
    let issued = |provider: &Provider, issuer: &str| {
        let issuer: String = url::form_urlencoded::byte_serialize(issuer.as_bytes()).collect();
        answer(provider, REGISTERED, &format!("code=C1&state=S1&iss={issuer}"), None).map(|_| ())
    };
    let entra = |tenant: &str| format!("https://login.microsoftonline.com/{tenant}/v2.0");
    issued(&microsoft(), &entra(TENANT)).unwrap();
    for issuer in [
        entra("{tenantid}"),
        entra("common"),
        entra(&TENANT[1..]),
        "https://evil.example/v2.0".into(),
        format!("https://login.microsoftonline.com.evil.example/{TENANT}/v2.0"),
        format!("{}/", entra(TENANT)),
        String::new(),
    ] {
        let error = issued(&microsoft(), &issuer).expect_err(&issuer);
        assert_eq!(error.cause, "callback.issuer", "{issuer}");
    }
    let generic = provider(&generic());
    issued(&generic, "https://id.example.com").unwrap();
    // Compared as text, not as an address.
    assert!(issued(&generic, "https://id.example.com/").is_err());
    assert!(issued(&provider(&config(Profile::Google)), "https://id.example.com").is_err());
}

#[test]
fn an_administrator_s_answer_is_recognised() {
    let ask = |uri: &str| answer(&microsoft(), REGISTERED, uri, None).unwrap();
    assert!(matches!(ask("admin_consent=True&tenant=t&scope=a%20b&state=S1"), Answer::AdminConsented));
    let Answer::AdminRefused(refusal) =
        ask("admin_consent=True&error=consent_required&error_description=AADSTS65004%3A+no&state=S1")
    else {
        panic!("not recognised");
    };
    assert_eq!(refusal.error.provider_code, "AADSTS65004");
    // From the provider's own pages, without our state: understood, and it changes nothing.
    let stray = read("admin_consent=True&tenant=t", None).err().unwrap();
    assert_eq!(stray.cause, "consent.admin_granted");
}

#[test]
fn a_provider_s_no_is_explained() {
    let ask =
        |query: &str| match answer(&microsoft(), REGISTERED, &format!("state=S1&{query}"), None).unwrap() {
            Answer::Refused(refusal) => refusal.error,
            _ => panic!("no refusal"),
        };
    let error = ask("error=access_denied&error_description=AADSTS65004%3A+User+declined");
    assert_eq!((error.status, error.cause), (Status::Consent, "consent.declined"));
    let error = ask("error=access_denied&error_description=AADSTS90094%3A+grant");
    assert_eq!((error.status, error.cause), (Status::Provider, "consent.admin_required"));
    let error = ask("error=temporarily_unavailable");
    assert_eq!(error.status, Status::Transient);
    let error = ask("error=something%0Anew");
    assert_eq!(error.status, Status::Config);
    assert!(!error.message.contains('\n'));
}

proptest::proptest! {
    /// Whatever else stands between them, and in whatever order, the same answer is read.
    #[test]
    fn order_and_company_of_parameters_mean_nothing(
        noise in proptest::collection::vec(("[a-z]{1,8}x", "[ -~]{0,12}"), 0..6),
        code in "[!-~]{1,40}", state in "[A-Za-z0-9_-]{43}", seed in 0usize..1000,
    ) {
        let own = [("View", "OAuth"), ("AuthRequest", "Office365")].map(|(n, v)| (n.to_owned(), v.to_owned()));
        let mut pairs: Vec<(String, String)> = own.into_iter().chain(noise).collect();
        for (name, value) in [("code", &code), ("state", &state)] {
            pairs.insert(seed % (pairs.len() + 1), (name.to_owned(), value.clone()));
        }
        let query = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(pairs).finish();
        for uri in [format!("/WorldClient.dll?{query}"), query] {
            let read = code_of(&uri, None).unwrap();
            proptest::prop_assert_eq!(read, (code.clone(), state.clone()));
        }
    }

    #[test]
    fn no_text_can_make_it_panic(uri in ".{0,200}", form in proptest::option::of(".{0,100}")) {
        for uri in [uri.clone(), format!("/WorldClient.dll?state=S1&{uri}"), format!("state=S1&{uri}")] {
            let _ = code_of_any(&uri, form.as_deref());
        }
    }
}

fn code_of_any(uri: &str, form: Option<&str>) -> Result<(), Error> {
    read(uri, form)?.answer(&microsoft(), REGISTERED).map(|_| ())
}
