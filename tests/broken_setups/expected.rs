//! Broken set-ups, and what somebody who mends mail servers would want to hear of each.
//!
//! Written from PROTOCOL.md A.6, A.12 and B.6 and from the documents, before any of them was run and without
//! reading how the diagnosis comes about. An expectation is changed only where PROTOCOL.md says otherwise.

use Who::{Administrator, Operator, User, Wait};

/// Whom the red step sends to work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Who {
    /// Whoever runs this server and its registration at the provider: -10 to -19, but for the next.
    Operator,
    /// Whoever administers the tenant or the mailbox: E_PROVIDER, E_POLICY.
    Administrator,
    /// The owner of the mailbox: -20 to -29.
    User,
    /// Nobody; it passes: -30 to -39.
    Wait,
}

pub struct Seen {
    /// The one red step: everything before it is green, everything after it grey.
    pub step: &'static str,
    pub who: Who,
    /// Each must stand in the advice, in any case of letters; `|` between words of which one is enough. Of a
    /// configuration that is refused as a whole the message tells what is expected (docs/configuration.md), so there
    /// the two are read together.
    pub words: &'static [&'static str],
}

pub struct Broken {
    pub name: &'static str,
    pub broken: &'static str,
    /// How it is played.
    pub made: &'static str,
    pub first: Seen,
    /// With two faults at once: what is to be seen once the first is mended, and only then.
    pub then: Option<Seen>,
}

const fn seen(step: &'static str, who: Who, words: &'static [&'static str]) -> Seen {
    Seen { step, who, words }
}

pub const TWO_FAULTS: &[Broken] = &[
    Broken {
        name: "secret_id_and_wrong_tenant",
        broken: "the portal's Secret ID was copied in place of the Value, and the tenant is misspelt",
        made: "an app-only account; the secret's file holds a GUID; the token endpoint: invalid_request, AADSTS90002",
        first: seen("configuration", Operator, &["Secret ID", "Value", "Certificates & secrets"]),
        then: Some(seen("token", Operator, &["tenant"])),
    },
    Broken {
        name: "secret_expired_and_pop_off",
        broken: "the client secret ended last night, and POP is switched off for the mailbox",
        made: "refresh: invalid_client, AADSTS7000222; Exchange: its one refusal line",
        first: seen("token", Operator, &["Certificates & secrets", "client_secret_file"]),
        then: Some(seen("login", Administrator, &["Set-CASMailbox"])),
    },
    Broken {
        name: "name_wrong_and_certificate_over",
        broken: "the mail server's name is misspelt, and the certificate of the right one is over",
        made: "server pop.contoso.invalid; the mock at 127.0.0.1 shows a certificate that ended in 2021",
        first: seen("dns", Operator, &["name"]),
        then: Some(seen("tls", Operator, &["certificate"])),
    },
    Broken {
        name: "no_consent_and_wrong_user",
        broken: "nobody agreed to this application for the mailbox, and its user name is wrong",
        made: "refresh: consent_required, AADSTS65001; the token is alice's, the account's user alise@",
        first: seen("token", User, &["consent|agree", "administrator"]),
        then: Some(seen("login", Administrator, &["POP", "user"])),
    },
    Broken {
        name: "wrong_ca_and_conditional_access",
        broken: "the mail server's authority is not trusted here, and conditional access blocks the application",
        made: "the POP3 server shows a certificate of another CA; refresh: interaction_required, AADSTS53003, message_only",
        first: seen("tls", Operator, &["ca_file"]),
        then: Some(seen("token", Administrator, &["Conditional Access"])),
    },
    Broken {
        name: "port_closed_and_account_disabled",
        broken: "nothing listens on the port, and the person's account is disabled in the tenant",
        made: "a loopback port without listener; refresh: invalid_grant, AADSTS50057",
        first: seen("tcp", Operator, &["firewall|port"]),
        then: Some(seen("token", Administrator, &["disabled|enable|block"])),
    },
    Broken {
        name: "stls_port_and_permission_not_registered",
        broken: "TLS from the first byte at a port that begins in clear, and the registration lacks the POP permission",
        made: "a POP3 server with STLS, the account implicit; refresh: invalid_resource, AADSTS650057",
        first: seen("tls", Operator, &["stls"]),
        then: Some(seen("token", Operator, &["POP.AccessAsUser.All", "API permissions"])),
    },
    Broken {
        name: "grant_revoked_and_no_full_access",
        broken: "sessions were revoked, and the delegate has no Full Access to the shared mailbox",
        made: "sign_in alice, user info@; refresh: invalid_grant, AADSTS50173, bad_token; mended by signing in again",
        first: seen("token", User, &["sign in|signs in"]),
        then: Some(seen("login", Administrator, &["Full Access|FullAccess"])),
    },
    Broken {
        name: "http_redirect_and_wrong_secret",
        broken: "the redirect URI begins with http, and the secret is not the registration's",
        made: "redirect_uri http://mail.example.com/oauth/back; the mock knows another secret: AADSTS7000215",
        first: seen("configuration", Operator, &["redirect_uri", "https"]),
        then: Some(seen("token", Operator, &["Value", "Certificates & secrets"])),
    },
    Broken {
        name: "query_with_personal_accounts_and_single_tenant",
        broken: "a redirect URI with a query on `common`, for an application registered in one tenant only",
        made: "tenant common, redirect_uri …?View=OAuth; refresh: unauthorized_client, AADSTS50194",
        first: seen("configuration", Operator, &["redirect_uri", "personal"]),
        then: Some(seen("token", Operator, &["tenant"])),
    },
];

pub const ONE_FAULT: &[Broken] = &[
    one(
        "secret_wrong",
        "the secret is not the registration's",
        "the mock knows another secret: invalid_client, AADSTS7000215",
        seen("token", Operator, &["Value", "Certificates & secrets"]),
    ),
    one(
        "two_resources",
        "scopes of two resources",
        "scopes of outlook.office.com and graph.microsoft.com",
        seen("configuration", Operator, &["scopes", "resource"]),
    ),
    one(
        "scope_without_resource",
        "the POP scope without the resource's address, which means Graph's",
        "scopes POP.AccessAsUser.All, offline_access, openid",
        seen("configuration", Operator, &["outlook.office.com"]),
    ),
    one(
        "token_for_graph",
        "the token is for Graph and not for POP",
        "refresh answers the scope https://graph.microsoft.com/User.Read",
        seen("token", Administrator, &["POP.AccessAsUser.All"]),
    ),
    one(
        "personal_account_at_organisation",
        "a personal account at an organisation's endpoint",
        "the code is refused: invalid_grant, AADSTS50020",
        seen("token", User, &["account", "tenant|organisation|organization"]),
    ),
    one(
        "second_factor",
        "a second factor is wanted",
        "refresh: interaction_required, AADSTS50076, basic_action",
        seen("token", User, &["sign in|signs in"]),
    ),
    one(
        "password_changed",
        "the person's password was changed",
        "refresh: invalid_grant, AADSTS50133",
        seen("token", User, &["sign in|signs in"]),
    ),
    one(
        "ninety_days",
        "nobody fetched for ninety days",
        "refresh: invalid_grant, AADSTS700082, token_expired",
        seen("token", User, &["sign in|signs in"]),
    ),
    one(
        "account_deleted",
        "the person left, his account was deleted",
        "refresh: invalid_grant, AADSTS50034",
        seen("token", Operator, &["tenant|directory|deleted"]),
    ),
    one(
        "account_locked",
        "the account is locked after bad sign-ins elsewhere",
        "refresh: invalid_grant, AADSTS50053",
        seen("token", Wait, &["lock"]),
    ),
    one(
        "throttled_like_a_bad_grant",
        "asked too often, answered as if the grant were bad",
        "refresh: invalid_grant, AADSTS50196",
        seen("token", Wait, &["later|again|wait|too often"]),
    ),
    one(
        "too_many_requests",
        "the provider throttles",
        "refresh: 429, Retry-After 60",
        seen("token", Wait, &["later|again|wait|by itself|passes"]),
    ),
    one(
        "provider_down",
        "the identity provider is down behind its gateway",
        "refresh: 502, a page of HTML",
        seen("token", Wait, &["later|again|wait|by itself|passes"]),
    ),
    one(
        "page_of_a_proxy",
        "a captive proxy answers in the provider's place",
        "refresh: 200, a page of HTML",
        seen("token", Operator, &["proxy|address|endpoint"]),
    ),
    one(
        "administrator_must_agree",
        "only an administrator may agree to the application",
        "refresh: consent_required, AADSTS90094",
        seen("token", Administrator, &["administrator", "consent|agree"]),
    ),
    one(
        "not_assigned",
        "the person is not assigned to the application",
        "refresh: invalid_grant, AADSTS50105",
        seen("token", Administrator, &["assign|Users and groups"]),
    ),
    one(
        "device_not_compliant",
        "conditional access wants a managed device",
        "refresh: interaction_required, AADSTS53000, message_only",
        seen("token", Administrator, &["device|Conditional Access"]),
    ),
    one(
        "no_subscription",
        "the organisation has no Exchange Online",
        "refresh: invalid_client, AADSTS650052",
        seen("token", Administrator, &["licence|license|subscri"]),
    ),
    one(
        "redirect_as_spa",
        "the redirect URI is registered as a single-page application",
        "refresh: invalid_grant, AADSTS700084",
        seen("token", Operator, &["Web"]),
    ),
    one(
        "registered_as_public_client",
        "the redirect URI is registered as a desktop application",
        "refresh: invalid_client, AADSTS700025",
        seen("token", Operator, &["Web", "Authentication|platform"]),
    ),
    one(
        "redirect_not_registered",
        "the path's case differs from the registered URI; the browser's page says so and never comes back",
        "no answer of a consent comes; the account has no grant",
        seen("token", User, &["sign in|signs in"]),
    ),
    one(
        "another_cloud",
        "the application is registered in another cloud",
        "refresh: invalid_request, AADSTS900432",
        seen("token", Operator, &["cloud"]),
    ),
    one(
        "client_id_unknown",
        "the client id is not this tenant's",
        "an app-only account with another application's client_id: unauthorized_client, AADSTS700016",
        seen("token", Operator, &["client_id|Application (client) ID", "tenant"]),
    ),
    one(
        "certificate_not_uploaded",
        "the certificate is not the registration's",
        "the mock knows another certificate: invalid_client, AADSTS50012",
        seen("token", Operator, &["certificate", "Certificates & secrets"]),
    ),
    one(
        "certificate_over",
        "the certificate the application signs in with is over",
        "refresh: invalid_client, AADSTS700027 (the key used is expired)",
        seen("token", Operator, &["certificate", "Certificates & secrets"]),
    ),
    one(
        "clock_ahead",
        "this machine's clock is two hours ahead, and the application signs with a certificate",
        "the clock is set; the mock verifies the assertion's time: AADSTS500133",
        seen("token", Operator, &["clock"]),
    ),
    one(
        "token_too_long",
        "a person in very many groups: his token is too long for POP",
        "tokens of 5000 characters; the server takes 4096",
        seen("login", Administrator, &["4096|too long|too large", "group|role"]),
    ),
    one(
        "no_service_principal",
        "Exchange does not know the application",
        "an app-only account; the application's token opens no mailbox: Exchange's one refusal line",
        seen("login", Administrator, &["New-ServicePrincipal", "FullAccess|Add-MailboxPermission"]),
    ),
    one(
        "outlook_pop_not_switched_on",
        "Outlook.com, where POP is off until the person switches it on",
        "profile outlook; Exchange's one refusal line at the first log-in",
        seen("login", User, &["POP", "settings|switch|Outlook"]),
    ),
    one(
        "pop_switched_off_later",
        "it worked, then POP was switched off for the mailbox",
        "a good fetch, then one with Exchange's one refusal line, then a quarter of an hour",
        seen("login", Administrator, &["POP", "Set-CASMailbox"]),
    ),
    one(
        "one_line_auth",
        "`initial_response` at Exchange, which takes two lines only",
        "initial_response true; -ERR Protocol error. Connection is closed. 10",
        seen("login", Operator, &["initial_response"]),
    ),
    one(
        "server_unavailable_at_login",
        "Exchange's mailbox server is away",
        "to the credentials: -ERR Server Unavailable. 21",
        seen("login", Wait, &["later|again|wait|by itself|passes"]),
    ),
    one(
        "closed_at_login",
        "Exchange hangs up without a word",
        "closed in place of the reply to the credentials, the token short",
        seen("login", Wait, &["later|again|wait|by itself|passes"]),
    ),
    one(
        "not_connected_at_listing",
        "signed in, but no mailbox behind it for the moment",
        "to UIDL: -ERR User is authenticated but not connected.",
        seen("uidl", Wait, &["later|again|wait|by itself|passes"]),
    ),
    one(
        "implicit_port_and_stls",
        "STLS at a port that wants TLS from the first byte: both sides wait",
        "a POP3 server with implicit TLS, the account stls, never logged in",
        seen("tls", Operator, &["implicit"]),
    ),
    one(
        "certificate_of_another_name",
        "the certificate is another server's",
        "a certificate of the CA for other.example.com",
        seen("tls", Operator, &["name", "certificate"]),
    ),
];

/// What the others taught, written down once they had been run: of these only the runner is honest, not the blindness.
pub const AFTERWARDS: &[Broken] = &[
    one(
        "refused_a_moment_after_it_worked",
        "Exchange limits log-ins, in the words it has for a bad password",
        "a good fetch, then Exchange's one refusal line",
        seen("login", Wait, &["again"]),
    ),
    one(
        "certificate_over_in_its_own_number",
        "the certificate the application signs in with is over, in another of Entra's words",
        "refresh: invalid_client, AADSTS1000502",
        seen("token", Operator, &["new pair", "Certificates & secrets"]),
    ),
    one(
        "clock_ahead_in_its_own_number",
        "this machine's clock is two hours ahead, in the number that is seen today",
        "refresh: invalid_client, AADSTS700024; the clock is set",
        seen("token", Operator, &["clock"]),
    ),
    Broken {
        name: "clock_ahead_and_certificate_not_uploaded",
        broken: "this machine's clock is seven minutes ahead, and the certificate is not the registration's",
        made: "the clock is set; the mock knows another certificate: AADSTS50012",
        first: seen("token", Operator, &["clock"]),
        then: Some(seen("token", Operator, &["certificate", "Certificates & secrets"])),
    },
    one(
        "application_removed",
        "an administrator removed the application that worked",
        "the mock forgets the client: AADSTS700016 to a refresh",
        seen("token", Administrator, &["link for administrators", "client_id"]),
    ),
    one(
        "administrator_must_agree_first",
        "nobody ever signed in, since only an administrator may agree",
        "the browser comes back with access_denied, AADSTS90094",
        seen("token", Administrator, &["link for administrators", "signs in again"]),
    ),
    one(
        "another_name_signed_in",
        "the delegate of a shared mailbox signed in, and the account names no sign_in",
        "user info@, alice signs in; nobody said yes",
        seen("token", User, &["confirm"]),
    ),
    one(
        "secret_wrong_at_the_first_sign_in",
        "nobody ever signed in, since the secret is not the registration's",
        "the code is refused: invalid_client, AADSTS7000215",
        seen("token", Operator, &["Certificates & secrets", "signs in again"]),
    ),
];

const fn one(name: &'static str, broken: &'static str, made: &'static str, first: Seen) -> Broken {
    Broken { name, broken, made, first, then: None }
}

/// No fault at all, yet no log-in: the server wants a pause between two. No step is red, `login` is grey, and its
/// note says one of these words.
pub const LOGIN_DELAY: &str = "pause|delay|log-in|login";
