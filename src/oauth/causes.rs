//! The causes a sign-in can end with, so that one read back from the store is the same constant again.

use super::table;

/// The constant with this text; none for one of another version of this library.
pub fn known_cause(text: &str) -> Option<&'static str> {
    let rows = table::rows().map(|row| row.cause);
    CAUSES.iter().copied().chain(rows).find(|cause| *cause == text)
}

/// In order, without those of the table of diagnosis.
const CAUSES: &[&str] = &[
    "bug",
    "callback.changed",
    "callback.characters",
    "callback.code",
    "callback.code_and_error",
    "callback.expired",
    "callback.fragment",
    "callback.issuer",
    "callback.mixed",
    "callback.no_code",
    "callback.no_issuer",
    "callback.no_state",
    "callback.not_admin",
    "callback.path",
    "callback.query",
    "callback.repeated",
    "callback.too_long",
    "callback.unanswered",
    "callback.unknown",
    "cancelled",
    "config.app_only",
    "config.resolver",
    "config.server_private",
    "connect.failed",
    "config.provider",
    "config.provider_missing",
    "config.provider_server",
    "confirm.changed",
    "confirm.expired",
    "confirm.needed",
    "confirm.nothing",
    "confirm.owner_only",
    "confirm.session",
    "consent.admin_granted",
    "consent.admin_refused",
    "consent.no_admin_consent",
    "consent.no_refresh_token",
    "consent.none",
    "consent.other_issuer",
    "consent.other_subject",
    "consent.password",
    "consent.pop_not_granted",
    "consent.token_file",
    "deadline",
    "device.busy",
    "device.code",
    "device.expired",
    "device.no_endpoint",
    "device.pending",
    "device.unknown",
    "dns.failed",
    "grant.busy",
    "identity.algorithm",
    "identity.audience",
    "identity.form",
    "identity.issuer",
    "identity.nonce",
    "identity.subject",
    "identity.time",
    "mailbox.app_access",
    "network.family",
    "network.source",
    "provider.authentication",
    "provider.bad_token",
    "provider.certificate",
    "provider.device_answer",
    "provider.endpoint",
    "provider.expires_in",
    "provider.member_type",
    "provider.no_endpoint",
    "provider.no_metadata",
    "provider.no_pkce",
    "provider.no_token",
    "provider.not_json",
    "provider.other_issuer",
    "provider.other_subject",
    "provider.pop_not_granted",
    "provider.proxy",
    "provider.redirect",
    "provider.token_type",
    "provider.too_long",
    "provider.unreachable",
    "proxy.authentication",
    "proxy.no_answer",
    "proxy.protocol",
    "proxy.refused",
    "proxy.unreachable",
    "resources.random",
    "resources.runtime",
    "rights",
    "rights.account_disabled",
    "rights.app_only",
    "rights.device",
    "rights.device_off",
    "rights.disabled",
    "server.refused_for_now",
    "server.logins_refused",
];

#[cfg(test)]
mod tests {
    use super::*;

    /// Every cause that stands in the code a sign-in runs through.
    #[test]
    fn no_cause_is_missing() {
        let sources = [
            include_str!("authorize.rs"),
            include_str!("callback.rs"),
            include_str!("device.rs"),
            include_str!("diagnosis.rs"),
            include_str!("discovery.rs"),
            include_str!("identity.rs"),
            include_str!("mailbox.rs"),
            include_str!("rules.rs"),
            include_str!("token.rs"),
            include_str!("table/configuration.rs"),
            include_str!("table/mailbox.rs"),
            include_str!("table/organisation.rs"),
            include_str!("table/passing.rs"),
            include_str!("table/person.rs"),
            include_str!("../engine/app_only.rs"),
            include_str!("../engine/grant.rs"),
            include_str!("../engine/sign_in.rs"),
            include_str!("../net/dial.rs"),
            include_str!("../net/https.rs"),
            include_str!("../net/proxy.rs"),
            include_str!("../net/route.rs"),
            include_str!("../service/consent.rs"),
            include_str!("../service/consent/admin.rs"),
            include_str!("../service/consent/confirm.rs"),
            include_str!("../service/consent/connect.rs"),
            include_str!("../service/consent/device.rs"),
            include_str!("../service/consent/settle.rs"),
        ];
        let is_word = |text: &str| {
            !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
        };
        let mut seen = 0;
        for quoted in sources.iter().flat_map(|source| source.split('"').skip(1).step_by(2)) {
            let Some((kind, what)) = quoted.split_once('.') else {
                continue;
            };
            // Arguments are refused before there is anything to remember.
            if is_word(kind) && is_word(what) && kind != "argument" {
                seen += 1;
                assert_eq!(known_cause(quoted), Some(quoted));
            }
        }
        assert!(seen > 60, "{seen}");
        assert_eq!(known_cause("consent.of_tomorrow"), None);
    }
}
