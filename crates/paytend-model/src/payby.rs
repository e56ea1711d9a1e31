//! PayBy's transfer-to-bank notification.
//!
//! Source: PayBy, Transfer to Bank, Asynchronous notification. Fields, lengths and examples are documented; `status`, `product`,
//! `requestTime` and `paymentInfo` stand in the documentation's sample alone.
//!
//! ```
//! use paytend_model::payby::{TransferStatus, TransferToBankNotification};
//! let notification: TransferToBankNotification = serde_json::from_str(
//!     r#"{"notify_timestamp":1586849271877,"notify_id":"202004140007474501","transferToBankOrder":{
//!         "merchantOrderNo":"M188573109026","orderNo":"911586849271010217","status":"SUCCESS","memo":"salary",
//!         "holderName":"ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
//!         "amount":{"amount":0.020,"currency":"AED"}}}"#,
//! )?;
//! let order = notification.order.as_ref().unwrap();
//! assert!(order.holder_name_matches("abc"));
//! assert_eq!(order.status, Some(TransferStatus::Success));
//! assert_eq!(order.amount.amount.to_string(), "0.020");
//! # Ok::<(), serde_json::Error>(())
//! ```

use std::time::Duration;

use crate::lifecycle::Lifecycle;
use crate::value::codes;
use crate::{Amount, Content, Count, CountryCode, Currency, HashedText, OrderNo, Personal, Report, Rule};

/// What accepts a notification: HTTP 200 with this body, as `application/json` (documented).
pub const ACKNOWLEDGEMENT: &str = r#"{"response":"SUCCESS"}"#;

/// The waits before PayBy's further attempts at a notification that was not accepted: seven at most (documented).
pub const RETRY_SCHEDULE: [Duration; 7] = {
    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }
    [minutes(2), minutes(10), minutes(10), minutes(60), minutes(120), minutes(360), minutes(900)]
};

/// The only currency of [`TransferToBankOrder::amount`] (documented).
pub const CURRENCY: &str = "AED";

/// The most characters that `holderName` and `beneficiaryAddress` may have together (documented).
pub const MAX_NAME_AND_ADDRESS: usize = 140;

payload! {
    /// The notification: a transfer has come to its end.
    pub struct TransferToBankNotification: Documented {
        required {
            /// PayBy's unique number of the notification.
            notify_id: OrderNo => "notify_id" = "202004140007474501",
        }
        optional {
            /// When PayBy sent it, in milliseconds since the epoch. Documented as required, and absent in the documentation's sample.
            notify_timestamp: Count => "notify_timestamp" = 1586849271877u64,
            /// The order.
            order: TransferToBankOrder => "transferToBankOrder",
            /// When PayBy sent it, `yyyyMMddHHmmss`, in a time zone that is not documented. Deprecated by PayBy.
            notify_time: String => "notify_time" = "20200414113800" [CompactTime],
            /// The character set. Deprecated by PayBy.
            input_charset: String => "_input_charset" = "UTF-8",
        }
    }
}

impl TransferToBankNotification {
    /// Reads a notification's body. Never fails, and loses nothing: see [`Content`].
    pub fn read(body: &[u8]) -> Content<Self> {
        Content::<Self>::read("", body, &["notify_id", "transferToBankOrder"])
    }

    /// When PayBy sent it, in milliseconds since the epoch, if it says so.
    pub fn sent_at_millis(&self) -> Option<u64> {
        self.notify_timestamp.as_ref().and_then(Count::get)
    }
}

payload! {
    /// A transfer to a bank account.
    pub struct TransferToBankOrder: Documented {
        required {
            /// The merchant's number of the transfer.
            merchant_order_no: OrderNo => "merchantOrderNo" = "M188573109026" [MaxChars(64)],
            /// PayBy's number of the transfer. (The documentation repeats the merchant's description here; its sample shows another.)
            order_no: OrderNo => "orderNo" = "911586849271010217" [MaxChars(64)],
            /// Name of the beneficiary account's holder, plain or as SHA-256.
            holder_name: HashedText => "holderName" [MaxChars(100), MaxCharsWith("beneficiaryAddress", 140)],
            /// How much, in dirhams.
            amount: Money => "amount",
            /// The transfer's description.
            memo: Personal => "memo" = "company single pay" [MaxChars(128)],
        }
        optional {
            /// What has become of it. The values are documented; the field itself stands in the documentation's sample alone.
            status: TransferStatus => "status" = "SUCCESS",
            /// IBAN of the beneficiary account, plain or as SHA-256. 34 characters at most when plain.
            iban: HashedText => "iban" [MaxPlainChars(34)],
            /// BIC of the beneficiary account's bank.
            swift_code: String => "swiftCode" = "BBMEAEAD" [MinChars(8), MaxChars(11), Bic],
            /// Address of the beneficiary, plain or as SHA-256. Needed for a personal account. Documented as required, and absent in the
            /// documentation's sample.
            beneficiary_address: HashedText => "beneficiaryAddress" [MaxChars(140), PlainLatin],
            /// Where notifications go. Hidden in `Debug`, since a URL may hold a secret.
            notify_url: Personal => "notifyUrl" = "https://www.yoursite.com" [MaxChars(200)],
            /// Number of the beneficiary account.
            account_no: Personal => "accountNo" = "2000000000001" [MaxChars(64)],
            /// The network of the payout; `LOCAL` if absent.
            network_code: NetworkCode => "networkCode" [MaxChars(20)],
            /// Name of the beneficiary account's bank.
            bank_name: String => "bankName" = "First Abu Dhabi Bank PJSC" [MaxChars(64)],
            /// Country of that bank; `UAE` if absent.
            country_code: CountryCode => "countryCode" = "UAE" [MaxChars(16)],
            /// What the beneficiary receives; `AED` if absent.
            fundout_currency_code: Currency => "fundoutCurrencyCode" = "AED" [MaxChars(16)],
            /// Fedwire (ABA) number of a bank of the United States: nine digits.
            fedwire_code: String => "fedwireCode" = "133563585" [Chars(9), Digits],
            /// Name of the bank's branch.
            branch_name: String => "branchName" = "Mall of the Emirates Branch" [MaxChars(35)],
            /// The intermediary bank of an international transfer.
            intermediary_bank: String => "intermediaryBank" = "NBADAEAA" [MaxChars(12)],
            /// By what the beneficiary account is identified.
            beneficiary_type: BeneficiaryType => "beneficiaryType" [MaxChars(16)],
            /// What the transfer cost and when it arrived. In the documentation's sample alone.
            payment_info: PaymentInfo => "paymentInfo",
            /// PayBy's product. In the documentation's sample alone.
            product: String => "product" = "Transfer To Bank",
            /// When the transfer was requested, in milliseconds since the epoch. In the documentation's sample alone.
            request_time: Count => "requestTime" = 1586849271877u64,
        }
    }
    check |this: &Self, report: &mut Report| this.check_lengths(report);
}

impl TransferToBankOrder {
    /// Returns whether the holder's name is `plain`, whatever its case, spaces and Unicode form: see
    /// [`HashedText::matches_text`].
    pub fn holder_name_matches(&self, plain: &str) -> bool {
        self.holder_name.matches_text(plain)
    }

    /// Returns whether the IBAN is `plain`, whatever the spaces and the case: see [`HashedText::matches_iban`]. Returns
    /// `false` if there is no IBAN.
    pub fn iban_matches(&self, plain: &str) -> bool {
        self.iban.as_ref().is_some_and(|iban| iban.matches_iban(plain))
    }

    /// Returns whether the beneficiary's address is `plain`, whatever its case, spaces and Unicode form: see
    /// [`HashedText::matches_text`]. Returns `false` if there is no address.
    pub fn beneficiary_address_matches(&self, plain: &str) -> bool {
        self.beneficiary_address.as_ref().is_some_and(|address| address.matches_text(plain))
    }

    fn check_lengths(&self, report: &mut Report) {
        // Lengths are those of the values: a hash has its own.
        if let Some(address) = &self.beneficiary_address
            && !address.is_hash()
            && !self.holder_name.is_hash()
        {
            let together = self.holder_name.as_str().chars().count() + address.as_str().chars().count();
            let rule = Rule::MaxCharsWith("beneficiaryAddress", MAX_NAME_AND_ADDRESS);
            report.require("holderName", together <= MAX_NAME_AND_ADDRESS, rule);
        }
        report.require("amount.currency", self.amount.currency == CURRENCY, Rule::Is(CURRENCY));
    }
}

payload! {
    /// An amount with its currency.
    pub struct Money: Documented {
        required {
            /// How much, in major units of `currency`; a JSON number.
            amount: Amount => "amount" = 0.02 [AsNumber],
            /// The currency.
            currency: Currency => "currency" = "AED",
        }
        optional {}
    }
}

payload! {
    /// What a transfer cost and when it arrived. In the documentation's sample alone.
    pub struct PaymentInfo: Documented {
        required {}
        optional {
            /// When it arrived, in milliseconds since the epoch.
            arrival_time: Count => "arrivalTime" = 1586849273000u64,
            /// The payer's fee.
            payer_fee_amount: Money => "payerFeeAmount",
        }
    }
}

codes! {
    /// What has become of a transfer: `CREATED`, then one of the others (documented).
    pub enum TransferStatus {
        /// taken, and under way.
        Created = "CREATED",
        /// the money has arrived.
        Success = "SUCCESS",
        /// it has not, and will not.
        Failure = "FAILURE",
    }
}

impl Lifecycle for TransferStatus {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Created | Self::Other(_) => vec![Self::Success, Self::Failure],
            Self::Success | Self::Failure => Vec::new(),
        }
    }

    /// A state that this crate does not know may be anywhere between the first and the last.
    fn leads_to(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Success | Self::Failure, _) | (_, Self::Created) => false,
            (Self::Created | Self::Other(_), _) => self != later,
        }
    }
}

codes! {
    /// The network of a payout.
    pub enum NetworkCode {
        /// within the Emirates.
        Local = "LOCAL",
        /// by SWIFT.
        Swift = "SWIFT",
    }
}

codes! {
    /// By what a beneficiary account is identified.
    pub enum BeneficiaryType {
        /// by its IBAN.
        Iban = "IBAN",
        /// by a number of its country's own form.
        Bban = "BBAN",
    }
}
