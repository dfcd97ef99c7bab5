//! The operator's notices by webhook or command: its JSON, and an answer that says it arrived.

use std::io::{self, Write};
use std::os::fd::AsFd;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;

use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);

/// Any 2xx is a yes; no redirect is followed.
pub fn post(url: &str, notice: &Value) -> Result<(), String> {
    // This program's, not the library's: another one may have been first.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
    let work = async {
        let client = reqwest::Client::builder()
            .redirect(reqwest::redirect::Policy::none())
            .timeout(PATIENCE)
            .user_agent(concat!("multipop-host/", env!("CARGO_PKG_VERSION")))
            .build()?;
        let request = client.post(url).header("Content-Type", "application/json").body(notice.to_string());
        request.send().await
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let answer = runtime.map_err(|e| format!("the webhook: {e}"))?.block_on(work);
    // Its address may carry a secret.
    let answer = answer.map_err(|e| format!("the webhook: {}", chain(&e.without_url())))?;
    match answer.status().is_success() {
        true => Ok(()),
        false => Err(format!("the webhook answered {}", answer.status())),
    }
}

/// Its exit status 0 is a yes.
pub fn run(command: &str, notice: &Value) -> Result<(), String> {
    run_within(PATIENCE, command, notice)
}

/// What it prints is not this program's result, so it goes where remarks go. One that hangs holds up nothing but its
/// own notice.
fn run_within(patience: Duration, command: &str, notice: &Value) -> Result<(), String> {
    let failed = |e: io::Error| format!("the command: {e}");
    let remarks = io::stderr().as_fd().try_clone_to_owned().map_err(failed)?;
    let mut child = Command::new("sh")
        .args(["-c", command])
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(remarks)
        .spawn()
        .map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        let line = format!("{notice}\n");
        // One that does not read it may still be content.
        std::thread::spawn(move || stdin.write_all(line.as_bytes()));
    }
    match ended(&mut child, patience).map_err(failed)? {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(format!("the command ended with {status}")),
        None => Err(format!("the command did not end within {} s", patience.as_secs_f32())),
    }
}

/// `None`: it had to be ended, with what it started.
fn ended(child: &mut Child, patience: Duration) -> io::Result<Option<ExitStatus>> {
    let until = Instant::now() + patience;
    while Instant::now() < until {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        std::thread::sleep(Duration::from_millis(20));
    }
    if let Ok(group) = i32::try_from(child.id()) {
        // It may have ended just now.
        let _ = killpg(Pid::from_raw(group), Signal::SIGKILL);
    }
    child.wait().map(|_| None)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut words = error.to_string();
    let mut source = error.source();
    while let Some(next) = source {
        words = format!("{words}: {next}");
        source = next.source();
    }
    words
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_command_that_hangs_is_ended_with_what_it_started() {
        let begun = Instant::now();
        let long = json!({ "text": "x".repeat(1 << 20) });
        let told = run_within(Duration::from_millis(200), "sleep 600 | sleep 600", &long);
        assert_eq!(told, Err("the command did not end within 0.2 s".to_owned()));
        assert!(begun.elapsed() < Duration::from_secs(60));
    }

    #[test]
    fn a_command_hears_all_of_it_or_none() {
        let long = json!({ "text": "x".repeat(1 << 20) });
        assert_eq!(run("test $(wc -c) -gt 1048576", &long), Ok(()));
        assert_eq!(run("exit 0", &long), Ok(()));
        assert!(run("exit 3", &long).unwrap_err().contains("3"));
    }
}
