//! What only the organisation's administrator can mend at the identity provider (class A of PROTOCOL.md A.12).

use super::{Class, Row, When};

const fn row(cause: &'static str, for_user: &'static str, for_operator: &'static str) -> Row {
    Row::new(Class::Admin, cause, for_user, for_operator)
}

pub static ROWS: &[Row] = &[
    row(
        "consent.admin_required",
        "Your organisation lets only an administrator agree to this access: send him the link for administrators, and \
         sign in again after he agreed.",
        "Open the link for administrators and agree, or allow users to: Entra admin center, Enterprise applications > \
         Consent and permissions > User consent settings.",
    )
    .numbers(&[90093, 90094, 90095, 90099]),
    row(
        "consent.policy",
        "Your organisation does not let you agree to this access: send the administrator the link for administrators.",
        "User consent is switched off: Entra admin center, Enterprise applications > Consent and permissions > User \
         consent settings; or agree for everybody with the link for administrators.",
    )
    .numbers(&[65001])
    .when(When::InBrowser),
    row(
        "provider.guest_removed",
        "Your account is no longer a member of the organisation the sign-in goes to: ask its administrator.",
        "Entra admin center, Identity > Users > All users: the account or its guest invitation is gone; invite it \
         again.",
    )
    .numbers(&[16000, 16003, 50014, 51004, 90072])
    .when(When::Renewing),
    row(
        "provider.tenant_restricted",
        "Your organisation forbids sign-ins to this application from here: ask its administrator.",
        "Allow the application's tenant in the tenant restrictions: Entra admin center, External Identities > \
         Cross-tenant access settings > Tenant restrictions, or the proxy's header Restrict-Access-To-Tenants.",
    )
    .numbers(&[50002, 500021, 500022]),
    row(
        "provider.cross_tenant",
        "Your organisation forbids access across organisations: ask its administrator.",
        "Allow it: Entra admin center, External Identities > Cross-tenant access settings > Organizational settings > \
         Inbound and Outbound access.",
    )
    .numbers(&[500212, 500213]),
    row(
        "provider.device_needed",
        "Your organisation lets only known devices in, which a mail server is not: ask its administrator.",
        "Exempt the application from the policy that wants a device: Entra admin center, Protection > Conditional \
         Access > Policies > Target resources > Exclude.",
    )
    .numbers(&[50005, 50097, 50129, 50155, 50187]),
    row(
        "provider.broker_needed",
        "Your organisation wants a broker app for this access: ask its administrator.",
        "Exempt the application from 'Require approved client app': Entra admin center, Protection > Conditional \
         Access > Policies > Grant.",
    )
    .numbers(&[50127]),
    row(
        "provider.device_state",
        "Your organisation's policy distrusts this access; sign in again once, and if it stays, ask its administrator.",
        "Entra admin center, Identity > Users > the user > Sign-in logs > Conditional Access names the policy; exempt \
         the application or this server's address from it.",
    )
    .numbers(&[50131]),
    row(
        "provider.device_policy",
        "A device policy of your organisation refuses a mail server's access: ask its administrator.",
        "Exempt the application from 'Require compliant device' and 'joined device': Entra admin center, Protection > \
         Conditional Access > Policies > Grant.",
    )
    .numbers(&[53000, 53001, 53002])
    .suberrors(&["device_authentication_failed", "protection_policy_required"]),
    row(
        "provider.device_disabled",
        "The device of this sign-in is disabled in your organisation: ask its administrator.",
        "Entra admin center, Identity > Devices > All devices > the device > Enable.",
    )
    .numbers(&[135011]),
    row(
        "provider.conditional_access",
        "A policy of your organisation blocks this access: ask its administrator.",
        "Entra admin center, Identity > Users > the user > Sign-in logs > Conditional Access names the policy; exclude \
         the application or this server's address (Protection > Conditional Access > Named locations).",
    )
    .numbers(&[53003]),
    row(
        "provider.second_factor_setup",
        "You may not set up a second step from here: set it up from your organisation's network, or ask its \
         administrator.",
        "Allow registration from this place: Entra admin center, Protection > Conditional Access > Policies with the \
         user action Register security information; or add a method for the user.",
    )
    .numbers(&[53004, 53010])
    .when(When::InBrowser),
    row(
        "provider.risk",
        "Microsoft blocks this sign-in as risky: ask your organisation's administrator.",
        "Entra admin center, Protection > Identity Protection > Risky users > the user > Confirm safe or Dismiss risk.",
    )
    .numbers(&[53011, 530034]),
    row(
        "provider.security_defaults",
        "Your organisation's security policy blocks this access: ask its administrator.",
        "Entra admin center, Identity > Overview > Properties > Manage security defaults; use conditional access \
         instead and exempt the application.",
    )
    .numbers(&[530032, 530035]),
    row(
        "provider.account_disabled",
        "The account is disabled: ask your organisation's administrator.",
        "Enable it: Entra admin center, Identity > Users > the user > Properties > Account enabled.",
    )
    .numbers(&[50057]),
    row(
        "provider.not_assigned",
        "The application is limited to certain users: ask your organisation's administrator to add you.",
        "Add the user: Entra admin center, Enterprise applications > the application > Users and groups; or set \
         Properties > Assignment required to No.",
    )
    .numbers(&[50105]),
    row(
        "provider.no_subscription",
        "Your organisation has no subscription for this mail service: ask its administrator.",
        "Add Exchange Online: Microsoft 365 admin center, Billing > Your products, then Users > Active users > \
         Licenses and apps.",
    )
    .numbers(&[650052]),
    row(
        "provider.no_exchange",
        "Your organisation no longer has the mail service: ask its administrator.",
        "The tenant lost Exchange Online: Microsoft 365 admin center, Billing > Your products.",
    )
    .numbers(&[50001, 500011])
    .when(When::Renewing),
    row(
        "provider.application_disabled",
        "The application is disabled in your organisation: ask its administrator.",
        "Enable it: Entra admin center, Enterprise applications > the application > Properties > Enabled for users to \
         sign in.",
    )
    .numbers(&[70001, 7000112]),
    row(
        "provider.application_unavailable",
        "The application cannot be used in your organisation now: ask its administrator.",
        "Entra admin center, Enterprise applications > the application > Properties: look whether Microsoft or the \
         organisation blocked it.",
    )
    .numbers(&[1000031]),
    row(
        "provider.application_removed",
        "The application was removed from your organisation: ask its administrator.",
        "It worked before: open the link for administrators to install it again (Entra admin center, Enterprise \
         applications); or set client_id and tenant back if they were changed here.",
    )
    .numbers(&[700011, 700016])
    .when(When::Renewing),
    row(
        "provider.not_installed",
        "The application is not present in your organisation: send its administrator the link for administrators.",
        "Open the link for administrators once and agree; it then stands under Entra admin center, Enterprise \
         applications.",
    )
    .numbers(&[7000229]),
];
