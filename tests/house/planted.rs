//! A panic planted inside a session, without a hook in the library: the logger is the program's, and a log line is
//! written on the thread, and in the task, that does what it tells. A host behind the C ABI has no such logger.

use std::sync::Once;

use log::{Log, Metadata, Record};
use multipop::engine::line::{self, Logger};
use parking_lot::Mutex;

struct Planted;

/// Lines at which it panics, as they begin and whole words of them.
static PLANTED: Mutex<Vec<&str>> = Mutex::new(Vec::new());

/// To be called before the first `House`: from now on every line passes here, and a panic is told as the shared
/// library tells it.
pub fn install() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        log::set_logger(&Planted).expect("the first logger of this program");
        log::set_max_level(log::LevelFilter::Trace);
        let tell = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            let place =
                panic.location().map_or_else(String::new, |at| format!("{}:{}", at.file(), at.line()));
            let words = panic.payload().downcast_ref::<String>().map_or("", String::as_str);
            if line::panicked(&place, words).is_some() || words.is_empty() {
                tell(panic);
            }
        }));
    });
}

/// From now on the session panics that writes this line, or one that goes on with further fields.
pub fn plant(line: &'static str) {
    PLANTED.lock().push(line);
}

pub fn clear(line: &str) {
    PLANTED.lock().retain(|planted| *planted != line);
}

impl Log for Planted {
    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        Logger.enabled(metadata)
    }

    fn log(&self, record: &Record<'_>) {
        Logger.log(record);
        let said = record.args().to_string();
        let begins = |planted: &&&str| {
            said.strip_prefix(**planted).is_some_and(|rest| rest.is_empty() || rest.starts_with(' '))
        };
        let planted = PLANTED.lock().iter().find(begins).copied();
        if let Some(planted) = planted {
            panic!("planted at {planted}");
        }
    }

    fn flush(&self) {}
}
