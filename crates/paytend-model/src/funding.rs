//! Funding Notification: where Paytend posts its notifications.

use crate::{NoData, Operation, OperationInfo, OperationKind, PayloadRule, Product, Provenance, Source};

payload! {
    /// Set callback URL: where the notifications of BaaS Core, Funding and Payout, which share one URL, are posted.
    pub struct SetCallbackUrl {
        required {
            /// Code of what is set; not explained in the documentation.
            type_: String => "type",
            /// The URL.
            url: String => "url",
        }
        optional {}
    }
}

impl Operation for SetCallbackUrl {
    type Response = NoData;

    const INFO: OperationInfo = OperationInfo {
        name: "setCallbackUrl",
        title: "Set callback URL",
        product: Product::Baas,
        path: "/iban/funding/setCallbackUrl",
        kind: OperationKind::Mutation,
        payload: PayloadRule::Signed,
        documentation: "Paytend Funding Notification API, Set callback URL (CallBackURL_BizData)",
        provenance: Provenance {
            operation: Source::Documented,
            path: Source::Inferred,
            request: Source::Documented,
            response: Source::Documented,
        },
    };
}
