//! The workshop: everything that happens during one call.

pub mod pump;
