//! POP3 as it is spoken and as it is broken: vectors, transcripts, every split, hostile servers.

#[path = "protocol/talk.rs"]
mod talk;

#[path = "protocol/hostile.rs"]
mod hostile;
#[path = "protocol/listings.rs"]
mod listings;
#[path = "protocol/login.rs"]
mod login;
#[path = "protocol/messages.rs"]
mod messages;
#[path = "protocol/password.rs"]
mod password;
#[path = "protocol/pipelining.rs"]
mod pipelining;
#[path = "protocol/replies.rs"]
mod replies;
#[path = "protocol/split.rs"]
mod split;
#[path = "protocol/tls.rs"]
mod tls;
#[path = "protocol/transcripts.rs"]
mod transcripts;
#[path = "protocol/wire.rs"]
mod wire;
