//! The files of a store: made with mode 0600, and by root with the owner and group of their directory.
//!
//! SQLite gives the log and the shared memory beside the store the store's own mode, owner and group.

use std::fs::{File, Metadata, OpenOptions};
use std::io;
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::error::Result;
use crate::store::fault;
use crate::store::lease::{ByteLock, LockFile};
use crate::store::seal::random;

/// Opens `<store>.lock`, which is made with the store and holds nothing.
pub(super) fn lock_file(store: &Path) -> Result<File> {
    let path = beside(store, ".lock");
    open_or_make(&path).map_err(|error| fault::of_file(&error, "opening the lock file beside it"))
}

/// A new store appears under its name when nobody has it open any more: see `super` on closing descriptors.
pub(super) fn make_if_missing(store: &Path) -> Result<()> {
    match store.symlink_metadata() {
        Ok(_) => return Ok(()),
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(fault::of_file(&error, "looking for it")),
    }
    let mut tail = [0; 8];
    random(&mut tail)?;
    let new = beside(store, &format!(".new-{:016x}", u64::from_be_bytes(tail)));
    let made = make(&new).map(drop).and_then(|()| match std::fs::hard_link(&new, store) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        linked => linked,
    });
    let removed = std::fs::remove_file(&new);
    made.and(removed).map_err(|error| fault::of_file(&error, "making it"))
}

/// Waits for a byte another process holds for a moment only.
pub(super) fn wait_for(locks: &Arc<LockFile>, byte: u64, patience: Duration) -> Result<ByteLock> {
    let begun = Instant::now();
    loop {
        if let Some(lock) = locks.take(byte)? {
            return Ok(lock);
        }
        if begun.elapsed() > patience {
            return Err(fault::busy("its schema is being made or upgraded"));
        }
        std::thread::sleep(Duration::from_millis(10));
    }
}

fn open_or_make(path: &Path) -> io::Result<File> {
    let open = || OpenOptions::new().read(true).write(true).open(path);
    match open() {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        opened => return opened,
    }
    match make(path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => open(),
        made => made,
    }
}

fn make(path: &Path) -> io::Result<File> {
    let directory = path.parent().unwrap_or(Path::new("/")).metadata()?;
    let file = OpenOptions::new().read(true).write(true).create_new(true).mode(0o600).open(path)?;
    give_to_owner_of(&directory, &file)?;
    Ok(file)
}

fn give_to_owner_of(directory: &Metadata, file: &File) -> io::Result<()> {
    if nix::unistd::geteuid().is_root() {
        fchown(file, Some(directory.uid()), Some(directory.gid()))?;
    }
    Ok(())
}

fn beside(store: &Path, tail: &str) -> PathBuf {
    let mut name = store.as_os_str().to_owned();
    name.push(tail);
    PathBuf::from(name)
}
