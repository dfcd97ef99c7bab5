//! The JSON of `multipop_act`: one verb that is not about one account, and what it needs.

use super::account::realm_name;
use super::field::{Field, Members};
use super::json::{self, Read};
use super::words;

#[derive(Debug, PartialEq, Eq)]
pub enum Verb {
    /// The providers an account of this actor may name.
    Providers,
    /// Everything of an owner or a realm, for good.
    Erase(Whom),
    /// Everything the store holds about an owner.
    Export { owner: String },
    /// What is to be sent now, to owners and to the operator.
    Notices { limit: u32 },
    /// These were sent.
    NoticesDone { ids: Vec<String> },
}

#[derive(Debug, PartialEq, Eq)]
pub enum Whom {
    Owner(String),
    Realm(String),
}

impl Verb {
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Providers => "providers",
            Verb::Erase(_) => "erase",
            Verb::Export { .. } => "export",
            Verb::Notices { .. } => "notices",
            Verb::NoticesDone { .. } => "notices_done",
        }
    }
}

const VERBS: [&str; 5] = ["providers", "erase", "export", "notices", "notices_done"];
const NOTICES: u32 = 100;
const MOST_NOTICES: u32 = 1000;

pub(super) fn read(text: &str) -> Read<Verb> {
    let root = Field { path: String::new(), node: json::parse(text)? };
    let mut members = root.members()?;
    let verb = match members.need("verb", &format!("one of {}", VERBS.join(", ")))?.word(&VERBS)? {
        "erase" => Verb::Erase(whom(&mut members)?),
        "export" => Verb::Export { owner: words::owner_name(&members.need("owner", "about whom")?)? },
        "notices" => Verb::Notices {
            limit: match members.take("limit") {
                Some(field) => field.whole32(1..=MOST_NOTICES)?,
                None => NOTICES,
            },
        },
        "notices_done" => Verb::NoticesDone { ids: ids(members.need("ids", "the ids of what was sent")?)? },
        _ => Verb::Providers,
    };
    members.finish()?;
    Ok(verb)
}

/// One of the two: nobody erases more than he named.
fn whom(members: &mut Members) -> Read<Whom> {
    match (members.take("owner"), members.take("realm")) {
        (Some(field), None) => Ok(Whom::Owner(words::owner_name(&field)?)),
        (None, Some(field)) => Ok(Whom::Realm(realm_name(&field)?)),
        (Some(field), Some(_)) => Err(field.fault("an owner or a realm, not both")),
        (None, None) => members
            .need("owner", "an owner, or \"realm\"")
            .and_then(|field| words::owner_name(&field))
            .map(Whom::Owner),
    }
}

fn ids(field: Field) -> Read<Vec<String>> {
    let too_many = field.fault(format!("expected at most {MOST_NOTICES} ids"));
    let ids = field.list()?;
    if ids.len() > MOST_NOTICES as usize {
        return Err(too_many);
    }
    ids.iter().map(words::line).collect()
}
