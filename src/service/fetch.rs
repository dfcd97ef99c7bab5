//! `multipop_fetch_once`: a pass over what is due, or a visit to one account.

use std::time::Duration;

use super::Instance;
use crate::engine::pass::{self, What};
use crate::engine::pump::Host;
use crate::error::Result;
use crate::model::{Actor, OPERATOR, Report};

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
        if let Err(e) = self.settings() {
            return (Err(e), None);
        }
        let actor = match request.actor {
            OPERATOR => Actor::Operator,
            owner => Actor::Owner(owner.to_owned()),
        };
        let what = What { actor, account: request.account.map(str::to_owned), regardless: request.now };
        let after = if request.deadline_s == 0 { DEADLINE_S } else { request.deadline_s };
        let ran = self.run_long(host, Duration::from_secs(after.into()), |call| pass::pass(call, what));
        match ran {
            Ok((report, ended)) => (ended, Some(report)),
            Err(e) => (Err(e), Some(Report { next_due_s: pass::NEVER, ..Report::default() })),
        }
    }
}
