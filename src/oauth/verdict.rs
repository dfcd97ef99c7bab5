//! What `error` and `suberror` mean where no number refines it (RFC 6749 §4.1.2.1, §5.2; PROTOCOL.md A.11).

use super::aadsts::{Class, Row};

pub struct Verdict {
    pub class: Class,
    pub cause: &'static str,
    pub advice: &'static str,
    pub wait_s: u32,
}

impl From<&'static Row> for Verdict {
    fn from(row: &'static Row) -> Verdict {
        Verdict { class: row.class, cause: row.cause, advice: row.advice, wait_s: row.wait_s }
    }
}

/// PROTOCOL.md A.11, decision 3.
pub fn by_error(error: &str) -> Verdict {
    let (class, cause, advice) = match error {
        "temporarily_unavailable" | "server_error" | "slow_down" => (
            Class::Time,
            "provider.trouble",
            "The identity provider has trouble; multipop tries again by itself.",
        ),
        "invalid_grant" | "expired_token" | "bad_verification_code" => (
            Class::User,
            "consent.revoked",
            "The permission is no longer valid at the provider: it was withdrawn or expired. Sign in again.",
        ),
        "interaction_required" | "login_required" | "account_selection_required" => (
            Class::User,
            "consent.interaction",
            "The provider wants to ask something. Sign in again and answer its questions.",
        ),
        "consent_required" => (
            Class::User,
            "consent.missing",
            "Sign in again and agree to the access. If the page says that an administrator must agree, send him \
             the link for administrators.",
        ),
        "access_denied" | "authorization_declined" => (
            Class::User,
            "consent.declined",
            "The access was declined. Sign in again and agree if mail is to be collected.",
        ),
        "invalid_client" => (
            Class::Config,
            "config.client_secret",
            "The provider does not accept this application: check client_id and the client secret's file.",
        ),
        "unauthorized_client" | "unsupported_grant_type" | "unsupported_response_type" => (
            Class::Config,
            "config.client",
            "The application's registration at the provider does not allow this kind of sign-in.",
        ),
        "invalid_scope" | "invalid_resource" | "invalid_target" => (
            Class::Config,
            "config.scope",
            "The provider does not accept the scopes; check them in the configuration and the registration.",
        ),
        _ => (
            Class::Config,
            "config.request",
            "The provider does not understand the request; check endpoints and extra parameters.",
        ),
    };
    Verdict { class, cause, advice, wait_s: 0 }
}

pub fn by_suberror(suberror: &str) -> Option<Verdict> {
    let (class, cause, advice) = match suberror {
        "consent_required" => (
            Class::User,
            "consent.missing",
            "Sign in again and agree to the access. If the page says that an administrator must agree, send him \
             the link for administrators.",
        ),
        "message_only" | "basic_action" | "additional_action" => (
            Class::User,
            "consent.interaction",
            "The provider wants to tell or ask something. Sign in again and answer its questions.",
        ),
        "user_password_expired" => (
            Class::User,
            "consent.password_expired",
            "Set a new password at the provider first, then sign in again.",
        ),
        "bad_token" => (
            Class::User,
            "consent.revoked",
            "The permission is no longer valid at the provider. Sign in again.",
        ),
        "token_expired" => (Class::User, "consent.expired", "The permission expired. Sign in again."),
        "client_mismatch" => (
            Class::Config,
            "config.client_mismatch",
            "The permission belongs to another application: client_id was changed. Set it back, or sign in again.",
        ),
        "device_authentication_failed" | "protection_policy_required" => (
            Class::Admin,
            "provider.device_policy",
            "A device policy of the organisation refuses a mail server's access; its administrator must exempt \
             this application.",
        ),
        _ => return None,
    };
    Some(Verdict { class, cause, advice, wait_s: 0 })
}
