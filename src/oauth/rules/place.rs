//! What depends on authority and tenant: endpoints, issuer, audience (PROTOCOL.md A.1 to A.4).

use url::Url;

use super::{Rules, address};
use crate::config::PERSONAL_TENANT;
use crate::error::Result;
use crate::oauth::profile::{self, Defaults};
use crate::oauth::provider::{IssuerRule, Profile, TENANT_ID, is_guid};

/// What depends on authority and tenant.
pub(super) struct Place<'a> {
    rules: Rules<'a>,
    defaults: &'static Defaults,
    authority: String,
    tenant: String,
}

impl<'a> Place<'a> {
    pub(super) fn new(rules: Rules<'a>, defaults: &'static Defaults) -> Result<Place<'a>> {
        let config = rules.config;
        let entra = !defaults.authority.is_empty();
        for (member, given) in [("authority", &config.authority), ("tenant", &config.tenant)] {
            if given.is_some() && !entra {
                return rules.broken(member, "belongs to the Microsoft profiles");
            }
        }
        let authority = config.authority.as_deref().unwrap_or(defaults.authority);
        if entra {
            address(authority).or_else(|why| rules.broken("authority", why))?;
        }
        let tenant = config.tenant.as_deref().unwrap_or(defaults.tenant);
        let is_name = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_');
        if entra && (tenant.is_empty() || !tenant.chars().all(is_name)) {
            return rules.broken(
                "tenant",
                "must be organizations, common, consumers, a tenant's id or one of its domains",
            );
        }
        let tenant = tenant.to_ascii_lowercase();
        if config.profile == Profile::Outlook && !is_personal(&tenant) {
            return rules.broken(
                "tenant",
                "must be consumers or common: mailboxes of an organisation belong to the profile microsoft365",
            );
        }
        Ok(Place { rules, defaults, authority: authority.trim_end_matches('/').to_owned(), tenant })
    }

    /// PROTOCOL.md A.3
    pub(super) fn has_personal_accounts(&self) -> bool {
        is_personal(&self.tenant)
    }

    pub(super) fn optional(
        &self,
        member: &str,
        given: &Option<String>,
        default: &str,
    ) -> Result<Option<Url>> {
        self.filled(member, given, default, &self.tenant)
    }

    /// Never on `common` (PROTOCOL.md A.9), and there is no administrator of personal accounts.
    pub(super) fn admin_consent(&self) -> Result<Option<Url>> {
        let given = &self.rules.config.admin_consent_endpoint;
        let tenant = match self.tenant.as_str() {
            "consumers" | PERSONAL_TENANT if given.is_none() => return Ok(None),
            "common" => "organizations",
            other => other,
        };
        self.filled("admin_consent_endpoint", given, self.defaults.admin_consent, tenant)
    }

    fn has_endpoints(&self) -> bool {
        let config = self.rules.config;
        (config.authorize_endpoint.is_some() || !self.defaults.authorize.is_empty())
            && (config.token_endpoint.is_some() || !self.defaults.token.is_empty())
    }

    fn filled(
        &self,
        member: &str,
        given: &Option<String>,
        default: &str,
        tenant: &str,
    ) -> Result<Option<Url>> {
        let text = match given {
            Some(text) => text.clone(),
            None if default.is_empty() => return Ok(None),
            None => default.replace(profile::AUTHORITY, &self.authority).replace(profile::TENANT, tenant),
        };
        match address(&text) {
            Ok(url) => Ok(Some(url)),
            Err(why) => self.rules.broken(member, why),
        }
    }

    /// Whether an administrator who agrees, agrees for everybody who can sign in here.
    pub(super) fn is_one_organisation(&self) -> bool {
        !matches!(self.tenant.as_str(), "common" | "organizations" | "consumers" | PERSONAL_TENANT)
    }

    /// PROTOCOL.md A.4: a tenant named by its id or `consumers` has a fixed issuer, every other one the template.
    pub(super) fn issuer(&self, asked: &[String]) -> Result<IssuerRule> {
        let text = match self.rules.config.issuer.as_deref() {
            Some(text) => text.to_owned(),
            None if self.rules.config.profile.is_microsoft() => {
                let tenant = match self.tenant.as_str() {
                    "consumers" => PERSONAL_TENANT,
                    id if is_guid(id) => id,
                    _ => TENANT_ID,
                };
                format!("{}/{tenant}/v2.0", self.authority)
            }
            None => self.defaults.issuer.to_owned(),
        };
        if text.is_empty() && self.has_endpoints() && !asked.iter().any(|scope| scope == "openid") {
            return Ok(IssuerRule::Unknown);
        }
        if text.is_empty() {
            return self.rules.broken(
                "issuer",
                "is missing; this profile has no default for it, and without it neither who signed in (scope \
                 openid) can be known nor an endpoint be found",
            );
        }
        let Some((authority, rest)) = text.split_once(TENANT_ID) else {
            address(&text).or_else(|why| self.rules.broken("issuer", why))?;
            return Ok(IssuerRule::Exact(text));
        };
        let authority = authority.trim_end_matches('/');
        if rest != "/v2.0" || !self.rules.config.profile.is_microsoft() {
            return self.rules.broken(
                "issuer",
                "may hold {tenantid} only as Microsoft has it: https://HOST/{tenantid}/v2.0",
            );
        }
        address(authority).or_else(|why| self.rules.broken("issuer", why))?;
        Ok(IssuerRule::Entra { authority: authority.to_owned() })
    }
}

fn is_personal(tenant: &str) -> bool {
    matches!(tenant, "common" | "consumers" | PERSONAL_TENANT)
}
