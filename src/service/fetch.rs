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

/// Where the host says 0.
const DEADLINE_S: u32 = 600;

impl Instance {
    /// The report is there whenever the arguments were accepted, whatever the status.
    pub fn fetch_once(
        &self,
        host: &mut dyn Host,
        request: &FetchRequest<'_>,
    ) -> (Result<()>, Option<Report>) {
        let what = match self.what(host, request) {
            Ok(what) => what,
            Err(e) if e.status == Status::Argument || e.status == Status::State => return (Err(e), None),
            Err(e) => return (Err(e), Some(Report { next_due_s: pass::NEVER, ..Report::default() })),
        };
        let after = if request.deadline_s == 0 { DEADLINE_S } else { request.deadline_s };
        let ran = self.run_long(host, Duration::from_secs(after.into()), |call| pass::pass(call, what));
        match ran {
            Ok((report, ended)) => (ended, Some(report)),
            Err(e) => (Err(e), Some(Report { next_due_s: pass::NEVER, ..Report::default() })),
        }
    }
}
