//! A worker that publishes each stored notification to a Kafka topic. A notification is completed only after all
//! in-sync replicas have its record, so no notification is lost. A notification can be published more than once, always
//! with the same `idempotency-key` header.
//!
//! Run this example with a broker and a receiver's store, such as one that `paytend inbox serve` writes to:
//! `cargo run -p paytend-examples --example inbox_kafka -- BROKER:PORT TOPIC inbox.db inbox.db.key`

#![allow(clippy::print_stdout)]

use std::collections::BTreeMap;
use std::error::Error;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use paytend_inbox::{AnyNotification, Completion, Delivery, HandlerError, Inbox, RetryPolicy, StoreKeys, Worker};
use paytend_store_sqlite::{SqliteEffect, SqliteStore};
use rskafka::chrono::DateTime;
use rskafka::client::ClientBuilder;
use rskafka::client::partition::{Compression, PartitionClient, UnknownTopicHandling};
use rskafka::record::Record;

/// The topic's partitions.
struct Topic(Vec<PartitionClient>);

impl Topic {
    async fn connect(broker: &str, name: &str) -> Result<Self, Box<dyn Error>> {
        let client = ClientBuilder::new(vec![broker.to_owned()]).build().await?;
        let topics = client.list_topics().await?;
        let topic = topics.into_iter().find(|topic| topic.name == name).ok_or("the topic does not exist")?;
        let mut partitions = Vec::new();
        for number in topic.partitions {
            partitions.push(client.partition_client(name, number, UnknownTopicHandling::Error).await?);
        }
        if partitions.is_empty() { Err("the topic has no partitions".into()) } else { Ok(Self(partitions)) }
    }

    /// Returns the partition for a key, so that all notifications about an object are in the same partition.
    fn partition(&self, key: &str) -> &PartitionClient {
        let hash = key.bytes().fold(5381_usize, |hash, byte| hash.wrapping_mul(33) ^ usize::from(byte));
        &self.0[hash % self.0.len()]
    }

    /// Publishes a notification, and waits until all in-sync replicas have it. Set the topic's `min.insync.replicas` to
    /// at least 2.
    async fn publish(&self, delivery: Delivery<AnyNotification>) -> Result<Completion<SqliteEffect>, HandlerError> {
        let facts = delivery.facts();
        // Consumers should ignore a record whose `idempotency-key` they have already processed.
        let idempotency_key = delivery.idempotency_key();
        let key = facts.business_id.clone().unwrap_or_else(|| idempotency_key.clone());
        let headers = BTreeMap::from([
            ("idempotency-key".to_owned(), idempotency_key.into_bytes()),
            ("route".to_owned(), facts.route.to_string().into_bytes()),
            ("kind".to_owned(), facts.kind.to_string().into_bytes()),
            ("is-sighting".to_owned(), delivery.is_sighting().to_string().into_bytes()),
        ]);
        let received_at = delivery.received_at().duration_since(SystemTime::UNIX_EPOCH)?.as_millis();
        let received_at = i64::try_from(received_at)?;
        let record = Record {
            // The content is personal data: encrypt the topic's disks, and limit its retention.
            value: delivery.has_content().then(|| delivery.content().to_vec()),
            timestamp: DateTime::from_timestamp_millis(received_at).unwrap_or_default(),
            headers,
            key: Some(key.clone().into_bytes()),
        };
        // If this fails, the worker tries again. The error is stored with the notification, which is safe because the
        // broker's message contains no notification content.
        self.partition(&key).produce(vec![record], Compression::NoCompression).await?;
        Ok(Completion::without_effect())
    }
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let [broker, topic, store, keys] = arguments.as_slice() else {
        println!("usage: inbox_kafka BROKER:PORT TOPIC STORE KEY_FILE");
        return Ok(());
    };
    let topic = Arc::new(Topic::connect(broker, topic).await?);
    let inbox = Inbox::open(SqliteStore::open(store)?, StoreKeys::load(keys)?).await?;
    let sightings = Arc::clone(&topic);
    let worker = Worker::builder(inbox, move |delivery| {
        let topic = Arc::clone(&topic);
        async move { topic.publish(delivery).await }
    })
    // If the content of a sighting (a repeated delivery) is no longer stored, the record has no value.
    .on_sighting(move |delivery| {
        let topic = Arc::clone(&sightings);
        async move { topic.publish(delivery).await }
    })
    // The Kafka client retries indefinitely if no broker can be reached, so this timeout limits the attempt.
    .handler_timeout(Duration::from_secs(30))
    .retry(RetryPolicy::new().max_tries(100))
    .build();
    let (stop, stopped) = tokio::sync::oneshot::channel();
    let stop_on_end_of_input = move || {
        let _ = std::io::stdin().lines().last();
        let _ = stop.send(());
    };
    std::thread::spawn(stop_on_end_of_input); // in production, a signal
    worker
        .run(async {
            let _ = stopped.await;
        })
        .await;
    Ok(())
}
