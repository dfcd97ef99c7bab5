//! An OpenID provider to be misled by: RFC 6749, 7636, 7009, 7662, 8414, 9207 and OpenID Connect Core.
//!
//! [`Server`] holds the parts: [`Settings`] (who signs in, what is answered, changeable while it runs),
//! [`Fault`]s (what goes wrong at one endpoint), [`Journal`] (what happened). Well-behaved unless told
//! otherwise: codes are used once, PKCE and client are verified, redirect URIs are compared to the byte.
//! Access tokens go into the [`super::TokenTable`] under the user's `mailbox`.
//!
//! ```no_run
//! # use multipop_host::mock::{TokenTable, idp::{self, At, Fault, OAuthError, What}, pki::Pki};
//! # let (pki, tokens) = (Pki::new()?, TokenTable::new());
//! let idp = idp::Server::start(&pki, &tokens, idp::Settings::generic())?;
//! // idp.issuer(), idp.authorize_url(), idp.token_url() go into a provider's configuration
//! # let url = "";
//! let redirect = idp.consent(url, "alice@contoso.example")?; // plays the browser
//! idp.change(|s| s.faults.push(Fault::new(At::Refresh, What::Error(OAuthError::aadsts(50173))).times(1)));
//! idp.revoke("alice@contoso.example");
//! assert_eq!(idp.journal().count("authorization_code"), 1);
//! # Ok::<(), std::io::Error>(())
//! ```

mod assertion;
mod authorize;
mod browser;
mod device;
mod endpoints;
mod faults;
mod journal;
mod jwt;
mod reply;
mod server;
mod settings;
mod state;
mod token;

pub use crate::mock::pki::ClientKey;
pub use browser::{Answer, Browser, Page};
pub use faults::{At, Fault, OAuthError, What};
pub use journal::Journal;
pub use server::Server;
pub use settings::{Alg, Client, Consent, IdToken, IssAnswer, Rotation, Settings, User};
