//! `multipop_account_put`, `_remove`, `_act` and `multipop_accounts`: accounts and the rights over them (I14).

use super::Instance;
use crate::engine::pump::Host;
use crate::error::{Error, Result};

pub struct AccountsRequest<'a> {
    pub actor: &'a str,
    pub account: Option<&'a str>,
    pub realm: Option<&'a str>,
    pub after: Option<&'a str>,
    /// 0 = 1,000.
    pub limit: u32,
}

impl Instance {
    pub fn account_put(
        &self,
        _host: &mut dyn Host,
        _actor: &str,
        _owner: &str,
        _id: &str,
        _json: &str,
    ) -> Result<()> {
        Err(Error::bug("being built"))
    }

    pub fn account_remove(&self, _host: &mut dyn Host, _actor: &str, _id: &str) -> Result<()> {
        Err(Error::bug("being built"))
    }

    /// The answer is JSON, see `config.schema.json`.
    pub fn accounts(&self, _host: &mut dyn Host, _request: &AccountsRequest<'_>) -> Result<String> {
        Err(Error::bug("being built"))
    }

    pub fn account_act(
        &self,
        _host: &mut dyn Host,
        _actor: &str,
        _id: &str,
        _session: Option<&str>,
        _json: &str,
    ) -> Result<String> {
        Err(Error::bug("being built"))
    }
}
