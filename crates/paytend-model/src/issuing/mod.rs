//! Issuing Cards: partner funds, cardholders, cards.
//!
//! Paths and request fields are seen in the provider's published sandbox demo. The documentation names the response objects; the
//! fields of responses are inferred and therefore all optional: what else arrives is kept in `extra`.

mod card;
mod cardholder;
mod partner;

pub use card::{CardBalanceResponse, QueryCardBalance, QueryTopupResult, Topup, TopupResponse, TopupResultResponse};
pub use cardholder::{Address, CreateCardholder, HolderResponse};
pub use partner::{Balance, PartnerBalanceResponse, QueryPartnerBalance};

use crate::{Provenance, Source};

/// Named in the documentation; path and request fields seen in the published demo; response fields inferred.
const SEEN: Provenance =
    Provenance { operation: Source::Documented, path: Source::Seen, request: Source::Seen, response: Source::Inferred };
