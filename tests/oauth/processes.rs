//! Many processes on one store want the same token at once, and one of them refreshes.
//!
//! The test starts this very binary again, for itself alone, with the configuration's path in the environment.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use multipop::config::Config;
use multipop::engine::call::Clock;
use multipop::engine::grant::access;
use multipop::engine::settings::Settings;
use multipop::store::GrantSlot;
use multipop_host::mock::idp::{At, Fault, Rotation, What};

use super::world::{GivenClock, World, call};

const CONFIGURATION: &str = "MULTIPOP_TEST_CONFIGURATION";
const NAME: &str = "processes::i10_many_processes_refresh_once_a_round";
const PROCESSES: usize = 8;
const ROUNDS: u64 = 50;
/// After so many seconds a token that lives an hour is due.
const ROUND_S: u64 = 3300;

#[test]
fn i10_many_processes_refresh_once_a_round() {
    if let Some(path) = std::env::var_os(CONFIGURATION) {
        return play(Path::new(&path));
    }
    let world = World::generic();
    // A token that is shown twice ends the whole family (RFC 9700 §4.14.2).
    world.idp.change(|s| {
        s.rotation = Rotation::Strict;
        s.faults = vec![Fault::new(At::Refresh, What::Slow(Duration::from_millis(30)))];
    });
    world.connect();
    let configuration = world.folder.path().join("multipop.json");
    std::fs::write(&configuration, world.json.to_string()).unwrap();
    let mut players: Vec<Player> = (0..PROCESSES).map(|_| Player::start(&configuration)).collect();
    let mut last = String::new();
    for round in 1..=ROUNDS {
        players.iter_mut().for_each(|player| player.ask(round * ROUND_S));
        let tokens: Vec<String> = players.iter_mut().map(Player::answer).collect();
        assert!(tokens.iter().all(|token| *token == tokens[0] && *token != last), "{round}: {tokens:?}");
        assert_eq!(world.idp.journal().count("refresh_token"), round);
        last.clone_from(&tokens[0]);
    }
    players.into_iter().for_each(Player::end);
    assert_eq!(world.idp.journal().most_in_flight(), 1);
    assert_eq!(world.idp.journal().violations(), Vec::<String>::new());
    assert_eq!(world.idp.live_refresh_tokens(), 1);
    assert!(!world.grant(GrantSlot::Active).unwrap().grant.dead);
}

/// Answers every time it is told with the token it has then, until its input ends.
fn play(configuration: &Path) {
    let config = Config::read(&std::fs::read_to_string(configuration).unwrap()).unwrap();
    let settings = Arc::new(Settings::prove(config).unwrap());
    for line in std::io::stdin().lines() {
        let clock = Arc::new(GivenClock::default());
        clock.pass(line.unwrap().parse().unwrap());
        let row = settings.open_store(clock.now()).unwrap().account("a").unwrap().unwrap();
        let found = call(&settings, clock, |call| async move { access(&call, &row).await });
        match found {
            Ok(access) => println!("\n{ANSWER}{}", access.token.expose()),
            Err(error) => println!("\n{ANSWER}{error}"),
        }
    }
}

/// Before the answer, on a line that the test harness has no part in.
const ANSWER: &str = "answer: ";

struct Player {
    child: Child,
    ask: ChildStdin,
    answers: Lines<BufReader<ChildStdout>>,
}

impl Player {
    fn start(configuration: &Path) -> Player {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", NAME, "--nocapture"])
            .env(CONFIGURATION, configuration)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let ask = child.stdin.take().unwrap();
        let answers = BufReader::new(child.stdout.take().unwrap()).lines();
        Player { child, ask, answers }
    }

    fn ask(&mut self, passed_s: u64) {
        writeln!(self.ask, "{passed_s}").unwrap();
    }

    fn answer(&mut self) -> String {
        let mut answers = self.answers.by_ref().map(|line| line.unwrap());
        let answer = answers.find_map(|line| line.strip_prefix(ANSWER).map(str::to_owned));
        answer.expect("the other process ended")
    }

    fn end(mut self) {
        drop(self.ask);
        assert!(self.child.wait().unwrap().success());
    }
}
