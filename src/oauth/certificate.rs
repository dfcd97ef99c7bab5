//! The three things of an X.509 certificate that matter here: whose key it names, when it ends, its thumbprint.
//!
//! RFC 5280 §4.1. Read at `configure` from the operator's own file; nothing is verified by it.

use aws_lc_rs::digest;
use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use time::format_description::BorrowedFormatItem;
use time::macros::format_description;
use time::{PrimitiveDateTime, UtcDateTime};

use crate::model::UnixTime;

#[derive(Debug, PartialEq, Eq)]
pub struct Certificate {
    /// The content of its subjectPublicKey; for RSA an RSAPublicKey (RFC 8017 A.1.1).
    pub public_key: Vec<u8>,
    pub not_after: UnixTime,
    /// `x5t#S256` (RFC 7515 §4.1.8).
    pub thumbprint: String,
}

impl Certificate {
    /// `None` where the DER is no certificate.
    pub fn read(der: &[u8]) -> Option<Certificate> {
        let (certificate, _) = element(der, SEQUENCE)?;
        let (mut rest, _) = element(certificate, SEQUENCE)?;
        if let Some((_, after)) = element(rest, VERSION) {
            rest = after;
        }
        let (_serial, rest) = element(rest, INTEGER)?;
        let (_algorithm, rest) = element(rest, SEQUENCE)?;
        let (_issuer, rest) = element(rest, SEQUENCE)?;
        let (validity, rest) = element(rest, SEQUENCE)?;
        let (_subject, rest) = element(rest, SEQUENCE)?;
        let (key_info, _) = element(rest, SEQUENCE)?;
        let (_algorithm, key) = element(key_info, SEQUENCE)?;
        let (key, _) = element(key, BIT_STRING)?;
        let hash = digest::digest(&digest::SHA256, der);
        Some(Certificate {
            public_key: key.strip_prefix(&[0])?.to_vec(),
            not_after: end(validity)?,
            thumbprint: BASE64_URL_SAFE_NO_PAD.encode(hash.as_ref()),
        })
    }
}

/// RFC 5280 §4.1.2.5: UTCTime until 2049, GeneralizedTime from 2050 on, always with seconds and `Z`.
fn end(validity: &[u8]) -> Option<UnixTime> {
    const FORM: &[BorrowedFormatItem<'_>] = format_description!("[year][month][day][hour][minute][second]Z");
    let after_begin = element(validity, UTC_TIME).or_else(|| element(validity, GENERALIZED_TIME))?.1;
    let text = match element(after_begin, UTC_TIME) {
        Some((short, _)) => {
            let short = std::str::from_utf8(short).ok()?;
            let century = if short.get(..2)?.parse::<u8>().ok()? < 50 { "20" } else { "19" };
            format!("{century}{short}")
        }
        None => std::str::from_utf8(element(after_begin, GENERALIZED_TIME)?.0).ok()?.to_owned(),
    };
    let at: UtcDateTime = PrimitiveDateTime::parse(&text, FORM).ok()?.as_utc();
    // One that ended before 1970 ended.
    Some(u64::try_from(at.unix_timestamp()).unwrap_or(0))
}

const INTEGER: u8 = 0x02;
const BIT_STRING: u8 = 0x03;
const UTC_TIME: u8 = 0x17;
const GENERALIZED_TIME: u8 = 0x18;
const SEQUENCE: u8 = 0x30;
const VERSION: u8 = 0xa0;

/// The content of the first element, which must have this tag, and what follows it.
fn element(der: &[u8], tag: u8) -> Option<(&[u8], &[u8])> {
    let (&first, rest) = der.split_first()?;
    let (&length, rest) = rest.split_first()?;
    let (length, rest) = match length {
        0..=0x7f => (usize::from(length), rest),
        // The indefinite form (0x80) is no DER.
        0x81..=0x84 => {
            let (digits, rest) = rest.split_at_checked(usize::from(length & 0x7f))?;
            (digits.iter().fold(0, |sum, digit| sum << 8 | usize::from(*digit)), rest)
        }
        _ => return None,
    };
    if first != tag {
        return None;
    }
    rest.split_at_checked(length)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ends_are_read_in_both_forms() {
        let validity = |kind: u8, text: &str| {
            let one = [&[kind, text.len() as u8], text.as_bytes()].concat();
            [one.as_slice(), one.as_slice()].concat()
        };
        assert_eq!(end(&validity(UTC_TIME, "260109020000Z")), Some(1_767_924_000));
        assert_eq!(end(&validity(UTC_TIME, "500101000000Z")), Some(0));
        assert_eq!(end(&validity(GENERALIZED_TIME, "20500101000000Z")), Some(2_524_608_000));
        for bad in ["", "2601090200Z", "261309020000Z", "260109020000+0100"] {
            assert_eq!(end(&validity(UTC_TIME, bad)), None, "{bad}");
        }
    }

    #[test]
    fn what_is_cut_anywhere_is_no_certificate() {
        let key = rcgen::KeyPair::generate().unwrap();
        let der = rcgen::CertificateParams::default().self_signed(&key).unwrap().der().to_vec();
        assert_eq!(Certificate::read(&der).unwrap().public_key, key.public_key_raw());
        assert!((0..der.len()).all(|length| Certificate::read(&der[..length]).is_none()));
    }
}
