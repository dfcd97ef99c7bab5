//! `fetch` without a configuration: key, configuration and store are made in a folder of their own.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::{Value, json};

use super::{Done, Trouble, key};

/// One mailbox, named on the command line.
#[derive(Debug, Args)]
pub struct Mailbox {
    /// The POP3S server
    #[arg(long, value_name = "HOST:PORT", requires_all = ["user", "token_file", "state"], conflicts_with = "config")]
    server: Option<String>,
    /// Trust this certificate authority in place of the system's
    #[arg(long, value_name = "FILE", requires = "server")]
    ca_file: Option<PathBuf>,
    /// The mailbox's user name
    #[arg(long, requires = "server")]
    user: Option<String>,
    /// Holds an access token that somebody else keeps fresh
    #[arg(long, value_name = "FILE", requires = "server")]
    token_file: Option<PathBuf>,
    /// Where key, configuration and store are kept between runs
    #[arg(long, value_name = "DIR", requires = "server")]
    state: Option<PathBuf>,
    /// Delete at the server what is durable here
    #[arg(long, requires = "server")]
    delete: bool,
    #[arg(long, value_name = "WHEN", requires = "server", value_parser = ["auto", "on", "off", "probe"])]
    pipelining: Option<String>,
}

impl Mailbox {
    /// Writes what is missing or changed; answers the configuration's path, and the account's id.
    pub fn configuration(&self, account: Option<&str>) -> Result<Option<(PathBuf, String)>, Trouble> {
        let (Some(server), Some(user), Some(token_file), Some(state)) =
            (&self.server, &self.user, &self.token_file, &self.state)
        else {
            return Ok(None);
        };
        let state = absolute(state)?;
        let made = fs::DirBuilder::new().recursive(true).mode(0o700).create(&state);
        made.map_err(|e| Trouble::io(state.display(), &e, "Name a folder that can be written."))?;
        let key = state.join("key");
        if !key.exists() {
            sync_way_to(&state);
            key::make(&key)?;
        }
        let id = account.map_or_else(|| account_id(user), str::to_owned);
        let mut mailbox = json!({
            "owner": user,
            "deliver_to": user,
            "server": server,
            "user": user,
            "token_file": absolute(token_file)?,
            "delete": if self.delete { "now" } else { "never" },
        });
        if let Some(pipelining) = &self.pipelining {
            mailbox["pipelining"] = json!(pipelining);
        }
        let mut config = json!({
            "store": state.join("store.sqlite"),
            "keys": [key],
            "hostname": hostname(),
            "servers": [server],
            "accounts": {id.clone(): mailbox},
        });
        if let Some(ca_file) = &self.ca_file {
            config["ca_file"] = json!(absolute(ca_file)?);
            config["system_roots"] = json!(false);
        }
        let path = state.join("config.json");
        write_if_changed(&path, &config)?;
        Ok(Some((path, id)))
    }
}

fn absolute(path: &Path) -> Result<PathBuf, Trouble> {
    std::path::absolute(path).map_err(|e| Trouble::io(path.display(), &e, "Name an existing path."))
}

/// The folder is as durable as the store that will lie in it: without it all mail would come again. Whoever made it
/// may have been killed before this. A folder above that cannot be synced was not made here.
fn sync_way_to(state: &Path) {
    for folder in state.ancestors().skip(1) {
        let _ = fs::File::open(folder).and_then(|folder| folder.sync_all());
    }
}

/// A mailbox's name in the letters an account's id may have.
fn account_id(user: &str) -> String {
    let plain = |letter: char| letter.is_ascii_alphanumeric() || "._@-".contains(letter);
    let letters = user.chars().map(|letter| if plain(letter) { letter } else { '_' });
    letters.take(128).collect()
}

/// For `Received:` lines; a name the library would refuse says nothing anyway.
pub fn hostname() -> String {
    let name = nix::unistd::gethostname().unwrap_or_default();
    let name = name.to_string_lossy().into_owned();
    let is_label = |label: &str| {
        !label.is_empty()
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    match name.split('.').all(is_label) {
        true => name,
        false => "localhost".into(),
    }
}

/// Whole or not at all: a run killed here leaves the former one.
pub fn write_if_changed(path: &Path, config: &Value) -> Done {
    let text = format!("{config:#}\n");
    if fs::read_to_string(path).is_ok_and(|before| before == text) {
        return Ok(());
    }
    let unfinished = path.with_extension("json.new");
    let write = || -> std::io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(0o600).open(&unfinished)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&unfinished, path)
    };
    write().map_err(|e| Trouble::io(path.display(), &e, "Make the folder writable."))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_made_of_plain_letters() {
        assert_eq!(account_id("alice@contoso.example"), "alice@contoso.example");
        assert_eq!(account_id("a/b ü"), "a_b__");
    }
}
