//! Rust source as a list of names and signs, without what does not count: comments, texts, characters, lifetimes.

use std::fs;
use std::path::Path;

/// The names of the functions marked `#[test]` (or `#[tokio::test]`), further attributes between allowed.
pub fn tests_in(text: &str) -> Vec<String> {
    let mut is_test = false;
    let mut names = Vec::new();
    let tokens = tokens(text);
    for pair in tokens.windows(2) {
        match (pair[0].text.as_str(), pair[1].text.as_str()) {
            ("test", "]") => is_test = true,
            ("fn", name) if std::mem::take(&mut is_test) => names.push(name.to_owned()),
            _ => {}
        }
    }
    names
}

pub struct Token {
    pub text: String,
    pub line: usize,
}

/// Names and signs; comments, texts, characters and lifetimes are left out, `::` is one sign.
pub fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
    let mut line = 1;
    let mut i = 0;
    while i < bytes.len() {
        let rest = &text[i..];
        let length = match bytes[i] {
            b'/' if rest.starts_with("//") => rest.find('\n').unwrap_or(rest.len()),
            b'/' if rest.starts_with("/*") => block_comment(rest),
            b'"' => quoted(rest, '"'),
            b'\'' => character_or_lifetime(rest),
            b'r' | b'b' | b'c' if raw_text(rest).is_some() => raw_text(rest).expect("seen in the guard"),
            b'b' | b'c' if rest[1..].starts_with('"') => 1 + quoted(&rest[1..], '"'),
            b'b' if rest[1..].starts_with('\'') => 1 + quoted(&rest[1..], '\''),
            byte if byte.is_ascii_whitespace() => 1,
            byte => {
                let name = rest.find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len());
                let sign =
                    if rest.starts_with("::") { 2 } else { rest.chars().next().map_or(1, char::len_utf8) };
                let length = if name > 0 { name } else { sign };
                if byte != b'$' {
                    tokens.push(Token { text: rest[..length].to_owned(), line });
                }
                length
            }
        };
        line += rest[..length].matches('\n').count();
        i += length;
    }
    tokens
}

fn block_comment(rest: &str) -> usize {
    let mut open = 0;
    let mut i = 0;
    while i < rest.len() {
        if rest[i..].starts_with("/*") {
            open += 1;
            i += 2;
        } else if rest[i..].starts_with("*/") {
            open -= 1;
            i += 2;
            if open == 0 {
                return i;
            }
        } else {
            i += rest[i..].chars().next().map_or(1, char::len_utf8);
        }
    }
    rest.len()
}

fn quoted(rest: &str, quote: char) -> usize {
    let mut escaped = false;
    for (i, c) in rest.char_indices().skip(1) {
        match c {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            _ if c == quote => return i + c.len_utf8(),
            _ => {}
        }
    }
    rest.len()
}

fn character_or_lifetime(rest: &str) -> usize {
    let mut after = rest.chars().skip(1);
    match (after.next(), after.next()) {
        (Some('\\'), _) => quoted(rest, '\''),
        (Some(c), Some('\'')) => 2 + c.len_utf8(),
        _ => 1 + rest[1..].find(|c: char| !c.is_alphanumeric() && c != '_').unwrap_or(rest.len() - 1),
    }
}

/// `r"…"`, `r#"…"#` and their `b` and `c` kin.
fn raw_text(rest: &str) -> Option<usize> {
    let inner = rest.strip_prefix(['b', 'c']).unwrap_or(rest).strip_prefix('r')?;
    let hashes = inner.len() - inner.trim_start_matches('#').len();
    let body = inner[hashes..].strip_prefix('"')?;
    let end = format!("\"{}", "#".repeat(hashes));
    let start = rest.len() - body.len();
    Some(start + body.find(&end).map_or(body.len(), |i| i + end.len()))
}

/// Every `.rs` file below `dir`, with its path from `root`.
pub fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> =
        fs::read_dir(dir).expect("a source folder").flatten().map(|e| e.path()).collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let name = path.strip_prefix(root).expect("below the root").to_string_lossy().into_owned();
            files.push((name, fs::read_to_string(&path).expect("a source file")));
        }
    }
}
