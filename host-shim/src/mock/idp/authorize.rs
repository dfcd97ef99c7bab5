//! The authorization endpoint (RFC 6749 §4.1.1) and administrator's consent, as a browser meets them.

use http::{HeaderMap, StatusCode};
use url::form_urlencoded::{Serializer, parse};

use super::reply::Reply;
use super::server::Shared;
use super::settings::{Consent, IssAnswer, Settings};
use super::state::Grant;

/// GET on the authorization endpoint.
pub(super) fn authorize(
    shared: &Shared,
    settings: &Settings,
    segment: &str,
    query: &str,
    headers: &HeaderMap,
) -> Reply {
    let ask = Ask(parse(query.as_bytes()).into_owned().collect());
    let client = ask.get("client_id").unwrap_or_default();
    let Some(known) = settings.clients.get(client) else {
        return Reply::page(StatusCode::BAD_REQUEST, "AADSTS700016: unknown client");
    };
    let Some(redirect) = ask.get("redirect_uri") else {
        return Reply::page(StatusCode::BAD_REQUEST, "no redirect_uri");
    };
    if !known.redirect_uris.is_empty() && !known.redirect_uris.iter().any(|uri| uri == redirect) {
        return Reply::page(StatusCode::BAD_REQUEST, "AADSTS50011: the redirect URI is not registered");
    }
    let answer = |mut pairs: Vec<(&str, String)>| {
        pairs.extend(ask.get("state").map(|state| ("state", state.to_owned())));
        match settings.iss {
            IssAnswer::Right => {
                let user = settings.user(&signs_in(settings, &ask, headers));
                pairs.push(("iss", shared.issuer_for(settings, &user)));
            }
            IssAnswer::Wrong => pairs.push(("iss", "https://evil.example.net".to_owned())),
            IssAnswer::Absent => {}
        }
        send_back(redirect, ask.get("response_mode"), &pairs)
    };
    let refuse = |error: &str, text: &str| {
        answer(vec![("error", error.to_owned()), ("error_description", text.to_owned())])
    };
    if let Some(name) = ask.doubled() {
        return refuse("invalid_request", &format!("{name} stands twice"));
    }
    if ask.get("response_type") != Some("code") {
        return refuse("unsupported_response_type", "only code");
    }
    let challenge = ask.get("code_challenge").map(str::to_owned);
    let pkce = challenge.as_ref().is_some_and(|challenge| challenge.len() == 43)
        && ask.get("code_challenge_method") == Some("S256");
    if settings.require_pkce && !pkce {
        return refuse("invalid_request", "AADSTS50147: PKCE with S256 is required");
    }
    if ask.get("prompt") == Some("select_account") && ask.get("login_hint").is_some() {
        shared.journal.violation("prompt=select_account together with login_hint");
    }
    let decision = ask.get("mock_decision");
    match (&settings.consent, decision) {
        (Consent::Refused(error, text), _) => return refuse(error, text),
        (Consent::Page, None) => return consent_page(query, ask.get("scope").unwrap_or_default()),
        (Consent::Page, Some("deny")) => return refuse("access_denied", "The user refused."),
        _ => {}
    }
    let user = signs_in(settings, &ask, headers);
    let scope = ask.get("scope").unwrap_or_default().to_owned();
    let asked =
        scope.split(' ').any(|one| one == "offline_access") || ask.get("access_type") == Some("offline");
    let prompted = ask.get("prompt").is_some_and(|prompt| prompt.split(' ').any(|one| one == "consent"));
    let offline = asked && (prompted || !settings.refresh_needs_prompt);
    let nonce = ask.get("nonce").map(str::to_owned);
    let grant = Grant { user, client: client.to_owned(), scope, nonce, offline };
    let code = shared.state.lock().new_code(
        &shared.journal,
        grant,
        redirect.to_owned(),
        challenge,
        segment.to_owned(),
    );
    let mut pairs = vec![("code", code)];
    if matches!(settings.consent, Consent::Both) {
        pairs.push(("error", "access_denied".to_owned()));
    }
    if settings.entra_tenant.is_some() {
        pairs.push(("session_state", "00000000-aaaa-4bbb-8ccc-dddddddddddd".to_owned()));
    }
    answer(pairs)
}

/// GET on the administrator's consent endpoint: granted unless the settings refuse.
pub(super) fn admin_consent(settings: &Settings, query: &str) -> Reply {
    let ask = Ask(parse(query.as_bytes()).into_owned().collect());
    let Some(redirect) = ask.get("redirect_uri") else {
        return Reply::page(StatusCode::BAD_REQUEST, "no redirect_uri");
    };
    let mut pairs = vec![("admin_consent", "True".to_owned())];
    match &settings.consent {
        Consent::Refused(error, text) => {
            pairs.push(("error", error.clone()));
            pairs.push(("error_description", text.clone()));
        }
        _ => {
            pairs.push(("tenant", settings.entra_tenant.clone().unwrap_or_default()));
            pairs.extend(ask.get("scope").map(|scope| ("scope", scope.to_owned())));
        }
    }
    pairs.extend(ask.get("state").map(|state| ("state", state.to_owned())));
    send_back(redirect, None, &pairs)
}

/// The parameters of a request.
struct Ask(Vec<(String, String)>);

impl Ask {
    fn get(&self, name: &str) -> Option<&str> {
        self.0.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }

    fn doubled(&self) -> Option<&str> {
        let twice = |name: &str| self.0.iter().filter(|(key, _)| key == name).count() > 1;
        self.0.iter().map(|(key, _)| key.as_str()).find(|name| twice(name))
    }
}

fn signs_in(settings: &Settings, ask: &Ask, headers: &HeaderMap) -> String {
    signed_in(settings, headers, ask.get("login_hint"))
}

/// The settings decide, else the browser's cookie, else the hint.
pub(super) fn signed_in(settings: &Settings, headers: &HeaderMap, hint: Option<&str>) -> String {
    let cookie = headers.get("cookie").and_then(|value| value.to_str().ok());
    let cookie = cookie.and_then(|value| value.strip_prefix("signed_in="));
    let name = settings.signs_in.as_deref().or(cookie).or(hint);
    name.unwrap_or("alice@contoso.example").to_ascii_lowercase()
}

/// A redirect that keeps the registered query, or a page that posts (`form_post`).
fn send_back(redirect: &str, mode: Option<&str>, pairs: &[(&str, String)]) -> Reply {
    if mode == Some("form_post") {
        let fields: String = pairs
            .iter()
            .map(|(name, value)| {
                format!("<input type=\"hidden\" name=\"{name}\" value=\"{}\">\n", escape(value))
            })
            .collect();
        return Reply::page(
            StatusCode::OK,
            &format!(
                "<form method=\"post\" action=\"{}\">\n{fields}<button>Continue</button></form>\
                 <script>document.forms[0].submit()</script>",
                escape(redirect)
            ),
        );
    }
    let query = Serializer::new(String::new()).extend_pairs(pairs).finish();
    let joint = match (mode, redirect.contains('?')) {
        (Some("fragment"), _) => '#',
        (_, true) => '&',
        (_, false) => '?',
    };
    Reply::redirect(StatusCode::FOUND, &format!("{redirect}{joint}{query}"))
}

fn consent_page(query: &str, scope: &str) -> Reply {
    let (query, scope) = (escape(query), escape(scope));
    Reply::page(
        StatusCode::OK,
        &format!(
            "<h1>Mock sign-in</h1><p>An application asks for: {scope}</p>\
             <p><a id=\"allow\" href=\"?{query}&amp;mock_decision=allow\">Allow</a> \
             <a id=\"deny\" href=\"?{query}&amp;mock_decision=deny\">Refuse</a></p>"
        ),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;").replace('"', "&quot;")
}
