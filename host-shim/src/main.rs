//! `multipop-host`: the reference host from a terminal. What each command does stands in `cli`.
#![deny(unsafe_code)]

mod cli;

use std::process::ExitCode;

fn main() -> ExitCode {
    cli::run()
}
