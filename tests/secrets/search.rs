//! Everything that left, and the search for what may not leave: plain, in hex, as base64 wherever it begins, as a
//! URL or form writes it, and in pieces.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE};
use url::form_urlencoded::byte_serialize;

/// What left, by where.
#[derive(Default)]
pub struct Seen(BTreeMap<String, BTreeSet<Vec<u8>>>);

impl Seen {
    pub fn add(&mut self, place: &str, bytes: impl AsRef<[u8]>) {
        self.0.entry(place.to_owned()).or_default().insert(bytes.as_ref().to_vec());
    }

    #[allow(dead_code, reason = "one of the two programs that look gathers it whole")]
    pub fn join(&mut self, other: &Seen) {
        for (place, all) in &other.0 {
            self.0.entry(place.clone()).or_default().extend(all.iter().cloned());
        }
    }

    /// The files of a store, whatever SQLite and we lay beside it.
    pub fn store(&mut self, directory: &Path) {
        for entry in std::fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            if name.starts_with("store.db") {
                self.add(&name, std::fs::read(&path).unwrap());
            }
        }
    }

    pub fn text(&self, place: &str) -> String {
        let all = self.0.get(place).into_iter().flatten();
        all.map(|bytes| String::from_utf8_lossy(bytes) + "\n").collect()
    }

    pub fn places(&self) -> Vec<&str> {
        self.0.keys().map(String::as_str).collect()
    }

    /// Names of the secrets that left, and where; never the secrets.
    pub fn leaks(&self, secrets: &BTreeMap<String, Vec<u8>>) -> Vec<String> {
        let mut leaks = Vec::new();
        for (name, secret) in secrets {
            for (form, written) in forms(secret) {
                let finder = memchr::memmem::Finder::new(&written);
                for (place, all) in &self.0 {
                    if all.iter().any(|bytes| finder.find(bytes).is_some()) {
                        leaks.push(format!("{name}, {form}, in {place}"));
                    }
                }
            }
        }
        leaks
    }
}

/// Shorter pieces occur by chance.
const PIECE: usize = 16;

fn forms(secret: &[u8]) -> Vec<(&'static str, Vec<u8>)> {
    let mut forms = vec![("plain", secret.to_vec())];
    if secret.len() > PIECE {
        forms.push(("its beginning", secret[..PIECE].to_vec()));
        forms.push(("its end", secret[secret.len() - PIECE..].to_vec()));
        let middle = (secret.len() - PIECE) / 2;
        forms.push(("its middle", secret[middle..middle + PIECE].to_vec()));
    }
    let hex: String = secret.iter().map(|byte| format!("{byte:02x}")).collect();
    forms.push(("hex in capitals", hex.to_uppercase().into_bytes()));
    forms.push(("hex", hex.into_bytes()));
    let written: String = byte_serialize(secret).collect();
    if written.as_bytes() != secret {
        forms.push(("as in a form", written.clone().into_bytes()));
        forms.push(("as in a URL", written.replace('+', "%20").into_bytes()));
    }
    // Inside something longer it may begin at any of three places.
    for lead in 0..3 {
        let padded = [&vec![0; lead], secret].concat();
        let whole = &padded[..padded.len() - padded.len() % 3];
        let skip = [0, 2, 3][lead];
        for engine in [&STANDARD, &URL_SAFE] {
            let text = engine.encode(whole).into_bytes()[skip..].to_vec();
            if text.len() >= PIECE {
                forms.push(("base64", text));
            }
        }
    }
    forms
}
