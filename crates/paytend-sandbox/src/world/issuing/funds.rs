//! Operations on the partner's funds and on card balances.

use paytend_model::issuing::{
    AuthorizationsResponse, Balance, CardBalanceResponse, CardTransaction, CardTransactionsResponse,
    PartnerBalanceResponse, PartnerTopupResponse, PartnerTransaction, PartnerTransactionResponse, QueryAuthorizations,
    QueryCardBalance, QueryCardOverdueMonthlyFee, QueryCardTransactions, QueryPartnerBalance, QueryPartnerTopup,
    QueryPartnerTransactions, QueryTopupResult, Topup, TopupResponse, TopupResultResponse, TradeStatus, TradeType,
};
use paytend_model::{Currency, Date};

use crate::failure::{Failure, Refusal};
use crate::world::context::Context;
use crate::world::entities::{self, CardState, Task, TopupState, topup_code};
use crate::world::money::{Cents, Place};
use crate::world::partner::{Partner, given, page};
use crate::world::time::Millis;

pub(in crate::world) fn balance(
    partner: &mut Partner,
    _: &mut Context<'_>,
    _: QueryPartnerBalance,
) -> Result<PartnerBalanceResponse, Refusal> {
    let all = partner.ledger.balances(&Place::Funds);
    let mut response = PartnerBalanceResponse::new();
    response.balance = Some(
        all.map(|(currency, cents)| Balance::builder().currency(currency).available(cents.amount()).build()).collect(),
    );
    Ok(response)
}

/// Returns an error if the given currency is not the sandbox's currency.
fn served(context: &Context<'_>, currency: Option<&Currency>) -> Result<(), Failure> {
    match given(currency.map(|currency| &**currency)) {
        Some(currency) if currency != context.settings.currency => Err(Failure::WrongCurrency),
        _ => Ok(()),
    }
}

/// Returns the bank details for a transfer to Paytend: the currency, and Paytend's account in `extra`.
pub(in crate::world) fn partner_topup(
    _: &mut Partner,
    context: &mut Context<'_>,
    query: QueryPartnerTopup,
) -> Result<PartnerTopupResponse, Refusal> {
    served(context, Some(&query.currency))?;
    let mut response = PartnerTopupResponse::new();
    let currency = given(Some(&query.currency)).unwrap_or(&context.settings.currency);
    response.currency = Some(currency.into());
    let iban = serde_json::Value::from(super::super::iban::iban(0)).to_string();
    response.extra.set("accountNum", &iban).map_err(|_| Failure::BadData)?;
    Ok(response)
}

/// Returns the UTC date of a time.
fn day(at: Millis) -> String {
    let day = i64::try_from(at).ok().and_then(|at| jiff::Timestamp::from_millisecond(at).ok());
    day.map(|at| at.to_zoned_datetime(jiff::tz::TimeZone::UTC).date().to_string()).unwrap_or_default()
}

/// Returns whether a time is between two dates, both inclusive.
fn within(at: Millis, begin: &Date, end: &Date) -> bool {
    let day = day(at);
    // A missing date leaves the range open at that end.
    begin.as_str() <= day.as_str() && (end.is_empty() || day.as_str() <= end.as_str())
}

pub(in crate::world) fn partner_transactions(
    partner: &mut Partner,
    context: &mut Context<'_>,
    query: QueryPartnerTransactions,
) -> Result<PartnerTransactionResponse, Refusal> {
    served(context, query.currency.as_ref())?;
    let mut found: Vec<_> = partner.topups.iter().collect();
    let status = given(query.transaction_status.as_deref());
    found.retain(|(_, topup)| {
        status.is_none_or(|status| topup_code(topup.state).as_str() == status)
            && within(topup.at, &query.begin_date, &query.end_date)
    });
    found.sort_by_key(|(order, topup)| (topup.at, order.as_str()));
    let (total, found) = page(found, query.start.as_ref(), query.max_size.as_ref());
    let transaction = |(order, topup): (&String, &entities::Topup)| {
        let mut transaction = PartnerTransaction::new();
        transaction.trade_id = Some(format!("P-{order}").into());
        transaction.trade_type = Some(TradeType::TopUp);
        transaction.trade_status = match topup.state {
            TopupState::Succeeded => Some(TradeStatus::Success),
            TopupState::Failed => Some(TradeStatus::Cancelled),
            _ => None,
        };
        transaction.transaction_status = Some(topup_code(topup.state));
        transaction.business_date = Some(day(topup.at));
        transaction.order_no = Some(topup.order_no(order).into());
        transaction.amount = Some(topup.amount.amount());
        transaction.currency = Some(topup.currency.as_str().into());
        transaction
    };
    let mut response = PartnerTransactionResponse::new();
    response.total = Some(total);
    response.trade_list = Some(found.into_iter().map(transaction).collect());
    Ok(response)
}

pub(in crate::world) fn card_balance(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryCardBalance,
) -> Result<CardBalanceResponse, Refusal> {
    let (balance, currency) = partner.card_balance(query.card_id.as_str())?;
    let mut response = CardBalanceResponse::new();
    response.balance = Some(balance);
    response.currency = Some(currency.into());
    response.card_id = Some(query.card_id);
    Ok(response)
}

pub(in crate::world) fn overdue_fee(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryCardOverdueMonthlyFee,
) -> Result<CardBalanceResponse, Refusal> {
    let card = partner.card(query.card_id.as_str())?;
    let mut response = CardBalanceResponse::new();
    response.balance = Some(card.overdue.amount());
    response.currency = Some(card.currency.as_str().into());
    response.card_id = Some(query.card_id);
    Ok(response)
}

fn transit(order: &str) -> Place {
    Place::Transit(format!("topup {order}"))
}

/// Returns the key of a topup: its `orderNo`, or a different text if an earlier topup has the same `orderNo`.
fn unused_key(partner: &Partner, order: &str) -> String {
    let mut key = order.to_owned();
    for number in 2.. {
        if !partner.topups.contains_key(&key) {
            break;
        }
        key = format!("{order} (execution {number})");
    }
    key
}

/// Takes the money from the partner's funds, once for each `orderNo` unless a fault accepts duplicates. The money
/// arrives on the card later.
pub(in crate::world) fn topup(
    partner: &mut Partner,
    context: &mut Context<'_>,
    request: Topup,
) -> Result<TopupResponse, Refusal> {
    let (order_no, card) = (request.order_no.as_str(), request.card_id.as_str().to_owned());
    let order = unused_key(partner, order_no);
    let repeats = (order != order_no).then(|| order_no.to_owned());
    if repeats.is_some() && !context.accepts_duplicates {
        return Err(Failure::DuplicateOrder.into());
    }
    let state = partner.card(&card)?.state;
    let currency = partner.card(&card)?.currency.clone();
    if given(Some(&request.currency)).is_some_and(|asked| asked != currency) {
        return Err(Failure::WrongCurrency.into());
    }
    let amount = Cents::positive(&request.amount)?;
    if state != CardState::Active {
        return Err(Refusal::because(Failure::WrongState, "the card is not active"));
    }
    partner.ledger.transfer(&Place::Funds, &transit(&order), &currency, amount)?;
    let made = entities::Topup { card, amount, currency, state: TopupState::Processing, at: context.now, repeats };
    partner.topups.insert(order.clone(), made);
    let delay = context.timing().topup;
    partner.later(context.now.saturating_add(delay), Task::BookTopup(order));
    let mut response = TopupResponse::new();
    let told = if delay == 0 { TopupState::Succeeded } else { TopupState::Processing };
    response.status = Some(topup_code(told));
    response.order_no = Some(request.order_no);
    Ok(response)
}

/// Completes a topup. The money is returned to the partner if the card has since been frozen or cancelled.
pub(in crate::world) fn book(partner: &mut Partner, order: &str) {
    let Some(topup) = partner.topups.get_mut(order) else { return };
    if topup.state != TopupState::Processing {
        return;
    }
    let takes =
        partner.cards.get(&topup.card).is_some_and(|card| matches!(card.state, CardState::Active | CardState::Lost));
    let (to, state) = if takes {
        (Place::Card(topup.card.clone()), TopupState::Succeeded)
    } else {
        (Place::Funds, TopupState::Failed)
    };
    if partner.ledger.transfer(&transit(order), &to, &topup.currency, topup.amount).is_ok() {
        topup.state = state;
    }
}

pub(in crate::world) fn topup_result(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryTopupResult,
) -> Result<TopupResultResponse, Refusal> {
    let topup = partner.topups.get(query.order_no.as_str()).ok_or(Failure::UnknownOrder)?;
    let mut response = TopupResultResponse::new();
    response.card_id = Some(topup.card.as_str().into());
    response.amount = Some(topup.amount.amount());
    response.currency = Some(topup.currency.as_str().into());
    response.status = Some(topup_code(topup.state));
    response.order_no = Some(query.order_no);
    Ok(response)
}

fn of_card<'a>(
    all: &'a [entities::CardTransaction],
    card: &'a str,
    currency: Option<&'a Currency>,
    (begin, end): (&'a Date, &'a Date),
) -> impl Iterator<Item = &'a entities::CardTransaction> {
    let currency = given(currency.map(|currency| &**currency));
    all.iter().filter(move |one| {
        one.card == card && currency.is_none_or(|currency| one.currency == currency) && within(one.at, begin, end)
    })
}

pub(in crate::world) fn told(one: &entities::CardTransaction) -> CardTransaction {
    let mut transaction = CardTransaction::new();
    let settled = one.status == entities::SETTLED;
    transaction.trade_id = Some(one.id.as_str().into());
    transaction.trade_type = Some(if settled { TradeType::Payment } else { TradeType::PreAuthorization });
    transaction.trade_status = Some(TradeStatus::Success);
    transaction.transaction_status = Some(one.status.as_str().into());
    transaction.business_date = Some(day(one.at));
    transaction.card_id = Some(one.card.as_str().into());
    transaction.amount = Some(one.amount.amount());
    transaction.currency = Some(one.currency.as_str().into());
    transaction
}

pub(in crate::world) fn card_transactions(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryCardTransactions,
) -> Result<CardTransactionsResponse, Refusal> {
    let card = query.card_id.as_str();
    partner.card(card)?;
    let days = (&query.begin_date, &query.end_date);
    let currency = query.currency.as_ref();
    let status = given(query.transaction_status.as_deref());
    let found = of_card(&partner.settlements, card, currency, days)
        .chain(of_card(&partner.authorizations, card, currency, days))
        .filter(|one| status.is_none_or(|status| one.status == status))
        .map(told)
        .collect();
    let (total, transactions) = page(found, query.start.as_ref(), query.max_size.as_ref());
    let mut response = CardTransactionsResponse::new();
    response.total = Some(total);
    response.trade_list = Some(transactions);
    Ok(response)
}

pub(in crate::world) fn authorizations(
    partner: &mut Partner,
    _: &mut Context<'_>,
    query: QueryAuthorizations,
) -> Result<AuthorizationsResponse, Refusal> {
    let card = query.card_id.as_str();
    partner.card(card)?;
    let days = (&query.begin_date, &query.end_date);
    let found = of_card(&partner.authorizations, card, query.currency.as_ref(), days).map(told).collect();
    let (total, transactions) = page(found, query.start.as_ref(), query.max_size.as_ref());
    let mut response = AuthorizationsResponse::new();
    response.total = Some(total);
    response.trade_list = Some(transactions);
    Ok(response)
}
