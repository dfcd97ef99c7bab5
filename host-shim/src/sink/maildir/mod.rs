//! The Maildir sink: durable, batching, with at most one copy of each message whatever was interrupted (I1, I2).
//!
//! A message is written to `tmp` and handed to the sync threads at its end (QUEUED). `flush` waits until the data of
//! the whole batch is synced, renames into `new`, syncs every folder touched, and only then says yes. If any step
//! fails, every file of the batch is removed and comes again as a new file: a failed sync is never tried a second
//! time on the same descriptor, which could report a false success.

use std::collections::{HashMap, HashSet};
use std::fs::File;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;

use crate::library::{Begun, Message, No, Sink, Yes};

mod address;
pub mod files;
mod folder;
mod lines;
mod name;
mod syncers;

pub use address::Address;
use files::{Disk, Files};
use folder::Folder;
use lines::Lines;
use name::Key;
use syncers::{Job, Syncers};

/// A small message is one write.
const BUFFER_BYTES: usize = 32 * 1024;
/// Left free on the disk, so that the mailbox's owner can still delete mail.
const SPARE_BYTES: u64 = 1024 * 1024;

pub struct Maildir {
    files: Arc<dyn Files>,
    address: Address,
    host: String,
    folders: HashMap<PathBuf, Folder>,
    syncers: Syncers,
    /// Written and on their way to the disk, in order.
    batch: Vec<Queued>,
    delivered: u64,
    known_as: String,
}

/// A message on its way into `tmp`.
pub struct Open {
    file: File,
    folder: PathBuf,
    name: String,
    key: Key,
    lines: Lines,
    buffer: Vec<u8>,
    written: u64,
}

struct Queued {
    folder: PathBuf,
    key: Key,
    tmp: PathBuf,
    new: PathBuf,
    renamed: bool,
}

impl Maildir {
    pub fn new(address: Address) -> Maildir {
        Maildir::on(address, Arc::new(Disk))
    }

    /// On a file system of the caller's.
    pub fn on(address: Address, files: Arc<dyn Files>) -> Maildir {
        Maildir {
            syncers: Syncers::new(files.clone()),
            files,
            address,
            host: name::host(),
            folders: HashMap::new(),
            batch: Vec::new(),
            delivered: 0,
            known_as: String::new(),
        }
    }

    /// Files made durable so far.
    pub fn delivered(&self) -> u64 {
        self.delivered
    }

    fn folder(&mut self, message: &Message<'_>) -> Result<PathBuf, No> {
        let path = self.address.resolve(message.deliver_to).map_err(No::Recipient)?;
        if !self.folders.contains_key(&path) {
            let opened = Folder::open(&*self.files, &path).map_err(|e| no("open the Maildir", &path, &e))?;
            self.folders.insert(path.clone(), opened);
        }
        Ok(path)
    }

    /// A message that an interrupted run may have delivered: found and durable now, or what it left is gone.
    fn settle(&mut self, path: &Path, key: &Key) -> Result<bool, No> {
        let Some(folder) = self.folders.get_mut(path) else {
            return Ok(false);
        };
        let settled = folder.settle_earlier(&*self.files, key);
        if settled.map_err(|e| no("look for an earlier delivery", path, &e))? {
            self.known_as = "an earlier delivery of the same message".to_owned();
            return Ok(true);
        }
        // One of this batch is not unfinished business of another run.
        if !self.batch.iter().any(|queued| queued.key == *key && queued.folder == path) {
            let removed = folder.remove_unfinished(&*self.files, key);
            removed.map_err(|e| no("clear tmp", path, &e))?;
        }
        Ok(false)
    }

    fn write(&self, open: &mut Open) -> Result<(), No> {
        let path = open.tmp();
        let written = self.files.write(&mut open.file, &path, &open.buffer);
        written.map_err(|e| no("write", &path, &e))?;
        open.written += open.buffer.len() as u64;
        open.buffer.clear();
        Ok(())
    }

    fn commit(&mut self) -> Result<(), String> {
        self.syncers.wait()?;
        for queued in &mut self.batch {
            let renamed = self.files.rename(&queued.tmp, &queued.new);
            renamed.map_err(|e| format!("cannot rename into new: {e}: {}", queued.new.display()))?;
            queued.renamed = true;
        }
        let touched: HashSet<&PathBuf> = self.batch.iter().map(|queued| &queued.folder).collect();
        for path in touched {
            self.syncers.begin(Job::Folder(path.join("new")));
            self.syncers.begin(Job::Folder(path.join("tmp")));
        }
        self.syncers.wait()
    }

    /// Nothing of a failed batch stays, so that what comes again is the only copy.
    fn roll_back(&mut self) {
        for queued in self.batch.drain(..) {
            let place = if queued.renamed { &queued.new } else { &queued.tmp };
            // Gone already: a reader has it, and its key will be found.
            let _ = self.files.remove(place);
        }
    }
}

impl Open {
    fn tmp(&self) -> PathBuf {
        self.folder.join("tmp").join(&self.name)
    }
}

impl Sink for Maildir {
    type Open = Open;

    fn offers(&self) -> bool {
        true
    }

    /// Spares the download of what is here already, and of what the disk cannot hold.
    fn offer(&mut self, message: &Message<'_>) -> Result<Option<Yes>, No> {
        let path = self.folder(message)?;
        if message.may_repeat
            && let Some(key) = message.dedupe_key
            && self.settle(&path, &Key::new(key))?
        {
            return Ok(Some(Yes::Taken));
        }
        let free = self.files.free_bytes(&path);
        match free.map_err(|e| no("look at", &path, &e))? {
            free if free < message.size_hint.saturating_add(SPARE_BYTES) => {
                Err(No::Full(format!("{free} bytes are free: {}", path.display())))
            }
            _ => Ok(None),
        }
    }

    fn begin(&mut self, message: &Message<'_>) -> Result<Begun<Open>, No> {
        let path = self.folder(message)?;
        let key = Key::new(message.dedupe_key.unwrap_or_default());
        if message.may_repeat && message.dedupe_key.is_some() && self.settle(&path, &key)? {
            return Ok(Begun::Already(Yes::Taken));
        }
        let seconds = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
        let name = key.name(seconds.unwrap_or_default().as_secs(), &self.host);
        let tmp = path.join("tmp").join(&name);
        let file = self.files.create(&tmp).map_err(|e| no("create", &tmp, &e))?;
        let mut open = Open {
            file,
            folder: path,
            name,
            key,
            lines: Lines::default(),
            buffer: Vec::with_capacity(BUFFER_BYTES.min(message.size_hint as usize + 1024)),
            written: 0,
        };
        open.lines.convert(message.received.as_bytes(), &mut open.buffer);
        Ok(Begun::Go(open))
    }

    fn data(&mut self, open: &mut Open, bytes: &[u8]) -> Result<(), No> {
        open.lines.convert(bytes, &mut open.buffer);
        match open.buffer.len() < BUFFER_BYTES {
            true => Ok(()),
            false => self.write(open),
        }
    }

    fn end(&mut self, mut open: Open) -> Result<Yes, No> {
        open.lines.finish(&mut open.buffer);
        let tmp = open.tmp();
        if let Err(no) = self.write(&mut open) {
            // It stays in tmp at the worst, where nobody reads.
            let _ = self.files.remove(&tmp);
            return Err(no);
        }
        let name = format!("{},S={}", open.name, open.written);
        let new = open.folder.join("new").join(&name);
        self.known_as = name;
        self.syncers.begin(Job::File(open.file, tmp.clone()));
        self.batch.push(Queued { folder: open.folder, key: open.key, tmp, new, renamed: false });
        Ok(Yes::Queued)
    }

    fn abort(&mut self, open: Open) {
        // It stays in tmp at the worst, where nobody reads.
        let _ = self.files.remove(&open.tmp());
    }

    /// The file's name in `new`; a mail reader appends to it.
    fn known_as(&mut self) -> String {
        std::mem::take(&mut self.known_as)
    }

    fn flushes(&self) -> bool {
        true
    }

    fn flush(&mut self) -> Result<(), String> {
        if let Err(why) = self.commit() {
            self.roll_back();
            return Err(why);
        }
        for queued in self.batch.drain(..) {
            self.delivered += 1;
            if let Some(folder) = self.folders.get_mut(&queued.folder) {
                folder.delivered(queued.key, queued.new);
            }
        }
        Ok(())
    }
}

impl Drop for Maildir {
    fn drop(&mut self) {
        // Never flushed, so never promised.
        let _ = self.syncers.wait();
        self.roll_back();
    }
}

fn no(what: &str, path: &Path, error: &io::Error) -> No {
    let why = format!("cannot {what}: {error}: {}", path.display());
    match error.raw_os_error().map(Errno::from_raw) {
        Some(Errno::ENOSPC | Errno::EDQUOT | Errno::EFBIG) => No::Full(why),
        _ => No::Defer(why),
    }
}
