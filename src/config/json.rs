//! JSON as data, with the place of every value kept (RFC 8259).
//!
//! Two members of one name are refused: what a reader of the file sees must be what counts. Numbers stay text until
//! a member says what it wants, so that nothing is rounded on the way.

use std::fmt;

use serde::Deserialize;
use serde::de::{self, MapAccess, Visitor};
use serde_json::value::RawValue;

/// Deeper than any member of a configuration lies.
const DEPTH: u32 = 12;

#[derive(Debug, Clone)]
pub(super) struct Node {
    /// Offset in the text, for the number of the line.
    pub at: usize,
    pub value: Value,
}

#[derive(Debug, Clone)]
pub(super) enum Value {
    Null,
    Bool(bool),
    Number(String),
    Text(String),
    List(Vec<Node>),
    Object(Vec<(String, Node)>),
}

impl Value {
    /// What this is, for a sentence that says what was found.
    pub fn kind(&self) -> &'static str {
        match self {
            Value::Null => "null",
            Value::Bool(_) => "true or false",
            Value::Number(_) => "a number",
            Value::Text(_) => "a text",
            Value::List(_) => "a list",
            Value::Object(_) => "an object",
        }
    }
}

/// What is wrong with a text, and where: the path of the member, and its offset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Fault {
    pub path: String,
    pub at: usize,
    pub what: String,
    /// Nothing is wrong with it, but the actor may not say it.
    pub right: bool,
}

/// A fault is told to people where the text is known.
pub(super) type Read<T> = std::result::Result<T, Fault>;

impl Fault {
    pub fn new(path: impl Into<String>, at: usize, what: impl Into<String>) -> Fault {
        Fault { path: path.into(), at, what: what.into(), right: false }
    }
}

pub(super) fn parse(text: &str) -> Read<Node> {
    let whole: &RawValue = serde_json::from_str(text).map_err(|e| syntax(text, text, "", &e))?;
    build(text, whole, "", 0)
}

/// Where `name` lies below `path`; ids with a dot or an at sign are quoted, so that a path reads only one way.
pub(super) fn below(path: &str, name: &str) -> String {
    let is_plain = !name.is_empty()
        && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-'));
    match (path.is_empty(), is_plain) {
        (true, true) => name.to_owned(),
        (false, true) => format!("{path}.{name}"),
        (_, false) => format!("{path}[{name:?}]"),
    }
}

fn build(text: &str, raw: &RawValue, path: &str, depth: u32) -> Read<Node> {
    let source = raw.get();
    // A raw value is a part of the text it was read from.
    let at = (source.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    if depth > DEPTH {
        return Err(Fault::new(path, at, "lies deeper than any member does"));
    }
    let value = match source.as_bytes().first() {
        Some(b'{') => {
            let pairs: Pairs = serde_json::from_str(source).map_err(|e| syntax(text, source, path, &e))?;
            let mut members: Vec<(String, Node)> = Vec::with_capacity(pairs.0.len());
            let mut seen = std::collections::HashSet::with_capacity(pairs.0.len());
            for (name, raw) in pairs.0 {
                let path = below(path, &name);
                let node = build(text, raw, &path, depth + 1)?;
                if !seen.insert(name.clone()) {
                    return Err(Fault::new(path, node.at, "this member stands twice; keep one of them"));
                }
                members.push((name, node));
            }
            Value::Object(members)
        }
        Some(b'[') => {
            let parts: Vec<&RawValue> =
                serde_json::from_str(source).map_err(|e| syntax(text, source, path, &e))?;
            let nodes =
                parts.iter().enumerate().map(|(i, raw)| build(text, raw, &format!("{path}[{i}]"), depth + 1));
            Value::List(nodes.collect::<Result<_, _>>()?)
        }
        Some(b'"') => Value::Text(serde_json::from_str(source).map_err(|e| syntax(text, source, path, &e))?),
        Some(b't') => Value::Bool(true),
        Some(b'f') => Value::Bool(false),
        Some(b'n') => Value::Null,
        _ => Value::Number(source.to_owned()),
    };
    Ok(Node { at, value })
}

fn syntax(text: &str, part: &str, path: &str, error: &serde_json::Error) -> Fault {
    let base = (part.as_ptr() as usize).saturating_sub(text.as_ptr() as usize);
    let line = error.line().max(1);
    let before: usize = part.split_inclusive('\n').take(line - 1).map(str::len).sum();
    let at = (base + before + error.column().saturating_sub(1)).min(text.len());
    // The place is said by path and line, in the words of the whole text.
    let said = error.to_string();
    let said = said.split(" at line ").next().unwrap_or(&said);
    Fault::new(path, at, format!("this is not JSON: {said}"))
}

struct Pairs<'a>(Vec<(String, &'a RawValue)>);

impl<'de> Deserialize<'de> for Pairs<'de> {
    fn deserialize<D: de::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Every;
        impl<'de> Visitor<'de> for Every {
            type Value = Pairs<'de>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }
            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Pairs<'de>, A::Error> {
                let mut pairs = Vec::new();
                while let Some(pair) = map.next_entry::<String, &'de RawValue>()? {
                    pairs.push(pair);
                }
                Ok(Pairs(pairs))
            }
        }
        deserializer.deserialize_map(Every)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fault(text: &str) -> Fault {
        parse(text).expect_err("must be refused")
    }

    #[test]
    fn a_member_that_stands_twice_is_refused_by_path() {
        let fault = fault("{\"a\": {\"b\": 1,\n \"b\": 2}}");
        assert_eq!(fault.path, "a.b");
        assert!(fault.what.contains("twice"));
        assert_eq!(fault.at, 21, "the place of the second value");
    }

    #[test]
    fn an_escaped_name_is_the_same_name() {
        assert_eq!(fault(r#"{"a": 1, "\u0061": 2}"#).path, "a");
    }

    #[test]
    fn depth_is_bounded() {
        let deep = "[".repeat(5_000) + &"]".repeat(5_000);
        assert!(fault(&deep).what.contains("deeper"));
    }

    #[test]
    fn text_after_the_value_and_broken_text_are_refused_where_they_stand() {
        assert_eq!(fault("{} x").at, 3);
        assert!(fault("{\n\"a\" 1}").at >= 6);
        assert!(parse("").is_err());
    }

    #[test]
    fn ids_are_quoted_in_paths() {
        assert_eq!(below("accounts", "alice@contoso.example"), "accounts[\"alice@contoso.example\"]");
        assert_eq!(below("", "store"), "store");
    }
}
