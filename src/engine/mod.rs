//! The workshop: everything that happens during one call.

mod app_only;
pub mod call;
pub mod commit;
pub mod deadline;
pub mod depart;
pub mod examine;
pub mod files;
pub mod grant;
pub mod header;
pub mod keys;
pub mod line;
pub mod login;
pub mod mailbox;
pub mod offer;
pub mod outcome;
pub mod pass;
pub mod policy;
pub mod pump;
pub mod received;
pub mod retrieve;
pub mod settings;
pub mod settle;
pub mod sign_in;
pub mod survey;
mod tickets;
mod token_file;
pub mod visit;
