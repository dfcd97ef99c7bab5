//! multipop
#![deny(unsafe_code)]

pub mod engine;
pub mod error;
pub mod model;
pub mod oauth;
pub mod secret;
pub mod service;
pub mod store;
