//! The JSON of `multipop_act`: one verb that is not about one account, and what it needs.

use super::field::Field;
use super::json::{self, Read};
use super::words;

#[derive(Debug, PartialEq, Eq)]
pub enum Verb {
    /// The providers an account of this actor may name.
    Providers,
    /// What is to be sent now, to owners and to the operator.
    Notices { limit: u32 },
    /// These were sent.
    NoticesDone { ids: Vec<String> },
}

impl Verb {
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Providers => "providers",
            Verb::Notices { .. } => "notices",
            Verb::NoticesDone { .. } => "notices_done",
        }
    }
}

const VERBS: [&str; 3] = ["providers", "notices", "notices_done"];
const NOTICES: u32 = 100;
const MOST_NOTICES: u32 = 1000;

pub(super) fn read(text: &str) -> Read<Verb> {
    let root = Field { path: String::new(), node: json::parse(text)? };
    let mut members = root.members()?;
    let verb = members.need("verb", &format!("one of {}", VERBS.join(", ")))?.word(&VERBS)?;
    let verb = match verb {
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

fn ids(field: Field) -> Read<Vec<String>> {
    let too_many = field.fault(format!("expected at most {MOST_NOTICES} ids"));
    let ids = field.list()?;
    if ids.len() > MOST_NOTICES as usize {
        return Err(too_many);
    }
    ids.iter().map(words::line).collect()
}
