//! From an account as it is asked for to one as it is meant: who may set which member (I14), and what the others become.
//!
//! A put replaces every member the actor may set, absent meaning default, and keeps the rest. An access token goes
//! to hosts of its provider's list only, whoever asks.

use super::account::AccountForm;
use super::json::{Fault, Read, below};
use super::{Config, Profile, ProviderConfig};
use crate::model::{Account, AccountLimits, Classic, FirstFetch, Security, Server, TokenSource};

/// Whose account it is, and what of it stands already.
pub(super) struct Frame<'a> {
    pub id: &'a str,
    pub owner: &'a str,
    pub realm: &'a str,
    pub kept: Option<&'a Account>,
}

impl AccountForm {
    /// As the operator means it: every member is his.
    pub(super) fn for_operator(&self, config: &Config, frame: &Frame<'_>) -> Read<Account> {
        if let Some(realm) = &self.realm
            && realm != frame.realm
        {
            let what = format!(
                "the owner {:?} belongs to realm {:?}; an owner belongs to one realm only",
                frame.owner, frame.realm
            );
            return Err(self.fault("realm", what));
        }
        if !config.realms.contains_key(frame.realm) {
            return Err(self.fault("realm", format!("there is no realm {:?}", frame.realm)));
        }
        let (source, servers) = match (&self.provider, &self.token_file) {
            _ if self.classic => (self.classic(false), Vec::new()),
            (Some(id), _) => {
                let provider = self.provider_of(config, id, frame.realm)?;
                (TokenSource::Provider(id.clone()), provider.servers.clone())
            }
            (None, Some(file)) => (TokenSource::File(file.clone()), Vec::new()),
            (None, None) => {
                return Err(
                    self.fault("provider", "this member is missing: the id of a provider, or a token_file")
                );
            }
        };
        let (host, port) = match (&self.server, servers.first()) {
            (Some(named), _) => named.clone(),
            (None, Some(first)) => first.clone(),
            (None, None) => {
                return Err(self.fault("server", "this member is missing: the mail server's host:port"));
            }
        };
        let may_go_there = match &source {
            TokenSource::Provider(_) => servers.contains(&(host.clone(), port)),
            TokenSource::File(_) => config.may_take_token_files(&host, port),
            TokenSource::Password(_) => true,
        };
        if !may_go_there {
            let listed = match &source {
                TokenSource::Provider(id) => format!("{}.servers", below("providers", id)),
                TokenSource::File(_) | TokenSource::Password(_) => "servers".to_owned(),
            };
            return Err(self.fault(
                "server",
                format!("{host}:{port} is not listed in {listed}, and an access token goes nowhere else"),
            ));
        }
        let app_only = self.app_only.unwrap_or(false);
        if app_only {
            self.app_only_holds(config)?;
        }
        let defaults = &config.defaults;
        let account = Account {
            id: frame.id.to_owned(),
            owner: frame.owner.to_owned(),
            realm: frame.realm.to_owned(),
            deliver_to: self.deliver_to.clone().unwrap_or_else(|| frame.owner.to_owned()),
            source,
            server: Server { host, port, security: self.security.unwrap_or(Security::Implicit) },
            user: self.user.clone(),
            sign_in: self.signer(config),
            app_only,
            enabled: self.enabled.unwrap_or(true),
            delete: self.delete.unwrap_or(defaults.delete),
            first_fetch: self.first_fetch.unwrap_or(defaults.first_fetch),
            limits: AccountLimits {
                max_message_bytes: self.max_message_bytes.unwrap_or(defaults.limits.max_message_bytes),
                session_messages: self.session_messages.unwrap_or(defaults.limits.session_messages),
                session_s: self.session_s.unwrap_or(defaults.limits.session_s),
            },
            interval_s: self.interval_s.unwrap_or(defaults.interval_s),
            pipelining: self.pipelining.unwrap_or(defaults.pipelining),
        };
        self.nothing_hides_new_mail(config, &account)?;
        Ok(account)
    }

    /// Google lists the 250 oldest messages that nobody has fetched yet (PROTOCOL.md C.2): what a first fetch leaves
    /// out would stand before all later mail for ever, and fetching it only to drop it may delete it there.
    fn nothing_hides_new_mail(&self, config: &Config, account: &Account) -> Read<()> {
        let profile =
            account.provider().and_then(|id| config.providers.get(id)).map(|provider| provider.profile);
        let recent = Profile::Google.in_recent_mode(&account.user).is_some();
        if profile != Some(Profile::Google) || recent || account.first_fetch == FirstFetch::All {
            return Ok(());
        }
        Err(self.fault(
            "first_fetch",
            "must be \"all\" at Google, which lists its oldest messages until they are fetched, so that those left \
             out would hide all later ones. To begin with new mail choose \"Enable POP for mail that arrives from now \
             on\" in Gmail's settings",
        ))
    }

    /// Who signs in, if not `user` as it is.
    fn signer(&self, config: &Config) -> Option<String> {
        let profile = || Some(config.providers.get(self.provider.as_ref()?)?.profile);
        let named = || profile()?.in_recent_mode(&self.user).map(str::to_owned);
        self.sign_in.clone().or_else(named)
    }

    /// PROTOCOL.md A.10: a provider that gives an application tokens of its own, and at Microsoft one tenant.
    fn app_only_holds(&self, config: &Config) -> Read<()> {
        let Some(provider) = self.provider.as_ref().and_then(|id| config.providers.get(id)) else {
            return Err(self.fault("app_only", "needs a provider; a token_file is kept by somebody else"));
        };
        if self.sign_in.is_some() {
            return Err(self.fault("sign_in", "nobody signs in for an account with app_only"));
        }
        if provider.profile.is_microsoft() && !provider.has_one_tenant() {
            let what = format!(
                "the provider {:?} must name one tenant by its id or domain; common, consumers and organizations give an \
                 application no token",
                provider.id
            );
            return Err(self.fault("app_only", what));
        }
        if !provider.profile.is_microsoft() && provider.app_scope.is_none() {
            let what = format!(
                "the provider {:?} has no app_scope, which an application's own token needs",
                provider.id
            );
            return Err(self.fault("app_only", what));
        }
        Ok(())
    }

    fn provider_of<'a>(&self, config: &'a Config, id: &str, realm: &str) -> Read<&'a ProviderConfig> {
        let Some(provider) = config.providers.get(id) else {
            let known: Vec<&str> = config.providers.keys().map(String::as_str).collect();
            let known = if known.is_empty() { "none".into() } else { known.join(", ") };
            return Err(self.fault("provider", format!("there is no provider {id:?}; configured: {known}")));
        };
        if provider.realm != realm {
            let what = format!(
                "the provider {id:?} belongs to realm {:?}, the account to {realm:?}; an account uses providers of its own realm only",
                provider.realm
            );
            return Err(self.fault("provider", what));
        }
        Ok(provider)
    }

    /// As its owner may mean it: provider, user, sign-in name, enabled, delete policy and interval, within what the
    /// operator allows; everything else stays what it is, and is the operator's default at the beginning.
    pub(super) fn for_owner(&self, config: &Config, frame: &Frame<'_>) -> Read<Account> {
        let defaults = &config.defaults;
        let kept = frame.kept;
        let source = self.owners_source(config, frame)?;
        // The operator's token may open many mailboxes: which one it opens here is his to say.
        if let (TokenSource::File(_), Some(kept)) = (&source, kept)
            && (self.user != kept.user || self.sign_in != kept.sign_in)
        {
            let name = if self.user == kept.user { "sign_in" } else { "user" };
            return Err(self.no_right(name, "only the operator may set this member beside a token_file"));
        }
        let server = match (&source, kept) {
            (TokenSource::Provider(id), _) => {
                let hosts = config.providers.get(id).map_or(&[][..], |provider| &provider.servers);
                let stays = kept
                    .map(|kept| &kept.server)
                    .filter(|server| hosts.contains(&(server.host.clone(), server.port)));
                match (stays, hosts.first()) {
                    (Some(server), _) => server.clone(),
                    (None, Some((host, port))) => {
                        Server { host: host.clone(), port: *port, security: Security::Implicit }
                    }
                    (None, None) => return Err(self.fault("provider", "this provider has no mail server")),
                }
            }
            (TokenSource::File(_), Some(kept)) => kept.server.clone(),
            (TokenSource::File(_), None) => return Err(self.no_right("token_file", OPERATORS)),
            (TokenSource::Password(_), _) => self.owners_server(kept)?,
        };
        let delete_before = kept.map_or(defaults.delete, |kept| kept.delete);
        let delete = match self.delete {
            Some(wish) if wish != delete_before && !config.owners.delete => {
                return Err(
                    self.no_right("delete", "the operator decides here what is deleted at the mail server")
                );
            }
            Some(wish) => wish,
            None if config.owners.delete => defaults.delete,
            None => delete_before,
        };
        let bounds = config.owners.least_interval_s..=config.owners.most_interval_s;
        let interval_s = match self.interval_s {
            Some(wish) if !bounds.contains(&wish) && kept.map(|kept| kept.interval_s) != Some(wish) => {
                let (least, most) = (bounds.start(), bounds.end());
                let what = format!("the operator allows {least} to {most} seconds, not {wish}");
                return Err(self.no_right("interval_s", what));
            }
            Some(wish) => wish,
            None => defaults.interval_s,
        };
        let account = Account {
            id: frame.id.to_owned(),
            owner: frame.owner.to_owned(),
            realm: frame.realm.to_owned(),
            deliver_to: kept.map_or_else(|| frame.owner.to_owned(), |kept| kept.deliver_to.clone()),
            source,
            server,
            user: self.user.clone(),
            sign_in: self.signer(config),
            app_only: kept.is_some_and(|kept| kept.app_only),
            enabled: self.enabled.unwrap_or(true),
            delete,
            first_fetch: kept.map_or(defaults.first_fetch, |kept| kept.first_fetch),
            limits: kept.map_or(defaults.limits, |kept| kept.limits),
            interval_s,
            pipelining: kept.map_or(defaults.pipelining, |kept| kept.pipelining),
        };
        self.refuse_what_is_the_operators(&account)?;
        self.nothing_hides_new_mail(config, &account)?;
        if account.app_only {
            self.refuse_another_mailbox(&account, kept)?;
        }
        Ok(account)
    }

    /// The application may open every mailbox of the tenant: which of them is whose, the operator alone says.
    fn refuse_another_mailbox(&self, account: &Account, kept: Option<&Account>) -> Read<()> {
        let differs =
            |what: fn(&Account) -> Option<&str>| kept.is_none_or(|kept| what(kept) != what(account));
        let named = [
            ("user", differs(|account| Some(&account.user))),
            ("sign_in", differs(|account| account.sign_in.as_deref())),
            ("provider", differs(Account::provider)),
        ];
        match named.into_iter().find(|(_, differs)| *differs) {
            Some((name, _)) => Err(self.no_right(name, OPERATORS)),
            None => Ok(()),
        }
    }

    fn owners_source(&self, config: &Config, frame: &Frame<'_>) -> Read<TokenSource> {
        let from_file =
            frame.kept.map(|kept| &kept.source).filter(|source| matches!(source, TokenSource::File(_)));
        match (&self.provider, from_file) {
            (_, Some(_)) if self.classic => Err(self.no_right("use_oauth", OPERATORS)),
            _ if self.classic => self.owners_classic(config, frame),
            (Some(_), Some(_)) => Err(self.no_right("provider", OPERATORS)),
            (None, Some(file)) => Ok(file.clone()),
            (None, None) if self.token_file.is_some() => Err(self.no_right("token_file", OPERATORS)),
            (None, None) => Err(self.fault("provider", "this member is missing: the id of a provider")),
            (Some(id), None) => {
                let in_realm = config.providers.get(id).is_some_and(|known| known.realm == frame.realm);
                let allowed = config.owners.providers.as_ref().is_none_or(|list| list.contains(id));
                if !in_realm || !allowed {
                    // Another customer's provider and none at all are not told apart.
                    let what = format!("{id:?} is not a provider you may choose");
                    return Err(self.no_right("provider", what));
                }
                Ok(TokenSource::Provider(id.clone()))
            }
        }
    }

    fn classic(&self, owners_choice: bool) -> TokenSource {
        TokenSource::Password(Classic { apop: self.apop.unwrap_or(false), owners_choice })
    }

    /// A server of the owner's choice, where he may choose; one the operator chose stays, and takes a new password.
    fn owners_classic(&self, config: &Config, frame: &Frame<'_>) -> Read<TokenSource> {
        let kept = frame.kept.and_then(|kept| match kept.source {
            TokenSource::Password(classic) => Some((classic, &kept.server)),
            _ => None,
        });
        let stays = kept.filter(|(_, server)| self.names(server));
        match stays {
            Some((classic, _)) if !classic.owners_choice || !config.owners.classic_servers => {
                if self.apop.is_some_and(|wish| wish != classic.apop) {
                    return Err(self.no_right("apop", OPERATORS));
                }
                Ok(TokenSource::Password(classic))
            }
            _ if config.owners.classic_servers => Ok(self.classic(true)),
            _ if kept.is_some() => Err(self.no_right("server", OPERATORS)),
            _ => Err(self.no_right("use_oauth", "the operator allows no mailboxes with a password here")),
        }
    }

    /// Says the same server, or none at all.
    fn names(&self, server: &Server) -> bool {
        let same =
            self.server.as_ref().is_none_or(|(host, port)| (host, *port) == (&server.host, server.port));
        same && self.security.is_none_or(|security| security == server.security)
    }

    fn owners_server(&self, kept: Option<&Account>) -> Read<Server> {
        let kept =
            kept.filter(|kept| matches!(kept.source, TokenSource::Password(_))).map(|kept| &kept.server);
        match (&self.server, kept) {
            (_, Some(kept)) if self.names(kept) => Ok(kept.clone()),
            (Some((host, port)), _) => Ok(Server {
                host: host.clone(),
                port: *port,
                security: self.security.unwrap_or(Security::Implicit),
            }),
            (None, Some(kept)) => {
                Ok(Server { security: self.security.unwrap_or(kept.security), ..kept.clone() })
            }
            (None, None) => Err(self.fault("server", "this member is missing: the mail server's host:port")),
        }
    }

    /// Naming one of the operator's members is refused unless it says what holds anyway.
    fn refuse_what_is_the_operators(&self, account: &Account) -> Read<()> {
        let limits = &account.limits;
        let differs = |wish: bool, name: &'static str| wish.then_some(name);
        let named = [
            differs(self.realm.as_ref().is_some_and(|wish| *wish != account.realm), "realm"),
            differs(self.deliver_to.as_ref().is_some_and(|wish| *wish != account.deliver_to), "deliver_to"),
            differs(
                self.token_file
                    .as_ref()
                    .is_some_and(|wish| account.source != TokenSource::File(wish.clone())),
                "token_file",
            ),
            differs(
                self.server
                    .as_ref()
                    .is_some_and(|(host, port)| (host, *port) != (&account.server.host, account.server.port)),
                "server",
            ),
            differs(self.app_only.is_some_and(|wish| wish != account.app_only), "app_only"),
            differs(self.security.is_some_and(|wish| wish != account.server.security), "security"),
            differs(self.first_fetch.is_some_and(|wish| wish != account.first_fetch), "first_fetch"),
            differs(
                self.max_message_bytes.is_some_and(|wish| wish != limits.max_message_bytes)
                    || self.session_messages.is_some_and(|wish| wish != limits.session_messages)
                    || self.session_s.is_some_and(|wish| wish != limits.session_s),
                "limits",
            ),
            differs(self.pipelining.is_some_and(|wish| wish != account.pipelining), "pipelining"),
        ];
        match named.into_iter().flatten().next() {
            Some(name) => Err(self.no_right(name, OPERATORS)),
            None => Ok(()),
        }
    }

    pub(super) fn fault(&self, name: &'static str, what: impl Into<String>) -> Fault {
        let place = self.places.iter().find(|(known, _)| *known == name);
        let at = place.map_or(self.at, |(_, at)| *at);
        Fault::new(below(&self.path, name), at, what)
    }

    fn no_right(&self, name: &'static str, what: impl Into<String>) -> Fault {
        Fault { right: true, ..self.fault(name, what) }
    }
}

const OPERATORS: &str = "only the operator may set this member";
