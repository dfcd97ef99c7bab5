//! `multipop_fetch_once`: a pass over what is due, or a visit to one account.

use super::Instance;
use crate::engine::pump::Host;
use crate::error::{Error, Result};
use crate::model::Report;

pub struct FetchRequest<'a> {
    pub actor: &'a str,
    pub account: Option<&'a str>,
    /// 0 = 600.
    pub deadline_s: u32,
    /// Ignore interval and back-off.
    pub now: bool,
}

impl Instance {
    /// The report is there whenever the arguments were accepted, whatever the status.
    pub fn fetch_once(
        &self,
        _host: &mut dyn Host,
        _request: &FetchRequest<'_>,
    ) -> (Result<()>, Option<Report>) {
        (Err(Error::bug("being built")), None)
    }
}
