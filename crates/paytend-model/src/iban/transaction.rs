//! A transaction on an IBAN account.

use crate::value::{Amount, Code, Currency, OrderNo, Personal, TransactionId};

payload! {
    /// `IBANTransaction`: the content of the fund deposit notification (BaaS, `notifyType` 2), sent when money has
    /// arrived in an account.
    ///
    /// Source: Funding Notification, Fund deposit notification. All fields and their JSON types are documented, but not
    /// the meaning of the codes or the formats of times and rates.
    pub struct IbanTransaction: Documented {
        optional {
            /// Paytend's transaction number.
            transaction_id: TransactionId => "transactionId",
            /// The order number for the transaction.
            order_no: OrderNo => "orderNo" = "F20231106000123",
            /// The IBAN of the account.
            account_num: Personal => "accountNum" = "LT121000011101001000" [Iban],
            /// The trade type code; a JSON number.
            trade_type: Code => "tradeType" = 1 [AsNumber],
            /// The trade status code; a JSON number.
            trade_status: Code => "tradeStatus" = 2 [AsNumber],
            /// The payment method code; a JSON number.
            payment_type: Code => "paymentType" = 3 [AsNumber],
            /// The currency.
            currency: Currency => "currency",
            /// The amount in major units of `currency`; a JSON number.
            amount: Amount => "amount" = 1250.07 [AsNumber],
            /// The fee in major units; a JSON number.
            fee: Amount => "fee" = 0.35 [AsNumber],
            /// The counterparty's name.
            counterparty_account_name: Personal => "counterpartyAccountName" = "Žalgirio UAB",
            /// The counterparty's account number.
            counterparty_account_num: Personal => "counterpartyAccountNum" = "DE89370400440532013000",
            /// The BIC of the counterparty's bank.
            counterparty_bank_bic: String => "counterpartyBankBic" = "COBADEFFXXX" [Bic],
            /// The name of the counterparty's bank.
            counterparty_bank_name: String => "counterpartyBankName" = "Commerzbank",
            /// The transaction time; the format is not documented.
            trans_date: String => "transDate" = "2023-11-06 10:15:30",
            /// The reconciliation date; the format is not documented.
            reconciliation_date: String => "reconciliationDate" = "2023-11-06",
            /// The payer's reference.
            reference: Personal => "reference" = "Invoice 42",
            /// The exchange rate, a decimal in a JSON string.
            ex_rate: String => "exRate" = "1.0000",
            /// The currency after the exchange.
            target_currency: Currency => "targetCurrency",
            /// The amount after the exchange, in major units of `target_currency`; a JSON number.
            target_amount: Amount => "targetAmount" = 1250.07 [AsNumber],
        }
    }
}
