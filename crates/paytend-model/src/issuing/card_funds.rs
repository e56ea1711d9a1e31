//! The money on cards: balance, topup, transactions.

use super::seen;
use crate::OperationKind::{Mutation, Query};
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
    /// A topup whose answer was lost is looked up with [`QueryTopupResult`] and the same `orderNo`, never sent again blindly.
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
    pub struct QueryCardTransactions: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
            /// Code of the transactions' state.
            transaction_status: Code => "transactionStatus",
            /// The currency.
            currency: Currency => "currency",
            /// The first day.
            begin_date: Date => "beginDate" = "2023-11-01",
            /// The last day.
            end_date: Date => "endDate" = "2023-11-30" [NotBefore("beginDate")],
            /// Position of the page's first transaction.
            start: Count => "start" = "0",
            /// How many transactions the page may hold.
            max_size: Count => "maxSize" [Positive],
        }
        optional {}
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
            /// The page's transactions.
            transactions: Vec<CardTransaction> => "transactions",
        }
    }
}

payload! {
    /// A transaction on a card.
    pub struct CardTransaction: Inferred {
        required {}
        optional {
            /// The provider's number.
            transaction_id: TransactionId => "transactionId",
            /// The card.
            card_id: CardId => "cardId",
            /// Code of its state.
            transaction_status: Code => "transactionStatus",
            /// How much, in major units of `currency`.
            amount: Amount => "amount",
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query authorization transactions: a page of what was authorized on a card.
    pub struct QueryAuthorizations: Seen {
        required {
            /// The card.
            card_id: CardId => "cardId",
            /// The currency.
            currency: Currency => "currency",
            /// The first day.
            begin_date: Date => "beginDate" = "2023-11-01",
            /// The last day.
            end_date: Date => "endDate" = "2023-11-30" [NotBefore("beginDate")],
            /// Position of the page's first authorization.
            start: Count => "start" = "0",
            /// How many authorizations the page may hold.
            max_size: Count => "maxSize" [Positive],
        }
        optional {}
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
            /// The page's authorizations.
            transactions: Vec<CardTransaction> => "transactions",
        }
    }
}
