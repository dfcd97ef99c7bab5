//! Taking members off an object one by one: each is known by name, each wrong one is named by its path.

use std::ops::RangeInclusive;

use super::json::{Fault, Node, Read, Value, below};

/// A value and where it lies.
#[derive(Debug, Clone)]
pub(super) struct Field {
    pub path: String,
    pub node: Node,
}

impl Field {
    pub fn fault(&self, what: impl Into<String>) -> Fault {
        Fault::new(self.path.clone(), self.node.at, what)
    }

    fn expected(&self, what: &str) -> Fault {
        self.fault(format!("expected {what}, found {}", self.node.value.kind()))
    }

    pub fn text(&self) -> Read<&str> {
        match &self.node.value {
            Value::Text(text) => Ok(text),
            _ => Err(self.expected("a text")),
        }
    }

    pub fn is_text(&self) -> bool {
        matches!(self.node.value, Value::Text(_))
    }

    pub fn boolean(&self) -> Read<bool> {
        match self.node.value {
            Value::Bool(is) => Ok(is),
            _ => Err(self.expected("true or false")),
        }
    }

    pub fn whole(&self, range: RangeInclusive<u64>) -> Read<u64> {
        let wanted = format!("a whole number from {} to {}", range.start(), range.end());
        let Value::Number(number) = &self.node.value else {
            return Err(self.expected(&wanted));
        };
        match number.parse() {
            Ok(number) if range.contains(&number) => Ok(number),
            _ => Err(self.fault(format!("expected {wanted}, found {number}"))),
        }
    }

    pub fn whole32(&self, range: RangeInclusive<u32>) -> Read<u32> {
        let number = self.whole((*range.start()).into()..=(*range.end()).into())?;
        // The range was checked.
        Ok(u32::try_from(number).unwrap_or(*range.end()))
    }

    /// Seconds with a fraction, as milliseconds.
    pub fn milliseconds(&self, range: RangeInclusive<u64>) -> Read<u64> {
        let seconds = |ms: u64| ms as f64 / 1000.0;
        let wanted = format!("seconds from {} to {}", seconds(*range.start()), seconds(*range.end()));
        let Value::Number(number) = &self.node.value else {
            return Err(self.expected(&wanted));
        };
        let ms = number.parse::<f64>().unwrap_or(f64::NAN) * 1000.0;
        if !(seconds(*range.start()) * 1000.0..=seconds(*range.end()) * 1000.0).contains(&ms) {
            return Err(self.fault(format!("expected {wanted}, found {number}")));
        }
        Ok((ms.round() as u64).clamp(*range.start(), *range.end()))
    }

    pub fn list(self) -> Read<Vec<Field>> {
        if !matches!(self.node.value, Value::List(_)) {
            return Err(self.expected("a list"));
        }
        let Value::List(nodes) = self.node.value else {
            return Ok(Vec::new());
        };
        let path = self.path;
        Ok(nodes
            .into_iter()
            .enumerate()
            .map(|(i, node)| Field { path: format!("{path}[{i}]"), node })
            .collect())
    }

    /// The members of an object whose names are ids.
    pub fn entries(self) -> Read<Vec<(String, Field)>> {
        if !matches!(self.node.value, Value::Object(_)) {
            return Err(self.expected("an object"));
        }
        let Value::Object(members) = self.node.value else {
            return Ok(Vec::new());
        };
        let path = self.path;
        Ok(members
            .into_iter()
            .map(|(name, node)| {
                let path = below(&path, &name);
                (name, Field { path, node })
            })
            .collect())
    }

    /// One of these words.
    pub fn word(&self, words: &[&'static str]) -> Read<&'static str> {
        self.choice(words, |word| word)
    }

    /// One of `all`, by its name.
    pub fn choice<T: Copy>(&self, all: &[T], name: impl Fn(T) -> &'static str) -> Read<T> {
        let said = self.text()?;
        let found = all.iter().copied().find(|one| name(*one) == said);
        found.ok_or_else(|| {
            let names: Vec<&str> = all.iter().map(|one| name(*one)).collect();
            self.fault(format!("expected one of {}, found {said:?}", names.join(", ")))
        })
    }

    pub fn members(self) -> Read<Members> {
        let (path, at) = (self.path.clone(), self.node.at);
        Ok(Members { path, at, left: self.entries()?, known: Vec::new() })
    }
}

/// An object whose members have fixed names.
#[derive(Debug)]
pub(super) struct Members {
    pub path: String,
    pub at: usize,
    left: Vec<(String, Field)>,
    known: Vec<&'static str>,
}

impl Members {
    pub fn take(&mut self, name: &'static str) -> Option<Field> {
        self.known.push(name);
        let place = self.left.iter().position(|(known, _)| known == name)?;
        Some(self.left.swap_remove(place).1)
    }

    pub fn need(&mut self, name: &'static str, what: &str) -> Read<Field> {
        match self.take(name) {
            Some(field) => Ok(field),
            None => {
                Err(Fault::new(below(&self.path, name), self.at, format!("this member is missing: {what}")))
            }
        }
    }

    /// Refuses what nobody asked for, with the nearest name there is.
    pub fn finish(self) -> Read<()> {
        let Some((name, field)) = self.left.into_iter().min_by_key(|(_, field)| field.node.at) else {
            return Ok(());
        };
        let file = [
            ("client_secret", "client_secret_file"),
            ("password", "password_file"),
            ("proxy_password", "proxy_password_file"),
        ];
        if let Some((_, member)) = file.iter().find(|(secret, _)| *secret == name) {
            return Err(field.fault(format!(
                "secrets never stand in a configuration; write it to a file and name that file as {member}"
            )));
        }
        let nearest = self
            .known
            .iter()
            .map(|known| (strsim::jaro_winkler(&name, known), *known))
            .max_by(|a, b| a.0.total_cmp(&b.0))
            .filter(|(likeness, _)| *likeness >= 0.75);
        Err(field.fault(match nearest {
            Some((_, nearest)) => format!("there is no such member; did you mean {nearest}?"),
            None => format!("there is no such member; there are {}", self.known.join(", ")),
        }))
    }
}
