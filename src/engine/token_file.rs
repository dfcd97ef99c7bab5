//! A token somebody else keeps fresh in a file; read anew at each use and never kept.

use std::fs::OpenOptions;
use std::io::{ErrorKind, Read};
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::time::UNIX_EPOCH;

use nix::fcntl::OFlag;

use crate::error::{Error, Result, Status};
use crate::model::UnixTime;
use crate::secret::Secret;

/// No token is longer.
const LENGTH: u64 = 16 * 1024;

pub struct Found {
    pub token: Secret,
    pub written_at: UnixTime,
}

pub fn read(path: &Path) -> Result<Found> {
    let broken = |why: &str| {
        Error::new(
            Status::Config,
            "config.token_file",
            format!("token_file {}: {why}", path.display()),
        )
        .advice("Who keeps the token file must write the access token into it, one line of text, and nothing else.")
    };
    let unread = |e: std::io::Error| match e.kind() {
        ErrorKind::NotFound => broken("it does not exist"),
        ErrorKind::PermissionDenied => broken("this process may not read it"),
        _ => broken(&e.to_string()),
    };
    // A pipe in its place must not hold the call up.
    let mut file =
        OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(path).map_err(unread)?;
    let about = file.metadata().map_err(unread)?;
    if !about.is_file() {
        return Err(broken("it is no regular file"));
    }
    let mut text = String::new();
    let read = (&mut file).take(LENGTH + 1).read_to_string(&mut text);
    let text = Secret::new(text);
    match read {
        Err(e) if e.kind() == ErrorKind::InvalidData => return Err(broken("it holds no text")),
        Err(e) => return Err(unread(e)),
        Ok(length) if length as u64 > LENGTH => return Err(broken("it is longer than 16 KiB")),
        Ok(_) => {}
    }
    let token = text.expose().trim();
    if token.is_empty() {
        return Err(broken("it is empty"));
    }
    if !token.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Err(broken("it holds more than one word, or characters no token has"));
    }
    let written_at = about
        .modified()
        .ok()
        .and_then(|at| at.duration_since(UNIX_EPOCH).ok())
        .map_or(0, |since| since.as_secs());
    Ok(Found { token: Secret::new(token.to_owned()), written_at })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reading(bytes: &[u8]) -> Result<Found> {
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), bytes).unwrap();
        read(file.path())
    }

    #[test]
    fn a_token_is_read_without_the_space_around() {
        let found = reading(b"  abc.DEF-1~+/=\r\n\n").unwrap();
        assert_eq!(found.token.expose(), "abc.DEF-1~+/=");
        assert!(found.written_at > 1_700_000_000);
    }

    #[test]
    fn what_is_no_token_is_refused_with_the_reason_and_without_the_content() {
        for (bytes, reason) in [
            (&b""[..], "empty"),
            (b" \n", "empty"),
            (b"two words", "more than one word"),
            (b"a\0b", "more than one word"),
            (b"\xff\xfe", "no text"),
            (&[b'x'; 17_000][..], "16 KiB"),
        ] {
            let error = reading(bytes).err().unwrap();
            assert_eq!((error.status, error.cause), (Status::Config, "config.token_file"));
            assert!(error.message.contains(reason), "{}", error.message);
            assert!(!error.message.contains("two words"));
        }
    }

    #[test]
    fn what_is_no_file_never_blocks() {
        let folder = tempfile::tempdir().unwrap();
        let pipe = folder.path().join("pipe");
        nix::unistd::mkfifo(&pipe, nix::sys::stat::Mode::S_IRWXU).unwrap();
        for path in [pipe.as_path(), folder.path()] {
            let error = read(path).err().unwrap();
            assert!(error.message.contains("no regular file"), "{}", error.message);
        }
        let missing = read(&folder.path().join("missing")).err().unwrap();
        assert!(missing.message.contains("does not exist"));
    }
}
