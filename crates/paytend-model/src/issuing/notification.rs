//! The contents of Issuing Cards' notifications. That of the apply card result is
//! [`CardApplyResponse`](super::CardApplyResponse).

use crate::{Amount, CardId, Code, Currency, HolderId, OrderNo, TransactionId};

payload! {
    /// `TransactionNotification`, the content of the card transaction notification (Issuing Cards, `notifyType` 1): a
    /// settlement or an authorization has happened on a card. The object's name is documented.
    pub struct TransactionNotification: Inferred {
        required {}
        optional {
            /// The provider's number.
            transaction_id: TransactionId => "transactionId",
            /// The card.
            card_id: CardId => "cardId",
            /// Number of the order it belongs to.
            order_no: OrderNo => "orderNo",
            /// Code that tells a settlement from an authorization.
            transaction_type: Code => "transactionType",
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
    /// `CardHolderResult`, the content of the cardholder audit result notification (Issuing Cards, `notifyType` 2): the
    /// review of a cardholder is completed. The object's name is documented.
    pub struct CardHolderResult: Inferred {
        required {}
        optional {
            /// The cardholder.
            holder_id: HolderId => "holderId",
            /// Code of the audit's result.
            status: Code => "status",
        }
    }
}
