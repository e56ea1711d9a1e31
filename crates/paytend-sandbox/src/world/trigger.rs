//! Triggers for events that no operation causes: deposits, card transactions, audit results and notifications of any
//! kind.

use std::collections::BTreeMap;

use paytend_model::iban::{IbanTransaction, PaymentFailure, TransferOrder as ToldOrder, UserStatusChange, UserUpgrade};
use paytend_model::issuing::{CardApplyResponse, CardHolderResult, TransactionNotification};
use paytend_model::{Amount, Code, Notification, Product};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use super::context::Context;
use super::entities::{
    AUTHORIZED, Audit, CardState, CardTransaction, SETTLED, TransferOrder, TransferOrderState, card_code,
    transfer_code, user_code,
};
use super::iban::{account, checked_url, iban};
use super::issuing::holders;
use super::money::{self, Cents, Place};
use super::opening;
use super::outbox::{Sender, Source};
use super::partner::{FIRST_CARD, Partner};
use crate::failure::{Failure, Refusal};

/// A trigger. Each `content` is a JSON object whose fields replace the generated fields.
#[derive(Clone, Debug, Serialize, Deserialize)]
#[serde(tag = "trigger", rename_all = "camelCase", rename_all_fields = "camelCase", deny_unknown_fields)]
pub(crate) enum Trigger {
    /// A Paytend notification and the event behind it, such as a deposit, a card transaction or an audit result.
    Notification { product: String, notify_type: String, content: String },
    /// A PayBy notification to a URL, or to the callback URL.
    PayBy { url: Option<String>, content: String },
    /// A PayerMax notification to a URL, or to the callback URL.
    PayerMax { url: Option<String>, content: String },
    /// An addition to the partner's funds, in hundredths of the currency's unit.
    Fund { cents: i64, currency: String },
    /// A new callback URL.
    Callback { sender: Sender, url: String },
}

/// Applies a trigger. Returns the IDs of the created deliveries as `{"deliveries":[1,2]}`.
pub(super) fn happen(partner: &mut Partner, context: &mut Context<'_>, trigger: Trigger) -> Result<String, Refusal> {
    let before = context.outbox.deliveries.len();
    match trigger {
        Trigger::Notification { product, notify_type, content } => {
            notification(partner, context, &product, &notify_type, &content)?;
        }
        Trigger::PayBy { url, content } => {
            let default = super::outbox::payby(context.now, partner.number("payby"));
            post(partner, context, Source::PayBy, url.as_deref(), merged(&default, &content)?)?;
        }
        Trigger::PayerMax { url, content } => {
            let default = super::outbox::payermax(context.now, partner.number("payermax"));
            post(partner, context, Source::PayerMax, url.as_deref(), merged(&default, &content)?)?;
        }
        Trigger::Fund { cents, currency } => {
            partner.ledger.transfer(&Place::Outside, &Place::Funds, &currency, Cents(cents))?;
        }
        Trigger::Callback { sender, url } => partner.set_callback(sender, checked_url(&url)?),
    }
    let made: Vec<u64> = context.outbox.deliveries[before..].iter().map(|delivery| delivery.id).collect();
    Ok(serde_json::json!({ "deliveries": made }).to_string())
}

fn post(
    partner: &Partner,
    context: &mut Context<'_>,
    source: Source,
    url: Option<&str>,
    content: String,
) -> Result<(), Refusal> {
    let url = url.map(checked_url).transpose()?;
    context.post(partner, source, content, url);
    Ok(())
}

type Object = BTreeMap<String, Box<RawValue>>;

fn object(text: &str) -> Result<Object, Refusal> {
    let broken = |_| Refusal::because(Failure::BadData, "the content is not a JSON object");
    serde_json::from_str(if text.is_empty() { "{}" } else { text }).map_err(broken)
}

/// Replaces some fields of a JSON object. All values are kept exactly as written.
pub(crate) fn merged(default: &str, overrides: &str) -> Result<String, Refusal> {
    let mut all = object(default)?;
    all.extend(object(overrides)?);
    serde_json::to_string(&all).map_err(|_| Failure::BadData.into())
}

/// Parses the content fields that the sandbox itself uses.
fn typed<T: DeserializeOwned>(content: &str) -> Result<T, Refusal> {
    serde_json::from_str(content).map_err(|error| Refusal::because(Failure::BadData, error))
}

fn notification(
    partner: &mut Partner,
    context: &mut Context<'_>,
    product: &str,
    notify_type: &str,
    content: &str,
) -> Result<(), Refusal> {
    let content = if content.is_empty() { "{}" } else { content };
    object(content)?;
    match (product, notify_type) {
        ("baas", "1") => account_opening(partner, context, content),
        ("baas", "2") => deposit(partner, context, content),
        ("baas", "3") => status_change(partner, context, content),
        ("baas", "4") => {
            let mut told = PaymentFailure::new();
            told.order_no = Some(format!("F{:012}", partner.number("failure")).into());
            tell(partner, context, Product::Baas, "4", &told, content)
        }
        ("baas", "6") => upgrade(partner, context, content),
        ("baas", "8") => transfer_order(partner, context, content),
        ("issuing", "1") => card_used(partner, context, content),
        ("issuing", "2") => holder_audit(partner, context, content),
        ("issuing", "3") => {
            let mut told = CardApplyResponse::new();
            told.order_no = partner.applications.keys().next_back().map(|order| order.as_str().into());
            told.status = Some("2".into());
            tell(partner, context, Product::Issuing, "3", &told, content)
        }
        ("baas", other) => tell(partner, context, Product::Baas, other, &serde_json::Map::new(), content),
        ("issuing", other) => tell(partner, context, Product::Issuing, other, &serde_json::Map::new(), content),
        _ => Err(Refusal::because(Failure::BadData, "unknown product; use baas or issuing")),
    }
}

/// Creates a notification from the sandbox's default content and the given overrides.
fn tell(
    partner: &Partner,
    context: &mut Context<'_>,
    product: Product,
    notify_type: &str,
    default: &impl Serialize,
    overrides: &str,
) -> Result<(), Refusal> {
    let default = serde_json::to_string(default).map_err(|_| Failure::BadData)?;
    let content = merged(&default, overrides)?;
    context.notify_text(partner, product, notify_type, content);
    Ok(())
}

fn account_opening(partner: &mut Partner, context: &mut Context<'_>, content: &str) -> Result<(), Refusal> {
    let currency = context.settings.currency.clone();
    let open = partner.users.iter().find_map(|(id, user)| Some((id.clone(), user.accounts.first()?.clone())));
    let (user, iban) = open.unwrap_or_else(|| ("U000000".into(), iban(0)));
    let balance = partner.ledger.balance(&Place::Account(iban.clone()), &currency).amount();
    tell(partner, context, Product::Baas, "1", &account(&user, &iban, &currency, balance), content)
}

fn status_change(partner: &mut Partner, context: &mut Context<'_>, content: &str) -> Result<(), Refusal> {
    let mut told: UserStatusChange = typed(content)?;
    let id = told.user_id.clone().or_else(|| partner.users.keys().next_back().map(|id| id.as_str().into()));
    let Some(id) = id else { return Err(Failure::UnknownUser.into()) };
    let user = partner.user(id.as_str())?;
    let result = told.audit_status.as_ref().and_then(|code| Audit::of(code.as_str()));
    if let Some(result) = result {
        if user.audit.is_none() {
            return Err(Refusal::because(Failure::WrongState, "the questionnaire has not been submitted"));
        }
        opening::audited(partner, context, id.as_str(), result);
        return Ok(());
    }
    told.audit_status = user.audit.map(Audit::code);
    told.user_status = Some(user_code(user.state));
    told.user_id = Some(id);
    tell(partner, context, Product::Baas, "3", &told, content)
}

fn upgrade(partner: &mut Partner, context: &mut Context<'_>, content: &str) -> Result<(), Refusal> {
    let mut told: UserUpgrade = typed(content)?;
    let id = told.user_id.clone().or_else(|| partner.users.keys().next_back().map(|id| id.as_str().into()));
    let id = id.ok_or(Failure::UnknownUser)?;
    partner.user_mut(id.as_str())?.standard = true;
    told.user_id = Some(id);
    tell(partner, context, Product::Baas, "6", &told, content)
}

/// Returns the user who owns an account.
fn owner(partner: &Partner, iban: &str) -> Option<String> {
    partner.users.iter().find(|(_, user)| user.accounts.iter().any(|one| one == iban)).map(|(id, _)| id.clone())
}

/// Books a deposit to the given account, or to the first account by default.
fn deposit(partner: &mut Partner, context: &mut Context<'_>, content: &str) -> Result<(), Refusal> {
    let asked: IbanTransaction = typed(content)?;
    let amount = asked.amount.clone().unwrap_or_else(|| Amount::from(100));
    let currency = asked.currency.as_ref().map_or(context.settings.currency.clone(), |code| code.as_str().to_owned());
    let cents = Cents::positive(&amount)?;
    let iban = match &asked.account_num {
        Some(named) => {
            let named = named.as_str().to_owned();
            if named != iban(0) && owner(partner, &named).is_none() {
                return Err(Failure::UnknownAccount.into());
            }
            named
        }
        None => partner.users.values().find_map(|user| user.accounts.first().cloned()).unwrap_or_else(|| iban(0)),
    };
    let number = partner.number("deposit");
    partner.ledger.transfer(&Place::Outside, &Place::Account(iban.clone()), &currency, cents)?;
    let mut told = IbanTransaction::new();
    told.transaction_id = Some(format!("T{number:012}").into());
    told.order_no = Some(format!("F{number:012}").into());
    told.account_num = Some(iban.as_str().into());
    told.trade_type = Some(Code::number(1));
    told.trade_status = Some(Code::number(2));
    told.payment_type = Some(Code::number(3));
    told.currency = Some(currency.as_str().into());
    told.amount = Some(money::number(&amount));
    told.counterparty_account_name = Some("Example GmbH".into());
    told.counterparty_account_num = Some("DE89370400440532013000".into());
    told.ex_rate = Some("1.0000".into());
    told.target_currency = Some(currency.as_str().into());
    told.target_amount = Some(money::number(&amount));
    tell(partner, context, Product::Baas, "2", &told, content)?;
    if cents.0 >= context.settings.transfer_order_from {
        let transaction = format!("T{number:012}");
        order(partner, context, owner(partner, &iban), transaction, cents, &currency, "{}")?;
    }
    Ok(())
}

/// Creates a transfer order: Paytend's request for information about a transaction.
fn transfer_order(partner: &mut Partner, context: &mut Context<'_>, content: &str) -> Result<(), Refusal> {
    let asked: ToldOrder = typed(content)?;
    let amount = asked.amount.unwrap_or_else(|| Amount::from(100));
    let currency = asked.currency.map_or(context.settings.currency.clone(), |code| code.as_str().to_owned());
    let transaction = asked.transaction_id.map_or_else(|| "T000000000000".to_owned(), |id| id.as_str().to_owned());
    let user = asked.user_id.map(|id| id.as_str().to_owned());
    order(partner, context, user, transaction, Cents::positive(&amount)?, &currency, content)
}

fn order(
    partner: &mut Partner,
    context: &mut Context<'_>,
    user: Option<String>,
    transaction: String,
    amount: Cents,
    currency: &str,
    content: &str,
) -> Result<(), Refusal> {
    let asked: ToldOrder = typed(content)?;
    let id = match asked.order_no {
        Some(id) => id.as_str().to_owned(),
        None => format!("O{:012}", partner.number("order")),
    };
    if partner.transfer_orders.contains_key(&id) {
        return Err(Failure::DuplicateOrder.into());
    }
    let state = TransferOrderState::Triggered;
    let mut told = ToldOrder::new();
    told.order_no = Some(id.as_str().into());
    told.user_id = user.as_deref().map(Into::into);
    told.transaction_id = Some(transaction.as_str().into());
    told.amount = Some(money::number(&amount.amount()));
    told.currency = Some(currency.into());
    told.status = Some(transfer_code(state));
    let made = TransferOrder { user, transaction, amount, currency: currency.to_owned(), state, files: 0 };
    partner.transfer_orders.insert(id, made);
    tell(partner, context, Product::Baas, "8", &told, content)
}

/// Creates a card transaction. With `transactionType` `1` it only reserves the amount. With `2`, or without a type, it
/// takes the money from the card.
fn card_used(partner: &mut Partner, context: &mut Context<'_>, content: &str) -> Result<(), Refusal> {
    let asked: TransactionNotification = typed(content)?;
    let id = asked.card_id.as_ref().map_or(FIRST_CARD, |id| id.as_str()).to_owned();
    let card = partner.card(&id)?;
    if card.state != CardState::Active {
        let code = card_code(card.state);
        return Err(Refusal::because(Failure::WrongState, format!("the card's status is {}", code.as_str())));
    }
    let currency = card.currency.clone();
    let amount = Cents::positive(&asked.amount.unwrap_or_else(|| Amount::from(1)))?;
    let reserves = asked.transaction_type.as_ref().is_some_and(|code| code.as_str() == AUTHORIZED);
    if reserves {
        if partner.ledger.balance(&Place::Card(id.clone()), &currency) < amount {
            return Err(Failure::InsufficientFunds.into());
        }
    } else {
        partner.ledger.transfer(&Place::Card(id.clone()), &Place::Outside, &currency, amount)?;
    }
    let made = CardTransaction {
        id: format!("C{:012}", partner.number("card transaction")),
        card: id,
        amount,
        currency,
        status: if reserves { AUTHORIZED } else { SETTLED }.into(),
        at: context.now,
    };
    let mut told = TransactionNotification::new();
    told.transaction_id = Some(made.id.as_str().into());
    told.card_id = Some(made.card.as_str().into());
    told.transaction_type = Some(made.status.as_str().into());
    told.transaction_status = Some(made.status.as_str().into());
    told.amount = Some(amount.amount());
    told.currency = Some(made.currency.as_str().into());
    if reserves { &mut partner.authorizations } else { &mut partner.settlements }.push(made);
    tell(partner, context, Product::Issuing, "1", &told, content)
}

fn holder_audit(partner: &mut Partner, context: &mut Context<'_>, content: &str) -> Result<(), Refusal> {
    let asked: CardHolderResult = typed(content)?;
    let last = || partner.holders.keys().next_back().cloned();
    let id = asked.holder_id.as_ref().map(|id| id.as_str().to_owned()).or_else(last).ok_or(Failure::UnknownHolder)?;
    partner.holder(&id)?;
    let result = asked.status.as_ref().map_or(Some(Audit::Passed), |code| Audit::of(code.as_str()));
    let result = result.ok_or_else(|| Refusal::because(Failure::InvalidField, "`status` must be 1, 2 or 3"))?;
    holders::audited(partner, context, &id, result);
    Ok(())
}

/// Returns the product, type and title of each kind of Paytend notification that can be triggered.
pub(crate) fn kinds() -> impl Iterator<Item = (&'static str, &'static str, &'static str)> {
    Notification::kinds().map(|kind| (kind.product.as_str(), kind.notify_type, kind.title))
}
