//! The partner's own funds.

use super::SEEN;
use crate::{Amount, Operation, OperationInfo, OperationKind, PayloadRule, Product};

payload! {
    /// Query partner balance: the funds from which cards are topped up. No business data.
    pub struct QueryPartnerBalance {
        required {}
        optional {}
    }
}

impl Operation for QueryPartnerBalance {
    type Response = PartnerBalanceResponse;

    const INFO: OperationInfo = OperationInfo {
        name: "getPartnerBalance",
        title: "Query partner balance",
        product: Product::Issuing,
        path: "/issuing/partner/getPartnerBalance",
        kind: OperationKind::Query,
        payload: PayloadRule::None,
        documentation: "Paytend BaaS Issuing Cards, Query partner balance",
        provenance: SEEN,
    };
}

payload! {
    /// The partner's balances. The object's name is documented; its fields are inferred.
    pub struct PartnerBalanceResponse {
        required {}
        optional {
            /// One entry a currency. Inferred.
            balance: Vec<Balance> => "balance",
        }
    }
}

payload! {
    /// The balance in one currency. Inferred.
    pub struct Balance {
        required {
            /// ISO 4217 code.
            currency: String => "currency",
            /// What can be spent, in major units of `currency`.
            available: Amount => "available",
        }
        optional {}
    }
}
