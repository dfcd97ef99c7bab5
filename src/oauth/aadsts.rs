//! Microsoft's error numbers as data (PROTOCOL.md A.12).
//!
//! A number only refines what `error` and `suberror` say, since Microsoft promises neither number nor text; one that
//! is not here changes nothing.

/// Who can help.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Class {
    /// The user signs in again.
    User,
    /// The organisation's administrator acts.
    Admin,
    /// The configuration here, or the registration there, is wrong.
    Config,
    /// Time.
    Time,
}

pub struct Row {
    pub codes: &'static [u32],
    pub class: Class,
    pub cause: &'static str,
    pub advice: &'static str,
    /// Not before so many seconds.
    pub wait_s: u32,
}

pub fn row(code: u32) -> Option<&'static Row> {
    ROWS.iter().find(|row| row.codes.contains(&code))
}

const fn user(codes: &'static [u32], cause: &'static str, advice: &'static str) -> Row {
    new(codes, Class::User, cause, advice, 0)
}
const fn admin(codes: &'static [u32], cause: &'static str, advice: &'static str) -> Row {
    new(codes, Class::Admin, cause, advice, 0)
}
const fn config(codes: &'static [u32], cause: &'static str, advice: &'static str) -> Row {
    new(codes, Class::Config, cause, advice, 0)
}
const fn time(codes: &'static [u32], cause: &'static str, advice: &'static str, wait_s: u32) -> Row {
    new(codes, Class::Time, cause, advice, wait_s)
}
const fn new(
    codes: &'static [u32],
    class: Class,
    cause: &'static str,
    advice: &'static str,
    wait_s: u32,
) -> Row {
    Row { codes, class, cause, advice, wait_s }
}

pub static ROWS: &[Row] = &[
    // --- the user signs in (again) ---
    user(
        &[16000, 16003, 50014, 50020, 50034, 51004, 90072],
        "consent.wrong_account",
        "This account is not known in the organisation the sign-in goes to. Sign in with the mailbox's own account, \
         or ask the organisation's administrator to invite it.",
    ),
    user(
        &[50055, 50125, 50135, 50144],
        "consent.password_expired",
        "Set a new password at Microsoft first, then sign in again.",
    ),
    user(&[50056, 50064, 50126], "consent.wrong_password", "Sign in again with the right password."),
    user(
        &[50058, 50085, 50089, 50140, 50199, 700020],
        "consent.interaction",
        "Microsoft wants to ask something. Sign in again and answer its questions.",
    ),
    user(
        &[50072, 50074, 50076, 50078, 50079, 50158, 500121, 53004, 53010],
        "consent.second_factor",
        "Sign in again and complete the second step (code, app or key). If it cannot be set up from here, ask your \
         administrator.",
    ),
    user(
        &[50132, 50133, 50173],
        "consent.revoked",
        "The permission was withdrawn at Microsoft, by a changed password or by an administrator. Sign in again.",
    ),
    user(
        &[65001],
        "consent.missing",
        "Sign in again and agree to the access. If the page says that an administrator must agree, send him the \
         link for administrators.",
    ),
    user(
        &[65004],
        "consent.declined",
        "The access was declined. Sign in again and press Accept if mail is to be collected.",
    ),
    user(&[70000], "consent.invalid", "The permission is no longer valid at Microsoft. Sign in again."),
    user(
        &[70008, 700082],
        "consent.expired",
        "The permission expired because it was not used for a long time. Sign in again.",
    ),
    user(
        &[70043, 70044],
        "consent.sign_in_frequency",
        "Your organisation wants a new sign-in from time to time. Sign in again; if this returns too often, the \
         administrator must exempt this application from the sign-in frequency.",
    ),
    user(&[70018, 70019], "consent.device_code", "The code was wrong or too old. Start the sign-in again."),
    // --- the organisation's administrator ---
    admin(
        &[90093, 90094, 90095, 90099],
        "consent.admin_required",
        "Your organisation lets only an administrator agree to this access. Send him the link for administrators; \
         after he agreed, sign in again.",
    ),
    admin(
        &[50002, 500021, 500022, 500212, 500213],
        "provider.tenant_restricted",
        "The organisation's policy between tenants forbids this access; its administrator must allow it.",
    ),
    admin(
        &[50005, 50097, 50127, 50129, 50131, 50155, 50187, 53000, 53001, 53002, 135011],
        "provider.device_policy",
        "A device policy of the organisation refuses a mail server's access. Its administrator must exempt this \
         application or this server's address from that policy.",
    ),
    admin(
        &[53003, 53011, 530032, 530034, 530035],
        "provider.conditional_access",
        "Conditional access or a security policy of the organisation blocks this access. Its administrator finds the \
         policy in the sign-in log and must exempt this application or this server's address.",
    ),
    admin(
        &[50057],
        "provider.account_disabled",
        "The account is disabled; the organisation's administrator must enable it.",
    ),
    admin(
        &[50105],
        "provider.not_assigned",
        "The application is limited to assigned users; the administrator must assign this user in the enterprise \
         application, or lift the limit.",
    ),
    admin(
        &[650052],
        "provider.no_subscription",
        "The organisation has no subscription for this service (Exchange Online); its administrator must add it.",
    ),
    admin(
        &[70001, 7000112, 1000031],
        "provider.application_disabled",
        "The application is disabled in the organisation; its administrator must enable it.",
    ),
    admin(
        &[7000229],
        "provider.not_installed",
        "The application is not present in the organisation; an administrator must agree to it once with the link \
         for administrators.",
    ),
    // --- configuration and registration ---
    config(
        &[50001, 500011],
        "config.resource",
        "The scope names a resource this tenant does not have: check scopes and authority (cloud) of the provider; \
         or the organisation has no Exchange Online.",
    ),
    config(
        &[50011, 70004],
        "config.redirect_uri",
        "Register the provider's redirect_uri exactly as configured (Entra: Authentication, platform Web).",
    ),
    config(
        &[50012, 50013, 50027, 50048, 500133, 700027, 700030],
        "config.certificate",
        "The certificate sign-in of the application was refused: check certificate, registration and this machine's \
         clock.",
    ),
    config(
        &[500208, 50059, 50128, 50194, 700005, 90002, 90019, 9001023, 90124, 90130, 9002332],
        "config.tenant",
        "The provider's tenant does not fit the application's registration: use the tenant's id for a single-tenant \
         application, organizations for a multi-tenant one, consumers for personal accounts.",
    ),
    config(
        &[50147, 501481, 501491],
        "config.pkce",
        "The proof of the sign-in did not fit. Start again; if it stays, report it as a fault of multipop.",
    ),
    config(&[54005], "config.code_used", "The same answer was redeemed twice. Start the sign-in again."),
    config(
        &[65005, 650054, 650056, 650057],
        "config.permission",
        "The application's registration lacks the permission POP.AccessAsUser.All; add it (Entra: API permissions) \
         and let an administrator agree to it.",
    ),
    config(
        &[700011, 700016],
        "config.client_id",
        "The application is not found there: check client_id, tenant and cloud, or an administrator must install it.",
    ),
    config(
        &[70002, 7000215],
        "config.client_secret",
        "The client secret is wrong: use the secret's value, not its id.",
    ),
    config(
        &[7000222],
        "config.client_secret_expired",
        "The client secret expired: make a new one in the registration and put it into the secret file.",
    ),
    config(
        &[7000218],
        "config.client_secret_missing",
        "Microsoft saw no client secret: check client_authentication, and that the platform is Web.",
    ),
    config(
        &[700025, 700084],
        "config.platform",
        "The redirect URI is registered for the wrong platform: it must be Web, neither SPA nor mobile and desktop.",
    ),
    config(
        &[700022, 700023, 70011, 28002, 28003],
        "config.scope",
        "The provider's scopes are not accepted: name exactly one resource, such as \
         https://outlook.office.com/POP.AccessAsUser.All.",
    ),
    config(
        &[
            70003, 70005, 70007, 90004, 90013, 90014, 900144, 90015, 90023, 9002313, 90100, 900561, 900971,
            901002,
        ],
        "config.request",
        "Microsoft does not understand the request: check the provider's endpoints and extra parameters.",
    ),
    config(
        &[90038, 90043, 90051, 900382, 900432, 1000104],
        "config.cloud",
        "The account lives in another Microsoft cloud: register the application there and set authority, scopes and \
         servers of that cloud.",
    ),
    // --- time ---
    time(
        &[50000, 50033, 50087, 50088, 70012, 90006, 90012, 90024, 90033, 90090, 90091],
        "provider.trouble",
        "Microsoft has trouble; multipop tries again by itself.",
        0,
    ),
    time(
        &[80001, 80002, 80005, 80007, 80014],
        "provider.on_premises",
        "The organisation's own password server does not answer; multipop tries again. If it stays, its \
         administrator must look.",
        300,
    ),
    time(
        &[80012],
        "provider.logon_hours",
        "The account may not sign in at this time of day; multipop tries again later.",
        1800,
    ),
    time(
        &[50053],
        "provider.locked",
        "The account is locked after failed sign-ins, or this server's address is distrusted; multipop waits an \
         hour. If it stays, the administrator must look into the sign-in log.",
        3600,
    ),
    time(&[50196], "provider.loop", "Microsoft slows down repeated requests; multipop waits.", 900),
    time(
        &[90055],
        "provider.throttled",
        "Microsoft limits the organisation's requests; multipop waits.",
        1800,
    ),
];
