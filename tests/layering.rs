//! The house keeps its shape: every `crate::` and `super::` path in `src/` points down, `unsafe` stays in `ffi`,
//! and the library touches nothing that belongs to its host (standard streams, environment, exit).
//!
//! The source is read as tokens, so that comments and texts do not count and `use` groups do. Each rule is proven
//! by planted cases below.

use std::fs;
use std::path::Path;

/// The rooms, top row first. A file uses rooms of lower rows, and its own.
const ROWS: [&[&str]; 6] = [
    &["ffi"],
    &["service"],
    &["engine"],
    &["net", "store"],
    &["pop3", "oauth", "plan", "retry"],
    // Words everyone speaks, to one another too.
    &["config", "model", "secret", "error"],
];

/// A file that grows past this is two ideas.
const MOST_LINES: usize = 400;

/// Macros that write to the host's streams, and those that leave work undone.
const FORBIDDEN_MACROS: [&str; 7] = [
    "print",
    "println",
    "eprint",
    "eprintln",
    "dbg",
    "todo",
    "unimplemented",
];

#[test]
fn the_house_keeps_its_shape() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, &root.join("src"), &mut files);
    assert!(files.len() > 20, "the source was not found");
    let complaints: Vec<String> = files.iter().flat_map(|(path, text)| check(path, text)).collect();
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

#[test]
fn the_other_packages_stay_small_and_apart() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    collect(root, &root.join("include/rust/src"), &mut files);
    collect(root, &root.join("host-shim/src"), &mut files);
    let mut complaints: Vec<String> = files
        .iter()
        .filter_map(|(path, text)| too_long(path, text))
        .collect();
    for (path, text) in &files {
        // The shim loads the built library as any host does, so that it cannot cheat.
        let tokens = tokens(text);
        let cheats = tokens
            .windows(2)
            .any(|pair| pair[0].text == "multipop" && pair[1].text == "::");
        if cheats {
            complaints.push(format!(
                "{path}: uses the library's crate instead of the built library"
            ));
        }
    }
    let manifest = fs::read_to_string(root.join("host-shim/Cargo.toml")).expect("the shim's manifest");
    if manifest
        .lines()
        .any(|line| line.starts_with("multipop ") || line.starts_with("multipop."))
    {
        complaints.push("host-shim/Cargo.toml: depends on the library's crate".to_owned());
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// docs/architecture.md: each invariant is held by tests whose names begin with its number.
#[test]
fn every_invariant_has_a_test_of_its_name() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "host-shim"] {
        collect(root, &root.join(folder), &mut files);
    }
    let names: Vec<String> = files.iter().flat_map(|(_, text)| tests_in(text)).collect();
    let orphans: Vec<u32> = (1..=15)
        .filter(|number| {
            !names
                .iter()
                .any(|name| name.starts_with(&format!("i{number:02}_")))
        })
        .collect();
    assert!(
        orphans.is_empty(),
        "no test bears the number of the invariants {orphans:?}"
    );
}

#[test]
fn only_a_test_counts_as_one() {
    let text = "#[test]\nfn i01_a() {}\n#[test] #[should_panic] async fn i02_b() {}\nfn i03_c() {} // #[test] fn i04_d";
    assert_eq!(tests_in(text), ["i01_a", "i02_b"]);
}

#[test]
fn planted_faults_are_found() {
    let planted = [
        ("src/pop3/session.rs", "use crate::net::wire;", "uses net"),
        ("src/net/wire.rs", "use crate::store::Store;", "uses store"),
        ("src/plan.rs", "fn f() { crate::retry::next() }", "uses retry"),
        ("src/error.rs", "use crate::{model::Account, ffi};", "uses ffi"),
        (
            "src/store/mod.rs",
            "use crate::{\n    model::{self, Account},\n    engine::{self, pump},\n};",
            "uses engine",
        ),
        (
            "src/store/sqlite.rs",
            "use super::super::service;",
            "uses service",
        ),
        ("src/store/mod.rs", "use super::net::dial;", "uses net"),
        (
            "src/store/sqlite/open.rs",
            "use super::super::super::{model, engine::keys};",
            "uses engine",
        ),
        ("src/plan.rs", "use super::engine;", "uses engine"),
        (
            "src/plan.rs",
            "mod tests { use super::super::engine; }",
            "uses engine",
        ),
        (
            "src/pop3/mod.rs",
            "mod a { mod b { use super::super::super::net; } }",
            "uses net",
        ),
        (
            "src/config/mod.rs",
            "macro_rules! m { () => { $crate::oauth::x() } }",
            "uses oauth",
        ),
        ("src/plan.rs", "use crate::cellar::wine;", "unknown room cellar"),
        ("src/cellar.rs", "", "unknown room cellar"),
        ("src/plan.rs", "use crate::*;", "crate::*"),
        ("src/net/tls.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("src/ffi/log.rs", "fn f() { println!(\"\") }", "println!"),
        ("src/engine/pass.rs", "fn f() { todo!() }", "todo!"),
        (
            "src/net/dial.rs",
            "fn f() { std::env::var(\"HOME\"); }",
            "environment",
        ),
        (
            "src/net/dial.rs",
            "use std::env;\nfn f() { env::var_os(\"HOME\"); }",
            "environment",
        ),
        ("src/net/dial.rs", "use std::env::{self, var};", "environment"),
        (
            "src/net/dial.rs",
            "fn f() { set_var(\"A\", \"b\") }",
            "environment",
        ),
        ("src/ffi/entry.rs", "fn f() { std::process::exit(1) }", "exit"),
    ];
    for (path, text, wanted) in planted {
        let complaints = check(path, text);
        assert_eq!(complaints.len(), 1, "{path}: {text:?}: {complaints:?}");
        assert!(complaints[0].contains(wanted), "{path}: {text:?}: {complaints:?}");
    }
    let long = "// a line\n".repeat(MOST_LINES + 1);
    assert_eq!(check("src/plan.rs", &long).len(), 1);
}

#[test]
fn what_is_allowed_is_left_alone() {
    let allowed = [
        (
            "src/ffi/entry.rs",
            "use crate::service::Service; fn f() { unsafe { crate::error::g() } }",
        ),
        (
            "src/engine/mailbox.rs",
            "use crate::{net::dial, store::Store, pop3, plan, model::{Account, *}};",
        ),
        (
            "src/store/sqlite.rs",
            "use super::{Store, lease::Lease}; use crate::retry;",
        ),
        ("src/plan.rs", "mod tests { use super::*; }"),
        (
            "src/error.rs",
            "use crate::secret::Secret; pub(crate) fn f() {} pub(in crate::error) fn g() {}",
        ),
        (
            "src/pop3/sasl.rs",
            "// crate::net is above\n/* crate::ffi /* nested */ unsafe */\nfn f() { \"crate::ffi unsafe\"; }",
        ),
        (
            "src/pop3/sasl.rs",
            "fn f<'a>(x: &'a str) { r#\"a \" println!(\"#; b\"crate::ffi\"; '\"'; '\\''; crate::error::e(); }",
        ),
        ("src/lib.rs", "#![deny(unsafe_code)] pub mod ffi;"),
        (
            "src/net/https.rs",
            "fn f() { env!(\"CARGO_PKG_VERSION\"); session.exit; write!(f, \"\"); }",
        ),
    ];
    for (path, text) in allowed {
        assert_eq!(check(path, text), Vec::<String>::new(), "{path}: {text:?}");
    }
    assert_eq!(
        check("src/plan.rs", &"\n".repeat(MOST_LINES)),
        Vec::<String>::new()
    );
}

/// Everything wrong with one file of `src/`.
fn check(path: &str, text: &str) -> Vec<String> {
    let tokens = tokens(text);
    let mut complaints: Vec<String> = too_long(path, text).into_iter().collect();
    complaints.extend(arrows(path, &tokens));
    complaints.extend(forbidden(path, &tokens));
    complaints
}

fn too_long(path: &str, text: &str) -> Option<String> {
    let lines = text.lines().count();
    (lines > MOST_LINES).then(|| format!("{path}: {lines} lines are two ideas; {MOST_LINES} are allowed"))
}

fn forbidden(path: &str, tokens: &[Token]) -> Vec<String> {
    let mut complaints = Vec::new();
    let at = |i: usize| tokens.get(i).map_or("", |token| token.text.as_str());
    for (i, token) in tokens.iter().enumerate() {
        let before = |n: usize| i.checked_sub(n).map_or("", |i| at(i));
        let reads = matches!(token.text.as_str(), "var" | "var_os" | "vars" | "vars_os");
        let from_env = reads && before(1) == "::" && before(2) == "env";
        let grouped = token.text == "env" && at(i + 1) == "::" && at(i + 2) == "{";
        let fault = match token.text.as_str() {
            "unsafe" if !path.starts_with("src/ffi/") => "unsafe outside src/ffi".to_owned(),
            name if at(i + 1) == "!" && FORBIDDEN_MACROS.contains(&name) => format!("{name}!"),
            "set_var" | "remove_var" => "changes the host's environment".to_owned(),
            _ if from_env || grouped => "reads the host's environment".to_owned(),
            "exit" if at(i + 1) == "(" && before(1) != "." => "exit ends the host".to_owned(),
            _ => continue,
        };
        complaints.push(format!("{path}:{}: {fault}", token.line));
    }
    complaints
}

/// Every path of the file that leads to a room it may not use.
fn arrows(path: &str, tokens: &[Token]) -> Vec<String> {
    let home = module_of(path);
    let Some(room) = home.first() else {
        return Vec::new(); // lib.rs names all rooms
    };
    let Some(row) = row_of(room) else {
        return vec![format!("{path}: unknown room {room}")];
    };
    let mut complaints = Vec::new();
    // Modules written inside the file, each with the depth of braces it was opened at.
    let mut inner: Vec<(String, usize)> = Vec::new();
    let mut depth = 0_usize;
    let mut i = 0;
    while i < tokens.len() {
        let text = tokens[i].text.as_str();
        match text {
            "{" => depth += 1,
            "}" => {
                depth = depth.saturating_sub(1);
                inner.pop_if(|(_, opened)| *opened == depth);
            }
            "mod" if tokens.get(i + 2).is_some_and(|token| token.text == "{") => {
                inner.push((tokens[i + 1].text.clone(), depth));
                i += 1;
            }
            "crate" | "super" if tokens.get(i + 1).is_some_and(|token| token.text == "::") => {
                let mut here = home.clone();
                here.extend(inner.iter().map(|(name, _)| name.clone()));
                let mut targets = Vec::new();
                // A group's braces are skipped with it, so that they do not count as blocks.
                i = follow(tokens, i, &here, &mut targets);
                for (target, line) in targets {
                    let fault = match row_of(&target) {
                        _ if target == *room => continue,
                        None if target == "*" => "crate::* hides what is used".to_owned(),
                        None => format!("unknown room {target}"),
                        Some(below) if below > row || row == ROWS.len() - 1 && below == row => continue,
                        Some(_) => format!("{room} uses {target}, which is not below it"),
                    };
                    complaints.push(format!("{path}:{line}: {fault}"));
                }
                continue;
            }
            _ => {}
        }
        i += 1;
    }
    complaints
}

/// Follows one path, or every path of a group, from token `i` and the module it is written in; answers where it
/// ends. Rooms that are reached from the crate's root are put into `targets` with their lines.
fn follow(tokens: &[Token], mut i: usize, here: &[String], targets: &mut Vec<(String, usize)>) -> usize {
    let mut module = here.to_vec();
    loop {
        let Some(token) = tokens.get(i) else { return i };
        let more = tokens.get(i + 1).is_some_and(|next| next.text == "::");
        match token.text.as_str() {
            "crate" if more => module.clear(),
            "super" if more => {
                module.pop();
            }
            "self" if more => {}
            "{" => {
                i += 1;
                while tokens.get(i).is_some_and(|token| token.text != "}") {
                    i = follow(tokens, i, &module, targets);
                    // An alias (`as name`) and the comma belong to the entry.
                    while tokens
                        .get(i)
                        .is_some_and(|token| token.text != "," && token.text != "}")
                    {
                        i += 1;
                    }
                    if tokens.get(i).is_some_and(|token| token.text == ",") {
                        i += 1;
                    }
                }
                return i + 1;
            }
            name => {
                let target = module.first().cloned().unwrap_or_else(|| name.to_owned());
                targets.push((target, token.line));
                return skip(tokens, i);
            }
        }
        i += 2;
    }
}

/// The end of a path whose room is known: its segments and, in a `use`, its group.
fn skip(tokens: &[Token], mut i: usize) -> usize {
    while tokens.get(i + 1).is_some_and(|next| next.text == "::") {
        i += 2;
    }
    if tokens.get(i).is_none_or(|token| token.text != "{") {
        return i + 1;
    }
    let mut open = 0;
    while let Some(token) = tokens.get(i) {
        match token.text.as_str() {
            "{" => open += 1,
            "}" => open -= 1,
            _ => {}
        }
        i += 1;
        if open == 0 {
            break;
        }
    }
    i
}

/// The names of the functions marked `#[test]` (or `#[tokio::test]`), further attributes between allowed.
fn tests_in(text: &str) -> Vec<String> {
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

fn row_of(room: &str) -> Option<usize> {
    ROWS.iter().position(|row| row.contains(&room))
}

/// `src/store/sqlite.rs` is the module `[store, sqlite]`; `src/lib.rs` is the root.
fn module_of(path: &str) -> Vec<String> {
    let inner = path
        .strip_prefix("src/")
        .and_then(|path| path.strip_suffix(".rs"))
        .expect("a file of src/");
    let mut module: Vec<String> = inner.split('/').map(str::to_owned).collect();
    module.pop_if(|last| last == "mod" || last == "lib");
    module
}

struct Token {
    text: String,
    line: usize,
}

/// Names and signs; comments, texts, characters and lifetimes are left out, `::` is one sign.
fn tokens(text: &str) -> Vec<Token> {
    let bytes = text.as_bytes();
    let mut tokens = Vec::new();
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
                let name = rest
                    .find(|c: char| !c.is_alphanumeric() && c != '_')
                    .unwrap_or(rest.len());
                let sign = if rest.starts_with("::") {
                    2
                } else {
                    rest.chars().next().map_or(1, char::len_utf8)
                };
                let length = if name > 0 { name } else { sign };
                if byte != b'$' {
                    let line = 1 + text[..i].matches('\n').count();
                    tokens.push(Token {
                        text: rest[..length].to_owned(),
                        line,
                    });
                }
                length
            }
        };
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
        _ => {
            1 + rest[1..]
                .find(|c: char| !c.is_alphanumeric() && c != '_')
                .unwrap_or(rest.len() - 1)
        }
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

fn collect(root: &Path, dir: &Path, files: &mut Vec<(String, String)>) {
    let mut entries: Vec<_> = fs::read_dir(dir)
        .expect("a source folder")
        .flatten()
        .map(|e| e.path())
        .collect();
    entries.sort();
    for path in entries {
        if path.is_dir() {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|ext| ext == "rs") {
            let name = path
                .strip_prefix(root)
                .expect("below the root")
                .to_string_lossy()
                .into_owned();
            files.push((name, fs::read_to_string(&path).expect("a source file")));
        }
    }
}
