//! The power goes at any moment of a recorded fetch: what is left of the disk is planted again, and the host runs on it.

use std::collections::HashSet;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::{Instant, SystemTime};

use multipop_host::mock::pop3::{Script, Verb};

use super::disk::{Disk, Survives, Tree, plant};
use super::host;
use super::trace::{self, Call, What};
use super::world::{USER, World, say};

const MESSAGES: usize = 24;
const SESSION: u32 = 12;
const BATCH: u32 = 6;

/// A fetch that was recorded, and how many messages the server let go of when.
struct Recorded {
    calls: Vec<Call>,
    /// When a QUIT came, and how many messages were gone after it.
    quits: Vec<(f64, usize)>,
}

pub fn power_cuts() {
    let world = World::new(Script::exchange(), MESSAGES, SESSION, BATCH);
    let recorded = record(&world, 0);
    assert_eq!(recorded.quits.iter().map(|quit| quit.1).collect::<Vec<_>>(), [12, 24]);
    let mut cuts = Cuts::new(&world);
    let mut disk = Disk::empty();
    for (index, call) in recorded.calls.iter().enumerate() {
        disk.apply(&call.what);
        let gone = recorded.gone_before(index + 1);
        cuts.replay(&disk, Survives::Nothing, gone, index);
        // On others names or data outlive the sync that never came; that only matters where there is such a thing.
        if matters(&call.what) {
            cuts.replay(&disk, Survives::Names, gone, index);
        }
        if index % 7 == 0 {
            cuts.replay(&disk, Survives::Data, gone, index);
            cuts.replay(&disk, Survives::Some(index as u64), gone, index);
        }
    }
    say(&format!(
        "power cuts: {} calls recorded, {} different disks replayed, {} with mail gone from the server",
        recorded.calls.len(),
        cuts.seen.len(),
        cuts.with_mail_gone
    ));
    assert!(cuts.seen.len() > 60 && cuts.with_mail_gone > 20);
}

/// A kill before a sync, another run that finds everything as if it had been synced, and then a power cut.
pub fn power_cut_after_a_kill() {
    let world = World::new(Script::exchange(), MESSAGES, SESSION, BATCH);
    let recorded = record(&world, 0);
    let mut cuts = Cuts::new(&world);
    let mut disk = Disk::empty();
    let mut kills = 0;
    let last = recorded.calls.iter().rposition(|call| matches!(call.what, What::Rename(..)));
    let mut renames = 0;
    for (index, call) in recorded.calls.iter().enumerate() {
        disk.apply(&call.what);
        renames += u32::from(matches!(call.what, What::Rename(..)));
        let made = match &call.what {
            // After the last one no other delivery syncs the folder by the way.
            What::Rename(..) => renames % 4 == 1 || Some(index) == last,
            What::Folder(_) | What::Link(..) => true,
            What::Open { path, .. } => path.starts_with("store.db-wal") || path.starts_with("store.db.lock"),
            _ => false,
        };
        if !made {
            continue;
        }
        kills += 1;
        let before = recorded.gone_before(index + 1);
        plant(&disk.tree(Survives::Everything), &world.disk());
        put_back(&world, before);
        let mut disk = disk.clone();
        disk.killed();
        let run_on = record(&world, before);
        for (next, call) in run_on.calls.iter().enumerate() {
            disk.apply(&call.what);
            let gone = run_on.gone_before(next + 1).max(before);
            // Right after each QUIT, and at the very end.
            let is_cut = next + 1 == run_on.calls.len() || gone > run_on.gone_before(next).max(before);
            if is_cut {
                cuts.replay(&disk, Survives::Nothing, gone, next);
                cuts.replay(&disk, Survives::Names, gone, next);
            }
        }
    }
    say(&format!("a kill, a run, a power cut: {kills} kills, {} different disks replayed", cuts.seen.len()));
    assert!(kills > 8 && cuts.with_mail_gone > 8);
}

/// Whether names and data differ afterwards in what is synced.
fn matters(what: &What) -> bool {
    matches!(what, What::Rename(..) | What::Link(..) | What::Folder(_) | What::SyncEnds(_) | What::Remove(_))
}

struct Cuts<'w> {
    world: &'w World,
    /// Disks and mailboxes that were tried already.
    seen: HashSet<u64>,
    with_mail_gone: usize,
}

impl<'w> Cuts<'w> {
    fn new(world: &'w World) -> Cuts<'w> {
        Cuts { world, seen: HashSet::new(), with_mail_gone: 0 }
    }

    /// The host comes back after the cut, to a server that has let go of the first `gone` messages.
    fn replay(&mut self, disk: &Disk, survives: Survives, gone: usize, index: usize) {
        let tree = disk.tree(survives);
        if !self.seen.insert(fingerprint(&tree, gone)) {
            return;
        }
        self.with_mail_gone += usize::from(gone > 0);
        plant(&tree, &self.world.disk());
        put_back(self.world, gone);
        host::fetch_here(self.world.dir.path());
        let left = self.world.pop.mailboxes().uidls(USER).len();
        assert_eq!(left, 0, "after a cut at call {index}, {survives:?}");
        self.world.assert_all_once(&format!("after a cut at call {index}, {survives:?}, {gone} gone"));
    }
}

fn fingerprint(tree: &Tree, gone: usize) -> u64 {
    let mut hasher = DefaultHasher::new();
    let shared_memory = |path: &&String| path.ends_with("-shm");
    for (path, content) in tree.iter().filter(|(path, _)| !shared_memory(path)) {
        (path, content).hash(&mut hasher);
    }
    gone.hash(&mut hasher);
    hasher.finish()
}

/// The mailbox as it was when the first `gone` messages were gone.
fn put_back(world: &World, gone: usize) {
    let boxes = world.pop.mailboxes();
    boxes.clear(USER);
    for message in &world.sent[gone..] {
        boxes.push(USER, message.clone());
    }
}

/// Runs the host under strace on what is there.
fn record(world: &World, gone: usize) -> Recorded {
    world.pop.journal().clear();
    let trace = world.dir.path().join("trace");
    let (instant, system) = (Instant::now(), SystemTime::now());
    let epoch = system.duration_since(SystemTime::UNIX_EPOCH).unwrap().as_secs_f64();
    let status = host::traced(world.dir.path(), &trace).status().expect("strace (tests/real/install)");
    assert!(status.success());
    let mut deleted = gone;
    let mut quits = Vec::new();
    for entry in world.pop.journal().entries() {
        match entry.verb {
            Verb::Dele => deleted += 1,
            Verb::Quit => quits.push((epoch + entry.at.duration_since(instant).as_secs_f64(), deleted)),
            _ => {}
        }
    }
    Recorded { calls: trace::read(&trace, &world.disk()), quits }
}

impl Recorded {
    /// How many messages may be gone if the power goes just before this call. All that came before it did.
    fn gone_before(&self, index: usize) -> usize {
        let at = self.calls.get(index).map_or(f64::INFINITY, |call| call.at);
        self.quits.iter().take_while(|quit| quit.0 < at).last().map_or(0, |quit| quit.1)
    }
}
