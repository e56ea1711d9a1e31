//! BaaS Core: IBAN accounts.
//!
//! The documentation names the operations and their objects. Paths are nowhere public, and neither are most fields: what is here
//! follows from the documentation's prose and from Issuing Cards' fields of the same meaning. Both can be overridden: the path
//! where the client is configured, the fields through `extra`.
//!
//! The order of calls that opens an account (documented, section 4.4): [`VerifyMobileNumber`] (optional), [`CreateIndividual`] or
//! [`CreateCorporation`], [`UploadDocument`] for each of [`required_documents`](crate::documents::required_documents), then
//! [`IndividualQuestionnaire`] or [`CorporationQuestionnaire`]; the account opening notification tells the rest.
//!
//! ```
//! use paytend_model::iban::CreateIndividual;
//! let mut person = CreateIndividual::new("37060000000".into());
//! person.verification_code = Some("123456".into());
//! // What the partner's own documents ask for, and this crate does not know.
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

use crate::{OperationInfo, OperationKind, Product, Provenance, Source};

/// An operation of which the documentation says no more than its name and those of its objects.
const fn named(kind: OperationKind, title: &'static str, path: &'static str) -> OperationInfo {
    OperationInfo::new(Product::Baas, kind, title, path).sure(Provenance {
        operation: Source::Documented,
        path: Source::Inferred,
        request: Source::Inferred,
        response: Source::Inferred,
    })
}

/// The same, with a documented response: an object without fields.
const fn named_without_response(kind: OperationKind, title: &'static str, path: &'static str) -> OperationInfo {
    let info = named(kind, title, path);
    info.sure(Provenance { response: Source::Documented, ..info.provenance })
}
