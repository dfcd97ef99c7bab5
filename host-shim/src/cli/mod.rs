//! The commands. Each opens the library as any host would, does one thing, and says in words how it went.
//!
//! The exit status says who can help, as the library's statuses do: see [`EXIT_CODES`].

use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};
use multipop_host::library::{Level, Load};

mod accounts;
mod authorize;
mod check;
mod console;
mod demo;
mod explain;
mod fetch;
mod interrupt;
mod key;
mod landing;
mod mock;
mod notices;
mod opened;
mod outcome;
mod personal;
mod progress;
mod stage;
mod state;

use console::Console;
use outcome::Trouble;

const EXIT_CODES: &str = "\
Exit status: 0 done; 1 this command or its arguments; 10 the operator (configuration, store, provider, server);
20 the user (consent, rights); 30 time (try again later, cancelled); 40 the sink (disk, LMTP server); 50 a fault of
the library. Several accounts failing: the first of 50, 10, 40, 20, 30 that occurred.";

/// Collects mail over POP3S with OAuth 2.0, with the library libmultipop.so.
#[derive(Debug, Parser)]
#[command(name = "multipop-host", version, after_help = EXIT_CODES, max_term_width = 100)]
struct Cli {
    #[command(flatten)]
    common: Common,
    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Args)]
struct Common {
    /// The library to load; else the one beside this program, else libmultipop.so.1 by name
    #[arg(long, global = true, value_name = "FILE")]
    library: Option<PathBuf>,
    /// As a C host loads it, or with every struct's layout checked first
    #[arg(long, global = true, value_enum, default_value = "raw")]
    load: How,
    /// Results for scripts: one JSON object a line on stdout
    #[arg(long, global = true)]
    json: bool,
    /// More log lines on stderr: -v info, -vv debug, -vvv trace
    #[arg(short, long, global = true, action = clap::ArgAction::Count)]
    verbose: u8,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum How {
    Raw,
    Checked,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// The whole journey with mock servers: no network, no root
    Demo(demo::Demo),
    /// Run the mock servers, for developers of hosts
    Mock(mock::Mock),
    /// Make a key file: 32 random bytes in hex, mode 0600; never overwrites
    Key(key::Key),
    /// List, put, remove accounts, or act on one
    Accounts(accounts::Accounts),
    /// Connect an account: the user signs in at the provider and consents
    Authorize(authorize::Authorize),
    /// Say of each step of a fetch whether it works, what is wrong first, and who can mend it
    Check(check::Check),
    /// Tell all that is held about an owner, as JSON; no secret
    Export(personal::Export),
    /// Erase an owner or a realm for good
    Erase(personal::Erase),
    /// Fetch what is due, or one account, into a Maildir or to an LMTP server
    Fetch(fetch::Fetch),
    /// Where is my mail: what became of a message, by its Message-ID or UIDL, or of all since a time
    Explain(explain::Explain),
    /// Trace what is said to an account's mail server for some minutes, redacted; or show the trace
    Trace(explain::Trace),
    /// All that is known of an account's collection, without names, addresses and secrets, to send to whoever helps
    SupportBundle(explain::SupportBundle),
    /// Send users and the operator what they are to be told, or show it
    Notices(notices::Notices),
}

pub fn run() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(words) => {
            let code = if words.use_stderr() { 1 } else { 0 };
            // A closed terminal changes nothing about the answer.
            let _ = words.print();
            return ExitCode::from(code);
        }
    };
    let console = Console::new(cli.common.json, cli.common.level());
    let done = match cli.command {
        Command::Demo(command) => command.run(&cli.common, &console),
        Command::Mock(command) => command.run(&console),
        Command::Key(command) => command.run(&console),
        Command::Accounts(command) => command.run(&cli.common, &console),
        Command::Authorize(command) => command.run(&cli.common, &console),
        Command::Check(command) => command.run(&cli.common, &console),
        Command::Fetch(command) => command.run(&cli.common, &console),
        Command::Explain(command) => command.run(&cli.common, &console),
        Command::Trace(command) => command.run(&cli.common, &console),
        Command::SupportBundle(command) => command.run(&cli.common, &console),
        Command::Export(command) => command.run(&cli.common, &console),
        Command::Erase(command) => command.run(&cli.common, &console),
        Command::Notices(command) => command.run(&cli.common, &console),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(trouble) => {
            console.trouble(&trouble);
            ExitCode::from(trouble.code)
        }
    }
}

impl Common {
    fn level(&self) -> Level {
        match self.verbose {
            // Warnings come as events too, in better words.
            0 => Level::Error,
            1 => Level::Info,
            2 => Level::Debug,
            _ => Level::Trace,
        }
    }

    fn how(&self) -> Load {
        match self.load {
            How::Raw => Load::Raw,
            How::Checked => Load::Checked,
        }
    }
}

type Done = Result<(), Trouble>;

#[cfg(test)]
mod tests {
    use clap::CommandFactory;

    use super::Cli;

    #[test]
    fn no_argument_is_at_odds_with_another() {
        Cli::command().debug_assert();
    }
}
