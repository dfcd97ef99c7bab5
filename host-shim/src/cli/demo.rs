//! `demo`: the whole journey with mock servers, in one process, without network or root: consent, fetch, only what
//! is new.

use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::Args;
use multipop_host::library;
use multipop_host::mock::idp;
use multipop_host::sink::maildir::Maildir;
use serde_json::json;

use super::console::Console;
use super::fetch::{What, address};
use super::progress::Progress;
use super::stage::{self, Stage};
use super::{Common, Done, Trouble, authorize, opened};

#[derive(Debug, Args)]
pub struct Demo {
    /// Where to make everything; else a folder in the temporary one
    #[arg(long, value_name = "DIR")]
    dir: Option<PathBuf>,
}

const MESSAGES: usize = 40;
const NEW: usize = 3;
/// As of a server some way off: long enough to see the mail come.
const ROUND_TRIP: Duration = Duration::from_millis(40);

impl Demo {
    pub fn run(&self, common: &Common, console: &Console) -> Done {
        let folder = match &self.dir {
            Some(dir) => dir.clone(),
            None => temporary()?,
        };
        let mut stage = Stage::set(&folder, idp::Settings::generic())?;
        stage.fill(MESSAGES);
        stage.pop.change(|script| script.round_trip = ROUND_TRIP);
        let (issuer, server) = (stage.idp.issuer(), stage.pop.address());
        console.say(&format!("1. Servers     an identity provider at {issuer}, a POP3S server at {server},"));
        console.say(&format!(
            "               with {MESSAGES} messages for {} (all mock, on loopback)",
            stage::USER
        ));

        let api = opened::load(common, console)?;
        let (version, how) = (api.version(), format!("{:?}", common.load).to_lowercase());
        console.say(&format!("2. Library     libmultipop {version}, loaded {how}"));
        drop(api);
        let progress = Box::new(Progress::new(console.clone()));
        let mut instance = opened::open(common, console, &stage.config, progress)?;

        let session = authorize::session()?;
        let url = instance.authorize_url(&library::Authorize {
            actor: stage::OWNER,
            account: stage::ACCOUNT,
            session: &session,
            ..library::Authorize::default()
        })?;
        let redirect = stage.idp.consent(&url, stage::USER);
        let redirect = redirect.map_err(|e| Trouble::io("the mock browser", &e, ""))?;
        instance.handle_callback(&redirect, None, &session).0?;
        console.say(&format!(
            "3. Consent     {} signed in and agreed; the grant is sealed in the store",
            stage::USER
        ));

        let maildir = folder.join("Maildir");
        let mut fetch = |expected: usize, says: &str| -> Done {
            console.say(says);
            let what = What { actor: stage::OWNER, account: Some(stage::ACCOUNT), deadline_s: 60, now: true };
            let report = what.fetch(&mut instance, &mut Maildir::new(address(&maildir)?), console)?;
            match report.messages_taken == expected as u64 {
                true => Ok(()),
                false => Err(Trouble {
                    code: 50,
                    ..Trouble::here(
                        format!("{} messages came in place of {expected}", report.messages_taken),
                        "Run it again with -vv and report what it logs.",
                    )
                }),
            }
        };
        fetch(MESSAGES, "4. Fetch       everything")?;
        fetch(0, "5. Fetch       again: nothing is new")?;
        stage.fill(NEW);
        fetch(NEW, "6. Fetch       after three new messages")?;

        let found = files(&maildir.join("new"))?;
        console.say(&format!("\n{found} messages are in {}", maildir.display()));
        console
            .say(&format!("Look around: {} has the configuration, the key and the store.", folder.display()));
        console.object(&json!({"type": "demo", "maildir": maildir, "messages": found, "folder": folder}));
        match found == MESSAGES + NEW {
            true => Ok(()),
            false => Err(Trouble { code: 50, ..Trouble::here("that is not the number that was sent", "") }),
        }
    }
}

fn temporary() -> Result<PathBuf, Trouble> {
    let made = tempfile::Builder::new().prefix("multipop-demo-").tempdir();
    let made = made.map_err(|e| Trouble::io("the temporary folder", &e, "Name a folder with --dir."))?;
    Ok(made.keep())
}

fn files(folder: &Path) -> Result<usize, Trouble> {
    let entries = std::fs::read_dir(folder).map_err(|e| Trouble::io(folder.display(), &e, ""))?;
    Ok(entries.count())
}
