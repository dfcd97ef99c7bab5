//! A POP3 server to be misled by: RFC 1939, 2449, 2595, 5034, with XOAUTH2 and OAUTHBEARER,
//! and, where the script lists them, PLAIN and SCRAM-SHA-256 with USER/PASS and APOP; a user's tokens are his
//! passwords there.
//!
//! [`Server`] holds the parts: [`Mailboxes`] (what is there), [`Script`] (how it behaves, changeable while
//! it runs), [`Journal`] (what happened), [`Stop`] (halt exactly here). Well-behaved unless told otherwise:
//! `+OK` to credentials only if user and token fit, messages removed only by a QUIT that is answered.
//!
//! ```no_run
//! # use multipop_host::mock::{TokenTable, pki::Pki, pop3::{self, At, Fault, Moment, Place, Verb, What}};
//! # let (pki, tokens) = (Pki::new()?, TokenTable::new());
//! let pop = pop3::Server::start(&pki, &tokens, pop3::Script::exchange())?;
//! let uidls = pop.mailboxes().fill("alice@contoso.example", 10, 4096, 1);
//! // always lost after 1,000 bytes of the third message:
//! pop.change(|s| s.faults.push(Fault::new(At::Message(Verb::Retr, uidls[2].clone()), What::DropAfter(1000))));
//! // halt at the first DELE before its reply, once:
//! let stop = pop.stop_at(Place::new(Verb::Dele, Moment::BeforeReply));
//! // ... start the client, then ...
//! assert!(stop.reached(std::time::Duration::from_secs(10)));
//! stop.release();
//! # Ok::<(), std::io::Error>(())
//! ```

mod around;
mod auth;
mod body;
mod commands;
mod fault;
mod journal;
mod login;
mod mailbox;
mod password;
mod script;
mod server;
mod session;
mod stop;
mod wire;

pub use fault::{At, Fault, Verb, What, codes};
pub use journal::{Entry, Journal};
pub use mailbox::{Mailboxes, Message, Uidl};
pub use script::{Drip, InitialResponse, Listing, Pipelining, Refusal, Script};
pub use server::{Builder, Server, Transport};
pub use stop::{Moment, Place, Stop};
