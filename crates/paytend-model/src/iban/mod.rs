//! BaaS Core: IBAN accounts.
//!
//! The public documentation lists the operations and their objects, but not the paths or most fields. The paths and
//! fields in this module are inferred from the documentation's prose and from fields of Issuing Cards with the same
//! meaning. Wrong paths can be overridden in the client configuration, and wrong fields through `extra`.
//!
//! To open an account, call these operations in order (documented, section 4.4):
//!
//! 1. [`VerifyMobileNumber`] (optional)
//! 2. [`CreateIndividual`] or [`CreateCorporation`]
//! 3. [`UploadDocument`] for each of the [`required_documents`](crate::documents::required_documents)
//! 4. [`IndividualQuestionnaire`] or [`CorporationQuestionnaire`]
//!
//! The account opening notification reports the new account.
//!
//! ```
//! use paytend_model::iban::CreateIndividual;
//! let mut person = CreateIndividual::new("37060000000");
//! person.verification_code = Some("123456".into());
//! // A field that the partner documentation requires but this crate does not know.
//! person.extra.set("occupation", r#""02""#)?;
//! assert_eq!(
//!     serde_json::to_string(&person)?,
//!     r#"{"mobile":"37060000000","verificationCode":"123456","occupation":"02"}"#
//! );
//! # Ok::<(), serde_json::Error>(())
//! ```

mod account;
mod notification;
mod opening;
mod questionnaire;
mod transaction;
mod transfer;

pub use account::{
    AccountsResponse, Fee, QueryAccounts, QueryCities, QueryUpgradeFee, QueryUser, QueryUserFees, UpgradeFeeResponse,
    UserFeesResponse, UserResponse,
};
pub use notification::{IbanAccount, PaymentFailure, TransferOrder, UserStatusChange, UserUpgrade};
pub use opening::{
    CreateCorporation, CreateIndividual, LegalPerson, RegisterResponse, UploadDocument, VerifyMobileNumber,
};
pub use questionnaire::{CorporationQuestionnaire, IndividualQuestionnaire};
pub use transaction::IbanTransaction;
pub use transfer::{SubmitTransferOrder, UploadTransferOrderFile};

use crate::operation::{OperationInfo, OperationKind, Product};
use crate::provenance::{Provenance, Source};

/// Describes an operation whose name and object names are documented, but whose path and fields are not.
const fn named(kind: OperationKind, title: &'static str, path: &'static str) -> OperationInfo {
    OperationInfo::new(Product::Baas, kind, title, path).provenance(Provenance {
        operation: Source::Documented,
        path: Source::Inferred,
        request: Source::Inferred,
        response: Source::Inferred,
    })
}

/// Describes an operation like [`named`], but with a response that is documented as an object without fields.
const fn named_without_response(kind: OperationKind, title: &'static str, path: &'static str) -> OperationInfo {
    let info = named(kind, title, path);
    info.provenance(Provenance { response: Source::Documented, ..info.provenance })
}
