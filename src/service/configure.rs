//! `multipop_configure`: reads and proves everything, all or nothing (I12).
//!
//! The store is written last, in one transaction; whatever fails before leaves instance and store as they were.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use super::{Configured, Instance, SHORT};
use crate::config::{Config, Source};
use crate::engine::call::{self, Call};
use crate::engine::files::Named;
use crate::engine::line::Line;
use crate::engine::pump::Host;
use crate::engine::settings::Settings;
use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::store::{Change, Desired};

/// No mail passes through this call.
const POOL: usize = 64 * 1024;

impl Instance {
    /// `multipop_cancel` ends it as long as nothing was written.
    pub fn configure(&self, host: &mut dyn Host, json: &str) -> Result<()> {
        let done = self.prove_and_apply(host, json);
        self.cancel.store(false, Ordering::Release);
        *self.configured.lock() = Some(done?);
        Ok(())
    }

    fn prove_and_apply(&self, host: &mut dyn Host, json: &str) -> Result<Configured> {
        let former = self.configured.lock().clone();
        let cancel = self.cancel.clone();
        let prepare = || prove(json, &cancel).map(Arc::new);
        call::run_with(host, POOL, prepare, &self.clock, &self.cancel, SHORT, |call| async {
            stop_if_cancelled(&self.cancel)?;
            apply(call, former)
        })
    }
}

fn prove(json: &str, cancel: &AtomicBool) -> Result<Settings> {
    stop_if_cancelled(cancel)?;
    let config = read(json)?;
    stop_if_cancelled(cancel)?;
    Settings::prove(config)
}

fn read(json: &str) -> Result<Config> {
    let Source::File(path) = Config::locate(json)? else {
        return Config::read(json);
    };
    let text = Named { member: "file", path: Path::new(&path) }.text()?;
    Config::read_named(&text, path.to_str())
}

/// Not interrupted once begun: its transaction and what the instance holds go together.
fn apply(call: Call, former: Option<Configured>) -> Result<Configured> {
    let settings = call.settings.clone();
    let desired = Desired { digest: settings.digest(), accounts: settings.config.accounts.clone() };
    // A number is one store's.
    let mine = former
        .filter(|former| former.settings.config.store == settings.config.store)
        .map(|former| former.number);
    let applied = call.store.apply(&desired, mine, call.now())?;
    let line = Line::new("configured").field("number", applied.number);
    match applied.change {
        Change::Written => line.field("change", "written").info(),
        Change::Unchanged => line.field("change", "unchanged").debug(),
        Change::Superseded => line
            .field("change", "superseded")
            .field("advice", "another instance was given a later configuration; give this one the same")
            .warn(),
    }
    tell_ends(&settings, applied.change, call.now());
    Ok(Configured { settings, number: applied.number })
}

/// Certificates that end soon, or ended: the provider will refuse them, this library does not.
fn tell_ends(settings: &Settings, change: Change, now: UnixTime) {
    for provider in settings.providers() {
        for (at, end) in provider.certificate_ends() {
            let line = Line::new("certificate_ends")
                .field("provider", &provider.id)
                .field("certificate", at)
                .field("in_days", i128::from(end).saturating_sub(i128::from(now)).div_euclid(DAY_S));
            if i128::from(end) - i128::from(now) <= SOON_S {
                line.field("advice", "register a new certificate, and list it beside this one").warn();
            } else if change == Change::Written {
                line.info();
            }
        }
    }
}

const DAY_S: i128 = 86_400;
const SOON_S: i128 = 30 * DAY_S;

fn stop_if_cancelled(cancel: &AtomicBool) -> Result<()> {
    if cancel.load(Ordering::Acquire) {
        return Err(Error::new(Status::Cancelled, "cancelled", "the host cancelled the call"));
    }
    Ok(())
}
