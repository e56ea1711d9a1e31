//! `paytend sandbox logs`: the calls and deliveries of a running sandbox.

use reqwest::Method;
use serde_json::Value;

use super::client::SandboxArgs;
use crate::exit::{Category, Failure};
use crate::output::{self, Style};

/// The number of existing entries that `tail` prints first.
const EARLIER: usize = 10;

/// Prints the most recent entries, and new entries as they arrive.
pub(super) async fn tail(at: &SandboxArgs) -> Result<(), Failure> {
    // The stream is opened before the list is read, so that no entry is missed.
    let mut stream = at.send(Method::GET, "/events", None).await?;
    let mut last = print_list(at, EARLIER).await?;
    let mut buffer = Vec::new();
    let ended = || Failure::new(Category::Network, "the sandbox closed the stream");
    loop {
        let chunk = stream.chunk().await.map_err(|_| ended())?.ok_or_else(ended)?;
        buffer.extend_from_slice(&chunk);
        while let Some(end) = buffer.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = buffer.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line);
            if line.starts_with("event: lagged") || line.starts_with("event:lagged") {
                output::warn("entries were missed: run `paytend sandbox logs show` to list them");
            }
            let Some(data) = line.strip_prefix("data:").map(str::trim).filter(|data| data.starts_with('{')) else {
                continue;
            };
            let entry: Value = serde_json::from_str(data).unwrap_or_default();
            if entry["id"].as_u64() > last {
                last = entry["id"].as_u64();
                print(at, &entry)?;
            }
        }
    }
}

/// Lists the entries, or shows one entry with its documents. The documents contain personal data.
pub(super) async fn show(at: &SandboxArgs, id: Option<u64>) -> Result<(), Failure> {
    let Some(id) = id else {
        print_list(at, usize::MAX).await?;
        return Ok(());
    };
    let text = at.text(Method::GET, &format!("/log/{id}"), None).await?;
    if at.json {
        output::line(&text)?;
    } else {
        output::json_text(&text)?;
    }
    Ok(())
}

/// Prints the last entries, and returns the ID of the last entry.
async fn print_list(at: &SandboxArgs, most: usize) -> Result<Option<u64>, Failure> {
    let text = at.text(Method::GET, "/log", None).await?;
    let log: Value = serde_json::from_str(&text).unwrap_or_default();
    let entries = log["entries"].as_array().map(Vec::as_slice).unwrap_or_default();
    entries.iter().skip(entries.len().saturating_sub(most)).try_for_each(|entry| print(at, entry))?;
    Ok(entries.last().and_then(|entry| entry["id"].as_u64()))
}

fn print(at: &SandboxArgs, entry: &Value) -> Result<(), Failure> {
    if at.json {
        return output::json(entry);
    }
    let style = Style::stdout();
    let text = |name: &str| entry[name].as_str().unwrap_or_default().to_owned();
    let millis = entry["at"].as_i64().unwrap_or_default();
    let time = jiff::Timestamp::from_millisecond(millis).map(|time| format!("{time:.0}")).unwrap_or_default();
    let verdict = text("verdict");
    let verdict = if entry["good"] == true { style.good(&verdict) } else { style.bad(&verdict) };
    let faults = entry["faults"].as_array().into_iter().flatten().filter_map(|fault| fault["kind"].as_str());
    let faults: Vec<&str> = faults.collect();
    let faults = if faults.is_empty() { String::new() } else { format!("  (fault {})", faults.join(", ")) };
    Ok(output::line(&format!(
        "{:>5}  {}  {:<8}  {:<28}  {verdict}{faults}",
        entry["id"].as_u64().unwrap_or_default(),
        style.dim(time.get(11..19).unwrap_or_default()),
        text("kind"),
        text("what"),
    ))?)
}
