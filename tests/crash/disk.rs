//! A file system that promises nothing but what POSIX does: data is durable as of the file's last sync, a name as of
//! the last sync of its folder.

use std::collections::{BTreeMap, HashMap};
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Component, Path};
use std::sync::Arc;

use super::trace::What;

type Number = usize;

#[derive(Clone)]
pub struct Disk {
    /// The first is the root, which is durable.
    nodes: Vec<Node>,
    /// Syncs under way: what will be durable when they end.
    syncing: HashMap<u32, (Number, Synced)>,
}

#[derive(Clone)]
enum Node {
    File { synced: Arc<Vec<u8>>, since: Vec<Arc<Change>> },
    Folder { synced: Names, now: Names },
}

type Names = BTreeMap<String, Number>;

enum Change {
    Write { offset: usize, bytes: Vec<u8> },
    Resize(usize),
}

#[derive(Clone)]
enum Synced {
    File { changes: usize, data: Arc<Vec<u8>> },
    Folder(Names),
}

/// What survives of all that was not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Survives {
    Nothing,
    /// As on a file system that writes names before data.
    Names,
    /// As on one that writes data before names.
    Data,
    /// Any part of it: each name of a folder all or none, each write to a file for itself.
    Some(u64),
    /// A kill, no power cut.
    Everything,
}

/// Folders and files as they are found, by path.
pub type Tree = BTreeMap<String, Option<Vec<u8>>>;

impl Disk {
    pub fn empty() -> Disk {
        let root = Node::Folder { synced: Names::new(), now: Names::new() };
        Disk { nodes: vec![root], syncing: HashMap::new() }
    }

    /// A process was killed: what it was about to sync is not.
    pub fn killed(&mut self) {
        self.syncing.clear();
    }

    pub fn apply(&mut self, what: &What) {
        match what {
            What::Open { path, truncated } => match self.find(path) {
                Some(number) if *truncated => self.change(number, Change::Resize(0)),
                Some(_) => {}
                None => self.enter(path, Node::File { synced: Arc::default(), since: Vec::new() }),
            },
            What::Folder(path) => {
                self.enter(path, Node::Folder { synced: Names::new(), now: Names::new() });
            }
            What::Write { path, offset, bytes } => {
                let number = self.find(path).unwrap_or_else(|| panic!("{}: written to", path.display()));
                self.change(number, Change::Write { offset: *offset as usize, bytes: bytes.clone() });
            }
            What::Resize { path, size } => {
                let number = self.find(path).unwrap_or_else(|| panic!("{}: resized", path.display()));
                self.change(number, Change::Resize(*size as usize));
            }
            What::Rename(old, new) => {
                let number = self.names(old).remove(name(old)).expect("what is renamed");
                self.names(new).insert(name(new).to_owned(), number);
            }
            What::Link(old, new) => {
                let number = self.find(old).expect("what is linked");
                self.names(new).insert(name(new).to_owned(), number);
            }
            What::Remove(path) => {
                self.names(path).remove(name(path)).expect("what is removed");
            }
            What::SyncBegins(sync, path) => {
                let number = self.find(path).unwrap_or_else(|| panic!("{}: synced", path.display()));
                let synced = match &self.nodes[number] {
                    Node::File { synced, since } => {
                        Synced::File { changes: since.len(), data: Arc::new(applied(synced, since.iter())) }
                    }
                    Node::Folder { now, .. } => Synced::Folder(now.clone()),
                };
                self.syncing.insert(*sync, (number, synced));
            }
            What::SyncEnds(sync) => self.sync_ends(*sync),
        }
    }

    fn sync_ends(&mut self, sync: u32) {
        let Some((number, synced)) = self.syncing.remove(&sync) else { return };
        match (&mut self.nodes[number], synced) {
            (Node::File { synced, since }, Synced::File { changes, data }) => {
                // Of two syncs of one file at a time the later one knows of fewer changes now.
                since.drain(..changes.min(since.len()));
                *synced = data;
            }
            (Node::Folder { synced, .. }, Synced::Folder(names)) => *synced = names,
            _ => unreachable!("a node never changes its kind"),
        }
    }

    /// What is found after the cut.
    pub fn tree(&self, survives: Survives) -> Tree {
        let mut tree = Tree::new();
        self.grow(0, "", survives, &mut tree);
        tree
    }

    fn grow(&self, number: Number, path: &str, survives: Survives, tree: &mut Tree) {
        match &self.nodes[number] {
            Node::File { synced, since } => {
                let kept = |index: usize| match survives {
                    Survives::Nothing | Survives::Names => false,
                    Survives::Data | Survives::Everything => true,
                    Survives::Some(seed) => coin(&(seed, number, index)),
                };
                let changes = since.iter().enumerate().filter(|(index, _)| kept(*index)).map(|(_, one)| one);
                tree.insert(path.to_owned(), Some(applied(synced, changes)));
            }
            Node::Folder { synced, now } => {
                let all_now = match survives {
                    Survives::Nothing | Survives::Data => false,
                    Survives::Names | Survives::Everything => true,
                    Survives::Some(seed) => coin(&(seed, number)),
                };
                tree.insert(path.to_owned(), None);
                for (name, number) in if all_now { now } else { synced } {
                    self.grow(*number, &format!("{path}/{name}"), survives, tree);
                }
            }
        }
    }

    fn change(&mut self, number: Number, change: Change) {
        match &mut self.nodes[number] {
            Node::File { since, .. } => since.push(Arc::new(change)),
            Node::Folder { .. } => panic!("a folder is written to"),
        }
    }

    fn enter(&mut self, path: &Path, node: Node) {
        self.nodes.push(node);
        let number = self.nodes.len() - 1;
        self.names(path).insert(name(path).to_owned(), number);
    }

    fn find(&self, path: &Path) -> Option<Number> {
        let mut at = 0;
        for part in path.components() {
            let (Node::Folder { now, .. }, Component::Normal(part)) = (&self.nodes[at], part) else {
                return None;
            };
            at = *now.get(part.to_str()?)?;
        }
        Some(at)
    }

    /// The names of the folder a path lies in.
    fn names(&mut self, path: &Path) -> &mut Names {
        let parent = self.find(path.parent().expect("a path below the root")).expect("its folder");
        match &mut self.nodes[parent] {
            Node::Folder { now, .. } => now,
            Node::File { .. } => panic!("{}: below a file", path.display()),
        }
    }
}

/// Puts a tree where `root` is, in place of what is there.
pub fn plant(tree: &Tree, root: &Path) {
    use std::os::unix::fs::PermissionsExt;
    if root.exists() {
        std::fs::remove_dir_all(root).unwrap();
    }
    for (path, content) in tree {
        let path = root.join(path.trim_start_matches('/'));
        match content {
            None => std::fs::create_dir(&path).unwrap(),
            Some(bytes) => {
                std::fs::write(&path, bytes).unwrap();
                std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o600)).unwrap();
            }
        }
    }
}

fn applied<'c>(synced: &[u8], changes: impl Iterator<Item = &'c Arc<Change>>) -> Vec<u8> {
    let mut data = synced.to_vec();
    for change in changes {
        match &**change {
            Change::Write { offset, bytes } => {
                let end = offset + bytes.len();
                if data.len() < end {
                    data.resize(end, 0);
                }
                data[*offset..end].copy_from_slice(bytes);
            }
            Change::Resize(size) => data.resize(*size, 0),
        }
    }
    data
}

fn name(path: &Path) -> &str {
    path.file_name().and_then(|name| name.to_str()).expect("a name")
}

/// The same for the same seed.
fn coin(seed: &impl Hash) -> bool {
    let mut hasher = DefaultHasher::new();
    seed.hash(&mut hasher);
    hasher.finish() & 1 == 1
}
