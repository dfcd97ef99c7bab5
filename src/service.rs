//! The verbs in safe Rust: what `multipop.h` promises, one method for each function.
//!
//! Rights are enforced here and in the store, never left to the host. The door (`ffi`) keeps to one call at a time
//! per instance, catches panics and compares pids; a method here may rely on that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use crate::engine::pump::Host;
use crate::error::{Error, Result};
use crate::model::{Report, UnixTime};

/// The clock is given, so that a test can step a day in no time.
pub trait Clock: Send + Sync {
    fn now(&self) -> UnixTime;
}

/// The system's clock.
pub struct SystemClock;

impl Clock for SystemClock {
    fn now(&self) -> UnixTime {
        std::time::SystemTime::now()
            .duration_since(std::time::UNIX_EPOCH)
            .map_or(0, |since| since.as_secs())
    }
}

/// One instance. Holds memory only between calls.
pub struct Instance {
    clock: Arc<dyn Clock>,
    cancel: Arc<AtomicBool>,
}

pub struct AccountsRequest<'a> {
    pub actor: &'a str,
    pub account: Option<&'a str>,
    pub realm: Option<&'a str>,
    pub after: Option<&'a str>,
    /// 0 = 1,000.
    pub limit: u32,
}

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

pub struct FetchRequest<'a> {
    pub actor: &'a str,
    pub account: Option<&'a str>,
    /// 0 = 600.
    pub deadline_s: u32,
    /// Ignore interval and back-off.
    pub now: bool,
}

impl Instance {
    /// `name` is the host's, for log lines. No network, no thread, no file.
    pub fn new(_name: &str, clock: Arc<dyn Clock>) -> Instance {
        Instance {
            clock,
            cancel: Arc::new(AtomicBool::new(false)),
        }
    }

    /// What `multipop_cancel` stores into. Sticky until a long call consumes it.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        self.cancel.clone()
    }

    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Release);
    }

    pub fn configure(&self, _host: &mut dyn Host, _json: &str) -> Result<()> {
        let _ = self.clock.now();
        Err(Error::bug("being built"))
    }

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

    pub fn authorize_url(
        &self,
        _host: &mut dyn Host,
        _request: &AuthorizeRequest<'_>,
    ) -> Result<String> {
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

    /// The report is there whenever the arguments were accepted, whatever the status.
    pub fn fetch_once(
        &self,
        _host: &mut dyn Host,
        _request: &FetchRequest<'_>,
    ) -> (Result<()>, Option<Report>) {
        (Err(Error::bug("being built")), None)
    }
}
