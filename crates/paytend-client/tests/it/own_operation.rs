//! Tests for a custom operation that `paytend-model` does not contain.

use paytend_client::{ErrorKind, Outcome};
use paytend_model::{Operation, OperationInfo, OperationKind, Product, Validate};
use serde::{Deserialize, Serialize};

use crate::server::{answering, client, paytend, response};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockCard {
    card_id: String,
}

#[derive(Debug, Serialize, Deserialize)]
struct Blocked {
    since: String,
}

impl Operation for BlockCard {
    type Response = Blocked;

    const INFO: OperationInfo =
        OperationInfo::new(Product::Issuing, OperationKind::Mutation, "Block card", "/issuing/card/blockCard")
            .documented("a partner's documents");
}

impl Validate for BlockCard {}

#[tokio::test]
async fn custom_operation_is_sent_and_its_response_is_typed() {
    let url = answering("200 OK", response(&paytend(), "00", "success", r#"{"since":"2023-11-06"}"#)).await;
    let client = client(&url);
    let operation = BlockCard { card_id: "1755902".into() };
    let prepared = client.prepare(&operation).unwrap();
    assert!(prepared.canonical().unwrap().starts_with(r#"bizData={"cardId":"1755902"}&"#));
    assert_eq!(client.send(&operation).await.unwrap().since, "2023-11-06");
}

/// A signed success means that the operation may have been executed, even if its data cannot be parsed.
#[tokio::test]
async fn outcome_is_unknown_if_a_signed_success_has_unexpected_data() {
    for data in [r#"{"since":{"CANARY":1}}"#, r#"{"until":"CANARY"}"#, "{}"] {
        let url = answering("200 OK", response(&paytend(), "00", "success", data)).await;
        let error = client(&url).send(&BlockCard { card_id: "1755902".into() }).await.unwrap_err();
        assert_eq!((error.kind(), error.outcome()), (ErrorKind::Data, Outcome::Unknown), "{data}");
        let shown = format!("{error} {error:?}");
        assert!(shown.starts_with("blockCard: ") && !shown.contains("CANARY"), "{shown}");
    }
}
