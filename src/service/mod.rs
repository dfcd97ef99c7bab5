//! The verbs in safe Rust: what `multipop.h` promises, one method for each function.
//!
//! Rights are enforced here and in the store, never left to the host. The door (`ffi`) keeps to one call at a time
//! per instance, catches panics and compares pids; a method here may rely on that.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use parking_lot::Mutex;

use crate::engine::call::{self, Call, Clock};
use crate::engine::pump::Host;
use crate::engine::settings::Settings;
use crate::error::{Error, Result, Status};

pub mod accounts;
pub mod act;
pub mod check;
pub mod configure;
pub mod consent;
mod erase;
mod export;
pub mod fetch;
mod notices;
mod rights;

/// One instance. Holds memory only between calls.
pub struct Instance {
    clock: Arc<dyn Clock>,
    cancel: Arc<AtomicBool>,
    configured: Mutex<Option<Configured>>,
}

/// What `configure` left behind.
#[derive(Clone)]
struct Configured {
    settings: Arc<Settings>,
    /// The number under which the store knows this configuration.
    number: u64,
}

impl Instance {
    /// `name` is the host's, for log lines. No network, no thread, no file.
    pub fn new(_name: &str, clock: Arc<dyn Clock>) -> Instance {
        Instance { clock, cancel: Arc::new(AtomicBool::new(false)), configured: Mutex::new(None) }
    }

    /// What `multipop_cancel` stores into. Sticky until a long call consumes it.
    pub fn cancel_flag(&self) -> Arc<AtomicBool> {
        self.cancel.clone()
    }

    pub fn cancel(&self) {
        self.cancel.store(true, Ordering::Release);
    }

    fn settings(&self) -> Result<Arc<Settings>> {
        match &*self.configured.lock() {
            Some(configured) => Ok(configured.settings.clone()),
            None => {
                Err(Error::new(Status::State, "state.not_configured", "the instance was not configured yet")
                    .advice("Call multipop_configure first."))
            }
        }
    }

    /// Runs `work` as one call on a driving thread (`engine::call`); the calling thread runs the host's callbacks.
    /// For calls that touch local files only: `multipop_cancel` waits for the next long one.
    fn run<T: Send, F: Future<Output = Result<T>>>(
        &self,
        host: &mut dyn Host,
        work: impl FnOnce(Call) -> F + Send,
    ) -> Result<T> {
        let never = Arc::new(AtomicBool::new(false));
        let settings = self.settings()?;
        call::run(host, &settings, &self.clock, &never, SHORT, work)
    }

    /// The same for a call that uses the network: `multipop_cancel` ends it, and it consumes the cancel.
    fn run_long<T: Send, F: Future<Output = Result<T>>>(
        &self,
        host: &mut dyn Host,
        after: Duration,
        work: impl FnOnce(Call) -> F + Send,
    ) -> Result<T> {
        let done = self
            .settings()
            .and_then(|settings| call::run(host, &settings, &self.clock, &self.cancel, after, work));
        self.cancel.store(false, Ordering::Release);
        done
    }
}

/// More than any local step takes.
const SHORT: Duration = Duration::from_secs(60);
