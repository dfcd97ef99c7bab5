//! The operator's notices by webhook or command: its JSON, and an answer that says it arrived.

use std::io::Write;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, killpg};
use nix::unistd::Pid;
use serde_json::Value;

const PATIENCE: Duration = Duration::from_secs(30);
const LOOK_EVERY: Duration = Duration::from_millis(20);

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

/// One that hangs is ended with everything it began: nobody's mail waits for it.
fn run_within(patience: Duration, command: &str, notice: &Value) -> Result<(), String> {
    let failed = |e: std::io::Error| format!("the command: {e}");
    let mut shell = Command::new("sh");
    let mut child =
        shell.args(["-c", command]).stdin(Stdio::piped()).process_group(0).spawn().map_err(failed)?;
    let group = Pid::from_raw(child.id().try_into().map_err(|_| "the command has no process id")?);
    let (stdin, line) = (child.stdin.take(), format!("{notice}\n"));
    std::thread::spawn(move || {
        // One that does not read it may still be content.
        let _ = stdin.map(|mut stdin| stdin.write_all(line.as_bytes()));
    });
    let end = Instant::now() + patience;
    loop {
        match child.try_wait().map_err(failed)? {
            Some(status) if status.success() => return Ok(()),
            Some(status) => return Err(format!("the command ended with {status}")),
            None if Instant::now() < end => std::thread::sleep(LOOK_EVERY),
            None => break,
        }
    }
    // It may have ended just now.
    let _ = killpg(group, Signal::SIGKILL);
    child.wait().map_err(failed)?;
    Err(format!("the command was still running after {} s and was ended", patience.as_secs()))
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
    fn a_command_that_hangs_is_ended_even_where_it_does_not_read() {
        let begun = Instant::now();
        // More than a pipe holds.
        let notice = json!({ "text": "x".repeat(1 << 20) });
        let ended = run_within(Duration::from_millis(200), "sleep 60; true", &notice);
        assert!(ended.unwrap_err().contains("still running"));
        assert!(begun.elapsed() < Duration::from_secs(30));
        run_within(PATIENCE, "test \"$(wc -c)\" -gt 1000000", &notice).unwrap();
    }
}
