//! Tests of `docs/unknown-outcomes.md`: its table of mutations, its states and its command lines.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use paytend_client::{Client, Resolvable};
use paytend_inbox::StoreKeys;
use paytend_model::issuing::{ApplyCard, Topup};
use paytend_model::{Operation, OperationKind};
use paytend_outbox::{ClaimOrders, OrderRelease, Outbox, OutboxStore as _, State, SubmitOptions};
use paytend_store_sqlite::SqliteStore;

use crate::inbox_service::runtime;
use crate::reconcile_life::Life;
use crate::shell::{blocks, link_command, shell};

const GUIDE: &str = include_str!("../../../../docs/unknown-outcomes.md");
const RESOLVABLE: &str = include_str!("../../../paytend-client/src/resolve.rs");

fn name<O: Operation>() -> String {
    format!("{}.{}", O::INFO.product.as_str(), O::INFO.name)
}

fn resolvable<O: Resolvable>() -> (String, String) {
    (name::<O>(), name::<O::Query>())
}

/// Returns the rows of the table whose heading is this line.
fn table(heading: &str) -> Vec<Vec<String>> {
    let rows = GUIDE.lines().skip_while(|line| *line != heading).skip(2).take_while(|line| line.starts_with('|'));
    let cells = |row: &str| row.trim_matches('|').split('|').map(|cell| cell.trim().replace('`', "")).collect();
    let rows: Vec<Vec<String>> = rows.map(cells).collect();
    assert!(!rows.is_empty(), "{heading}");
    rows
}

#[test]
fn guide_lists_every_mutation_with_its_query() {
    let resolvable: BTreeMap<String, String> = [resolvable::<Topup>(), resolvable::<ApplyCard>()].into();
    assert_eq!(RESOLVABLE.matches("impl Resolvable for").count(), resolvable.len());
    let mutations = paytend_model::operations().iter().filter(|entry| entry.info.kind == OperationKind::Mutation);
    let expected: BTreeSet<Vec<String>> = mutations
        .map(|entry| {
            let name = format!("{}.{}", entry.info.product.as_str(), entry.info.name);
            let query = resolvable.get(&name).cloned().unwrap_or_else(|| "none".to_owned());
            vec![name, query]
        })
        .collect();
    let listed = table("| mutation | query |");
    assert_eq!(listed.len(), expected.len());
    assert_eq!(listed.into_iter().collect::<BTreeSet<_>>(), expected);
}

#[test]
fn guide_lists_every_order_state() {
    let listed: Vec<String> =
        table("| state | meaning | what you do |").into_iter().map(|row| row[0].clone()).collect();
    let names: Vec<&str> = State::ALL.iter().map(|state| state.as_str()).collect();
    assert_eq!(listed, names);
}

async fn submit(outbox: &Outbox<SqliteStore>, card: &str, number: &str) {
    let topup = Topup::builder().card_id(card).order_no(number).amount("5.00".parse().unwrap()).currency("EUR").build();
    outbox.submit(&topup, SubmitOptions::new()).await.unwrap();
}

/// Creates a store with two stuck orders and an unsent order.
async fn fill(life: &Life, client: Client) {
    let store = SqliteStore::open(life.path("payments.db")).unwrap();
    let keys = StoreKeys::load_or_create(life.path("payments.db.key")).unwrap();
    paytend_inbox::Inbox::open(store.clone(), keys.clone()).await.unwrap();
    let outbox = Outbox::open(store.clone(), keys, client).await.unwrap();
    for number in ["T-0001", "T-0002"] {
        submit(&outbox, life.sandbox.card_id(), number).await;
        let operations = vec![(Topup::INFO.path.to_owned(), 1)];
        let request = ClaimOrders { limit: 1, lease: Duration::from_secs(60), holder: 1, operations };
        let claimed = store.claim_orders(request).await.unwrap().pop().unwrap();
        let history = store.begin_send(claimed.lease).await.unwrap();
        let release = OrderRelease::Stuck { history, cause: "no response".into() };
        store.release_order(claimed.lease, release, None).await.unwrap();
    }
    submit(&outbox, life.sandbox.card_id(), "T-0003").await;
}

#[test]
fn commands_in_the_guide_succeed() {
    let runtime = runtime();
    let life = runtime.block_on(async {
        let life = Life::start().await;
        fill(&life, life.client.clone()).await;
        life
    });
    let folder = life.path("");
    link_command(&folder);
    let profiles = std::fs::read_to_string(life.path("keys/paytend.toml")).unwrap();
    let profiles = profiles.replace("[profiles.sandbox]", "[profiles.production]");
    let profiles = ["private_key_file = \"", "public_key_file = \""]
        .iter()
        .fold(profiles, |text, name| text.replace(name, &format!("{name}keys/")));
    std::fs::write(life.path("config.toml"), profiles).unwrap();
    let mut shown = String::new();
    let blocks = blocks(GUIDE);
    assert!(blocks.len() >= 10, "{blocks:?}");
    for block in blocks {
        let ran = shell(&folder, &block).output().unwrap();
        let [stdout, stderr] = [ran.stdout, ran.stderr].map(|text| String::from_utf8_lossy(&text).into_owned());
        assert!(ran.status.success(), "{block}\n{stdout}\n{stderr}");
        shown.push_str(&stdout);
    }
    for line in ["All 31 steps passed.", "the order is due", "decided: executed", "recovered: 1", "matched"] {
        assert!(shown.contains(line), "{line}\n{shown}");
    }
    assert!(life.path("report.html").exists());
}

#[test]
fn metrics_and_members_named_in_the_guide_exist() {
    let sources = [
        include_str!("../../../paytend-outbox/src/outbox.rs"),
        include_str!("../../../paytend-outbox/src/dispatcher/job.rs"),
        include_str!("../../src/cmd/outbox/listing.rs"),
        include_str!("../../../paytend-outbox/src/terms.rs"),
    ];
    let sources = sources.concat();
    for row in table("| metric | alert if | meaning |") {
        let (name, label) = row[0].split_once('{').unwrap();
        let value = label.split('"').nth(1).unwrap();
        assert!(sources.contains(&format!("\"{name}\"")) && sources.contains(&format!("\"{value}\"")), "{row:?}");
    }
    for row in table("| member | alert if | meaning |") {
        assert!(sources.contains(&format!("\"{}\"", row[0])), "{row:?}");
    }
}
