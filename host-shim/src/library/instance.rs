//! The library's verbs in safe Rust. `&mut self` is *one call at a time*; a [`Canceller`] goes to other threads.

use std::any::Any;
use std::ffi::{CString, c_char};
use std::panic::resume_unwind;
use std::ptr;
use std::sync::Arc;

use multipop_abi as abi;

use super::api::{Api, Device, Handle};
use super::events::{self, HostEvents, Level, Listener};
use super::failure::Failure;
use super::pour::{Pour, Sink};
use super::text::{argument, optional, pointer};

/// Lives until the last canceller is gone, so that a late cancel never touches freed memory.
struct Living {
    api: Api,
    handle: Handle,
    listener: *mut Listener,
    _name: CString,
}

// SAFETY: the library takes calls from any thread; the listener's events are `Send`, and it is touched only inside a
// call, which needs `&mut Instance`, or in `drop`.
unsafe impl Send for Living {}
// SAFETY: through a shared reference only `multipop_cancel` is called, which any thread may.
unsafe impl Sync for Living {}

impl Drop for Living {
    fn drop(&mut self) {
        // SAFETY: made by `init`, dropped once, no call is running since the instance itself is gone; `destroy` may
        // still log, so the listener goes after it.
        unsafe {
            (self.api.destroy)(self.handle);
            drop(Box::from_raw(self.listener));
        }
    }
}

pub struct Instance {
    living: Arc<Living>,
}

/// Ends the running or the next long call of its instance.
#[derive(Clone)]
pub struct Canceller(Arc<Living>);

impl Canceller {
    pub fn cancel(&self) {
        // SAFETY: any thread, any time, by contract.
        unsafe { (self.0.api.cancel)(self.0.handle) }
    }
}

/// Which accounts `accounts` lists.
#[derive(Debug, Clone, Default)]
pub struct Query<'a> {
    pub actor: &'a str,
    pub account: Option<&'a str>,
    pub realm: Option<&'a str>,
    pub after: Option<&'a str>,
    /// 0 is 1,000.
    pub limit: u32,
}

#[derive(Debug, Clone, Default)]
pub struct Authorize<'a> {
    pub actor: &'a str,
    pub account: &'a str,
    /// Binds the consent to who began it; 16 bytes at least.
    pub session: &'a str,
    pub choose_account: bool,
    pub force_consent: bool,
    pub admin_consent: bool,
}

pub use abi::Report;

/// What a fetch answered: both are there whenever the arguments were accepted.
pub struct Fetched {
    pub result: Result<(), Failure>,
    pub report: Report,
}

impl Instance {
    /// `log_level` is the most talkative level that is wanted.
    pub fn init(
        api: &Api,
        name: &str,
        log_level: Level,
        events: Box<dyn HostEvents>,
    ) -> Result<Instance, Failure> {
        let name = argument("name", name)?;
        let listener = Box::into_raw(Box::new(Listener { events, panic: None }));
        let host = abi::Host {
            log_level: log_level.number(),
            name: name.as_ptr(),
            user: listener.cast(),
            log: Some(events::log),
            event: Some(events::event),
            ..abi::Host::INIT
        };
        let mut handle = ptr::null_mut();
        let mut error = abi::Error::INIT;
        // SAFETY: all pointers are valid during the call; the listener outlives the instance.
        let status = unsafe { (api.init)(&host, &mut handle, &mut error) };
        if status != abi::OK {
            // SAFETY: made above; no instance keeps it.
            drop(unsafe { Box::from_raw(listener) });
            return Err(Failure::read(status, &error));
        }
        let living = Arc::new(Living { api: api.clone(), handle, listener, _name: name });
        Ok(Instance { living })
    }

    pub fn canceller(&self) -> Canceller {
        Canceller(self.living.clone())
    }

    pub fn configure(&mut self, json: &str) -> Result<(), Failure> {
        let json = argument("json", json)?;
        // SAFETY: valid during the call.
        self.call(|api, mp, err| unsafe { (api.configure)(mp, json.as_ptr(), err) })
    }

    pub fn account_put(&mut self, actor: &str, owner: &str, id: &str, json: &str) -> Result<(), Failure> {
        let (actor, owner) = (argument("actor", actor)?, argument("owner", owner)?);
        let (id, json) = (argument("id", id)?, argument("json", json)?);
        // SAFETY: valid during the call.
        self.call(|api, mp, err| unsafe {
            (api.account_put)(mp, actor.as_ptr(), owner.as_ptr(), id.as_ptr(), json.as_ptr(), err)
        })
    }

    pub fn account_remove(&mut self, actor: &str, id: &str) -> Result<(), Failure> {
        let (actor, id) = (argument("actor", actor)?, argument("id", id)?);
        // SAFETY: valid during the call.
        self.call(|api, mp, err| unsafe { (api.account_remove)(mp, actor.as_ptr(), id.as_ptr(), err) })
    }

    /// JSON, see `config.schema.json`.
    pub fn accounts(&mut self, query: &Query<'_>) -> Result<String, Failure> {
        let actor = argument("actor", query.actor)?;
        let account = optional("account", query.account)?;
        let realm = optional("realm", query.realm)?;
        let after = optional("after", query.after)?;
        let query = abi::Query {
            limit: query.limit,
            actor: actor.as_ptr(),
            account: pointer(&account),
            realm: pointer(&realm),
            after: pointer(&after),
            ..abi::Query::INIT
        };
        // SAFETY: valid during the call.
        self.call_for_text(|api, mp, out, err| unsafe { (api.accounts)(mp, &query, out, err) })
            .map(Option::unwrap_or_default)
    }

    pub fn account_act(
        &mut self,
        actor: &str,
        id: &str,
        session: Option<&str>,
        json: &str,
    ) -> Result<String, Failure> {
        let (actor, id) = (argument("actor", actor)?, argument("id", id)?);
        let (session, json) = (optional("session", session)?, argument("json", json)?);
        // SAFETY: valid during the call.
        self.call_for_text(|api, mp, out, err| unsafe {
            (api.account_act)(mp, actor.as_ptr(), id.as_ptr(), pointer(&session), json.as_ptr(), out, err)
        })
        .map(Option::unwrap_or_default)
    }

    /// A verb that is not about one account.
    pub fn act(&mut self, actor: &str, json: &str) -> Result<String, Failure> {
        let function = self.living.api.act.ok_or_else(|| too_old("multipop_act"))?;
        let (actor, json) = (argument("actor", actor)?, argument("json", json)?);
        // SAFETY: valid during the call.
        self.call_for_text(|_, mp, out, err| unsafe { function(mp, actor.as_ptr(), json.as_ptr(), out, err) })
            .map(Option::unwrap_or_default)
    }

    pub fn authorize_url(&mut self, request: &Authorize<'_>) -> Result<String, Failure> {
        let actor = argument("actor", request.actor)?;
        let account = argument("account", request.account)?;
        let session = argument("session", request.session)?;
        let flag = |wanted: bool, flag: u32| if wanted { flag } else { 0 };
        let request = abi::Authorize {
            flags: flag(request.choose_account, abi::AUTHORIZE_CHOOSE_ACCOUNT)
                | flag(request.force_consent, abi::AUTHORIZE_FORCE_CONSENT)
                | flag(request.admin_consent, abi::AUTHORIZE_ADMIN_CONSENT),
            actor: actor.as_ptr(),
            account: account.as_ptr(),
            session: session.as_ptr(),
            ..abi::Authorize::INIT
        };
        // SAFETY: valid during the call.
        self.call_for_text(|api, mp, out, err| unsafe { (api.authorize_url)(mp, &request, out, err) })
            .map(Option::unwrap_or_default)
    }

    /// The JSON is there whenever the arguments were accepted.
    pub fn handle_callback(
        &mut self,
        uri: &str,
        form: Option<&str>,
        session: &str,
    ) -> (Result<(), Failure>, Option<String>) {
        let texts = argument("uri", uri).and_then(|uri| {
            let form = optional("form", form)?;
            Ok((uri, form, argument("session", session)?))
        });
        let (uri, form, session) = match texts {
            Ok(texts) => texts,
            Err(failure) => return (Err(failure), None),
        };
        let callback = abi::Callback {
            uri: uri.as_ptr(),
            form: pointer(&form),
            session: session.as_ptr(),
            ..abi::Callback::INIT
        };
        let mut out = ptr::null_mut();
        // SAFETY: valid during the call.
        let result = self.call(|api, mp, err| unsafe { (api.handle_callback)(mp, &callback, &mut out, err) });
        (result, self.take_text(out))
    }

    /// `account` `None` visits all due accounts the actor may reach; `deadline_s` 0 is 600.
    pub fn fetch_once<S: Sink>(
        &mut self,
        actor: &str,
        account: Option<&str>,
        deadline_s: u32,
        now: bool,
        sink: &mut S,
    ) -> Result<Fetched, Failure> {
        let (actor, account) = (argument("actor", actor)?, optional("account", account)?);
        let what = abi::Fetch {
            flags: if now { abi::FETCH_NOW } else { 0 },
            actor: actor.as_ptr(),
            account: pointer(&account),
            deadline_s,
            ..abi::Fetch::INIT
        };
        let mut report = Report::INIT;
        let mut pour = Pour::new(sink);
        let table = pour.table();
        // SAFETY: valid during the call; `pour` does not move before it is over.
        let result =
            self.call(|api, mp, err| unsafe { (api.fetch_once)(mp, &what, &table, &mut report, err) });
        if let Some(panic) = pour.into_panic() {
            resume_unwind(panic);
        }
        Ok(Fetched { result, report })
    }

    /// What to show to a person who signs in on another device, JSON. The flags of `request` say nothing here.
    pub fn device_begin(&mut self, request: &Authorize<'_>) -> Result<String, Failure> {
        let function = self.living.api.device_begin.ok_or_else(|| too_old("multipop_device_begin"))?;
        let (result, json) = self.device(function, request);
        result.map(|()| json.unwrap_or_default())
    }

    /// Whether he did; the JSON is the callback's, there whenever the arguments were accepted.
    pub fn device_poll(&mut self, request: &Authorize<'_>) -> (Result<(), Failure>, Option<String>) {
        match self.living.api.device_poll {
            Some(function) => self.device(function, request),
            None => (Err(too_old("multipop_device_poll")), None),
        }
    }

    fn device(&mut self, function: Device, request: &Authorize<'_>) -> (Result<(), Failure>, Option<String>) {
        let texts = argument("actor", request.actor).and_then(|actor| {
            let account = argument("account", request.account)?;
            Ok((actor, account, argument("session", request.session)?))
        });
        let (actor, account, session) = match texts {
            Ok(texts) => texts,
            Err(failure) => return (Err(failure), None),
        };
        let request = abi::Authorize {
            actor: actor.as_ptr(),
            account: account.as_ptr(),
            session: session.as_ptr(),
            ..abi::Authorize::INIT
        };
        let mut out = ptr::null_mut();
        // SAFETY: valid during the call.
        let result = self.call(|_, mp, err| unsafe { function(mp, &request, &mut out, err) });
        (result, self.take_text(out))
    }

    /// The doctor's findings as JSON, see `config.schema.json`; `account` `None` is every account the actor reaches.
    pub fn check(
        &mut self,
        actor: &str,
        account: Option<&str>,
        deadline_s: u32,
        dry_run: bool,
    ) -> Result<String, Failure> {
        let Some(check) = self.living.api.check else {
            return Err(too_old("multipop_check"));
        };
        let (actor, account) = (argument("actor", actor)?, optional("account", account)?);
        let what = abi::Fetch {
            flags: if dry_run { abi::FETCH_DRY_RUN } else { 0 },
            actor: actor.as_ptr(),
            account: pointer(&account),
            deadline_s,
            ..abi::Fetch::INIT
        };
        // SAFETY: valid during the call.
        self.call_for_text(|_, mp, out, err| unsafe { check(mp, &what, out, err) })
            .map(Option::unwrap_or_default)
    }

    fn call(&mut self, verb: impl FnOnce(&Api, Handle, *mut abi::Error) -> i32) -> Result<(), Failure> {
        let mut error = abi::Error::INIT;
        let status = verb(&self.living.api, self.living.handle, &mut error);
        if let Some(panic) = self.take_panic() {
            resume_unwind(panic);
        }
        match status {
            abi::OK => Ok(()),
            status => Err(Failure::read(status, &error)),
        }
    }

    fn call_for_text(
        &mut self,
        verb: impl FnOnce(&Api, Handle, *mut *mut c_char, *mut abi::Error) -> i32,
    ) -> Result<Option<String>, Failure> {
        let mut out = ptr::null_mut();
        let result = self.call(|api, mp, err| verb(api, mp, &mut out, err));
        let text = self.take_text(out);
        result.map(|()| text)
    }

    fn take_text(&self, text: *mut c_char) -> Option<String> {
        // SAFETY: NULL, or NUL-terminated text of the library's.
        let owned = unsafe { super::text::given(text) }.map(str::to_owned);
        // SAFETY: the library's, given back once; NULL is fine.
        unsafe { (self.living.api.free)(text.cast()) };
        owned
    }

    fn take_panic(&mut self) -> Option<Box<dyn Any + Send>> {
        // SAFETY: no call is running, so nothing else holds the listener.
        unsafe { (*self.living.listener).panic.take() }
    }
}

fn too_old(function: &str) -> Failure {
    Failure::here(
        abi::E_ABI,
        "library.too_old",
        format!("the loaded library has no {function}"),
        "Install the library and multipop-host of the same release.",
    )
}
