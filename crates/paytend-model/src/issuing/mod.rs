//! Issuing Cards: partner funds, cardholders and cards.
//!
//! Paths and request fields are observed in the provider's published sandbox demo. The documentation lists the names of
//! the response objects, but their fields are inferred and therefore optional. Unknown fields, and fields whose type
//! differs from the inferred type, are kept in `extra`.
//!
//! ```
//! use paytend_model::issuing::{Address, CreateCardholder};
//! use paytend_model::{IdType, Validate};
//!
//! let address = Address::builder()
//!     .address_line("Gedimino pr. 1")
//!     .city_code("VNO")
//!     .postcode("01103")
//!     .country_code("LT")
//!     .build();
//! let holder = CreateCardholder::builder()
//!     .mobile("37060000000")
//!     .first_name("Ona")
//!     .last_name("Kazlauskienė")
//!     .id_no("12345678")
//!     .id_type(IdType::Passport)
//!     .email("ona@example.com")
//!     .birthday("1990-02-30")
//!     .gender("2")
//!     .nationality_code("LT")
//!     .eea_address(address)
//!     .build();
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

use crate::operation::{OperationInfo, OperationKind, Product};
use crate::provenance::{Provenance, Source};

/// Describes an operation with a documented name. The path and the request fields are observed in the provider's
/// published demo.
const fn observed(kind: OperationKind, title: &'static str, path: &'static str) -> OperationInfo {
    OperationInfo::new(Product::Issuing, kind, title, path).provenance(Provenance {
        operation: Source::Documented,
        path: Source::Observed,
        request: Source::Observed,
        response: Source::Inferred,
    })
}

/// Describes an operation in the same way as [`observed`], for a response that is documented as an object without
/// fields.
const fn observed_without_response(kind: OperationKind, title: &'static str, path: &'static str) -> OperationInfo {
    let info = observed(kind, title, path);
    info.provenance(Provenance { response: Source::Documented, ..info.provenance })
}
