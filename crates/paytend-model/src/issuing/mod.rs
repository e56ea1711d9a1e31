//! Issuing Cards: partner funds, cardholders and cards.
//!
//! Paths and request fields are observed in the provider's published sandbox demo. The documentation names the response
//! objects, but their fields are inferred and therefore optional. Unknown fields, and fields of another type than
//! inferred, are kept in `extra`.
//!
//! ```
//! use paytend_model::Validate;
//! use paytend_model::issuing::{Address, CreateCardholder};
//!
//! let address = Address::new("Gedimino pr. 1".into(), "VNO".into(), "01103".into(), "LT".into());
//! let holder = CreateCardholder::new(
//!     "37060000000".into(), "Ona".into(), "Kazlauskienė".into(), "12345678".into(), "2".into(),
//!     "ona@example.com".into(), "1990-02-30".into(), "2".into(), "LT".into(), address,
//! );
//! let broken = holder.validate().unwrap_err();
//! assert_eq!(broken.to_string(), "`birthday` must be a valid date in the format yyyy-MM-dd");
//! ```

mod card;
mod card_funds;
mod cardholder;
mod notification;
mod partner;

pub use card::{
    ActiveCard, ApplyCard, CancelReportLoss, CardApplyResponse, CardInfoResponse, QueryApplyResult, QueryCardInfo,
    QuerySkus, ReplaceCard, ReportLoss, RetrievePassword, Sku, SkuResponse,
};
pub use card_funds::{
    AuthorizationsResponse, CardBalanceResponse, CardTransaction, CardTransactionsResponse, QueryAuthorizations,
    QueryCardBalance, QueryCardOverdueMonthlyFee, QueryCardTransactions, QueryTopupResult, Topup, TopupResponse,
    TopupResultResponse, TradeStatus, TradeType,
};
pub use cardholder::{
    Address, CitiesResponse, City, CreateCardholder, HolderResponse, QueryCardholder, QueryCities, UpdateCardholder,
    UploadDocument,
};
pub use notification::{CardHolderResult, TransactionNotification};
pub use partner::{
    Balance, PartnerBalanceResponse, PartnerTopupResponse, PartnerTransaction, PartnerTransactionResponse,
    QueryPartnerBalance, QueryPartnerTopup, QueryPartnerTransactions,
};

use crate::{OperationInfo, OperationKind, Product, Provenance, Source};

/// Describes an operation whose name is documented, and whose path and request fields are observed in the published
/// demo.
const fn seen(kind: OperationKind, title: &'static str, path: &'static str) -> OperationInfo {
    OperationInfo::new(Product::Issuing, kind, title, path).sure(Provenance {
        operation: Source::Documented,
        path: Source::Seen,
        request: Source::Seen,
        response: Source::Inferred,
    })
}

/// Describes such an operation with a documented response, which is an object without fields.
const fn seen_without_response(kind: OperationKind, title: &'static str, path: &'static str) -> OperationInfo {
    let info = seen(kind, title, path);
    info.sure(Provenance { response: Source::Documented, ..info.provenance })
}
