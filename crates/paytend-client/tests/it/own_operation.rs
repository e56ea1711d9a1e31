//! An operation that paytend-model does not have, written by a user.

use paytend_model::{NoData, Operation, OperationInfo, OperationKind, Product, Validate};
use serde::{Deserialize, Serialize};

use crate::server::{answering, client, paytend, response};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct BlockCard {
    card_id: String,
}

impl Operation for BlockCard {
    type Response = NoData;

    const INFO: OperationInfo =
        OperationInfo::new(Product::Issuing, OperationKind::Mutation, "Block card", "/issuing/card/blockCard")
            .documented("a partner's own documents");
}

impl Validate for BlockCard {}

#[tokio::test]
async fn an_operation_of_one_s_own_is_sent_like_any_other() {
    let url = answering("200 OK", response(&paytend(), "00", "success", "")).await;
    let client = client(&url);
    let operation = BlockCard { card_id: "1755902".into() };
    let prepared = client.prepare(&operation).unwrap();
    assert!(prepared.canonical().starts_with(r#"bizData={"cardId":"1755902"}&"#));
    client.send(&operation).await.unwrap();
}
