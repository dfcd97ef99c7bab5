//! Which scopes are asked for: one resource, and what brings a refresh token (PROTOCOL.md A.7).

use url::Url;

use super::{Rules, is_printable};
use crate::error::Result;
use crate::oauth::profile::Defaults;

/// Scopes that are no resource's (OpenID Connect Core §5.4, §11).
const IDENTITY_SCOPES: [&str; 6] = ["openid", "profile", "email", "address", "phone", "offline_access"];

impl Rules<'_> {
    /// What an application's own token is asked for with (PROTOCOL.md A.10).
    pub(super) fn app_scope(&self, defaults: &Defaults) -> Result<Option<String>> {
        let Some(given) = &self.config.app_scope else {
            let has_one = !defaults.app_scope.is_empty() && self.config.has_one_tenant();
            return Ok(has_one.then(|| defaults.app_scope.to_owned()));
        };
        let one = |scope: &str| !scope.is_empty() && is_printable(scope) && !scope.contains(['"', '\\']);
        if !one(given) {
            return self.broken("app_scope", "must be one scope without spaces");
        }
        if !self.config.profile.is_microsoft() {
            return Ok(Some(given.clone()));
        }
        if !given.ends_with("/.default") {
            return self.broken(
                "app_scope",
                "must end in /.default at Microsoft, such as https://outlook.office365.com/.default",
            );
        }
        Ok(self.config.has_one_tenant().then(|| given.clone()))
    }

    pub(super) fn scopes(&self, defaults: &Defaults) -> Result<Vec<String>> {
        let scopes: Vec<String> = match &self.config.scopes {
            Some(scopes) => scopes.clone(),
            None => defaults.scopes.iter().map(|scope| (*scope).to_owned()).collect(),
        };
        if scopes.is_empty() {
            return self.broken("scopes", "must name what allows POP at this provider");
        }
        for (at, scope) in scopes.iter().enumerate() {
            // RFC 6749 §3.3
            if scope.is_empty() || !is_printable(scope) || scope.contains(['"', '\\']) {
                return self.broken(&format!("scopes[{at}]"), "must be one scope without spaces");
            }
            if scopes[..at].contains(scope) {
                return self.broken(&format!("scopes[{at}]"), "stands twice");
            }
        }
        let microsoft = self.config.profile.is_microsoft();
        let mut resources: Vec<String> = Vec::new();
        for scope in scopes.iter().filter(|scope| !IDENTITY_SCOPES.contains(&scope.as_str())) {
            let resource = match Url::parse(scope) {
                Ok(url) => url.host_str().unwrap_or(scope).to_ascii_lowercase(),
                Err(_) if microsoft => {
                    return self.broken(
                        "scopes",
                        format!(
                            "{scope:?} names no resource, which means Microsoft Graph, whose tokens no mail \
                             server takes; write https://outlook.office.com/{scope}"
                        ),
                    );
                }
                Err(_) => continue,
            };
            if !resources.contains(&resource) {
                resources.push(resource);
            }
        }
        if resources.len() > 1 {
            return self.broken(
                "scopes",
                format!("must belong to one resource, not to {}", resources.join(" and ")),
            );
        }
        if microsoft && resources.is_empty() {
            return self.broken("scopes", "must name POP.AccessAsUser.All with its resource");
        }
        if microsoft && !scopes.iter().any(|scope| scope == "offline_access") {
            return self.broken("scopes", "must hold offline_access, or Microsoft gives no refresh token");
        }
        Ok(scopes)
    }
}
