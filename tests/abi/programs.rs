//! C and C++ programs of the tests: compiled with all warnings as errors, run against the built library.

use std::path::{Path, PathBuf};
use std::process::Command;

const WARNINGS: [&str; 4] = ["-Wall", "-Wextra", "-Wpedantic", "-Werror"];

pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// `MULTIPOP_LIBRARY`, else the one cargo built for this test, which lies beside it.
pub fn library() -> PathBuf {
    if let Some(given) = std::env::var_os("MULTIPOP_LIBRARY") {
        return given.into();
    }
    let test = std::env::current_exe().expect("a test has a path");
    let places = test.ancestors().skip(1).take(2).map(|dir| dir.join("libmultipop.so"));
    places
        .into_iter()
        .find(|path| path.exists())
        .expect("libmultipop.so is not built: run cargo build first, or name it in MULTIPOP_LIBRARY")
}

pub fn run(command: &mut Command) -> String {
    let out = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(
        out.status.success(),
        "{command:?}: {}\n{}{}",
        out.status,
        String::from_utf8_lossy(&out.stdout),
        String::from_utf8_lossy(&out.stderr)
    );
    String::from_utf8(out.stdout).expect("the program prints UTF-8")
}

/// Compiles one file, all warnings as errors, and answers the program.
pub fn compile(dir: &Path, dialect: &str, source: &str, more: &[&str]) -> PathBuf {
    let program = dir.join(format!("{}-{dialect}", source.replace(['/', '.'], "-")));
    let plus = dialect.starts_with("c++");
    let mut command = Command::new(if plus { "c++" } else { "cc" });
    command
        .args(WARNINGS)
        .arg(format!("-std={dialect}"))
        .args(["-pthread", "-g"])
        .arg("-I")
        .arg(root().join("include"))
        .arg("-I")
        .arg(dir)
        .args(more)
        .args(if plus { &["-x", "c++"] } else { &["-x", "c"] })
        .arg(root().join(source))
        .args(["-x", "none", "-ldl", "-o"])
        .arg(&program);
    run(&mut command);
    program
}
