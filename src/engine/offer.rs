//! What the sink is told of a message, and the question whether it wants it before a byte is downloaded.

use super::mailbox::Mailbox;
use super::received::{self, Trace};
use super::retrieve::meanwhile;
use crate::error::Result;
use crate::model::{Answer, Message};
use crate::plan::Fetch;

impl Mailbox<'_> {
    pub fn message(&self, fetch: Fetch) -> Message {
        let account = &self.visit.row.account;
        let key = self.keys.dedupe(&fetch.entry.key);
        let tls = self.connection.wire.tls_version();
        let received = received::line(&Trace {
            server: &account.server.host,
            tls,
            hostname: &self.visit.call.settings.config.hostname,
            id: &key,
            deliver_to: &account.deliver_to,
            now: self.visit.call.now(),
        });
        Message {
            account: account.id.clone(),
            owner: account.owner.clone(),
            deliver_to: account.deliver_to.clone(),
            uidl: self.uidl(fetch.entry).unwrap_or_default().to_vec(),
            size_hint: self.sizes.of(fetch.entry.number).unwrap_or(0),
            server: account.server.host.clone(),
            tls: tls.to_owned(),
            received,
            dedupe_key: Some(key),
            may_repeat: fetch.may_repeat,
        }
    }

    /// Offers a chunk to a sink that wants to be asked; answers what it wants.
    pub async fn offer(&mut self, chunk: Vec<Fetch>) -> Result<Vec<Fetch>> {
        if !self.visit.call.pump.has_offer() {
            return Ok(chunk);
        }
        let mut wanted = Vec::with_capacity(chunk.len());
        for fetch in chunk {
            if self.trouble.is_some() || self.visit.call.pump.stopped() {
                break;
            }
            let pump = self.visit.call.pump.clone();
            let message = self.message(fetch);
            let reply = meanwhile(&mut self.connection, pump.offer(message)).await??;
            match reply.answer {
                Answer::Go => wanted.push(fetch),
                Answer::Stop => break,
                _ => self.answered_early(fetch.entry, reply).await?,
            }
        }
        self.write_changed().await?;
        Ok(wanted)
    }
}
