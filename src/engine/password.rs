//! Log-in with a password at a classic server, and what its no means.
//!
//! Only for accounts that were made so: never in place of OAuth, nor OAuth in place of it. A password that was refused
//! is not tried again and again: many servers lock the mailbox then.

use base64::Engine;
use base64::engine::general_purpose::STANDARD;

use super::line::Line;
use super::login::{self, Answer, Connection};
use super::visit::Visit;
use crate::error::{Error, Result, Status};
use crate::model::{Classic, UnixTime};
use crate::oauth::diagnosis::{self, PopRefusal};
use crate::pop3::{Command, PasswordLogin, PasswordMechanism, Refusal, ResponseCode};
use crate::secret::Secret;
use crate::store::{AccountState, StoredPassword};

const REFUSED: &str = "password.refused";
/// Refusals in a row after which the account waits, ...
const REFUSALS: u32 = 3;
/// ... so long after each.
const WAIT_S: u64 = 3600;

impl Visit {
    pub(super) async fn log_in_with_password(&self, classic: Classic) -> Result<Connection> {
        let stored = self.stored_password().await?;
        let connection = login::connect(&self.call, &self.row).await?;
        self.show_stored_password(classic, &stored, connection).await
    }

    pub(super) async fn stored_password(&self) -> Result<StoredPassword> {
        let id = self.row.account.id.clone();
        let stored = self.call.with_store(move |store| store.password(&id)).await?;
        stored.ok_or_else(|| {
            Error::new(Status::Consent, "password.none", "no password is stored for this account")
                .advice("Enter the mailbox's password.")
        })
    }

    /// Once, on a connection that is there already.
    pub(super) async fn show_stored_password(
        &self,
        classic: Classic,
        stored: &StoredPassword,
        mut connection: Connection,
    ) -> Result<Connection> {
        match connection.show_password(&self.row.account.user, classic, &stored.password).await? {
            Answer::Welcome => {
                connection.gate.let_in(&self.call, connection.family).await?;
                Ok(connection)
            }
            Answer::Refused(refusal) => Err(refused(&refusal)),
            Answer::Broken(e) => Err(e),
        }
    }

    /// What this visit says of the stored password.
    pub(super) fn count_refusals(&self, state: &mut AccountState, error: Option<&Error>, now: UnixTime) {
        let password = &mut state.password;
        if error.is_some_and(|error| error.cause == REFUSED) {
            password.refusals = password.refusals.saturating_add(1);
            if password.refusals >= REFUSALS {
                password.wait_until = now + WAIT_S;
            }
        } else if self.logged_in() {
            password.refusals = 0;
            password.wait_until = 0;
        }
    }
}

impl Connection {
    async fn show_password(&mut self, user: &str, classic: Classic, password: &Secret) -> Result<Answer> {
        let mechanism = self.password_mechanism(classic)?;
        Line::new("auth").field("mechanism", mechanism.name()).debug();
        let nonce = nonce()?;
        let login = PasswordLogin { mechanism, user, password, nonce: &nonce };
        self.wire.send(Command::Password(login))?;
        self.answer_to_credentials().await
    }

    /// The best the server has. None is tried after another was refused.
    fn password_mechanism(&self, classic: Classic) -> Result<PasswordMechanism> {
        let can = &self.capabilities;
        let lists = |name: &str| can.sasl.iter().any(|listed| listed == name);
        if lists("SCRAM-SHA-256") {
            return Ok(PasswordMechanism::ScramSha256);
        }
        if lists("PLAIN") {
            return Ok(PasswordMechanism::Plain);
        }
        if classic.apop && self.wire.session().can_apop() {
            return Ok(PasswordMechanism::Apop);
        }
        // RFC 1939 servers announce nothing.
        if can.user || can.sasl.is_empty() {
            return Ok(PasswordMechanism::UserPass);
        }
        Err(Error::new(
            Status::Config,
            "server.mechanism",
            format!("the server offers {:?} and no log-in with a password", can.sasl),
        )
        .advice(
            "This mail server takes no password; if it belongs to a provider with OAuth, name that provider.",
        ))
    }
}

fn refused(refusal: &Refusal) -> Error {
    let code = refusal.code.as_ref().map_or("", ResponseCode::name);
    if !matches!(refusal.code, None | Some(ResponseCode::Auth | ResponseCode::Other(_) | ResponseCode::Utf8))
    {
        // Not about the password (PROTOCOL.md D.2).
        let seen = PopRefusal { code, text: &refusal.text, scope_has_pop: true, ..PopRefusal::default() };
        return diagnosis::pop_refusal(None, &seen);
    }
    let said = match &refusal.sasl_status {
        Some(status) => format!("{} ({status})", refusal.text),
        None => refusal.text.clone(),
    };
    let code = if code.is_empty() { String::new() } else { format!("[{code}]") };
    Error::new(Status::Consent, REFUSED, format!("the mail server refused the password: {said}"))
        .advice("Check the user name and enter the mailbox's password again. Some servers want a password made for programs.")
        .provider_code(code)
}

/// Drawn from the operating system each time.
fn nonce() -> Result<String> {
    let mut bytes = [0; 18];
    getrandom::fill(&mut bytes)
        .map_err(|e| Error::new(Status::Resources, "resources.random", e.to_string()))?;
    Ok(STANDARD.encode(bytes))
}
