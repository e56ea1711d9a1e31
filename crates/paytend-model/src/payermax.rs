//! PayerMax's balance change notification.
//!
//! Source: PayerMax, Fund Account (Old), Balance change notification. All fields, their lengths and the example are documented.
//!
//! ```
//! use paytend_model::payermax::{BalanceChangeNotification, Direction};
//! let notification: BalanceChangeNotification = serde_json::from_str(
//!     r#"{"code":"APPLY_SUCCESS","msg":"Success","version":"1.0","keyVersion":"1","appId":"2222fd56","merchantNo":"P01010113842047",
//!         "notifyTime":"2022-12-12T09:26:57.628Z","notifyType":"DEPOSIT","data":{"amount":{"currency":"MYR","value":"448.13"},
//!         "counterparty":{"identifyId":"P1","identifyName":"A merchant"},"direction":"INCREASE","relatedTradeNo":"20221212TU25"}}"#,
//! )?;
//! assert_eq!(notification.data.direction, Direction::Increase);
//! assert_eq!(notification.sent_at_millis(), Some(1670837217628));
//! # Ok::<(), serde_json::Error>(())
//! ```

use crate::value::codes;
use crate::{Amount, Content, Currency, OrderNo, Personal};

/// What accepts a notification: HTTP 200 with this body, as `application/json` (documented).
pub const ACKNOWLEDGEMENT: &str = r#"{"msg":"Success","code":"SUCCESS"}"#;

payload! {
    /// The notification: a merchant account's balance has changed.
    pub struct BalanceChangeNotification: Documented {
        required {
            /// Whether it is a valid callback.
            code: NotificationCode => "code" [MaxChars(32)],
            /// "Success" in a valid callback. Hidden in `Debug`, as every free text.
            msg: Personal => "msg" = "Success" [MaxChars(256)],
            /// Version of the API: "1.0".
            version: String => "version" = "1.0" [MaxChars(8)],
            /// Version of the key: "1".
            key_version: String => "keyVersion" = "1" [MaxChars(8)],
            /// The merchant's app.
            app_id: String => "appId" = "2222fd568ab5452b906a3d65a1fbac19" [MaxChars(64)],
            /// The merchant. A platform with several merchants chooses the key by it, among those that it has configured.
            merchant_no: String => "merchantNo" = "P01010113842047" [MaxChars(15)],
            /// When PayerMax sent it: RFC 3339 with milliseconds.
            notify_time: String => "notifyTime" = "2022-12-12T09:26:57.628Z" [MaxChars(32), Rfc3339Millis],
            /// What changed the balance.
            notify_type: NotifyType => "notifyType" [MaxChars(16)],
            /// The change.
            data: BalanceChange => "data",
        }
        optional {}
    }
}

impl BalanceChangeNotification {
    /// Reads a notification's body. Never fails, and loses nothing: see [`Content`].
    pub fn read(body: &[u8]) -> Content<Self> {
        Content::<Self>::read("", body, &["merchantNo", "data"])
    }

    /// When PayerMax sent it, in milliseconds since the epoch, if it is written as documented.
    pub fn sent_at_millis(&self) -> Option<i64> {
        millis(&self.notify_time)
    }
}

/// Milliseconds since the epoch of a time as PayerMax writes it; `None` if it is written otherwise.
pub fn millis(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

payload! {
    /// A change of a balance.
    pub struct BalanceChange: Documented {
        required {
            /// How much; `direction` says whether it came or went.
            amount: Money => "amount",
            /// The other side.
            counterparty: Counterparty => "counterparty",
            /// Whether the balance grew.
            direction: Direction => "direction",
            /// PayerMax's number of the trade behind it.
            related_trade_no: OrderNo => "relatedTradeNo" = "20221212092644TU2586897700363059" [MaxChars(64)],
        }
        optional {
            /// The conversion, if there was one.
            exchange: Exchange => "exchange",
            /// The fee, if there was one.
            fee: Fee => "fee",
        }
    }
}

payload! {
    /// An amount with its currency. The documentation allows a value of 204 characters; one that is longer than an [`Amount`] is
    /// not read, and reported with its field.
    pub struct Money: Documented {
        required {
            /// The currency.
            currency: Currency => "currency" = "MYR" [MaxChars(3)],
            /// How much, in major units of `currency`; a JSON string.
            value: Amount => "value" = "448.13" [AsText],
        }
        optional {}
    }
}

payload! {
    /// A fee with its currency. The documentation states no lengths for it.
    pub struct Fee: Documented {
        required {
            /// How much, in major units of `currency`; a JSON string.
            value: Amount => "value" = "1.00" [AsText],
            /// The currency.
            currency: Currency => "currency" = "MYR",
        }
        optional {}
    }
}

payload! {
    /// The other side of a change.
    pub struct Counterparty: Documented {
        required {
            /// A bank account for a deposit or a withdrawal, a merchant for a transfer or an exchange.
            identify_id: Personal => "identifyId" = "P01010113842047",
            /// Its name.
            identify_name: Personal => "identifyName" = "A merchant",
        }
        optional {}
    }
}

payload! {
    /// A conversion.
    pub struct Exchange: Documented {
        required {
            /// The two currencies.
            ccy_pair: String => "ccyPair" = "USDMYR",
            /// The rate, a decimal in a JSON string.
            rate: String => "rate" = "4.48130000",
            /// The rate's time: RFC 3339 with milliseconds.
            rate_time: String => "rateTime" = "2022-12-12T09:26:42.000Z" [Rfc3339Millis],
        }
        optional {}
    }
}

codes! {
    /// Whether a notification is a valid callback.
    pub enum NotificationCode {
        /// it is.
        ApplySuccess = "APPLY_SUCCESS",
    }
}

codes! {
    /// What changed a balance.
    pub enum NotifyType {
        /// money came in.
        Deposit = "DEPOSIT",
        /// money was converted.
        Exchange = "EXCHANGE",
        /// money went out.
        Withdraw = "WITHDRAW",
        /// money moved between merchants.
        Transfer = "TRANSFER",
    }
}

codes! {
    /// Whether a balance grew.
    pub enum Direction {
        /// it grew.
        Increase = "INCREASE",
        /// it shrank.
        Decrease = "DECREASE",
    }
}
