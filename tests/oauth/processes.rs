//! Many processes on one store want the same token at once, and one of them refreshes.
//!
//! The test starts this very binary again, for itself alone, with the configuration's path in the environment.

use std::io::{BufRead, BufReader, Lines, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use multipop::config::Config;
use multipop::engine::grant::access;
use multipop::engine::settings::Settings;
use multipop::store::GrantSlot;
use multipop_host::mock::idp::{At, Fault, Rotation, What};

use super::world::{GivenClock, World, call};

const CONFIGURATION: &str = "MULTIPOP_TEST_CONFIGURATION";
const NAME: &str = "processes::i10_fifty_processes_refresh_once_in_each_of_a_thousand_rounds";
const PROCESSES: usize = 50;
const ROUNDS: u64 = 1000;
/// The store is closed and opened again between them.
const ROUNDS_A_CALL: usize = 20;
/// After so many seconds a token that lives an hour is over.
const ROUND_S: u64 = 3700;

#[test]
fn i10_fifty_processes_refresh_once_in_each_of_a_thousand_rounds() {
    if let Some(path) = std::env::var_os(CONFIGURATION) {
        return play(Path::new(&path));
    }
    let world = World::generic();
    // A token that is shown twice ends the whole family (RFC 9700 §4.14.2).
    world.idp.change(|s| s.rotation = Rotation::Strict);
    world.connect();
    let configuration = world.folder.path().join("multipop.json");
    std::fs::write(&configuration, world.json.to_string()).unwrap();
    let mut players: Vec<Player> = (0..PROCESSES).map(|_| Player::start(&configuration)).collect();
    let mut last = String::new();
    for round in 1..=ROUNDS {
        // Now over before the others look, now still under way when all of them do.
        let slow = What::Slow(Duration::from_millis([0, 8][usize::from(round % 2 == 0)]));
        world.idp.change(|s| s.faults = vec![Fault::new(At::Refresh, slow)]);
        players.iter_mut().for_each(|player| player.ask(round * ROUND_S));
        let answers: Vec<(String, bool)> = players.iter_mut().map(Player::answer).collect();
        let token = &answers[0].0;
        assert!(answers.iter().all(|(one, _)| one == token && *one != last), "{round}: {answers:?}");
        assert_eq!(answers.iter().filter(|(_, fresh)| *fresh).count(), 1, "{round}: {answers:?}");
        assert_eq!(world.idp.journal().count("refresh_token"), round);
        last.clone_from(token);
    }
    players.into_iter().for_each(Player::end);
    assert_eq!(world.idp.journal().most_in_flight(), 1);
    assert_eq!(world.idp.journal().violations(), Vec::<String>::new());
    assert_eq!(world.idp.live_refresh_tokens(), 1);
    assert!(!world.grant(GrantSlot::Active).unwrap().grant.dead);
}

/// Answers every time it is told the time with the token it has then, until its input ends.
fn play(configuration: &Path) {
    let config = Config::read(&std::fs::read_to_string(configuration).unwrap()).unwrap();
    let settings = Arc::new(Settings::prove(config).unwrap());
    let mut asked = BufReader::new(std::io::stdin()).lines().map(|line| line.unwrap()).peekable();
    while asked.peek().is_some() {
        let asked = asked.by_ref().take(ROUNDS_A_CALL);
        let clock = Arc::new(GivenClock::default());
        let mut passed_s = 0;
        let played = call(&settings, clock.clone(), |call| async move {
            for line in asked {
                let now_s = line.parse::<u64>().unwrap();
                clock.pass(now_s - std::mem::replace(&mut passed_s, now_s));
                let row = call.with_store(|store| store.account("a")).await?.unwrap();
                match access(&call, &row).await {
                    Ok(access) => println!("\n{ANSWER}{} {}", access.fresh, access.token.expose()),
                    Err(error) => println!("\n{ANSWER}false {error}"),
                }
            }
            Ok(())
        });
        played.unwrap();
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

    /// The token, and whether it was he who obtained it.
    fn answer(&mut self) -> (String, bool) {
        let mut answers = self.answers.by_ref().map(|line| line.unwrap());
        let answer = answers.find_map(|line| line.strip_prefix(ANSWER).map(str::to_owned));
        let answer = answer.expect("the other process ended");
        let (fresh, token) = answer.split_once(' ').unwrap();
        (token.to_owned(), fresh == "true")
    }

    fn end(mut self) {
        drop(self.ask);
        assert!(self.child.wait().unwrap().success());
    }
}
