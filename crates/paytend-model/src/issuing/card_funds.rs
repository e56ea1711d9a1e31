//! Card balances, topups and transactions.

use super::observed;
use crate::operation::OperationKind::{Mutation, Query};
use crate::operation::{Operation, OperationInfo};
use crate::provenance::{Provenance, Source};
use crate::validate::Report;
use crate::value::codes;
use crate::value::{Amount, CardId, Code, Count, Currency, Date, OrderNo, TransactionId};

const SECTION: &str = "Paytend BaaS Issuing Cards, Card Interface";

payload! {
    /// Query card balance: returns a card's balance.
    #[doc(alias = "getCardBalance")]
    pub struct QueryCardBalance: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
        }
    }
}

impl Operation for QueryCardBalance {
    type Response = CardBalanceResponse;

    const INFO: OperationInfo = observed(Query, "Query card balance", "/issuing/card/getCardBalance")
        .documented(SECTION)
        .request_object("CardID_BizData")
        .response_object("CardBalanceResponse");
}

payload! {
    /// A card's balance, or its overdue monthly fee. Only the object's name is documented.
    pub struct CardBalanceResponse: Inferred {
        optional {
            /// The card's identifier.
            card_id: CardId => "cardId",
            /// The available or overdue amount, in major units of `currency`.
            balance: Amount => "balance" = "25.50",
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query card overdue monthly fee: returns a card's overdue monthly fee. The path is inferred.
    #[doc(alias = "getCardOverdueMonthlyFee")]
    pub struct QueryCardOverdueMonthlyFee: Documented {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
        }
    }
}

impl Operation for QueryCardOverdueMonthlyFee {
    type Response = CardBalanceResponse;

    const INFO: OperationInfo =
        observed(Query, "Query card overdue monthly fee", "/issuing/card/getCardOverdueMonthlyFee")
            .documented(SECTION)
            .request_object("CardID_BizData")
            .response_object("CardBalanceResponse")
            .provenance(Provenance {
                operation: Source::Documented,
                path: Source::Inferred,
                request: Source::Documented,
                response: Source::Inferred,
            });
}

payload! {
    /// Topup: moves money from the partner's balance to a card, once for each `orderNo`.
    ///
    /// If the response to a topup is lost, query the result of the topup with [`QueryTopupResult`] and the same
    /// `orderNo`. Never blindly retry a topup.
    #[doc(alias = "topup")]
    pub struct Topup: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
            /// The partner's unique order number for the topup.
            order_no: OrderNo => "orderNo",
            /// The amount in major units of `currency`; sent as a JSON string, as in the provider's published demo.
            amount: Amount => "amount" [Positive, AsText],
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

impl Operation for Topup {
    type Response = TopupResponse;

    const INFO: OperationInfo = observed(Mutation, "Topup", "/issuing/card/topup")
        .documented(SECTION)
        .request_object("Topup_BizData")
        .response_object("TopupResponse");
}

payload! {
    /// The response to a topup. Only the object's name is documented.
    pub struct TopupResponse: Inferred {
        optional {
            /// The partner's order number.
            order_no: OrderNo => "orderNo",
            /// The topup status code.
            status: Code => "status",
        }
    }
}

payload! {
    /// Query topup result: returns the result of a topup.
    #[doc(alias = "getTopupResult")]
    pub struct QueryTopupResult: Observed {
        required {
            /// The partner's order number for the topup.
            order_no: OrderNo => "orderNo",
        }
    }
}

impl Operation for QueryTopupResult {
    type Response = TopupResultResponse;

    const INFO: OperationInfo = observed(Query, "Query topup result", "/issuing/card/getTopupResult")
        .documented(SECTION)
        .request_object("TopupResult_BizData")
        .response_object("TopupResultResponse");
}

payload! {
    /// The result of a topup. Only the object's name is documented.
    pub struct TopupResultResponse: Inferred {
        optional {
            /// The partner's order number.
            order_no: OrderNo => "orderNo",
            /// The card's identifier.
            card_id: CardId => "cardId",
            /// The amount in major units of `currency`.
            amount: Amount => "amount",
            /// The currency.
            currency: Currency => "currency",
            /// The topup status code.
            status: Code => "status",
        }
    }
}

payload! {
    /// Query transaction information: returns a page of a card's settled transactions.
    ///
    /// The provider's published demo sends an empty string for unused filters.
    #[doc(alias = "getCardTransactions")]
    pub struct QueryCardTransactions: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
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

impl Operation for QueryCardTransactions {
    type Response = CardTransactionsResponse;

    const INFO: OperationInfo = observed(Query, "Query transaction information", "/issuing/card/getCardTransactions")
        .documented(SECTION)
        .request_object("CardTransactions_BizData")
        .response_object("CardTransactionsResponse");
}

payload! {
    /// A page of a card's transactions. Only the object's name is documented.
    pub struct CardTransactionsResponse: Inferred {
        optional {
            /// The total number of transactions.
            total: Count => "total" = "1",
            /// The transactions on the page. [`trades`](Self::trades) also reads the field with the alternative name.
            trade_list: Vec<CardTransaction> => "tradeList",
            /// The transactions on the page, under an alternative field name.
            transactions: Vec<CardTransaction> => "transactions",
        }
    }
}

impl CardTransactionsResponse {
    /// Returns the transactions on the page, from whichever of the two fields is set.
    pub fn trades(&self) -> &[CardTransaction] {
        either(self.trade_list.as_deref(), self.transactions.as_deref())
    }
}

/// Returns the first list that is present, or an empty list.
pub(super) fn either<'l, T>(first: Option<&'l [T]>, second: Option<&'l [T]>) -> &'l [T] {
    first.or(second).unwrap_or_default()
}

payload! {
    /// A transaction on a card.
    ///
    /// All field names are inferred. `businessDate` and the names that begin with `trade` occur in a card partner's
    /// app. Fields with alternative names, such as `transactionId`, are also read.
    pub struct CardTransaction: Inferred {
        optional {
            /// The provider's transaction number. [`id`](Self::id) also reads the field with the alternative name.
            trade_id: TransactionId => "tradeId",
            /// The transaction type.
            trade_type: TradeType => "tradeType",
            /// The transaction status.
            trade_status: TradeStatus => "tradeStatus",
            /// The booking date; the format is not known.
            business_date: String => "businessDate" = "2023-11-06",
            /// The card's identifier.
            card_id: CardId => "cardId",
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

impl CardTransaction {
    /// Returns the provider's transaction number, from whichever of the two fields is set.
    pub fn id(&self) -> Option<&TransactionId> {
        self.trade_id.as_ref().or(self.transaction_id.as_ref())
    }
}

codes! {
    /// `tradeType`: the type of a card transaction. All values are inferred from a card partner's app.
    pub enum TradeType {
        /// a topup.
        TopUp = "100",
        /// a withdrawal.
        Withdrawal = "110",
        /// a transfer to the card.
        TransferIn = "120",
        /// a transfer from the card.
        TransferOut = "121",
        /// a pre-authorization.
        PreAuthorization = "150",
        /// a payment.
        Payment = "151",
        /// an adjustment of a settlement.
        SettlementAdjustment = "200",
        /// a fee.
        Fee = "500",
    }
}

codes! {
    /// `tradeStatus`: the status of a card transaction. All values are inferred from a card partner's app.
    pub enum TradeStatus {
        /// the transaction succeeded.
        Success = "1",
        /// the transaction is a reversal.
        Reversal = "2",
        /// the transaction was reversed.
        Reversed = "3",
        /// the transaction was cancelled.
        Cancelled = "6",
        /// the transaction is a cancellation.
        Cancel = "7",
        /// the transaction is a refund.
        Refund = "10",
    }
}

payload! {
    /// Query authorization transactions: returns a page of the authorizations on a card.
    ///
    /// The provider's published demo sends an empty string for unused filters.
    #[doc(alias = "getAuthorizationTransactions")]
    pub struct QueryAuthorizations: Observed {
        required {
            /// The card's identifier.
            card_id: CardId => "cardId",
            /// The first day of the period.
            begin_date: Date => "beginDate" = "2023-11-01",
            /// The last day of the period, at most 30 days after the first (inferred).
            end_date: Date => "endDate" = "2023-11-30" [NotBefore("beginDate"), MaxDaysAfter("beginDate", 30)],
        }
        optional {
            /// The currency to filter by. If absent, authorizations in every currency are returned.
            currency: Currency => "currency",
            /// The position of the first authorization on the page, starting at zero (inferred).
            start: Count => "start" = "0",
            /// The maximum number of authorizations on the page.
            max_size: Count => "maxSize" [Positive],
        }
    }
    check |this: &Self, report: &mut Report| report.days_in_order(&this.begin_date, &this.end_date);
}

impl Operation for QueryAuthorizations {
    type Response = AuthorizationsResponse;

    const INFO: OperationInfo =
        observed(Query, "Query authorization transactions", "/issuing/card/getAuthorizationTransactions")
            .documented(SECTION)
            .request_object("AuthorizeTrans_BizData")
            .response_object("AuthorizeTransResponse");
}

payload! {
    /// A page of the authorizations on a card. Only the object's name (`AuthorizeTransResponse`) is documented.
    pub struct AuthorizationsResponse: Inferred {
        optional {
            /// The total number of authorizations.
            total: Count => "total" = "1",
            /// The authorizations on the page. [`trades`](Self::trades) also reads the field with the alternative name.
            trade_list: Vec<CardTransaction> => "tradeList",
            /// The authorizations on the page, under an alternative field name.
            transactions: Vec<CardTransaction> => "transactions",
        }
    }
}

impl AuthorizationsResponse {
    /// Returns the authorizations on the page, from whichever of the two fields is set.
    pub fn trades(&self) -> &[CardTransaction] {
        either(self.trade_list.as_deref(), self.transactions.as_deref())
    }
}
