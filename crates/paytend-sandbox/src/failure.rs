//! The failures that the sandbox reports when it refuses a request.

macro_rules! failures {
    ($($(#[$about:meta])* $name:ident = $code:literal $message:literal,)+) => {
        /// The reason why the sandbox refuses a request.
        ///
        /// The codes and messages are stable. They are **specific to the sandbox**, because the provider's codes are
        /// not public.
        #[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
        #[non_exhaustive]
        pub enum Failure {
            $(#[doc = concat!("`", $code, "`: ", $message, ".")] $(#[$about])* $name,)+
        }

        impl Failure {
            /// All failures.
            pub const ALL: &'static [Self] = &[$(Self::$name),+];

            /// Returns the `respCode` of the response.
            pub fn code(self) -> &'static str {
                match self {
                    $(Self::$name => $code,)+
                }
            }

            /// Returns the fixed part of the `respMsg`. The sandbox may append details.
            pub fn message(self) -> &'static str {
                match self {
                    $(Self::$name => $message,)+
                }
            }
        }
    };
}

failures! {
    /// The request envelope is invalid. The response is not signed.
    Malformed = "S001" "the request envelope is invalid",
    /// The sandbox has no partner with this `partnerId`. The response is not signed.
    UnknownPartner = "S002" "unknown partner",
    /// Decryption or signature verification failed. The response is not signed.
    NotAuthentic = "S003" "the request is not authentic",
    UnknownPath = "S004" "unknown path",
    BadData = "S005" "bizData does not match this operation",
    DuplicateRequest = "S006" "requestId was used before",
    InvalidField = "S008" "invalid field",
    RateLimited = "S009" "too many requests",
    TooLarge = "S010" "the request is too large",
    UnknownCard = "S101" "unknown card",
    UnknownOrder = "S102" "unknown order",
    /// An order with this number already exists. The existing order is not changed, and its state can be queried.
    DuplicateOrder = "S103" "orderNo was used before",
    InsufficientFunds = "S104" "insufficient funds",
    WrongCurrency = "S105" "wrong currency",
    BadAmount = "S106" "invalid amount: it must be above zero and have at most two decimals",
    BadUrl = "S107" "url is not an http or https URL",
    UnknownHolder = "S108" "unknown cardholder",
    WrongState = "S109" "the operation is not allowed in the current state",
    UnknownSku = "S110" "no card style has this combination of sku, cardScheme and cardType",
    WrongHolder = "S111" "the card belongs to another cardholder",
    WrongCvv = "S112" "wrong cvv",
    UnknownUser = "S113" "unknown user",
    DuplicateUser = "S114" "a user with this mobile number already exists",
    MissingDocuments = "S115" "documents are missing",
    UnknownCountry = "S116" "unknown country",
    FileTooLarge = "S117" "the file is larger than 2 MiB",
    BadQuantity = "S118" "quantity must be from 1 to 100, and 1 if holderId is set",
    UnknownAccount = "S119" "unknown account",
}

/// A failure, with details that contain no values from the request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) failure: Failure,
    detail: Option<String>,
}

impl Refusal {
    pub(crate) fn because(failure: Failure, detail: impl std::fmt::Display) -> Self {
        Self { failure, detail: Some(detail.to_string()) }
    }

    pub(crate) fn message(&self) -> String {
        match &self.detail {
            // `BadAmount`'s message states a general rule. The detail says which rule was broken, so it replaces that
            // message.
            Some(detail) if self.failure == Failure::BadAmount => format!("invalid amount: {detail}"),
            Some(detail) => format!("{}: {detail}", self.failure.message()),
            None => self.failure.message().to_owned(),
        }
    }
}

impl From<Failure> for Refusal {
    fn from(failure: Failure) -> Self {
        Self { failure, detail: None }
    }
}

/// Returns an unsigned response that reports a failure.
pub(crate) fn unsigned(failure: Failure) -> String {
    bare(failure.code(), failure.message())
}

/// Returns an unsigned response.
pub(crate) fn bare(code: &str, message: &str) -> String {
    serde_json::json!({"respCode": code, "respMsg": message, "signType": "RSA"}).to_string()
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;

    #[test]
    fn failure_codes_are_unique_and_stable() {
        let codes: HashSet<_> = Failure::ALL.iter().map(|failure| failure.code()).collect();
        assert_eq!(codes.len(), Failure::ALL.len());
        assert_eq!((Failure::Malformed.code(), Failure::BadUrl.code()), ("S001", "S107"));
    }
}
