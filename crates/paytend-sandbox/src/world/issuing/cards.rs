//! Card operations: application, shipment, activation, loss and replacement.

use paytend_model::issuing::{
    ActiveCard, ApplyCard, CancelReportLoss, CardApplyResponse, CardInfoResponse, QueryApplyResult, QueryCardInfo,
    QuerySkus, ReplaceCard, ReportLoss, RetrievePassword, Sku, SkuResponse,
};
use paytend_model::{CardId, IssuingNotification, NoData};

use crate::failure::{Failure, Refusal};
use crate::world::context::Context;
use crate::world::entities::{Application, Audit, Card, CardState, Task, card_code};
use crate::world::money::{Cents, Place};
use crate::world::partner::{DEMO_SKU, MONTH, Partner, cvv, given};

/// The card styles, each with its sku, scheme and type (`1` virtual, `2` physical).
const SKUS: [(&str, &str, &str); 5] =
    [("SKU001", "3", "1"), ("SKU001", "3", "2"), ("SKU002", "1", "2"), ("SKU003", "2", "1"), (DEMO_SKU, "3", "2")];
const VIRTUAL: &str = "1";
/// The maximum number of cards per application.
pub(in crate::world) const MOST: u64 = 100;

pub(in crate::world) fn skus(_: &mut Partner, _: &mut Context<'_>, _: QuerySkus) -> Result<SkuResponse, Refusal> {
    let style = |(sku, scheme, type_): &(&str, &str, &str)| {
        let mut style = Sku::new();
        style.sku = Some((*sku).into());
        style.card_scheme = Some((*scheme).into());
        style.card_type = Some((*type_).into());
        style
    };
    let mut response = SkuResponse::new();
    response.skus = Some(SKUS.iter().map(style).collect());
    Ok(response)
}

pub(in crate::world) fn apply(
    partner: &mut Partner,
    context: &mut Context<'_>,
    application: ApplyCard,
) -> Result<NoData, Refusal> {
    let order = application.order_no.as_str().to_owned();
    if partner.applications.contains_key(&order) {
        return Err(Failure::DuplicateOrder.into());
    }
    let (sku, scheme, type_) =
        (application.sku.as_str(), application.card_scheme.as_str(), application.card_type.as_str());
    if !SKUS.contains(&(sku, scheme, type_)) {
        return Err(Failure::UnknownSku.into());
    }
    let quantity = if application.quantity.is_empty() { Some(1) } else { application.quantity.get() };
    let quantity = quantity.filter(|quantity| (1..=MOST).contains(quantity));
    let quantity = quantity.ok_or(Failure::BadQuantity)?;
    let holder = given(application.holder_id.as_deref()).map(ToOwned::to_owned);
    match &holder {
        Some(id) if partner.holder(id)?.audit != Audit::Passed => {
            return Err(Refusal::because(Failure::WrongState, "the cardholder has not passed the audit"));
        }
        Some(_) if quantity != 1 => return Err(Failure::BadQuantity.into()),
        // Physical cards can be ordered without a cardholder and assigned later. Virtual cards cannot.
        None if type_ == VIRTUAL => {
            return Err(Refusal::because(Failure::InvalidField, "`holderId` is required for a virtual card"));
        }
        _ => {}
    }
    let made = Application {
        holder,
        scheme: scheme.into(),
        type_: type_.into(),
        sku: sku.into(),
        quantity,
        cards: Vec::new(),
    };
    partner.applications.insert(order.clone(), made);
    partner.later(context.now.saturating_add(context.timing().shipment), Task::Ship(order));
    Ok(NoData::default())
}

/// Creates the cards for an application. A virtual card is active immediately.
pub(in crate::world) fn ship(partner: &mut Partner, context: &mut Context<'_>, order: &str) {
    let Some(application) = partner.applications.get(order).cloned() else { return };
    for _ in 0..application.quantity {
        let id = (1_755_902 + partner.number("card")).to_string();
        let state = if application.type_ == VIRTUAL { CardState::Active } else { CardState::Unactivated };
        let card = Card {
            holder: application.holder.clone(),
            scheme: application.scheme.clone(),
            type_: application.type_.clone(),
            sku: application.sku.clone(),
            currency: context.settings.currency.clone(),
            state,
            cvv: cvv(&id),
            overdue: Cents(0),
            passwords: 0,
        };
        partner.cards.insert(id.clone(), card);
        if state == CardState::Active {
            partner.later(context.now.saturating_add(MONTH), Task::MonthlyFee(id.clone()));
        }
        if let Some(application) = partner.applications.get_mut(order) {
            application.cards.push(id.clone());
        }
        let content = result(order, application.holder.as_deref(), Some(&id));
        context.notify(partner, IssuingNotification::ApplyCardResult(Box::new(content)).into());
    }
}

/// Returns an application's result with status `1` (processing) or `2` (shipped). A query returns only the first card
/// of an application, but each card causes a notification.
fn result(order: &str, holder: Option<&str>, card: Option<&str>) -> CardApplyResponse {
    let mut result = CardApplyResponse::new();
    result.order_no = Some(order.into());
    result.holder_id = holder.map(Into::into);
    result.card_id = card.map(Into::into);
    result.status = Some(if card.is_some() { "2" } else { "1" }.into());
    result
}

pub(in crate::world) fn apply_result(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryApplyResult,
) -> Result<CardApplyResponse, Refusal> {
    let order = query.order_no.as_str();
    let application = partner.applications.get(order).ok_or(Failure::UnknownOrder)?;
    if given(query.holder_id.as_deref()).is_some_and(|id| Some(id) != application.holder.as_deref()) {
        return Err(Failure::UnknownOrder.into());
    }
    Ok(result(order, application.holder.as_deref(), application.cards.first().map(String::as_str)))
}

pub(in crate::world) fn activate(
    partner: &mut Partner,
    context: &mut Context<'_>,
    request: ActiveCard,
) -> Result<NoData, Refusal> {
    let holder = request.holder_id.as_str();
    partner.holder(holder)?;
    let card = partner.card_mut(request.card_id.as_str())?;
    if card.holder.as_deref().is_some_and(|of| of != holder) {
        return Err(Failure::WrongHolder.into());
    }
    // An active card without a cardholder is one of the sandbox's initial cards. Assign it to this cardholder.
    if card.state == CardState::Active && card.holder.is_none() {
        card.holder = Some(holder.to_owned());
        return Ok(NoData::default());
    }
    expect(card, &[CardState::Unactivated])?;
    card.holder = Some(holder.to_owned());
    card.state = CardState::Active;
    partner.later(context.now.saturating_add(MONTH), Task::MonthlyFee(request.card_id.as_str().to_owned()));
    Ok(NoData::default())
}

fn expect(card: &Card, states: &[CardState]) -> Result<(), Refusal> {
    if states.contains(&card.state) {
        return Ok(());
    }
    Err(Refusal::because(Failure::WrongState, format!("the card's status is {}", card_code(card.state).as_str())))
}

pub(in crate::world) fn info(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryCardInfo,
) -> Result<CardInfoResponse, Refusal> {
    let card = partner.card(query.card_id.as_str())?;
    let mut response = CardInfoResponse::new();
    response.holder_id = card.holder.as_deref().map(Into::into);
    response.card_scheme = Some(card.scheme.as_str().into());
    response.card_type = Some(card.type_.as_str().into());
    response.sku = Some(card.sku.as_str().into());
    response.currency = Some(card.currency.as_str().into());
    response.status = Some(card_code(card.state));
    response.card_id = Some(query.card_id);
    Ok(response)
}

/// Freezes the old card and activates the new card for the same cardholder. The balance is moved later.
pub(in crate::world) fn replace(
    partner: &mut Partner,
    context: &mut Context<'_>,
    request: ReplaceCard,
) -> Result<NoData, Refusal> {
    let (new, old) = (request.card_id.as_str().to_owned(), request.old_card_id.as_str().to_owned());
    let new_card = partner.card(&new)?;
    expect(new_card, &[CardState::Unactivated])?;
    if new_card.cvv != request.cvv.as_str() {
        return Err(Failure::WrongCvv.into());
    }
    let old_card = partner.card(&old)?;
    expect(old_card, &[CardState::Active, CardState::Lost])?;
    if new_card.holder.is_some() && new_card.holder != old_card.holder {
        return Err(Failure::WrongHolder.into());
    }
    let holder = old_card.holder.clone();
    partner.card_mut(&old)?.state = CardState::Frozen;
    let new_card = partner.card_mut(&new)?;
    new_card.state = CardState::Active;
    new_card.holder = holder;
    partner.later(context.now.saturating_add(MONTH), Task::MonthlyFee(new.clone()));
    partner.later(context.now.saturating_add(context.timing().replacement), Task::Replace(old, new));
    Ok(NoData::default())
}

/// Moves the whole balance from the old card to the new card.
pub(in crate::world) fn move_balance(partner: &mut Partner, old: &str, new: &str) {
    let (from, to) = (Place::Card(old.into()), Place::Card(new.into()));
    let all: Vec<_> = partner.ledger.balances(&from).map(|(currency, cents)| (currency.to_owned(), cents)).collect();
    for (currency, cents) in all {
        // The transfer cannot fail, because the amount is the card's balance.
        let _ = partner.ledger.transfer(&from, &to, &currency, cents);
    }
}

fn turn(partner: &mut Partner, id: &CardId, from: CardState, to: CardState) -> Result<NoData, Refusal> {
    let card = partner.card_mut(id.as_str())?;
    expect(card, &[from])?;
    card.state = to;
    Ok(NoData::default())
}

pub(in crate::world) fn lost(partner: &mut Partner, _: &mut Context<'_>, r: ReportLoss) -> Result<NoData, Refusal> {
    turn(partner, &r.card_id, CardState::Active, CardState::Lost)
}

pub(in crate::world) fn found(
    partner: &mut Partner,
    _: &mut Context<'_>,
    r: CancelReportLoss,
) -> Result<NoData, Refusal> {
    turn(partner, &r.card_id, CardState::Lost, CardState::Active)
}

pub(in crate::world) fn password(
    partner: &mut Partner,
    _: &mut Context<'_>,
    request: RetrievePassword,
) -> Result<NoData, Refusal> {
    let card = partner.card_mut(request.card_id.as_str())?;
    expect(card, &[CardState::Active])?;
    card.passwords += 1;
    Ok(NoData::default())
}

/// Charges the monthly fee to a card, or adds it to the overdue fees if the balance is too low. Lost and frozen cards
/// are not charged.
pub(in crate::world) fn monthly_fee(partner: &mut Partner, context: &mut Context<'_>, id: &str, at: u64) {
    let Some(card) = partner.cards.get(id) else { return };
    if matches!(card.state, CardState::Active | CardState::Lost) {
        let fee = Cents(context.settings.monthly_fee);
        let currency = card.currency.clone();
        if card.state == CardState::Active
            && partner.ledger.transfer(&Place::Card(id.into()), &Place::Fees, &currency, fee).is_err()
            && let Some(card) = partner.cards.get_mut(id)
        {
            card.overdue.0 = card.overdue.0.saturating_add(fee.0);
        }
        partner.later(at.saturating_add(MONTH), Task::MonthlyFee(id.to_owned()));
    }
}
