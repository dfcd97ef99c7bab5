//! The host dies, or the power goes, at every step of a fetch, and nothing is lost or doubled by it (I1, I2).

#[path = "crash/disk.rs"]
mod disk;
#[path = "crash/host.rs"]
mod host;
#[path = "crash/kill.rs"]
mod kill;
#[path = "crash/replay.rs"]
mod replay;
#[path = "crash/trace.rs"]
mod trace;
#[path = "crash/world.rs"]
mod world;

use std::collections::{BTreeMap, HashSet};

use host::{Here, Into, Listed, listed};
use kill::{Kill, Step};
use multipop_host::mock::pop3::{Moment, Script, Verb};
use world::{World, say};

/// Also what the others start as a process of its own.
#[test]
fn the_host_left_alone_fetches_everything() {
    if host::is_child() {
        return;
    }
    let world = World::new(Script::exchange(), 40, 15, 8);
    let status = host::command(world.dir.path(), Into::Maildir).status().unwrap();
    assert!(status.success());
    world.assert_all_once("after one run");
    assert!(world.pop.mailboxes().uidls(world::USER).is_empty());
    assert_eq!(world.pop.journal().count(Verb::Retr), 40);
}

#[test]
fn i01_sigkill_at_every_step_loses_nothing() {
    const MESSAGES: usize = 500;
    const BATCH: u64 = 16;
    for script in [Script::exchange(), Script::dovecot()] {
        let world = World::new(script, MESSAGES, 30, BATCH as u32);
        let mut kills: BTreeMap<Step, u64> = BTreeMap::new();
        for kill in kill::schedule() {
            if kill.strike(&world, Into::Maildir) {
                *kills.entry(kill.step()).or_default() += 1;
            }
        }
        let landed: u64 = kills.values().sum();
        say(&format!("kills that landed: {kills:?}, {landed} in all"));
        let last = host::command(world.dir.path(), Into::Maildir).status().unwrap();
        assert!(last.success());
        world.assert_all_once("after all kills");
        assert!(world.pop.mailboxes().uidls(world::USER).is_empty());
        let retrs = world.pop.journal().count(Verb::Retr);
        let most = MESSAGES as u64 + landed * (BATCH + 1);
        say(&format!("{retrs} RETRs, at most {most} allowed"));
        assert!(retrs <= most);
        assert!(Step::ALL.iter().all(|step| kills.get(step).is_some_and(|count| *count >= 5)), "{kills:?}");
    }
}

#[test]
fn i01_a_kill_doubles_at_most_one_batch_where_the_sink_drops_nothing() {
    const BATCH: usize = 8;
    let world = World::new(Script::dovecot(), 400, 60, BATCH as u32);
    let mut lines = 0;
    // The run in which a message was delivered last, and how many messages of each run were delivered again.
    let mut delivered_in: BTreeMap<String, usize> = BTreeMap::new();
    let mut again: Vec<usize> = Vec::new();
    let mut count = |runs: usize| {
        let all = listed(world.dir.path());
        again.resize(runs + 1, 0);
        for line in all[lines..].iter().filter(|line| line.ended) {
            if let Some(before) = delivered_in.insert(line.uidl.clone(), runs) {
                assert!(line.may_repeat, "{line:?}");
                again[before] += 1;
            }
        }
        lines = all.len();
    };
    // The sink is slow: what is fetched ahead of it is lost by the kill.
    let slow = Kill::Sink { here: Here::EndReturns, skip: 1, wait_us: 100_000, runs_on: false };
    assert!(slow.strike(&world, Into::List));
    count(0);
    let retrs = world.pop.journal().count(Verb::Retr);
    assert!(retrs <= BATCH as u64, "{retrs} messages were fetched, and none was recorded");
    let mut kills = vec![slow];
    for turn in 0..18 {
        let wait_us = 250 * u64::from(turn);
        let kill = match turn % 4 {
            0 => Kill::Sink { here: Here::EndReturns, skip: 3 + turn, wait_us, runs_on: true },
            1 => Kill::Sink { here: Here::Recorded, skip: turn % 2, wait_us: 3000, runs_on: false },
            2 => Kill::Server { verb: Verb::Retr, moment: Moment::Body(900), skip: 5 + turn, wait_ms: 5 },
            _ => Kill::Sink { here: Here::EndReturns, skip: 11 + turn, wait_us: 3000, runs_on: false },
        };
        if kill.strike(&world, Into::List) {
            count(kills.len());
            kills.push(kill);
        }
    }
    assert!(kills.len() > 12);
    assert!(host::command(world.dir.path(), Into::List).status().unwrap().success());
    count(kills.len());
    say(&format!("{} kills; delivered again for each of them: {again:?}", kills.len()));
    assert!(again.iter().all(|count| *count <= BATCH), "{again:?} {kills:?}");
    let sent: HashSet<String> = world.sent.iter().map(|message| message.body.digest()).collect();
    let got: HashSet<String> =
        listed(world.dir.path()).into_iter().filter(|line| line.ended).map(|line| line.digest).collect();
    assert!(sent == got, "{} sent, {} got", sent.len(), got.len());
}

#[test]
fn i02_what_the_sink_took_is_recorded_however_slow_the_server() {
    let world = World::new(Script::dovecot(), 12, 60, 8);
    let kill = Kill::Server { verb: Verb::Retr, moment: Moment::Body(900), skip: 3, wait_ms: 1500 };
    assert!(kill.strike(&world, Into::List));
    let ended = |lines: &[Listed]| lines.iter().filter(|line| line.ended).count();
    assert_eq!(ended(&listed(world.dir.path())), 3);
    assert!(host::command(world.dir.path(), Into::List).status().unwrap().success());
    assert_eq!(ended(&listed(world.dir.path())), 12, "a flush is due after half a second");
}

#[test]
fn i02_after_a_kill_the_key_is_the_same() {
    let world = World::new(Script::exchange(), 40, 500, 8);
    let kills = [
        Kill::Server { verb: Verb::Retr, moment: Moment::Body(700), skip: 2, wait_ms: 5 },
        Kill::Sink { here: Here::EndBegins, skip: 2, wait_us: 3000, runs_on: false },
        Kill::Sink { here: Here::EndReturns, skip: 9, wait_us: 3000, runs_on: false },
    ];
    for kill in kills {
        assert!(kill.strike(&world, Into::List), "{kill:?}");
    }
    assert!(host::command(world.dir.path(), Into::List).status().unwrap().success());
    let mut of: BTreeMap<String, Vec<Listed>> = BTreeMap::new();
    for line in listed(world.dir.path()).into_iter().filter(|line| !line.ended) {
        of.entry(line.uidl.clone()).or_default().push(line);
    }
    assert_eq!(of.len(), 40);
    let again = of.values().filter(|times| times.len() > 1).count();
    assert!(again >= 3, "{again} messages were begun again");
    for (uidl, times) in &of {
        assert!(times.iter().all(|line| line.key == times[0].key), "{uidl}: {times:?}");
        assert!(times[1..].iter().all(|line| line.may_repeat), "{uidl}: {times:?}");
    }
    let keys: HashSet<&str> = of.values().map(|times| times[0].key.as_str()).collect();
    assert_eq!(keys.len(), 40, "and no two messages have one");
}

#[test]
fn i01_power_cut_replay() {
    replay::power_cuts();
    replay::power_cut_after_a_kill();
}
