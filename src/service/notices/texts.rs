//! What people read: subject and text in English and in German, ready to send. Users read nothing technical.

use serde_json::{Value, json};
use time::OffsetDateTime;

use super::german;
use super::policy::Forecast;
use crate::model::{TokenSource, UnixTime};
use crate::store::{AccountRow, Incident, Trouble};

/// One notice in both languages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Texts {
    pub en: Text,
    pub de: Text,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Text {
    pub subject: String,
    pub text: String,
}

impl Texts {
    pub fn new(en: (String, String), de: (String, String)) -> Texts {
        let text = |(subject, text)| Text { subject, text };
        Texts { en: text(en), de: text(de) }
    }

    pub fn to_json(&self) -> Value {
        let one = |text: &Text| json!({ "subject": text.subject, "text": text.text });
        json!({ "en": one(&self.en), "de": one(&self.de) })
    }
}

const HELP: &str = "If you cannot get on, ask whoever runs your mail service.";
const HILFE: &str = "Wenn Sie nicht weiterkommen, fragen Sie den Betreiber Ihres E-Mail-Dienstes.";

/// The user must sign in again, or give a password.
pub(super) fn consent_needed(row: &AccountRow, page: Option<&str>) -> Texts {
    let (account, state) = (&row.account, &row.state);
    let user = &account.user;
    let german = german::of(&state.cause).map_or("", |sentences| sentences.for_user);
    let german = first([german, "Der Anbieter verlangt, dass Sie sich wieder anmelden."]);
    let english = first([&state.for_user, &state.advice, "The provider wants you to sign in again."]);
    let (press, press_de) = what_to_do(row, page);
    let (since, seit) = date(state.since);
    Texts::new(
        (
            format!("Mail from {user} is not being collected: please act"),
            format!(
                "Hello,\n\nsince {since} no mail has been collected from your mailbox {user}.\n\n{english}\n\nWhat to \
                 do: {press}\n\nNo mail is lost: it waits in that mailbox and is collected afterwards. {HELP}\n"
            ),
        ),
        (
            format!("Die Post von {user} wird nicht abgeholt: Bitte handeln Sie"),
            format!(
                "Guten Tag,\n\nseit dem {seit} wird aus Ihrem Postfach {user} keine Post mehr abgeholt.\n\n{german}\n\n\
                 Was zu tun ist: {press_de}\n\nEs geht keine Post verloren: Sie wartet in jenem Postfach und wird danach \
                 abgeholt. {HILFE}\n"
            ),
        ),
    )
}

/// The grant will die of idleness, and nothing keeps it.
pub(super) fn consent_ends(row: &AccountRow, end: &Forecast, page: Option<&str>) -> Texts {
    let user = &row.account.user;
    let (press, press_de) = what_to_do(row, page);
    let (day, tag) = date(end.ends_at);
    Texts::new(
        (
            format!("The permission to collect mail from {user} ends on {day}"),
            format!(
                "Hello,\n\nno mail has been collected from your mailbox {user} for a long time, and the permission for it \
                 ends on {day}.\n\nWhat to do: if mail is to be collected again, {press}\nOtherwise nothing need be \
                 done.\n"
            ),
        ),
        (
            format!("Die Erlaubnis, Post von {user} abzuholen, endet am {tag}"),
            format!(
                "Guten Tag,\n\naus Ihrem Postfach {user} wurde lange keine Post abgeholt, und die Erlaubnis dazu endet \
                 am {tag}.\n\nWas zu tun ist: Soll wieder Post abgeholt werden, gilt: {press_de}\nSonst ist nichts zu \
                 tun.\n"
            ),
        ),
    )
}

/// In both languages, where the person goes and what he presses there.
fn what_to_do(row: &AccountRow, page: Option<&str>) -> (String, String) {
    let (where_, wo) = match page {
        Some(page) => (format!("open {page}"), format!("Öffnen Sie {page}")),
        None => (
            "open the settings of your mail account, where this mailbox is entered".to_owned(),
            "Öffnen Sie die Einstellungen Ihres E-Mail-Kontos, in denen dieses Postfach eingetragen ist"
                .to_owned(),
        ),
    };
    let user = &row.account.user;
    match row.account.source {
        TokenSource::Password(_) => (
            format!("{where_}, choose {user} and enter its password again."),
            format!("{wo}, wählen Sie {user} und geben Sie das Kennwort neu ein."),
        ),
        _ => (
            format!("{where_}, choose {user} and press Authorise."),
            format!("{wo}, wählen Sie {user} und drücken Sie auf Autorisieren."),
        ),
    }
}

/// One cause at one provider, as the operator reads it: cause, number of accounts, since when, place to fix.
pub(super) fn incident(incident: &Incident, trouble: &Trouble, sample: Option<&AccountRow>) -> Texts {
    let Trouble { provider, cause, accounts, of, .. } = trouble;
    let (english, german) = place_to_fix(cause, sample);
    let begun = moment(incident.begun_at);
    let held = moment(incident.held_until);
    Texts::new(
        (
            format!("Incident: {accounts} accounts of {provider} are not collected ({cause})"),
            format!(
                "One cause keeps {accounts} of {of} accounts of {provider} from being collected.\n\nCause: \
                 {cause}\nBegun: {begun}\nWhat to do: {english}\n\nUsers are not written to before {held}, and only \
                 those who must act themselves and are not collected then.\n"
            ),
        ),
        (
            format!("Störung: {accounts} Konten von {provider} werden nicht abgeholt ({cause})"),
            format!(
                "Eine Ursache hindert {accounts} von {of} Konten von {provider} daran, abgeholt zu werden.\n\nUrsache: \
                 {cause}\nBeginn: {begun}\nWas zu tun ist: {german}\n\nBenutzer werden nicht vor {held} \
                 angeschrieben, und nur die, die selbst handeln müssen und dann noch nicht abgeholt werden.\n"
            ),
        ),
    )
}

pub(super) fn operator_needed(trouble: &Trouble, sample: Option<&AccountRow>) -> Texts {
    let Trouble { provider, cause, accounts, .. } = trouble;
    let (english, german) = place_to_fix(cause, sample);
    let since = moment(trouble.cause_since);
    let example = sample.map_or("", |row| &row.account.id);
    Texts::new(
        (
            format!("{accounts} {} of {provider}: you are needed ({cause})", counted(*accounts).0),
            format!(
                "Not collected: {accounts} {} of {provider}, such as {example}.\n\nCause: {cause}\nSince: \
                 {since}\nWhat to do: {english}\n",
                counted(*accounts).0
            ),
        ),
        (
            format!("{accounts} {} von {provider}: Sie werden gebraucht ({cause})", counted(*accounts).1),
            format!(
                "Nicht abgeholt: {accounts} {} von {provider}, etwa {example}.\n\nUrsache: {cause}\nSeit: \
                 {since}\nWas zu tun ist: {german}\n",
                counted(*accounts).1
            ),
        ),
    )
}

/// For the operator: as diagnosed for one of the accounts, and from the table in German.
fn place_to_fix(cause: &str, sample: Option<&AccountRow>) -> (String, String) {
    let state = sample.map(|row| &row.state).filter(|state| state.cause == cause);
    let (for_operator, advice) = state.map_or(("", ""), |state| (&state.for_operator, &state.advice));
    let english = first([for_operator, advice, "Look at one of the accounts with multipop-host check."]);
    let german = match german::of(cause) {
        Some(sentences) => sentences.for_operator.to_owned(),
        // Outside the table: the words that name the place, in the language there is.
        None => format!(
            "{english} (Für diese Ursache gibt es nur den englischen Text; multipop-host check zeigt sie an einem Konto \
             im einzelnen.)"
        ),
    };
    (english.to_owned(), german)
}

/// What the application proves itself with, and when it ends.
pub(super) fn credential_ends(provider: &str, is_certificate: bool, number: usize, end: &Forecast) -> Texts {
    let (day, days) = (day(end.ends_at), end.days);
    let (what, was, member) = match is_certificate {
        true => ("certificate", "Zertifikat", "certificates"),
        false => ("client secret", "Client-Geheimnis", "client_secret_files"),
    };
    Texts::new(
        (
            format!("The {what} of {provider} ends on {day}"),
            format!(
                "The {what} of the provider {provider} ({member}[{number}]) ends on {day}, within {days} \
                 {}. Without a new one no account of this provider is collected after it.\n\nWhat to do: make a new \
                 {what} at the provider (Microsoft: Entra admin center, App registrations > the application > \
                 Certificates & secrets), list it beside the old one in the configuration, configure again, and take \
                 the old one out once it is over.\n",
                if days == 1 { "day" } else { "days" }
            ),
        ),
        (
            format!("Das {was} von {provider} endet am {day}"),
            format!(
                "Das {was} des Providers {provider} ({member}[{number}]) endet am {day}, innerhalb von \
                 {days} {}. Ohne ein neues wird danach kein Konto dieses Providers mehr abgeholt.\n\nWas zu tun ist: \
                 Erzeugen Sie beim Anbieter ein neues (Microsoft: Entra admin center, App registrations > die \
                 Anwendung > Certificates & secrets), nennen Sie es in der Konfiguration neben dem alten, \
                 konfigurieren Sie neu, und nehmen Sie das alte heraus, wenn es abgelaufen ist.\n",
                if days == 1 { "Tag" } else { "Tagen" }
            ),
        ),
    )
}

/// Grants that refresh should keep alive, and did not for long.
pub(super) fn grants_end(provider: &str, accounts: usize, end: &Forecast) -> Texts {
    let day = day(end.ends_at);
    let (en, de) = counted(accounts as u64);
    Texts::new(
        (
            format!("Permissions of {accounts} {en} of {provider} end, the first on {day}"),
            format!(
                "The permissions of {accounts} {en} of {provider} were not renewed for long and end from {day} on; their \
                 users must then sign in again.\n\nWhat to do: let the host fetch at least weekly for all accounts, and \
                 look at the log lines grant_kept, which say why a renewal fails.\n"
            ),
        ),
        (
            format!("Erlaubnisse von {accounts} {de} von {provider} enden, die erste am {day}"),
            format!(
                "Die Erlaubnisse von {accounts} {de} von {provider} wurden lange nicht erneuert und enden ab {day}; \
                 danach müssen sich die Benutzer wieder anmelden.\n\nWas zu tun ist: Lassen Sie den Host mindestens \
                 wöchentlich für alle Konten abholen, und sehen Sie die Protokollzeilen grant_kept an: Sie sagen, \
                 warum eine Erneuerung scheitert.\n"
            ),
        ),
    )
}

/// The word for so many accounts in both languages.
pub(super) fn counted(accounts: u64) -> (&'static str, &'static str) {
    if accounts == 1 { ("account", "Konto") } else { ("accounts", "Konten") }
}

fn first<const N: usize>(texts: [&str; N]) -> &str {
    texts.into_iter().find(|text| !text.is_empty()).unwrap_or_default()
}

pub(super) fn day(at: UnixTime) -> String {
    let at = time(at);
    format!("{:04}-{:02}-{:02}", at.year(), u8::from(at.month()), at.day())
}

/// A day as people read it, in both languages.
fn date(at: UnixTime) -> (String, String) {
    let at = time(at);
    let month = [
        "Januar",
        "Februar",
        "März",
        "April",
        "Mai",
        "Juni",
        "Juli",
        "August",
        "September",
        "Oktober",
        "November",
        "Dezember",
    ][usize::from(u8::from(at.month())) - 1];
    (format!("{} {} {}", at.day(), at.month(), at.year()), format!("{}. {month} {}", at.day(), at.year()))
}

pub(super) fn moment(at: UnixTime) -> String {
    let clock = time(at);
    format!("{} {:02}:{:02} UTC", day(at), clock.hour(), clock.minute())
}

fn time(at: UnixTime) -> OffsetDateTime {
    let at = i64::try_from(at).ok().and_then(|at| OffsetDateTime::from_unix_timestamp(at).ok());
    at.unwrap_or(OffsetDateTime::UNIX_EPOCH)
}
