//! The addresses a person's browser is sent to (RFC 6749 §4.1.1, RFC 7636; PROTOCOL.md A.5, A.9).

use aws_lc_rs::digest;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use oauth2::basic::BasicClient;
use oauth2::{AuthUrl, ClientId, CsrfToken, PkceCodeChallenge, PkceCodeVerifier, RedirectUrl, Scope};

use super::provider::{Provider, ResponseMode};
use crate::error::{Error, Result, Status};
use crate::secret::Secret;

/// What only this consent knows. The text of each is base64url: 43 characters, 256 bit.
pub struct Fresh {
    pub state: Secret,
    pub verifier: Secret,
    pub nonce: Secret,
}

/// Random bytes `Fresh` is made of.
pub const FRESH_BYTES: usize = 96;

impl Fresh {
    pub fn new(random: &[u8; FRESH_BYTES]) -> Fresh {
        let text = |part: &[u8]| Secret::new(BASE64_URL_SAFE_NO_PAD.encode(part));
        Fresh { state: text(&random[..32]), verifier: text(&random[32..64]), nonce: text(&random[64..]) }
    }
}

/// What a state or session is looked up by; neither is kept in clear.
pub fn look_up_key(text: &str) -> [u8; 32] {
    let mut key = [0; 32];
    key.copy_from_slice(digest::digest(&digest::SHA256, text.as_bytes()).as_ref());
    key
}

/// What the host wishes of the sign-in page.
#[derive(Debug, Clone, Copy, Default)]
pub struct Wish<'a> {
    /// The name suggested there; not together with `choose_account`.
    pub sign_in_name: &'a str,
    pub choose_account: bool,
    pub force_consent: bool,
    /// A claims challenge to answer (PROTOCOL.md A.8).
    pub claims: Option<&'a str>,
}

/// Where the person signs in and consents.
pub fn url(provider: &Provider, wish: &Wish<'_>, fresh: &Fresh) -> Result<String> {
    let client = BasicClient::new(ClientId::new(provider.client_id.clone()))
        .set_auth_uri(AuthUrl::from_url(provider.authorize_endpoint()?.clone()))
        .set_redirect_uri(redirect_url(provider)?);
    // `Fresh` made the verifier: 43 characters, which is what the challenge asks for.
    let verifier = PkceCodeVerifier::new(fresh.verifier.expose().to_owned());
    let mut request = client
        .authorize_url(|| CsrfToken::new(fresh.state.expose().to_owned()))
        .set_pkce_challenge(PkceCodeChallenge::from_code_verifier_sha256(&verifier))
        .add_scopes(provider.scopes.iter().cloned().map(Scope::new));
    for (name, value) in &provider.authorize_parameters {
        request = request.add_extra_param(name.as_str(), value.as_str());
    }
    request = request.add_extra_param(
        "response_mode",
        match provider.response_mode {
            ResponseMode::Query => "query",
            ResponseMode::FormPost => "form_post",
        },
    );
    if provider.asks_for("openid") {
        request = request.add_extra_param("nonce", fresh.nonce.expose());
    }
    let prompt = prompt(provider, wish);
    if !prompt.is_empty() {
        request = request.add_extra_param("prompt", prompt);
    }
    if !wish.choose_account && !wish.sign_in_name.is_empty() {
        request = request.add_extra_param("login_hint", wish.sign_in_name);
    }
    if let Some(claims) = wish.claims {
        request = request.add_extra_param("claims", claims);
    }
    Ok(request.url().0.into())
}

/// Where an administrator consents for the whole tenant (PROTOCOL.md A.9).
pub fn admin_consent_url(provider: &Provider, state: &Secret) -> Result<String> {
    let Some(endpoint) = &provider.admin_consent_endpoint else {
        return Err(Error::new(
            Status::Config,
            "consent.no_admin_consent",
            format!("the provider {:?} knows no administrator's consent", provider.id),
        )
        .advice(
            "There is no consent for a whole organisation at this provider; sign in to the mailbox itself.",
        ));
    };
    let mut url = endpoint.clone();
    url.query_pairs_mut()
        .append_pair("client_id", &provider.client_id)
        .append_pair("scope", &provider.scope())
        .append_pair("redirect_uri", &provider.redirect_uri)
        .append_pair("state", state.expose());
    Ok(url.into())
}

/// Several values where the provider takes several; Microsoft takes one, and the consent page, shown without a
/// suggested name, lets the account be chosen too.
fn prompt(provider: &Provider, wish: &Wish<'_>) -> String {
    let mut values: Vec<&str> = Vec::new();
    if wish.choose_account {
        values.push("select_account");
    }
    values.extend(provider.prompts.iter().map(String::as_str));
    if wish.force_consent && !values.contains(&"consent") {
        values.push("consent");
    }
    if provider.profile.is_microsoft() && values.len() > 1 {
        let strongest = if values.contains(&"consent") { "consent" } else { values[0] };
        return strongest.to_owned();
    }
    values.join(" ")
}

pub(super) fn redirect_url(provider: &Provider) -> Result<RedirectUrl> {
    RedirectUrl::new(provider.redirect_uri.clone())
        .map_err(|e| Error::bug(format!("a proved redirect URI does not parse: {e}")))
}
