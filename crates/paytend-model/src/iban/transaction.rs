//! A transaction on an IBAN account.

use crate::Amount;

payload! {
    /// `IBANTransaction`, the content of the fund deposit notification (BaaS, `notifyType` 2): money has arrived.
    ///
    /// Source: Funding Notification, Fund deposit notification. All fields and their JSON types are documented; the meaning of
    /// the codes and the formats of times and rates are not.
    pub struct IbanTransaction {
        required {}
        optional {
            /// Paytend's number of the transaction.
            transaction_id: String => "transactionId",
            /// Number of the order it belongs to.
            order_no: String => "orderNo",
            /// The account's IBAN.
            account_num: String => "accountNum",
            /// Code of the kind of trade.
            trade_type: i64 => "tradeType",
            /// Code of its state.
            trade_status: i64 => "tradeStatus",
            /// Code of the way of payment.
            payment_type: i64 => "paymentType",
            /// ISO 4217 code.
            currency: String => "currency",
            /// How much, in major units of `currency`; a JSON number.
            amount: Amount => "amount",
            /// Fee, in major units; a JSON number.
            fee: Amount => "fee",
            /// Name of the other side.
            counterparty_account_name: String => "counterpartyAccountName",
            /// Account of the other side.
            counterparty_account_num: String => "counterpartyAccountNum",
            /// BIC of the other side's bank.
            counterparty_bank_bic: String => "counterpartyBankBic",
            /// Name of the other side's bank.
            counterparty_bank_name: String => "counterpartyBankName",
            /// When it was made.
            trans_date: String => "transDate",
            /// When it is reconciled.
            reconciliation_date: String => "reconciliationDate",
            /// The payer's reference.
            reference: String => "reference",
            /// Exchange rate.
            ex_rate: String => "exRate",
            /// Currency after the exchange.
            target_currency: String => "targetCurrency",
            /// Amount after the exchange, in major units of `target_currency`; a JSON number.
            target_amount: Amount => "targetAmount",
        }
    }
}
