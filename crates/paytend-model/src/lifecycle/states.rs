//! The states that the documentation names, or makes necessary.

use serde::{Deserialize, Serialize};

use super::Lifecycle;

/// A card of Issuing Cards.
///
/// Documented: that a card is applied for and shipped, or bought unactivated; activation, of virtual cards when
/// shipped; loss and its cancellation; that a replacement freezes the old card; that cards can be cancelled. Inferred:
/// that a lost card may be replaced, and which states a cancellation may follow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum CardState {
    /// Applied for, and not shipped yet.
    Applied,
    /// Shipped, or bought in bulk, and not active yet: physical cards alone.
    Unactivated,
    /// Active: by Active card, when shipped if virtual, or as the new card of a replacement.
    Active,
    /// Reported lost.
    Lost,
    /// Replaced by another card.
    Frozen,
    /// Cancelled for good. The documentation names cancellation, and no operation for it.
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

/// A topup. That it has a result to be queried is documented; the states are inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TopupState {
    /// Taken, and not booked yet.
    Processing,
    /// The money is on the card.
    Succeeded,
    /// It is not, and will not be.
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

/// The opening of an account of BaaS Core, by the order of calls of its section 4.4. That a review may be negative, and
/// new documents may follow, is inferred from its having a result.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum AccountState {
    /// The user is created.
    Registered,
    /// The documents are uploaded.
    DocumentsUploaded,
    /// The questionnaire is answered; Paytend reviews.
    UnderAudit,
    /// The account is open, with an IBAN.
    Open,
    /// The review was negative.
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

/// The level of a user of BaaS Core. The two levels and the upgrade are documented; that users begin as junior ones is
/// inferred.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum UserLevel {
    /// A junior user.
    Junior,
    /// After an upgrade, which may cost a fee.
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

/// A transfer order: what Paytend asks about a transaction. The notification and the two operations are documented; in
/// which order they come, and what follows them, is not, so either may follow the other.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
#[non_exhaustive]
pub enum TransferOrderState {
    /// A transaction has triggered it.
    Triggered,
    /// The information is submitted.
    InformationSubmitted,
    /// The file is uploaded.
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
    fn cards_go_only_where_the_documentation_lets_them() {
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
    fn the_others_end_where_they_should() {
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
