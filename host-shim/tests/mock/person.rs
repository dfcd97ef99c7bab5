//! A person with a browser, and a client with its secret, both made of sockets and forms.

use base64::prelude::{BASE64_URL_SAFE_NO_PAD, Engine};
use multipop_host::mock::idp::{At, Browser, Client, Fault, Page, Server, Settings, What};
use multipop_host::mock::{TokenTable, pki::Pki};
use serde_json::Value;
use url::Url;
use url::form_urlencoded::Serializer;

pub const ALICE: &str = "alice@contoso.example";
pub const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
pub const REDIRECT: &str = "https://mail.example.com/WorldClient.dll?View=OAuth&AuthRequest=Office365";

pub struct Setting {
    pub pki: Pki,
    pub tokens: TokenTable,
    pub idp: Server,
}

pub fn setting(settings: Settings) -> Setting {
    let (pki, tokens) = (Pki::new().unwrap(), TokenTable::new());
    let idp = Server::start(&pki, &tokens, settings).unwrap();
    Setting { pki, tokens, idp }
}

impl Setting {
    pub fn browser(&self) -> Browser {
        Browser::new(self.pki.client().unwrap(), ALICE)
    }

    pub fn ask(&self, more: &[(&str, &str)]) -> String {
        let mut url = Url::parse(&self.idp.authorize_url()).unwrap();
        url.query_pairs_mut()
            .append_pair("client_id", Client::ID)
            .append_pair("response_type", "code")
            .append_pair("redirect_uri", REDIRECT)
            .append_pair(
                "scope",
                "openid profile offline_access https://outlook.office.com/POP.AccessAsUser.All",
            )
            .append_pair("state", "st4te")
            .append_pair("nonce", "n0nce")
            .append_pair("code_challenge", "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM")
            .append_pair("code_challenge_method", "S256")
            .extend_pairs(more);
        url.into()
    }

    pub fn code(&self) -> String {
        answer(&self.idp.consent(&self.ask(&[]), ALICE).unwrap(), "code").unwrap()
    }

    pub fn post(&self, pairs: &[(&str, &str)]) -> Page {
        let form = Serializer::new(String::new()).extend_pairs(pairs).finish();
        self.browser().post(&self.idp.token_url(), "", &form).unwrap()
    }

    pub fn redeem(&self, code: &str) -> Page {
        self.post(&[
            ("grant_type", "authorization_code"),
            ("client_id", Client::ID),
            ("client_secret", Client::SECRET),
            ("code", code),
            ("redirect_uri", REDIRECT),
            ("code_verifier", VERIFIER),
        ])
    }

    pub fn refresh(&self, token: &str) -> Page {
        self.post(&[
            ("grant_type", "refresh_token"),
            ("client_id", Client::ID),
            ("client_secret", Client::SECRET),
            ("refresh_token", token),
        ])
    }

    /// The grant of a fresh consent.
    pub fn grant(&self) -> Value {
        json(&self.redeem(&self.code()))
    }

    pub fn fault(&self, at: At, what: What) {
        self.idp.change(|s| s.faults = vec![Fault::new(at, what).times(1)]);
    }
}

pub fn answer(url: &str, name: &str) -> Option<String> {
    let url = Url::parse(url).unwrap();
    url.query_pairs().find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

pub fn json(page: &Page) -> Value {
    serde_json::from_str(&page.body).unwrap()
}

pub fn text<'a>(value: &'a Value, name: &str) -> &'a str {
    value[name].as_str().unwrap_or("")
}

pub fn claims(token: &str) -> Value {
    let part = token.split('.').nth(1).unwrap();
    serde_json::from_slice(&BASE64_URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
}
