//! Log-in with a password, the server's side: USER/PASS and APOP (RFC 1939 §7), SCRAM-SHA-256 (RFC 5802, 7677).

use std::io;
use std::num::NonZeroU32;

use aws_lc_rs::{digest, hmac, pbkdf2};
use base64::prelude::{BASE64_STANDARD, Engine};
use md5::{Digest, Md5};

use super::auth::Mechanism;
use super::fault::Verb;
use super::script::Script;
use super::server::Transport;
use super::session::{Command, Flow, Session};

/// Of a client that named itself.
pub(super) struct Scram {
    pub user: String,
    first_bare: String,
    server_first: String,
    nonce: String,
}

const SALT: &[u8] = b"salt of the mock";

impl Session {
    pub(super) fn named(&mut self, script: &Script, command: &Command) -> Flow {
        if self.in_clear() {
            return self.err(script, "STLS first");
        }
        self.named = Some(command.words.join(" "));
        self.say(script, "+OK");
        Flow::Go
    }

    pub(super) async fn pass(&mut self, script: &Script, command: &Command) -> io::Result<Flow> {
        let Some(user) = self.named.take() else {
            return Ok(self.err(script, "USER first"));
        };
        let password = command.words.join(" ");
        self.shared.journal.secret(&password, Some(&password));
        if self.shared.fits(&user, &password) {
            return Ok(self.enter(script, &user));
        }
        self.shared.journal.login(false);
        self.refuse(script, Mechanism::Plain).await
    }

    pub(super) async fn apop(&mut self, script: &Script, command: &Command) -> io::Result<Flow> {
        let start = script.greeting.find('<').filter(|_| !self.in_clear());
        let (Some(start), [user, shown]) = (start, command.words.as_slice()) else {
            return Ok(self.err(script, "no APOP here"));
        };
        let timestamp = &script.greeting[start..];
        let fits = |password: &String| {
            let digest = Md5::digest(format!("{timestamp}{password}"));
            digest.iter().map(|byte| format!("{byte:02x}")).collect::<String>() == *shown
        };
        let password = self.shared.passwords(user).into_iter().find(fits);
        self.shared.journal.secret(shown, password.as_deref());
        if password.is_some() {
            return Ok(self.enter(script, user));
        }
        self.shared.journal.login(false);
        self.refuse(script, Mechanism::Plain).await
    }

    /// From the client's first message to the line of its last; None if it is gone.
    pub(super) async fn scram_first(&mut self, script: &Script, line: &str) -> io::Result<Option<String>> {
        let Some(scram) = Scram::begin(line, script.scram_rounds, self.connection) else {
            // What comes next fits nothing.
            self.say(script, "+ ");
            return self.text_line().await;
        };
        self.say(script, &format!("+ {}", BASE64_STANDARD.encode(&scram.server_first)));
        self.scram = Some(scram);
        self.text_line().await
    }

    pub(super) async fn scram_final(&mut self, script: &Script, line: &str) -> io::Result<Flow> {
        let proved = self.scram.take().and_then(|scram| {
            let passwords = self.shared.passwords(&scram.user);
            let found = passwords
                .into_iter()
                .find_map(|password| Some((scram.verify(line, &password, script.scram_rounds)?, password)));
            found.map(|(signature, password)| (scram.user, signature, password))
        });
        self.shared.journal.secret(line, proved.as_ref().map(|(_, _, password)| password.as_str()));
        let Some((user, mut signature, _)) = proved else {
            self.shared.journal.login(false);
            return self.refuse(script, Mechanism::ScramSha256).await;
        };
        if script.scram_forged {
            signature[0] ^= 1;
        }
        let last = format!("v={}", BASE64_STANDARD.encode(signature));
        self.say(script, &format!("+ {}", BASE64_STANDARD.encode(last)));
        match self.text_line().await? {
            Some(answer) if answer.is_empty() => Ok(self.enter(script, &user)),
            Some(_) => Ok(self.err(script, "Authentication aborted by client.")),
            None => Ok(Flow::Drop),
        }
    }

    async fn text_line(&mut self) -> io::Result<Option<String>> {
        let line = self.wire.line().await?;
        Ok(line.map(|line| {
            let text = String::from_utf8_lossy(&line).into_owned();
            let note = format!("answer: ({} octets)", text.len());
            self.shared.journal.command(self.connection, None, Verb::Other, note);
            text
        }))
    }

    fn in_clear(&self) -> bool {
        self.shared.transport == Transport::Stls && !self.wire.is_secure()
    }
}

impl Scram {
    fn begin(line: &str, rounds: u32, connection: u64) -> Option<Scram> {
        let text = String::from_utf8(BASE64_STANDARD.decode(line).ok()?).ok()?;
        let first_bare = text.strip_prefix("n,,")?.to_owned();
        let (user, nonce) = first_bare.strip_prefix("n=")?.split_once(",r=")?;
        let nonce = format!("{nonce}mock{connection}");
        let server_first = format!("r={nonce},s={},i={rounds}", BASE64_STANDARD.encode(SALT));
        let user = user.replace("=2C", ",").replace("=3D", "=");
        Some(Scram { user, server_first, nonce, first_bare })
    }

    /// The server's signature, if the client's proof is of this password.
    fn verify(&self, line: &str, password: &str, rounds: u32) -> Option<Vec<u8>> {
        let text = String::from_utf8(BASE64_STANDARD.decode(line).ok()?).ok()?;
        let (without_proof, proof) = text.split_once(",p=")?;
        if without_proof != format!("c=biws,r={}", self.nonce) {
            return None;
        }
        let proof = BASE64_STANDARD.decode(proof).ok()?;
        let mut salted = [0; 32];
        let rounds = NonZeroU32::new(rounds)?;
        pbkdf2::derive(pbkdf2::PBKDF2_HMAC_SHA256, rounds, SALT, password.as_bytes(), &mut salted);
        let sign = |key: &[u8], text: &[u8]| hmac::sign(&hmac::Key::new(hmac::HMAC_SHA256, key), text);
        let stored_key = digest::digest(&digest::SHA256, sign(&salted, b"Client Key").as_ref());
        let message = format!("{},{},{without_proof}", self.first_bare, self.server_first);
        let signature = sign(stored_key.as_ref(), message.as_bytes());
        let shown: Vec<u8> = proof.iter().zip(signature.as_ref()).map(|(a, b)| a ^ b).collect();
        if digest::digest(&digest::SHA256, &shown).as_ref() != stored_key.as_ref() {
            return None;
        }
        let server_key = sign(&salted, b"Server Key");
        Some(sign(server_key.as_ref(), message.as_bytes()).as_ref().to_vec())
    }
}
