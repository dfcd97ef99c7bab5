//! What a process did to the files below one folder, read from what strace wrote.

use std::collections::HashMap;
use std::path::{Path, PathBuf};

/// A call that succeeded, with times in seconds since 1970.
#[derive(Debug, Clone)]
pub struct Call {
    pub at: f64,
    pub what: What,
}

#[derive(Debug, Clone)]
pub enum What {
    /// A file is there under this path from now on, and empty if `truncated`.
    Open {
        path: PathBuf,
        truncated: bool,
    },
    Folder(PathBuf),
    Write {
        path: PathBuf,
        offset: u64,
        bytes: Vec<u8>,
    },
    Resize {
        path: PathBuf,
        size: u64,
    },
    Rename(PathBuf, PathBuf),
    Link(PathBuf, PathBuf),
    Remove(PathBuf),
    /// fsync and fdatasync: what was done before it begins is durable when it ends, under this number.
    SyncBegins(u32, PathBuf),
    SyncEnds(u32),
}

/// The calls on files below `root`, in the order in which they ended. A call that is not understood is an error: it
/// could be the very one that matters.
pub fn read(trace: &Path, root: &Path) -> Vec<Call> {
    let text = std::fs::read(trace).unwrap();
    let mut reader =
        Reader { root, offsets: HashMap::new(), unfinished: HashMap::new(), calls: Vec::new(), syncs: 0 };
    for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        reader.line(std::str::from_utf8(line).expect("strace writes ASCII"));
    }
    reader.calls
}

struct Reader<'r> {
    root: &'r Path,
    /// Where the next `write` goes, by descriptor.
    offsets: HashMap<u64, u64>,
    /// By thread: what was written of the call so far, and the number of its sync.
    unfinished: HashMap<String, (String, Option<u32>)>,
    calls: Vec<Call>,
    syncs: u32,
}

impl Reader<'_> {
    fn line(&mut self, line: &str) {
        let (thread, rest) = line.split_once(' ').expect("a thread");
        let (at, call) = rest.trim_start().split_once(' ').expect("a time");
        let at: f64 = at.parse().expect("a time");
        if call.starts_with("+++") || call.starts_with("---") {
            return;
        }
        if let Some(begun) = call.strip_suffix(" <unfinished ...>") {
            let sync = self.sync_begins(at, begun);
            self.unfinished.insert(thread.to_owned(), (begun.to_owned(), sync));
            return;
        }
        let (whole, sync) = match call.strip_prefix("<... ") {
            Some(resumed) => {
                let (begun, sync) = self.unfinished.remove(thread).expect("a call begun");
                let end = resumed.split_once(" resumed>").expect("resumed").1;
                (begun + end, sync)
            }
            None => (call.to_owned(), self.sync_begins(at, call)),
        };
        let Some((call, answer)) = whole.rsplit_once(" = ") else {
            panic!("not understood: {whole}");
        };
        // Of a call under way when the process was killed nothing is known.
        if answer.starts_with('-') || answer.starts_with('?') {
            return;
        }
        if let Some(number) = sync {
            self.calls.push(Call { at, what: What::SyncEnds(number) });
            return;
        }
        let (name, arguments) = call.split_once('(').expect("arguments");
        self.call(at, name, &arguments_of(arguments), answer);
    }

    fn sync_begins(&mut self, at: f64, call: &str) -> Option<u32> {
        let (name, arguments) = call.split_once('(')?;
        if !matches!(name, "fsync" | "fdatasync") {
            return None;
        }
        let path = self.inside(arguments_of(arguments).first()?.path()?)?;
        self.syncs += 1;
        self.calls.push(Call { at, what: What::SyncBegins(self.syncs, path) });
        Some(self.syncs)
    }

    fn call(&mut self, at: f64, name: &str, arguments: &[Argument], answer: &str) {
        let number = |text: &str| text.split('<').next().and_then(|text| text.trim().parse::<u64>().ok());
        let fd = || arguments[0].plain().and_then(number).expect("a descriptor");
        let from = |index: usize| arguments.get(index).and_then(Argument::path);
        let target = arguments.first().and_then(Argument::path).and_then(|path| self.inside(path));
        let what = match name {
            "openat" => {
                let flags = arguments[2].plain().unwrap_or_default();
                if let Some(fd) = number(answer) {
                    self.offsets.insert(fd, 0);
                }
                let Some(path) = from(1).and_then(|path| self.inside(path)) else { return };
                if !flags.contains("O_CREAT") && !flags.contains("O_TRUNC") {
                    return;
                }
                assert!(
                    !flags.contains("O_APPEND") && !flags.contains("O_TMPFILE"),
                    "not understood: {flags}"
                );
                What::Open { path, truncated: flags.contains("O_TRUNC") }
            }
            "lseek" => {
                self.offsets.insert(fd(), number(answer).expect("an offset"));
                return;
            }
            "write" => {
                let Some(path) = target else { return };
                let offset = self.offsets.entry(fd()).or_default();
                let bytes = written(&arguments[1], answer);
                let at = *offset;
                *offset += bytes.len() as u64;
                What::Write { path, offset: at, bytes }
            }
            "pwrite64" => {
                let Some(path) = target else { return };
                let offset = arguments[3].plain().and_then(number).expect("an offset");
                What::Write { path, offset, bytes: written(&arguments[1], answer) }
            }
            "ftruncate" => {
                let Some(path) = target else { return };
                What::Resize { path, size: arguments[1].plain().and_then(number).expect("a size") }
            }
            "mkdir" | "mkdirat" => match from(arguments.len() - 2).and_then(|path| self.inside(path)) {
                Some(path) => What::Folder(path),
                None => return,
            },
            "rename" | "link" | "renameat" | "renameat2" | "linkat" => {
                let (old, new) = if name.contains("at") { (1, 3) } else { (0, 1) };
                let pair = (from(old), from(new));
                let (Some(old), Some(new)) = pair else { panic!("not understood: {name} {arguments:?}") };
                match (self.inside(old), self.inside(new)) {
                    (Some(old), Some(new)) if name.starts_with("link") => What::Link(old, new),
                    (Some(old), Some(new)) => What::Rename(old, new),
                    (None, None) => return,
                    _ => panic!("not understood: {name} {arguments:?}"),
                }
            }
            "unlink" | "rmdir" => match target {
                Some(path) => What::Remove(path),
                None => return,
            },
            "unlinkat" => match from(1).and_then(|path| self.inside(path)) {
                Some(path) => What::Remove(path),
                None => return,
            },
            _ => {
                let touches =
                    arguments.iter().filter_map(Argument::path).any(|path| self.inside(path).is_some());
                assert!(!touches, "not understood: {name} {arguments:?}");
                return;
            }
        };
        self.calls.push(Call { at, what });
    }

    fn inside(&self, path: &str) -> Option<PathBuf> {
        Path::new(path).strip_prefix(self.root).ok().map(Path::to_path_buf)
    }
}

fn written(argument: &Argument, answer: &str) -> Vec<u8> {
    let Argument::Text(bytes) = argument else { panic!("a write of {argument:?}") };
    let count: usize = answer.trim().parse().expect("a count");
    assert!(count <= bytes.len(), "strace cut the data");
    bytes[..count].to_vec()
}

#[derive(Debug)]
enum Argument {
    Text(Vec<u8>),
    Plain(String),
}

impl Argument {
    fn plain(&self) -> Option<&str> {
        match self {
            Argument::Plain(text) => Some(text),
            Argument::Text(_) => None,
        }
    }

    /// A path as given, or the one strace found behind a descriptor.
    fn path(&self) -> Option<&str> {
        match self {
            Argument::Text(bytes) => std::str::from_utf8(bytes).ok(),
            Argument::Plain(text) => {
                Some(text.split_once('<')?.1.trim_end_matches(" (deleted)").strip_suffix('>')?)
            }
        }
    }
}

fn arguments_of(text: &str) -> Vec<Argument> {
    let mut found = Vec::new();
    let bytes = text.as_bytes();
    let mut at = 0;
    while at < bytes.len() {
        match bytes[at] {
            b' ' | b',' => at += 1,
            b')' => break,
            b'"' => {
                let (string, end) = unescape(bytes, at + 1);
                found.push(Argument::Text(string));
                at = end;
                // Trailing dots would mean that strace cut it, which `written` notices.
                while bytes.get(at) == Some(&b'.') {
                    at += 1;
                }
            }
            _ => {
                let mut depth = 0;
                let begin = at;
                while at < bytes.len() {
                    match bytes[at] {
                        b'<' | b'[' | b'{' => depth += 1,
                        b'>' | b']' | b'}' => depth -= 1,
                        b'"' => {
                            at = unescape(bytes, at + 1).1;
                            continue;
                        }
                        b',' | b')' if depth == 0 => break,
                        _ => {}
                    }
                    at += 1;
                }
                found.push(Argument::Plain(text[begin..at].to_owned()));
            }
        }
    }
    found
}

/// A C string as strace writes it, and where what follows begins.
fn unescape(bytes: &[u8], mut at: usize) -> (Vec<u8>, usize) {
    let mut out = Vec::new();
    while bytes[at] != b'"' {
        if bytes[at] != b'\\' {
            out.push(bytes[at]);
            at += 1;
            continue;
        }
        at += 1;
        let simple = match bytes[at] {
            b'n' => Some(b'\n'),
            b't' => Some(b'\t'),
            b'r' => Some(b'\r'),
            b'v' => Some(11),
            b'f' => Some(12),
            b'"' | b'\\' => Some(bytes[at]),
            _ => None,
        };
        if let Some(byte) = simple {
            out.push(byte);
            at += 1;
            continue;
        }
        let digits = bytes[at..].iter().take(3).take_while(|byte| (b'0'..=b'7').contains(byte)).count();
        assert!(digits > 0, "an escape of another kind");
        let value =
            bytes[at..at + digits].iter().fold(0u32, |value, byte| value * 8 + u32::from(byte - b'0'));
        out.push(value as u8);
        at += digits;
    }
    (out, at + 1)
}
