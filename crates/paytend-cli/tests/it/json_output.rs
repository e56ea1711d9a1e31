//! Tests that each command's JSON output matches a schema, or that the command is listed with the reason why it has
//! none.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::{Value, json};

use crate::help::commands;
use crate::outbox::Place;
use crate::running::RunningSandbox;
use crate::schema::checked;
use crate::support::{Keys, RunOutput, command, finish, run};

/// The schemas of each command's output.
const SCHEMAS: &[(&str, &[&str])] = &[
    ("demo", &["demo"]),
    ("doctor", &["doctor"]),
    ("inspect", &["inspect"]),
    ("config init", &["config-init"]),
    ("config list", &["config-list"]),
    ("config show", &["config-show"]),
    ("config set", &["config-set"]),
    ("config secret", &["config-set"]),
    ("config path", &["file"]),
    ("call", &["call", "call-dry-run"]),
    ("pages", &["pages"]),
    ("keys generate", &["keys-generate"]),
    ("keys inspect", &["keys-inspect"]),
    ("seal", &["seal"]),
    ("open", &["open"]),
    ("verify", &["verify"]),
    ("explain", &["explain"]),
    ("sandbox", &["sandbox-ready"]),
    ("sandbox logs tail", &["sandbox-log"]),
    ("sandbox logs show", &["sandbox-log"]),
    ("sandbox callback", &["sandbox-empty"]),
    ("sandbox resend", &["events-resend"]),
    ("sandbox fault list", &["sandbox-faults"]),
    ("sandbox fault kinds", &["fault-kinds"]),
    ("sandbox fault set", &["sandbox-faults"]),
    ("sandbox fault clear", &["sandbox-faults"]),
    ("sandbox clock show", &["sandbox-clock"]),
    ("sandbox clock advance", &["sandbox-clock"]),
    ("sandbox clock freeze", &["sandbox-clock"]),
    ("sandbox clock rate", &["sandbox-clock"]),
    ("sandbox seed", &["sandbox-empty"]),
    ("sandbox export", &["sandbox-export"]),
    ("sandbox import", &["sandbox-empty"]),
    ("sandbox scenario list", &["scenario-list"]),
    ("sandbox scenario run", &["scenario-run"]),
    ("inbox serve", &["inbox-ready"]),
    ("inbox list", &["inbox-list"]),
    ("inbox show", &["inbox-show"]),
    ("inbox redrive", &["inbox-redrive"]),
    ("inbox bury", &["inbox-bury"]),
    ("inbox stats", &["inbox-stats"]),
    ("inbox check", &["check"]),
    ("inbox audit", &["inbox-audit"]),
    ("inbox erase", &["inbox-erase"]),
    ("inbox generate-key", &["file"]),
    ("inbox backup", &["file"]),
    ("outbox list", &["outbox-list"]),
    ("outbox show", &["outbox-show"]),
    ("outbox decide", &["outbox-decide"]),
    ("outbox retry", &["outbox-retry"]),
    ("outbox close", &["outbox-retry"]),
    ("outbox pause", &["outbox-pause"]),
    ("outbox resume", &["outbox-pause"]),
    ("outbox stats", &["outbox-stats"]),
    ("outbox check", &["check"]),
    ("outbox audit", &["outbox-audit"]),
    ("outbox drop-content", &["outbox-drop-content"]),
    ("outbox recover", &["outbox-recover", "outbox-recover-end"]),
    ("reconcile", &["reconcile"]),
    ("listen", &["listen-ready", "listen"]),
    ("trigger", &["trigger", "trigger-list"]),
    ("events list", &["events", "events-sandbox"]),
    ("events show", &["events", "events-sandbox"]),
    ("events resend", &["events-resend"]),
    ("events tail", &["events", "events-sandbox"]),
    ("control fault", &["sandbox-faults"]),
    ("control clear-faults", &["sandbox-faults"]),
    ("control advance", &["sandbox-clock"]),
    ("control trigger", &["control-trigger"]),
    ("control state", &["control-state"]),
    ("control deliveries", &["control-deliveries"]),
    ("control reset", &["sandbox-empty"]),
    ("scenario", &["scenario-run", "scenario-list"]),
    ("endpoints", &["endpoints"]),
    ("help", &["help-errors"]),
];

/// The commands that never print JSON, each with the reason.
const WITHOUT: &[(&str, &str)] =
    &[("completions", "prints a shell script"), ("man", "prints the source of a manual page")];

/// Returns all commands that can be run: commands without subcommands, and `sandbox`.
fn runnable() -> BTreeSet<String> {
    let all: Vec<String> = commands().iter().map(|words| words.join(" ")).collect();
    let has_subcommands = |name: &str| all.iter().any(|other| other.starts_with(&format!("{name} ")));
    let runs = |name: &&String| !name.is_empty() && (*name == "sandbox" || !has_subcommands(name));
    all.iter().filter(runs).cloned().collect()
}

#[test]
fn every_command_has_a_schema_or_is_listed_with_a_reason() {
    let known = SCHEMAS.iter().map(|(name, _)| *name).chain(WITHOUT.iter().map(|(name, _)| *name));
    let known: BTreeSet<String> = known.map(str::to_owned).collect();
    assert_eq!(runnable(), known);
    for (name, _) in SCHEMAS {
        let words: Vec<&str> = name.split(' ').chain(["--help"]).collect();
        let help = run(&words, b"").stdout;
        assert!(help.contains("--json"), "{name} does not accept --json");
    }
}

/// At least one test compares each schema with real output.
#[test]
fn every_schema_is_used_and_checked() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/schemas");
    let files = std::fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap());
    let files: BTreeSet<String> = files.map(|name| name.trim_end_matches(".json").to_owned()).collect();
    let used: BTreeSet<String> = SCHEMAS.iter().flat_map(|(_, names)| *names).map(|name| (*name).to_owned()).collect();
    assert_eq!(files, used);
    let tests = std::fs::read_dir(concat!(env!("CARGO_MANIFEST_DIR"), "/tests/it")).unwrap();
    let tests: String = tests.map(|file| std::fs::read_to_string(file.unwrap().path()).unwrap()).collect();
    // A mention of a schema in a comment does not count.
    let code: Vec<&str> = tests.lines().map(|line| line.split("//").next().unwrap_or_default()).collect();
    for name in files {
        let call = format!("checked(\"{name}\"");
        assert!(code.iter().any(|line| line.contains(&call)), "no test checks {name}.json");
    }
}

/// If a schema accepted every document, comparing output with it would prove nothing.
#[test]
fn every_schema_refuses_documents_of_another_form() {
    for (_, name) in SCHEMAS.iter().flat_map(|(command, names)| names.iter().map(move |name| (command, name))) {
        let path = format!("{}/schemas/{name}.json", env!("CARGO_MANIFEST_DIR"));
        let schema: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
        let validator = jsonschema::validator_for(&schema).unwrap();
        for other in [json!(null), json!("text"), json!({"unexpected": 1}), json!([{"unexpected": 1}])] {
            assert!(!validator.is_valid(&other), "{name}.json accepts {other}");
        }
        // `sandbox-empty` describes responses without data, so only this schema accepts an empty object.
        assert_eq!(validator.is_valid(&json!({})), *name == "sandbox-empty", "{name}.json");
    }
}

/// Returns the output of a command that succeeds.
fn printed(args: &[&str]) -> String {
    let ran = run(args, b"");
    assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
    ran.stdout
}

#[test]
fn key_and_message_output_matches_its_schemas() {
    let keys = Keys::new();
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("new").to_str().unwrap().to_owned();
    checked("keys-generate", &printed(&["keys", "generate", "--bits", "1024", "--out", &out, "--json"]));
    for file in ["partner.pem", "partner.pub"] {
        checked("keys-inspect", &printed(&["keys", "inspect", &keys.arg(file), "--json"]));
    }
    let fields = format!(r#"{{"partnerId":"{}"}}"#, paytend_vectors::PARTNER_ID);
    let [own, peer] = ["partner.pem", "paytend.pub"].map(|file| keys.arg(file));
    let seal = ["seal", "--as", "partner", "--kind", "request", "--private-key", &own, "--public-key", &peer];
    let sealed = run(&[&seal[..], &["--fields", &fields, "--payload", "-", "--json"]].concat(), br#"{"amount":1.10}"#);
    checked("seal", &sealed.stdout);
    let [own, peer] = ["paytend.pem", "partner.pub"].map(|file| keys.arg(file));
    let open = ["open", "--as", "paytend", "--kind", "request", "--private-key", &own, "--public-key", &peer, "--json"];
    let opened = run(&open, sealed.stdout.as_bytes());
    assert_eq!(checked("open", &opened.stdout)["payload_text"], r#"{"amount":1.10}"#);
    let case = paytend_vectors::detached().into_iter().find(|case| case.valid).unwrap();
    let key = keys.arg(&format!("{}.pub", case.key));
    let verify = ["verify", "--provider", "payby", "--public-key", &key, "--sign", &case.sign, "--json"];
    checked("verify", &run(&verify, &case.body()).stdout);
}

#[test]
fn demo_output_matches_its_schema() {
    let lines = printed(&["demo", "--json"]);
    assert!(lines.lines().inspect(|line| drop(checked("demo", line))).count() > 5);
}

#[test]
fn profile_output_matches_its_schemas() {
    let folder = tempfile::tempdir().unwrap();
    let keys = folder.path().join("keys").to_str().unwrap().to_owned();
    drop(RunningSandbox::start(&["--keys", &keys]));
    let config = |args: &[&str]| {
        let file = folder.path().join("config.toml");
        let ran = finish(command().arg("config").args(args).arg("--json").env("PAYTEND_CONFIG", file), b"");
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran.stdout
    };
    assert_eq!(checked("config-init", &config(&["init", "local", "--from-sandbox", &keys]))["profile"], "local");
    assert_eq!(checked("config-set", &config(&["set", "deadline_seconds", "7"]))["setting"], "deadline_seconds");
    checked("config-list", &config(&["list"]));
    assert_eq!(checked("config-show", &config(&["show"]))["settings"]["deadline_seconds"], 7);
    checked("file", &config(&["path"]));
}

/// A sandbox with a key directory.
struct SandboxPlace {
    sandbox: RunningSandbox,
    folder: tempfile::TempDir,
}

impl SandboxPlace {
    fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let keys = folder.path().join("keys");
        let sandbox = RunningSandbox::start(&["--keys", keys.to_str().unwrap(), "--pace", "frozen", "--json"]);
        Self { sandbox, folder }
    }

    fn path(&self, name: &str) -> String {
        self.folder.path().join(name).to_str().unwrap().to_owned()
    }

    fn sandbox(&self, args: &[&str]) -> String {
        printed(&[&["sandbox"], args, &["--keys", &self.path("keys"), "--json"]].concat())
    }

    fn control(&self, args: &[&str]) -> String {
        printed(&[&["control", "--url", &self.sandbox.url("control_url"), "--json"], args].concat())
    }
}

#[test]
fn sandbox_command_output_matches_its_schemas() {
    let place = SandboxPlace::new();
    checked("sandbox-ready", &place.sandbox.ready.to_string());
    let call = ["call", "getPartnerBalance", "--json", "--keys", &place.path("keys")];
    checked("call", &printed(&call));
    checked("call-dry-run", &printed(&[&call[..], &["--dry-run"]].concat()));
    let pages = ["pages", "issuing.getCities", "-f", "countryCode=LT", "-f", "start=0", "-f", "maxResult=9", "--json"];
    let pages = printed(&[&pages[..], &["--keys", &place.path("keys")]].concat());
    assert!(pages.lines().inspect(|line| drop(checked("pages", line))).count() > 0);
    let topup = ["topup", "-f", "cardId=1755902", "-f", "orderNo=T-1", "-f", "amount=2.50", "-f", "currency=EUR"];
    printed(&[&["call", "--keys", &place.path("keys")], &topup[..]].concat());
    let pages = printed(&["pages", "issuing.getPartnerTransactions", "--keys", &place.path("keys")]);
    assert!(pages.lines().inspect(|line| drop(checked("pages", line))).count() > 0);
    for args in [&["fault", "set", "topup:latency:1s:next"][..], &["fault", "list"], &["fault", "clear"]] {
        checked("sandbox-faults", &place.sandbox(args));
    }
    for args in [&["clock", "show"][..], &["clock", "rate", "60"], &["clock", "freeze"], &["clock", "advance", "1d"]] {
        checked("sandbox-clock", &place.sandbox(args));
    }
    checked("sandbox-empty", &place.sandbox(&["seed", "--funds", "1.00"]));
    checked("sandbox-empty", &place.sandbox(&["callback", "payermax", "http://127.0.0.1:1/"]));
    let made = checked("control-trigger", &place.control(&["trigger", "payermax"]));
    assert_eq!(made, json!({"deliveries": [1]}));
    checked("control-deliveries", &place.control(&["deliveries"]));
    checked("control-state", &place.control(&["state"]));
    checked("sandbox-clock", &place.control(&["advance", "3d"]));
    checked("sandbox-faults", &place.control(&["fault", "notify payby:late:1m"]));
    checked("sandbox-faults", &place.control(&["clear-faults"]));
    let log = place.sandbox(&["logs", "show"]);
    assert!(log.lines().inspect(|line| drop(checked("sandbox-log", line))).count() > 2);
    assert!(checked("sandbox-log", &place.sandbox(&["logs", "show", "1"]))["sent"]["wire"].is_string());
    let state = place.sandbox(&["export"]);
    checked("sandbox-export", &state);
    std::fs::write(place.path("state.json"), state).unwrap();
    checked("sandbox-empty", &place.sandbox(&["import", &place.path("state.json")]));
    checked("sandbox-empty", &place.control(&["reset"]));
}

/// The sandbox has executed a topup that is missing from the empty order file, so the report contains a difference.
#[test]
fn reconciliation_report_matches_its_schema() {
    let place = SandboxPlace::new();
    let keys = place.path("keys");
    let topup = ["topup", "-f", "cardId=1755902", "-f", "orderNo=T-1", "-f", "amount=2.50", "-f", "currency=EUR"];
    printed(&[&["call", "--keys", &keys], &topup[..]].concat());
    std::fs::write(place.path("orders.jsonl"), "").unwrap();
    let now = checked("sandbox-clock", &place.sandbox(&["clock", "show"]))["now"].as_i64().unwrap();
    let day = jiff::Timestamp::from_millisecond(now).unwrap().to_string()[..10].to_owned();
    let orders = place.path("orders.jsonl");
    let args = ["reconcile", "--from", &day, "--to", &day, "--keys", &keys, "--orders", &orders, "--json"];
    let ran = run(&args, b"");
    assert_eq!(ran.code, 8, "{}", ran.stderr);
    assert!(checked("reconcile", &ran.stdout)["open"].as_u64().unwrap() > 0);
    // Either the orders or the rules can be read from standard input, but not both.
    let args = ["reconcile", "--from", &day, "--to", &day, "--keys", &keys, "--json"];
    let piped = run(&[&args[..], &["--orders", "-"]].concat(), b"");
    assert_eq!((piped.code, piped.stdout), (8, ran.stdout), "{}", piped.stderr);
    let rules = run(&[&args[..], &["--orders", &orders, "--rules", "-"]].concat(), b"nonsense = 1");
    assert!(rules.code == 3 && rules.stderr.contains("nonsense"), "{} {}", rules.code, rules.stderr);
    let both = run(&[&args[..], &["--orders", "-", "--rules", "-"]].concat(), b"");
    assert!(both.code == 2 && both.stderr.contains("both --orders and --rules"), "{} {}", both.code, both.stderr);
}

fn in_store(path: &Path, args: &[&str]) -> RunOutput {
    let store = format!("sqlite:{}", path.display());
    finish(command().args(args).arg("--json").env("PAYTEND_STORE", store), b"")
}

#[cfg(unix)]
#[test]
fn inbox_command_output_matches_its_schemas() {
    use crate::inbox_service::{Workplace, runtime};
    let place = Workplace::new();
    let service = place.start(&[]);
    checked("inbox-ready", &service.ready.to_string());
    let post = |content| runtime().block_on(service.post("/paytend/baas", place.paytend("2", content)));
    assert_eq!(post(r#"{"orderNo":"F1","amount":25.00,"currency":"EUR"}"#), 200);
    let (store, secret) = (place.path("store.key"), place.path("copy.db"));
    let [new_key, copy] = [store, secret].map(|path| path.to_str().unwrap().to_owned());
    let name = place.store();
    let file = Path::new(name.strip_prefix("sqlite:").unwrap());
    let inbox = |args: &[&str]| {
        let ran = in_store(file, &[&["inbox"], args].concat());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran.stdout
    };
    checked("inbox-list", &inbox(&["list"]));
    assert_eq!(checked("inbox-show", &inbox(&["show", "1"]))["content"], Value::Null);
    assert!(checked("inbox-show", &inbox(&["show", "1", "--reveal"]))["content"].is_string());
    checked("inbox-stats", &inbox(&["stats"]));
    assert_eq!(checked("check", &inbox(&["check"])), json!({"problems": []}));
    assert_eq!(checked("inbox-bury", &inbox(&["bury", "1", "--why", "a test"])), json!({"buried": 1}));
    assert_eq!(checked("inbox-redrive", &inbox(&["redrive", "1"])), json!({"redriven": 1}));
    assert_eq!(checked("inbox-redrive", &inbox(&["redrive", "--dead"])), json!({"redriven": 0}));
    assert_eq!(checked("inbox-erase", &inbox(&["erase", "--business-id", "F1"])), json!({"erased": 1}));
    checked("file", &inbox(&["generate-key", &new_key]));
    checked("file", &inbox(&["backup", &copy]));
    assert!(inbox(&["audit"]).lines().inspect(|line| drop(checked("inbox-audit", line))).count() >= 4);
}

#[test]
fn outbox_command_output_matches_its_schemas() {
    let place = Place::new();
    let outbox = |args: &[&str]| {
        let ran = in_store(&place.path, &[&["outbox"], args].concat());
        assert_eq!(ran.code, 0, "{args:?}: {}", ran.stderr);
        ran.stdout
    };
    assert_eq!(outbox(&["list"]).lines().inspect(|line| drop(checked("outbox-list", line))).count(), 2);
    checked("outbox-stats", &outbox(&["stats"]));
    assert_eq!(checked("check", &outbox(&["check"])), json!({"problems": []}));
    assert_eq!(checked("outbox-pause", &outbox(&["pause", "--all", "--why", "a test"])), json!({"operation": "*"}));
    checked("outbox-stats", &outbox(&["stats"]));
    assert_eq!(checked("outbox-pause", &outbox(&["resume", "--all"])), json!({"operation": "*"}));
    assert_eq!(checked("outbox-retry", &outbox(&["retry", "S-1"])), json!({"number": "S-1"}));
    let decided = outbox(&["decide", "S-1", "--as", "executed", "--why", "a test"]);
    assert_eq!(checked("outbox-decide", &decided), json!({"number": "S-1", "decision": "executed"}));
    checked("outbox-show", &outbox(&["show", "S-1"]));
    assert_eq!(checked("outbox-drop-content", &outbox(&["drop-content", "--older-than", "1d"])), json!({"removed": 0}));
    assert_eq!(checked("outbox-retry", &outbox(&["close", "S-1", "--why", "a test"])), json!({"number": "S-1"}));
    checked("outbox-recover", &outbox(&["recover", "--why", "a test"]));
    let ended = outbox(&["recover", "--end", "--why", "a test"]);
    assert_eq!(checked("outbox-recover-end", &ended), json!({"ended": true}));
    assert!(outbox(&["audit"]).lines().inspect(|line| drop(checked("outbox-audit", line))).count() >= 8);
    place.set_state("R-1", "newer");
    assert_eq!(outbox(&["list"]).lines().inspect(|line| drop(checked("outbox-list", line))).count(), 2);
    assert_eq!(checked("outbox-stats", &outbox(&["stats"]))["unreadable"], 1);
    let recovered = in_store(&place.path, &["outbox", "recover", "--why", "a test"]);
    assert_eq!((recovered.code, checked("outbox-recover", &recovered.stdout)["recovered"].clone()), (1, json!(0)));
}
