//! Who may do what to which account (I14). Asked at every verb, whatever a host checked before.

use crate::config::Config;
use crate::error::{Error, Result, Status};
use crate::model::Actor;
use crate::store::{AccountRow, Store};

/// The account, if it is there for this actor: another's and none at all are told the same.
pub(super) fn visible(store: &dyn Store, actor: &Actor, id: &str) -> Result<AccountRow> {
    store.account(id)?.filter(|row| actor.reaches(&row.account.owner)).ok_or_else(Error::rights)
}

/// May this actor put, change and remove accounts?
pub(super) fn edit(config: &Config, actor: &Actor) -> Result<()> {
    if *actor == Actor::Operator || config.owners.edit {
        return Ok(());
    }
    Err(refuse(
        "rights.edit",
        "owners may not change accounts here",
        "Ask the operator of the mail server to set up or change this mailbox.",
    ))
}

/// Does anything begin for owners at all?
pub(super) fn enabled(config: &Config, actor: &Actor) -> Result<()> {
    if *actor == Actor::Operator || config.enabled {
        return Ok(());
    }
    Err(refuse(
        "rights.disabled",
        "collecting mail is switched off on this server",
        "The operator has switched collecting off for everybody; ask him.",
    ))
}

pub(super) fn delete(config: &Config, actor: &Actor) -> Result<()> {
    if *actor == Actor::Operator || config.owners.delete {
        return Ok(());
    }
    Err(refuse(
        "rights.delete",
        "owners may not decide here what is deleted at the mail server",
        "Ask the operator of the mail server.",
    ))
}

pub(super) fn operator(actor: &Actor) -> Result<()> {
    match actor {
        Actor::Operator => Ok(()),
        Actor::Owner(_) => Err(refuse(
            "rights.operator",
            "only the operator may do this",
            "Ask the operator of the mail server.",
        )),
    }
}

/// Accounts of the configuration are changed there and nowhere else.
pub(super) fn not_configured(row: &AccountRow) -> Result<()> {
    if !row.configured {
        return Ok(());
    }
    let what = format!("the account {:?} is one of the configuration", row.account.id);
    Err(Error::new(Status::Rights, "rights.configured", what).advice(
        "This mailbox was set up by the operator's configuration and can be changed or removed only there.",
    ))
}

/// A token file the operator took back is not taken up again by the owner it was for.
pub(super) fn not_withdrawn(actor: &Actor, row: &AccountRow) -> Result<()> {
    if *actor == Actor::Operator || !row.withdrawn || row.account.provider().is_some() {
        return Ok(());
    }
    Err(refuse(
        "rights.withdrawn",
        "the operator's configuration no longer has this account, whose token came from a file of his",
        "Ask the operator to set this mailbox up again, or remove it.",
    ))
}

/// What the operator paused is his to resume.
pub(super) fn resume(actor: &Actor, row: &AccountRow) -> Result<()> {
    if *actor == Actor::Operator || !row.state.held {
        return Ok(());
    }
    Err(refuse(
        "rights.held",
        "the operator paused this account",
        "The operator of the mail server has paused this mailbox; ask him to resume it.",
    ))
}

fn refuse(cause: &'static str, what: &str, advice: &str) -> Error {
    Error::new(Status::Rights, cause, what).advice(advice)
}
