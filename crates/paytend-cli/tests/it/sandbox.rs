//! Tests for `paytend sandbox`, `control` and `scenario`: the interface for scripts, and the state after the process is
//! killed.

use std::collections::BTreeMap;
use std::io::{BufRead as _, BufReader, Read as _};
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use paytend_client::ClientBuilder;
use paytend_crypto::PrivateKey;
use paytend_model::issuing::{QueryPartnerBalance, Topup};
use serde_json::Value;

use crate::running::RunningSandbox;

fn runtime() -> tokio::runtime::Runtime {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap()
}

#[test]
fn sandbox_prints_ready_line_and_reuses_key_directory() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let arguments = ["--port", "0", "--keys", keys.to_str().unwrap(), "--bits", "2048", "--shared-key"];
    let runtime = runtime();
    let first = {
        let running = RunningSandbox::start(&arguments);
        let names: Vec<&String> = running.ready.as_object().unwrap().keys().collect();
        assert_eq!(names, ["base_url", "control_url", "profile_file", "ready", "ui_url"]);
        assert_eq!(running.ready["ready"], true);
        assert_eq!(running.url("control_url"), format!("{}/_sandbox", running.url("base_url")));
        runtime.block_on(async { running.client(&keys).send(&QueryPartnerBalance::new()).await.unwrap() });
        std::fs::read_to_string(keys.join("partner-id")).unwrap()
    };
    let [own, paytend] =
        ["partner", "paytend"].map(|side| std::fs::read(keys.join(format!("{side}-private.pem"))).unwrap());
    assert_eq!((own == paytend, first.trim().len()), (true, 15));
    assert_eq!(PrivateKey::from_bytes(&own).unwrap().public_key().bits(), 2048);
    // The second start uses the existing keys, although the options for new keys are missing.
    let running = RunningSandbox::start(&arguments[..4]);
    runtime.block_on(async { running.client(&keys).send(&QueryPartnerBalance::new()).await.unwrap() });
    assert_eq!(std::fs::read_to_string(keys.join("partner-id")).unwrap(), first);
}

#[test]
fn client_reads_the_profile_file_in_the_key_directory() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let arguments = ["--keys", keys.to_str().unwrap(), "--port", "0"];
    let file = keys.join("paytend.toml");
    let balance = || {
        let client = ClientBuilder::from_file(&file, "sandbox").unwrap().build().unwrap();
        runtime().block_on(async { client.send(&QueryPartnerBalance::new()).await })
    };
    // The second sandbox listens on a different port, so it must write its URL to the file.
    for _ in 0..2 {
        let running = RunningSandbox::start(&arguments);
        assert_eq!(Path::new(&running.url("profile_file")), file);
        let balances = serde_json::to_string(&balance().unwrap()).unwrap();
        assert!(balances.contains("10000.00"), "{balances}");
        drop(running);
        assert!(balance().is_err());
    }
    let changed = "# changed\n".to_owned() + &std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, &changed).unwrap();
    let mut process = Command::new(env!("CARGO_BIN_EXE_paytend"))
        .arg("sandbox")
        .args(arguments)
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (stdout, mut stderr) = (process.stdout.take().unwrap(), process.stderr.take().unwrap());
    let running = RunningSandbox { process, ready: Value::Null };
    let mut line = String::new();
    BufReader::new(stdout).read_line(&mut line).unwrap();
    drop(running);
    // The sandbox writes the warning before the ready line, so the whole warning can be read now.
    let mut warning = String::new();
    stderr.read_to_string(&mut warning).unwrap();
    assert!(line.contains("\"ready\":true") && !line.contains("profile_file"), "{line}");
    assert!(warning.starts_with("warning: ") && warning.contains("paytend.toml was not overwritten"), "{warning}");
    assert_eq!(std::fs::read_to_string(&file).unwrap(), changed);
}

#[test]
fn invalid_option_exits_with_the_documented_code() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let keys = keys.to_str().unwrap();
    let production = folder.path().join("production");
    for (arguments, code, word) in [
        (vec!["--keys", keys, "--host", "0.0.0.0"], 3, "loopback"),
        (vec!["--keys", production.to_str().unwrap()], 3, "real keys"),
        (vec!["--keys", keys, "--bits", "512"], 2, "512"),
        (vec!["--keys", keys, "--fault", "topup:explode"], 2, "topup:resetAfter:next"),
        (vec!["--keys", keys, "--pace", "slow"], 2, "60"),
        (vec![], 2, "--keys"),
    ] {
        let mut process = Command::new(env!("CARGO_BIN_EXE_paytend"))
            .arg("sandbox")
            .args(&arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let status = process.wait().unwrap();
        let mut stderr = String::new();
        process.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
        assert!(status.code() == Some(code) && stderr.contains(word), "{arguments:?}: {status} {stderr}");
    }
}

#[test]
fn control_commands_change_a_running_sandbox() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys");
    let running = RunningSandbox::start(&["--keys", keys.to_str().unwrap(), "--pace", "frozen", "--timing", "instant"]);
    let control = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_paytend"))
            .args(["control", "--url", &running.url("control_url")])
            .args(arguments)
            .output()
            .unwrap();
        let text = String::from_utf8(if output.status.success() { output.stdout } else { output.stderr }).unwrap();
        (output.status.code(), text)
    };
    let runtime = runtime();
    let call = || runtime.block_on(async { running.client(&keys).send(&QueryPartnerBalance::new()).await });
    assert_eq!(control(&["fault", "getPartnerBalance:html502:next"]).0, Some(0));
    assert!(call().is_err() && call().is_ok());
    let (code, made) = control(&["trigger", "baas", "2", "--content", r#"{"amount":12.340}"#]);
    assert_eq!((code, made.trim()), (Some(0), r#"{"deliveries":[1]}"#));
    assert!(control(&["deliveries"]).1.contains("noUrl"));
    assert_eq!(control(&["advance", "15h"]).0, Some(0));
    assert_eq!(control(&["clear-faults"]).1.trim(), r#"{"faults":[]}"#);
    assert!(control(&["state"]).1.contains("10000.00"));
    assert_eq!(control(&["reset"]).0, Some(0));
    let wrong_url = Command::new(env!("CARGO_BIN_EXE_paytend"))
        .args(["control", "--url", &running.url("base_url"), "advance", "15h"])
        .output()
        .unwrap();
    assert_eq!(wrong_url.status.code(), Some(2));
    for (arguments, code, word) in [
        (vec!["fault", "topupp:hang"], 2, "unknown target `topupp`"),
        (vec!["fault", "topup"], 2, "topup:resetAfter:next"),
        (vec!["advance", "soon"], 6, "15h"),
        (vec!["trigger", "baas", "2", "--to", "http://127.0.0.1:1/"], 6, "callback URL"),
        (vec!["trigger", "baas", "2", "--content", "{"], 2, "--content"),
    ] {
        let (found, output) = control(&arguments);
        assert!(found == Some(code) && output.contains(word), "{arguments:?}: {found:?} {output}");
    }
}

#[test]
fn scenarios_can_be_listed_and_run() {
    let scenario = |arguments: &[&str]| {
        let output = Command::new(env!("CARGO_BIN_EXE_paytend")).arg("scenario").args(arguments).output().unwrap();
        (output.status.code(), String::from_utf8(output.stdout).unwrap(), String::from_utf8(output.stderr).unwrap())
    };
    assert_eq!(scenario(&[]).1.lines().count(), 6);
    let (code, stdout, _) = scenario(&["topup-lost-response"]);
    assert!(
        code == Some(0) && stdout.contains("ok a query by order number finds the topup (call getTopupResult)"),
        "{stdout}"
    );
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("mine.toml");
    std::fs::write(&file, "name = \"mine\"\n[[step]]\nfunds = true\nexpect = { EUR = \"1.00\" }\n").unwrap();
    let (code, _, stderr) = scenario(&[file.to_str().unwrap()]);
    assert!(code == Some(1) && stderr.contains("expected EUR to be 1.00; found 10000.00"), "{stderr}");
    assert_eq!(scenario(&["none.toml"]).0, Some(3));
}

/// Kills the sandbox fifty times while several clients send orders. Every order with a response must exist after the
/// restart, and no order may be executed twice or partially.
#[test]
fn state_is_consistent_after_fifty_kills() {
    let folder = tempfile::tempdir().unwrap();
    let (keys, data) = (folder.path().join("keys"), folder.path().join("data"));
    let arguments =
        ["--keys", keys.to_str().unwrap(), "--data", data.to_str().unwrap(), "--timing", "instant", "--pace", "frozen"];
    let runtime = runtime();
    let accepted: Arc<Mutex<BTreeMap<String, u32>>> = Arc::default();
    let mut before = BTreeMap::new();
    for run in 0..50u32 {
        let mut running = RunningSandbox::start(&arguments);
        let state = runtime.block_on(running.state());
        before = check_orders(&state, &accepted.lock().unwrap(), &before);
        let client = running.client(&keys);
        // The sandbox is killed after `kill_after` responses, while other orders are still in progress.
        let responses = Arc::new(AtomicU32::new(0));
        let kill_after = 1 + (run * 7) % 12;
        let (sender, mut kill_now) = tokio::sync::mpsc::channel::<()>(64);
        let tasks: Vec<_> = (0..4)
            .map(|n| {
                let (client, accepted, responses, sender) =
                    (client.clone(), Arc::clone(&accepted), Arc::clone(&responses), sender.clone());
                runtime.spawn(async move {
                    for k in 0.. {
                        let (order, cents) = (format!("T-{run}-{n}-{k}"), 1 + (run + n + k) % 99);
                        let amount = format!("0.{cents:02}").parse().unwrap();
                        let topup = Topup::builder()
                            .card_id("1755902")
                            .order_no(order.as_str())
                            .amount(amount)
                            .currency("EUR")
                            .build();
                        if client.send(&topup).await.is_err() {
                            return;
                        }
                        accepted.lock().unwrap().insert(order, cents);
                        if responses.fetch_add(1, Ordering::SeqCst) + 1 >= kill_after {
                            let _ = sender.send(()).await;
                        }
                    }
                })
            })
            .collect();
        runtime.block_on(kill_now.recv());
        // `kill` sends SIGKILL, so the process cannot finish any work.
        running.process.kill().unwrap();
        running.process.wait().unwrap();
        for task in tasks {
            runtime.block_on(task).unwrap();
        }
    }
    let running = RunningSandbox::start(&arguments);
    let orders = check_orders(&runtime.block_on(running.state()), &accepted.lock().unwrap(), &before);
    assert!(orders.len() > 50 && accepted.lock().unwrap().len() > 50, "{}", orders.len());
}

/// Checks that money is conserved, that every order with a response exists with its amount, and that no earlier order
/// is missing. Returns all orders.
fn check_orders(
    state: &Value,
    accepted: &BTreeMap<String, u32>,
    before: &BTreeMap<String, i64>,
) -> BTreeMap<String, i64> {
    assert_eq!(state["conserves"], true);
    let cents = |text: &Value| text.as_str().unwrap_or("0.00").replace('.', "").parse::<i64>().unwrap();
    let partner = state["partners"].as_object().unwrap().values().next().unwrap();
    let orders: BTreeMap<String, i64> = partner["topups"]
        .as_array()
        .unwrap()
        .iter()
        .map(|topup| {
            assert_eq!(topup["state"], "succeeded");
            (topup["orderNo"].as_str().unwrap().to_owned(), cents(&topup["amount"]))
        })
        .collect();
    for (order, amount) in accepted {
        assert_eq!(orders.get(order), Some(&i64::from(*amount)), "{order} had a response");
    }
    assert!(before.iter().all(|(order, amount)| orders.get(order) == Some(amount)));
    let sum: i64 = orders.values().sum();
    let card = partner["cards"].as_array().unwrap().iter().find(|card| card["cardId"] == "1755902").unwrap();
    assert_eq!(cents(&card["balance"]["EUR"]), sum);
    assert_eq!(cents(&partner["funds"]["EUR"]), 1_000_000 - sum);
    orders
}
