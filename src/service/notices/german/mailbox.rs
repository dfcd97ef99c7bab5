//! What a mail server's no means.

use super::{Sentences, operators, told};

pub(super) static SENTENCES: &[Sentences] = &[
    operators(
        "mailbox.pop_off",
        "POP ist für das Postfach aus: Set-CASMailbox <Postfach> -PopEnabled $true (Exchange admin center, \
         Mailboxes > das Postfach > Manage email apps settings; Google Admin console, Apps > Google Workspace > \
         Gmail > End User Access > POP and IMAP access); oder der Benutzername ist nicht der Hauptname, oder ihm \
         fehlt die Lizenz.",
    ),
    operators(
        "server.login_delay",
        "Der Mailserver verlangt eine Pause zwischen zwei Anmeldungen; multipop wartet.",
    ),
    operators(
        "server.in_use",
        "Ein anderes Programm liest das Postfach gerade; multipop versucht es in einigen Minuten wieder.",
    ),
    operators("server.trouble", "Der Mailserver ist gestört; multipop versucht es von selbst wieder."),
    operators(
        "mailbox.needs_operator",
        "Der Mailserver sagt, dass jemand handeln muss: Fragen Sie seinen Betreiber, oder schalten Sie POP in den \
         Einstellungen des Postfachs ein.",
    ),
    operators(
        "mailbox.token_too_long",
        "Exchange Online bricht bei Token von mehr als 4096 Zeichen ab: Nehmen Sie den Benutzer aus Gruppen und \
         Rollen, und entfernen Sie optionale Ansprüche unter Entra admin center, App registrations > die \
         Anwendung > Token configuration.",
    ),
    operators(
        "server.unavailable",
        "Der Mailserver ist gestört oder begrenzt Anmeldungen; multipop versucht es von selbst wieder. Für \
         Exchange Online siehe Microsoft 365 admin center, Health > Service health.",
    ),
    operators(
        "protocol.login",
        "Der Mailserver hat die Anmeldung nicht verstanden: Setzen Sie initial_response auf false und prüfen Sie \
         mechanism des Providers.",
    ),
    operators(
        "config.audience",
        "Das Token ist für Microsoft Graph, was Exchange ablehnt: Schreiben Sie \
         https://outlook.office.com/POP.AccessAsUser.All in die scopes des Providers, danach melden sich die \
         Benutzer wieder an.",
    ),
    operators(
        "server.refused",
        "Der Mailserver lehnt aus einem eigenen Grund ab; multipop versucht es wieder. Bleibt es so, fragen Sie \
         seinen Betreiber.",
    ),
    operators(
        "config.token_file",
        "Der Mailserver nimmt das Token aus der Tokendatei nicht an: Wer die Datei pflegt, muss es erneuern; \
         prüfen Sie auch den Benutzernamen.",
    ),
    operators(
        "mailbox.refused_since",
        "Es ging schon einmal: Sehen Sie nach Get-CASMailbox <Postfach> | fl PopEnabled, nach der Lizenz, und \
         nach Entra admin center, Identity > Users > der Benutzer > Sign-in logs > Conditional Access (client app \
         Other clients).",
    ),
    told(
        "mailbox.pop_not_allowed",
        "Schalten Sie in Outlook.com unter Einstellungen > E-Mail > Weiterleitung und IMAP ein, dass Geräte und \
         Apps POP verwenden dürfen.",
        "Der Besitzer des Postfachs muss in Outlook.com unter Einstellungen > E-Mail > Weiterleitung und IMAP die \
         Verwendung von POP erlauben.",
    ),
    operators(
        "mailbox.no_access",
        "Geben Sie den Zugriff: Add-MailboxPermission <gemeinsames Postfach> -User <wer sich anmeldet> \
         -AccessRights FullAccess; und sehen Sie nach Get-CASMailbox <gemeinsames Postfach> | fl PopEnabled.",
    ),
    operators(
        "mailbox.refused",
        "Eine frische Anmeldung wurde vom Mailserver abgelehnt: Prüfen Sie den Benutzernamen des Kontos und ob \
         POP dafür eingeschaltet ist.",
    ),
    told(
        "consent.refused_by_server",
        "Der Mailserver nimmt die Anmeldung nicht mehr an: Melden Sie sich wieder an.",
        "Das eigene Protokoll des Mailservers sagt, warum er das Token ablehnt; hier ist nichts zu ändern.",
    ),
    operators(
        "server.logins_refused",
        "Der Mailserver lehnt viele Konten ab, die schon gingen: Er begrenzt Anmeldungen oder die Adresse dieses \
         Servers. multipop wartet und lässt eines versuchen; bleibt es so, sehen Sie nach Microsoft 365 admin \
         center, Health > Service health, und ob POP für alle abgeschaltet wurde (Get-CASMailbox | fl \
         Name,PopEnabled).",
    ),
    operators(
        "server.refused_for_now",
        "Der Mailserver lehnt eine Anmeldung ab, die schon ging; multipop versucht es von selbst wieder.",
    ),
    operators(
        "mailbox.reset_question",
        "Der Mailserver scheint seine Nachrichten umbenannt zu haben. Sagen Sie mit uidl_reset, ob es dieselbe \
         Post ist (dann wird nichts noch einmal abgeholt) oder neue (dann alles).",
    ),
];
