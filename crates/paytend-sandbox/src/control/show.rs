//! The read-only part of the control interface. Personal data and session keys are shown only on request: in a single
//! entry, or with `personal=true`.

use std::convert::Infallible;
use std::sync::Arc;

use axum::Json;
use axum::extract::{Path, Query, State as Shared};
use axum::response::sse::{Event, KeepAlive, Sse};
use futures_util::Stream;
use serde::Deserialize;
use serde_json::{Value, json};

use super::response::{After, Answer, Bad, after, number};
use crate::runtime::acknowledgement::shown_url;
use crate::runtime::core::Core;
use crate::world::World;
use crate::world::money::Place;
use crate::world::outbox::{Delivery, Sender};
use crate::world::partner::Partner;

#[derive(Deserialize)]
pub(super) struct What {
    #[serde(default)]
    personal: bool,
}

pub(super) async fn state(Shared(core): Shared<Arc<Core>>, Query(what): Query<What>) -> Json<Value> {
    Json(core.look(|world| told(world, what.personal)))
}

fn told(world: &World, personal: bool) -> Value {
    let partners: serde_json::Map<String, Value> =
        world.partners.iter().map(|(id, partner)| (id.clone(), of_partner(partner, personal))).collect();
    json!({
        "now": world.now,
        "settings": world.settings,
        "conserves": world.conserves(),
        "partners": partners,
    })
}

fn of_partner(partner: &Partner, personal: bool) -> Value {
    let money = |place: Place| {
        let all = partner.ledger.balances(&place);
        Value::Object(all.map(|(currency, cents)| (currency.to_owned(), cents.to_string().into())).collect())
    };
    let hidden = |text: &str| if personal { text.to_owned() } else { "•••".to_owned() };
    let cards: Vec<Value> = partner
        .cards
        .iter()
        .map(|(id, card)| {
            json!({
                "cardId": id, "holderId": card.holder, "state": card.state, "scheme": card.scheme, "type": card.type_,
                "balance": money(Place::Card(id.clone())), "overdue": card.overdue.to_string(),
                "cvv": hidden(&card.cvv),
            })
        })
        .collect();
    let holders: Vec<Value> = partner
        .holders
        .iter()
        .map(|(id, holder)| {
            json!({
                "holderId": id, "audit": holder.audit, "documents": holder.documents,
                "mobile": hidden(holder.data.mobile.as_str()), "email": hidden(holder.data.email.as_str()),
            })
        })
        .collect();
    let users: Vec<Value> = partner
        .users
        .iter()
        .map(|(id, user)| {
            let accounts: Vec<Value> = user
                .accounts
                .iter()
                .map(|iban| json!({"accountNum": hidden(iban), "balance": money(Place::Account(iban.clone()))}))
                .collect();
            json!({
                "userId": id, "state": user.state, "audit": user.audit, "standard": user.standard,
                "documents": user.documents, "mobile": hidden(&user.mobile), "accounts": accounts,
            })
        })
        .collect();
    let topups: Vec<Value> = partner
        .topups
        .iter()
        .map(|(order, topup)| {
            json!({
                "orderNo": topup.order_no(order), "cardId": topup.card, "amount": topup.amount.to_string(),
                "currency": topup.currency, "state": topup.state, "at": topup.at,
            })
        })
        .collect();
    let orders: Vec<Value> = partner
        .transfer_orders
        .iter()
        .map(|(order, it)| {
            json!({
                "orderNo": order, "state": it.state, "amount": it.amount.to_string(), "currency": it.currency,
                "userId": it.user, "transactionId": it.transaction, "files": it.files,
            })
        })
        .collect();
    json!({
        "funds": money(Place::Funds), "fees": money(Place::Fees),
        "callback": partner.callback(Sender::Baas), "issuingCallback": partner.callback(Sender::Issuing),
        "paybyCallback": partner.callback(Sender::Payby), "payermaxCallback": partner.callback(Sender::Payermax),
        "cards": cards, "holders": holders, "users": users, "topups": topups, "transferOrders": orders,
    })
}

pub(super) async fn log(Shared(core): Shared<Arc<Core>>, query: Query<After>) -> Json<Value> {
    let entries = core.log.after(after(query), |entry| serde_json::to_value(entry).unwrap_or_default());
    Json(json!({ "entries": entries }))
}

pub(super) async fn entry(Shared(core): Shared<Arc<Core>>, id: Path<String>) -> Answer {
    let entry = core.log.get(number(id)?).ok_or(Bad::unknown("entry"))?;
    let mut told = serde_json::to_value(&entry).unwrap_or_default();
    told["sent"] = serde_json::to_value(&entry.sent).unwrap_or_default();
    told["answered"] = serde_json::to_value(&entry.answered).unwrap_or_default();
    Ok(Json(told))
}

fn of_delivery(delivery: &Delivery) -> Value {
    let attempts: Vec<Value> = delivery
        .attempts
        .iter()
        .map(|(at, attempt)| {
            let mut shown = json!({"at": at, "status": attempt.status, "acknowledged": attempt.acknowledged});
            if let Some(reason) = &attempt.reason {
                shown["reason"] = reason.as_str().into();
            }
            shown
        })
        .collect();
    let url = delivery.url.as_deref().map(shown_url);
    json!({
        "id": delivery.id, "partner": delivery.partner, "what": delivery.source.name(), "url": url,
        "madeAt": delivery.made_at, "nextAt": delivery.next_at, "state": delivery.state, "attempts": attempts,
    })
}

pub(super) async fn deliveries(Shared(core): Shared<Arc<Core>>, query: Query<After>) -> Json<Value> {
    let id = after(query);
    let told = core.look(|world| {
        world.outbox.deliveries.iter().filter(|delivery| delivery.id > id).map(of_delivery).collect::<Vec<_>>()
    });
    Json(json!({ "deliveries": told }))
}

pub(super) async fn delivery(Shared(core): Shared<Arc<Core>>, id: Path<String>) -> Answer {
    let id = number(id)?;
    let told =
        core.look(|world| world.outbox.get(id).map(|delivery| (of_delivery(delivery), delivery.content.clone())));
    let (mut told, content) = told.ok_or(Bad::unknown("delivery"))?;
    told["content"] = content.into();
    told["wire"] = core.log.of_delivery(id).map(|entry| entry.sent.wire).into();
    Ok(Json(told))
}

/// Streams new log entries.
pub(super) async fn events(Shared(core): Shared<Arc<Core>>) -> Sse<impl Stream<Item = Result<Event, Infallible>>> {
    let listening = core.log.listen();
    let stream = futures_util::stream::unfold(listening, |mut listening| async move {
        use tokio::sync::broadcast::error::RecvError;

        let event = match listening.recv().await {
            Ok(entry) => Event::default().event("entry").data(entry),
            // The listener missed entries and must read the log again.
            Err(RecvError::Lagged(_)) => Event::default().event("lagged").data(""),
            Err(RecvError::Closed) => return None,
        };
        Some((Ok(event), listening))
    });
    Sse::new(stream).keep_alive(KeepAlive::default())
}
