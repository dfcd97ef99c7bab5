//! A Rust host that serves people while it fetches: the library loaded with its layout checked, and two
//! instances on one store, each in a thread of its own. DIR/tmp and DIR/new must exist.
//!
//! ```text
//! cargo run --example rust_host -- /abs/config.json DIR /path/to/libmultipop.so
//! ```
//!
//! Where a real host has web pages, this one reads lines: `accounts OWNER`, `authorise OWNER ACCOUNT`,
//! `callback URI`, `quit`.

use std::error::Error;
use std::ffi::{CStr, CString, c_char, c_void};
use std::fs::{self, File};
use std::io::{self, BufRead, Write};
use std::path::{Path, PathBuf};
use std::ptr::null_mut;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use abi_stable::library::RootModule;
use multipop_abi as abi;
use multipop_abi::module::MultipopRef;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().collect();
    let [_, config, dir, library] = arguments.as_slice() else {
        return Err("usage: rust_host CONFIG DIR LIBRARY".into());
    };
    let library = MultipopRef::load_from_file(Path::new(library))?;
    let json = format!("{{\"file\": \"{config}\"}}");

    let web = Instance::new(library, c"rust-host-web")?;
    web.configure(&json)?;
    let mail = Instance::new(library, c"rust-host-fetch")?;
    mail.configure(&json)?;

    let folder = Folder { dir: dir.into() };
    let (wake, waiting) = mpsc::channel::<()>();
    std::thread::scope(|scope| {
        scope.spawn(move || fetch_until_hung_up(&mail, &folder, &waiting));
        serve(&web, &wake)?;
        // The fetching thread ends after the pass it is in.
        drop(wake);
        Ok(())
    })
}

/// Fetches what is due; woken early when somebody has connected an account.
fn fetch_until_hung_up(mail: &Instance, folder: &Folder, waiting: &mpsc::Receiver<()>) {
    loop {
        let rest = match mail.fetch_all_due(folder) {
            Ok(report) if report.more != 0 => Duration::ZERO,
            Ok(report) => Duration::from_secs(report.next_due_s.min(60).into()),
            Err(why) => {
                eprintln!("{why}");
                Duration::from_secs(60)
            }
        };
        if let Err(RecvTimeoutError::Disconnected) = waiting.recv_timeout(rest) {
            return;
        }
    }
}

/// The stand-in for web pages.
fn serve(web: &Instance, wake: &mpsc::Sender<()>) -> Result<(), Box<dyn Error>> {
    let mut session = String::new();
    for line in io::stdin().lock().lines() {
        let line = line?;
        let words: Vec<&str> = line.split_whitespace().collect();
        let said = match words.as_slice() {
            ["accounts", owner] => web.accounts(owner),
            ["authorise", owner, account] => {
                session = fresh_session()?;
                web.authorize_url(owner, account, &session)
            }
            ["callback", uri] => web.handle_callback(uri, &session).inspect(|_| {
                let _ = wake.send(());
            }),
            ["quit"] => return Ok(()),
            _ => Ok("accounts OWNER | authorise OWNER ACCOUNT | callback URI | quit".into()),
        };
        match said {
            Ok(text) => println!("{text}"),
            Err(why) => println!("{why}"),
        }
    }
    Ok(())
}

/// What a cookie `__Host-consent` would hold.
fn fresh_session() -> io::Result<String> {
    let mut random = [0; 16];
    io::Read::read_exact(&mut File::open("/dev/urandom")?, &mut random)?;
    Ok(random.iter().map(|byte| format!("{byte:02x}")).collect())
}

/// An instance and the functions it is used with.
struct Instance {
    library: MultipopRef,
    this: *mut abi::Instance,
}

// SAFETY: an instance may be used from any thread, one call at a time; a second call is refused.
unsafe impl Send for Instance {}

impl Drop for Instance {
    fn drop(&mut self) {
        // SAFETY: made by `init`, and not used any more.
        unsafe { self.library.destroy()(self.this) }
    }
}

impl Instance {
    fn new(library: MultipopRef, name: &CStr) -> Result<Instance, String> {
        let host = abi::Host { name: name.as_ptr(), log: Some(print_line), ..abi::Host::INIT };
        let mut this = null_mut();
        // SAFETY: struct, place and error live as long as the call.
        proved(|err| unsafe { library.init()(&host, &mut this, err) })?;
        Ok(Instance { library, this })
    }

    fn configure(&self, json: &str) -> Result<(), String> {
        let json = text(json)?;
        // SAFETY: the text lives as long as the call.
        proved(|err| unsafe { self.library.configure()(self.this, json.as_ptr(), err) })
    }

    fn accounts(&self, owner: &str) -> Result<String, String> {
        let owner = text(owner)?;
        let query = abi::Query { actor: owner.as_ptr(), ..abi::Query::INIT };
        // SAFETY: the query lives as long as the call.
        self.answer(|out, err| unsafe { self.library.accounts()(self.this, &query, out, err) })
    }

    fn authorize_url(&self, owner: &str, account: &str, session: &str) -> Result<String, String> {
        let (owner, account, session) = (text(owner)?, text(account)?, text(session)?);
        let request = abi::Authorize {
            actor: owner.as_ptr(),
            account: account.as_ptr(),
            session: session.as_ptr(),
            ..abi::Authorize::INIT
        };
        // SAFETY: the request lives as long as the call.
        self.answer(|out, err| unsafe { self.library.authorize_url()(self.this, &request, out, err) })
    }

    fn handle_callback(&self, uri: &str, session: &str) -> Result<String, String> {
        let (uri, session) = (text(uri)?, text(session)?);
        let callback = abi::Callback { uri: uri.as_ptr(), session: session.as_ptr(), ..abi::Callback::INIT };
        // SAFETY: the request lives as long as the call.
        self.answer(|out, err| unsafe { self.library.handle_callback()(self.this, &callback, out, err) })
    }

    fn fetch_all_due(&self, folder: &Folder) -> Result<abi::Report, String> {
        let what = abi::Fetch { actor: c"*".as_ptr(), ..abi::Fetch::INIT };
        let sink = abi::Sink {
            user: std::ptr::from_ref(folder).cast_mut().cast(),
            begin: Some(begin),
            data: Some(data),
            end: Some(end),
            abort: Some(abort),
            ..abi::Sink::INIT
        };
        let mut report = abi::Report::INIT;
        // SAFETY: all structs, and the folder behind the sink, live as long as the call.
        proved(|err| unsafe { self.library.fetch_once()(self.this, &what, &sink, &mut report, err) })?;
        Ok(report)
    }

    /// The text a call gave out, which must go back to the library.
    fn answer(&self, call: impl FnOnce(*mut *mut c_char, *mut abi::Error) -> i32) -> Result<String, String> {
        let mut out: *mut c_char = null_mut();
        let outcome = proved(|err| call(&mut out, err));
        if out.is_null() {
            return outcome.map(|()| String::new());
        }
        // SAFETY: the library's text, NUL-terminated, given back once.
        let said = unsafe {
            let said = CStr::from_ptr(out).to_string_lossy().into_owned();
            self.library.free()(out);
            said
        };
        outcome.map(|()| said)
    }
}

fn proved(call: impl FnOnce(*mut abi::Error) -> i32) -> Result<(), String> {
    let mut err = abi::Error::INIT;
    match call(&mut err) {
        abi::OK => Ok(()),
        status => {
            // SAFETY: the library terminates its texts.
            let [message, advice] =
                [err.message.as_ptr(), err.advice.as_ptr()].map(|text| unsafe { CStr::from_ptr(text) });
            Err(format!("{status}: {}\n{}", message.to_string_lossy(), advice.to_string_lossy()))
        }
    }
}

fn text(text: &str) -> Result<CString, String> {
    CString::new(text).map_err(|_| "text with a NUL in it".into())
}

unsafe extern "C" fn print_line(_: *mut c_void, _: u32, line: *const c_char) {
    // SAFETY: the library's line, for the time of this call.
    eprintln!("{}", unsafe { CStr::from_ptr(line) }.to_string_lossy());
}

/// One file per message in DIR/new, durable at its end. A panic in a callback would end the process, so there is
/// none: what fails is an answer.
struct Folder {
    dir: PathBuf,
}

struct Mail {
    file: File,
    key: String,
}

impl Folder {
    fn begin(&self, key: &CStr, received: &CStr) -> io::Result<Mail> {
        let key = key.to_string_lossy().into_owned();
        let mut file = File::create(self.dir.join("tmp").join(&key))?;
        file.write_all(received.to_bytes())?;
        Ok(Mail { file, key })
    }

    fn end(&self, mail: &Mail) -> io::Result<()> {
        mail.file.sync_all()?;
        let new = self.dir.join("new");
        fs::rename(self.dir.join("tmp").join(&mail.key), new.join(&mail.key))?;
        File::open(new)?.sync_all()
    }
}

unsafe extern "C" fn begin(
    user: *mut c_void,
    message: *const abi::Message,
    cookie: *mut *mut c_void,
    reason: *mut abi::Reason,
) -> i32 {
    // SAFETY: `user` is the folder given with the sink; the message is the library's for the time of this call.
    unsafe {
        let folder = &*user.cast::<Folder>();
        let (key, received) = ((*message).dedupe_key, (*message).received);
        match folder.begin(CStr::from_ptr(key), CStr::from_ptr(received)) {
            Ok(mail) => {
                *cookie = Box::into_raw(Box::new(mail)).cast();
                abi::GO
            }
            Err(e) => no(&e, reason),
        }
    }
}

unsafe extern "C" fn data(
    _: *mut c_void,
    cookie: *mut c_void,
    bytes: *const u8,
    size: usize,
    reason: *mut abi::Reason,
) -> i32 {
    // SAFETY: the cookie is from `begin`; the bytes are the library's for the time of this call.
    unsafe {
        let mail = &mut *cookie.cast::<Mail>();
        match mail.file.write_all(std::slice::from_raw_parts(bytes, size)) {
            Ok(()) => abi::GO,
            Err(e) => no(&e, reason),
        }
    }
}

unsafe extern "C" fn end(user: *mut c_void, cookie: *mut c_void, reason: *mut abi::Reason) -> i32 {
    // SAFETY: as in `begin` and `data`; the cookie comes back for the last time.
    unsafe {
        let folder = &*user.cast::<Folder>();
        let mail = Box::from_raw(cookie.cast::<Mail>());
        match folder.end(&mail) {
            Ok(()) => abi::TAKEN,
            Err(e) => no(&e, reason),
        }
    }
}

unsafe extern "C" fn abort(user: *mut c_void, cookie: *mut c_void) {
    // SAFETY: as in `end`.
    unsafe {
        let folder = &*user.cast::<Folder>();
        let mail = Box::from_raw(cookie.cast::<Mail>());
        let _ = fs::remove_file(folder.dir.join("tmp").join(&mail.key));
    }
}

/// # Safety
/// `reason` is the library's.
unsafe fn no(error: &io::Error, reason: *mut abi::Reason) -> i32 {
    // SAFETY: the caller's promise.
    let field = unsafe { &mut (*reason).text };
    let last = field.len() - 1;
    for (place, byte) in field[..last].iter_mut().zip(error.to_string().bytes()) {
        *place = byte as c_char;
    }
    match error.kind() {
        io::ErrorKind::StorageFull | io::ErrorKind::QuotaExceeded => abi::DEFER_FULL,
        _ => abi::DEFER,
    }
}
