//! The documented envelopes of requests, responses and notifications, as plain data for inspecting messages.
//!
//! This module does not seal, open or verify messages. Use `paytend-crypto` for that. Its rules are much stricter. On
//! the wire, the payload is base64 text. In the documentation's samples and in the signed text, the payload is a JSON
//! object. This module reads both representations.
//!
//! ```
//! use paytend_model::{Validate, envelope::RequestEnvelope};
//! let request: RequestEnvelope = serde_json::from_str(
//!     r#"{"requestId":"20231025102930718","partnerId":"88866600010026","signType":"RSA","version":"2.0",
//!         "bizData":""}"#,
//! )?;
//! assert_eq!(request.validate().unwrap_err().to_string(), "`partnerId` must be exactly 15 characters long");
//! # Ok::<(), serde_json::Error>(())
//! ```

use crate::validate::{Report, Rule};
use crate::value::{Code, Json, PartnerId, Personal};

/// The `respCode` of a successful response, and the `status` of an acknowledgement that accepts a notification.
pub const SUCCESS: &str = "00";

payload! {
    /// A request envelope.
    ///
    /// Source: the request body of every operation in the BaaS Core, Issuing Cards and Funding Notification documents.
    pub struct RequestEnvelope: Documented {
        required {
            /// The globally unique serial number of the request.
            request_id: Code => "requestId" = "88866600010026020231106101530001" [MaxChars(32)],
            /// The partner's identifier.
            partner_id: PartnerId => "partnerId" [Chars(15)],
            /// The signature type, always "RSA".
            sign_type: String => "signType" = "RSA" [Is("RSA")],
            /// The version, always "2.0".
            version: String => "version" = "2.0" [Is("2.0")],
        }
        optional {
            /// The payload. On the wire, it is the AES-encrypted JSON text as base64, or an empty string.
            biz_data: Json => "bizData" = "G0kZ2n3T0J6kq7bq4nO1yQ==",
            /// The session key, RSA-encrypted for the receiver, as base64. In the documentation's plaintext samples,
            /// this is the unencrypted key. Present whenever there is a payload.
            random_key: Personal => "randomKey" = "mGqYkw==",
            /// The sender's SHA256withRSA signature, as base64. It can be absent if the request was malformed.
            signature: String => "signature" = "hW3n8g==",
        }
    }
    check |this: &Self, report: &mut Report| {
        check_key(this.biz_data.as_ref(), this.random_key.as_ref(), "bizData", report);
    };
}

payload! {
    /// A response envelope.
    ///
    /// Source: the same documents as for [`RequestEnvelope`].
    pub struct ResponseEnvelope: Documented {
        required {
            /// The response code; "00" is success.
            resp_code: Code => "respCode" = "00",
            /// The signature type, always "RSA".
            sign_type: String => "signType" = "RSA" [Is("RSA")],
        }
        optional {
            /// A human-readable message. Hidden in `Debug`, since it may repeat request data.
            resp_msg: Personal => "respMsg" = "success",
            /// The payload, in the same format as in a request.
            resp_data: Json => "respData" = "G0kZ2n3T0J6kq7bq4nO1yQ==",
            /// The session key, in the same format as in a request.
            random_key: Personal => "randomKey" = "mGqYkw==",
            /// The signature, in the same format as in a request. **A successful response without a signature must not
            /// be trusted.**
            signature: String => "signature" = "hW3n8g==",
            /// Reserved; not included in the signature.
            encrypt_flag: Code => "encryptFlag" Observed,
        }
    }
    check |this: &Self, report: &mut Report| {
        check_key(this.resp_data.as_ref(), this.random_key.as_ref(), "respData", report);
    };
}

/// Reports an error if there is a payload but no session key. An empty payload needs no session key.
fn check_key(payload: Option<&Json>, key: Option<&Personal>, field: &'static str, report: &mut Report) {
    let present = payload.is_some_and(|json| json.as_str() != r#""""#);
    report.require("randomKey", !present || key.is_some_and(|key| key != ""), Rule::RequiredWith(field));
}

payload! {
    /// A notification envelope.
    ///
    /// Source: the request body of every webhook.
    pub struct NotificationEnvelope: Documented {
        required {
            /// The partner's identifier.
            partner_id: PartnerId => "partnerId",
            /// The notification type. Its meaning depends on the product.
            notify_type: Code => "notifyType" = "2",
            /// The signature type, always "RSA".
            sign_type: String => "signType" = "RSA" [Is("RSA")],
            /// The version, always "2.0".
            version: String => "version" = "2.0" [Is("2.0")],
            /// The payload, in the same format as in a request.
            content: Json => "content" = "G0kZ2n3T0J6kq7bq4nO1yQ==",
            /// The signature, in the same format as in a request. **A notification without a signature must not be
            /// trusted.**
            signature: String => "signature" = "hW3n8g==",
        }
        optional {
            /// The session key, in the same format as in a request.
            random_key: Personal => "randomKey" = "mGqYkw==",
        }
    }
    check |this: &Self, report: &mut Report| {
        check_key(Some(&this.content), this.random_key.as_ref(), "content", report);
    };
}

payload! {
    /// A partner's response to a notification, sent with HTTP 200.
    ///
    /// Source: the responses of every webhook.
    pub struct Acknowledgement: Documented {
        optional {
            /// A human-readable message.
            msg: Personal => "msg" = "success",
            /// The status: "00" means success, and any other value means failure. Whether a failure causes a retry is
            /// not documented.
            status: Code => "status" = "00",
        }
    }
}

impl Acknowledgement {
    /// Creates an acknowledgement that accepts a notification.
    pub fn accept() -> Self {
        Self { msg: Some("success".into()), status: Some(SUCCESS.into()), ..Self::new() }
    }

    /// Creates an acknowledgement that rejects a notification.
    pub fn refuse(status: &str, msg: &str) -> Self {
        Self { msg: Some(msg.into()), status: Some(status.into()), ..Self::new() }
    }
}
