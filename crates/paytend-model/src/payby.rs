//! PayBy's transfer-to-bank notification.
//!
//! Source: PayBy, Transfer to Bank, Asynchronous notification. Fields, lengths and examples are documented. The fields
//! `status`, `product`, `requestTime` and `paymentInfo` occur only in the documentation's sample.
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

use crate::content::Content;
use crate::lifecycle::Lifecycle;
use crate::validate::{Report, Rule};
use crate::value::codes;
use crate::value::{Amount, Count, CountryCode, Currency, HashedText, OrderNo, Personal};

/// The body that acknowledges a notification. The provider's documentation requires HTTP 200 and `application/json`.
pub const ACKNOWLEDGEMENT: &str = r#"{"response":"SUCCESS"}"#;

/// The delay before each retry of an unacknowledged notification. According to its documentation, PayBy retries at most
/// seven times.
pub const RETRY_SCHEDULE: [Duration; 7] = {
    const fn minutes(count: u64) -> Duration {
        Duration::from_secs(count * 60)
    }
    [minutes(2), minutes(10), minutes(10), minutes(60), minutes(120), minutes(360), minutes(900)]
};

/// The only currency that PayBy's documentation allows for [`TransferToBankOrder::amount`].
pub const CURRENCY: &str = "AED";

/// The maximum combined length of `holderName` and `beneficiaryAddress`, in characters. Source: PayBy's documentation.
pub const MAX_NAME_AND_ADDRESS: usize = 140;

payload! {
    /// The notification that a transfer has succeeded or failed.
    pub struct TransferToBankNotification: Documented {
        required {
            /// PayBy's unique identifier for the notification.
            notify_id: OrderNo => "notify_id" = "202004140007474501",
        }
        optional {
            /// The time at which PayBy sent the notification, in milliseconds since the epoch. Documented as required,
            /// but absent from the documentation's sample.
            notify_timestamp: Count => "notify_timestamp" = 1586849271877u64,
            /// The transfer order.
            order: TransferToBankOrder => "transferToBankOrder",
            /// The time at which PayBy sent the notification, `yyyyMMddHHmmss`, in an undocumented time zone.
            /// Deprecated by PayBy.
            notify_time: String => "notify_time" = "20200414113800" [CompactTime],
            /// The character set. Deprecated by PayBy.
            input_charset: String => "_input_charset" = "UTF-8",
        }
    }
}

impl TransferToBankNotification {
    /// Reads a notification body. Reading never fails or loses data; see [`Content`].
    pub fn read(body: &[u8]) -> Content<Self> {
        Content::<Self>::read("", body, &["notify_id", "transferToBankOrder"])
    }

    /// Returns the time at which PayBy sent the notification, in milliseconds since the epoch, if it is present.
    pub fn sent_at_millis(&self) -> Option<u64> {
        self.notify_timestamp.as_ref().and_then(Count::get)
    }
}

payload! {
    /// A transfer to a bank account.
    pub struct TransferToBankOrder: Documented {
        required {
            /// The merchant's order number for the transfer.
            merchant_order_no: OrderNo => "merchantOrderNo" = "M188573109026" [MaxChars(64)],
            /// PayBy's order number for the transfer. The documentation describes this field in the same words as the
            /// merchant's number, but the two numbers differ in its sample.
            order_no: OrderNo => "orderNo" = "911586849271010217" [MaxChars(64)],
            /// The account holder's name, in plain text or as a SHA-256 hash.
            holder_name: HashedText => "holderName" [MaxChars(100), MaxCharsWith("beneficiaryAddress", 140)],
            /// The amount in dirhams.
            amount: Money => "amount",
            /// The description of the transfer.
            memo: Personal => "memo" = "company single pay" [MaxChars(128)],
        }
        optional {
            /// The transfer status. The values are documented, but the field occurs only in the documentation's
            /// sample.
            status: TransferStatus => "status" = "SUCCESS",
            /// The IBAN of the beneficiary account, in plain text (at most 34 characters) or as a SHA-256 hash.
            iban: HashedText => "iban" [MaxPlainChars(34), Iban],
            /// The BIC of the beneficiary's bank.
            swift_code: String => "swiftCode" = "BBMEAEAD" [MinChars(8), MaxChars(11), Bic],
            /// The beneficiary's address, in plain text or as a SHA-256 hash. Required for a personal account.
            /// Documented as required, but absent from the documentation's sample.
            beneficiary_address: HashedText => "beneficiaryAddress" [MaxChars(140), PlainLatin],
            /// The URL that receives notifications. Hidden in `Debug`, since a URL can contain a secret.
            notify_url: Personal => "notifyUrl" = "https://www.yoursite.com" [MaxChars(200)],
            /// The beneficiary account number.
            account_no: Personal => "accountNo" = "2000000000001" [MaxChars(64)],
            /// The payout network; `LOCAL` if absent.
            network_code: NetworkCode => "networkCode" [MaxChars(20)],
            /// The name of the beneficiary's bank.
            bank_name: String => "bankName" = "First Abu Dhabi Bank PJSC" [MaxChars(64)],
            /// The country of the beneficiary's bank; `UAE` if absent.
            country_code: CountryCode => "countryCode" = "UAE" [MaxChars(16)],
            /// The currency that the beneficiary receives; `AED` if absent.
            fundout_currency_code: Currency => "fundoutCurrencyCode" = "AED" [MaxChars(16)],
            /// The Fedwire (ABA) number of a bank in the United States, nine digits.
            fedwire_code: String => "fedwireCode" = "133563585" [Chars(9), Digits],
            /// The bank branch name.
            branch_name: String => "branchName" = "Mall of the Emirates Branch" [MaxChars(35)],
            /// The intermediary bank of an international transfer.
            intermediary_bank: String => "intermediaryBank" = "NBADAEAA" [MaxChars(12)],
            /// The kind of identifier used for the beneficiary account.
            beneficiary_type: BeneficiaryType => "beneficiaryType" [MaxChars(16)],
            /// The fee and arrival time of the transfer. Occurs only in the documentation's sample.
            payment_info: PaymentInfo => "paymentInfo",
            /// The PayBy product. Occurs only in the documentation's sample.
            product: String => "product" = "Transfer To Bank",
            /// The time of the transfer request, in milliseconds since the epoch. Occurs only in the documentation's
            /// sample.
            request_time: Count => "requestTime" = 1586849271877u64,
        }
    }
    check |this: &Self, report: &mut Report| this.check_lengths(report);
}

impl TransferToBankOrder {
    /// Returns whether the holder's name is `plain`, ignoring case, whitespace and Unicode normalization. See
    /// [`HashedText::matches_text`].
    pub fn holder_name_matches(&self, plain: &str) -> bool {
        self.holder_name.matches_text(plain)
    }

    /// Returns whether the IBAN is `plain`, ignoring spaces and case. See [`HashedText::matches_iban`]. Returns `false`
    /// if the IBAN is absent.
    pub fn iban_matches(&self, plain: &str) -> bool {
        self.iban.as_ref().is_some_and(|iban| iban.matches_iban(plain))
    }

    /// Returns whether the beneficiary's address is `plain`, ignoring case, whitespace and Unicode normalization. See
    /// [`HashedText::matches_text`]. Returns `false` if the address is absent.
    pub fn beneficiary_address_matches(&self, plain: &str) -> bool {
        self.beneficiary_address.as_ref().is_some_and(|address| address.matches_text(plain))
    }

    fn check_lengths(&self, report: &mut Report) {
        // The limit applies to the plain texts, so it cannot be checked if one of the two values is a hash.
        if let Some(address) = &self.beneficiary_address
            && !address.is_hash()
            && !self.holder_name.is_hash()
        {
            let total = self.holder_name.as_str().chars().count() + address.as_str().chars().count();
            let rule = Rule::MaxCharsWith("beneficiaryAddress", MAX_NAME_AND_ADDRESS);
            report.require("holderName", total <= MAX_NAME_AND_ADDRESS, rule);
        }
        report.require("amount.currency", self.amount.currency == CURRENCY, Rule::Is(CURRENCY));
    }
}

payload! {
    /// An amount with its currency.
    pub struct Money: Documented {
        required {
            /// The amount in major units of `currency`; a JSON number.
            amount: Amount => "amount" = 0.02 [AsNumber],
            /// The currency.
            currency: Currency => "currency" = "AED",
        }
    }
}

payload! {
    /// The fee and arrival time of a transfer. Occurs only in the documentation's sample.
    pub struct PaymentInfo: Documented {
        optional {
            /// The arrival time, in milliseconds since the epoch.
            arrival_time: Count => "arrivalTime" = 1586849273000u64,
            /// The payer's fee.
            payer_fee_amount: Money => "payerFeeAmount",
        }
    }
}

codes! {
    /// The status of a transfer: `CREATED`, then `SUCCESS` or `FAILURE` (documented).
    pub enum TransferStatus {
        /// accepted, and in progress.
        Created = "CREATED",
        /// the money has arrived.
        Success = "SUCCESS",
        /// the money has not arrived and will not arrive.
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

    /// An unknown status is treated as a state between `Created` and the final states.
    fn leads_to(&self, later: &Self) -> bool {
        match (self, later) {
            (Self::Success | Self::Failure, _) | (_, Self::Created) => false,
            (Self::Created | Self::Other(_), _) => self != later,
        }
    }
}

codes! {
    /// A payout network.
    pub enum NetworkCode {
        /// a network within the United Arab Emirates.
        Local = "LOCAL",
        /// the SWIFT network.
        Swift = "SWIFT",
    }
}

codes! {
    /// The kind of identifier used for a beneficiary account.
    pub enum BeneficiaryType {
        /// an IBAN.
        Iban = "IBAN",
        /// a basic bank account number, in its country's format.
        Bban = "BBAN",
    }
}
