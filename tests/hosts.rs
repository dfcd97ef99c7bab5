//! The examples and a throwing sink as whole hosts, fetching from the mock POP3S server through the built library.

mod house;
#[path = "abi/programs.rs"]
mod programs;

use std::fs;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use house::House;
use multipop_host::mock::pop3::Script;
use programs::{compile, library, run};

const MESSAGES: usize = 5;

/// A house with mail in it, its configuration in a file, and a folder to deliver to.
fn house() -> (House, PathBuf, PathBuf) {
    let house = House::new(Script::dovecot());
    house.fill(MESSAGES, 3_000, 1);
    let config = house.path("config.json");
    fs::write(&config, house.config.to_string()).unwrap();
    let folder = house.path("mail");
    for name in ["tmp", "new"] {
        fs::create_dir_all(folder.join(name)).unwrap();
    }
    (house, config, folder)
}

fn delivered(folder: &Path) -> usize {
    assert_eq!(fs::read_dir(folder.join("tmp")).unwrap().count(), 0, "something was left in tmp");
    for file in fs::read_dir(folder.join("new")).unwrap() {
        let mail = fs::read(file.unwrap().path()).unwrap();
        assert!(mail.starts_with(b"Received: "), "{}", String::from_utf8_lossy(&mail));
        assert!(mail.len() > 3_000);
    }
    fs::read_dir(folder.join("new")).unwrap().count()
}

#[test]
fn minimal_fetches_and_then_only_what_is_new() {
    let (house, config, folder) = house();
    let program = compile(house.dir.path(), "c99", "examples/minimal.c", &[]);
    let fetch =
        || run(Command::new(&program).arg(&config).args([house::OWNER, "alice"]).arg(&folder).arg(library()));
    assert_eq!(fetch().trim(), format!("{MESSAGES} messages"));
    assert_eq!(delivered(&folder), MESSAGES);
    assert_eq!(fetch().trim(), "0 messages");
    house.fill(3, 3_000, 2);
    assert_eq!(fetch().trim(), "3 messages");
    assert_eq!(delivered(&folder), MESSAGES + 3);
}

/// Talks to a host as its web pages do, until the mail is there.
fn serve_and_fetch(mut host: Command, folder: &Path) {
    let mut host = host.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    let mut pages = host.stdin.take().unwrap();
    writeln!(pages, "accounts {}", house::OWNER).unwrap();
    let count = || fs::read_dir(folder.join("new")).unwrap().count();
    let limit = std::time::Instant::now() + std::time::Duration::from_secs(60);
    while count() < MESSAGES && std::time::Instant::now() < limit {
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
    writeln!(pages, "quit").unwrap();
    let said = host.wait_with_output().unwrap();
    assert!(said.status.success());
    let said = String::from_utf8(said.stdout).unwrap();
    assert!(said.contains("\"alice\""), "the owner's page does not show his account: {said}");
    assert_eq!(delivered(folder), MESSAGES);
}

#[test]
fn the_cpp_host_serves_while_it_fetches() {
    let (house, config, folder) = house();
    let program = compile(house.dir.path(), "c++17", "examples/host.cpp", &[]);
    let mut host = Command::new(program);
    host.arg(config).arg(&folder).arg(library());
    serve_and_fetch(host, &folder);
}

#[test]
fn the_rust_host_serves_while_it_fetches() {
    let (_house, config, folder) = house();
    let test = std::env::current_exe().unwrap();
    let program = test.ancestors().nth(2).unwrap().join("examples/rust_host");
    assert!(program.exists(), "{} is not built: run cargo build --examples first", program.display());
    let mut host = Command::new(program);
    host.arg(config).arg(&folder).arg(library());
    serve_and_fetch(host, &folder);
}

#[test]
fn i04_i05_a_throwing_sink_ends_its_call_tidily_and_every_message_is_taken_once() {
    let (house, config, _) = house();
    let program = compile(house.dir.path(), "c++17", "tests/abi/throwing_sink.cpp", &[]);
    let said = run(Command::new(program).arg(library()).arg(config).arg(MESSAGES.to_string()));
    assert_eq!(said.trim(), "fine");
}
