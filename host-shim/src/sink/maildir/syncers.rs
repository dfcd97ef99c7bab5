//! A few threads that sync: the disk works on a batch while the next messages arrive, and one journal commit serves
//! several files.
//!
//! An error fails the batch for good: after one, the same descriptor's next sync may report a false success.

use std::fs::File;
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::JoinHandle;

use parking_lot::{Condvar, Mutex};

use super::files::Files;

const THREADS: usize = 4;
/// Descriptors open at a time are at most this and one a thread.
const WAITING: usize = 60;

pub(super) enum Job {
    File(File, PathBuf),
    Folder(PathBuf),
}

pub(super) struct Syncers {
    files: Arc<dyn Files>,
    state: Arc<State>,
    jobs: Option<SyncSender<Job>>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Default)]
struct State {
    batch: Mutex<Batch>,
    changed: Condvar,
}

#[derive(Default)]
struct Batch {
    outstanding: usize,
    /// The first error; the others are most often its companions.
    failed: Option<String>,
}

impl Syncers {
    pub fn new(files: Arc<dyn Files>) -> Syncers {
        Syncers { files, state: Arc::default(), jobs: None, threads: Vec::new() }
    }

    /// Waits only while all threads are far behind.
    pub fn begin(&mut self, job: Job) {
        self.start_threads();
        self.state.batch.lock().outstanding += 1;
        let unsent = match &self.jobs {
            Some(jobs) => jobs.send(job).err().map(|unsent| unsent.0),
            None => Some(job),
        };
        // No thread could be started, or none is left: this one does it.
        if let Some(job) = unsent {
            work(&*self.files, &self.state, job);
        }
    }

    /// Everything begun is synced, or something failed. Either way the next batch begins empty.
    pub fn wait(&self) -> Result<(), String> {
        let mut batch = self.state.batch.lock();
        while batch.outstanding > 0 {
            self.state.changed.wait(&mut batch);
        }
        batch.failed.take().map_or(Ok(()), Err)
    }

    fn start_threads(&mut self) {
        if self.jobs.is_some() {
            return;
        }
        let (jobs, waiting) = sync_channel(WAITING);
        let waiting = Arc::new(Mutex::new(waiting));
        for _ in 0..THREADS {
            let (files, state, waiting) = (self.files.clone(), self.state.clone(), waiting.clone());
            let thread = std::thread::Builder::new().name("maildir-sync".into());
            match thread.spawn(move || serve(&*files, &state, &waiting)) {
                Ok(thread) => self.threads.push(thread),
                Err(_) => break,
            }
        }
        self.jobs = (!self.threads.is_empty()).then_some(jobs);
    }
}

impl Drop for Syncers {
    fn drop(&mut self) {
        self.jobs = None;
        for thread in self.threads.drain(..) {
            // A panic was counted as a failed sync already.
            let _ = thread.join();
        }
    }
}

fn serve(files: &dyn Files, state: &State, waiting: &Mutex<Receiver<Job>>) {
    loop {
        let next = waiting.lock().recv();
        match next {
            Ok(job) => work(files, state, job),
            Err(_) => return,
        }
    }
}

fn work(files: &dyn Files, state: &State, job: Job) {
    let mut done = Done { state, failed: Some("a sync thread panicked".into()) };
    let (result, path) = match job {
        Job::File(file, path) => (files.sync(&file, &path), path),
        Job::Folder(path) => (files.sync_folder(&path), path),
    };
    done.failed = result.err().map(|e| format!("cannot sync: {e}: {}", path.display()));
}

/// Counts the job as done even if it panics, so that `wait` ends.
struct Done<'s> {
    state: &'s State,
    failed: Option<String>,
}

impl Drop for Done<'_> {
    fn drop(&mut self) {
        let mut batch = self.state.batch.lock();
        batch.outstanding -= 1;
        if batch.failed.is_none() {
            batch.failed = self.failed.take();
        }
        self.state.changed.notify_all();
    }
}
