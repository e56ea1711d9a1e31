//! The money on cards: balance, topup, transactions.

use super::seen;
use crate::OperationKind::{Mutation, Query};
use crate::value::codes;
use crate::{
    Amount, CardId, Code, Count, Currency, Date, Operation, OperationInfo, OrderNo, Provenance, Report, Source,
    TransactionId,
};

const SECTION: &str = "Paytend BaaS Issuing Cards, Card Interface";

payload! {
    /// Query card balance.
    pub struct QueryCardBalance: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
        }
        optional {}
    }
}

impl Operation for QueryCardBalance {
    type Response = CardBalanceResponse;

    const INFO: OperationInfo = seen(Query, "Query card balance", "/issuing/card/getCardBalance")
        .documented(SECTION)
        .takes("CardID_BizData")
        .gives("CardBalanceResponse");
}

payload! {
    /// A card's balance, or what is overdue of its monthly fee. The object's name is documented.
    pub struct CardBalanceResponse: Inferred {
        required {}
        optional {
            /// The card.
            card_id: CardId => "cardId",
            /// What can be spent, or is overdue, in major units of `currency`.
            balance: Amount => "balance" = "25.50",
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query card overdue monthly fee. Its path is inferred.
    pub struct QueryCardOverdueMonthlyFee: Documented {
        required {
            /// The card.
            card_id: CardId => "cardId",
        }
        optional {}
    }
}

impl Operation for QueryCardOverdueMonthlyFee {
    type Response = CardBalanceResponse;

    const INFO: OperationInfo = seen(Query, "Query card overdue monthly fee", "/issuing/card/getCardOverdueMonthlyFee")
        .documented(SECTION)
        .takes("CardID_BizData")
        .gives("CardBalanceResponse")
        .sure(Provenance {
            operation: Source::Documented,
            path: Source::Inferred,
            request: Source::Documented,
            response: Source::Inferred,
        });
}

payload! {
    /// Topup: moves money from the partner's balance to a card, once for each `orderNo`.
    ///
    /// A topup whose answer was lost is looked up with [`QueryTopupResult`] and the same `orderNo`, never sent again
    /// blindly.
    pub struct Topup: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
            /// The partner's unique number for this topup.
            order_no: OrderNo => "orderNo",
            /// How much, in major units of `currency`; sent as a JSON string, as the published demo does.
            amount: Amount => "amount" [Positive, AsText],
            /// The currency.
            currency: Currency => "currency",
        }
        optional {}
    }
}

impl Operation for Topup {
    type Response = TopupResponse;

    const INFO: OperationInfo = seen(Mutation, "Topup", "/issuing/card/topup")
        .documented(SECTION)
        .takes("Topup_BizData")
        .gives("TopupResponse");
}

payload! {
    /// A topup that was taken. The object's name is documented.
    pub struct TopupResponse: Inferred {
        required {}
        optional {
            /// The partner's number.
            order_no: OrderNo => "orderNo",
            /// Code of the topup's state.
            status: Code => "status",
        }
    }
}

payload! {
    /// Query topup result.
    pub struct QueryTopupResult: Seen {
        required {
            /// The partner's number of the topup.
            order_no: OrderNo => "orderNo",
        }
        optional {}
    }
}

impl Operation for QueryTopupResult {
    type Response = TopupResultResponse;

    const INFO: OperationInfo = seen(Query, "Query topup result", "/issuing/card/getTopupResult")
        .documented(SECTION)
        .takes("TopupResult_BizData")
        .gives("TopupResultResponse");
}

payload! {
    /// What became of a topup. The object's name is documented.
    pub struct TopupResultResponse: Inferred {
        required {}
        optional {
            /// The partner's number.
            order_no: OrderNo => "orderNo",
            /// The card.
            card_id: CardId => "cardId",
            /// How much, in major units of `currency`.
            amount: Amount => "amount",
            /// The currency.
            currency: Currency => "currency",
            /// Code of the topup's state.
            status: Code => "status",
        }
    }
}

payload! {
    /// Query transaction information: a page of a card's settled transactions.
    ///
    /// The published demo sends an empty text for what it does not ask by.
    pub struct QueryCardTransactions: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
            /// The first day.
            begin_date: Date => "beginDate" = "2023-11-01",
            /// The last day, at most 30 days after the first (inferred).
            end_date: Date => "endDate" = "2023-11-30" [NotBefore("beginDate"), MaxDaysAfter("beginDate", 30)],
        }
        optional {
            /// Code of the transactions' state. Without one, the transactions in every state.
            transaction_status: Code => "transactionStatus",
            /// The currency. Without one, the transactions in every currency.
            currency: Currency => "currency",
            /// Position of the page's first transaction, from zero (inferred).
            start: Count => "start" = "0",
            /// How many transactions the page may hold.
            max_size: Count => "maxSize" [Positive],
        }
    }
    check |this: &Self, report: &mut Report| report.days_in_order(&this.begin_date, &this.end_date);
}

impl Operation for QueryCardTransactions {
    type Response = CardTransactionsResponse;

    const INFO: OperationInfo = seen(Query, "Query transaction information", "/issuing/card/getCardTransactions")
        .documented(SECTION)
        .takes("CardTransactions_BizData")
        .gives("CardTransactionsResponse");
}

payload! {
    /// A page of a card's transactions. The object's name is documented.
    pub struct CardTransactionsResponse: Inferred {
        required {}
        optional {
            /// How many there are in all.
            total: Count => "total" = "1",
            /// The page's transactions. [`trades`](Self::trades) reads both names of the list.
            trade_list: Vec<CardTransaction> => "tradeList",
            /// The page's transactions, by another guess of the name.
            transactions: Vec<CardTransaction> => "transactions",
        }
    }
}

impl CardTransactionsResponse {
    /// Returns the page's transactions, by whichever name they arrived.
    pub fn trades(&self) -> &[CardTransaction] {
        either(self.trade_list.as_deref(), self.transactions.as_deref())
    }
}

/// Returns the list that is there; the first, if both are.
pub(super) fn either<'l, T>(first: Option<&'l [T]>, second: Option<&'l [T]>) -> &'l [T] {
    first.or(second).unwrap_or_default()
}

payload! {
    /// A transaction on a card.
    ///
    /// The names that begin with `trade`, and `businessDate`, are inferred from the app of a card partner. The other
    /// names are earlier guesses, and are read too.
    pub struct CardTransaction: Inferred {
        required {}
        optional {
            /// The provider's number. [`id`](Self::id) reads both names.
            trade_id: TransactionId => "tradeId",
            /// The kind of the transaction.
            trade_type: TradeType => "tradeType",
            /// The state of the transaction.
            trade_status: TradeStatus => "tradeStatus",
            /// When it was booked; the format is not known.
            business_date: String => "businessDate" = "2023-11-06",
            /// The card.
            card_id: CardId => "cardId",
            /// How much, in major units of `currency`.
            amount: Amount => "amount",
            /// The currency.
            currency: Currency => "currency",
            /// The provider's number, by another guess of the name.
            transaction_id: TransactionId => "transactionId",
            /// Code of the state, by another guess of the name.
            transaction_status: Code => "transactionStatus",
        }
    }
}

impl CardTransaction {
    /// Returns the provider's number, by whichever name it arrived.
    pub fn id(&self) -> Option<&TransactionId> {
        self.trade_id.as_ref().or(self.transaction_id.as_ref())
    }
}

codes! {
    /// `tradeType`: the kind of a transaction on a card. All values are inferred from the app of a card partner.
    pub enum TradeType {
        /// a top-up.
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
    /// `tradeStatus`: the state of a transaction on a card. All values are inferred from the app of a card partner.
    pub enum TradeStatus {
        /// it succeeded.
        Success = "1",
        /// it is a reversal.
        Reversal = "2",
        /// it was reversed.
        Reversed = "3",
        /// it was cancelled.
        Cancelled = "6",
        /// it is a cancellation.
        Cancel = "7",
        /// it is a refund.
        Refund = "10",
    }
}

payload! {
    /// Query authorization transactions: a page of what was authorized on a card.
    ///
    /// The published demo sends an empty text for what it does not ask by.
    pub struct QueryAuthorizations: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
            /// The first day.
            begin_date: Date => "beginDate" = "2023-11-01",
            /// The last day, at most 30 days after the first (inferred).
            end_date: Date => "endDate" = "2023-11-30" [NotBefore("beginDate"), MaxDaysAfter("beginDate", 30)],
        }
        optional {
            /// The currency. Without one, the authorizations in every currency.
            currency: Currency => "currency",
            /// Position of the page's first authorization, from zero (inferred).
            start: Count => "start" = "0",
            /// How many authorizations the page may hold.
            max_size: Count => "maxSize" [Positive],
        }
    }
    check |this: &Self, report: &mut Report| report.days_in_order(&this.begin_date, &this.end_date);
}

impl Operation for QueryAuthorizations {
    type Response = AuthorizationsResponse;

    const INFO: OperationInfo =
        seen(Query, "Query authorization transactions", "/issuing/card/getAuthorizationTransactions")
            .documented(SECTION)
            .takes("AuthorizeTrans_BizData")
            .gives("AuthorizeTransResponse");
}

payload! {
    /// A page of a card's authorizations. The object's name (`AuthorizeTransResponse`) is documented.
    pub struct AuthorizationsResponse: Inferred {
        required {}
        optional {
            /// How many there are in all.
            total: Count => "total" = "1",
            /// The page's authorizations. [`trades`](Self::trades) reads both names of the list.
            trade_list: Vec<CardTransaction> => "tradeList",
            /// The page's authorizations, by another guess of the name.
            transactions: Vec<CardTransaction> => "transactions",
        }
    }
}

impl AuthorizationsResponse {
    /// Returns the page's authorizations, by whichever name they arrived.
    pub fn trades(&self) -> &[CardTransaction] {
        either(self.trade_list.as_deref(), self.transactions.as_deref())
    }
}
