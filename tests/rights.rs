//! Who may do what (I14), and that a refusal changes nothing (I12): over the real store, by the service's verbs.

#[path = "rights/hosts.rs"]
mod hosts;
#[path = "rights/owners.rs"]
mod owners;
#[path = "rights/setup.rs"]
mod setup;
#[path = "rights/verbs.rs"]
mod verbs;
#[path = "rights/whole.rs"]
mod whole;
