//! `make install` as a packager runs it: a program linked with `-lmultipop` finds the library by its SONAME, the
//! pkg-config file tells the truth, and `make uninstall` leaves nothing.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

const LIBDIR: &str = "/usr/lib/multiarch-triplet";

#[test]
fn what_is_installed_can_be_linked_with_run_and_taken_away() {
    let dir = tempfile::tempdir().expect("a temporary folder");
    let staged = dir.path().join("staged");
    make(&staged, "install-strip");
    let libdir = staged.join(LIBDIR.trim_start_matches('/'));
    let version = env!("CARGO_PKG_VERSION");
    assert_eq!(link(&libdir.join("libmultipop.so")), Path::new("libmultipop.so.1"));
    assert_eq!(link(&libdir.join("libmultipop.so.1")), PathBuf::from(format!("libmultipop.so.{version}")));

    let source = dir.path().join("host.c");
    let program = dir.path().join("host");
    fs::write(
        &source,
        "#include <stdio.h>\n#define MULTIPOP_NO_LOADER\n#include <multipop.h>\n\
         int main(void) { puts(multipop_version()); return 0; }\n",
    )
    .expect("the source");
    let flags = pkg_config(&staged, &["--cflags", "--libs"]);
    run(Command::new("cc").arg("-o").arg(&program).arg(&source).args(flags.split_whitespace()));
    let said = run(Command::new(&program).env("LD_LIBRARY_PATH", &libdir));
    assert_eq!(String::from_utf8_lossy(&said.stdout).trim(), version);
    assert_eq!(pkg_config(&staged, &["--modversion"]), version);

    make(&staged, "uninstall");
    assert_eq!(files(&staged), Vec::<PathBuf>::new());
}

fn make(staged: &Path, goal: &str) {
    // Installs what this test run built; the optimised library takes the same way.
    let test = std::env::current_exe().expect("this test's own path");
    let library = test.with_file_name("libmultipop.so");
    run(Command::new("make")
        .current_dir(env!("CARGO_MANIFEST_DIR"))
        .args(["--silent", "--old-file=all", goal, "PREFIX=/usr"])
        .arg(format!("LIBDIR={LIBDIR}"))
        .arg(format!("DESTDIR={}", staged.display()))
        .arg(format!("LIB={}", library.display()))
        .arg(format!("HOST={}", test.display()))
        // A make that started this test passes its own options down.
        .env_remove("MAKEFLAGS")
        .env_remove("MFLAGS"));
}

/// Asks pkg-config as a build against the staged tree does.
fn pkg_config(staged: &Path, questions: &[&str]) -> String {
    let said = run(Command::new("pkg-config")
        .args(questions)
        .arg("multipop")
        .env("PKG_CONFIG_SYSROOT_DIR", staged)
        .env("PKG_CONFIG_LIBDIR", staged.join(LIBDIR.trim_start_matches('/')).join("pkgconfig")));
    String::from_utf8_lossy(&said.stdout).trim().to_owned()
}

fn run(command: &mut Command) -> Output {
    let output = command.output().unwrap_or_else(|e| panic!("{command:?}: {e}"));
    assert!(output.status.success(), "{command:?}: {}", String::from_utf8_lossy(&output.stderr));
    output
}

fn link(path: &Path) -> PathBuf {
    fs::read_link(path).unwrap_or_else(|e| panic!("{}: {e}", path.display()))
}

fn files(dir: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(dir).expect("a folder").flatten() {
        let kind = entry.file_type().expect("its kind");
        if kind.is_dir() {
            found.extend(files(&entry.path()));
        } else {
            found.push(entry.path());
        }
    }
    found
}
