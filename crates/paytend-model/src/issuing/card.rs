//! Cards and the money on them.

use super::SEEN;
use crate::{Amount, Operation, OperationInfo, OperationKind, PayloadRule, Product};

payload! {
    /// Query card balance.
    pub struct QueryCardBalance {
        required {
            /// The provider's identifier of the card.
            card_id: String => "cardId",
        }
        optional {}
    }
}

impl Operation for QueryCardBalance {
    type Response = CardBalanceResponse;

    const INFO: OperationInfo = OperationInfo {
        name: "getCardBalance",
        title: "Query card balance",
        product: Product::Issuing,
        path: "/issuing/card/getCardBalance",
        kind: OperationKind::Query,
        payload: PayloadRule::Signed,
        documentation: "Paytend BaaS Issuing Cards, Query card balance",
        provenance: SEEN,
    };
}

payload! {
    /// A card's balance. The object's name is documented; its fields are inferred.
    pub struct CardBalanceResponse {
        required {}
        optional {
            /// The card. Inferred.
            card_id: String => "cardId",
            /// What can be spent, in major units of `currency`. Inferred.
            balance: Amount => "balance",
            /// ISO 4217 code. Inferred.
            currency: String => "currency",
        }
    }
}

payload! {
    /// Topup: moves money from the partner's balance to a card, once for each `orderNo`.
    ///
    /// A topup whose answer was lost is looked up with [`QueryTopupResult`] and the same `orderNo`, never sent again blindly.
    pub struct Topup {
        required {
            /// The provider's identifier of the card.
            card_id: String => "cardId",
            /// The partner's unique number for this topup.
            order_no: String => "orderNo",
            /// How much, in major units of `currency`; sent as a JSON string, as the published demo does.
            amount: Amount => "amount",
            /// ISO 4217 code.
            currency: String => "currency",
        }
        optional {}
    }
}

impl Operation for Topup {
    type Response = TopupResponse;

    const INFO: OperationInfo = OperationInfo {
        name: "topup",
        title: "Topup",
        product: Product::Issuing,
        path: "/issuing/card/topup",
        kind: OperationKind::Mutation,
        payload: PayloadRule::Signed,
        documentation: "Paytend BaaS Issuing Cards, Topup",
        provenance: SEEN,
    };
}

payload! {
    /// A topup that was taken. The object's name is documented; its fields are inferred.
    pub struct TopupResponse {
        required {}
        optional {
            /// The partner's number. Inferred.
            order_no: String => "orderNo",
            /// Code of the topup's state. Inferred.
            status: String => "status",
        }
    }
}

payload! {
    /// Query topup result.
    pub struct QueryTopupResult {
        required {
            /// The partner's number of the topup.
            order_no: String => "orderNo",
        }
        optional {}
    }
}

impl Operation for QueryTopupResult {
    type Response = TopupResultResponse;

    const INFO: OperationInfo = OperationInfo {
        name: "getTopupResult",
        title: "Query topup result",
        product: Product::Issuing,
        path: "/issuing/card/getTopupResult",
        kind: OperationKind::Query,
        payload: PayloadRule::Signed,
        documentation: "Paytend BaaS Issuing Cards, Query topup result",
        provenance: SEEN,
    };
}

payload! {
    /// What became of a topup. The object's name is documented; its fields are inferred.
    pub struct TopupResultResponse {
        required {}
        optional {
            /// The partner's number. Inferred.
            order_no: String => "orderNo",
            /// The card. Inferred.
            card_id: String => "cardId",
            /// How much, in major units of `currency`. Inferred.
            amount: Amount => "amount",
            /// ISO 4217 code. Inferred.
            currency: String => "currency",
            /// Code of the topup's state. Inferred.
            status: String => "status",
        }
    }
}
