//! Tests of `paytend outbox`: listings, decisions and pauses.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use paytend_client::History;
use paytend_inbox::StoreKeys;
use paytend_outbox::testing::TestOrder;
use paytend_outbox::{ClaimOrders, OrderRelease, OutboxStore as _};
use paytend_store_sqlite::SqliteStore;
use serde_json::{Value, json};

use crate::inbox_service::runtime;
use crate::support::{RunOutput, run};

pub(crate) struct Place {
    store: String,
    pub(crate) path: PathBuf,
    _directory: tempfile::TempDir,
}

impl Place {
    /// Creates a store with a stuck order `S-1` and a recorded order `R-1`.
    pub(crate) fn new() -> Self {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("orders.db");
        let place = Self { store: format!("sqlite:{}", path.display()), path, _directory: directory };
        runtime().block_on(async {
            let (store, keys) = place.open();
            store.bind_outbox_keys(keys.check_value()).await.unwrap();
            for number in ["S-1", "R-1"] {
                let operation = "/issuing/card/topup".to_owned();
                let order = TestOrder { operation, ..TestOrder::new(number) };
                store.submit_order(order.prepare(&keys)).await.unwrap();
                if number == "S-1" {
                    place.make_stuck(&store, true).await;
                }
            }
        });
        place
    }

    fn open(&self) -> (SqliteStore, Arc<StoreKeys>) {
        let keys = StoreKeys::load_or_create(format!("{}.key", self.path.display())).unwrap();
        (SqliteStore::open(&self.path).unwrap(), Arc::new(keys))
    }

    /// Claims the oldest order and makes it stuck. If `is_sent` is true, its history says that it was sent.
    async fn make_stuck(&self, store: &SqliteStore, is_sent: bool) {
        let operations = vec![("/issuing/card/topup".to_owned(), 1)];
        let request = ClaimOrders { limit: 1, lease: Duration::from_secs(60), holder: 1, operations };
        let claimed = store.claim_orders(request).await.unwrap().pop().unwrap();
        let sent = store.begin_send(claimed.lease).await.unwrap();
        let (history, cause) = if is_sent { (sent, "no response") } else { (History::new(), "no connection") };
        let release = OrderRelease::Stuck { history, cause: cause.into() };
        store.release_order(claimed.lease, release, None).await.unwrap();
    }

    /// Replaces the payload key in the key file, so that the orders cannot be decrypted anymore. Returns the ID of the
    /// old key.
    pub(crate) fn lose_key(&self) -> String {
        let file = format!("{}.key", self.path.display());
        let mut keys = StoreKeys::load(&file).unwrap();
        let old = keys.payload_key_ids().next().unwrap();
        keys.rotate().unwrap();
        assert!(keys.remove(old));
        std::fs::write(&file, keys.to_text().as_str()).unwrap();
        old.to_string()
    }

    /// Sets the state of an order. If the state does not exist, the order cannot be read.
    pub(crate) fn set_state(&self, number: &str, state: &str) {
        let parameters = [state.to_owned(), number.to_owned()];
        let changed = runtime().block_on(async {
            let (store, _) = self.open();
            let sql = "UPDATE paytend_order SET state = ?1 WHERE number = ?2";
            store.write(move |transaction| transaction.execute(sql, parameters)).await
        });
        assert_eq!(changed.unwrap(), 1);
    }

    fn outbox(&self, args: &[&str]) -> RunOutput {
        run(&[&["outbox"], args, &["--store", &self.store]].concat(), b"")
    }

    fn json(&self, args: &[&str]) -> Value {
        let ran = self.outbox(&[args, &["--json"]].concat());
        assert_eq!(ran.code, 0, "{}", ran.stderr);
        serde_json::from_str(&ran.stdout).unwrap()
    }
}

#[test]
fn orders_are_listed_and_counted() {
    let place = Place::new();
    let ran = place.outbox(&["list"]);
    assert!(ran.stdout.lines().next().unwrap().contains("stuck"), "{}", ran.stdout);
    assert!(ran.stdout.contains("S-1  sends 1, no response"), "{}", ran.stdout);
    let mut listed = place.json(&["list", "--state", "stuck", "--operation", "topup"]);
    let members = listed.as_object_mut().unwrap();
    for name in ["request_id", "submitted_at", "last_sent_at"] {
        assert!(members.remove(name).unwrap().is_string(), "{name}");
    }
    assert_eq!(
        listed,
        json!({
            "id": 1, "number": "S-1", "operation": "/issuing/card/topup", "state": "stuck", "handled": false,
            "sends": 1, "queries": 0, "confirmations": 0, "notified": false, "decision": null,
            "cause": "no response", "not_before": null, "due_at": null,
        })
    );
    let stats = place.json(&["stats"]);
    assert_eq!((&stats["stuck"], &stats["recorded"], &stats["paused"]), (&json!(1), &json!(1), &json!([])));
    assert_eq!(place.outbox(&["check"]).stdout, "no problems\n");
    assert_eq!(place.outbox(&["drop-content", "--older-than", "90d"]).stdout, "removed: 0\n");
    assert_eq!(place.outbox(&["drop-content", "--older-than", "soon"]).code, 2);
    let ran = place.outbox(&["list", "--operation", "toppup"]);
    assert_eq!(ran.code, 2, "{}", ran.stderr);
}

#[test]
fn decisions_are_recorded_and_invalid_decisions_are_refused() {
    let place = Place::new();
    let decide = |number: &str, decision: &str| {
        place.outbox(&["decide", number, "--as", decision, "--why", "the bank confirms it"])
    };
    let ran = decide("R-1", "executed");
    assert_eq!(ran.code, 1);
    assert!(ran.stderr.contains("was never sent"), "{}", ran.stderr);
    assert!(decide("X-1", "executed").stderr.contains("the store has no order X-1"));
    assert_eq!(decide("S-1", "perhaps").code, 2);
    assert_eq!(place.outbox(&["decide", "S-1", "--as", "executed"]).code, 2, "a reason is required");
    assert_eq!(decide("S-1", "executed").stdout, "decided: executed\n");
    assert_eq!(decide("S-1", "not-executed").code, 1, "a decision cannot be changed");
    let shown = place.json(&["show", "S-1"]);
    assert_eq!((&shown["decision"], &shown["audit"][0]["why"]), (&json!("executed"), &json!("the bank confirms it")));
    assert!(shown["audit"][0]["who"].as_str().unwrap().starts_with("uid "));
    assert!(shown["due_at"].is_string(), "the decision makes the handler due");
    // A recorded order can be cancelled.
    let close = |number| place.outbox(&["close", number, "--why", "the key is lost"]);
    assert!(close("R-1").stderr.contains("decide it first"));
    assert_eq!(decide("R-1", "not-executed").code, 0);
    assert_eq!(close("R-1").stdout, "the order is completed\n");
    assert!(close("R-1").stderr.contains("the order is completed"));
}

#[test]
fn stuck_orders_are_retried_and_a_restored_store_is_recovered() {
    let place = Place::new();
    assert_eq!(place.outbox(&["retry", "S-1", "--why", "again"]).stdout, "the order is due\n");
    assert_eq!(place.json(&["show", "S-1"])["state"], "unknown");
    let ran = place.outbox(&["retry", "S-1"]);
    assert!(ran.code == 1 && ran.stderr.contains("not stuck"), "{}", ran.stderr);
    assert_eq!(place.outbox(&["recover", "--why", "restored"]).stdout, "recovered: 2\n");
    assert!(place.json(&["stats"])["recovering_since"].is_string());
    let end = || place.outbox(&["recover", "--end", "--why", "the orders agree"]);
    assert_eq!(end().stdout, "the recovery has ended\n");
    assert_eq!(place.json(&["stats"])["recovering_since"], Value::Null);
    assert!(end().stderr.contains("no recovery is in progress"));
    let shown = place.json(&["show", "R-1"]);
    assert_eq!((&shown["state"], &shown["sends"]), (&json!("unknown"), &json!(1)));
    assert_eq!(shown["audit"][0]["action"], "recover");
}

#[test]
fn unreadable_orders_are_listed_and_counted_and_are_not_recovered() {
    let place = Place::new();
    place.set_state("R-1", "newer");
    let ran = place.outbox(&["list"]);
    assert_eq!(ran.stdout.lines().count(), 2);
    assert!(ran.stdout.contains("  unreadable  R-1, not sent: use the newest version"), "{}", ran.stdout);
    let json = place.outbox(&["list", "--json"]).stdout;
    let listed: Value = serde_json::from_str(json.lines().last().unwrap()).unwrap();
    assert_eq!(
        (&listed["number"], &listed["state"], &listed["sends"]),
        (&json!("R-1"), &json!("unreadable"), &json!(null))
    );
    assert_eq!(place.json(&["stats"])["unreadable"], 1);
    // The others are recovered. The exit code and the output show that the recovery is not complete.
    let ran = place.outbox(&["recover", "--why", "restored"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, "recovered: 1\n"));
    assert!(ran.stderr.contains("1 orders cannot be read and are not recovered: R-1 (ID 2); "), "{}", ran.stderr);
    let ran = place.outbox(&["recover", "--why", "restored", "--json"]);
    let expected = json!({ "recovered": 1, "unreadable": [{ "id": 2, "number": "R-1" }] });
    assert_eq!((ran.code, serde_json::from_str::<Value>(&ran.stdout).unwrap()), (1, expected));
    assert_eq!(place.json(&["show", "S-1"])["state"], "unknown");
    let end = || place.outbox(&["recover", "--end", "--why", "the orders agree"]);
    let ran = end();
    assert!(ran.code == 1 && ran.stderr.contains("1 open orders cannot be read"), "{}", ran.stderr);
    let ended = place.outbox(&["recover", "--end", "--leave-unreadable", "--why", "damaged for good"]);
    assert_eq!(ended.code, 0, "{}", ended.stderr);
    // A program that can read the order recovers it.
    place.set_state("R-1", "recorded");
    assert_eq!(place.outbox(&["recover", "--why", "restored"]).stdout, "recovered: 2\n");
    assert!(!end().stderr.contains("cannot be read"));
}

#[test]
fn order_that_was_never_sent_can_be_retried_but_not_marked_as_executed() {
    let place = Place::new();
    runtime().block_on(async {
        let (store, _) = place.open();
        place.make_stuck(&store, false).await;
    });
    let shown = place.json(&["show", "R-1"]);
    assert_eq!(
        (&shown["state"], &shown["sends"], &shown["cause"]),
        (&"stuck".into(), &0.into(), &"no connection".into())
    );
    let ran = place.outbox(&["decide", "R-1", "--as", "executed", "--why", "in the list"]);
    assert!(ran.code == 1 && ran.stderr.contains("was never sent"), "{}", ran.stderr);
    let help = run(&["outbox", "retry", "--help"], b"").stdout;
    assert!(help.contains("An order that was never sent is sent"), "{help}");
    assert_eq!(place.outbox(&["retry", "R-1"]).stdout, "the order is due\n");
    assert_eq!(place.json(&["show", "R-1"])["state"], "recorded");
}

#[test]
fn sending_can_be_paused_and_resumed() {
    let place = Place::new();
    assert_eq!(place.outbox(&["pause", "topup", "--why", "the provider asks"]).stdout, "paused: /issuing/card/topup\n");
    assert_eq!(place.outbox(&["pause", "--all", "--why", "maintenance"]).stdout, "paused: *\n");
    assert_eq!(place.outbox(&["pause", "--why", "x"]).code, 2);
    let paused = place.json(&["stats"])["paused"].clone();
    assert_eq!((&paused[0]["operation"], &paused[1]["why"]), (&json!("*"), &json!("the provider asks")));
    let ran = place.outbox(&["resume", "topup"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(
        ran.stderr.contains("/issuing/card/topup was resumed, but nothing is sent yet: all operations"),
        "{}",
        ran.stderr
    );
    let ran = place.outbox(&["resume", "topup"]);
    assert!(ran.code == 1 && ran.stderr.contains("not paused separately: all operations are paused"), "{}", ran.stderr);
    assert_eq!(place.outbox(&["pause", "topup", "--why", "again"]).code, 0);
    let ran = place.outbox(&["resume", "--all"]);
    assert_eq!((ran.code, ran.stdout.as_str()), (1, ""));
    assert!(ran.stderr.contains("are paused separately: /issuing/card/topup"), "{}", ran.stderr);
    assert_eq!(place.outbox(&["resume", "topup"]).code, 0);
    assert_eq!(place.outbox(&["pause", "--all", "--why", "again"]).code, 0);
    assert_eq!(place.outbox(&["resume", "--all"]).stdout, "resumed: *\n");
    let ran = place.outbox(&["resume", "--all"]);
    assert!(ran.code == 1 && ran.stderr.contains("was not paused"), "{}", ran.stderr);
}

#[test]
fn orders_with_a_missing_payload_key_are_reported() {
    let place = Place::new();
    assert_eq!(place.json(&["stats"])["missing_keys"], json!({}));
    let file = format!("{}.key", place.path.display());
    let old = place.lose_key();
    assert_eq!(place.json(&["stats"])["missing_keys"], json!({ old.as_str(): 2 }));
    let ran = place.outbox(&["check"]);
    assert_eq!(ran.code, 1);
    assert!(ran.stdout.contains(&format!("2 open orders wait for payload key {old}")), "{}", ran.stdout);
    // An unreadable key file is an error only if `--store-key` names it.
    std::fs::write(&file, "unreadable").unwrap();
    let ran = place.outbox(&["stats"]);
    assert!(ran.code == 0 && ran.stderr.contains("the payload keys are not checked"), "{}", ran.stderr);
    assert!(place.outbox(&["check"]).stdout.contains("no problems"));
    assert_ne!(place.outbox(&["stats", "--store-key", &file]).code, 0);
}

#[test]
fn missing_orders_and_content_are_reported() {
    let place = Place::new();
    let ran = place.outbox(&["show", "X-1"]);
    assert!(ran.code == 1 && ran.stderr.contains("the store has no order X-1"), "{}", ran.stderr);
    // The test orders contain arbitrary bytes instead of a request.
    let ran = place.outbox(&["show", "S-1", "--reveal"]);
    assert!(ran.stderr.contains("the bytes are not a stored request"), "{}", ran.stderr);
    let audit = place.json(&["show", "S-1"])["audit"].clone();
    assert_eq!(audit[0]["action"], "show");
}
