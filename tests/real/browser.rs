//! A person with a browser: follows redirects, keeps cookies, fills in the provider's log-in and consent forms.

use std::collections::BTreeMap;
use std::time::Duration;

use reqwest::header::{COOKIE, LOCATION, SET_COOKIE};
use url::Url;

use super::Pki;

/// More steps than any flow has: a loop.
const STEPS: usize = 20;

pub struct Browser {
    client: reqwest::Client,
    runtime: tokio::runtime::Runtime,
    cookies: BTreeMap<String, String>,
}

pub struct Page {
    pub status: u16,
    pub location: Option<String>,
    pub body: String,
}

impl Browser {
    pub fn new(pki: &Pki) -> Browser {
        let client = reqwest::Client::builder()
            .tls_backend_preconfigured(pki.client().as_ref().clone())
            .redirect(reqwest::redirect::Policy::none())
            .no_proxy()
            .timeout(Duration::from_secs(60))
            .build()
            .expect("an HTTPS client");
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("a runtime");
        Browser { client, runtime, cookies: BTreeMap::new() }
    }

    /// Opens the authorization URL, signs in as `login`, says yes, and answers where the provider sends the
    /// browser in the end.
    pub fn consent(&mut self, url: &str, login: &str) -> String {
        self.walk(url, login, true)
    }

    /// Signs in, then clicks *Cancel* on the consent page.
    pub fn refuse(&mut self, url: &str, login: &str) -> String {
        self.walk(url, login, false)
    }

    fn walk(&mut self, url: &str, login: &str, agree: bool) -> String {
        let origin = Url::parse(url).expect("an authorization URL").origin();
        let mut here = Url::parse(url).expect("an authorization URL");
        let mut page = self.get(&here);
        for _ in 0..STEPS {
            if let Some(location) = &page.location {
                here = here.join(location).expect("a redirect");
                if here.origin() != origin {
                    return here.into();
                }
                page = self.get(&here);
                continue;
            }
            assert_eq!(page.status, 200, "{here}: {}", page.body);
            if page.body.contains("value=\"login\"") {
                page = self.post(&here, &[("prompt", "login"), ("login", login), ("password", "any")]);
            } else if page.body.contains("value=\"consent\"") && agree {
                page = self.post(&here, &[("prompt", "consent")]);
            } else if page.body.contains("value=\"consent\"") {
                let abort = format!("{}/abort", here.path());
                here.set_path(&abort);
                page = self.get(&here);
            } else {
                panic!("neither a log-in nor a consent page at {here}: {}", page.body);
            }
        }
        panic!("the provider redirects for ever, last to {here}");
    }

    /// Enters the code a device shows at the address it shows, signs in as `login` and says yes; answers the last page.
    pub fn enter_code(&mut self, url: &str, code: &str, login: &str) -> String {
        let mut here = Url::parse(url).expect("the device's address");
        let mut page = self.get(&here);
        for _ in 0..STEPS {
            if let Some(location) = &page.location {
                here = here.join(location).expect("a redirect");
                page = self.get(&here);
                continue;
            }
            assert_eq!(page.status, 200, "{here}: {}", page.body);
            let xsrf =
                page.body.split_once("name=\"xsrf\" value=\"").and_then(|(_, rest)| rest.split_once('"'));
            page = match xsrf {
                Some((xsrf, _)) => {
                    let mut form = vec![("xsrf", xsrf), ("user_code", code)];
                    if page.body.contains("op.deviceConfirmForm") {
                        form.push(("confirm", "yes"));
                    }
                    self.post(&here, &form)
                }
                None if page.body.contains("value=\"login\"") => {
                    self.post(&here, &[("prompt", "login"), ("login", login), ("password", "any")])
                }
                None if page.body.contains("value=\"consent\"") => self.post(&here, &[("prompt", "consent")]),
                None => return page.body,
            };
        }
        panic!("the provider asks for ever, last at {here}");
    }

    pub fn get(&mut self, url: &Url) -> Page {
        let request = self.client.get(url.clone());
        self.send(request)
    }

    pub fn post(&mut self, url: &Url, form: &[(&str, &str)]) -> Page {
        let body = url::form_urlencoded::Serializer::new(String::new()).extend_pairs(form).finish();
        let request = self
            .client
            .post(url.clone())
            .header("content-type", "application/x-www-form-urlencoded")
            .body(body);
        self.send(request)
    }

    fn send(&mut self, request: reqwest::RequestBuilder) -> Page {
        let cookies: Vec<String> =
            self.cookies.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let request = request.header(COOKIE, cookies.join("; "));
        self.runtime.block_on(async {
            let response = request.send().await.expect("the provider answers");
            for cookie in response.headers().get_all(SET_COOKIE) {
                let cookie = cookie.to_str().expect("a printable cookie");
                let (name, rest) = cookie.split_once('=').expect("a cookie");
                let value = rest.split(';').next().unwrap_or_default();
                if value.is_empty() {
                    self.cookies.remove(name);
                } else {
                    self.cookies.insert(name.to_owned(), value.to_owned());
                }
            }
            Page {
                status: response.status().as_u16(),
                location: response
                    .headers()
                    .get(LOCATION)
                    .map(|value| value.to_str().expect("a printable address").to_owned()),
                body: response.text().await.expect("the page"),
            }
        })
    }
}
