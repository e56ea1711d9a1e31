//! The partner's own funds.

use super::card_funds::{TradeStatus, TradeType, either};
use super::seen;
use crate::OperationKind::Query;
use crate::{
    Amount, Code, Count, Currency, Date, Operation, OperationInfo, OrderNo, PayloadRule, Report, TransactionId,
};

const SECTION: &str = "Paytend BaaS Issuing Cards, Partner Interface";

payload! {
    /// Query partner balance: the funds from which cards are topped up. No business data.
    pub struct QueryPartnerBalance: Documented {
        required {}
        optional {}
    }
}

impl Operation for QueryPartnerBalance {
    type Response = PartnerBalanceResponse;

    const INFO: OperationInfo = seen(Query, "Query partner balance", "/issuing/partner/getPartnerBalance")
        .documented(SECTION)
        .payload(PayloadRule::None)
        .gives("PartnerBalanceResponse");
}

payload! {
    /// The partner's balances. The object's name is documented.
    pub struct PartnerBalanceResponse: Inferred {
        required {}
        optional {
            /// One entry a currency.
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
            /// What can be spent, in major units of `currency`.
            available: Amount => "available" = "5000.00",
        }
        optional {}
    }
}

payload! {
    /// Query partner topup information: how the partner's own funds are topped up in a currency.
    pub struct QueryPartnerTopup: Seen {
        required {
            /// The currency.
            currency: Currency => "currency",
        }
        optional {}
    }
}

impl Operation for QueryPartnerTopup {
    type Response = PartnerTopupResponse;

    const INFO: OperationInfo = seen(Query, "Query partner topup information", "/issuing/partner/getPartnerTopup")
        .documented(SECTION)
        .takes("PartnerTopup_BizData")
        .gives("PartnerTopupResponse");
}

payload! {
    /// The partner's topup information. The object's name is documented, and nothing of what it holds: see `extra`.
    pub struct PartnerTopupResponse: Inferred {
        required {}
        optional {
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// Query partner transaction information: a page of what moved on the partner's funds.
    ///
    /// The published demo sends an empty text for what it does not ask by.
    pub struct QueryPartnerTransactions: Seen {
        required {
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

impl Operation for QueryPartnerTransactions {
    type Response = PartnerTransactionResponse;

    const INFO: OperationInfo =
        seen(Query, "Query partner transaction information", "/issuing/partner/getPartnerTransactions")
            .documented(SECTION)
            .takes("PartnerTransaction_BizData")
            .gives("PartnerTransactionResponse");
}

payload! {
    /// A page of the partner's transactions. The object's name is documented.
    pub struct PartnerTransactionResponse: Inferred {
        required {}
        optional {
            /// How many there are in all.
            total: Count => "total" = "1",
            /// The page's transactions. [`trades`](Self::trades) reads both names of the list.
            trade_list: Vec<PartnerTransaction> => "tradeList",
            /// The page's transactions, by another guess of the name.
            transactions: Vec<PartnerTransaction> => "transactions",
        }
    }
}

impl PartnerTransactionResponse {
    /// Returns the page's transactions, by whichever name they arrived.
    pub fn trades(&self) -> &[PartnerTransaction] {
        either(self.trade_list.as_deref(), self.transactions.as_deref())
    }
}

payload! {
    /// A transaction on the partner's funds.
    pub struct PartnerTransaction: Inferred {
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
            /// The partner's number of the order it belongs to.
            order_no: OrderNo => "orderNo",
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

impl PartnerTransaction {
    /// Returns the provider's number, by whichever name it arrived.
    pub fn id(&self) -> Option<&TransactionId> {
        self.trade_id.as_ref().or(self.transaction_id.as_ref())
    }
}
