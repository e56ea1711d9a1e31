//! The three shapes of the envelope, as plain data: what the documentation says of them, for those who describe or inspect messages.
//!
//! Nothing here seals, opens or verifies: that is `paytend-crypto`'s, whose rules are stricter by far. On the wire the payload is
//! base64 text; in the documentation's samples, and in the signed text, it is the plain object. Both read.
//!
//! ```
//! use paytend_model::{Validate, envelope::RequestEnvelope};
//! let request: RequestEnvelope = serde_json::from_str(
//!     r#"{"requestId":"20231025102930718","partnerId":"88866600010026","signType":"RSA","version":"2.0","bizData":""}"#,
//! )?;
//! assert_eq!(request.validate().unwrap_err().to_string(), "`partnerId` must be exactly 15 characters long");
//! # Ok::<(), serde_json::Error>(())
//! ```

use crate::{Code, Json, PartnerId, Personal, Report, RequestId, Rule};

/// `respCode` of a success, and `status` of an acknowledgement that accepts.
pub const SUCCESS: &str = "00";

payload! {
    /// A request. Source: BaaS Core, Issuing Cards and Funding Notification, every operation's request body.
    pub struct RequestEnvelope: Documented {
        required {
            /// Serial number, globally unique.
            request_id: RequestId => "requestId",
            /// The partner.
            partner_id: PartnerId => "partnerId" [Chars(15)],
            /// "RSA".
            sign_type: String => "signType" = "RSA" [Is("RSA")],
            /// "2.0".
            version: String => "version" = "2.0" [Is("2.0")],
        }
        optional {
            /// The payload; on the wire base64 of the AES-encrypted JSON text, or empty.
            biz_data: Json => "bizData" = "G0kZ2n3T0J6kq7bq4nO1yQ==",
            /// The session key, RSA-encrypted for the receiver, base64; in the documentation's plain samples the key itself. There whenever a
            /// payload is.
            random_key: Personal => "randomKey" = "mGqYkw==",
            /// SHA256withRSA by the sender, base64. May be absent when the request was malformed.
            signature: String => "signature" = "hW3n8g==",
        }
    }
    check |this: &Self, report: &mut Report| key_beside(this.biz_data.as_ref(), this.random_key.as_ref(), "bizData", report);
}

payload! {
    /// A response. Source: as [`RequestEnvelope`].
    pub struct ResponseEnvelope: Documented {
        required {
            /// "00" is success.
            resp_code: Code => "respCode" = "00",
            /// "RSA".
            sign_type: String => "signType" = "RSA" [Is("RSA")],
        }
        optional {
            /// A text for people. Hidden in `Debug`, since it may repeat what was sent.
            resp_msg: Personal => "respMsg" = "success",
            /// The payload, as in a request.
            resp_data: Json => "respData" = "G0kZ2n3T0J6kq7bq4nO1yQ==",
            /// The session key, as in a request.
            random_key: Personal => "randomKey" = "mGqYkw==",
            /// As in a request. **A success without one is none.**
            signature: String => "signature" = "hW3n8g==",
            /// Reserved; not signed.
            encrypt_flag: Code => "encryptFlag" Seen,
        }
    }
    check |this: &Self, report: &mut Report| key_beside(this.resp_data.as_ref(), this.random_key.as_ref(), "respData", report);
}

/// A payload without the key that it is encrypted with. An empty one is none.
fn key_beside(payload: Option<&Json>, key: Option<&Personal>, field: &'static str, report: &mut Report) {
    let there = payload.is_some_and(|json| json.as_str() != r#""""#);
    report.require("randomKey", !there || key.is_some_and(|key| key != ""), Rule::RequiredWith(field));
}

payload! {
    /// A notification. Source: every webhook's request body.
    pub struct NotificationEnvelope: Documented {
        required {
            /// The partner.
            partner_id: PartnerId => "partnerId",
            /// What it is about; ambiguous without the product.
            notify_type: Code => "notifyType" = "2",
            /// "RSA".
            sign_type: String => "signType" = "RSA" [Is("RSA")],
            /// "2.0".
            version: String => "version" = "2.0" [Is("2.0")],
            /// The payload, as in a request.
            content: Json => "content" = "G0kZ2n3T0J6kq7bq4nO1yQ==",
            /// As in a request. **A notification without one is none.**
            signature: String => "signature" = "hW3n8g==",
        }
        optional {
            /// The session key, as in a request.
            random_key: Personal => "randomKey" = "mGqYkw==",
        }
    }
    check |this: &Self, report: &mut Report| key_beside(Some(&this.content), this.random_key.as_ref(), "content", report);
}

payload! {
    /// What a partner answers to a notification, with HTTP 200. Source: every webhook's responses.
    pub struct Acknowledgement: Documented {
        required {}
        optional {
            /// A text for people.
            msg: Personal => "msg" = "success",
            /// "00" is success, any other a failure. Whether a failure brings the notification again is not documented.
            status: Code => "status" = "00",
        }
    }
}

impl Acknowledgement {
    /// Accepts a notification.
    pub fn accept() -> Self {
        Self { msg: Some("success".into()), status: Some(SUCCESS.into()), ..Self::new() }
    }

    /// Says that a notification was not taken.
    pub fn refuse(status: &str, msg: &str) -> Self {
        Self { msg: Some(msg.into()), status: Some(status.into()), ..Self::new() }
    }
}
