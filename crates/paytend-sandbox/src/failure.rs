//! The sandbox's failures.

/// Why the sandbox refuses a request. The codes and texts are **the sandbox's own**: the provider's are not public.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub enum Failure {
    /// `S001`, unsigned: the document breaks a rule of the envelope.
    Malformed,
    /// `S002`, unsigned: no such partner.
    UnknownPartner,
    /// `S003`, unsigned: decryption or signature failed.
    NotAuthentic,
    /// `S004`: no operation has this path.
    UnknownPath,
    /// `S005`: the business data is absent or has another shape.
    BadData,
    /// `S006`: this `requestId` was used before.
    DuplicateRequest,
    /// `S007`: the sandbox does not serve this operation yet.
    NotServed,
    /// `S101`: no such card.
    UnknownCard,
    /// `S102`: no such order.
    UnknownOrder,
    /// `S103`: this `orderNo` was used before. The first order stands; query it.
    DuplicateOrder,
    /// `S104`: the partner's balance is too small.
    InsufficientFunds,
    /// `S105`: the card, or the partner, has no such currency.
    WrongCurrency,
    /// `S106`: the amount is not above zero, or has more decimals than can be booked.
    BadAmount,
    /// `S107`: the callback URL is not an HTTP URL.
    BadUrl,
}

impl Failure {
    /// All of them.
    pub const ALL: [Self; 14] = [
        Self::Malformed,
        Self::UnknownPartner,
        Self::NotAuthentic,
        Self::UnknownPath,
        Self::BadData,
        Self::DuplicateRequest,
        Self::NotServed,
        Self::UnknownCard,
        Self::UnknownOrder,
        Self::DuplicateOrder,
        Self::InsufficientFunds,
        Self::WrongCurrency,
        Self::BadAmount,
        Self::BadUrl,
    ];

    /// `respCode`.
    pub fn code(self) -> &'static str {
        self.describe().0
    }

    /// `respMsg`.
    pub fn message(self) -> &'static str {
        self.describe().1
    }

    fn describe(self) -> (&'static str, &'static str) {
        match self {
            Self::Malformed => ("S001", "the request breaks a rule of the envelope"),
            Self::UnknownPartner => ("S002", "unknown partner"),
            Self::NotAuthentic => ("S003", "the request is not authentic"),
            Self::UnknownPath => ("S004", "unknown path"),
            Self::BadData => ("S005", "bizData is absent or has another shape than this operation's"),
            Self::DuplicateRequest => ("S006", "requestId was used before"),
            Self::NotServed => ("S007", "the sandbox does not serve this operation yet"),
            Self::UnknownCard => ("S101", "unknown card"),
            Self::UnknownOrder => ("S102", "unknown order"),
            Self::DuplicateOrder => ("S103", "orderNo was used before"),
            Self::InsufficientFunds => ("S104", "insufficient funds"),
            Self::WrongCurrency => ("S105", "wrong currency"),
            Self::BadAmount => ("S106", "amount must be above zero with two decimals at most"),
            Self::BadUrl => ("S107", "url is not an http or https URL"),
        }
    }
}
