//! Operations on the partner's funds: balances, topup information and transactions.

use super::card_funds::{TradeStatus, TradeType, either};
use super::observed;
use crate::operation::OperationKind::Query;
use crate::operation::{Operation, OperationInfo, PayloadRule};
use crate::validate::Report;
use crate::value::{Amount, Code, Count, Currency, Date, OrderNo, TransactionId};

const SECTION: &str = "Paytend BaaS Issuing Cards, Partner Interface";

payload! {
    /// Query partner balance: returns the balances from which cards are topped up. The request has no business data.
    #[doc(alias = "getPartnerBalance")]
    pub struct QueryPartnerBalance: Documented {}
}

impl Operation for QueryPartnerBalance {
    type Response = PartnerBalanceResponse;

    const INFO: OperationInfo = observed(Query, "Query partner balance", "/issuing/partner/getPartnerBalance")
        .documented(SECTION)
        .payload(PayloadRule::None)
        .response_object("PartnerBalanceResponse");
}

payload! {
    /// The partner's balances. The object's name is documented.
    pub struct PartnerBalanceResponse: Inferred {
        optional {
            /// The balances, one entry for each currency.
            balance: Vec<Balance> => "balance",
        }
    }
}

payload! {
    /// The balance in one currency.
    pub struct Balance: Inferred {
        required {
            /// The currency.
            currency: Currency => "currency",
            /// The available amount, in major units of `currency`.
            available: Amount => "available" = "5000.00",
        }
    }
}

payload! {
    /// Query partner topup information: returns the information needed to top up the partner's funds in a currency.
    #[doc(alias = "getPartnerTopup")]
    pub struct QueryPartnerTopup: Observed {
        required {
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

impl Operation for QueryPartnerTopup {
    type Response = PartnerTopupResponse;

    const INFO: OperationInfo = observed(Query, "Query partner topup information", "/issuing/partner/getPartnerTopup")
        .documented(SECTION)
        .request_object("PartnerTopup_BizData")
        .response_object("PartnerTopupResponse");
}

payload! {
    /// The partner's topup information. The name of the object is documented, but its fields are not. The fields are
    /// kept in `extra`.
    pub struct PartnerTopupResponse: Inferred {
        optional {
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query partner transaction information: returns a page of the transactions on the partner's funds.
    ///
    /// The provider's published demo sends an empty string for unused filters.
    #[doc(alias = "getPartnerTransactions")]
    pub struct QueryPartnerTransactions: Observed {
        required {
            /// The first day of the period.
            begin_date: Date => "beginDate" = "2023-11-01",
            /// The last day of the period, at most 30 days after the first (inferred).
            end_date: Date => "endDate" = "2023-11-30" [NotBefore("beginDate"), MaxDaysAfter("beginDate", 30)],
        }
        optional {
            /// The transaction status code to filter by. If absent, transactions in every status are returned.
            transaction_status: Code => "transactionStatus",
            /// The currency to filter by. If absent, transactions in every currency are returned.
            currency: Currency => "currency",
            /// The position of the first transaction on the page, starting at zero (inferred).
            start: Count => "start" = "0",
            /// The maximum number of transactions on the page.
            max_size: Count => "maxSize" [Positive],
        }
    }
    check |this: &Self, report: &mut Report| report.days_in_order(&this.begin_date, &this.end_date);
}

impl Operation for QueryPartnerTransactions {
    type Response = PartnerTransactionResponse;

    const INFO: OperationInfo =
        observed(Query, "Query partner transaction information", "/issuing/partner/getPartnerTransactions")
            .documented(SECTION)
            .request_object("PartnerTransaction_BizData")
            .response_object("PartnerTransactionResponse");
}

payload! {
    /// A page of the partner's transactions. The object's name is documented.
    pub struct PartnerTransactionResponse: Inferred {
        optional {
            /// The total number of transactions.
            total: Count => "total" = "1",
            /// The transactions on the page. [`trades`](Self::trades) also reads the alternative field.
            trade_list: Vec<PartnerTransaction> => "tradeList",
            /// The transactions on the page, under an alternative field name.
            transactions: Vec<PartnerTransaction> => "transactions",
        }
    }
}

impl PartnerTransactionResponse {
    /// Returns the transactions on the page, from whichever of the two fields is set.
    pub fn trades(&self) -> &[PartnerTransaction] {
        either(self.trade_list.as_deref(), self.transactions.as_deref())
    }
}

payload! {
    /// A transaction on the partner's funds.
    pub struct PartnerTransaction: Inferred {
        optional {
            /// The provider's transaction number. [`id`](Self::id) also reads the alternative field.
            trade_id: TransactionId => "tradeId",
            /// The transaction type.
            trade_type: TradeType => "tradeType",
            /// The transaction status.
            trade_status: TradeStatus => "tradeStatus",
            /// The booking date; the format is not known.
            business_date: String => "businessDate" = "2023-11-06",
            /// The partner's order number for the transaction.
            order_no: OrderNo => "orderNo",
            /// The amount in major units of `currency`.
            amount: Amount => "amount",
            /// The currency.
            currency: Currency => "currency",
            /// The provider's transaction number, under an alternative field name.
            transaction_id: TransactionId => "transactionId",
            /// The status code, under an alternative field name.
            transaction_status: Code => "transactionStatus",
        }
    }
}

impl PartnerTransaction {
    /// Returns the provider's transaction number, from whichever of the two fields is set.
    pub fn id(&self) -> Option<&TransactionId> {
        self.trade_id.as_ref().or(self.transaction_id.as_ref())
    }
}
