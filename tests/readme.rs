//! The README holds: its C compiles, its configuration is the JSON it claims to be.

use std::path::Path;
use std::process::Command;

const README: &str = include_str!("../README.md");

#[test]
fn its_c_compiles_without_a_warning() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let source = dir.path().join("readme.c");
    std::fs::write(&source, block("c")).expect("the source");
    for dialect in ["-std=c99", "-std=c11"] {
        let output = Command::new("cc")
            .args([dialect, "-Wall", "-Wextra", "-Wpedantic", "-Werror", "-fsyntax-only", "-I"])
            .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("include"))
            .arg(&source)
            .output()
            .expect("a C compiler");
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    }
}

#[test]
fn its_configuration_names_what_the_text_explains() {
    let config: serde_json::Value = serde_json::from_str(block("json configuration")).expect("JSON");
    let account = &config["accounts"]["alice-contoso"];
    assert!(config["providers"][account["provider"].as_str().expect("a provider")].is_object());
    for step in ["multipop-host key /etc/multipop/key", "alice-contoso` prints a URL"] {
        assert!(README.contains(step), "{step}");
    }
}

#[test]
fn its_links_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let links = README.split("](").skip(1).filter_map(|rest| rest.split(')').next());
    let missing: Vec<&str> =
        links.filter(|link| !link.contains("://") && !root.join(link).exists()).collect();
    assert!(missing.is_empty(), "{missing:?}");
}

#[test]
fn its_make_targets_are_there() {
    let makefile = include_str!("../Makefile");
    let targets: Vec<&str> = README
        .split("make ")
        .skip(1)
        .filter_map(|rest| rest.split(|c: char| !c.is_ascii_lowercase() && c != '-').next())
        .filter(|target| !target.is_empty())
        .collect();
    assert!(targets.contains(&"demo") && targets.contains(&"test"), "{targets:?}");
    for target in targets {
        assert!(makefile.contains(&format!("\n{target}:")), "make {target}");
    }
}

/// The one code block of a language.
fn block(language: &str) -> &'static str {
    let (_, rest) = README.split_once(&format!("```{language}\n")).expect("a code block");
    rest.split_once("```").expect("its end").0
}
