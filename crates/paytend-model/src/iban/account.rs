//! The Account Management operations: users, fees and balances.

use super::{IbanAccount, named};
use crate::issuing::CitiesResponse;
use crate::operation::OperationKind::Query;
use crate::operation::{Operation, OperationInfo, PayloadRule};
use crate::payload::given;
use crate::provenance::{Provenance, Source};
use crate::validate::{Report, Rule};
use crate::value::{Amount, Code, Count, CountryCode, Currency, Personal, UserId};

const SECTION: &str = "Paytend BaaS Core API, Account Management Interface";

payload! {
    /// Query user information: returns a user by `user_id` or `mobile`. The mobile number is the customer's unique
    /// identifier at Paytend (documented, section 4.4).
    #[doc(alias = "getUser")]
    pub struct QueryUser: Inferred {
        optional {
            /// The user's identifier.
            user_id: UserId => "userId",
            /// The mobile number with country code. The provider's published demo includes a leading `+`; the signed
            /// example in the documentation does not.
            mobile: Personal => "mobile" = "37060000000" [Phone, RequiredUnless("userId")],
        }
    }
    check |this: &Self, report: &mut Report| {
        // The partner documentation may describe other query fields, so a field in `extra` is also sufficient.
        let has_other = this.extra.has_other_than(&["userId", "mobile"]);
        let is_given = given(this.mobile.as_ref()) || given(this.user_id.as_ref()) || has_other;
        report.require("mobile", is_given, Rule::RequiredUnless("userId"));
    };
}

impl QueryUser {
    /// Creates a query by the user's identifier.
    pub fn by_id(user_id: UserId) -> Self {
        Self { user_id: Some(user_id), ..Self::new() }
    }

    /// Creates a query by mobile number.
    pub fn by_mobile(mobile: Personal) -> Self {
        Self { mobile: Some(mobile), ..Self::new() }
    }
}

impl Operation for QueryUser {
    type Response = UserResponse;

    const INFO: OperationInfo = named(Query, "Query user information", "/iban/user/getUser")
        .documented(SECTION)
        .request_object("UserInquery_BizData")
        .response_object("UserResponse");
}

payload! {
    /// A BaaS Core user. The object's name is documented.
    pub struct UserResponse: Inferred {
        optional {
            /// The user's identifier.
            user_id: UserId => "userId",
            /// The mobile number.
            mobile: Personal => "mobile" = "37060000000" [Phone],
            /// The audit status code.
            audit_status: Code => "auditStatus",
            /// The user status code.
            user_status: Code => "userStatus",
        }
    }
}

payload! {
    /// Query cities: returns a page of the provider's cities in a country.
    #[doc(alias = "getCities")]
    pub struct QueryCities: Inferred {
        required {
            /// The country.
            country_code: CountryCode => "countryCode",
            /// The position of the first city on the page.
            start: Count => "start" = "0",
            /// The maximum number of cities on the page.
            max_result: Count => "maxResult" [Positive],
        }
    }
}

impl Operation for QueryCities {
    type Response = CitiesResponse;

    const INFO: OperationInfo = named(Query, "Query cities", "/iban/user/getCities")
        .documented(SECTION)
        .request_object("Cities_BizData")
        .response_object("CitiesResponse");
}

payload! {
    /// Query user fees: returns a user's fees.
    #[doc(alias = "getUserFees")]
    pub struct QueryUserFees: Inferred {
        required {
            /// The user's identifier.
            user_id: UserId => "userId",
        }
    }
}

impl Operation for QueryUserFees {
    type Response = UserFeesResponse;

    const INFO: OperationInfo = named(Query, "Query user fees", "/iban/user/getUserFees")
        .documented(SECTION)
        .request_object("UserID_BizData")
        .response_object("UserFeesResponse");
}

payload! {
    /// A user's fees. The object's name is documented.
    pub struct UserFeesResponse: Inferred {
        optional {
            /// The fees.
            fees: Vec<Fee> => "fees",
        }
    }
}

payload! {
    /// A fee.
    pub struct Fee: Inferred {
        optional {
            /// The fee type code.
            fee_type: Code => "feeType",
            /// The amount in major units of `currency`.
            amount: Amount => "amount" = "1.50",
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query user upgrade fee: returns the fee for becoming a standard user. Business data is optional (documented),
    /// but no fields are known.
    #[doc(alias = "getUpgradeFee")]
    pub struct QueryUpgradeFee: Documented {}
}

impl Operation for QueryUpgradeFee {
    type Response = UpgradeFeeResponse;

    const INFO: OperationInfo = named(Query, "Query user upgrade fee", "/iban/user/getUpgradeFee")
        .documented(SECTION)
        .payload(PayloadRule::None)
        .response_object("UpgradeFeeResponse")
        .provenance(Provenance {
            operation: Source::Documented,
            path: Source::Inferred,
            request: Source::Documented,
            response: Source::Inferred,
        });
}

payload! {
    /// The fee for an upgrade. The object's name is documented.
    pub struct UpgradeFeeResponse: Inferred {
        optional {
            /// The amount in major units of `currency`.
            amount: Amount => "amount" = "25.00",
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query account information: returns a user's accounts and balances.
    #[doc(alias = "getAccounts")]
    pub struct QueryAccounts: Inferred {
        required {
            /// The user's identifier.
            user_id: UserId => "userId",
        }
    }
}

impl Operation for QueryAccounts {
    type Response = AccountsResponse;

    const INFO: OperationInfo = named(Query, "Query account information", "/iban/account/getAccounts")
        .documented(SECTION)
        .request_object("UserID_BizData")
        .response_object("AccountsResponse");
}

payload! {
    /// A user's accounts. The object's name is documented.
    pub struct AccountsResponse: Inferred {
        optional {
            /// The accounts.
            accounts: Vec<IbanAccount> => "accounts",
        }
    }
}
