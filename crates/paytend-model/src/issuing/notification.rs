//! The contents of Issuing Cards notifications, except the apply card result notification
//! ([`CardApplyResponse`](super::CardApplyResponse)).

use crate::value::{Amount, CardId, Code, Currency, HolderId, OrderNo, TransactionId};

payload! {
    /// `TransactionNotification`: the content of the card transaction notification (Issuing Cards, `notifyType` 1),
    /// sent for a settlement or an authorization on a card. The object's name is documented.
    pub struct TransactionNotification: Inferred {
        optional {
            /// The provider's transaction number.
            transaction_id: TransactionId => "transactionId",
            /// The card's identifier.
            card_id: CardId => "cardId",
            /// The order number for the transaction.
            order_no: OrderNo => "orderNo",
            /// The transaction type code, which means a settlement or an authorization.
            transaction_type: Code => "transactionType",
            /// The transaction status code.
            transaction_status: Code => "transactionStatus",
            /// The amount in major units of `currency`.
            amount: Amount => "amount",
            /// The currency.
            currency: Currency => "currency",
        }
    }
}

payload! {
    /// `CardHolderResult`: the content of the cardholder audit result notification (Issuing Cards, `notifyType` 2),
    /// sent when the audit of a cardholder is completed. The object's name is documented.
    pub struct CardHolderResult: Inferred {
        optional {
            /// The cardholder's identifier.
            holder_id: HolderId => "holderId",
            /// The audit result code.
            status: Code => "status",
        }
    }
}
