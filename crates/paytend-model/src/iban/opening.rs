//! Opening an account.

use crate::{NoData, Operation, OperationInfo, OperationKind, PayloadRule, Product, Provenance, Source};

payload! {
    /// Verify mobile number: Paytend sends a verification code to it. The first, optional step of opening an account; the
    /// mobile number is the customer's unique identifier at Paytend (documented, BaaS Core section 4.4).
    pub struct VerifyMobileNumber {
        required {
            /// Mobile number with country code and no `+`, such as `8613261402222`.
            mobile: String => "mobile",
            /// Code of the purpose; the documentation's example has "1" and explains none.
            type_: String => "type",
        }
        optional {}
    }
}

impl Operation for VerifyMobileNumber {
    type Response = NoData;

    const INFO: OperationInfo = OperationInfo {
        name: "verifyMobileNumber",
        title: "Verify mobile number",
        product: Product::Baas,
        path: "/iban/user/verifyMobileNumber",
        kind: OperationKind::Mutation,
        payload: PayloadRule::Signed,
        documentation: "Paytend BaaS Core API, Verify mobile number (VerificationCode_BizData)",
        provenance: Provenance {
            operation: Source::Documented,
            path: Source::Inferred,
            request: Source::Documented,
            response: Source::Documented,
        },
    };
}
