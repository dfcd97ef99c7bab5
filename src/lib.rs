//! multipop
#![deny(unsafe_code)]

pub mod error;
pub mod model;
pub mod oauth;
pub mod secret;
pub mod store;
