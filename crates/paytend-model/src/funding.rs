//! Funding Notification: the callback URL to which Paytend posts notifications. The content of the fund deposit
//! notification is [`IbanTransaction`](crate::iban::IbanTransaction).
//!
//! ```
//! use paytend_model::{Operation, Source, funding::SetCallbackUrl};
//! let set = SetCallbackUrl::builder().type_("1").url("https://partner.example/paytend").build();
//! assert_eq!(serde_json::to_string(&set)?, r#"{"type":"1","url":"https://partner.example/paytend"}"#);
//! // The path is inferred. The partner documentation may specify a different path.
//! assert_eq!(SetCallbackUrl::INFO.provenance.path, Source::Inferred);
//! # Ok::<(), serde_json::Error>(())
//! ```

use crate::operation::OperationKind::Mutation;
use crate::operation::{NoData, Operation, OperationInfo, Product};
use crate::provenance::{Provenance, Source};
use crate::value::{Code, Personal};

payload! {
    /// Set callback URL: sets the URL for notifications from BaaS Core, Funding and Payout, which share one URL.
    #[doc(alias = "setCallbackUrl")]
    pub struct SetCallbackUrl: Documented {
        required {
            /// The URL type code; the values are not documented.
            type_: Code => "type",
            /// The URL. Hidden in `Debug`, since a URL can contain a secret.
            url: Personal => "url" = "https://partner.example/paytend",
        }
    }
}

impl Operation for SetCallbackUrl {
    type Response = NoData;

    const INFO: OperationInfo =
        OperationInfo::new(Product::Baas, Mutation, "Set callback URL", "/iban/funding/setCallbackUrl")
            .documented("Paytend Funding Notification API")
            .request_object("CallBackURL_BizData")
            .provenance(Provenance {
                operation: Source::Documented,
                path: Source::Inferred,
                request: Source::Documented,
                response: Source::Documented,
            });
}
