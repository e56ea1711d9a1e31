//! The cards, cardholders, users and orders of a partner. Their codes are specific to the sandbox.

use std::collections::BTreeMap;

use paytend_model::Code;
use paytend_model::iban::CreateIndividual;
use paytend_model::issuing::CreateCardholder;
pub(crate) use paytend_model::lifecycle::{AccountState, CardState, TopupState, TransferOrderState};
use serde::{Deserialize, Serialize};

use super::money::Cents;
use super::time::Millis;

/// The audit status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) enum Audit {
    Pending,
    Passed,
    Rejected,
}

impl Audit {
    /// Returns the code: `1` pending, `2` passed, `3` rejected.
    pub(crate) fn code(self) -> Code {
        match self {
            Self::Pending => "1",
            Self::Passed => "2",
            Self::Rejected => "3",
        }
        .into()
    }

    pub(crate) fn of(code: &str) -> Option<Self> {
        [Self::Pending, Self::Passed, Self::Rejected].into_iter().find(|audit| audit.code().as_str() == code)
    }
}

/// Returns the code for a card's state: `0` applied, `1` unactivated, `2` active, `3` lost, `4` frozen, `5` cancelled.
pub(crate) fn card_code(state: CardState) -> Code {
    match state {
        CardState::Applied => "0",
        CardState::Unactivated => "1",
        CardState::Active => "2",
        CardState::Lost => "3",
        CardState::Frozen => "4",
        _ => "5",
    }
    .into()
}

/// Returns the code for a topup's state: `1` processing, `2` succeeded, `3` failed.
pub(crate) fn topup_code(state: TopupState) -> Code {
    match state {
        TopupState::Processing => "1",
        TopupState::Succeeded => "2",
        _ => "3",
    }
    .into()
}

/// Returns the code for a user's state: `0` registered, `1` documents uploaded, `2` under audit, `3` open, `4`
/// rejected.
pub(crate) fn user_code(state: AccountState) -> Code {
    match state {
        AccountState::Registered => "0",
        AccountState::DocumentsUploaded => "1",
        AccountState::UnderAudit => "2",
        AccountState::Open => "3",
        _ => "4",
    }
    .into()
}

/// Returns the code for a transfer order's state: `1` triggered, `2` information submitted, `3` file uploaded.
pub(crate) fn transfer_code(state: TransferOrderState) -> Code {
    match state {
        TransferOrderState::Triggered => "1",
        TransferOrderState::InformationSubmitted => "2",
        _ => "3",
    }
    .into()
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Holder {
    pub(crate) data: CreateCardholder,
    pub(crate) audit: Audit,
    pub(crate) documents: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Card {
    pub(crate) holder: Option<String>,
    pub(crate) scheme: String,
    pub(crate) type_: String,
    pub(crate) sku: String,
    pub(crate) currency: String,
    pub(crate) state: CardState,
    pub(crate) cvv: String,
    /// Unpaid monthly fees for months in which the balance was too low.
    pub(crate) overdue: Cents,
    pub(crate) passwords: u32,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Application {
    pub(crate) holder: Option<String>,
    pub(crate) scheme: String,
    pub(crate) type_: String,
    pub(crate) sku: String,
    pub(crate) quantity: u64,
    /// The cards that have been shipped.
    pub(crate) cards: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Topup {
    pub(crate) card: String,
    pub(crate) amount: Cents,
    pub(crate) currency: String,
    pub(crate) state: TopupState,
    pub(crate) at: Millis,
    /// The `orderNo`, if an earlier topup has the same one. The key of this topup is then a different text.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) repeats: Option<String>,
}

impl Topup {
    /// Returns the `orderNo` of the topup with this key.
    pub(crate) fn order_no<'t>(&'t self, key: &'t str) -> &'t str {
        self.repeats.as_deref().unwrap_or(key)
    }
}

/// The code for an authorization.
pub(crate) const AUTHORIZED: &str = "1";
/// The code for a settlement.
pub(crate) const SETTLED: &str = "2";

/// An authorization, which reserves money on a card, or a settlement, which withdraws money.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct CardTransaction {
    pub(crate) id: String,
    pub(crate) card: String,
    pub(crate) amount: Cents,
    pub(crate) currency: String,
    /// The transaction's code: [`AUTHORIZED`] or [`SETTLED`].
    pub(crate) status: String,
    pub(crate) at: Millis,
}

/// A person or corporation that has an account or is applying for an account.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    pub(crate) mobile: String,
    pub(crate) person: Option<Box<CreateIndividual>>,
    /// A corporation's country; `None` for a person.
    pub(crate) country: Option<String>,
    pub(crate) state: AccountState,
    pub(crate) audit: Option<Audit>,
    pub(crate) standard: bool,
    /// The `fileType` of each uploaded document.
    pub(crate) documents: Vec<String>,
    /// Whether an identity verification provider's result was uploaded. The result replaces all documents.
    pub(crate) identified: bool,
    pub(crate) accounts: Vec<String>,
}

#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub(crate) struct TransferOrder {
    pub(crate) user: Option<String>,
    pub(crate) transaction: String,
    pub(crate) amount: Cents,
    pub(crate) currency: String,
    pub(crate) state: TransferOrderState,
    pub(crate) files: u32,
}

/// A scheduled task.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "task", content = "id", rename_all = "camelCase")]
pub(crate) enum Task {
    AuditHolder(String),
    Ship(String),
    BookTopup(String),
    AuditUser(String),
    /// Moves the balance from the old card (first) to the new card (second).
    Replace(String, String),
    MonthlyFee(String),
}

/// The last assigned number for each kind of object.
pub(crate) type Counters = BTreeMap<String, u64>;
