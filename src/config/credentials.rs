//! How a provider's application proves itself: files with secrets, and pairs of certificate and private key.

use std::path::PathBuf;

use serde::Serialize;

use super::field::{Field, Members};
use super::json::Read;
use super::words;
use crate::model::UnixTime;

/// A certificate and the private key it belongs to, both PEM (RFC 7523; PROTOCOL.md A.10).
#[derive(Debug, Clone, Serialize)]
pub struct CertificateFiles {
    pub certificate: PathBuf,
    pub private_key: PathBuf,
}

/// Several while one is rolled over; one may stand without the list.
pub(super) fn certificates(members: &mut Members) -> Read<Vec<CertificateFiles>> {
    let several = members.take("certificates");
    let certificate = members.take("certificate_file");
    let private_key = members.take("private_key_file");
    match (certificate, private_key, several) {
        (None, None, None) => Ok(Vec::new()),
        (None, None, Some(field)) => {
            let none = field.fault("expected at least one pair; leave the member out for secrets alone");
            let pairs = field.list()?;
            if pairs.is_empty() {
                return Err(none);
            }
            pairs.into_iter().map(pair).collect()
        }
        (Some(certificate), Some(private_key), None) => Ok(vec![CertificateFiles {
            certificate: words::path(&certificate)?,
            private_key: words::path(&private_key)?,
        }]),
        (Some(field), _, Some(_)) | (None, Some(field), Some(_)) => {
            Err(field.fault("give certificate_file and private_key_file, or certificates, not both"))
        }
        (Some(field), None, None) => Err(field.fault("its key is missing: name private_key_file too")),
        (None, Some(field), None) => {
            Err(field.fault("its certificate is missing: name certificate_file too"))
        }
    }
}

fn pair(field: Field) -> Read<CertificateFiles> {
    let mut members = field.members()?;
    let certificate = members.need("certificate_file", "the certificate, in PEM form")?;
    let private_key = members.need("private_key_file", "the private key it belongs to, in PEM form")?;
    let files =
        CertificateFiles { certificate: words::path(&certificate)?, private_key: words::path(&private_key)? };
    members.finish()?;
    Ok(files)
}

pub(super) fn secret_files(members: &mut Members) -> Read<Vec<PathBuf>> {
    let one = members.take("client_secret_file");
    let several = members.take("client_secret_files");
    match (one, several) {
        (Some(_), Some(field)) => {
            Err(field.fault("give client_secret_file or client_secret_files, not both"))
        }
        (Some(field), None) => Ok(vec![words::path(&field)?]),
        (None, Some(field)) => {
            let none =
                field.fault("expected at least one file; leave the member out for a client without a secret");
            let files = field.list()?;
            if files.is_empty() {
                return Err(none);
            }
            files.iter().map(words::path).collect()
        }
        (None, None) => Ok(Vec::new()),
    }
}

/// The day each secret ends, in the order of their files; a single one may stand without the list.
pub(super) fn secret_ends(members: &mut Members, secrets: usize) -> Read<Vec<UnixTime>> {
    let Some(field) = members.take("client_secret_expires_at") else {
        return Ok(Vec::new());
    };
    let unfit =
        field.fault(format!("expected at most one day for each client secret, of which there are {secrets}"));
    let days = if field.is_text() { vec![field] } else { field.list()? };
    if days.is_empty() || days.len() > secrets {
        return Err(unfit);
    }
    days.iter().map(words::day).collect()
}
