//! The operator's notices by webhook or command: its JSON, and an answer that says it arrived.

use std::io::Write;
use std::process::{Command, Stdio};
use std::time::Duration;

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
    let failed = |e: std::io::Error| format!("the command: {e}");
    let mut child = Command::new("sh").args(["-c", command]).stdin(Stdio::piped()).spawn().map_err(failed)?;
    if let Some(mut stdin) = child.stdin.take() {
        // One that does not read it may still be content.
        let _ = writeln!(stdin, "{notice}");
    }
    let status = child.wait().map_err(failed)?;
    if status.success() { Ok(()) } else { Err(format!("the command ended with {status}")) }
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
