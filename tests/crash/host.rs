//! The host that is killed: this test binary again, in a process of its own, with the built library in it.
//!
//! It tells its parent over a socket where it stands, and waits there to be killed.

use std::fs::File;
use std::io::{Read, Write};
use std::os::unix::net::{UnixListener, UnixStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use multipop_host::library::{
    Api, Begun, Event, Found, HostEvents, Instance, Level, Load, Message, No, Report, Sink, Yes,
};
use multipop_host::sink::maildir::{Address, Maildir};
use serde_json::json;

use super::world::{digest, maildir};

/// Where the host tells its parent that it stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Here {
    /// In `end`, before the sink did anything.
    EndBegins,
    /// In `end`, the sink has it.
    EndReturns,
    /// The flush succeeded and is not answered yet.
    Flushed,
    /// The library said it has recorded a batch.
    Recorded,
}

impl Here {
    const ALL: [Here; 4] = [Here::EndBegins, Here::EndReturns, Here::Flushed, Here::Recorded];
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Into {
    Maildir,
    /// Drops nothing, keeps a list.
    List,
}

/// Runs in the child. `false`: this process is not a child.
pub fn is_child() -> bool {
    let Some(dir) = std::env::var_os("CRASH_DIR").map(PathBuf::from) else {
        return false;
    };
    let teller = Teller::of_child(&dir);
    let into = if std::env::var_os("CRASH_LIST").is_some() { Into::List } else { Into::Maildir };
    fetch(&dir, into, teller);
    true
}

/// The host in a new process, ready to be started.
pub fn command(dir: &Path, into: Into) -> Command {
    let mut command = Command::new(std::env::current_exe().unwrap());
    prepare(&mut command, dir, into);
    command
}

/// The host under strace, which writes what it sees to `trace`.
pub fn traced(dir: &Path, trace: &Path) -> Command {
    let calls = "trace=openat,open,creat,mkdir,mkdirat,write,writev,pwrite64,pwritev,pwritev2,ftruncate,truncate,\
                 fallocate,fsync,fdatasync,syncfs,sync,rename,renameat,renameat2,link,linkat,symlink,symlinkat,\
                 unlink,unlinkat,rmdir,lseek,copy_file_range,sendfile,splice";
    let mut command = Command::new("strace");
    command.args(["-f", "-y", "-qq", "-ttt", "-s", "1048576", "-e", "signal=none", "-e", calls, "-o"]);
    command.arg(trace).arg(std::env::current_exe().unwrap());
    prepare(&mut command, dir, Into::Maildir);
    command
}

fn prepare(command: &mut Command, dir: &Path, into: Into) {
    command.args(["--exact", "the_host_left_alone_fetches_everything", "--nocapture", "--test-threads=1"]);
    command.env("CRASH_DIR", dir).stdout(Stdio::null()).process_group(0);
    if into == Into::List {
        command.env("CRASH_LIST", "1");
    }
}

/// Starts the host so that it stops at the `skip`th time it comes by; `runs_on` tells only.
pub fn start(dir: &Path, into: Into, at: Option<(Here, u32, bool)>) -> (Child, Option<Told>) {
    let mut command = command(dir, into);
    let socket = dir.join("told");
    let _ = std::fs::remove_file(&socket);
    let listener = at.map(|(here, skip, runs_on)| {
        command.env("CRASH_AT", format!("{here:?} {skip} {runs_on}"));
        UnixListener::bind(&socket).unwrap()
    });
    let child = command.spawn().unwrap();
    (child, listener.map(Told))
}

/// The parent's end.
pub struct Told(UnixListener);

impl Told {
    /// Waits until the host stands there, where it stays as long as it has what is answered; `None` if it ended
    /// without.
    pub fn reached(&self, child: &mut Child) -> Option<UnixStream> {
        self.0.set_nonblocking(true).unwrap();
        let mut stream = loop {
            match self.0.accept() {
                Ok((stream, _)) => break stream,
                Err(_) if child.try_wait().unwrap().is_some() => return None,
                Err(_) => std::thread::sleep(Duration::from_millis(1)),
            }
        };
        stream.set_nonblocking(false).unwrap();
        stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
        matches!(stream.read(&mut [0]), Ok(1)).then_some(stream)
    }
}

/// The child's end.
#[derive(Clone, Default)]
struct Teller(Arc<Mutex<Option<Telling>>>);

struct Telling {
    here: Here,
    skip: u32,
    runs_on: bool,
    parent: UnixStream,
}

impl Teller {
    fn of_child(dir: &Path) -> Teller {
        let Ok(at) = std::env::var("CRASH_AT") else {
            return Teller::default();
        };
        let words: Vec<&str> = at.split(' ').collect();
        let here = Here::ALL.into_iter().find(|here| format!("{here:?}") == words[0]).unwrap();
        let parent = UnixStream::connect(dir.join("told")).unwrap();
        let telling =
            Telling { here, skip: words[1].parse().unwrap(), runs_on: words[2].parse().unwrap(), parent };
        Teller(Arc::new(Mutex::new(Some(telling))))
    }

    fn at(&self, here: Here) {
        let mut telling = self.0.lock().unwrap();
        let Some(told) = telling.as_mut().filter(|telling| telling.here == here) else {
            return;
        };
        if told.skip > 0 {
            told.skip -= 1;
            return;
        }
        told.parent.write_all(b"!").unwrap();
        if !told.runs_on {
            // Until this process is killed.
            let _ = told.parent.read(&mut [0]);
        }
        *telling = None;
    }
}

impl HostEvents for Teller {
    fn log(&mut self, _level: Level, line: &str) {
        if line.starts_with("event=recorded") {
            self.at(Here::Recorded);
        }
    }
    fn event(&mut self, _event: &Event<'_>) {}
}

/// Fetches until nothing more waits, in this process.
pub fn fetch_here(dir: &Path) -> Vec<Report> {
    fetch(dir, Into::Maildir, Teller::default())
}

fn fetch(dir: &Path, into: Into, teller: Teller) -> Vec<Report> {
    match into {
        Into::Maildir => {
            let address = Address::parse(maildir(dir).to_str().unwrap()).unwrap();
            pour(dir, &teller, Watched { sink: Maildir::new(address), teller: teller.clone() })
        }
        Into::List => pour(dir, &teller, Watched { sink: List::open(dir), teller: teller.clone() }),
    }
}

fn pour<S: Sink>(dir: &Path, teller: &Teller, mut sink: S) -> Vec<Report> {
    let library = std::env::current_exe().unwrap().with_file_name("libmultipop.so");
    let api = Api::load(&Found::Named(library), Load::Raw).unwrap();
    let mut instance = Instance::init(&api, "crash", Level::Debug, Box::new(teller.clone())).unwrap();
    instance.configure(&json!({"file": dir.join("config.json")}).to_string()).unwrap();
    let mut reports = Vec::new();
    loop {
        let fetched = instance.fetch_once("*", Some("alice"), 60, true, &mut sink).unwrap();
        fetched.result.unwrap();
        let more = fetched.report.more != 0;
        reports.push(fetched.report);
        if !more {
            return reports;
        }
    }
}

/// A sink that tells where it stands.
struct Watched<S> {
    sink: S,
    teller: Teller,
}

impl<S: Sink> Sink for Watched<S> {
    type Open = S::Open;

    fn offers(&self) -> bool {
        self.sink.offers()
    }
    fn offer(&mut self, message: &Message<'_>) -> Result<Option<Yes>, No> {
        self.sink.offer(message)
    }
    fn begin(&mut self, message: &Message<'_>) -> Result<Begun<S::Open>, No> {
        self.sink.begin(message)
    }
    fn data(&mut self, open: &mut S::Open, bytes: &[u8]) -> Result<(), No> {
        self.sink.data(open, bytes)
    }
    fn end(&mut self, open: S::Open) -> Result<Yes, No> {
        self.teller.at(Here::EndBegins);
        let answer = self.sink.end(open);
        self.teller.at(Here::EndReturns);
        answer
    }
    fn abort(&mut self, open: S::Open) {
        self.sink.abort(open);
    }
    fn flushes(&self) -> bool {
        self.sink.flushes()
    }
    fn flush(&mut self) -> Result<(), String> {
        let answer = self.sink.flush();
        self.teller.at(Here::Flushed);
        answer
    }
}

/// Every `begin` and every `end` is a line, synced before it is answered.
struct List {
    file: File,
}

/// A line of the list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Listed {
    pub ended: bool,
    pub uidl: String,
    pub key: String,
    pub may_repeat: bool,
    pub digest: String,
}

pub fn listed(dir: &Path) -> Vec<Listed> {
    let text = std::fs::read_to_string(dir.join("list")).unwrap_or_default();
    text.lines()
        .map(|line| {
            let words: Vec<&str> = line.split(' ').collect();
            Listed {
                ended: words[0] == "end",
                uidl: words[1].to_owned(),
                key: words[2].to_owned(),
                may_repeat: words[3] == "true",
                digest: words[4].to_owned(),
            }
        })
        .collect()
}

impl List {
    fn open(dir: &Path) -> List {
        List { file: File::options().append(true).create(true).open(dir.join("list")).unwrap() }
    }

    fn add(&mut self, line: String) {
        self.file.write_all(line.as_bytes()).unwrap();
        self.file.sync_data().unwrap();
    }
}

impl Sink for List {
    type Open = (String, Vec<u8>);

    fn begin(&mut self, message: &Message<'_>) -> Result<Begun<Self::Open>, No> {
        let uidl = String::from_utf8_lossy(message.uidl);
        let known = format!("{uidl} {} {}", message.dedupe_key.unwrap(), message.may_repeat);
        self.add(format!("begin {known} -\n"));
        Ok(Begun::Go((known, Vec::new())))
    }
    fn data(&mut self, open: &mut Self::Open, bytes: &[u8]) -> Result<(), No> {
        open.1.extend_from_slice(bytes);
        Ok(())
    }
    fn end(&mut self, (known, bytes): Self::Open) -> Result<Yes, No> {
        self.add(format!("end {known} {}\n", digest(&bytes)));
        Ok(Yes::Taken)
    }
    fn abort(&mut self, _open: Self::Open) {}
}
