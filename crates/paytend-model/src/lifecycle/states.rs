//! The states that the documentation mentions or implies.

use serde::{Deserialize, Serialize};

use super::Lifecycle;

/// The state of an Issuing Cards card.
///
/// Documented:
/// - A card is applied for and shipped, or bought without being activated.
/// - A physical card is activated separately. A virtual card is active as soon as it is shipped.
/// - The loss of a card can be reported, and the report can be cancelled.
/// - A replacement freezes the old card.
/// - A card can be cancelled.
///
/// The documentation does not state that a lost card can be replaced. It also does not state which cards can be
/// cancelled. These transitions are inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum CardState {
    /// Applied for, but not shipped yet.
    Applied,
    /// Shipped or bought in bulk, but not active yet. Only for physical cards.
    Unactivated,
    /// Active: the card was activated with the Active card operation, was shipped as a virtual card, or replaced
    /// another card.
    Active,
    /// Reported lost.
    Lost,
    /// Frozen, because a new card has replaced this card.
    Frozen,
    /// Cancelled permanently. The documentation mentions cancellation, but no operation for it.
    Cancelled,
}

impl Lifecycle for CardState {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Applied => vec![Self::Unactivated, Self::Active],
            Self::Unactivated => vec![Self::Active, Self::Cancelled],
            Self::Active => vec![Self::Lost, Self::Frozen, Self::Cancelled],
            Self::Lost => vec![Self::Active, Self::Frozen, Self::Cancelled],
            Self::Frozen => vec![Self::Cancelled],
            Self::Cancelled => Vec::new(),
        }
    }
}

/// The state of a topup. The documentation only states that the result of a topup can be queried; the states are
/// inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TopupState {
    /// Accepted, but not booked yet.
    Processing,
    /// The money is on the card.
    Succeeded,
    /// The topup failed. The money will not arrive on the card.
    Failed,
}

impl Lifecycle for TopupState {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Processing => vec![Self::Succeeded, Self::Failed],
            Self::Succeeded | Self::Failed => Vec::new(),
        }
    }
}

/// The state of a BaaS Core account opening. The order of the states is the order of the calls in section 4.4 of
/// the BaaS Core documentation. The documentation mentions an audit result. It is inferred that an audit can fail, and
/// that new documents can then be uploaded.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum AccountState {
    /// The user was created.
    Registered,
    /// The documents were uploaded.
    DocumentsUploaded,
    /// The questionnaire was submitted, and Paytend is auditing the user.
    UnderAudit,
    /// The account is open and has an IBAN.
    Open,
    /// The audit failed.
    Rejected,
}

impl Lifecycle for AccountState {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Registered => vec![Self::DocumentsUploaded],
            Self::DocumentsUploaded => vec![Self::UnderAudit],
            Self::UnderAudit => vec![Self::Open, Self::Rejected],
            Self::Rejected => vec![Self::DocumentsUploaded],
            Self::Open => Vec::new(),
        }
    }
}

/// A BaaS Core user's level. The two levels and the upgrade are documented. It is inferred that users start as junior
/// users.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum UserLevel {
    /// A junior user.
    Junior,
    /// A standard user, after an upgrade that may cost a fee.
    Standard,
}

impl Lifecycle for UserLevel {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Junior => vec![Self::Standard],
            Self::Standard => Vec::new(),
        }
    }
}

/// The state of a transfer order: a request by Paytend for information about a transaction. The notification and the
/// two operations are documented. Their order and the next steps are not documented, so either operation can follow the
/// other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TransferOrderState {
    /// A transaction has triggered the order.
    Triggered,
    /// The information was submitted.
    InformationSubmitted,
    /// The file was uploaded.
    FileUploaded,
}

impl Lifecycle for TransferOrderState {
    fn next(&self) -> Vec<Self> {
        match self {
            Self::Triggered => vec![Self::InformationSubmitted, Self::FileUploaded],
            Self::InformationSubmitted => vec![Self::FileUploaded],
            Self::FileUploaded => vec![Self::InformationSubmitted],
        }
    }
}

#[cfg(test)]
mod tests {
    use CardState::*;

    use super::*;

    #[test]
    fn card_states_lead_only_to_the_listed_states() {
        let all = [Applied, Unactivated, Active, Lost, Frozen, Cancelled];
        let table: Vec<String> = all
            .iter()
            .map(|from| {
                let reached = all.iter().filter(|to| from.leads_to(to)).map(|to| format!("{to:?}"));
                format!("{from:?}: {}", reached.collect::<Vec<_>>().join(" "))
            })
            .collect();
        assert_eq!(
            table,
            [
                "Applied: Unactivated Active Lost Frozen Cancelled",
                "Unactivated: Active Lost Frozen Cancelled",
                "Active: Active Lost Frozen Cancelled",
                "Lost: Active Lost Frozen Cancelled",
                "Frozen: Cancelled",
                "Cancelled: ",
            ]
        );
        assert!(Cancelled.is_final() && !Frozen.is_final());
    }

    #[test]
    fn topup_account_user_and_transfer_order_states_lead_only_to_valid_states() {
        assert!(TopupState::Processing.leads_to(&TopupState::Failed) && TopupState::Succeeded.is_final());
        assert!(!TopupState::Failed.leads_to(&TopupState::Succeeded));
        assert!(AccountState::Registered.leads_to(&AccountState::Open));
        assert!(AccountState::Rejected.leads_to(&AccountState::Open) && AccountState::Open.is_final());
        assert!(UserLevel::Junior.leads_to(&UserLevel::Standard) && UserLevel::Standard.is_final());
        assert!(TransferOrderState::Triggered.leads_to(&TransferOrderState::FileUploaded));
        assert!(TransferOrderState::FileUploaded.leads_to(&TransferOrderState::InformationSubmitted));
        assert!(!TransferOrderState::FileUploaded.leads_to(&TransferOrderState::Triggered));
    }
}
