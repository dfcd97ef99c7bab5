//! The workshop: everything that happens during one call.

pub mod call;
pub mod deadline;
pub mod files;
pub mod grant;
pub mod keys;
pub mod line;
pub mod pump;
pub mod settings;
mod token_file;
