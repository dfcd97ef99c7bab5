//! Mock servers: an OpenID provider and a POP3S server on loopback, with every fault that matters, as data.
//!
//! Both run in a thread of their own, are driven from synchronous code, and end when dropped. Whatever
//! they do is a field of a plain struct ([`pop3::Script`], [`idp::Settings`]) that can be changed while
//! they run; whatever happened is in a journal. A token the provider issues is good at the POP3 server,
//! because both hold the same [`TokenTable`].
//!
//! ```no_run
//! use multipop_host::mock::{World, idp, pop3::{At, Fault, Script, Verb, What}};
//!
//! let World { pki, tokens, pop, idp } = World::start(Script::dovecot(), idp::Settings::entra())?;
//! pop.mailboxes().fill("alice@contoso.example", 100, 4096, 1);
//! pop.change(|s| s.faults.push(Fault::new(At::Verb(Verb::Quit), What::Close).times(1)));
//! tokens.accept("let-me-in", "alice@contoso.example"); // or by consent, at idp.issuer()
//! // ... fetch from pop.address() with pki.ca_pem() as ca_file ...
//! assert_eq!(pop.journal().count(Verb::Retr), 100);
//! assert!(idp.journal().lines().is_empty());
//! # Ok::<(), std::io::Error>(())
//! ```
//!
//! * [`pki`]: a private CA; certificates good, of a wrong name, expired, of another CA.
//! * [`mail`]: real MIME messages of any size from a seed; a large one is never held in memory.
//! * [`pop3`]: POP3 over TLS or with STLS. [`pop3::Stop`] halts a session at an exact place, so that a
//!   test can kill its client there.
//! * [`idp`]: authorize, token, discovery, keys, introspection, revocation, administrator's consent.
//!
//! It must never be reachable from elsewhere: every listener is bound to 127.0.0.1.

pub mod idp;
pub mod mail;
pub mod pki;
pub mod pop3;

mod background;
mod tokens;

pub use tokens::TokenTable;

/// Both servers, the CA they show certificates of, and the tokens they share.
pub struct World {
    pub pki: pki::Pki,
    pub tokens: TokenTable,
    pub pop: pop3::Server,
    pub idp: idp::Server,
}

impl World {
    pub fn start(script: pop3::Script, settings: idp::Settings) -> std::io::Result<World> {
        let (pki, tokens) = (pki::Pki::new()?, TokenTable::new());
        let pop = pop3::Server::start(&pki, &tokens, script)?;
        let idp = idp::Server::start(&pki, &tokens, settings)?;
        Ok(World { pki, tokens, pop, idp })
    }
}
