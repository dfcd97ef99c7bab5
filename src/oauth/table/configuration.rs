//! What is wrong in the configuration here or in the registration there (class C of PROTOCOL.md A.12).

use super::{Class, Row, When};

const OPERATOR: &str =
    "Nothing is wrong with your mailbox: the operator of this mail server must mend its set-up.";

const fn row(cause: &'static str, for_operator: &'static str) -> Row {
    Row::new(Class::Config, cause, OPERATOR, for_operator)
}

pub static ROWS: &[Row] = &[
    row(
        "config.resource",
        "Check scopes and authority (cloud) of the provider; or the organisation has no Exchange Online (Microsoft \
         365 admin center, Billing > Your products).",
    )
    .numbers(&[50001, 500011])
    .when(When::SigningIn),
    row(
        "config.redirect_uri",
        "Register the provider's redirect_uri exactly as configured: Entra admin center, App registrations > the \
         application > Authentication > Platform configurations > Web.",
    )
    .numbers(&[50011]),
    row(
        "config.redirect_uri_form",
        "The provider's redirect_uri has a form Microsoft does not take: Entra admin center, App registrations > the \
         application > Authentication lists what may stand there.",
    )
    .numbers(&[70004]),
    row(
        "config.clock",
        "This machine's clock is wrong by minutes (timedatectl; chronyc tracking): set it first; what else is wrong \
         shows only then.",
    )
    .numbers(&[50012, 50013, 50027, 500133, 700024])
    .when(When::ClockWrong),
    row(
        "config.certificate",
        "The certificate's sign-in was refused: compare key, certificate and token_endpoint with Entra admin center, \
         App registrations > the application > Certificates & secrets > Certificates.",
    )
    .numbers(&[50012, 50013, 50027, 500133, 700024])
    .when(When::ClockRight),
    row(
        "config.certificate_unknown",
        "Upload the certificate that is configured, or a new one where it is over: Entra admin center, App \
         registrations > the application > Certificates & secrets > Certificates.",
    )
    .numbers(&[700027, 700030]),
    row(
        "config.certificate_over",
        "The application's certificate is over or does not hold yet: make a new pair, upload its certificate under Entra \
         admin center, App registrations > the application > Certificates & secrets > Certificates, and name both files \
         in the provider's certificates.",
    )
    .numbers(&[1000502]),
    row(
        "config.assertion",
        "The assertion names two different clients: check client_id against Entra admin center, App registrations > \
         the application > Overview > Application (client) ID.",
    )
    .numbers(&[50048]),
    row(
        "config.account_type",
        "This kind of account does not fit the provider's tenant: use consumers for personal accounts, organizations \
         for work accounts, common for both.",
    )
    .numbers(&[500208])
    .when(When::AtToken),
    row(
        "config.tenant_changed",
        "The account worked before and is not known in the tenant now: set the provider's tenant back if it was \
         changed, or see Entra admin center, Identity > Users > Deleted users.",
    )
    .numbers(&[50020, 50034])
    .when(When::Renewing),
    row(
        "config.tenant_missing",
        "Microsoft cannot tell the tenant: write its id into the provider's tenant (Entra admin center, Identity > \
         Overview > Tenant ID).",
    )
    .numbers(&[50059, 50128, 90019]),
    row(
        "config.tenant_unknown",
        "There is no such tenant: compare the provider's tenant and authority (cloud) with Entra admin center, \
         Identity > Overview > Tenant ID.",
    )
    .numbers(&[90002]),
    row(
        "config.single_tenant",
        "The application is registered for one tenant only: write that tenant's id into the provider's tenant, or \
         widen Entra admin center, App registrations > the application > Authentication > Supported account types.",
    )
    .numbers(&[50194]),
    row(
        "config.tenant_common",
        "This is not possible at common or consumers: set the provider's tenant to organizations or to the tenant's id.",
    )
    .numbers(&[9001023, 90124, 90130]),
    row(
        "config.work_only",
        "The application takes work accounts only and the provider's tenant is consumers: widen Entra admin center, \
         App registrations > the application > Authentication > Supported account types.",
    )
    .numbers(&[9002332]),
    row(
        "config.tenant_differs",
        "The code was redeemed at another tenant than it came from: authorize_endpoint and token_endpoint of the \
         provider must name the same tenant.",
    )
    .numbers(&[700005]),
    row(
        "config.pkce",
        "The proof of the sign-in did not fit: start it again; if it stays, report it as a fault of multipop.",
    )
    .numbers(&[50147, 501481, 501491]),
    row(
        "config.code_used",
        "The same answer was redeemed twice: start the sign-in again, and look for a proxy that repeats requests.",
    )
    .numbers(&[54005]),
    row(
        "config.permission",
        "Add POP.AccessAsUser.All and agree to it: Entra admin center, App registrations > the application > API \
         permissions > Add a permission, then Grant admin consent.",
    )
    .numbers(&[65005, 650054, 650056, 650057]),
    row(
        "config.client_id",
        "The application is not found there: compare client_id, tenant and cloud with Entra admin center, App \
         registrations > the application > Overview; or an administrator must install it with the link for \
         administrators.",
    )
    .numbers(&[700011, 700016])
    .when(When::SigningIn),
    row(
        "config.client_secret",
        "Put the secret's Value, not its Secret ID, into the provider's client_secret_file: Entra admin center, App \
         registrations > the application > Certificates & secrets > Client secrets.",
    )
    .numbers(&[70002, 7000215]),
    row(
        "config.client_secret_expired",
        "Make a new secret and put its Value into the provider's client_secret_file: Entra admin center, App \
         registrations > the application > Certificates & secrets > New client secret.",
    )
    .numbers(&[7000222]),
    row(
        "config.client_secret_missing",
        "Microsoft saw no client secret: check client_authentication, and Entra admin center, App registrations > the \
         application > Authentication > Allow public client flows.",
    )
    .numbers(&[7000218]),
    row(
        "config.platform_public",
        "The redirect URI is registered as a public client: move it to the platform Web under Entra admin center, App \
         registrations > the application > Authentication.",
    )
    .numbers(&[700025]),
    row(
        "config.platform",
        "The redirect URI is registered as a single-page application: move it to the platform Web under Entra admin \
         center, App registrations > the application > Authentication; then the user signs in again.",
    )
    .numbers(&[700084]),
    row(
        "config.scope_resources",
        "The provider's scopes must name exactly one resource, such as \
         https://outlook.office.com/POP.AccessAsUser.All.",
    )
    .numbers(&[700022, 700023]),
    row(
        "config.scope",
        "The provider's scopes are not accepted: write https://outlook.office.com/POP.AccessAsUser.All and \
         offline_access.",
    )
    .numbers(&[70011, 28002, 28003]),
    row(
        "config.grant_type",
        "Microsoft does not support this response type or grant: check the provider's endpoints, response_mode and \
         authorize_parameters.",
    )
    .numbers(&[70003, 70005, 70007]),
    row(
        "config.request",
        "Microsoft does not understand the request: check the provider's endpoints and authorize_parameters.",
    )
    .numbers(&[90004, 90013, 90014, 900144, 90015, 90023, 9002313, 90100, 900561, 900971, 901002]),
    row(
        "config.cloud",
        "The account lives in another Microsoft cloud: register the application there and set authority, scopes and \
         servers of that cloud.",
    )
    .numbers(&[90038, 90043, 90051, 900382, 900432, 1000104]),
    // --- any provider ---
    row(
        "config.client_secret",
        "The provider does not accept this application: compare client_id and the client secret's file with its \
         registration.",
    )
    .errors(&["invalid_client"]),
    row(
        "config.client",
        "The application's registration at the provider does not allow this kind of sign-in: allow the authorization \
         code and refresh grants there.",
    )
    .errors(&["unauthorized_client", "unsupported_grant_type", "unsupported_response_type"]),
    row(
        "config.scope",
        "The provider does not accept the scopes: compare them in the configuration with its registration.",
    )
    .errors(&["invalid_scope", "invalid_resource", "invalid_target"]),
    row(
        "config.client_mismatch",
        "The permission belongs to another application because client_id was changed: set it back, or let the users \
         sign in again.",
    )
    .suberrors(&["client_mismatch"]),
    row(
        "config.request",
        "The provider does not understand the request: check the provider's endpoints and authorize_parameters.",
    )
    .errors(&["invalid_request", "*"]),
];
