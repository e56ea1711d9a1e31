//! Account Management: users, fees, balances.

use super::{IbanAccount, named};
use crate::OperationKind::Query;
use crate::issuing::CitiesResponse;
use crate::payload::given;
use crate::{
    Amount, Code, Count, CountryCode, Currency, Operation, OperationInfo, PayloadRule, Personal, Provenance, Report,
    Rule, Source, UserId,
};

const SECTION: &str = "Paytend BaaS Core API, Account Management Interface";

payload! {
    /// Query user information, by `user_id` or `mobile`: the mobile number is the customer's unique identifier at Paytend
    /// (documented, section 4.4).
    pub struct QueryUser: Inferred {
        required {}
        optional {
            /// The user.
            user_id: UserId => "userId",
            /// Mobile number with country code. The published demo sends `+`; the documentation's signed example has none.
            mobile: Personal => "mobile" = "37060000000" [Phone, RequiredUnless("userId")],
        }
    }
    check |this: &Self, report: &mut Report| {
        // The partner's own documents may have other ways to ask.
        let otherwise = this.extra.has_other_than(&["userId", "mobile"]);
        report.require("mobile", given(this.mobile.as_ref()) || given(this.user_id.as_ref()) || otherwise, Rule::RequiredUnless("userId"));
    };
}

impl QueryUser {
    /// The user with an identifier.
    pub fn by_id(user_id: UserId) -> Self {
        Self { user_id: Some(user_id), ..Self::new() }
    }

    /// The user with a mobile number.
    pub fn by_mobile(mobile: Personal) -> Self {
        Self { mobile: Some(mobile), ..Self::new() }
    }
}

impl Operation for QueryUser {
    type Response = UserResponse;

    const INFO: OperationInfo = named(Query, "Query user information", "/iban/user/getUser")
        .documented(SECTION)
        .takes("UserInquery_BizData")
        .gives("UserResponse");
}

payload! {
    /// A user as the provider has it. The object's name is documented.
    pub struct UserResponse: Inferred {
        required {}
        optional {
            /// The user.
            user_id: UserId => "userId",
            /// Mobile number.
            mobile: Personal => "mobile" = "37060000000" [Phone],
            /// Code of the audit's state.
            audit_status: Code => "auditStatus",
            /// Code of the user's state.
            user_status: Code => "userStatus",
        }
    }
}

payload! {
    /// Query cities: a page of the provider's cities in a country.
    pub struct QueryCities: Inferred {
        required {
            /// The country.
            country_code: CountryCode => "countryCode",
            /// Position of the page's first city.
            start: Count => "start" = "0",
            /// How many cities the page may hold.
            max_result: Count => "maxResult" [Positive],
        }
        optional {}
    }
}

impl Operation for QueryCities {
    type Response = CitiesResponse;

    const INFO: OperationInfo = named(Query, "Query cities", "/iban/user/getCities")
        .documented(SECTION)
        .takes("Cities_BizData")
        .gives("CitiesResponse");
}

payload! {
    /// Query user fees.
    pub struct QueryUserFees: Inferred {
        required {
            /// The user.
            user_id: UserId => "userId",
        }
        optional {}
    }
}

impl Operation for QueryUserFees {
    type Response = UserFeesResponse;

    const INFO: OperationInfo = named(Query, "Query user fees", "/iban/user/getUserFees")
        .documented(SECTION)
        .takes("UserID_BizData")
        .gives("UserFeesResponse");
}

payload! {
    /// A user's fees. The object's name is documented.
    pub struct UserFeesResponse: Inferred {
        required {}
        optional {
            /// The fees.
            fees: Vec<Fee> => "fees",
        }
    }
}

payload! {
    /// A fee.
    pub struct Fee: Inferred {
        required {}
        optional {
            /// Code of what it is for.
            fee_type: Code => "feeType",
            /// How much, in major units of `currency`.
            amount: Amount => "amount" = "1.50",
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query user upgrade fee: what it costs to become a standard user. Business data is optional (documented), and none is known.
    pub struct QueryUpgradeFee: Documented {
        required {}
        optional {}
    }
}

impl Operation for QueryUpgradeFee {
    type Response = UpgradeFeeResponse;

    const INFO: OperationInfo = named(Query, "Query user upgrade fee", "/iban/user/getUpgradeFee")
        .documented(SECTION)
        .payload(PayloadRule::None)
        .gives("UpgradeFeeResponse")
        .sure(Provenance {
            operation: Source::Documented,
            path: Source::Inferred,
            request: Source::Documented,
            response: Source::Inferred,
        });
}

payload! {
    /// What the upgrade costs. The object's name is documented.
    pub struct UpgradeFeeResponse: Inferred {
        required {}
        optional {
            /// How much, in major units of `currency`.
            amount: Amount => "amount" = "25.00",
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query account information: a user's accounts and balances.
    pub struct QueryAccounts: Inferred {
        required {
            /// The user.
            user_id: UserId => "userId",
        }
        optional {}
    }
}

impl Operation for QueryAccounts {
    type Response = AccountsResponse;

    const INFO: OperationInfo = named(Query, "Query account information", "/iban/account/getAccounts")
        .documented(SECTION)
        .takes("UserID_BizData")
        .gives("AccountsResponse");
}

payload! {
    /// A user's accounts. The object's name is documented.
    pub struct AccountsResponse: Inferred {
        required {}
        optional {
            /// The accounts.
            accounts: Vec<IbanAccount> => "accounts",
        }
    }
}
