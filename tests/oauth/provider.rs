//! Every rule a provider is refused for, and what its profile fills in.

use multipop::config::{Cloud, ProviderConfig};
use multipop::error::Status;
use multipop::oauth::provider::{DeviceFlow, IssuerRule, Loaded, Profile, Provider};

use super::{TENANT, config, generic, microsoft, prove, provider};

fn refused(config: ProviderConfig, member: &str, words: &str) {
    let error = prove(&config).err().unwrap_or_else(|| panic!("{member} was taken"));
    assert_eq!(error.status, Status::Config);
    assert!(error.message.starts_with(&format!("providers.p.{member}: ")), "{}", error.message);
    assert!(error.message.contains(words), "{}", error.message);
}

fn with(profile: Profile, change: impl FnOnce(&mut ProviderConfig)) -> ProviderConfig {
    let mut config = if profile == Profile::Generic { generic() } else { config(profile) };
    change(&mut config);
    config
}

#[test]
fn a_profile_fills_what_is_left_open() {
    let p = provider(&config(Profile::Microsoft365));
    assert_eq!(
        p.authorize_endpoint().unwrap().as_str(),
        "https://login.microsoftonline.com/organizations/oauth2/v2.0/authorize"
    );
    assert_eq!(
        p.admin_consent_endpoint.as_ref().map(|url| url.as_str()),
        Some("https://login.microsoftonline.com/organizations/v2.0/adminconsent")
    );
    assert!(p.allows("Outlook.Office365.COM", 995) && !p.allows("outlook.office365.com", 110));
    assert_eq!(p.revocation_endpoint, None);

    let p = provider(&config(Profile::Outlook));
    assert!(p.token_endpoint().unwrap().as_str().contains("/consumers/oauth2/v2.0/token"));
    assert_eq!(p.admin_consent_endpoint, None);

    let p = provider(&config(Profile::Google));
    assert_eq!(p.profile, Profile::Google);
    assert!(p.retr_is_final && p.expects_refresh_token());
    assert_eq!(p.login_delay_s, 300);
}

#[test]
fn a_tenant_decides_issuer_and_audience() {
    let of = |tenant: &str| provider(&with(Profile::Microsoft365, |c| c.tenant = Some(tenant.into())));
    let template = IssuerRule::Entra { authority: "https://login.microsoftonline.com".into() };
    assert_eq!(of("organizations").issuer, template);
    assert_eq!(of("common").issuer, template);
    assert_eq!(of("contoso.example").issuer, template);
    let fixed = format!("https://login.microsoftonline.com/{TENANT}/v2.0");
    assert_eq!(of(TENANT).issuer, IssuerRule::Exact(fixed));
    let personal = "https://login.microsoftonline.com/9188040d-6c67-4c5b-b112-36a304b66dad/v2.0";
    assert_eq!(of("consumers").issuer, IssuerRule::Exact(personal.into()));
    // Never on `common`.
    let consent = of("common").admin_consent_endpoint.unwrap();
    assert!(consent.as_str().contains("/organizations/"));
}

#[test]
fn every_endpoint_can_be_overridden_and_a_sovereign_cloud_is_an_authority() {
    let p = provider(&with(Profile::Microsoft365, |c| {
        c.authority = Some("https://login.microsoftonline.us/".into());
        c.scopes =
            Some(vec!["offline_access".into(), "https://outlook.office365.us/POP.AccessAsUser.All".into()]);
        c.servers = vec![("outlook.office365.us".into(), 995), ("::1".into(), 9950)];
        c.token_endpoint = Some("https://proxy.example.com/token".into());
    }));
    assert!(
        p.authorize_endpoint()
            .unwrap()
            .as_str()
            .starts_with("https://login.microsoftonline.us/organizations/")
    );
    assert_eq!(p.token_endpoint().unwrap().as_str(), "https://proxy.example.com/token");
    assert!(p.issuer.accepts(&format!("https://login.microsoftonline.us/{TENANT}/v2.0"), Some(TENANT)));
    assert!(p.allows("::1", 9950) && p.allows("[::1]", 9950));
}

#[test]
fn endpoints_are_https_even_on_loopback() {
    for address in [
        "http://127.0.0.1:8080/token",
        "http://localhost/token",
        "ftp://id.example.com",
        "id.example.com",
        "https://user:pw@id.example.com/",
        "https://id.example.com/#f",
    ] {
        refused(with(Profile::Generic, |c| c.token_endpoint = Some(address.into())), "token_endpoint", "");
        refused(
            with(Profile::Google, |c| c.revocation_endpoint = Some(address.into())),
            "revocation_endpoint",
            "",
        );
        refused(with(Profile::Microsoft365, |c| c.authority = Some(address.into())), "authority", "");
        refused(with(Profile::Generic, |c| c.issuer = Some(address.into())), "issuer", "");
    }
}

#[test]
fn scopes_belong_to_one_resource_and_ask_for_offline_access() {
    let scopes = |all: &[&str]| Some(all.iter().map(|s| (*s).to_owned()).collect());
    let pop = "https://outlook.office.com/POP.AccessAsUser.All";
    refused(
        with(Profile::Microsoft365, |c| {
            c.scopes = scopes(&["offline_access", pop, "https://graph.microsoft.com/User.Read"])
        }),
        "scopes",
        "one resource",
    );
    refused(
        with(Profile::Microsoft365, |c| c.scopes = scopes(&["offline_access", "POP.AccessAsUser.All"])),
        "scopes",
        "Microsoft Graph",
    );
    refused(with(Profile::Microsoft365, |c| c.scopes = scopes(&["openid", pop])), "scopes", "offline_access");
    refused(
        with(Profile::Microsoft365, |c| c.scopes = scopes(&["openid", "offline_access"])),
        "scopes",
        "POP",
    );
    refused(with(Profile::Generic, |c| c.scopes = scopes(&["a b"])), "scopes[0]", "one scope");
    refused(with(Profile::Generic, |c| c.scopes = scopes(&["a", "a"])), "scopes[1]", "twice");
    refused(with(Profile::Generic, |c| c.scopes = None), "scopes", "must name");
}

#[test]
fn redirect_uris_keep_the_rules_of_their_provider() {
    let query = "https://mail.example.com/WorldClient.dll?View=OAuth&AuthRequest=Office365";
    let uri = |profile: Profile, uri: &str| with(profile, |c| c.redirect_uri = uri.into());
    provider(&uri(Profile::Microsoft365, query));
    provider(&uri(Profile::Google, query));
    provider(&uri(Profile::Microsoft365, "http://localhost:8400/callback"));
    provider(&uri(Profile::Microsoft365, "http://127.0.0.1:8400/callback"));
    refused(uri(Profile::Outlook, query), "redirect_uri", "personal accounts");
    for tenant in ["common", "consumers", "9188040d-6c67-4c5b-b112-36a304b66dad"] {
        let mut config = uri(Profile::Microsoft365, query);
        config.tenant = Some(tenant.into());
        refused(config, "redirect_uri", "personal accounts");
    }
    refused(uri(Profile::Google, "http://mail.example.com/cb"), "redirect_uri", "https");
    refused(uri(Profile::Google, "https://mail.example.com/cb#x"), "redirect_uri", "fragment");
    refused(uri(Profile::Google, "https://mail.example.com/c b"), "redirect_uri", "ASCII");
    refused(uri(Profile::Google, "/callback"), "redirect_uri", "absolute");
    refused(uri(Profile::Google, ""), "redirect_uri", "missing");
    refused(uri(Profile::Google, "https://mail.example.com/cb?state=1"), "redirect_uri", "state");
    refused(uri(Profile::Microsoft365, "https://mail.example.com/a(b)"), "redirect_uri", "'('");
    refused(uri(Profile::Microsoft365, "http://[::1]/cb"), "redirect_uri", "[::1]");
    let long = format!("https://mail.example.com/{}", "x".repeat(240));
    refused(uri(Profile::Microsoft365, &long), "redirect_uri", "256");
}

#[test]
fn a_generic_provider_names_everything_itself() {
    provider(&generic());
    refused(with(Profile::Generic, |c| c.issuer = None), "issuer", "missing");
    assert!(!provider(&generic()).is_to_be_discovered());
    for leave_out in [
        |c: &mut ProviderConfig| c.authorize_endpoint = None,
        |c: &mut ProviderConfig| c.token_endpoint = None,
    ] {
        assert!(provider(&with(Profile::Generic, leave_out)).is_to_be_discovered());
    }
    refused(with(Profile::Generic, |c| c.tenant = Some("x".into())), "tenant", "Microsoft");
    refused(
        with(Profile::Generic, |c| c.issuer = Some("https://id.example.com/{tenantid}/v2.0".into())),
        "issuer",
        "",
    );
}

#[test]
fn what_is_none_of_the_known_words_is_refused_with_them() {
    refused(with(Profile::Google, |c| c.mechanism = Some("plain".into())), "mechanism", "xoauth2");
    refused(
        with(Profile::Google, |c| c.response_mode = Some("fragment".into())),
        "response_mode",
        "form_post",
    );
    refused(
        with(Profile::Google, |c| c.client_authentication = Some("none".into())),
        "client_authentication",
        "basic",
    );
    refused(with(Profile::Google, |c| c.client_id = String::new()), "client_id", "");
    refused(with(Profile::Microsoft365, |c| c.tenant = Some("a/b".into())), "tenant", "organizations");
}

#[test]
fn extra_parameters_never_replace_ours() {
    let parameter = |profile: Profile, name: &str, value: &str| {
        with(profile, |c| c.authorize_parameters = vec![(name.into(), value.into())])
    };
    refused(
        parameter(Profile::Google, "prompt", "select_account"),
        "authorize_parameters.prompt",
        "login_hint",
    );
    refused(parameter(Profile::Google, "prompt", "none"), "authorize_parameters.prompt", "nothing");
    refused(
        parameter(Profile::Microsoft365, "prompt", "login consent"),
        "authorize_parameters.prompt",
        "one value",
    );
    let p = provider(&parameter(Profile::Google, "access_type", "online"));
    assert_eq!(p.authorize_parameters, [("access_type".to_owned(), "online".to_owned())]);
}

#[test]
fn i03_a_secret_file_that_is_no_secret_is_refused_without_showing_it() {
    for secrets in [vec![], vec![""], vec!["ok", "two words"]] {
        let loaded = Loaded {
            client_secrets: secrets.iter().map(|s| super::secret(s)).collect(),
            ..Loaded::default()
        };
        let error = Provider::new(&config(Profile::Google), loaded).err().unwrap();
        assert!(error.message.starts_with("providers.p.client_secret_files"), "{}", error.message);
        assert!(!error.message.contains("two words"));
    }
}

#[test]
fn a_code_and_an_application_s_token_are_asked_for_where_the_profile_says() {
    let own = ProviderConfig { tenant: Some(TENANT.into()), ..config(Profile::Microsoft365) };
    let many = microsoft();
    let endpoint = |provider: &Provider| provider.device_endpoint.as_ref().map(|url| url.path().to_owned());
    assert_eq!(endpoint(&many).as_deref(), Some("/organizations/oauth2/v2.0/devicecode"));
    assert_eq!((many.device_flow, many.app_scope.as_deref()), (DeviceFlow::Operator, None));
    let scope = "https://outlook.office365.com/.default";
    assert_eq!(provider(&own).app_scope.as_deref(), Some(scope));
    for profile in [Profile::Google, Profile::Outlook] {
        assert_eq!(provider(&config(profile)).app_scope, None);
    }
    assert_eq!(endpoint(&provider(&config(Profile::Google))), None);
    let of_cloud = "https://outlook.office365.us/.default";
    let cloud = ProviderConfig { app_scope: Some(of_cloud.into()), ..own };
    assert_eq!(provider(&cloud).app_scope.as_deref(), Some(of_cloud));
    let us_gov = ProviderConfig { cloud: Cloud::UsGovHigh, app_scope: None, ..cloud.clone() };
    assert_eq!(provider(&us_gov).app_scope.as_deref(), Some(of_cloud));
    let cloud_of_many = ProviderConfig { tenant: None, ..cloud.clone() };
    assert_eq!(provider(&cloud_of_many).app_scope, None);
    for wrong in ["https://outlook.office.com/POP.AccessAsUser.All", "two scopes/.default", "a\"/.default"] {
        let error = prove(&ProviderConfig { app_scope: Some(wrong.into()), ..cloud.clone() }).unwrap_err();
        assert!(error.message.contains("app_scope"), "{wrong}: {error}");
    }
}

#[test]
fn only_a_provider_that_names_nobody_needs_no_issuer() {
    let silent = with(Profile::Generic, |c| {
        c.issuer = None;
        c.scopes = Some(vec!["mail".into()]);
    });
    let p = provider(&silent);
    assert_eq!(p.issuer, IssuerRule::Unknown);
    assert!(!p.issuer.accepts("", None) && !p.issuer.accepts("https://id.example.com", None));
    refused(ProviderConfig { token_endpoint: None, ..silent }, "issuer", "missing");
}

#[test]
fn what_is_verified_of_other_providers_is_a_profile() {
    for (profile, host, scope) in [
        (Profile::Yahoo, "pop.mail.yahoo.com", "mail-w"),
        (Profile::Aol, "pop.aol.com", "mail-w"),
        (Profile::Fastmail, "pop.fastmail.com", "https://www.fastmail.com/dev/protocol-pop"),
    ] {
        let p = provider(&config(profile));
        assert!(p.allows(host, 995) && p.asks_for(scope) && !p.expects_refresh_token(), "{profile:?}");
        assert_eq!((p.issuer.clone(), p.is_to_be_discovered()), (IssuerRule::Unknown, false));
    }
    refused(config(Profile::Comcast), "issuer", "openid");
    let p = provider(&with(Profile::Comcast, |c| c.issuer = Some("https://oauth.xfinity.com".into())));
    assert!(p.allows("pop.comcast.net", 995) && p.asks_for("https://email.comcast.net/"));
}

#[test]
fn the_cloud_of_the_us_government_is_one_word() {
    let p = provider(&with(Profile::Microsoft365, |c| {
        c.cloud = Cloud::UsGovHigh;
        c.servers = Profile::Microsoft365
            .servers(Cloud::UsGovHigh)
            .iter()
            .map(|(h, n)| ((*h).to_owned(), *n))
            .collect();
    }));
    let address = "https://login.microsoftonline.us/organizations/oauth2/v2.0/token";
    assert_eq!(p.token_endpoint().unwrap().as_str(), address);
    assert!(p.allows("outlook.office365.us", 995) && !p.allows("outlook.office365.com", 995));
    assert!(p.asks_for("https://outlook.office365.us/POP.AccessAsUser.All"));
    assert!(p.grants_pop("https://outlook.office365.us/POP.AccessAsUser.All"));
}

#[test]
fn personal_mailboxes_have_a_tenant_of_their_own() {
    for tenant in ["organizations", "contoso.example", TENANT] {
        refused(with(Profile::Outlook, |c| c.tenant = Some(tenant.into())), "tenant", "microsoft365");
    }
    let of = |tenant: &str| provider(&with(Profile::Microsoft365, |c| c.tenant = Some(tenant.into())));
    assert!(of("contoso.example").one_organisation && of(TENANT).one_organisation);
    assert!(!of("organizations").one_organisation && !of("common").one_organisation);
}
