//! What only the organisation's administrator can mend at the identity provider.

use super::{Sentences, operators};

pub(super) static SENTENCES: &[Sentences] = &[
    operators(
        "consent.admin_required",
        "Öffnen Sie den Link für Administratoren und stimmen Sie zu, oder erlauben Sie es den Benutzern: Entra \
         admin center, Enterprise applications > Consent and permissions > User consent settings.",
    ),
    operators(
        "consent.policy",
        "Benutzer dürfen nicht selbst zustimmen: Entra admin center, Enterprise applications > Consent and \
         permissions > User consent settings; oder stimmen Sie mit dem Link für Administratoren für alle zu.",
    ),
    operators(
        "provider.guest_removed",
        "Entra admin center, Identity > Users > All users: Das Konto oder seine Einladung als Gast ist fort; \
         laden Sie es wieder ein.",
    ),
    operators(
        "provider.tenant_restricted",
        "Erlauben Sie den Mandanten der Anwendung in den Mandantenbeschränkungen: Entra admin center, External \
         Identities > Cross-tenant access settings > Tenant restrictions, oder im Header \
         Restrict-Access-To-Tenants des Proxys.",
    ),
    operators(
        "provider.cross_tenant",
        "Erlauben Sie den Zugriff: Entra admin center, External Identities > Cross-tenant access settings > \
         Organizational settings > Inbound und Outbound access.",
    ),
    operators(
        "provider.device_needed",
        "Nehmen Sie die Anwendung von der Richtlinie aus, die ein Gerät verlangt: Entra admin center, Protection \
         > Conditional Access > Policies > Target resources > Exclude.",
    ),
    operators(
        "provider.broker_needed",
        "Nehmen Sie die Anwendung von 'Require approved client app' aus: Entra admin center, Protection > \
         Conditional Access > Policies > Grant.",
    ),
    operators(
        "provider.device_state",
        "Entra admin center, Identity > Users > der Benutzer > Sign-in logs > Conditional Access nennt die \
         Richtlinie; nehmen Sie die Anwendung oder die Adresse dieses Servers davon aus.",
    ),
    operators(
        "provider.device_policy",
        "Nehmen Sie die Anwendung von 'Require compliant device' und 'joined device' aus: Entra admin center, \
         Protection > Conditional Access > Policies > Grant.",
    ),
    operators(
        "provider.device_disabled",
        "Entra admin center, Identity > Devices > All devices > das Gerät > Enable.",
    ),
    operators(
        "provider.conditional_access",
        "Entra admin center, Identity > Users > der Benutzer > Sign-in logs > Conditional Access nennt die \
         Richtlinie; schließen Sie die Anwendung oder die Adresse dieses Servers aus (Protection > Conditional \
         Access > Named locations).",
    ),
    operators(
        "provider.second_factor_setup",
        "Erlauben Sie die Einrichtung von diesem Ort aus: Entra admin center, Protection > Conditional Access > \
         Policies mit der Benutzeraktion Register security information; oder fügen Sie für den Benutzer eine \
         Methode hinzu.",
    ),
    operators(
        "provider.risk",
        "Entra admin center, Protection > Identity Protection > Risky users > der Benutzer > Confirm safe oder \
         Dismiss risk.",
    ),
    operators(
        "provider.security_defaults",
        "Entra admin center, Identity > Overview > Properties > Manage security defaults; verwenden Sie statt \
         dessen bedingten Zugriff und nehmen Sie die Anwendung aus.",
    ),
    operators(
        "provider.account_disabled",
        "Schalten Sie das Konto frei: Entra admin center, Identity > Users > der Benutzer > Properties > Account \
         enabled.",
    ),
    operators(
        "provider.not_assigned",
        "Fügen Sie den Benutzer hinzu: Entra admin center, Enterprise applications > die Anwendung > Users and \
         groups; oder setzen Sie Properties > Assignment required auf No.",
    ),
    operators(
        "provider.no_subscription",
        "Fügen Sie Exchange Online hinzu: Microsoft 365 admin center, Billing > Your products, dann Users > \
         Active users > Licenses and apps.",
    ),
    operators(
        "provider.no_exchange",
        "Der Mandant hat kein Exchange Online mehr: Microsoft 365 admin center, Billing > Your products.",
    ),
    operators(
        "provider.application_disabled",
        "Schalten Sie die Anwendung ein: Entra admin center, Enterprise applications > die Anwendung > Properties \
         > Enabled for users to sign in.",
    ),
    operators(
        "provider.application_unavailable",
        "Entra admin center, Enterprise applications > die Anwendung > Properties: Sehen Sie nach, ob Microsoft \
         oder die Organisation sie gesperrt hat.",
    ),
    operators(
        "provider.application_removed",
        "Es ging schon einmal: Öffnen Sie den Link für Administratoren, um die Anwendung wieder aufzunehmen \
         (Entra admin center, Enterprise applications); oder setzen Sie client_id und tenant zurück, wenn sie \
         hier geändert wurden.",
    ),
    operators(
        "provider.not_installed",
        "Öffnen Sie einmal den Link für Administratoren und stimmen Sie zu; danach steht die Anwendung unter \
         Entra admin center, Enterprise applications.",
    ),
    operators(
        "provider.pop_not_granted",
        "Der Registrierung der Anwendung fehlt die Berechtigung POP.AccessAsUser.All (Entra admin center, App \
         registrations > die Anwendung > API permissions), und ein Administrator muss ihr mit dem Link für \
         Administratoren zustimmen.",
    ),
];
