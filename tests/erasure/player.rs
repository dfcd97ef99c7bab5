//! Another process at work on the same account: this very binary again, for one test alone, with its part in the
//! environment.

use std::io::{BufRead, BufReader, Lines};
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use multipop::config::Config;
use multipop::engine::call::{self, Clock};
use multipop::engine::grant::access;
use multipop::engine::settings::Settings;
use multipop::error::Error;
use multipop::model::{Answer, OPERATOR};
use multipop::service::Instance;
use multipop::service::consent::CallbackRequest;
use multipop::service::fetch::FetchRequest;

use crate::house::Recorder;
use crate::house::signed::{SESSION, Signed};
use crate::{ID, request};

const CONFIGURATION: &str = "MULTIPOP_TEST_CONFIGURATION";
const PART: &str = "MULTIPOP_TEST_PART";
const URI: &str = "MULTIPOP_TEST_URI";

/// Some seconds ahead, so that a code may be asked about.
struct Ahead(u64);

impl Clock for Ahead {
    fn now(&self) -> u64 {
        SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_secs() + self.0
    }
}

/// `None` in the test itself.
pub fn part() -> Option<()> {
    let configuration = std::fs::read_to_string(std::env::var_os(CONFIGURATION)?).unwrap();
    let part = std::env::var(PART).unwrap();
    let uri = std::env::var(URI).unwrap_or_default();
    let cause = |done: Result<(), Error>| done.err().map_or("ok", |error| error.cause);
    let clock = Arc::new(Ahead(if part == "refresh" { 3500 } else { 20 }));
    let instance = Instance::new("player", clock.clone());
    if part != "refresh" {
        instance.configure(&mut Recorder::default(), &configuration).unwrap();
    }
    let mut sink = Recorder::default();
    let ended = match part.as_str() {
        "fetch" => {
            let mut begun = false;
            sink.on_data = Some(Box::new(move |_, _| {
                if !std::mem::replace(&mut begun, true) {
                    println!("\n{IN_HAND}");
                }
                Answer::Go
            }));
            let request = FetchRequest { actor: OPERATOR, account: Some(ID), deadline_s: 120, now: true };
            cause(instance.fetch_once(&mut sink, &request).0)
        }
        "callback" => {
            let callback = CallbackRequest { uri: &uri, form: None, session: SESSION };
            cause(instance.handle_callback(&mut sink, &callback).0)
        }
        "device" => cause(instance.device_poll(&mut sink, &request(OPERATOR)).0),
        // As it is kept alive where nobody visits.
        "refresh" => {
            let settings = Arc::new(Settings::prove(Config::read(&configuration).unwrap()).unwrap());
            let row = settings.open_store(clock.now()).unwrap().account(ID).unwrap().unwrap();
            let clock: Arc<dyn Clock> = clock;
            let cancel = Arc::default();
            cause(call::run(
                &mut sink,
                &settings,
                &clock,
                &cancel,
                Duration::from_secs(60),
                |call| async move { access(&call, &row).await.map(drop) },
            ))
        }
        other => panic!("no part {other}"),
    };
    println!("\n{ENDED}{ended} delivered={} aborted={}", sink.delivered.len(), sink.aborted);
    Some(())
}

const IN_HAND: &str = "a message is in hand";
const ENDED: &str = "ended: ";

pub struct Player {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
}

impl Player {
    pub fn start(signed: &Signed, test: &str, part: &str, uri: &str) -> Player {
        let configuration = signed.house.path("configuration.json");
        std::fs::write(&configuration, signed.house.config.to_string()).unwrap();
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", test, "--nocapture"])
            .env(CONFIGURATION, configuration)
            .env(PART, part)
            .env(URI, uri)
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Player { child, lines }
    }

    pub fn wait_until_in_hand(&mut self) {
        assert!(self.lines.any(|line| line.unwrap().ends_with(IN_HAND)), "no message came");
    }

    pub fn is_over(&mut self) -> bool {
        self.child.try_wait().unwrap().is_some()
    }

    /// How its part ended.
    pub fn end(mut self) -> String {
        let mut lines = self.lines.by_ref().map(|line| line.unwrap());
        let ended = lines.find_map(|line| line.strip_prefix(ENDED).map(str::to_owned));
        assert!(self.child.wait().unwrap().success());
        ended.expect("the other process ended early")
    }
}
