//! `multipop_authorize_url`, `multipop_handle_callback` and the verb `confirm`: consent, bound to who began it (I11).

use super::Instance;
use crate::engine::pump::Host;
use crate::error::{Error, Result};

pub struct AuthorizeRequest<'a> {
    pub actor: &'a str,
    pub account: &'a str,
    pub session: &'a str,
    pub choose_account: bool,
    pub force_consent: bool,
    pub admin_consent: bool,
}

pub struct CallbackRequest<'a> {
    pub uri: &'a str,
    pub form: Option<&'a str>,
    pub session: &'a str,
}

impl Instance {
    pub fn authorize_url(&self, _host: &mut dyn Host, _request: &AuthorizeRequest<'_>) -> Result<String> {
        Err(Error::bug("being built"))
    }

    /// The JSON is there whenever the arguments were accepted, whatever the status.
    pub fn handle_callback(
        &self,
        _host: &mut dyn Host,
        _request: &CallbackRequest<'_>,
    ) -> (Result<()>, Option<String>) {
        (Err(Error::bug("being built")), None)
    }
}
