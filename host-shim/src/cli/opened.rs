//! The library opened and configured, as each command needs it.

use std::path::{Path, PathBuf};

use clap::Args;
use multipop_host::library::{Api, Found, HostEvents, Instance, Level};
use serde_json::{Value, json};

use super::console::Console;
use super::{Common, Trouble};

/// Which configuration, and on whose behalf.
#[derive(Debug, Args)]
pub struct Configured {
    /// The configuration (docs: config.schema.json)
    #[arg(long, value_name = "FILE")]
    pub config: PathBuf,
    /// The owner who acts; * is the operator
    #[arg(long = "as", value_name = "OWNER", default_value = "*")]
    pub actor: String,
}

/// Loads, makes an instance, configures it.
pub fn open(
    common: &Common,
    console: &Console,
    config: &Path,
    events: Box<dyn HostEvents>,
) -> Result<Instance, Trouble> {
    let api = load(common, console)?;
    let mut instance = Instance::init(&api, "multipop-host", console.level, events)?;
    let absolute = std::path::absolute(config)
        .map_err(|e| Trouble::io(config.display(), &e, "Name the configuration file."))?;
    let Some(absolute) = absolute.to_str() else {
        return Err(Trouble::here(format!("{}: not UTF-8", config.display()), "Rename the file."));
    };
    instance.configure(&json!({"file": absolute}).to_string())?;
    Ok(instance)
}

/// Says which library it took.
pub fn load(common: &Common, console: &Console) -> Result<Api, Trouble> {
    let found = Found::library(common.library.as_deref());
    let api = Api::load(&found, common.how())?;
    let version = api.abi_version();
    if console.level >= Level::Info {
        console.note(&format!(
            "library {found}, version {}, ABI {}.{}",
            api.version(),
            version >> 16,
            version & 0xffff
        ));
    }
    Ok(api)
}

/// What the library answered.
pub fn parsed(answer: &str) -> Result<Value, Trouble> {
    serde_json::from_str(answer).map_err(|e| {
        Trouble::here(
            format!("the library's answer is no JSON: {e}"),
            "Look with -v which library is loaded: program and library do not fit.",
        )
    })
}

/// For commands that only want the log.
pub struct LogLines(pub Console);

impl HostEvents for LogLines {
    fn log(&mut self, level: Level, line: &str) {
        self.0.note(&format!("{} {line}", level.name()));
    }
}
