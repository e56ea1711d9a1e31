//! A transaction on an IBAN account.

use crate::{Amount, Code, Currency, OrderNo, Personal, TransactionId};

payload! {
    /// `IBANTransaction`, the content of the fund deposit notification (BaaS, `notifyType` 2): money has arrived.
    ///
    /// Source: Funding Notification, Fund deposit notification. All fields and their JSON types are documented; the meaning of
    /// the codes and the formats of times and rates are not.
    pub struct IbanTransaction: Documented {
        required {}
        optional {
            /// Paytend's number of the transaction.
            transaction_id: TransactionId => "transactionId",
            /// Number of the order it belongs to.
            order_no: OrderNo => "orderNo" = "F20231106000123",
            /// The account's IBAN.
            account_num: Personal => "accountNum" = "LT121000011101001000" [Iban],
            /// Code of the kind of trade; a JSON number.
            trade_type: Code => "tradeType" = 1 [AsNumber],
            /// Code of its state; a JSON number.
            trade_status: Code => "tradeStatus" = 2 [AsNumber],
            /// Code of the way of payment; a JSON number.
            payment_type: Code => "paymentType" = 3 [AsNumber],
            /// The currency.
            currency: Currency => "currency",
            /// How much, in major units of `currency`; a JSON number.
            amount: Amount => "amount" = 1250.07 [AsNumber],
            /// Fee, in major units; a JSON number.
            fee: Amount => "fee" = 0.35 [AsNumber],
            /// Name of the other side.
            counterparty_account_name: Personal => "counterpartyAccountName" = "Žalgirio UAB",
            /// Account of the other side.
            counterparty_account_num: Personal => "counterpartyAccountNum" = "DE89370400440532013000",
            /// BIC of the other side's bank.
            counterparty_bank_bic: String => "counterpartyBankBic" = "COBADEFFXXX" [Bic],
            /// Name of the other side's bank.
            counterparty_bank_name: String => "counterpartyBankName" = "Commerzbank",
            /// When it was made; the format is not documented.
            trans_date: String => "transDate" = "2023-11-06 10:15:30",
            /// When it is reconciled; the format is not documented.
            reconciliation_date: String => "reconciliationDate" = "2023-11-06",
            /// The payer's reference.
            reference: Personal => "reference" = "Invoice 42",
            /// Exchange rate, a decimal in a JSON string.
            ex_rate: String => "exRate" = "1.0000",
            /// Currency after the exchange.
            target_currency: Currency => "targetCurrency",
            /// Amount after the exchange, in major units of `target_currency`; a JSON number.
            target_amount: Amount => "targetAmount" = 1250.07 [AsNumber],
        }
    }
}
