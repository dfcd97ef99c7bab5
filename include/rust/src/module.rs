//! The root module a Rust host loads with its layout checked (abi_stable).
