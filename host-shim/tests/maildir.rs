//! The Maildir sink: what it promises is on the disk, in the order in which it must be, whatever step fails (I1, I2).

use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use multipop_host::library::{Begun, Message, No, Sink, Yes};
use multipop_host::sink::maildir::files::{Disk, Files};
use multipop_host::sink::maildir::{Address, Maildir};
use nix::errno::Errno;
use parking_lot::Mutex;
use tempfile::TempDir;

/// The real file system, with every step noted and some failing.
#[derive(Default)]
struct Traced {
    steps: Mutex<Vec<String>>,
    /// The steps that begin with this fail so.
    fails: Mutex<Option<(&'static str, Errno)>>,
}

impl Traced {
    fn step(&self, what: &str, path: &Path) -> io::Result<()> {
        let parts: Vec<_> = path.iter().rev().take(2).collect();
        let place = parts.iter().rev().collect::<PathBuf>();
        let step = format!("{what} {}", place.display());
        let fails = self.fails.lock().filter(|(start, _)| step.starts_with(start));
        self.steps.lock().push(step);
        fails.map_or(Ok(()), |(_, errno)| Err(errno.into()))
    }

    fn fail(&self, step: &'static str, errno: Errno) {
        *self.fails.lock() = Some((step, errno));
    }

    fn mend(&self) {
        *self.fails.lock() = None;
    }

    fn take(&self) -> Vec<String> {
        std::mem::take(&mut self.steps.lock())
    }
}

impl Files for Traced {
    fn create_folder(&self, path: &Path) -> io::Result<bool> {
        self.step("mkdir", path).and_then(|()| Disk.create_folder(path))
    }
    fn create(&self, path: &Path) -> io::Result<File> {
        self.step("create", path).and_then(|()| Disk.create(path))
    }
    fn write(&self, file: &mut File, path: &Path, bytes: &[u8]) -> io::Result<()> {
        self.step("write", path).and_then(|()| Disk.write(file, path, bytes))
    }
    fn sync(&self, file: &File, path: &Path) -> io::Result<()> {
        self.step("sync", path).and_then(|()| Disk.sync(file, path))
    }
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.step("rename", to).and_then(|()| Disk.rename(from, to))
    }
    fn remove(&self, path: &Path) -> io::Result<()> {
        self.step("remove", path).and_then(|()| Disk.remove(path))
    }
    fn sync_earlier(&self, path: &Path) -> io::Result<()> {
        self.step("earlier", path).and_then(|()| Disk.sync_earlier(path))
    }
    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.step("folder", path).and_then(|()| Disk.sync_folder(path))
    }
    fn free_bytes(&self, path: &Path) -> io::Result<u64> {
        self.step("free", path).and_then(|()| Disk.free_bytes(path))
    }
}

struct House {
    _folder: TempDir,
    maildir: PathBuf,
    files: Arc<Traced>,
    sink: Maildir,
}

impl House {
    fn new() -> House {
        let folder = TempDir::new().unwrap();
        let maildir = folder.path().join("users/Maildir");
        let files = Arc::new(Traced::default());
        let sink = House::sink(&maildir, &files);
        House { _folder: folder, maildir, files, sink }
    }

    fn sink(maildir: &Path, files: &Arc<Traced>) -> Maildir {
        Maildir::on(Address::parse(maildir.to_str().unwrap()).unwrap(), files.clone())
    }

    /// As another run would find it.
    fn restart(&mut self) {
        self.sink = House::sink(&self.maildir, &self.files);
    }

    fn put(&mut self, message: &Message<'_>, pieces: &[&[u8]]) -> Result<Yes, No> {
        let mut open = match self.sink.begin(message)? {
            Begun::Go(open) => open,
            Begun::Already(yes) => return Ok(yes),
        };
        for piece in pieces {
            if let Err(no) = self.sink.data(&mut open, piece) {
                self.sink.abort(open);
                return Err(no);
            }
        }
        self.sink.end(open)
    }

    fn deliver(&mut self, key: &str) {
        assert_eq!(self.put(&message(key), &[b"Subject: x\r\n\r\nbody\r\n"]), Ok(Yes::Queued));
        self.sink.flush().unwrap();
    }

    fn names(&self, sub: &str) -> Vec<String> {
        let entries = fs::read_dir(self.maildir.join(sub)).unwrap();
        entries.map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect()
    }

    fn only(&self, sub: &str) -> PathBuf {
        let names = self.names(sub);
        assert_eq!(names.len(), 1, "{names:?}");
        self.maildir.join(sub).join(&names[0])
    }

    fn counts(&self) -> [usize; 3] {
        ["tmp", "new", "cur"].map(|sub| self.names(sub).len())
    }
}

fn message(key: &str) -> Message<'_> {
    Message {
        account: "alice-contoso",
        owner: "alice@example.com",
        deliver_to: "alice@example.com",
        uidl: b"u1",
        size_hint: 100,
        server: "127.0.0.1:995",
        tls: "TLSv1.3",
        received: "Received: from mail.example.com\r\n\tby host; now\r\n",
        dedupe_key: Some(key),
        may_repeat: false,
    }
}

fn repeated(key: &str) -> Message<'_> {
    Message { may_repeat: true, ..message(key) }
}

#[test]
fn a_message_is_stored_as_unix_text_behind_its_received_line() {
    let mut house = House::new();
    let pieces: [&[u8]; 4] = [b"Subject: x\r", b"\n\r\na\rb", b"\r", b"\n.\r\nend"];
    assert_eq!(house.put(&message("k1"), &pieces), Ok(Yes::Queued));
    assert_eq!(house.counts(), [1, 0, 0], "before the flush nothing is visible");
    let known_as = house.sink.known_as();
    house.sink.flush().unwrap();
    let file = house.only("new");
    assert_eq!(file.file_name().unwrap().to_str(), Some(known_as.as_str()));
    let stored = fs::read(&file).unwrap();
    let meant = b"Received: from mail.example.com\n\tby host; now\nSubject: x\n\na\rb\n.\nend";
    assert_eq!(stored, meant);
    let name = file.file_name().unwrap().to_str().unwrap();
    assert!(name.contains(".Mk1P") && name.ends_with(&format!(",S={}", meant.len())), "{name}");
}

#[test]
fn i01_nothing_is_promised_before_data_and_every_folder_are_synced() {
    let mut house = House::new();
    for key in ["k1", "k2", "k3"] {
        assert_eq!(house.put(&message(key), &[&[b'x'; 100_000]]), Ok(Yes::Queued));
    }
    house.sink.flush().unwrap();
    let steps = house.files.take();
    let place = |start: &str| {
        let fits = |step: &&String| step.starts_with(start);
        let first =
            steps.iter().position(|step| fits(&step)).unwrap_or_else(|| panic!("no {start}: {steps:?}"));
        (first, steps.iter().rposition(|step| fits(&step)).unwrap(), steps.iter().filter(fits).count())
    };
    let (_, last_write, _) = place("write tmp/");
    let (_, last_sync, syncs) = place("sync tmp/");
    let (first_rename, last_rename, renames) = place("rename new/");
    assert_eq!((syncs, renames), (3, 3));
    assert!(last_write < last_sync && last_sync < first_rename, "{steps:?}");
    // The Maildir itself was synced when it was made, its folders after the renames, once each.
    assert!(place("folder users/Maildir").1 < place("create tmp/").0);
    for folder in ["folder Maildir/new", "folder Maildir/tmp"] {
        let (first, _, count) = place(folder);
        assert!(first > last_rename && count == 1, "{steps:?}");
    }
}

#[test]
fn i01_a_failed_batch_leaves_nothing_and_comes_again_whole() {
    let failing = [
        ("sync tmp", Errno::EIO),
        ("rename new", Errno::EACCES),
        ("folder Maildir/new", Errno::EIO),
        ("folder Maildir/tmp", Errno::EIO),
    ];
    for (step, errno) in failing {
        let mut house = House::new();
        house.deliver("k0");
        house.files.fail(step, errno);
        for key in ["k1", "k2"] {
            assert_eq!(house.put(&message(key), &[b"body\r\n"]), Ok(Yes::Queued), "{step}");
        }
        let why = house.sink.flush().unwrap_err();
        assert!(why.contains("cannot"), "{why}");
        assert_eq!(house.counts(), [0, 1, 0], "{step}");

        house.files.mend();
        house.files.take();
        for key in ["k1", "k2"] {
            assert_eq!(house.put(&repeated(key), &[b"body\r\n"]), Ok(Yes::Queued), "{step}");
        }
        house.sink.flush().unwrap();
        assert_eq!(house.counts(), [0, 3, 0], "{step}");
        let steps = house.files.take();
        let count = |start: &str| steps.iter().filter(|step| step.starts_with(start)).count();
        assert_eq!((count("create"), count("sync tmp")), (2, 2), "written anew: {steps:?}");
    }
}

#[test]
fn a_full_disk_and_a_missing_right_are_told_apart() {
    for (errno, is_full) in [(Errno::ENOSPC, true), (Errno::EDQUOT, true), (Errno::EACCES, false)] {
        for step in ["create tmp", "write tmp", "mkdir"] {
            let mut house = House::new();
            house.files.fail(step, errno);
            let answer = house.put(&message("k1"), &[&[b'x'; 100_000]]);
            match answer.expect_err(step) {
                No::Full(why) => assert!(is_full, "{why}"),
                No::Defer(why) => assert!(!is_full && why.contains("denied"), "{why}"),
                other => panic!("{other:?}"),
            }
            house.files.mend();
            assert_eq!(house.put(&message("k1"), &[b"x"]), Ok(Yes::Queued));
            house.sink.flush().unwrap();
            assert_eq!(house.counts(), [0, 1, 0], "nothing half is left");
        }
    }
}

#[test]
fn what_the_disk_cannot_hold_is_not_downloaded() {
    let mut house = House::new();
    let huge = Message { size_hint: u64::MAX / 2, ..message("k1") };
    assert!(matches!(house.sink.offer(&huge), Err(No::Full(_))));
}

#[test]
fn i02_an_earlier_delivery_is_found_synced_and_taken() {
    let mut house = House::new();
    house.deliver("k1");
    house.deliver("k2");
    // A reader has seen one of them.
    let new = house.maildir.join("new");
    let seen = house.names("new").into_iter().find(|name| name.contains(".Mk2P")).unwrap();
    fs::rename(new.join(&seen), house.maildir.join("cur").join(format!("{seen}:2,S"))).unwrap();
    house.restart();
    house.files.take();
    for (key, folder) in [("k1", "new"), ("k2", "cur")] {
        assert_eq!(house.sink.offer(&repeated(key)), Ok(Some(Yes::Taken)));
        assert_eq!(house.put(&repeated(key), &[b"again"]), Ok(Yes::Taken));
        let steps = house.files.take();
        let file = steps.iter().position(|step| step.starts_with(&format!("earlier {folder}/"))).unwrap();
        let synced = steps.iter().position(|step| *step == format!("folder Maildir/{folder}")).unwrap();
        assert!(file < synced, "existing is not durable: {steps:?}");
    }
    assert_eq!(house.counts(), [0, 1, 1]);
    // Moved since the folder was read, and not found again where it was.
    let name = house.names("new").pop().unwrap();
    fs::rename(new.join(&name), house.maildir.join("cur").join(format!("{name}:2,"))).unwrap();
    assert_eq!(house.put(&repeated("k1"), &[b"again"]), Ok(Yes::Taken));
    // An earlier one that cannot be made durable is no delivery.
    house.files.fail("earlier", Errno::EIO);
    assert!(matches!(house.put(&repeated("k1"), &[b"again"]), Err(No::Defer(_))));
    // Deleted by the reader: it was never promised, so it comes again.
    house.files.mend();
    for name in house.names("cur") {
        fs::remove_file(house.maildir.join("cur").join(name)).unwrap();
    }
    assert_eq!(house.put(&repeated("k1"), &[b"again"]), Ok(Yes::Queued));
}

#[test]
fn i02_only_a_message_that_may_repeat_is_looked_for() {
    let mut house = House::new();
    house.deliver("k1");
    house.restart();
    house.deliver("k1");
    assert_eq!(house.counts(), [0, 2, 0]);
}

#[test]
fn what_a_killed_run_left_in_tmp_is_replaced() {
    let mut house = House::new();
    let Ok(Begun::Go(mut open)) = house.sink.begin(&message("k1")) else { panic!("begin") };
    house.sink.data(&mut open, &[b'x'; 100_000]).unwrap();
    // The process dies here: neither end nor abort.
    drop(open);
    house.restart();
    assert_eq!(house.counts(), [1, 0, 0]);
    assert_eq!(house.put(&repeated("k1"), &[b"whole"]), Ok(Yes::Queued));
    house.sink.flush().unwrap();
    assert_eq!(house.counts(), [0, 1, 0]);
    assert!(fs::read(house.only("new")).unwrap().ends_with(b"whole"));
}

#[test]
fn what_was_never_flushed_is_never_seen() {
    let mut house = House::new();
    let Ok(Begun::Go(open)) = house.sink.begin(&message("k1")) else { panic!("begin") };
    house.sink.abort(open);
    assert_eq!(house.counts(), [0, 0, 0]);
    assert_eq!(house.put(&message("k2"), &[b"x"]), Ok(Yes::Queued));
    house.restart();
    assert_eq!(house.counts(), [0, 0, 0]);
}

#[test]
fn only_the_owner_of_the_process_may_read() {
    use std::os::unix::fs::PermissionsExt;
    let mut house = House::new();
    house.deliver("k1");
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    for folder in ["", "tmp", "new", "cur"] {
        assert_eq!(mode(&house.maildir.join(folder)) & 0o077, 0, "{folder}");
    }
    assert_eq!(mode(&house.only("new")), 0o600);
}

#[test]
fn a_recipient_without_a_folder_is_deferred_by_name() {
    let folder = TempDir::new().unwrap();
    let template = format!("{}/%d/%n", folder.path().display());
    let mut sink = Maildir::new(Address::parse(&template).unwrap());
    for deliver_to in ["../../x@example.com", "alice", "a/b@example.com"] {
        let message = Message { deliver_to, ..message("k1") };
        assert!(matches!(sink.begin(&message), Err(No::Recipient(_))), "{deliver_to}");
    }
    assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 0);
    assert!(matches!(sink.begin(&message("k1")), Ok(Begun::Go(_))));
    assert!(folder.path().join("example.com/alice/tmp").is_dir());
}
