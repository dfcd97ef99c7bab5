//! What the person who signs in can mend.

use super::{Sentences, told};

pub(super) static SENTENCES: &[Sentences] = &[
    told(
        "consent.wrong_account",
        "Dieses Konto ist in der Organisation, bei der Sie sich anmelden, nicht bekannt: Melden Sie sich mit dem \
         Konto an, zu dem das Postfach gehört.",
        "Entra admin center, Identity > Users > All users muss das Konto nennen; laden Sie einen Gast dort unter \
         New user > Invite external user ein, oder setzen Sie den tenant des Providers weiter.",
    ),
    told(
        "consent.account_type",
        "Mit dieser Art von Konto ist hier keine Anmeldung möglich: Wählen Sie das Geschäfts- oder Privatkonto, \
         zu dem das Postfach gehört.",
        "Entra admin center, App registrations > die Anwendung > Authentication > Supported account types muss \
         diese Art von Konto einschließen.",
    ),
    told(
        "consent.password_expired",
        "Ihr Kennwort ist abgelaufen: Setzen Sie beim Anbieter zuerst ein neues und melden Sie sich danach wieder \
         an.",
        "Entra admin center, Identity > Users > der Benutzer > Reset password (bei anderen Anbietern deren \
         Benutzerverwaltung), falls er es nicht selbst kann.",
    ),
    told(
        "consent.wrong_password",
        "Melden Sie sich mit dem richtigen Kennwort wieder an.",
        "Entra admin center, Identity > Users > der Benutzer > Sign-in logs zeigt die gescheiterten Versuche.",
    ),
    told(
        "consent.interaction",
        "Der Anbieter möchte etwas von Ihnen wissen: Melden Sie sich wieder an und beantworten Sie seine Fragen.",
        "Entra admin center, Identity > Users > der Benutzer > Sign-in logs (bei anderen Anbietern deren \
         Anmeldeprotokoll) zeigt, was die Anmeldung unterbricht.",
    ),
    told(
        "consent.second_factor",
        "Melden Sie sich wieder an und führen Sie auch den zweiten Schritt aus (Code, App oder \
         Sicherheitsschlüssel).",
        "Entra admin center, Identity > Users > der Benutzer > Authentication methods zeigt, was eingerichtet \
         ist; fordern Sie dort eine neue Einrichtung an, wenn das Gerät verloren ist.",
    ),
    told(
        "consent.second_factor_setup",
        "Richten Sie unter https://aka.ms/mfasetup einen zweiten Schritt ein und melden Sie sich danach wieder \
         an.",
        "Entra admin center, Identity > Users > der Benutzer > Authentication methods: Fügen Sie für ihn eine \
         Methode hinzu, falls er es nicht selbst kann.",
    ),
    told(
        "consent.session_ended",
        "Ihr Kennwort wurde geändert oder ist abgelaufen, damit endete die Erlaubnis: Melden Sie sich wieder an.",
        "Entra admin center, Identity > Users > der Benutzer > Audit logs zeigt die Änderung des Kennworts.",
    ),
    told(
        "consent.revoked",
        "Die Erlaubnis gilt beim Anbieter nicht mehr; sie wurde zurückgezogen oder ist abgelaufen: Melden Sie \
         sich wieder an.",
        "Das Anmeldeprotokoll des Anbieters (Entra admin center, Identity > Users > der Benutzer > Audit logs) \
         zeigt, wer die Sitzungen beendet hat; hier ist nichts zu ändern.",
    ),
    told(
        "consent.missing",
        "Melden Sie sich wieder an und stimmen Sie dem Zugriff zu; verlangt die Seite einen Administrator, \
         schicken Sie ihm den Link für Administratoren.",
        "Entra admin center, Enterprise applications > die Anwendung > Permissions zeigt, wer zugestimmt hat; ein \
         Administrator kann dort für alle zustimmen.",
    ),
    told(
        "consent.declined",
        "Der Zugriff wurde abgelehnt: Melden Sie sich wieder an und stimmen Sie zu, wenn Post abgeholt werden \
         soll.",
        "An der Konfiguration ist nichts falsch: Die Person hat nicht zugestimmt.",
    ),
    told(
        "consent.invalid",
        "Die Erlaubnis gilt bei Microsoft nicht mehr: Melden Sie sich wieder an.",
        "Entra admin center, Identity > Users > der Benutzer > Sign-in logs > User sign-ins (non-interactive) \
         zeigt den Grund.",
    ),
    told(
        "consent.ended",
        "Die Erlaubnis ist abgelaufen oder wurde zurückgezogen: Melden Sie sich wieder an.",
        "Entra admin center, Identity > Users > der Benutzer > Sign-in logs > User sign-ins (non-interactive) \
         zeigt, wann sie zuletzt benutzt wurde.",
    ),
    told(
        "consent.expired",
        "Die Erlaubnis ist abgelaufen, weil sie lange nicht benutzt wurde: Melden Sie sich wieder an.",
        "Lassen Sie den Host mindestens wöchentlich abholen: Microsoft beendet eine Erlaubnis, die 90 Tage ruht.",
    ),
    told(
        "consent.sign_in_frequency",
        "Ihre Organisation verlangt von Zeit zu Zeit eine neue Anmeldung: Melden Sie sich wieder an.",
        "Kommt das wieder, nehmen Sie die Anwendung aus: Entra admin center, Protection > Conditional Access > \
         Policies > die Richtlinie > Session > Sign-in frequency.",
    ),
    told(
        "consent.device_code",
        "Der Code war falsch oder zu alt: Beginnen Sie die Anmeldung von vorn.",
        "Es ist nichts zu tun; die Person muss den Code innerhalb seiner Minuten eingeben.",
    ),
    // --- said outside the table ---
    told(
        "consent.none",
        "Für dieses Postfach hat sich noch niemand angemeldet: Melden Sie sich an, damit seine Post abgeholt \
         werden kann.",
        "Die Besitzer müssen sich einmal anmelden; schicken Sie ihnen den Weg dorthin.",
    ),
    told(
        "consent.no_refresh_token",
        "Die Anmeldung ist zu Ende, und der Anbieter gab nichts, womit sie sich erneuern ließe: Melden Sie sich \
         wieder an.",
        "Kommt das wieder, fehlt offline_access unter den scopes des Providers, oder seine Zustimmungsseite wurde \
         nicht gezeigt.",
    ),
    told(
        "consent.other_issuer",
        "Der Anbieter der Anmeldung hat sich geändert: Melden Sie sich wieder an.",
        "Der issuer des Providers ist ein anderer als bei der Anmeldung; war das nicht gewollt, setzen Sie ihn \
         zurück, dann gehen die alten Anmeldungen weiter.",
    ),
    told(
        "consent.pop_not_granted",
        "Die Erlaubnis, Post abzuholen, wurde nicht erteilt: Melden Sie sich wieder an und erlauben Sie auf der \
         Seite des Anbieters das Lesen der Post.",
        "Die Zustimmung schließt POP nicht ein; vergleichen Sie die scopes des Providers mit der Registrierung.",
    ),
    told(
        "consent.admin_granted",
        "Der Administrator Ihrer Organisation hat zugestimmt: Melden Sie sich jetzt an.",
        "Der Administrator hat zugestimmt; die Besitzer müssen sich noch anmelden.",
    ),
    told(
        "password.none",
        "Für dieses Postfach ist kein Kennwort hinterlegt: Geben Sie es ein.",
        "Den Konten fehlt das Kennwort; ihre Besitzer, oder Sie mit password_file, müssen es eintragen.",
    ),
    told(
        "password.refused",
        "Der Mailserver nimmt das Kennwort nicht an: Prüfen Sie den Benutzernamen und geben Sie das Kennwort neu \
         ein. Manche Server verlangen ein eigenes Kennwort für Programme.",
        "Der Mailserver nimmt das Kennwort nicht an; der Besitzer muss es neu eingeben.",
    ),
];
