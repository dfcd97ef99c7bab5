//! From a token to a session that is logged in, and what a no of the mail server means.

use super::breaker::Gate;
use super::grant;
use super::line::Line;
use super::login::{self, Answer, Connection};
use super::visit::Visit;
use crate::error::{Error, Result};
use crate::model::TokenSource;
use crate::net::dial::Family;
use crate::oauth::diagnosis::{self, PopRefusal};
use crate::pop3::{Refusal, ResponseCode};

impl Visit {
    /// A session that is logged in; a token the server refuses is renewed once.
    pub async fn log_in(&mut self) -> Result<Connection> {
        if let TokenSource::Password(classic) = self.row.account.source {
            return self.log_in_with_password(classic).await;
        }
        let access = grant::access(&self.call, &self.row).await?;
        let connection = login::connect(&self.call, &self.row).await?;
        self.log_in_with(access, connection).await
    }

    /// The same from a token and a connection that are there already.
    pub async fn log_in_with(
        &mut self,
        mut access: grant::Access,
        mut connection: Connection,
    ) -> Result<Connection> {
        let mut renewed = false;
        loop {
            let account = &self.row.account;
            let answer = connection
                .log_in(&account.server, self.provider.as_deref(), &account.user, &access.token)
                .await?;
            let auth_resp_code = connection.capabilities.auth_resp_code;
            let refusal = match answer {
                Answer::Welcome => {
                    connection.gate.let_in(&self.call, connection.family).await?;
                    return Ok(connection);
                }
                Answer::Refused(refusal) => Some(refusal),
                Answer::Broken(e) => {
                    Line::new("login_broken").field("account", &account.id).field("error", e).warn();
                    None
                }
            };
            let code = refusal.as_ref().and_then(|refusal| refusal.code.as_ref());
            let about_the_token = matches!(code, None | Some(ResponseCode::Auth | ResponseCode::Other(_)));
            if about_the_token
                && !renewed
                && let Some(fresh) = grant::renew_after_refusal(&self.call, &self.row, &access).await?
            {
                access = fresh;
                renewed = true;
                connection = login::connect(&self.call, &self.row).await?;
                continue;
            }
            let error = self.refused_login(&access, refusal.as_ref(), auth_resp_code);
            return Err(self.weighed(error, &connection.gate, connection.family).await?);
        }
    }

    /// What throttling servers say too is believed of an account that worked only when it lasts (DESIGN.md 6).
    async fn weighed(&mut self, error: Error, gate: &Gate, family: Family) -> Result<Error> {
        if !self.worked_before() || !diagnosis::is_doubtful(&error) {
            return Ok(error);
        }
        let since = self.row.state.refused_since;
        let doubted = gate.refused(&self.call, family, since, &error.message).await?;
        self.row.state.refused_since = since.or(Some(self.call.now()));
        Ok(doubted.unwrap_or(error))
    }

    fn worked_before(&self) -> bool {
        let state = &self.row.state;
        let same_sort = state.login_with.is_empty() || state.login_with == self.sort_of_token();
        state.last_login.is_some() && same_sort
    }

    pub fn sort_of_token(&self) -> String {
        match &self.row.account.source {
            TokenSource::Provider(provider) => format!("provider {provider}"),
            TokenSource::File(_) => "file".to_owned(),
            TokenSource::Password(_) => "password".to_owned(),
        }
    }

    /// `-ERR` to the credentials, or none at all, with what else is known (PROTOCOL.md B.6).
    fn refused_login(
        &self,
        access: &grant::Access,
        refusal: Option<&Refusal>,
        auth_resp_code: bool,
    ) -> Error {
        let state = &self.row.state;
        let code = refusal.and_then(|refusal| refusal.code.as_ref()).map_or("", ResponseCode::name);
        let scope_has_pop = match &self.provider {
            // Such a token's scope names nothing.
            _ if self.row.account.app_only => true,
            Some(provider) => access.scope.is_empty() || provider.grants_pop(&access.scope),
            None => true,
        };
        let seen = PopRefusal {
            code,
            text: refusal.map_or("", |refusal| &refusal.text),
            sasl_status: refusal.and_then(|refusal| refusal.sasl_status.as_deref()).unwrap_or(""),
            auth_resp_code,
            closed: refusal.is_none(),
            closed_before: if state.cause == "server.unavailable" { state.failures } else { 0 },
            token_age_s: self.call.now().saturating_sub(access.obtained_at),
            token_length: access.token.len(),
            scope: &access.scope,
            scope_has_pop,
            shared: self.is_shared(),
            worked_before: self.worked_before(),
        };
        let error = diagnosis::pop_refusal(self.provider.as_deref(), &seen);
        if self.row.account.app_only { diagnosis::pop_refused_application(error) } else { error }
    }

    /// Another name signed in than the one that goes into `user=` (PROTOCOL.md B.4).
    fn is_shared(&self) -> bool {
        let account = &self.row.account;
        let mailbox = self.in_recent_mode().unwrap_or(&account.user);
        let signed_in = self.row.state.identity.as_ref().and_then(|identity| identity.name.as_deref());
        !signed_in.unwrap_or(account.sign_in_name()).eq_ignore_ascii_case(mailbox)
    }
}
