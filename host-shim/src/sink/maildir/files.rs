//! What the Maildir sink does to the file system, as a trait, so that a test can see the order and let steps fail.

use std::fs::{DirBuilder, File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::Path;

pub trait Files: Send + Sync {
    /// Mode 0700. Answers whether it was made now; one that exists already is fine.
    fn create_folder(&self, path: &Path) -> io::Result<bool>;
    /// A new file, mode 0600; one that exists already is an error.
    fn create(&self, path: &Path) -> io::Result<File>;
    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()>;
    /// The data of a file that was written through this descriptor.
    fn sync(&self, file: &File, path: &Path) -> io::Result<()>;
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;
    fn remove(&self, path: &Path) -> io::Result<()>;
    /// A file that another run may have written, through a new descriptor.
    fn sync_earlier(&self, path: &Path) -> io::Result<()>;
    /// The entries of a folder, through a new descriptor.
    fn sync_folder(&self, path: &Path) -> io::Result<()>;
    fn free_bytes(&self, path: &Path) -> io::Result<u64>;
}

/// The real file system.
pub struct Disk;

impl Files for Disk {
    fn create_folder(&self, path: &Path) -> io::Result<bool> {
        match DirBuilder::new().mode(0o700).create(path) {
            Ok(()) => Ok(true),
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => Ok(false),
            Err(e) => Err(e),
        }
    }

    fn create(&self, path: &Path) -> io::Result<File> {
        OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
    }

    fn write(&self, file: &mut File, _path: &Path, bytes: &[u8]) -> io::Result<()> {
        file.write_all(bytes)
    }

    fn sync(&self, file: &File, _path: &Path) -> io::Result<()> {
        file.sync_data()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        std::fs::rename(from, to)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        std::fs::remove_file(path)
    }

    fn sync_earlier(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        File::open(path)?.sync_all()
    }

    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        let state = nix::sys::statvfs::statvfs(path)?;
        // The types differ between platforms.
        #[allow(clippy::unnecessary_cast)]
        Ok(state.blocks_available() as u64 * state.fragment_size() as u64)
    }
}
