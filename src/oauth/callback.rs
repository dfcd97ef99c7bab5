//! Reading what the browser brings back (RFC 6749 §4.1.2, RFC 9207; PROTOCOL.md E).
//!
//! In two steps, because the order matters: `read` finds the state, nothing more; only after the consent it names
//! was consumed does `Callback::answer` look at the rest, so that an answer that is wrong is used up too.

use url::form_urlencoded;

use super::diagnosis::{self, Refusal};
use super::provider::{IssuerRule, Provider};
use super::redirect;
use crate::error::{Error, Result, Status};
use crate::secret::{Secret, blacken};

/// Longer than any code and its company.
const LENGTH: usize = 64 * 1024;

/// What arrived, taken apart.
pub struct Callback {
    /// What stood before the `?`, if anything did.
    path: Option<String>,
    query: Vec<(String, String)>,
    /// The provider's own parameters: from the form body if there is one, else from the query.
    answer: Vec<(String, String)>,
    has_form: bool,
    state: Secret,
}

/// What the provider says.
pub enum Answer {
    Code(Secret),
    /// Boxed, as it is much larger than a code.
    Refused(Box<Refusal>),
    /// An administrator consented for the tenant; nobody signed in.
    AdminConsented,
    AdminRefused(Box<Refusal>),
}

/// Takes a whole request URI, a path with query, a bare query or a pasted line; and the body of a `form_post`.
pub fn read(uri: &str, form: Option<&str>) -> Result<Callback> {
    let uri = uri.trim();
    let form = form.map(str::trim).filter(|form| !form.is_empty());
    if uri.len() > LENGTH || form.is_some_and(|form| form.len() > LENGTH) {
        return refuse("callback.too_long", "is longer than any provider's");
    }
    if uri.bytes().any(|byte| byte.is_ascii_control()) {
        return refuse("callback.characters", "holds control characters");
    }
    let (before, fragment) = uri.split_once('#').unwrap_or((uri, ""));
    let (path, query) = split(before);
    let query = pairs(query);
    let answer = form.map_or_else(|| query.clone(), pairs);
    // A form whose state stands in the address is refused later, and uses its consent up like any wrong answer.
    let state = match only(&answer, "state")?.or(only(&query, "state")?) {
        Some(state) => Secret::new(state.to_owned()),
        // An administrator who consented from the provider's own pages comes back without our state.
        None if is_admin_consent(&answer) => return Err(diagnosis::admin_consented()),
        None if fragment.contains("state=") => {
            return refuse(
                "callback.fragment",
                "came in the fragment, which no server sees; the provider must be asked for response_mode query",
            );
        }
        None => return refuse("callback.no_state", "names no state"),
    };
    Ok(Callback { path: path.map(str::to_owned), query, answer, has_form: form.is_some(), state })
}

impl Callback {
    pub fn state(&self) -> &Secret {
        &self.state
    }

    /// The tenant an administrator's answer names. It authenticates nobody (PROTOCOL.md A.9).
    pub fn tenant(&self) -> Option<&str> {
        only(&self.answer, "tenant").ok().flatten()
    }

    /// What the answer says, if it came to the redirect URI of its consent and from the provider it was asked of.
    pub fn answer(&self, provider: &Provider, redirect_uri: &str) -> Result<Answer> {
        self.check_address(redirect_uri)?;
        if self.has_form
            && let Some((name, _)) = self.query.iter().find(|(name, _)| is_answer(name))
        {
            let what = format!("brings {name:?} in its address although it has a form body");
            return refuse("callback.mixed", &what);
        }
        for name in redirect::ANSWER_PARAMETERS {
            only(&self.answer, name)?;
        }
        self.check_issuer(provider)?;
        let code = only(&self.answer, "code")?.filter(|code| !code.is_empty());
        let error = only(&self.answer, "error")?.filter(|error| !error.is_empty());
        let refusal = |error: &str| {
            let clean = |words: &str| blacken(words, [self.state.expose().as_bytes()]);
            let said = |name: &str| only(&self.answer, name).ok().flatten().map(clean);
            let (description, subcode) = (said("error_description"), said("error_subcode"));
            Box::new(diagnosis::authorization_refused(
                provider,
                &clean(error),
                description.as_deref(),
                subcode.as_deref(),
            ))
        };
        match (code, error) {
            (Some(_), Some(_)) => refuse("callback.code_and_error", "brings both a code and an error"),
            (None, Some(error)) if is_admin_consent(&self.answer) => Ok(Answer::AdminRefused(refusal(error))),
            (None, Some(error)) => Ok(Answer::Refused(refusal(error))),
            (_, None) if is_admin_consent(&self.answer) => Ok(Answer::AdminConsented),
            (Some(code), None) => Ok(Answer::Code(Secret::new(code.to_owned()))),
            (None, None) => refuse("callback.no_code", "brings neither a code nor an error"),
        }
    }

    /// The first half of the mix-up defence (RFC 9700 §4.4): each provider its own redirect URI.
    fn check_address(&self, redirect_uri: &str) -> Result<()> {
        let Some(path) = &self.path else {
            return Ok(());
        };
        if !redirect::has_path(redirect_uri, path) {
            return refuse(
                "callback.path",
                "came to another address than the one registered for this provider",
            );
        }
        match redirect::missing_parameter(redirect_uri, &self.query) {
            Some(name) => {
                let what = format!("lacks {name:?}, which the registered address carries");
                refuse("callback.query", &what)
            }
            None => Ok(()),
        }
    }

    /// The second half (RFC 9207 §2.4): compared wherever it is there.
    fn check_issuer(&self, provider: &Provider) -> Result<()> {
        match only(&self.answer, "iss")? {
            Some(_) if provider.issuer == IssuerRule::Unknown => refuse(
                "callback.issuer",
                "names who sends it (iss), and the configuration names no issuer to compare that with; the operator \
                 must add issuer to the provider",
            ),
            None if provider.answers_with_issuer => refuse(
                "callback.no_issuer",
                "does not say which identity provider it comes from (iss), though this one always does",
            ),
            Some(issuer) if !provider.issuer.accepts(issuer, None) => refuse(
                "callback.issuer",
                "comes from another identity provider than the one asked (iss differs)",
            ),
            _ => Ok(()),
        }
    }
}

/// A bare query may hold a raw `?`; what has `=` or `&` before it is no path.
fn split(uri: &str) -> (Option<&str>, &str) {
    let is_address = |text: &str| text.starts_with('/') || text.contains("://");
    match uri.split_once('?') {
        Some(("", query)) => (None, query),
        Some((path, query)) if is_address(path) || !path.contains(['=', '&']) => (Some(path), query),
        None if is_address(uri) || !uri.contains('=') => ((!uri.is_empty()).then_some(uri), ""),
        _ => (None, uri),
    }
}

fn pairs(text: &str) -> Vec<(String, String)> {
    form_urlencoded::parse(text.as_bytes()).into_owned().collect()
}

/// RFC 6749 §3.1: no parameter more than once.
fn only<'a>(pairs: &'a [(String, String)], name: &str) -> Result<Option<&'a str>> {
    let mut found = pairs.iter().filter(|(n, _)| n == name).map(|(_, value)| value.as_str());
    let first = found.next();
    if found.next().is_some() {
        return refuse("callback.repeated", &format!("brings {name:?} more than once"));
    }
    Ok(first)
}

fn is_answer(name: &str) -> bool {
    redirect::ANSWER_PARAMETERS.contains(&name)
}

fn is_admin_consent(pairs: &[(String, String)]) -> bool {
    pairs.iter().any(|(name, value)| name == "admin_consent" && value.eq_ignore_ascii_case("true"))
}

fn refuse<T>(cause: &'static str, what: &str) -> Result<T> {
    Err(Error::new(Status::Callback, cause, format!("the answer brought back from the provider {what}"))
        .advice("Nothing was changed. Please start the sign-in again from your mailbox settings."))
}
