//! Loading with every struct's layout compared before the first call (abi_stable's root module).
//!
//! The functions are the ones the C symbols name, so both ways of loading run the same code.

use std::path::Path;

use abi_stable::library::lib_header_from_path;
use multipop_abi::module::MultipopRef;

use super::api::{Api, every_function};

pub(super) fn load(path: &Path) -> Result<Api, String> {
    let header = lib_header_from_path(path).map_err(|e| e.to_string())?;
    let module = header.init_root_module::<MultipopRef>().map_err(|e| e.to_string())?;
    macro_rules! functions {
        ($($field:ident),*; $($later:ident),*) => {
            Api { $($field: module.$field(),)* $($later: module.$later(),)* _mapped: None }
        };
    }
    Ok(every_function!(functions))
}
