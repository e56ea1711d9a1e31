//! PayerMax's balance change notification.
//!
//! Source: PayerMax, Fund Account (Old), Balance change notification. All fields, their lengths and the example are
//! documented.
//!
//! ```
//! use paytend_model::payermax::{BalanceChangeNotification, Direction};
//! let notification: BalanceChangeNotification = serde_json::from_str(
//!     r#"{"code":"APPLY_SUCCESS","msg":"Success","version":"1.0","keyVersion":"1","appId":"2222fd56",
//!         "merchantNo":"P01010113842047","notifyTime":"2022-12-12T09:26:57.628Z","notifyType":"DEPOSIT",
//!         "data":{"amount":{"currency":"MYR","value":"448.13"},
//!         "counterparty":{"identifyId":"P1","identifyName":"A merchant"},
//!         "direction":"INCREASE","relatedTradeNo":"20221212TU25"}}"#,
//! )?;
//! assert_eq!(notification.data.direction, Direction::Increase);
//! assert_eq!(notification.sent_at_millis(), Some(1670837217628));
//! # Ok::<(), serde_json::Error>(())
//! ```

use crate::content::Content;
use crate::value::codes;
use crate::value::{Amount, Currency, OrderNo, Personal};

/// The body that acknowledges a notification. The provider's documentation requires HTTP 200 and `application/json`.
pub const ACKNOWLEDGEMENT: &str = r#"{"msg":"Success","code":"SUCCESS"}"#;

payload! {
    /// The notification that the balance of a merchant account has changed.
    pub struct BalanceChangeNotification: Documented {
        required {
            /// The result code, `APPLY_SUCCESS` in a valid callback.
            code: NotificationCode => "code" [MaxChars(32)],
            /// The message, "Success" in a valid callback. Hidden in `Debug`, like all free text.
            msg: Personal => "msg" = "Success" [MaxChars(256)],
            /// The API version, "1.0".
            version: String => "version" = "1.0" [MaxChars(8)],
            /// The key version, "1".
            key_version: String => "keyVersion" = "1" [MaxChars(8)],
            /// The identifier of the merchant's app.
            app_id: String => "appId" = "2222fd568ab5452b906a3d65a1fbac19" [MaxChars(64)],
            /// The merchant number. A platform with several merchants selects its key by this number.
            merchant_no: String => "merchantNo" = "P01010113842047" [MaxChars(15)],
            /// The time at which PayerMax sent the notification, in RFC 3339 format with milliseconds.
            notify_time: String => "notifyTime" = "2022-12-12T09:26:57.628Z" [MaxChars(32), Rfc3339Millis],
            /// The kind of change.
            notify_type: NotifyType => "notifyType" [MaxChars(16)],
            /// The balance change.
            data: BalanceChange => "data",
        }
    }
}

impl BalanceChangeNotification {
    /// Reads a notification body. Reading never fails or loses data; see [`Content`].
    pub fn read(body: &[u8]) -> Content<Self> {
        Content::<Self>::read("", body, &["merchantNo", "data"])
    }

    /// Returns the time at which PayerMax sent the notification, in milliseconds since the Unix epoch, or `None` if the
    /// time is not in the documented format.
    pub fn sent_at_millis(&self) -> Option<i64> {
        millis(&self.notify_time)
    }
}

/// Converts a time in PayerMax's format to milliseconds since the epoch. Returns `None` for other formats.
pub fn millis(time: &str) -> Option<i64> {
    time.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

payload! {
    /// A change in a balance.
    pub struct BalanceChange: Documented {
        required {
            /// The amount. `direction` determines its sign.
            amount: Money => "amount",
            /// The counterparty.
            counterparty: Counterparty => "counterparty",
            /// Whether the balance increased or decreased.
            direction: Direction => "direction",
            /// PayerMax's number for the related trade.
            related_trade_no: OrderNo => "relatedTradeNo" = "20221212092644TU2586897700363059" [MaxChars(64)],
        }
        optional {
            /// The currency conversion, if there was one.
            exchange: Exchange => "exchange",
            /// The fee, if there was one.
            fee: Fee => "fee",
        }
    }
}

payload! {
    /// An amount with its currency. The documentation allows a value of up to 204 characters. A value with more digits
    /// than an [`Amount`] supports is not read, and the field is reported as a problem.
    pub struct Money: Documented {
        required {
            /// The currency.
            currency: Currency => "currency" = "MYR" [MaxChars(3)],
            /// The amount in major units of `currency`; a JSON string.
            value: Amount => "value" = "448.13" [AsText],
        }
    }
}

payload! {
    /// A fee with its currency. The lengths of its fields are not documented.
    pub struct Fee: Documented {
        required {
            /// The amount in major units of `currency`; a JSON string.
            value: Amount => "value" = "1.00" [AsText],
            /// The currency.
            currency: Currency => "currency" = "MYR",
        }
    }
}

payload! {
    /// The counterparty of a balance change.
    pub struct Counterparty: Documented {
        required {
            /// The counterparty's identifier: the bank account for a deposit or a withdrawal, or the merchant for
            /// a transfer or an exchange.
            identify_id: Personal => "identifyId" = "P01010113842047",
            /// The counterparty's name.
            identify_name: Personal => "identifyName" = "A merchant",
        }
    }
}

payload! {
    /// A currency conversion.
    pub struct Exchange: Documented {
        required {
            /// The currency pair.
            ccy_pair: String => "ccyPair" = "USDMYR",
            /// The exchange rate, a decimal in a JSON string.
            rate: String => "rate" = "4.48130000",
            /// The time of the rate, in RFC 3339 format with milliseconds.
            rate_time: String => "rateTime" = "2022-12-12T09:26:42.000Z" [Rfc3339Millis],
        }
    }
}

codes! {
    /// The code of a balance change notification.
    pub enum NotificationCode {
        /// a valid callback.
        ApplySuccess = "APPLY_SUCCESS",
    }
}

codes! {
    /// The kind of balance change.
    pub enum NotifyType {
        /// a deposit.
        Deposit = "DEPOSIT",
        /// a currency exchange.
        Exchange = "EXCHANGE",
        /// a withdrawal.
        Withdraw = "WITHDRAW",
        /// a transfer between merchants.
        Transfer = "TRANSFER",
    }
}

codes! {
    /// The direction of a balance change.
    pub enum Direction {
        /// the balance increased.
        Increase = "INCREASE",
        /// the balance decreased.
        Decrease = "DECREASE",
    }
}
