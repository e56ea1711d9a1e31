//! Funding Notification: where Paytend posts its notifications. What it posts of deposits is
//! [`IbanTransaction`](crate::iban::IbanTransaction).
//!
//! ```
//! use paytend_model::{Operation, Source, funding::SetCallbackUrl};
//! let set = SetCallbackUrl::new("1".into(), "https://partner.example/paytend".into());
//! assert_eq!(serde_json::to_string(&set)?, r#"{"type":"1","url":"https://partner.example/paytend"}"#);
//! // The path is a guess until the partner's documents say so.
//! assert_eq!(SetCallbackUrl::INFO.provenance.path, Source::Inferred);
//! # Ok::<(), serde_json::Error>(())
//! ```

use crate::OperationKind::Mutation;
use crate::{Code, NoData, Operation, OperationInfo, Personal, Product, Provenance, Source};

payload! {
    /// Set callback URL: where the notifications of BaaS Core, Funding and Payout, which share one URL, are posted.
    pub struct SetCallbackUrl: Documented {
        required {
            /// Code of what is set; not explained in the documentation.
            type_: Code => "type",
            /// The URL. Hidden in `Debug`, since a URL may hold a secret.
            url: Personal => "url" = "https://partner.example/paytend",
        }
        optional {}
    }
}

impl Operation for SetCallbackUrl {
    type Response = NoData;

    const INFO: OperationInfo =
        OperationInfo::new(Product::Baas, Mutation, "Set callback URL", "/iban/funding/setCallbackUrl")
            .documented("Paytend Funding Notification API")
            .takes("CallBackURL_BizData")
            .sure(Provenance {
                operation: Source::Documented,
                path: Source::Inferred,
                request: Source::Documented,
                response: Source::Documented,
            });
}
