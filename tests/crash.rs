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
use world::World;

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
        let world = World::new(script, MESSAGES, 40, BATCH as u32);
        let mut kills: BTreeMap<Step, u64> = BTreeMap::new();
        for kill in kill::schedule() {
            if kill.strike(&world, Into::Maildir) {
                *kills.entry(kill.step()).or_default() += 1;
            }
        }
        let landed: u64 = kills.values().sum();
        println!("kills that landed: {kills:?}, {landed} in all");
        let last = host::command(world.dir.path(), Into::Maildir).status().unwrap();
        assert!(last.success());
        world.assert_all_once("after all kills");
        assert!(world.pop.mailboxes().uidls(world::USER).is_empty());
        let retrs = world.pop.journal().count(Verb::Retr);
        let most = MESSAGES as u64 + landed * (BATCH + 1);
        println!("{retrs} RETRs, at most {most} allowed");
        assert!(retrs <= most);
        assert!(Step::ALL.iter().all(|step| kills.get(step).is_some_and(|count| *count >= 5)), "{kills:?}");
    }
}

#[test]
fn i01_a_kill_doubles_at_most_one_batch_where_the_sink_drops_nothing() {
    const BATCH: usize = 8;
    let world = World::new(Script::dovecot(), 300, 60, BATCH as u32);
    let mut before: HashSet<String> = HashSet::new();
    let mut lines = 0;
    let mut worst = 0;
    let mut round = |what: &str| {
        let all = listed(world.dir.path());
        let new: Vec<&Listed> = all[lines..].iter().filter(|line| line.ended).collect();
        let doubled = new.iter().filter(|line| before.contains(&line.uidl)).count();
        assert!(doubled <= BATCH, "{doubled} were delivered again after {what}");
        assert!(new.iter().filter(|line| before.contains(&line.uidl)).all(|line| line.may_repeat));
        worst = worst.max(doubled);
        before.extend(new.iter().map(|line| line.uidl.clone()));
        lines = all.len();
    };
    let mut before_it = "nothing".to_owned();
    for turn in 0..14 {
        let kill = match turn % 3 {
            0 => Kill::Sink { here: Here::EndReturns, skip: 3 + turn, after_us: Some(300 * u64::from(turn)) },
            1 => Kill::Sink { here: Here::Recorded, skip: turn % 2, after_us: None },
            _ => Kill::Server { verb: Verb::Retr, moment: Moment::Body(900), skip: 5 + turn },
        };
        kill.strike(&world, Into::List);
        round(&before_it);
        before_it = format!("{kill:?}");
    }
    assert!(host::command(world.dir.path(), Into::List).status().unwrap().success());
    round(&before_it);
    println!("at most {worst} delivered again after one kill");
    let sent: HashSet<String> = world.sent.iter().map(|message| message.body.digest()).collect();
    let got: HashSet<String> =
        listed(world.dir.path()).into_iter().filter(|line| line.ended).map(|line| line.digest).collect();
    assert!(sent == got, "{} sent, {} got", sent.len(), got.len());
}

#[test]
fn i02_after_a_kill_the_key_is_the_same() {
    let world = World::new(Script::exchange(), 40, 500, 8);
    let kills = [
        Kill::Server { verb: Verb::Retr, moment: Moment::Body(700), skip: 2 },
        Kill::Sink { here: Here::EndBegins, skip: 2, after_us: None },
        Kill::Sink { here: Here::EndReturns, skip: 9, after_us: None },
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
