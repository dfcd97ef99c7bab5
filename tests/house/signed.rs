//! A house whose account `alice` is connected by consent at a mock identity provider.

use std::time::{SystemTime, UNIX_EPOCH};

use multipop::error::Result;
use multipop::service::consent::{AuthorizeRequest, CallbackRequest};
use multipop_host::mock::idp::{Client, Server, Settings};
use multipop_host::mock::pop3::Script;
use serde_json::json;

use super::{House, OWNER, Recorder, USER};

pub const SESSION: &str = "browser-session-of-alice-0123456789";
pub const REDIRECT: &str = "https://mail.example.com/oauth/back";

pub struct Signed {
    pub house: House,
    pub idp: Server,
}

impl Signed {
    pub fn new(script: Script, settings: Settings) -> Signed {
        let mut house = House::new(script);
        // The provider dates its tokens by the system's time.
        house.clock.set(SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs());
        let idp = Server::start(&house.pki, &house.tokens, settings).unwrap();
        let base = idp.base().to_owned();
        let server = house.pop.address().to_string();
        std::fs::write(house.path("client-secret"), Client::SECRET).unwrap();
        house.config["providers"] = json!({ "p": {
            "profile": "generic", "issuer": base,
            "authorize_endpoint": format!("{base}/authorize"), "token_endpoint": format!("{base}/token"),
            "client_id": Client::ID, "client_secret_files": [house.path("client-secret")],
            "redirect_uri": REDIRECT, "scopes": ["openid", "email", "offline_access", "mail"],
            "servers": [server], "ca_file": house.path("ca.pem"),
        } });
        house.config["accounts"]["alice"] = json!({
            "owner": OWNER, "server": server, "user": USER, "provider": "p", "deliver_to": "alice@example.com",
        });
        house.configure().unwrap();
        Signed { house, idp }
    }

    /// The address a consent begins at.
    pub fn begin(&self, host: &mut Recorder) -> Result<String> {
        let request = AuthorizeRequest {
            actor: OWNER,
            account: "alice",
            session: SESSION,
            choose_account: false,
            force_consent: false,
            admin_consent: false,
        };
        self.house.instance.authorize_url(host, &request)
    }

    pub fn bring(&self, host: &mut Recorder, uri: &str, session: &str) -> (Result<()>, Option<String>) {
        self.house.instance.handle_callback(host, &CallbackRequest { uri, form: None, session })
    }

    /// Alice signs in and is connected.
    pub fn connect(&self) {
        let mut host = Recorder::default();
        let uri = self.idp.consent(&self.begin(&mut host).unwrap(), USER).unwrap();
        let (result, json) = self.bring(&mut host, &uri, SESSION);
        result.unwrap_or_else(|e| panic!("{e:?} {json:?}"));
    }
}
