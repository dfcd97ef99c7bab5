//! A valid access token for an account: cached, read from a file, or refreshed once (I10).

use super::call::Call;
use crate::error::{Error, Result};
use crate::model::UnixTime;
use crate::secret::Secret;
use crate::store::AccountRow;

pub struct Access {
    pub token: Secret,
    pub obtained_at: UnixTime,
    pub fresh: bool,
    pub scope: String,
    pub version: u64,
}

pub async fn access(_call: &Call, _row: &AccountRow) -> Result<Access> {
    Err(Error::bug("being built"))
}

pub async fn renew_after_refusal(_call: &Call, _row: &AccountRow, _used: &Access) -> Result<Option<Access>> {
    Ok(None)
}
