//! One table of the library's functions, filled in either of two ways: `raw` looks every symbol up, as a C host
//! does; `checked` has abi_stable compare every struct's layout before the first call.

use std::ffi::{CStr, c_char};
use std::path::Path;
use std::sync::Arc;

use libloading::os::unix::{Library, RTLD_LOCAL, RTLD_NOW};
use multipop_abi as abi;

use super::failure::Failure;
use super::find::Found;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Load {
    Raw,
    Checked,
}

/// `multipop_t`.
pub(super) type Handle = *mut abi::Instance;
type Status = i32;
type Text = *const c_char;
type TextOut = *mut *mut c_char;
type ErrorOut = *mut abi::Error;
pub(super) type Device = unsafe extern "C" fn(Handle, *const abi::Authorize, TextOut, ErrorOut) -> Status;

/// The functions, and what keeps them mapped.
#[derive(Clone)]
pub struct Api {
    pub(super) abi_version: unsafe extern "C" fn() -> u32,
    pub(super) version: unsafe extern "C" fn() -> Text,
    pub(super) init: unsafe extern "C" fn(*const abi::Host, *mut Handle, ErrorOut) -> Status,
    pub(super) configure: unsafe extern "C" fn(Handle, Text, ErrorOut) -> Status,
    pub(super) account_put: unsafe extern "C" fn(Handle, Text, Text, Text, Text, ErrorOut) -> Status,
    pub(super) account_remove: unsafe extern "C" fn(Handle, Text, Text, ErrorOut) -> Status,
    pub(super) accounts: unsafe extern "C" fn(Handle, *const abi::Query, TextOut, ErrorOut) -> Status,
    pub(super) account_act: unsafe extern "C" fn(Handle, Text, Text, Text, Text, TextOut, ErrorOut) -> Status,
    pub(super) authorize_url:
        unsafe extern "C" fn(Handle, *const abi::Authorize, TextOut, ErrorOut) -> Status,
    pub(super) handle_callback:
        unsafe extern "C" fn(Handle, *const abi::Callback, TextOut, ErrorOut) -> Status,
    pub(super) fetch_once: unsafe extern "C" fn(
        Handle,
        *const abi::Fetch,
        *const abi::Sink,
        *mut abi::Report,
        ErrorOut,
    ) -> Status,
    pub(super) cancel: unsafe extern "C" fn(Handle),
    pub(super) free: unsafe extern "C" fn(*mut c_char),
    pub(super) destroy: unsafe extern "C" fn(Handle),
    /// Since 1.1.
    pub(super) check: Option<unsafe extern "C" fn(Handle, *const abi::Fetch, TextOut, ErrorOut) -> Status>,
    pub(super) device_begin: Option<Device>,
    pub(super) device_poll: Option<Device>,
    /// Since 1.2.
    pub(super) act: Option<unsafe extern "C" fn(Handle, Text, Text, TextOut, ErrorOut) -> Status>,
    /// `None`: mapped for good.
    pub(super) _mapped: Option<Arc<Library>>,
}

impl Api {
    /// Loads what was found. Nothing of the library but its version is called here.
    pub fn load(found: &Found, how: Load) -> Result<Api, Failure> {
        let api = match how {
            Load::Raw => raw(&found.path()),
            Load::Checked => super::checked::load(&found.path()),
        };
        let api = api.map_err(|why| {
            Failure::here(
                abi::E_ABI,
                "library.load",
                format!("{found}: {why}"),
                "Install libmultipop.so, put it beside this program, or name it with --library.",
            )
        })?;
        let version = api.abi_version();
        if version >> 16 != abi::ABI_MAJOR {
            let (major, minor) = (version >> 16, version & 0xffff);
            return Err(Failure::here(
                abi::E_ABI,
                "library.version",
                format!("{found}: speaks ABI {major}.{minor}, this program {}.x", abi::ABI_MAJOR),
                "Install the library and multipop-host of the same release.",
            ));
        }
        Ok(api)
    }

    pub fn abi_version(&self) -> u32 {
        // SAFETY: safe before anything else, by contract.
        unsafe { (self.abi_version)() }
    }

    pub fn version(&self) -> String {
        // SAFETY: static NUL-terminated text, by contract.
        unsafe { CStr::from_ptr((self.version)()) }.to_string_lossy().into_owned()
    }
}

/// The functions of ABI 1.0, then those of later versions, which an older library lacks; handed to the macro that
/// fetches them.
macro_rules! every_function {
    ($fetch:ident) => {
        $fetch!(
            abi_version,
            version,
            init,
            configure,
            account_put,
            account_remove,
            accounts,
            account_act,
            authorize_url,
            handle_callback,
            fetch_once,
            cancel,
            free,
            destroy;
            check,
            device_begin,
            device_poll,
            act
        )
    };
}
pub(super) use every_function;

fn raw(path: &Path) -> Result<Api, String> {
    // SAFETY: the library runs no code of its own at load but the standard library's initialisers.
    let library = unsafe { Library::open(Some(path), RTLD_NOW | RTLD_LOCAL) }.map_err(|e| e.to_string())?;
    let library = Arc::new(library);
    macro_rules! symbols {
        ($($field:ident),*; $($later:ident),*) => {
            Api {
                $($field: {
                    let name = concat!("multipop_", stringify!($field));
                    // SAFETY: `multipop.h` gives every symbol this type; the version's major is compared after.
                    *unsafe { library.get(name.as_bytes()) }.map_err(|e| format!("{name}: {e}"))?
                },)*
                $($later: {
                    let name = concat!("multipop_", stringify!($later));
                    // SAFETY: likewise.
                    unsafe { library.get(name.as_bytes()) }.ok().map(|symbol| *symbol)
                },)*
                _mapped: Some(library.clone()),
            }
        };
    }
    Ok(every_function!(symbols))
}
