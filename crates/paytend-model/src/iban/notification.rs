//! The contents of BaaS Core notifications, except the fund deposit notification
//! ([`IbanTransaction`](super::IbanTransaction)).

use crate::value::{Amount, Code, Currency, OrderNo, Personal, TransactionId, UserId};

payload! {
    /// `IBANAccount`: an IBAN account. It is the content of the account opening notification (BaaS, `notifyType` 1) and
    /// part of the response to Query account information. The object's name is documented.
    pub struct IbanAccount: Inferred {
        optional {
            /// The identifier of the user who owns the account.
            user_id: UserId => "userId",
            /// The IBAN.
            account_num: Personal => "accountNum" = "LT121000011101001000" [Iban],
            /// The currency.
            currency: Currency => "currency",
            /// The balance, in major units of `currency`.
            balance: Amount => "balance" = "1250.07",
            /// The account status code.
            status: Code => "status",
        }
    }
}

payload! {
    /// `AccountStatusChangeNotification_Context`: the content of the user status change notification (BaaS,
    /// `notifyType` 3), sent when the audit status or the user status changes. The object's name is documented.
    pub struct UserStatusChange: Inferred {
        optional {
            /// The user's identifier.
            user_id: UserId => "userId",
            /// The audit status code.
            audit_status: Code => "auditStatus",
            /// The user status code.
            user_status: Code => "userStatus",
        }
    }
}

payload! {
    /// The content of the Payout API's payment failure notification (BaaS, `notifyType` 4). Neither the object's name
    /// nor its fields are documented.
    pub struct PaymentFailure: Inferred {
        optional {
            /// The order number for the payment.
            order_no: OrderNo => "orderNo",
            /// The provider's transaction number for the payment.
            transaction_id: TransactionId => "transactionId",
        }
    }
}

payload! {
    /// `AccountUpgradeNotification_Content`: the content of the user upgrade notification (BaaS, `notifyType` 6), sent
    /// when a junior user has paid to become a standard user. The object's name is documented.
    pub struct UserUpgrade: Inferred {
        optional {
            /// The user's identifier.
            user_id: UserId => "userId",
        }
    }
}

payload! {
    /// `TransferOrderNotification_Context`: the content of the transfer order notification (BaaS, `notifyType` 8), sent
    /// when a transaction has triggered a transfer order. The partner must then submit information and files for the
    /// order. The object's name is documented.
    pub struct TransferOrder: Inferred {
        optional {
            /// The transfer order number.
            order_no: OrderNo => "orderNo",
            /// The user's identifier.
            user_id: UserId => "userId",
            /// The provider's number for the transaction that triggered the order.
            transaction_id: TransactionId => "transactionId",
            /// The amount in major units of `currency`.
            amount: Amount => "amount" = 1250.07,
            /// The currency.
            currency: Currency => "currency",
            /// The order status code.
            status: Code => "status",
        }
    }
}
