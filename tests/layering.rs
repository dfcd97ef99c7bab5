//! The house keeps its shape: every `crate::` and `super::` path in `src/` points down, `unsafe` stays in `ffi`,
//! and the library touches nothing that belongs to its host (standard streams, environment, exit).
//!
//! The source is read as tokens, so that comments and texts do not count and `use` groups do. Each rule is proven
//! by planted cases below.

#[path = "layering/rules.rs"]
mod rules;
#[path = "layering/source.rs"]
mod source;

use std::fs;
use std::path::Path;

use rules::{MOST_LINES, check, too_long};
use source::{collect, tests_in, tokens};

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
    let mut complaints: Vec<String> = files.iter().filter_map(|(path, text)| too_long(path, text)).collect();
    for (path, text) in &files {
        // The shim loads the built library as any host does, so that it cannot cheat.
        let tokens = tokens(text);
        let cheats = tokens.windows(2).any(|pair| pair[0].text == "multipop" && pair[1].text == "::");
        if cheats {
            complaints.push(format!("{path}: uses the library's crate instead of the built library"));
        }
    }
    let manifest = fs::read_to_string(root.join("host-shim/Cargo.toml")).expect("the shim's manifest");
    if manifest.lines().any(|line| line.starts_with("multipop ") || line.starts_with("multipop.")) {
        complaints.push("host-shim/Cargo.toml: depends on the library's crate".to_owned());
    }
    assert!(complaints.is_empty(), "\n{}", complaints.join("\n"));
}

/// docs/architecture.md: each invariant is held by tests whose names begin with its number.
#[test]
fn every_invariant_has_a_test_of_its_name() {
    let names = every_test();
    let orphans: Vec<u32> = (1..=15)
        .filter(|number| !names.iter().any(|name| name.starts_with(&format!("i{number:02}_"))))
        .collect();
    assert!(orphans.is_empty(), "no test bears the number of the invariants {orphans:?}");
}

#[test]
fn the_page_names_tests_that_are_there() {
    let page = include_str!("../docs/architecture.md");
    let names = every_test();
    let is_number = |word: &str| word.len() > 4 && word.starts_with('i') && word.as_bytes()[3] == b'_';
    let said: Vec<&str> = page.split('`').filter(|word| is_number(word) && !word.ends_with('…')).collect();
    assert!(said.len() > 40, "the page names the tests");
    let gone: Vec<&&str> = said.iter().filter(|word| !names.iter().any(|name| name == *word)).collect();
    assert!(gone.is_empty(), "no such tests: {gone:?}");
}

fn every_test() -> Vec<String> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut files = Vec::new();
    for folder in ["src", "tests", "host-shim"] {
        collect(root, &root.join(folder), &mut files);
    }
    files.iter().flat_map(|(_, text)| tests_in(text)).collect()
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
        ("src/store/sqlite.rs", "use super::super::service;", "uses service"),
        ("src/store/mod.rs", "use super::net::dial;", "uses net"),
        ("src/store/sqlite/open.rs", "use super::super::super::{model, engine::keys};", "uses engine"),
        ("src/plan.rs", "use super::engine;", "uses engine"),
        ("src/plan.rs", "mod tests { use super::super::engine; }", "uses engine"),
        ("src/pop3/mod.rs", "mod a { mod b { use super::super::super::net; } }", "uses net"),
        ("src/config/mod.rs", "macro_rules! m { () => { $crate::oauth::x() } }", "uses oauth"),
        ("src/plan.rs", "use crate::cellar::wine;", "unknown room cellar"),
        ("src/cellar.rs", "", "unknown room cellar"),
        ("src/plan.rs", "use crate::*;", "crate::*"),
        ("src/net/tls.rs", "fn f() { unsafe { g() } }", "unsafe"),
        ("src/ffi/log.rs", "fn f() { println!(\"\") }", "println!"),
        ("src/engine/pass.rs", "fn f() { todo!() }", "todo!"),
        ("src/net/dial.rs", "fn f() { std::env::var(\"HOME\"); }", "environment"),
        ("src/net/dial.rs", "use std::env;\nfn f() { env::var_os(\"HOME\"); }", "environment"),
        ("src/net/dial.rs", "use std::env::{self, var};", "environment"),
        ("src/net/dial.rs", "fn f() { set_var(\"A\", \"b\") }", "environment"),
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
        ("src/ffi/entry.rs", "use crate::service::Service; fn f() { unsafe { crate::error::g() } }"),
        ("src/engine/mailbox.rs", "use crate::{net::dial, store::Store, pop3, plan, model::{Account, *}};"),
        ("src/store/sqlite.rs", "use super::{Store, lease::Lease}; use crate::retry;"),
        ("src/plan.rs", "mod tests { use super::*; }"),
        ("src/error.rs", "use crate::secret::Secret; pub(crate) fn f() {} pub(in crate::error) fn g() {}"),
        (
            "src/pop3/sasl.rs",
            "// crate::net is above\n/* crate::ffi /* nested */ unsafe */\nfn f() { \"crate::ffi unsafe\"; }",
        ),
        (
            "src/pop3/sasl.rs",
            "fn f<'a>(x: &'a str) { r#\"a \" println!(\"#; b\"crate::ffi\"; '\"'; '\\''; crate::error::e(); }",
        ),
        ("src/lib.rs", "#![deny(unsafe_code)] pub mod ffi;"),
        ("src/net/https.rs", "fn f() { env!(\"CARGO_PKG_VERSION\"); session.exit; write!(f, \"\"); }"),
    ];
    for (path, text) in allowed {
        assert_eq!(check(path, text), Vec::<String>::new(), "{path}: {text:?}");
    }
    assert_eq!(check("src/plan.rs", &"\n".repeat(MOST_LINES)), Vec::<String>::new());
}
