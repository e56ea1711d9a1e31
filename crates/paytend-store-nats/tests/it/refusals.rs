//! Tests that servers and streams that can lose acknowledged notifications are refused.

use async_nats::jetstream::stream::{Config, ConsumerLimits, DiscardPolicy, Republish, StorageType};
use paytend_inbox::{StoreAdmin as _, StoreErrorKind};
use paytend_store_nats::{NatsOptions, NatsStore};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::cluster::{Cluster, Setup};
use crate::support::options;

async fn refused(options: NatsOptions, message: &str) {
    let error = options.open().await.unwrap_err();
    assert_eq!(error.kind(), StoreErrorKind::Configuration, "{error}");
    assert!(error.to_string().contains(message), "{error}");
    assert!(!error.to_string().contains("secret"), "{error}");
}

/// Returns the number of replicas and the `sync_interval` that `/readyz` shows.
async fn shown(store: &NatsStore) -> Vec<String> {
    let shown = store.probe().await.unwrap().into_iter();
    shown.filter(|(name, _)| matches!(*name, "replicas" | "sync_interval")).map(|(_, value)| value).collect()
}

fn stream(name: &str) -> Config {
    Config {
        name: format!("{name}-inbox"),
        subjects: vec![format!("{name}.inbox.*.*")],
        discard: DiscardPolicy::New,
        discard_new_per_subject: true,
        max_messages_per_subject: 1,
        num_replicas: 3,
        allow_direct: true,
        ..Config::default()
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn default_sync_interval_is_refused_and_nothing_is_created() {
    let Some(cluster) = Cluster::start(Setup { sync: "", ..Setup::default() }).await else { return };
    refused(options(&cluster, "a"), "must have `sync_interval: always`").await;
    assert!(cluster.context().await.get_stream("a-inbox").await.is_err());
    let store = options(&cluster, "a").danger_any_settings().open().await.unwrap();
    assert_eq!(shown(&store).await, ["3", "not always"]);
    assert!(store.check().await.unwrap().iter().any(|problem| problem.contains("sync_interval")));
    let options = NatsOptions::from_url(&cluster.url()).unwrap().name("a").unwrap();
    let unknown = options.danger_any_settings().open().await.unwrap();
    assert_eq!(shown(&unknown).await, ["3", "not known"]);
    refused(crate::support::options(&cluster, "a"), "must have `sync_interval: always`").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn streams_with_unsafe_settings_are_refused() {
    let Some(cluster) = Cluster::shared().await else { return };
    let context = cluster.context().await;
    type Case = (&'static str, fn(&mut Config), &'static str);
    let consumers = |config: &mut Config| {
        let inactive_threshold = std::time::Duration::from_secs(1);
        config.consumer_limits = Some(ConsumerLimits { inactive_threshold, max_ack_pending: 1 });
    };
    let cases: [Case; 13] = [
        ("replicas", |config| config.num_replicas = 1, "the stream replicas-inbox must have 3 or more replicas"),
        ("memory", |config| config.storage = StorageType::Memory, "must have file storage"),
        ("age", |config| config.max_age = std::time::Duration::from_secs(3600), "must have no maximum age"),
        ("discard", discard_old, "must have the discard policy `new`"),
        ("subject", |config| config.max_messages_per_subject = 2, "must have at most 1 message per subject"),
        ("direct", |config| config.allow_direct = false, "must have `allow_direct`"),
        ("subjects", |config| config.subjects.push("other.*".into()), "must have the subjects"),
        ("messages", |config| config.max_messages = 1_000_000, "must have no maximum number of messages"),
        ("bytes", |config| config.max_bytes = 1_000_000, "must have no maximum number of bytes"),
        ("size", |config| config.max_message_size = 100_000, "must have no maximum message size"),
        ("number", |config| config.max_consumers = 9, "must have no limits of consumers"),
        ("consumers", consumers, "must have no limits of consumers"),
        ("republish", republish, "must have no `republish`"),
    ];
    for (name, change, message) in cases {
        let mut config = stream(name);
        change(&mut config);
        context.create_stream(config).await.unwrap();
        refused(options(&cluster, name), message).await;
    }
    let store = options(&cluster, "replicas").danger_any_settings().open().await.unwrap();
    assert_eq!(shown(&store).await, ["1", "always"]);
    context.create_stream(stream("safe")).await.unwrap();
    options(&cluster, "safe").open().await.unwrap();
    refused(options(&cluster, "fewer").replicas(1), "the streams must have 3 or more replicas").await;
    assert!(context.get_stream("fewer-inbox").await.is_err());
    // The setting is changed while the store is in use.
    let store = options(&cluster, "changed").open().await.unwrap();
    context.update_stream(Config { num_replicas: 1, ..stream("changed") }).await.unwrap();
    let error = store.probe().await.unwrap_err();
    assert!(error.to_string().contains("the stream changed-inbox must have 3 or more replicas"), "{error}");
    unknown_settings(&cluster).await;
}

fn republish(config: &mut Config) {
    let (source, destination) = (">".into(), "copies.>".into());
    config.republish = Some(Republish { source, destination, headers_only: true });
}

fn discard_old(config: &mut Config) {
    (config.discard, config.discard_new_per_subject) = (DiscardPolicy::Old, false);
}

/// Checks that a login to the system account is required.
async fn unknown_settings(cluster: &Cluster) {
    let plain = || NatsOptions::from_url(&cluster.url()).unwrap().name("unknown").unwrap();
    refused(plain(), "specify a login to the system account").await;
    refused(plain().system_url(&cluster.url()).unwrap(), "must be a user of the system account").await;
    let wrong = cluster.url().replace("secret", "wrong-secret");
    refused(NatsOptions::from_url(&wrong).unwrap(), "refused the login").await;
    assert!(cluster.context().await.get_stream("unknown-inbox").await.is_err());
}

/// Opens a store on a server that only reports its version.
async fn open_on_version(version: &str) -> Result<NatsStore, paytend_inbox::StoreError> {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    let info = format!(
        "INFO {{\"server_id\":\"A\",\"server_name\":\"old\",\"version\":\"{version}\",\"host\":\"127.0.0.1\",\
         \"port\":{port},\"max_payload\":1048576,\"proto\":1,\"headers\":true}}\r\n"
    );
    let serving = tokio::spawn(async move {
        while let Ok((mut connection, _)) = listener.accept().await {
            connection.write_all(info.as_bytes()).await.unwrap();
            let mut buffer = [0; 4096];
            while let Ok(1..) = connection.read(&mut buffer).await {
                if connection.write_all(b"PONG\r\n").await.is_err() {
                    break;
                }
            }
        }
    });
    let opened = NatsOptions::from_url(&format!("nats://127.0.0.1:{port}")).unwrap().open().await;
    serving.abort();
    opened
}

#[tokio::test]
async fn old_versions_are_refused() {
    for version in ["2.9.10", "2.12.11", "2.14.4"] {
        let error = open_on_version(version).await.unwrap_err();
        let message = format!("the server old is running version {version}: it must be 2.12.12 or newer");
        assert!(error.to_string().contains(&message), "{error}");
    }
    // A supported version passes the version check, and the next check fails.
    let error = open_on_version("2.14.5").await.unwrap_err();
    assert!(error.to_string().contains("specify a login to the system account"), "{error}");
}

#[tokio::test]
async fn unreachable_servers_are_reported_without_the_url() {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    drop(listener);
    let options = NatsOptions::from_url(&format!("nats://user:secret@127.0.0.1:{port}")).unwrap();
    assert!(!format!("{options:?}").contains("secret"));
    let error = options.open().await.unwrap_err();
    assert_eq!(error.to_string(), "cannot connect to the NATS server: check that it is running and reachable");
    let missing = NatsOptions::from_url("nats://127.0.0.1").unwrap().credentials_file("/no/such/file.creds");
    assert!(missing.open().await.unwrap_err().to_string().starts_with("cannot read /no/such/file.creds: "));
    for name in ["", "a.b", "a b", "a*", &"a".repeat(65)] {
        assert!(NatsOptions::from_url("nats://127.0.0.1").unwrap().name(name).is_err(), "{name}");
    }
}
