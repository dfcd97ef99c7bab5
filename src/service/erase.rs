//! The verb `erase`, and what a person is told of the consent he gave: who takes it back, or where he does.

use serde_json::{Value, json};

use super::rights;
use crate::config::Whom;
use crate::engine::call::Call;
use crate::engine::revoke;
use crate::error::Result;
use crate::model::{Account, Actor};
use crate::store::{AccountQuery, Erased, TakesBack, Whose};

/// Everything of an owner, or of a realm.
pub(super) fn erase(call: &Call, actor: &Actor, whom: &Whom) -> Result<Value> {
    rights::operator(actor)?;
    let (whose, query) = match whom {
        Whom::Owner(owner) => (
            Whose::Owner(owner.clone()),
            AccountQuery { owner: Some(owner.clone()), ..AccountQuery::default() },
        ),
        Whom::Realm(realm) => (
            Whose::Realm(realm.clone()),
            AccountQuery { realm: Some(realm.clone()), ..AccountQuery::default() },
        ),
    };
    let withdraw = all_to_withdraw(call, query)?;
    let erased = erase_now(call, &whose)?;
    Ok(json!({
        "accounts": erased.accounts,
        "revocations": erased.revocations,
        "complete": erased.complete,
        "withdraw": withdraw,
    }))
}

/// Local, whatever the providers do: grants are given back by later passes.
pub(super) fn erase_now(call: &Call, whose: &Whose) -> Result<Erased> {
    let takes_back = |id: &str| call.provider(id).ok().and_then(|provider| revoke::takes_back(&provider));
    call.store.erase(whose, &takes_back, call.now())
}

/// Once for each provider of the accounts.
fn all_to_withdraw(call: &Call, mut query: AccountQuery) -> Result<Vec<Value>> {
    let mut all: Vec<Value> = Vec::new();
    loop {
        let page = call.store.accounts(&query)?;
        for withdraw in page.iter().filter_map(|row| withdraw(call, &row.account)) {
            if !all.contains(&withdraw) {
                all.push(withdraw);
            }
        }
        match page.last() {
            Some(last) => query.after = Some(last.account.id.clone()),
            None => return Ok(all),
        }
    }
}

/// What becomes of the consent when the account is removed; `None` where nobody consented.
pub(super) fn withdraw(call: &Call, account: &Account) -> Option<Value> {
    let provider = call.provider(account.provider().filter(|_| !account.app_only)?).ok()?;
    let taken_back = revoke::takes_back(&provider);
    let url = provider.withdraw_url.as_ref();
    let advice = match (&taken_back, url) {
        (Some(TakesBack { endpoint: Some(_), .. }), _) => {
            "The permission is given back to the provider when the mailbox is removed here, within seven days \
             where the provider cannot be reached at once."
                .to_owned()
        }
        // Known only when it is asked.
        (Some(_), _) => "The permission is given back to the provider when the mailbox is removed here, if he takes it \
                         back from a program; the settings of your account there show whether it is gone."
            .to_owned(),
        (None, Some(url)) => format!(
            "The provider takes no permission back from a program. To withdraw it, sign in at {url} and remove this \
             application there; what an administrator agreed to, only he withdraws."
        ),
        (None, None) => "The provider takes no permission back from a program. To withdraw it, remove this \
                          application in the settings of your account there."
            .to_owned(),
    };
    let mut told = json!({ "provider": provider.id, "revoked": taken_back.is_some(), "advice": advice });
    if let Some(url) = url {
        told["url"] = json!(url.as_str());
    }
    Some(told)
}
