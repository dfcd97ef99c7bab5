//! What the provider remembers: codes, and families of refresh tokens (RFC 9700 §4.14.2).

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use super::super::TokenTable;
use super::device::Codes;
use super::journal::Journal;
use super::jwt::encode;
use super::settings::{Rotation, Settings};

/// What a code stands for.
#[derive(Clone)]
pub(super) struct Code {
    pub grant: Grant,
    pub redirect_uri: String,
    pub challenge: Option<String>,
    /// The tenant segment it was obtained on.
    pub segment: String,
    used: bool,
    family: Option<usize>,
}

/// Who allowed what to whom.
#[derive(Clone)]
pub(super) struct Grant {
    /// The sign-in name.
    pub user: String,
    pub client: String,
    pub scope: String,
    pub nonce: Option<String>,
    pub offline: bool,
}

#[derive(Default)]
pub(super) struct State {
    codes: HashMap<String, Code>,
    refresh: HashMap<String, Refresh>,
    pub devices: Codes,
    families: Vec<Family>,
    /// The `jti` of every assertion shown.
    pub assertions: HashSet<String>,
}

struct Refresh {
    family: usize,
    used: bool,
    /// When it was given, or last shown.
    at: Duration,
}

struct Family {
    grant: Grant,
    access: Vec<String>,
    revoked: bool,
}

/// A code or refresh token shown.
pub(super) enum Shown<T> {
    Good(T),
    /// Known, but used up, revoked or of another client.
    Dead,
    Unknown,
}

impl State {
    pub fn new_code(
        &mut self,
        journal: &Journal,
        grant: Grant,
        redirect_uri: String,
        challenge: Option<String>,
        segment: String,
    ) -> String {
        let code = random("code-");
        journal.issued(&code);
        let entry = Code { grant, redirect_uri, challenge, segment, used: false, family: None };
        self.codes.insert(code.clone(), entry);
        code
    }

    /// A code is good once, for the client it was made for; a second use ends what came of the first.
    pub fn redeem(&mut self, code: &str, client: &str, tokens: &TokenTable) -> Shown<Code> {
        let Some(entry) = self.codes.get_mut(code) else {
            return Shown::Unknown;
        };
        let used = std::mem::replace(&mut entry.used, true);
        let (family, fits) = (entry.family, entry.grant.client == client);
        let entry = entry.clone();
        if used {
            if let Some(family) = family {
                self.end(family, tokens);
            }
            return Shown::Dead;
        }
        if fits { Shown::Good(entry) } else { Shown::Dead }
    }

    /// Begins a family for a redeemed code; answers its number.
    pub fn begin(&mut self, code: &str, grant: Grant) -> usize {
        self.families.push(Family { grant, access: Vec::new(), revoked: false });
        let family = self.families.len() - 1;
        if let Some(entry) = self.codes.get_mut(code) {
            entry.family = Some(family);
        }
        family
    }

    /// A refresh token is shown.
    pub fn refresh(
        &mut self,
        token: &str,
        client: &str,
        settings: &Settings,
        tokens: &TokenTable,
    ) -> Shown<(usize, Grant)> {
        let rotation = settings.rotation;
        let Some(entry) = self.refresh.get_mut(token) else {
            return Shown::Unknown;
        };
        if settings.refresh_idle.is_some_and(|idle| settings.elapsed.saturating_sub(entry.at) >= idle) {
            return Shown::Dead;
        }
        entry.at = settings.elapsed;
        let family = entry.family;
        let spent = matches!(rotation, Rotation::Rotates | Rotation::Strict);
        if entry.used && spent {
            if rotation == Rotation::Strict {
                self.end(family, tokens);
            }
            return Shown::Dead;
        }
        let known = &self.families[family];
        if known.revoked || known.grant.client != client {
            return Shown::Dead;
        }
        entry.used = true;
        Shown::Good((family, known.grant.clone()))
    }

    /// A new refresh token of a family.
    pub fn new_refresh(&mut self, journal: &Journal, settings: &Settings, family: usize) -> String {
        let token = random("rt-");
        journal.issued(&token);
        self.refresh.insert(token.clone(), Refresh { family, used: false, at: settings.elapsed });
        token
    }

    /// A new access token of a family, good at the POP3 server from now on.
    pub fn new_access(
        &mut self,
        journal: &Journal,
        settings: &Settings,
        tokens: &TokenTable,
        family: usize,
        scope: &str,
    ) -> String {
        let mut token = random(&format!("{}at-", settings.token_prefix));
        while token.len() < settings.token_length {
            token.push_str(&random("."));
        }
        if settings.token_length > 0 {
            token.truncate(settings.token_length.max(24));
        }
        journal.issued(&token);
        let grant = &self.families[family].grant;
        let mailbox = settings.user(&grant.user).mailbox;
        tokens.accept_for(&token, &mailbox, scope, settings.token_lifetime);
        self.families[family].access.push(token.clone());
        token
    }

    /// Ends every family of this sign-in name.
    pub fn revoke_user(&mut self, user: &str, tokens: &TokenTable) {
        for family in 0..self.families.len() {
            if self.families[family].grant.user.eq_ignore_ascii_case(user) {
                self.end(family, tokens);
            }
        }
    }

    /// RFC 7009: a refresh token ends its family (with `all` every one of the person), an access token only
    /// itself.
    pub fn revoke(&mut self, token: &str, all: bool, tokens: &TokenTable) {
        match self.refresh.get(token).map(|entry| entry.family) {
            Some(family) if all => {
                let user = self.families[family].grant.user.clone();
                self.revoke_user(&user, tokens);
            }
            Some(family) => self.end(family, tokens),
            None => tokens.revoke(token),
        }
    }

    /// Refresh tokens that would be granted now.
    pub fn live_refresh_tokens(&self, rotation: Rotation) -> usize {
        let spends = matches!(rotation, Rotation::Rotates | Rotation::Strict);
        let dead = |token: &Refresh| self.families[token.family].revoked || (spends && token.used);
        self.refresh.values().filter(|token| !dead(token)).count()
    }

    fn end(&mut self, family: usize, tokens: &TokenTable) {
        let family = &mut self.families[family];
        family.revoked = true;
        family.access.drain(..).for_each(|token| tokens.revoke(&token));
    }
}

/// A fresh secret of 192 bits after a prefix.
pub(super) fn random(prefix: &str) -> String {
    let mut bytes = [0; 24];
    // The operating system's generator does not fail on the platforms this runs on.
    let _ = getrandom::fill(&mut bytes);
    format!("{prefix}{}", encode(&bytes))
}
