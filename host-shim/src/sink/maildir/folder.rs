//! One Maildir: made if it is missing, cleared of what crashed runs left in `tmp`, searched for an earlier delivery.

use std::collections::HashMap;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use super::files::Files;
use super::name::Key;

/// By the Maildir convention, what lies in `tmp` for so long belongs to nobody.
const ABANDONED: Duration = Duration::from_secs(36 * 3600);

/// Readings of the index for one message, against a reader who moves files meanwhile.
const TRIES: u32 = 3;

pub(super) struct Folder {
    pub tmp: PathBuf,
    pub new: PathBuf,
    cur: PathBuf,
    /// What lies in `new` and `cur`, read when first asked for.
    index: Option<HashMap<Key, PathBuf>>,
}

impl Folder {
    pub fn open(files: &dyn Files, path: &Path) -> io::Result<Folder> {
        create_with_parents(files, path)?;
        let [tmp, new, cur] = ["tmp", "new", "cur"].map(|sub| path.join(sub));
        let mut created = false;
        for sub in [&tmp, &new, &cur] {
            created |= files.create_folder(sub)?;
        }
        if created {
            files.sync_folder(path)?;
        }
        let folder = Folder { tmp, new, cur, index: None };
        folder.remove_from_tmp(files, |_, age| age > ABANDONED)?;
        Ok(folder)
    }

    /// Finds a delivery under this key and makes it durable: existing is not durable.
    pub fn settle_earlier(&mut self, files: &dyn Files, key: &Key) -> io::Result<bool> {
        for _ in 0..TRIES {
            if self.index.is_none() {
                self.index = Some(self.read_index()?);
            }
            let found = self.index.as_ref().and_then(|index| index.get(key)).cloned();
            let Some(file) = found else { return Ok(false) };
            match files.sync_earlier(&file) {
                Ok(()) => {
                    files.sync_folder(if file.starts_with(&self.new) { &self.new } else { &self.cur })?;
                    return Ok(true);
                }
                // A reader moved or deleted it since the index was read.
                Err(e) if e.kind() == io::ErrorKind::NotFound => self.index = None,
                Err(e) => return Err(e),
            }
        }
        Err(io::Error::other("an earlier delivery is being moved about"))
    }

    /// What an interrupted run left of this message. Another process that still holds it open then fails to rename
    /// it, and so never reports it as durable.
    pub fn remove_unfinished(&self, files: &dyn Files, key: &Key) -> io::Result<()> {
        self.remove_from_tmp(files, |found, _| found == key)
    }

    pub fn delivered(&mut self, key: Key, file: PathBuf) {
        if let Some(index) = &mut self.index {
            index.insert(key, file);
        }
    }

    /// `new` first: a reader moves files from there to `cur`, so none is missed.
    fn read_index(&self) -> io::Result<HashMap<Key, PathBuf>> {
        let mut index = HashMap::new();
        for sub in [&self.new, &self.cur] {
            for entry in fs::read_dir(sub)? {
                let entry = entry?;
                if let Some(key) = entry.file_name().to_str().and_then(Key::of) {
                    index.insert(key, entry.path());
                }
            }
        }
        Ok(index)
    }

    fn remove_from_tmp(&self, files: &dyn Files, is_left: impl Fn(&Key, Duration) -> bool) -> io::Result<()> {
        let now = SystemTime::now();
        for entry in fs::read_dir(&self.tmp)? {
            let entry = entry?;
            let Some(key) = entry.file_name().to_str().and_then(Key::of) else {
                continue;
            };
            let modified = entry.metadata().and_then(|data| data.modified());
            let age = modified.map(|at| now.duration_since(at).unwrap_or_default());
            // One that is gone meanwhile is what is wanted.
            if is_left(&key, age.unwrap_or_default()) {
                let _ = files.remove(&entry.path());
            }
        }
        Ok(())
    }
}

/// A folder made here is as durable as the message it will hold.
fn create_with_parents(files: &dyn Files, path: &Path) -> io::Result<()> {
    let mut missing: Vec<&Path> =
        path.ancestors().take_while(|folder| !folder.as_os_str().is_empty() && !folder.is_dir()).collect();
    while let Some(folder) = missing.pop() {
        if files.create_folder(folder)?
            && let Some(parent) = folder.parent()
        {
            files.sync_folder(parent)?;
        }
    }
    Ok(())
}
