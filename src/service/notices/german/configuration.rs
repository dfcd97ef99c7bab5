//! What is wrong in the configuration here or in the registration there, and what time heals.

use super::{Sentences, operators};

pub(super) static SENTENCES: &[Sentences] = &[
    operators(
        "config.resource",
        "Prüfen Sie scopes und authority (Cloud) des Providers; oder die Organisation hat kein Exchange Online \
         (Microsoft 365 admin center, Billing > Your products).",
    ),
    operators(
        "config.redirect_uri",
        "Registrieren Sie die redirect_uri des Providers genau wie konfiguriert: Entra admin center, App \
         registrations > die Anwendung > Authentication > Platform configurations > Web.",
    ),
    operators(
        "config.redirect_uri_form",
        "Die redirect_uri des Providers hat eine Form, die Microsoft nicht annimmt: Entra admin center, App \
         registrations > die Anwendung > Authentication zeigt, was dort stehen darf.",
    ),
    operators(
        "config.clock",
        "Die Uhr dieses Rechners geht um Minuten falsch (timedatectl; chronyc tracking): Stellen Sie sie zuerst; was \
         sonst fehlt, zeigt sich erst dann.",
    ),
    operators(
        "config.certificate",
        "Die Anmeldung mit dem Zertifikat wurde abgelehnt: Vergleichen Sie Schlüssel, Zertifikat und \
         token_endpoint mit Entra admin center, App registrations > die Anwendung > Certificates & secrets > \
         Certificates.",
    ),
    operators(
        "config.certificate_over",
        "Das Zertifikat der Anwendung ist abgelaufen oder gilt noch nicht: Erzeugen Sie ein neues Paar, laden Sie sein \
         Zertifikat unter Entra admin center, App registrations > die Anwendung > Certificates & secrets > \
         Certificates hoch, und nennen Sie beide Dateien in certificates des Providers.",
    ),
    operators(
        "config.certificate_unknown",
        "Laden Sie das konfigurierte Zertifikat hoch, oder ein neues, wenn es abgelaufen ist: Entra admin center, App registrations > die Anwendung > \
         Certificates & secrets > Certificates.",
    ),
    operators(
        "config.assertion",
        "Die Erklärung nennt zwei verschiedene Anwendungen: Vergleichen Sie client_id mit Entra admin center, App \
         registrations > die Anwendung > Overview > Application (client) ID.",
    ),
    operators(
        "config.account_type",
        "Diese Art von Konto passt nicht zum tenant des Providers: consumers für Privatkonten, organizations für \
         Geschäftskonten, common für beide.",
    ),
    operators(
        "config.tenant_changed",
        "Das Konto ging schon und ist im Mandanten jetzt nicht bekannt: Setzen Sie den tenant des Providers \
         zurück, wenn er geändert wurde, oder sehen Sie unter Entra admin center, Identity > Users > Deleted \
         users nach.",
    ),
    operators(
        "config.tenant_missing",
        "Microsoft kann den Mandanten nicht bestimmen: Schreiben Sie seine Kennung in den tenant des Providers \
         (Entra admin center, Identity > Overview > Tenant ID).",
    ),
    operators(
        "config.tenant_unknown",
        "Diesen Mandanten gibt es nicht: Vergleichen Sie tenant und authority (Cloud) des Providers mit Entra \
         admin center, Identity > Overview > Tenant ID.",
    ),
    operators(
        "config.single_tenant",
        "Die Anwendung ist nur für einen Mandanten registriert: Schreiben Sie dessen Kennung in den tenant des \
         Providers, oder erweitern Sie Entra admin center, App registrations > die Anwendung > Authentication > \
         Supported account types.",
    ),
    operators(
        "config.tenant_common",
        "Bei common oder consumers geht das nicht: Setzen Sie den tenant des Providers auf organizations oder auf \
         die Kennung des Mandanten.",
    ),
    operators(
        "config.work_only",
        "Die Anwendung nimmt nur Geschäftskonten, und der tenant des Providers ist consumers: Erweitern Sie Entra \
         admin center, App registrations > die Anwendung > Authentication > Supported account types.",
    ),
    operators(
        "config.tenant_differs",
        "Der Code wurde bei einem anderen Mandanten eingelöst, als er herkam: authorize_endpoint und \
         token_endpoint des Providers müssen denselben nennen.",
    ),
    operators(
        "config.pkce",
        "Der Nachweis der Anmeldung passte nicht: Beginnen Sie sie von vorn; bleibt es so, melden Sie es als \
         Fehler von multipop.",
    ),
    operators(
        "config.code_used",
        "Dieselbe Antwort wurde zweimal eingelöst: Beginnen Sie die Anmeldung von vorn, und suchen Sie nach einem \
         Proxy, der Anfragen wiederholt.",
    ),
    operators(
        "config.permission",
        "Fügen Sie POP.AccessAsUser.All hinzu und stimmen Sie zu: Entra admin center, App registrations > die \
         Anwendung > API permissions > Add a permission, danach Grant admin consent.",
    ),
    operators(
        "config.client_id",
        "Die Anwendung wird dort nicht gefunden: Vergleichen Sie client_id, tenant und Cloud mit Entra admin \
         center, App registrations > die Anwendung > Overview; oder ein Administrator muss sie mit dem Link für \
         Administratoren aufnehmen.",
    ),
    operators(
        "config.client_secret",
        "Der Anbieter nimmt diese Anwendung nicht an: Vergleichen Sie client_id und die Datei mit dem Geheimnis \
         mit der Registrierung (Entra admin center, App registrations > die Anwendung > Certificates & secrets > \
         Client secrets; in die Datei gehört der Value, nicht die Secret ID).",
    ),
    operators(
        "config.client_secret_expired",
        "Erzeugen Sie ein neues Geheimnis und schreiben Sie seinen Value in die Datei: Entra admin center, App \
         registrations > die Anwendung > Certificates & secrets > New client secret.",
    ),
    operators(
        "config.client_secret_missing",
        "Microsoft sah kein Geheimnis: Prüfen Sie client_authentication, und Entra admin center, App \
         registrations > die Anwendung > Authentication > Allow public client flows.",
    ),
    operators(
        "config.platform_public",
        "Die redirect_uri ist als öffentliche Anwendung registriert: Verschieben Sie sie unter Entra admin \
         center, App registrations > die Anwendung > Authentication zur Plattform Web.",
    ),
    operators(
        "config.platform",
        "Die redirect_uri ist als Single-Page-Anwendung registriert: Verschieben Sie sie unter Entra admin \
         center, App registrations > die Anwendung > Authentication zur Plattform Web; danach melden sich die \
         Benutzer wieder an.",
    ),
    operators(
        "config.scope_resources",
        "Die scopes des Providers müssen genau eine Ressource nennen, etwa \
         https://outlook.office.com/POP.AccessAsUser.All.",
    ),
    operators(
        "config.scope",
        "Die scopes des Providers werden nicht angenommen: Vergleichen Sie sie mit der Registrierung; bei \
         Microsoft gehören https://outlook.office.com/POP.AccessAsUser.All und offline_access hinein.",
    ),
    operators(
        "config.grant_type",
        "Microsoft kennt diese Art von Antwort oder Anfrage nicht: Prüfen Sie die Endpunkte, response_mode und \
         authorize_parameters des Providers.",
    ),
    operators(
        "config.request",
        "Der Anbieter versteht die Anfrage nicht: Prüfen Sie die Endpunkte und authorize_parameters des \
         Providers.",
    ),
    operators(
        "config.cloud",
        "Das Konto lebt in einer anderen Cloud von Microsoft: Registrieren Sie die Anwendung dort, und setzen Sie \
         authority, scopes und servers jener Cloud.",
    ),
    operators(
        "config.client",
        "Die Registrierung der Anwendung beim Anbieter erlaubt diese Art der Anmeldung nicht: Erlauben Sie dort \
         authorization code und refresh.",
    ),
    operators(
        "config.client_mismatch",
        "Die Erlaubnis gehört einer anderen Anwendung, weil client_id geändert wurde: Setzen Sie sie zurück, oder \
         lassen Sie die Benutzer sich wieder anmelden.",
    ),
    // --- what time heals ---
    operators(
        "provider.no_token_issued",
        "multipop versucht es wieder; bleibt es so, eröffnen Sie eine Anfrage: Entra admin center, Help + support \
         > New support request, mit trace und correlation aus der Protokollzeile.",
    ),
    operators(
        "provider.retryable",
        "Microsoft bittet um einen weiteren Versuch, den multipop unternimmt; es ist nichts zu tun.",
    ),
    operators(
        "provider.personal_trouble",
        "Microsofts Dienst für Privatkonten ist gestört; multipop versucht es von selbst wieder.",
    ),
    operators(
        "provider.trouble",
        "Die Anmeldung beim Anbieter ist gestört (bei Microsoft: Microsoft 365 admin center, Health > Service \
         health); multipop versucht es von selbst wieder.",
    ),
    operators("provider.pending", "Die Person hat den Code noch nicht eingegeben; multipop fragt weiter."),
    operators(
        "provider.on_premises",
        "multipop versucht es wieder; bleibt es so, sehen Sie nach den Agenten: Entra admin center, Identity > \
         Hybrid management > Microsoft Entra Connect > Pass-through authentication.",
    ),
    operators(
        "provider.logon_hours",
        "Das Konto darf sich zu dieser Stunde nicht anmelden: Active Directory Users and Computers, der Benutzer \
         > Account > Logon Hours.",
    ),
    operators(
        "provider.locked",
        "multipop wartet eine Stunde; bleibt es so, zeigt Entra admin center, Identity > Users > der Benutzer > \
         Sign-in logs die Versuche, und Protection > Authentication methods > Password protection die Sperre.",
    ),
    operators(
        "provider.loop",
        "Microsoft bremst wiederholte Anfragen; multipop wartet. Bleibt es so, benutzt ein anderes Programm \
         dieselbe Registrierung: Entra admin center, App registrations > die Anwendung > Sign-in logs.",
    ),
    operators(
        "provider.throttled",
        "Microsoft begrenzt die Anfragen der ganzen Organisation; multipop wartet. Entra admin center, Monitoring \
         > Sign-in logs zeigt, von wem sie kommen.",
    ),
    operators(
        "provider.unreachable",
        "Der Anbieter ist nicht zu erreichen: Prüfen Sie Netz, DNS, proxy und die Endpunkte des Providers; \
         multipop versucht es von selbst wieder.",
    ),
];
