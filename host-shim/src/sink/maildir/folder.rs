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
    /// `cur` is made last, when all the rest is durable: a run that was killed before leaves none, and the next one
    /// begins again. Where it stands already, somebody saw to that.
    pub fn open(files: &dyn Files, path: &Path) -> io::Result<Folder> {
        let [tmp, new, cur] = ["tmp", "new", "cur"].map(|sub| path.join(sub));
        let is_whole = cur.is_dir();
        if !is_whole {
            create_with_parents(files, path)?;
        }
        let mut created = !is_whole;
        for sub in [&tmp, &new] {
            created |= files.create_folder(sub)?;
        }
        if created {
            files.sync_folder(path)?;
        }
        if !is_whole {
            files.create_folder(&cur)?;
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

/// The way to a folder made here is as durable as the message it will hold, whoever made a part of it: a run that
/// was killed may have, and synced nothing.
fn create_with_parents(files: &dyn Files, path: &Path) -> io::Result<()> {
    let way: Vec<&Path> = path.ancestors().take_while(|folder| !folder.as_os_str().is_empty()).collect();
    for folder in way.into_iter().rev() {
        let Some(parent) = folder.parent() else { continue };
        let made = !folder.is_dir() && files.create_folder(folder)?;
        match files.sync_folder(parent) {
            // Not made by us then.
            Err(e) if !made && is_out_of_reach(&e) => {}
            synced => synced?,
        }
    }
    Ok(())
}

/// A folder that we may only pass through, or of a file system that cannot sync one.
fn is_out_of_reach(error: &io::Error) -> bool {
    use io::ErrorKind::{InvalidInput, PermissionDenied, ReadOnlyFilesystem, Unsupported};
    matches!(error.kind(), InvalidInput | PermissionDenied | ReadOnlyFilesystem | Unsupported)
}
