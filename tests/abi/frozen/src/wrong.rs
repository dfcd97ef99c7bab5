//! A module that is none of ours: the layout check must refuse the library to whoever wants this.

use abi_stable::StableAbi;
use abi_stable::library::RootModule;
use abi_stable::package_version_strings;
use abi_stable::sabi_types::VersionStrings;

#[repr(C)]
#[derive(StableAbi)]
#[sabi(kind(Prefix(prefix_ref = MultipopRef, prefix_fields = MultipopPrefix)))]
pub struct Multipop {
    #[sabi(last_prefix_field)]
    pub abi_version: unsafe extern "C" fn(u64) -> u32,
}

impl RootModule for MultipopRef {
    abi_stable::declare_root_module_statics! {MultipopRef}
    const BASE_NAME: &'static str = "multipop";
    const NAME: &'static str = "multipop";
    const VERSION_STRINGS: VersionStrings = package_version_strings!();
}
