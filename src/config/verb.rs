//! The JSON of `multipop_act`: one verb that is not about one account, and what it needs.

use super::field::Field;
use super::json::{self, Read};

#[derive(Debug, PartialEq, Eq)]
pub enum Verb {
    /// The providers an account of this actor may name.
    Providers,
}

impl Verb {
    pub fn name(&self) -> &'static str {
        match self {
            Verb::Providers => "providers",
        }
    }
}

const VERBS: [&str; 1] = ["providers"];

pub(super) fn read(text: &str) -> Read<Verb> {
    let root = Field { path: String::new(), node: json::parse(text)? };
    let mut members = root.members()?;
    members.need("verb", &format!("one of {}", VERBS.join(", ")))?.word(&VERBS)?;
    members.finish()?;
    Ok(Verb::Providers)
}
