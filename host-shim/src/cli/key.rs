//! `key FILE`: the key that seals what is secret in the store.

use std::io::Write;
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use clap::Args;
use serde_json::json;

use super::console::Console;
use super::{Done, Trouble};

#[derive(Debug, Args)]
pub struct Key {
    /// The file to make; keep it apart from backups of the store
    file: PathBuf,
}

impl Key {
    pub fn run(&self, console: &Console) -> Done {
        make(&self.file)?;
        let file = self.file.display();
        console.say(&format!("{file}: a new key. Keep it apart from the store's backups."));
        console.object(&json!({"type": "key", "file": self.file}));
        Ok(())
    }
}

/// 32 random bytes in hex, on the disk before this returns: what it seals is worth nothing without it.
pub fn make(file: &Path) -> Done {
    let mut bytes = [0_u8; 32];
    getrandom::fill(&mut bytes).map_err(|e| Trouble::here(format!("no random bytes: {e}"), ""))?;
    let mut text: String = bytes.iter().map(|byte| format!("{byte:02x}")).collect();
    text.push('\n');
    let failed = |e: std::io::Error| {
        let advice = match e.kind() {
            std::io::ErrorKind::AlreadyExists => {
                "An existing key is never overwritten: what it sealed would be lost. Name another file."
            }
            _ => "Name a file in a folder that is there and can be written.",
        };
        Trouble::io(file.display(), &e, advice)
    };
    let mut opened =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file).map_err(failed)?;
    opened.write_all(text.as_bytes()).map_err(failed)?;
    opened.sync_all().map_err(failed)?;
    let parent = file.parent().filter(|parent| !parent.as_os_str().is_empty());
    let folder = std::fs::File::open(parent.unwrap_or(Path::new(".")));
    folder.and_then(|folder| folder.sync_all()).map_err(failed)
}
