//! The meanings of the provider's codes.

use std::collections::BTreeMap;

use serde::Deserialize;

use crate::entry::{Entry, Kind, Status};
use crate::list::List;

/// The meanings of the provider's codes, in addition to the default meanings.
///
/// `tradeType` and `tradeStatus` codes have default meanings, which are inferred. A meaning in these maps takes
/// precedence. All other codes have no default meaning, and are described in the partner's contract documents.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct Codes {
    /// The kind of transaction that each `tradeType` code represents.
    pub trade_types: BTreeMap<String, Kind>,
    /// The status that each `tradeStatus` code represents.
    pub trade_statuses: BTreeMap<String, Status>,
    /// The kind of transaction that each `transactionType` code in a card transaction notification represents.
    pub notification_types: BTreeMap<String, Kind>,
    /// The status that each `transactionStatus` or `status` code represents. The codes can differ between lists.
    pub statuses: StatusCodes,
}

/// The statuses that the codes in `transactionStatus`, `status` and a deposit's `tradeStatus` represent, by list.
#[derive(Clone, Debug, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
#[non_exhaustive]
pub struct StatusCodes {
    /// The `transactionStatus` codes of partner transactions.
    pub partner_transactions: BTreeMap<String, Status>,
    /// The `status` codes of topup results and of the responses to topups.
    pub topups: BTreeMap<String, Status>,
    /// The `transactionStatus` codes of card transactions.
    pub card_transactions: BTreeMap<String, Status>,
    /// The `transactionStatus` codes of authorizations.
    pub authorizations: BTreeMap<String, Status>,
    /// The `transactionStatus` codes of card transaction notifications, and the `tradeStatus` codes of deposits.
    pub notifications: BTreeMap<String, Status>,
}

impl Codes {
    /// Returns the meanings of the codes in the local sandbox (the `paytend-sandbox` crate). Paytend's own codes
    /// differ.
    pub fn local_sandbox() -> Self {
        let topup = [("1", Status::Processing), ("2", Status::Succeeded), ("3", Status::Failed)];
        let topup: BTreeMap<_, _> = topup.map(|(code, status)| (code.to_owned(), status)).into();
        let card: BTreeMap<_, _> = ["1", "2"].map(|code| (code.to_owned(), Status::Succeeded)).into();
        Self {
            notification_types: [("1", Kind::PreAuthorization), ("2", Kind::Payment)]
                .map(|(code, kind)| (code.to_owned(), kind))
                .into(),
            statuses: StatusCodes {
                partner_transactions: topup.clone(),
                topups: topup,
                card_transactions: card.clone(),
                authorizations: card.clone(),
                notifications: card,
            },
            ..Self::default()
        }
    }

    /// Returns the kind of transaction that a row describes.
    pub(crate) fn kind(&self, entry: &Entry) -> Kind {
        if let Some(kind) = entry.kind {
            return kind;
        }
        let Some(code) = entry.type_code.as_deref() else { return Kind::Other };
        match entry.list {
            List::Notifications => self.notification_types.get(code).copied(),
            _ => self.trade_types.get(code).copied().or_else(|| trade_type(code)),
        }
        .unwrap_or(Kind::Other)
    }

    /// Returns the status of a row, or `None` if the meaning of its codes is not known. Returns [`Status::Unknown`] if
    /// its codes contradict each other.
    pub(crate) fn status(&self, entry: &Entry) -> Option<Status> {
        if entry.status.is_some() {
            return entry.status;
        }
        let of_list = match entry.list {
            List::PartnerTransactions => &self.statuses.partner_transactions,
            List::Topups | List::Orders => &self.statuses.topups,
            List::CardTransactions => &self.statuses.card_transactions,
            List::Authorizations => &self.statuses.authorizations,
            List::Notifications => &self.statuses.notifications,
        };
        let of_code = entry.status_code.as_deref().and_then(|code| of_list.get(code).copied());
        let of_trade = entry.trade_status.as_deref().and_then(|code| {
            let known = self.trade_statuses.get(code).copied();
            known.or_else(|| trade_status(code))
        });
        match (of_code, of_trade) {
            (Some(one), Some(other)) if one != other => Some(Status::Unknown),
            (one, other) => one.or(other),
        }
    }
}

/// Maps a `tradeType` code to a kind of transaction. The mapping is inferred, not documented.
fn trade_type(code: &str) -> Option<Kind> {
    use paytend_model::issuing::TradeType;
    Some(match TradeType::from(code) {
        TradeType::TopUp => Kind::Topup,
        TradeType::Withdrawal => Kind::Withdrawal,
        TradeType::TransferIn => Kind::TransferIn,
        TradeType::TransferOut => Kind::TransferOut,
        TradeType::PreAuthorization => Kind::PreAuthorization,
        TradeType::Payment => Kind::Payment,
        TradeType::SettlementAdjustment => Kind::SettlementAdjustment,
        TradeType::Fee => Kind::Fee,
        _ => return None,
    })
}

/// Maps a `tradeStatus` code to a status. The mapping is inferred, not documented.
fn trade_status(code: &str) -> Option<Status> {
    use paytend_model::issuing::TradeStatus;
    Some(match TradeStatus::from(code) {
        TradeStatus::Success => Status::Succeeded,
        TradeStatus::Reversal | TradeStatus::Cancel | TradeStatus::Refund => Status::Returned,
        TradeStatus::Reversed => Status::Reversed,
        TradeStatus::Cancelled => Status::Failed,
        _ => return None,
    })
}
