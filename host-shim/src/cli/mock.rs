//! `mock`: the mock servers in the foreground, for developers of hosts.

use std::path::PathBuf;

use clap::Args;
use multipop_host::mock::idp::{Consent, Settings};
use serde_json::json;

use super::console::Console;
use super::stage::{self, Stage};
use super::{Done, Trouble};

#[derive(Debug, Args)]
pub struct Mock {
    /// Where CA file, secret, key and configuration are made: a new or empty folder
    #[arg(long, value_name = "DIR")]
    dir: PathBuf,
    /// Messages in the mailbox
    #[arg(long, default_value_t = 40)]
    messages: usize,
    /// The size of each; else mixed sizes, with the oddities real mail has
    #[arg(long, value_name = "BYTES")]
    size: Option<u64>,
}

impl Mock {
    /// Until it is interrupted.
    pub fn run(&self, console: &Console) -> Done {
        let settings = Settings { consent: Consent::Page, ..Settings::generic() };
        let mut stage = Stage::set(&self.dir, settings)?;
        match self.size {
            Some(size) => drop(stage.pop.mailboxes().fill(stage::USER, self.messages, size, 1)),
            None => stage.fill(self.messages),
        }
        let token_file = stage.ca_file.with_file_name("token");
        let token = super::authorize::session()?;
        let written = stage::write_secret(&token_file, &token);
        written.map_err(|e| Trouble::io(token_file.display(), &e, "Name a new or empty folder."))?;
        stage.tokens.accept(&token, stage::USER);

        let (config, ca_file) = (stage.config.display(), stage.ca_file.display());
        console.say(&format!(
            "POP3S server       {}, mailbox {}, {} messages\n\
             identity provider  {}\n\
             CA file            {ca_file}\n\
             configuration      {config}\n\
             access token       {} (for --token-file)\n\n\
             multipop-host authorize {} --config {config}\n\
             multipop-host fetch --config {config} --maildir DIR\n\n\
             Ctrl-C ends both servers.",
            stage.pop.address(),
            stage::USER,
            self.messages,
            stage.idp.issuer(),
            token_file.display(),
            stage::ACCOUNT,
        ));
        console.object(&json!({
            "type": "mock",
            "pop3s": stage.pop.address().to_string(),
            "issuer": stage.idp.issuer(),
            "authorize_endpoint": stage.idp.authorize_url(),
            "token_endpoint": stage.idp.token_url(),
            "ca_file": stage.ca_file,
            "config": stage.config,
            "token_file": token_file,
            "account": stage::ACCOUNT,
            "owner": stage::OWNER,
            "user": stage::USER,
        }));
        loop {
            std::thread::park();
        }
    }
}
