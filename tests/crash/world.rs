//! A mailbox at the mock server, and a folder `disk` in which store and Maildir of the host lie.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use multipop_host::mock::TokenTable;
use multipop_host::mock::mail::Body;
use multipop_host::mock::pki::Pki;
use multipop_host::mock::pop3::{Message, Script, Server};
use serde_json::{Value, json};

pub const USER: &str = "alice@contoso.example";
const TOKEN: &str = "token-of-alice-4711";

pub struct World {
    pub dir: tempfile::TempDir,
    pub pop: Server,
    pub sent: Vec<Message>,
}

impl World {
    /// So many messages; a session of at most `session` of them, a batch of at most `batch`; deletion at once.
    pub fn new(script: Script, count: usize, session: u32, batch: u32) -> World {
        let dir = tempfile::tempdir().unwrap();
        let pki = Pki::new().unwrap();
        let tokens = TokenTable::new();
        tokens.accept(TOKEN, USER);
        let pop = Server::start(&pki, &tokens, script).unwrap();
        pop.mailboxes().add_user(USER);
        pop.mailboxes().fill(USER, count, 3000, 1);
        let at = |name: &str| dir.path().join(name);
        std::fs::write(at("ca.pem"), pki.ca_pem()).unwrap();
        std::fs::write(at("token"), TOKEN).unwrap();
        write_key(&at("key"));
        std::fs::create_dir(at("disk")).unwrap();
        let server = pop.address().to_string();
        let config: Value = json!({
            "store": at("disk/store.db"),
            "keys": [at("key")],
            "hostname": "mail.example.com",
            "ca_file": at("ca.pem"),
            "system_roots": false,
            "servers": [server],
            "limits": { "flush_messages": batch },
            "accounts": { "alice": {
                "owner": "alice@example.com",
                "deliver_to": "alice@example.com",
                "server": server,
                "user": USER,
                "token_file": at("token"),
                "delete": "now",
                "limits": { "session_messages": session },
            } },
        });
        std::fs::write(at("config.json"), config.to_string()).unwrap();
        let sent = pop.mailboxes().messages(USER).to_vec();
        World { dir, pop, sent }
    }

    pub fn disk(&self) -> PathBuf {
        disk(self.dir.path())
    }

    /// What lies in the Maildir by content, with how often each is there.
    pub fn delivered(&self) -> BTreeMap<String, usize> {
        let mut found = BTreeMap::new();
        for sub in ["new", "cur"] {
            let Ok(entries) = std::fs::read_dir(maildir(self.dir.path()).join(sub)) else { continue };
            for entry in entries {
                let bytes = std::fs::read(entry.unwrap().path()).unwrap();
                *found.entry(digest(without_received(&bytes))).or_default() += 1;
            }
        }
        found
    }

    /// Every message sent is in the Maildir exactly once, and nothing else.
    pub fn assert_all_once(&self, when: &str) {
        let found = self.delivered();
        let expected = self.expected();
        let lost = expected.keys().filter(|digest| !found.contains_key(*digest)).count();
        let foreign = found.keys().filter(|digest| !expected.contains_key(*digest)).count();
        let doubled = found.values().filter(|count| **count > 1).count();
        assert_eq!((lost, foreign, doubled), (0, 0, 0), "(lost, foreign, doubled) {when}");
    }

    fn expected(&self) -> BTreeMap<String, usize> {
        self.sent.iter().map(|message| (digest(&as_stored(&message.body)), 1)).collect()
    }
}

/// Shown even where the test succeeds: the numbers are a part of the proof.
pub fn say(line: &str) {
    use std::io::Write;
    let _ = writeln!(std::io::stderr(), "{line}");
}

pub fn disk(dir: &Path) -> PathBuf {
    dir.join("disk")
}

pub fn maildir(dir: &Path) -> PathBuf {
    dir.join("disk/mail/Maildir")
}

fn write_key(path: &Path) {
    use std::os::unix::fs::PermissionsExt;
    std::fs::write(path, "07".repeat(32)).unwrap();
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o600)).unwrap();
}

/// A Maildir keeps lines with LF.
fn as_stored(body: &Body) -> Vec<u8> {
    let bytes = body.to_vec();
    let next = bytes.iter().skip(1).map(Some).chain([None]);
    bytes.iter().zip(next).filter(|pair| *pair != (&b'\r', Some(&b'\n'))).map(|(byte, _)| *byte).collect()
}

/// The library's own line stands first, folded.
fn without_received(bytes: &[u8]) -> &[u8] {
    if !bytes.starts_with(b"Received: ") {
        return bytes;
    }
    let end = bytes.windows(2).position(|pair| pair[0] == b'\n' && !matches!(pair[1], b' ' | b'\t'));
    &bytes[end.map_or(0, |end| end + 1)..]
}

pub fn digest(bytes: &[u8]) -> String {
    Body::from_bytes(bytes).digest()
}
