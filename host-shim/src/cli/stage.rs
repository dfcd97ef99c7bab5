//! The mock servers on loopback, and a folder with everything a host needs to play against them.

use std::io::{self, Write};
use std::net::TcpListener;
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use multipop_host::mock::pki::Pki;
use multipop_host::mock::pop3::{Message, Script};
use multipop_host::mock::{TokenTable, idp, mail, pop3};
use serde_json::json;

use super::{Trouble, key, state};

pub const ACCOUNT: &str = "alice-contoso";
pub const OWNER: &str = "alice@example.com";
/// Who signs in, and whose mailbox it is.
pub const USER: &str = "alice@contoso.example";

/// Ends with its servers when dropped; the folder stays.
pub struct Stage {
    pub config: PathBuf,
    pub ca_file: PathBuf,
    pub idp: idp::Server,
    pub pop: pop3::Server,
    pub tokens: TokenTable,
    seeds: u64,
}

impl Stage {
    /// In a folder that is new or empty: what an earlier stage recorded would not fit this one's servers.
    pub fn set(folder: &Path, settings: idp::Settings) -> Result<Stage, Trouble> {
        let failed = |e: io::Error| Trouble::io(folder.display(), &e, "Name a new or empty folder.");
        std::fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(failed)?;
        if std::fs::read_dir(folder).map_err(failed)?.next().is_some() {
            let message = format!("{}: is not empty", folder.display());
            return Err(Trouble::here(message, "Name a new or empty folder."));
        }
        let folder = std::path::absolute(folder).map_err(failed)?;
        let servers = |e: io::Error| Trouble::io("the mock servers", &e, "Loopback must be usable.");
        let (pki, tokens) = (Pki::new().map_err(servers)?, TokenTable::new());
        let pop = pop3::Server::start(&pki, &tokens, Script::exchange()).map_err(servers)?;
        let idp = idp::Server::start(&pki, &tokens, settings).map_err(servers)?;
        let ca_file = folder.join("ca.pem");
        std::fs::write(&ca_file, pki.ca_pem()).map_err(failed)?;
        let secret = folder.join("client-secret");
        write_secret(&secret, idp::Client::SECRET).map_err(failed)?;
        let key = folder.join("key");
        key::make(&key)?;
        let server = pop.address().to_string();
        let config = folder.join("config.json");
        let json = json!({
            "store": folder.join("store.sqlite"),
            "keys": [key],
            "hostname": state::hostname(),
            "ca_file": ca_file,
            "system_roots": false,
            "providers": {"contoso": {
                "profile": "generic",
                "issuer": idp.issuer(),
                "authorize_endpoint": idp.authorize_url(),
                "token_endpoint": idp.token_url(),
                "device_endpoint": idp.device_url(),
                "client_id": idp::Client::ID,
                "client_secret_file": secret,
                "redirect_uri": format!("http://127.0.0.1:{}/callback", free_port().map_err(servers)?),
                "scopes": ["openid", "profile", "email", "offline_access", "mail"],
                "servers": [server],
            }},
            "accounts": {ACCOUNT: {
                "owner": OWNER,
                "deliver_to": OWNER,
                "provider": "contoso",
                "server": server,
                "user": USER,
            }},
        });
        state::write_if_changed(&config, &json)?;
        Ok(Stage { config, ca_file, idp, pop, tokens, seeds: 1 })
    }

    /// Real MIME messages of mixed sizes, from an empty one to some MiB; the oddities real mail has go first.
    pub fn fill(&mut self, count: usize) {
        for number in 0..count {
            let seed = self.seeds;
            self.seeds += 1;
            let uidl = format!("stage-{seed:08}");
            let body = match mail::Odd::ALL.get(seed as usize - 1) {
                Some(odd) => odd.message(seed),
                None => mail::Body::Generated { seed, size: SIZES[number % SIZES.len()] },
            };
            self.pop.mailboxes().push(USER, Message::new(uidl, body));
        }
    }
}

const SIZES: [u64; 8] = [2_000, 5_000, 12_000, 900, 40_000, 150_000, 600_000, 2_500_000];

/// Free at this moment; who takes it until it is used costs the listener, not the consent.
fn free_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

pub fn write_secret(file: &Path, secret: &str) -> io::Result<()> {
    let mut file = std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(file)?;
    file.write_all(secret.as_bytes())
}
