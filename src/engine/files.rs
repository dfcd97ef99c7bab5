//! What the files of a configuration hold: the JSON itself, keys, client secrets, certificates. Read at `configure`.
//!
//! Every failure names the member that names the file, and what to do. What is secret is never part of a message.

use std::fs::{File, OpenOptions};
use std::io::{ErrorKind, Read};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::Path;

use nix::fcntl::OFlag;
use rustls_pki_types::pem::PemObject;
use rustls_pki_types::{CertificateDer, PrivateKeyDer};
use zeroize::{Zeroize, Zeroizing};

use crate::error::{Error, Result, Status};
use crate::secret::{KeyBytes, Secret};

/// 100,000 accounts of a configuration fit.
const CONFIGURATION_BYTES: u64 = 64 << 20;
const CERTIFICATES_BYTES: u64 = 16 << 20;
const SECRET_BYTES: u64 = 16 << 10;
/// Whom a key file may be open to: its owner, and its group for reading.
const KEY_MODE: u32 = 0o640;

/// A file that a member of the configuration names.
pub struct Named<'a> {
    pub member: &'a str,
    pub path: &'a Path,
}

impl Named<'_> {
    /// The configuration itself.
    pub fn text(&self) -> Result<String> {
        let bytes = self.read(&mut self.open()?, CONFIGURATION_BYTES)?;
        match std::str::from_utf8(&bytes) {
            Ok(text) => Ok(text.to_owned()),
            Err(_) => Err(self.config("holds bytes that are not UTF-8", "Save the file as UTF-8.")),
        }
    }

    pub fn certificates(&self) -> Result<Vec<CertificateDer<'static>>> {
        let bytes = self.read(&mut self.open()?, CERTIFICATES_BYTES)?;
        let all: std::result::Result<Vec<_>, _> = CertificateDer::pem_slice_iter(&bytes).collect();
        match all {
            Ok(all) if !all.is_empty() => Ok(all),
            Ok(_) => Err(self.config(
                "holds no certificate",
                "Put the certificate there, in PEM form (-----BEGIN CERTIFICATE-----).",
            )),
            Err(e) => Err(self.config(
                format!("is not PEM: {e}"),
                "Put the certificate there, in PEM form (-----BEGIN CERTIFICATE-----).",
            )),
        }
    }

    /// One line of text. Its mode is only warned of: orchestrators mount secrets readable by all of a container.
    pub fn secret(&self) -> Result<Secret> {
        let mut file = self.open()?;
        let mode = self.about(&file)?.mode();
        if mode & 0o007 != 0 {
            log::warn!(
                "event=config.secret_open member={} mode={:o} advice=\"chmod 0640\"",
                self.member,
                mode & 0o777
            );
        }
        let bytes = self.read(&mut file, SECRET_BYTES)?;
        let advice = "Write the client secret's value into the file, one line, and nothing else.";
        let Ok(text) = std::str::from_utf8(&bytes) else {
            return Err(self.config("holds no text", advice));
        };
        let text = text.trim();
        if text.is_empty() {
            return Err(self.config("is empty", advice));
        }
        if text.chars().any(char::is_control) {
            return Err(self.config("holds more than one line", advice));
        }
        Ok(Secret::new(text.to_owned()))
    }

    /// The first certificate of the file.
    pub fn certificate(&self) -> Result<Vec<u8>> {
        // There is one, or there was an error.
        self.certificates().map(|all| all[0].to_vec())
    }

    /// A private key in PEM form, kept like a key: as DER.
    pub fn private_key(&self) -> Result<Zeroizing<Vec<u8>>> {
        let bytes = self.kept_secret()?;
        let advice = "Put the private key there, in PEM form and not encrypted (openssl pkcs8 -nocrypt).";
        if memchr::memmem::find(&bytes, b"ENCRYPTED").is_some() {
            return Err(self.key_fault("key.encrypted", "holds an encrypted private key".into(), advice));
        }
        let mut key = PrivateKeyDer::from_pem_slice(&bytes).map_err(|_| {
            self.key_fault("key.malformed", "holds no private key in PEM form".into(), advice)
        })?;
        let der = Zeroizing::new(key.secret_der().to_vec());
        key.zeroize();
        Ok(der)
    }

    /// 32 octets in hex, in a file nobody else can read or replace the content of.
    pub fn key(&self) -> Result<KeyBytes> {
        let bytes = self.kept_secret()?;
        from_hex(bytes.trim_ascii()).map(KeyBytes::new).ok_or_else(|| {
            self.key_fault(
                "key.malformed",
                "does not hold 64 hexadecimal digits".into(),
                "Make a key with `multipop-host key FILE`, or restore this file from where keys are kept.",
            )
        })
    }

    /// What a file holds that nobody else can read or replace the content of.
    fn kept_secret(&self) -> Result<Zeroizing<Vec<u8>>> {
        let mut file = self.open().map_err(as_key)?;
        let about = self.about(&file).map_err(as_key)?;
        let mode = about.mode() & 0o7777;
        if mode & !KEY_MODE != 0 {
            return Err(self.key_fault(
                "key.too_open",
                format!("has mode {mode:04o}; it may be 0640 at the most"),
                "Run chmod 0600 (or 0640) on the key file. If others could have read it, make a new key and list it first.",
            ));
        }
        let me = nix::unistd::geteuid().as_raw();
        if about.uid() != 0 && about.uid() != me {
            return Err(self.key_fault(
                "key.owner",
                format!("belongs to user {}, who could change it", about.uid()),
                "The key file must belong to root or to the user this process runs as.",
            ));
        }
        self.read(&mut file, SECRET_BYTES).map_err(as_key)
    }

    fn open(&self) -> Result<File> {
        // A pipe in its place must not hold the call up.
        let opened = OpenOptions::new().read(true).custom_flags(OFlag::O_NONBLOCK.bits()).open(self.path);
        let file = opened.map_err(|e| match e.kind() {
            ErrorKind::NotFound => self.config("does not exist", "Create the file, or correct its path."),
            ErrorKind::PermissionDenied => self.config(
                "may not be read by this process",
                "Give the user this process runs as the right to read it.",
            ),
            _ => self.config(format!("cannot be opened: {e}"), "Check the path."),
        })?;
        if !self.about(&file)?.is_file() {
            return Err(self.config("is no regular file", "Name a file."));
        }
        Ok(file)
    }

    fn about(&self, file: &File) -> Result<std::fs::Metadata> {
        file.metadata().map_err(|e| self.config(format!("cannot be read: {e}"), ""))
    }

    fn read(&self, file: &mut File, most: u64) -> Result<Zeroizing<Vec<u8>>> {
        let length = self.about(file)?.len();
        if length > most {
            return Err(self.config(format!("is longer than {most} bytes"), "Check the path."));
        }
        // Room for all at once: a buffer that grows would leave copies of a secret behind.
        let mut bytes = Zeroizing::new(Vec::with_capacity(usize::try_from(length).unwrap_or(0) + 1));
        let read = file.take(most + 1).read_to_end(&mut bytes);
        read.map_err(|e| {
            self.config(format!("cannot be read: {e}"), "Check the disk and the file's rights.")
        })?;
        Ok(bytes)
    }

    fn config(&self, what: impl AsRef<str>, advice: &str) -> Error {
        Error::new(Status::Config, "config.file", self.sentence(what.as_ref())).advice(advice)
    }

    fn key_fault(&self, cause: &'static str, what: String, advice: &str) -> Error {
        Error::new(Status::Key, cause, self.sentence(&what)).advice(advice)
    }

    fn sentence(&self, what: &str) -> String {
        format!("{}: {} {what}", self.member, self.path.display())
    }
}

/// A key file that cannot be read is the key's trouble, not the configuration's.
fn as_key(error: Error) -> Error {
    Error { status: Status::Key, cause: "key.unreadable", ..error }
}

fn from_hex(text: &[u8]) -> Option<[u8; 32]> {
    let mut bytes = [0; 32];
    if text.len() != 64 {
        return None;
    }
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |c: u8| (c as char).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? << 4 | digit(pair[1])?).ok()?;
    }
    Some(bytes)
}
