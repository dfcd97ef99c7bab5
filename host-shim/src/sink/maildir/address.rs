//! From `deliver_to` to a Maildir: one folder, or a template such as `/var/mail/%d/%n`.
//!
//! Never lets a name choose a place outside the template, and never mixes two recipients in one Maildir.

use std::path::{Path, PathBuf};

#[derive(Debug, Clone)]
pub struct Address {
    parts: Vec<Part>,
    /// Where the template holds no variable: the only recipient it may have.
    only: Option<String>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Literal(String),
    /// `%n`
    Local,
    /// `%d`
    Domain,
    /// `%u`
    Whole,
}

impl Address {
    /// The template; `%%` is a percent sign.
    pub fn parse(template: &str) -> Result<Address, String> {
        if !Path::new(template).is_absolute() {
            return Err(format!("{template}: must be an absolute path"));
        }
        let mut parts = Vec::new();
        let mut rest = template;
        while let Some((before, after)) = rest.split_once('%') {
            parts.push(Part::Literal(before.into()));
            let mut letters = after.chars();
            parts.push(match letters.next() {
                Some('n') => Part::Local,
                Some('d') => Part::Domain,
                Some('u') => Part::Whole,
                Some('%') => Part::Literal("%".into()),
                _ => return Err(format!("{template}: after % stands n, d, u or %")),
            });
            rest = letters.as_str();
        }
        parts.push(Part::Literal(rest.into()));
        Ok(Address { parts, only: None })
    }

    /// The Maildir for a recipient, or why there is none.
    pub fn resolve(&mut self, deliver_to: &str) -> Result<PathBuf, String> {
        let is_fixed = self.parts.iter().all(|part| matches!(part, Part::Literal(_)));
        if is_fixed {
            let only = self.only.get_or_insert_with(|| deliver_to.to_owned());
            if only != deliver_to {
                return Err(format!(
                    "this Maildir already takes the mail of {only}; give a template such as DIR/%d/%n"
                ));
            }
        }
        let mut path = String::new();
        for part in &self.parts {
            match part {
                Part::Literal(text) => path.push_str(text),
                Part::Whole => path.push_str(component(deliver_to, deliver_to)?),
                Part::Local => path.push_str(component(halves(deliver_to)?.0, deliver_to)?),
                Part::Domain => {
                    let domain = component(halves(deliver_to)?.1, deliver_to)?;
                    path.push_str(&domain.to_ascii_lowercase());
                }
            }
        }
        Ok(PathBuf::from(path))
    }
}

fn halves(deliver_to: &str) -> Result<(&str, &str), String> {
    deliver_to
        .rsplit_once('@')
        .ok_or_else(|| format!("deliver_to {deliver_to:?} is not of the form name@domain"))
}

/// A name that is one component of a path, and no Maildir++ folder (those begin with a dot).
fn component<'a>(name: &'a str, deliver_to: &str) -> Result<&'a str, String> {
    let is_bad = name.is_empty()
        || name.len() > 200
        || name.starts_with('.')
        || name.chars().any(|letter| letter == '/' || letter.is_control());
    match is_bad {
        true => Err(format!("deliver_to {deliver_to:?} cannot name a folder")),
        false => Ok(name),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_template_is_filled() {
        let mut address = Address::parse("/srv/%d/%n/100%%").unwrap();
        let path = address.resolve("alice@Contoso.Example").unwrap();
        assert_eq!(path, Path::new("/srv/contoso.example/alice/100%"));
        assert_eq!(Address::parse("/srv/%u").unwrap().resolve("bob").unwrap(), Path::new("/srv/bob"));
    }

    #[test]
    fn no_name_leaves_the_template() {
        let mut address = Address::parse("/srv/%d/%n").unwrap();
        for bad in [
            "../../etc@contoso.example",
            "..@contoso.example",
            ".Trash@contoso.example",
            "a/b@contoso.example",
            "alice@../x",
            "alice@..",
            "@contoso.example",
            "alice@",
            "alice",
            "a\0b@contoso.example",
        ] {
            assert!(address.resolve(bad).is_err(), "{bad:?}");
        }
        assert!(Address::parse("relative/%n").is_err());
        assert!(Address::parse("/srv/%x").is_err());
        assert!(Address::parse("/srv/%").is_err());
    }

    #[test]
    fn one_folder_takes_one_recipient() {
        let mut address = Address::parse("/srv/mail").unwrap();
        assert!(address.resolve("alice@contoso.example").is_ok());
        assert!(address.resolve("alice@contoso.example").is_ok());
        assert!(address.resolve("bob@contoso.example").is_err());
    }
}
