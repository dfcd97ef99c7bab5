//! What a callback is answered: status, sentence and JSON, as told now and again if the same callback is repeated.

use serde::{Deserialize, Serialize};

use super::confirm::CONFIRM_S;
use crate::engine::line::Line;
use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::oauth::diagnosis::known_cause;
use crate::store::{AccountRow, FailedSignIn};

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum End {
    Connected,
    /// Waits for the owner's yes.
    Confirm,
    /// An administrator agreed for the organisation; sign in now.
    AdminGranted,
    /// Not finished on the other device; ask again.
    Pending,
    Failed,
}

/// What was wrong with the configuration so long ago need not be so any more.
const MENDED_S: u64 = 86_400;

/// Both names, for the sentence a person reads.
#[derive(Debug, Clone, Default, Serialize)]
pub struct Names {
    pub signed_in: Option<String>,
    pub configured: Option<String>,
}

pub struct Answered {
    error: Option<Error>,
    end: End,
    json: String,
}

/// `$defs/callback` of `config.schema.json`; members are only added.
#[derive(Serialize)]
struct Json<'a> {
    account: Option<&'a str>,
    owner: Option<&'a str>,
    outcome: End,
    cause: &'a str,
    names: &'a Names,
    message: &'a str,
}

impl Answered {
    pub fn connected(row: &AccountRow, names: &Names) -> Answered {
        Answered::new(Some(row), names, None)
    }

    pub fn refused(row: &AccountRow, names: &Names, error: Error) -> Answered {
        Answered::new(Some(row), names, Some(error))
    }

    /// Before it was known which account it is about.
    pub fn failed(error: Error) -> Answered {
        Answered::new(None, &Names::default(), Some(error))
    }

    fn new(row: Option<&AccountRow>, names: &Names, error: Option<Error>) -> Answered {
        let end = match &error {
            None => End::Connected,
            Some(error) if error.status == Status::Confirm => End::Confirm,
            Some(error) if error.cause == "consent.admin_granted" => End::AdminGranted,
            Some(error) if error.cause == "device.pending" => End::Pending,
            Some(_) => End::Failed,
        };
        let message = match &error {
            None => "The mailbox is connected; its mail will be collected.",
            // It is read by the person who signed in.
            Some(error) if !error.for_user().is_empty() => error.for_user(),
            Some(error) if error.advice.is_empty() => &error.message,
            Some(error) => &error.advice,
        };
        let json = serde_json::to_string(&Json {
            account: row.map(|row| row.account.id.as_str()),
            owner: row.map(|row| row.account.owner.as_str()),
            outcome: end,
            cause: error.as_ref().map_or("", |error| error.cause),
            names,
            message,
        })
        // Strings and options of strings always serialise.
        .unwrap_or_default();
        Answered { error, end, json }
    }

    pub fn into_parts(self) -> (Result<()>, String) {
        (self.error.map_or(Ok(()), Err), self.json)
    }

    pub fn log(&self, account: &str) {
        let line = Line::new("consent_end").field("account", account);
        match &self.error {
            None => line.field("outcome", "connected").info(),
            Some(error) => line
                .field("outcome", format!("{:?}", self.end).to_lowercase())
                .field("cause", error.cause)
                .field("code", &error.provider_code)
                .field("text", &error.message)
                .warn(),
        }
    }

    /// For the store.
    pub fn to_text(&self) -> String {
        let kept = Kept {
            status: self.error.as_ref().map_or(0, |error| error.status.code()),
            cause: self.error.as_ref().map_or("", |error| error.cause).to_owned(),
            provider_code: self.error.as_ref().map_or_else(String::new, |error| error.provider_code.clone()),
            message: self.error.as_ref().map_or_else(String::new, |error| error.message.clone()),
            advice: self.error.as_ref().map_or_else(String::new, |error| error.advice.clone()),
            for_user: self.error.as_ref().map_or_else(String::new, |error| error.for_user().to_owned()),
            for_operator: self
                .error
                .as_ref()
                .map_or_else(String::new, |error| error.for_operator().to_owned()),
            retry_after_s: self.error.as_ref().map_or(0, |error| error.retry_after_s),
            end: self.end,
            json: self.json.clone(),
        };
        // Plain strings and numbers always serialise.
        serde_json::to_string(&kept).unwrap_or_default()
    }

    /// What an account is to know of it: a failure that lasts until somebody did something, as the provider's trouble or
    /// a browser that lost its way do not.
    pub fn failure(&self, provider: &str, now: UnixTime) -> Option<FailedSignIn> {
        let error = self.error.as_ref()?;
        let until = match (self.end, error.status) {
            (End::Confirm, _) => Some(now + CONFIRM_S),
            (End::Failed, Status::Config) => Some(now + MENDED_S),
            (End::Failed, Status::Provider | Status::Consent) => None,
            _ => return None,
        };
        Some(FailedSignIn {
            provider: provider.to_owned(),
            status: error.status.code(),
            cause: error.cause.to_owned(),
            provider_code: error.provider_code.clone(),
            message: error.message.clone(),
            advice: error.advice.clone(),
            at: now,
            until,
        })
    }

    /// What was answered the first time.
    pub fn repeat(text: &str) -> Answered {
        let Ok(kept) = serde_json::from_str::<Kept>(text) else {
            return Answered::failed(Error::bug("a remembered answer cannot be read"));
        };
        let error = Status::from_code(kept.status).map(|status| {
            let cause = known_cause(&kept.cause).unwrap_or("consent.unnamed");
            let error = Error::new(status, cause, kept.message)
                .provider_code(kept.provider_code)
                .advice(kept.advice)
                .retry_after(kept.retry_after_s);
            match kept.for_user.is_empty() && kept.for_operator.is_empty() {
                true => error,
                false => error.sentences(kept.for_user, kept.for_operator),
            }
        });
        Answered { error, end: kept.end, json: kept.json }
    }
}

#[derive(Serialize, Deserialize)]
struct Kept {
    status: i32,
    cause: String,
    provider_code: String,
    message: String,
    advice: String,
    #[serde(default)]
    for_user: String,
    #[serde(default)]
    for_operator: String,
    retry_after_s: u32,
    end: End,
    json: String,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_repeated_answer_is_the_first_one_in_status_cause_and_json() {
        let error = Error::new(Status::Provider, "consent.admin_required", "no")
            .advice("ask")
            .provider_code("AADSTS90094")
            .retry_after(7);
        let first = Answered::failed(error.clone());
        let (again, json) = Answered::repeat(&first.to_text()).into_parts();
        assert_eq!(again, Err(error));
        assert_eq!(json, first.json);
    }

    #[test]
    fn the_json_tells_who_can_do_what() {
        let names = Names {
            signed_in: Some("alice@contoso.example".into()),
            configured: Some("bob@contoso.example".into()),
        };
        let error = Error::new(Status::Confirm, "confirm.needed", "m").advice("a");
        let answered = Answered::new(None, &names, Some(error));
        let json: serde_json::Value = serde_json::from_str(&answered.json).unwrap();
        assert_eq!(json["outcome"], "confirm");
        assert_eq!(json["names"]["signed_in"], "alice@contoso.example");
        assert_eq!(json["message"], "a");
    }
}
