//! A provider as the operator writes it: members read and shaped here; what they mean together is proved by
//! `oauth::provider`, which knows the profiles.

use super::account::realm_name;
use super::field::{Field, Members};
use super::json::Read;
use super::{Cloud, Profile, ProviderConfig, credentials, network, words};
use crate::model::DEFAULT_REALM;

pub(super) fn read(id: &str, field: Field) -> Read<ProviderConfig> {
    let mut members = field.members()?;
    let profile = profile(&mut members)?;
    let cloud = cloud(&mut members, profile)?;
    let client_id = words::line(&members.need("client_id", "the application's id at the provider")?)?;
    let redirect_uri = members.need("redirect_uri", "the URI registered at the provider, byte for byte")?;
    let secrets = credentials::secret_files(&mut members)?;
    let provider = ProviderConfig {
        id: id.to_owned(),
        realm: match members.take("realm") {
            Some(field) => realm_name(&field)?,
            None => DEFAULT_REALM.to_owned(),
        },
        tenant: line(&mut members, "tenant")?,
        authority: https(&mut members, "authority")?,
        issuer: https(&mut members, "issuer")?,
        authorize_endpoint: https(&mut members, "authorize_endpoint")?,
        token_endpoint: https(&mut members, "token_endpoint")?,
        admin_consent_endpoint: https(&mut members, "admin_consent_endpoint")?,
        revocation_endpoint: https(&mut members, "revocation_endpoint")?,
        withdraw_url: https(&mut members, "withdraw_url")?,
        device_endpoint: https(&mut members, "device_endpoint")?,
        device_flow: word(&mut members, "device_flow", &["operator", "owners", "off"])?,
        app_scope: line(&mut members, "app_scope")?,
        certificates: credentials::certificates(&mut members)?,
        client_secret_ends: credentials::secret_ends(&mut members, secrets.len())?,
        client_secret_files: secrets,
        client_authentication: word(&mut members, "client_authentication", &AUTHENTICATIONS)?,
        assertion_algorithm: word(&mut members, "assertion_algorithm", &["PS256", "RS256"])?,
        redirect_uri: uri(&redirect_uri)?,
        response_mode: word(&mut members, "response_mode", &["query", "form_post"])?,
        scopes: lines(&mut members, "scopes")?,
        pop_scope_suffix: line(&mut members, "pop_scope_suffix")?,
        authorize_parameters: parameters(&mut members)?,
        servers: servers(&mut members, profile, cloud)?,
        mechanism: word(&mut members, "mechanism", &["xoauth2", "oauthbearer", "listed"])?,
        mechanism_unlisted: boolean(&mut members, "mechanism_unlisted")?,
        initial_response: boolean(&mut members, "initial_response")?,
        retr_is_final: boolean(&mut members, "retr_is_final")?,
        login_delay_s: members.take("login_delay_s").map(|field| field.whole32(0..=86_400)).transpose()?,
        keep_alive: boolean(&mut members, "keep_alive")?,
        grant_idle_s: members.take("grant_idle_s").map(|field| field.whole32(0..=315_360_000)).transpose()?,
        network: members.take("network").map(network::network).transpose()?,
        ca_file: members.take("ca_file").map(|field| words::path(&field)).transpose()?,
        profile,
        cloud,
        client_id,
    };
    members.finish()?;
    Ok(provider)
}

impl ProviderConfig {
    /// Whether the tenant segment is one organisation's (PROTOCOL.md A.3). No profile's default is.
    pub fn has_one_tenant(&self) -> bool {
        let of_many = ["common", "organizations", "consumers", PERSONAL_TENANT];
        let tenant = self.tenant.as_deref().unwrap_or_default();
        !tenant.is_empty() && !of_many.iter().any(|name| name.eq_ignore_ascii_case(tenant))
    }
}

/// The tenant of personal Microsoft accounts.
pub const PERSONAL_TENANT: &str = "9188040d-6c67-4c5b-b112-36a304b66dad";

fn profile(members: &mut Members) -> Read<Profile> {
    let names = Profile::ALL.map(Profile::name);
    let field = members.need("profile", &format!("one of {}", names.join(", ")))?;
    field.choice(&Profile::ALL, Profile::name)
}

fn cloud(members: &mut Members, profile: Profile) -> Read<Cloud> {
    let Some(field) = members.take("cloud") else {
        return Ok(Cloud::default());
    };
    let cloud = field.choice(&Cloud::ALL, Cloud::name)?;
    if profile != Profile::Microsoft365 {
        return Err(field.fault("belongs to the profile microsoft365"));
    }
    Ok(cloud)
}

/// The short names, and those of OpenID Connect's metadata.
const AUTHENTICATIONS: [&str; 5] =
    ["post", "basic", "client_secret_post", "client_secret_basic", "private_key_jwt"];

fn line(members: &mut Members, name: &'static str) -> Read<Option<String>> {
    members.take(name).map(|field| words::line(&field)).transpose()
}

fn boolean(members: &mut Members, name: &'static str) -> Read<Option<bool>> {
    members.take(name).map(|field| field.boolean()).transpose()
}

fn word(members: &mut Members, name: &'static str, words: &[&'static str]) -> Read<Option<String>> {
    let field = members.take(name);
    field.map(|field| field.word(words).map(str::to_owned)).transpose()
}

/// Endpoints are HTTPS without exception: secrets and codes travel there.
fn https(members: &mut Members, name: &'static str) -> Read<Option<String>> {
    let Some(field) = members.take(name) else {
        return Ok(None);
    };
    let text = uri(&field)?;
    let is_https = url::Url::parse(&text)
        .is_ok_and(|url| url.scheme() == "https" && url.has_host() && url.username().is_empty());
    if !is_https {
        return Err(field.fault(format!("expected an https:// URL without user name, found {text:?}")));
    }
    Ok(Some(text))
}

fn uri(field: &Field) -> Read<String> {
    let text = field.text()?;
    let is_visible = text.bytes().all(|byte| byte.is_ascii_graphic());
    if text.is_empty() || text.len() > 2048 || !is_visible {
        return Err(field.fault("expected a URI: 1 to 2048 ASCII characters without spaces"));
    }
    Ok(text.to_owned())
}

fn lines(members: &mut Members, name: &'static str) -> Read<Option<Vec<String>>> {
    let Some(field) = members.take(name) else {
        return Ok(None);
    };
    let empty = field.fault("expected at least one entry");
    let lines: Vec<String> = field.list()?.iter().map(words::line).collect::<Result<_, _>>()?;
    if lines.is_empty() { Err(empty) } else { Ok(Some(lines)) }
}

fn servers(members: &mut Members, profile: Profile, cloud: Cloud) -> Read<Vec<(String, u16)>> {
    let field = match (members.take("servers"), profile.servers(cloud)) {
        (Some(field), _) => field,
        (None, []) => {
            let what = "the host:port of the mail servers tokens of this provider may go to; this profile knows none";
            members.need("servers", what)?
        }
        (None, known) => {
            return Ok(known.iter().map(|(host, port)| ((*host).to_owned(), *port)).collect());
        }
    };
    let empty = field.fault("expected at least one host:port");
    let servers: Vec<_> = field.list()?.iter().map(words::host_port).collect::<Read<_>>()?;
    if servers.is_empty() { Err(empty) } else { Ok(servers) }
}

/// What the library says in an authorization request itself: it binds the consent to who began it (I11). `prompt` is
/// merged with what a call asks for.
const OWN_PARAMETERS: [&str; 12] = [
    "client_id",
    "response_type",
    "response_mode",
    "redirect_uri",
    "scope",
    "state",
    "nonce",
    "code_challenge",
    "code_challenge_method",
    "login_hint",
    "claims",
    "request_uri",
];

fn parameters(members: &mut Members) -> Read<Vec<(String, String)>> {
    let Some(field) = members.take("authorize_parameters") else {
        return Ok(Vec::new());
    };
    let mut parameters = Vec::new();
    for (name, field) in field.entries()? {
        if name.is_empty() || OWN_PARAMETERS.contains(&name.as_str()) {
            return Err(field.fault("this parameter is set by the library and cannot be replaced"));
        }
        parameters.push((name, words::line(&field)?));
    }
    parameters.sort();
    Ok(parameters)
}
