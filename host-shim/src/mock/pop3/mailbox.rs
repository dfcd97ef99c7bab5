//! The mailboxes of the POP3 server: users, messages, and what happened to them.

use std::collections::HashMap;
use std::sync::Arc;

use parking_lot::Mutex;

use super::super::mail::Body;

/// A UIDL as bytes; servers send what RFC 1939 does not allow, too.
pub type Uidl = Arc<[u8]>;

/// A message in a mailbox. Nothing keeps two from having one UIDL.
#[derive(Clone, Debug)]
pub struct Message {
    pub uidl: Uidl,
    pub body: Body,
}

impl Message {
    pub fn new(uidl: impl AsRef<[u8]>, body: Body) -> Message {
        Message { uidl: uidl.as_ref().into(), body }
    }
}

/// All mailboxes. Cheap to clone; all clones are the same mailboxes. Sessions see what was there at login.
#[derive(Clone, Default)]
pub struct Mailboxes(Arc<Mutex<Inner>>);

#[derive(Default)]
struct Inner {
    users: HashMap<String, Arc<Vec<Message>>>,
    /// So that no UIDL is ever made twice.
    made: u64,
}

impl Mailboxes {
    /// Makes an empty mailbox, if the user has none.
    pub fn add_user(&self, user: &str) {
        self.0.lock().users.entry(key(user)).or_default();
    }

    pub fn has_user(&self, user: &str) -> bool {
        self.0.lock().users.contains_key(&key(user))
    }

    pub fn push(&self, user: &str, message: Message) {
        self.change(user, |messages| messages.push(message));
    }

    /// Adds so many generated messages of this size, seeds counted from `seed`; answers their UIDLs.
    pub fn fill(&self, user: &str, count: usize, size: u64, seed: u64) -> Vec<Uidl> {
        let first = {
            let mut inner = self.0.lock();
            inner.made += count as u64;
            inner.made - count as u64
        };
        let messages: Vec<Message> = (0..count as u64)
            .map(|n| Message::new(format!("u{:08x}", first + n), Body::Generated { seed: seed + n, size }))
            .collect();
        let uidls = messages.iter().map(|message| message.uidl.clone()).collect();
        self.change(user, |all| all.extend(messages));
        uidls
    }

    /// The messages there now, oldest first.
    pub fn messages(&self, user: &str) -> Arc<Vec<Message>> {
        self.0.lock().users.get(&key(user)).cloned().unwrap_or_default()
    }

    pub fn uidls(&self, user: &str) -> Vec<Uidl> {
        self.messages(user).iter().map(|message| message.uidl.clone()).collect()
    }

    /// Every message gets a new UIDL, as after a server's migration.
    pub fn reset_uidls(&self, user: &str) {
        let mut made = {
            let mut inner = self.0.lock();
            inner.made += 1_000_000;
            inner.made
        };
        self.change(user, |messages| {
            for message in messages {
                message.uidl = format!("r{made:08x}").into_bytes().into();
                made += 1;
            }
        });
    }

    /// Another program removes these.
    pub fn remove(&self, user: &str, uidl: &[u8]) {
        self.change(user, |messages| messages.retain(|message| &*message.uidl != uidl));
    }

    pub fn clear(&self, user: &str) {
        self.change(user, Vec::clear);
    }

    /// Removes what a session marked: the same message, not another of the same UIDL.
    pub(super) fn expunge(&self, user: &str, gone: &[Message]) {
        let mut marked: HashMap<&[u8], Vec<&Body>> = HashMap::new();
        for message in gone {
            marked.entry(&message.uidl).or_default().push(&message.body);
        }
        self.change(user, |messages| {
            messages.retain(|message| {
                let Some(bodies) = marked.get_mut(&*message.uidl) else {
                    return true;
                };
                let Some(place) = bodies.iter().position(|body| **body == message.body) else {
                    return true;
                };
                bodies.swap_remove(place);
                false
            });
        });
    }

    fn change(&self, user: &str, with: impl FnOnce(&mut Vec<Message>)) {
        let mut inner = self.0.lock();
        with(Arc::make_mut(inner.users.entry(key(user)).or_default()));
    }
}

/// Users are told apart without regard to ASCII case.
fn key(user: &str) -> String {
    user.to_ascii_lowercase()
}
