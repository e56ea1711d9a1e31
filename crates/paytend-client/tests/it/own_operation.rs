//! An operation that paytend-model does not have, written by a user.

use paytend_model::{NoData, Operation, OperationInfo, OperationKind, PayloadRule, Product, Provenance, Source};
use serde::{Deserialize, Serialize};

use crate::server::{answering, client, paytend, response};

#[derive(Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct ReportLoss {
    card_id: String,
}

impl Operation for ReportLoss {
    type Response = NoData;

    const INFO: OperationInfo = OperationInfo {
        name: "lostCard",
        title: "Report loss",
        product: Product::Issuing,
        path: "/issuing/card/lostCard",
        kind: OperationKind::Mutation,
        payload: PayloadRule::Signed,
        documentation: "a partner's own documents",
        provenance: Provenance {
            operation: Source::Documented,
            path: Source::Seen,
            request: Source::Seen,
            response: Source::Documented,
        },
    };
}

#[tokio::test]
async fn an_operation_of_one_s_own_is_sent_like_any_other() {
    let url = answering("200 OK", response(&paytend(), "00", "success", "")).await;
    let client = client(&url);
    let operation = ReportLoss { card_id: "1755902".into() };
    let prepared = client.prepare(&operation).unwrap();
    assert!(prepared.canonical().starts_with(r#"bizData={"cardId":"1755902"}&"#));
    client.send(&operation).await.unwrap();
}
