//! What the person who signs in can mend (class R of PROTOCOL.md A.12).

use super::{Class, Row, When};

const fn row(cause: &'static str, for_user: &'static str, for_operator: &'static str) -> Row {
    Row::new(Class::User, cause, for_user, for_operator)
}

pub static ROWS: &[Row] = &[
    row(
        "consent.wrong_account",
        "This account is not known in the organisation the sign-in goes to: sign in with the mailbox's own account.",
        "Entra admin center, Identity > Users > All users must list the account; invite a guest there under New user > \
         Invite external user, or widen the provider's tenant.",
    )
    .numbers(&[16000, 16003, 50014, 50020, 50034, 51004, 90072])
    .when(When::SigningIn),
    row(
        "consent.account_type",
        "This kind of account cannot sign in here: choose the mailbox's own work or personal account.",
        "Entra admin center, App registrations > the application > Authentication > Supported account types must \
         include this kind of account.",
    )
    .numbers(&[500208])
    .when(When::InBrowser),
    row(
        "consent.password_expired",
        "Set a new password at Microsoft first, then sign in again.",
        "Entra admin center, Identity > Users > the user > Reset password, if the user cannot do it.",
    )
    .numbers(&[50055, 50125, 50135, 50144]),
    row(
        "consent.wrong_password",
        "Sign in again with the right password.",
        "Entra admin center, Identity > Users > the user > Sign-in logs shows the failed attempts.",
    )
    .numbers(&[50056, 50064, 50126]),
    row(
        "consent.interaction",
        "Microsoft wants to ask something: sign in again and answer its questions.",
        "Entra admin center, Identity > Users > the user > Sign-in logs shows what interrupts the sign-in.",
    )
    .numbers(&[50058, 50085, 50089, 50140, 50199, 700020]),
    row(
        "consent.second_factor",
        "Sign in again and complete the second step (code, app or key).",
        "Entra admin center, Identity > Users > the user > Authentication methods shows what is registered; require \
         re-register there if the device is lost.",
    )
    .numbers(&[50072, 50074, 50076, 50078, 50079, 50158, 500121]),
    row(
        "consent.second_factor_setup",
        "Set up a second step at https://aka.ms/mfasetup, then sign in again.",
        "Entra admin center, Identity > Users > the user > Authentication methods: add one for the user if he cannot \
         do it himself.",
    )
    .numbers(&[53004, 53010])
    .when(When::AtToken),
    row(
        "consent.session_ended",
        "Your password was changed or expired, which ended the permission: sign in again.",
        "Entra admin center, Identity > Users > the user > Audit logs shows the change of password.",
    )
    .numbers(&[50132, 50133]),
    row(
        "consent.revoked",
        "The permission was withdrawn at Microsoft, by a changed password or by an administrator: sign in again.",
        "Entra admin center, Identity > Users > the user > Audit logs shows who revoked the sessions.",
    )
    .numbers(&[50173]),
    row(
        "consent.missing",
        "Sign in again and agree to the access; if the page wants an administrator, send him the link for \
         administrators.",
        "Entra admin center, Enterprise applications > the application > Permissions shows who agreed; an \
         administrator may agree there for everybody.",
    )
    .numbers(&[65001])
    .when(When::AtToken),
    row(
        "consent.declined",
        "The access was declined: sign in again and press Accept if mail is to be collected.",
        "Nothing is wrong with the configuration: the person pressed Cancel on the page of consent.",
    )
    .numbers(&[65004]),
    row(
        "consent.invalid",
        "The permission is no longer valid at Microsoft: sign in again.",
        "Entra admin center, Identity > Users > the user > Sign-in logs > User sign-ins (non-interactive) shows why.",
    )
    .numbers(&[70000]),
    row(
        "consent.ended",
        "The permission expired or was withdrawn: sign in again.",
        "Entra admin center, Identity > Users > the user > Sign-in logs > User sign-ins (non-interactive) shows when \
         it was last used.",
    )
    .numbers(&[70008]),
    row(
        "consent.expired",
        "The permission expired because it was not used for a long time: sign in again.",
        "Let the host fetch at least weekly: Microsoft ends a permission that rests for 90 days.",
    )
    .numbers(&[700082]),
    row(
        "consent.sign_in_frequency",
        "Your organisation wants a new sign-in from time to time: sign in again.",
        "If it returns, exempt the application: Entra admin center, Protection > Conditional Access > Policies > the \
         policy > Session > Sign-in frequency.",
    )
    .numbers(&[70043, 70044]),
    row(
        "consent.device_code",
        "The code was wrong or too old: start the sign-in again.",
        "Nothing is to be done; the person must enter the code within its minutes.",
    )
    .numbers(&[70018, 70019]),
    // --- any provider ---
    row(
        "consent.revoked",
        "The permission is no longer valid at the provider, it was withdrawn or expired: sign in again.",
        "The provider's own log of sign-ins says why; here nothing is to be changed.",
    )
    .errors(&["invalid_grant", "expired_token", "bad_verification_code"])
    .suberrors(&["bad_token"]),
    row(
        "consent.interaction",
        "The provider wants to ask something: sign in again and answer its questions.",
        "The provider's own log of sign-ins says what interrupts this one; here nothing is to be changed.",
    )
    .errors(&["interaction_required", "login_required", "account_selection_required"])
    .suberrors(&["message_only", "basic_action", "additional_action"]),
    row(
        "consent.missing",
        "Sign in again and agree to the access; if the page wants an administrator, send him the link for \
         administrators.",
        "The provider's page of third-party applications shows whether users may agree themselves.",
    )
    .errors(&["consent_required"])
    .suberrors(&["consent_required"]),
    row(
        "consent.declined",
        "The access was declined: sign in again and agree if mail is to be collected.",
        "Nothing is wrong with the configuration: the person did not agree.",
    )
    .errors(&["access_denied", "authorization_declined"]),
    row(
        "consent.password_expired",
        "Set a new password at the provider first, then sign in again.",
        "The provider's page of users can set a new password, if the user cannot.",
    )
    .suberrors(&["user_password_expired"]),
    row(
        "consent.expired",
        "The permission expired: sign in again.",
        "Let the host fetch at least weekly, so that the permission is used.",
    )
    .suberrors(&["token_expired"]),
];
