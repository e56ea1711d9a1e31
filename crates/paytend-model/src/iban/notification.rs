//! The contents of BaaS Core's notifications. That of the fund deposit is [`IbanTransaction`](super::IbanTransaction).

use crate::{Amount, Code, Currency, OrderNo, Personal, TransactionId, UserId};

payload! {
    /// `IBANAccount`, the content of the account opening notification (BaaS, `notifyType` 1): the account is open. Also what
    /// Query account information lists. The object's name is documented.
    pub struct IbanAccount: Inferred {
        required {}
        optional {
            /// Whose it is.
            user_id: UserId => "userId",
            /// The IBAN.
            account_num: Personal => "accountNum" = "LT121000011101001000",
            /// The currency.
            currency: Currency => "currency",
            /// The balance, in major units of `currency`.
            balance: Amount => "balance" = "1250.07",
            /// Code of the account's state.
            status: Code => "status",
        }
    }
}

payload! {
    /// `AccountStatusChangeNotification_Context`, the content of the user status change notification (BaaS, `notifyType` 3): the
    /// audit's state or the user's has changed. The object's name is documented.
    pub struct UserStatusChange: Inferred {
        required {}
        optional {
            /// The user.
            user_id: UserId => "userId",
            /// Code of the audit's state.
            audit_status: Code => "auditStatus",
            /// Code of the user's state.
            user_status: Code => "userStatus",
        }
    }
}

payload! {
    /// The content of the payment failure notification of the Payout API (BaaS, `notifyType` 4). Neither the object's name nor its
    /// fields are documented.
    pub struct PaymentFailure: Inferred {
        required {}
        optional {
            /// Number of the payment's order.
            order_no: OrderNo => "orderNo",
            /// The provider's number of the payment.
            transaction_id: TransactionId => "transactionId",
        }
    }
}

payload! {
    /// `AccountUpgradeNotification_Content`, the content of the user upgrade notification (BaaS, `notifyType` 6): a junior user has
    /// paid to become a standard user. The object's name is documented.
    pub struct UserUpgrade: Inferred {
        required {}
        optional {
            /// The user.
            user_id: UserId => "userId",
        }
    }
}

payload! {
    /// `TransferOrderNotification_Context`, the content of the transfer order notification (BaaS, `notifyType` 8): a transaction
    /// has triggered a transfer order, for which information and files are to be submitted. The object's name is documented.
    pub struct TransferOrder: Inferred {
        required {}
        optional {
            /// Number of the transfer order.
            order_no: OrderNo => "orderNo",
            /// The user.
            user_id: UserId => "userId",
            /// The transaction that triggered it.
            transaction_id: TransactionId => "transactionId",
            /// How much, in major units of `currency`.
            amount: Amount => "amount" = 1250.07,
            /// The currency.
            currency: Currency => "currency",
            /// Code of the order's state.
            status: Code => "status",
        }
    }
}
