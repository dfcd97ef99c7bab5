//! The root module for Rust hosts: the C functions once more, behind abi_stable's check of their layout.

use abi_stable::export_root_module;
use abi_stable::prefix_type::PrefixTypeTrait;
use multipop_abi::module::{Multipop, MultipopRef};

use super::{consent, entry};

#[export_root_module]
fn module() -> MultipopRef {
    Multipop {
        abi_version: entry::multipop_abi_version,
        version: entry::multipop_version,
        init: entry::multipop_init,
        configure: entry::multipop_configure,
        account_put: entry::multipop_account_put,
        account_remove: entry::multipop_account_remove,
        accounts: entry::multipop_accounts,
        account_act: entry::multipop_account_act,
        authorize_url: consent::multipop_authorize_url,
        handle_callback: consent::multipop_handle_callback,
        fetch_once: entry::multipop_fetch_once,
        cancel: entry::multipop_cancel,
        free: entry::multipop_free,
        destroy: entry::multipop_destroy,
        check: entry::multipop_check,
        device_begin: consent::multipop_device_begin,
        device_poll: consent::multipop_device_poll,
        act: entry::multipop_act,
    }
    .leak_into_prefix()
}
