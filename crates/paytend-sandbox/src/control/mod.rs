//! The control interface under `/_sandbox`, a JSON API described by `openapi.json`.

mod guard;
mod page;
mod response;
mod show;

use std::net::SocketAddr;
use std::sync::Arc;

use axum::extract::{DefaultBodyLimit, Path, State as Shared};
use axum::response::{IntoResponse, Response};
use axum::routing::{any, get, post};
use axum::{Json, Router, middleware};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

use crate::failure::Refusal;
use crate::faults::{Fault, duration};
use crate::runtime::clock::Pace;
use crate::runtime::core::{Core, Lost};
use crate::world::money::Cents;
use crate::world::outbox::Sender;
use crate::world::time::{LONGEST, Millis};
use crate::world::trigger::{Trigger, kinds};
use crate::world::{Event, World};
use guard::Guard;
use response::{Answer, Bad, number};

/// The maximum size of a request body in bytes, large enough to import a large state.
const MOST: usize = 256 << 20;
/// The OpenAPI description of the interface.
const OPENAPI: &str = include_str!("openapi.json");

pub(crate) fn router(core: Arc<Core>, token: Option<String>, address: SocketAddr) -> Router {
    let guard = Arc::new(Guard::new(token, address));
    let guarded = Router::new()
        .route("/_sandbox", get(info))
        .route("/_sandbox/state", get(show::state))
        .route("/_sandbox/reset", post(reset))
        .route("/_sandbox/seed", post(seed))
        .route("/_sandbox/callback", post(callback))
        .route("/_sandbox/trigger", post(trigger))
        .route("/_sandbox/faults", get(faults).post(add_fault).delete(clear_faults))
        .route("/_sandbox/clock", get(clock).post(set_clock))
        .route("/_sandbox/clock/advance", post(advance))
        .route("/_sandbox/log", get(show::log))
        .route("/_sandbox/log/{id}", get(show::entry))
        .route("/_sandbox/deliveries", get(show::deliveries))
        .route("/_sandbox/deliveries/{id}", get(show::delivery))
        .route("/_sandbox/deliveries/{id}/resend", post(resend))
        .route("/_sandbox/events", get(show::events))
        .route("/_sandbox/keys", get(keys))
        .route("/_sandbox/keys/rotate", post(rotate))
        .route("/_sandbox/export", get(export))
        .route("/_sandbox/import", post(import))
        .route("/_sandbox/{*unknown}", any(|| async { Bad::unknown("command") }))
        .layer(DefaultBodyLimit::max(MOST))
        .layer(middleware::from_fn_with_state(guard, guard::check))
        .with_state(core);
    // The web page and the OpenAPI description contain no data, so they need no token.
    guarded.merge(page::router()).route(
        "/_sandbox/openapi.json",
        get(|| async { ([(http::header::CONTENT_TYPE, "application/json")], OPENAPI) }),
    )
}

fn read<'a, T: Deserialize<'a>>(body: &'a str) -> Result<T, Bad> {
    serde_json::from_str(if body.trim().is_empty() { "{}" } else { body }).map_err(Bad::request)
}

/// Returns `named` if the sandbox has a partner with this identifier, and the first partner's identifier if `named` is
/// `None`.
fn partner(core: &Core, named: Option<String>) -> Result<String, Bad> {
    core.look(|world| match named {
        Some(id) if world.partners.contains_key(&id) => Ok(id),
        Some(_) => Err(Bad::unknown("partner")),
        None => world.partners.keys().next().cloned().ok_or(Bad::unknown("partner")),
    })
}

/// Waits until no delivery is in flight, then replaces the sandbox's state.
async fn replace(core: &Core, event: impl FnOnce(Millis) -> Event) -> Answer {
    let driving = core.driving.lock().await;
    core.faults().clear();
    // The log is cleared, too, because its entries refer to deliveries that no longer exist.
    core.log.clear();
    let answer = core.happen(event).map_err(|lost| Bad(StatusCode::INTERNAL_SERVER_ERROR, lost.to_string()))?;
    drop(driving);
    core.wake.notify_one();
    answer.map(|_| Json(json!({}))).map_err(|refusal| Bad::request(refusal.message()))
}

/// Applies an event, then runs all tasks and deliveries that are due.
async fn happen(core: &Core, event: impl FnOnce(Millis) -> Event) -> Answer {
    let text = refused(core.happen(event))?;
    core.run_due(core.now()).await;
    core.wake.notify_one();
    Ok(Json(serde_json::from_str(if text.is_empty() { "{}" } else { &text }).unwrap_or_default()))
}

/// Returns the response to an event, or the error for a refused event.
fn refused(result: Result<Result<String, Refusal>, Lost>) -> Result<String, Bad> {
    let answer = result.map_err(|lost| Bad(StatusCode::INTERNAL_SERVER_ERROR, lost.to_string()))?;
    answer.map_err(|refusal| Bad(StatusCode::CONFLICT, format!("{} ({})", refusal.message(), refusal.failure.code())))
}

async fn info(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    let kinds: Vec<Value> = kinds()
        .map(|(product, notify_type, title)| json!({"product": product, "notifyType": notify_type, "title": title}))
        .collect();
    let operations: Vec<Value> = paytend_model::operations()
        .iter()
        .map(|entry| json!({"name": entry.info.name, "product": entry.info.product.as_str(), "path": entry.info.path}))
        .collect();
    let partners = core.look(|world| world.partners.keys().cloned().collect::<Vec<_>>());
    Json(json!({
        "version": env!("CARGO_PKG_VERSION"),
        "partners": partners,
        "notifications": kinds,
        "operations": operations,
    }))
}

async fn reset(Shared(core): Shared<Arc<Core>>) -> Answer {
    let (partners, settings) = core.look(|world| (world.partners.keys().cloned().collect(), world.settings.clone()));
    replace(&core, |at| Event::Begin { at, partners, settings }).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Seed {
    partner: Option<String>,
    /// The amount to add to the partner's funds.
    funds: Option<paytend_model::Amount>,
    currency: Option<String>,
    /// The callback URL for Issuing, which no operation can set.
    issuing_callback: Option<String>,
}

async fn seed(Shared(core): Shared<Arc<Core>>, body: String) -> Answer {
    let seed: Seed = read(&body)?;
    let partner = partner(&core, seed.partner)?;
    if let Some(url) = seed.issuing_callback {
        let (partner, trigger) = (partner.clone(), Trigger::Callback { sender: Sender::Issuing, url });
        drop(happen(&core, |at| Event::Triggered { at, partner, trigger }).await?);
    }
    if let Some(funds) = seed.funds {
        let cents = Cents::positive(&funds).map_err(|failure| Bad::request(failure.message()))?.0;
        let currency = seed.currency.unwrap_or_else(|| core.look(|world| world.settings.currency.clone()));
        let trigger = Trigger::Fund { cents, currency };
        drop(happen(&core, |at| Event::Triggered { at, partner, trigger }).await?);
    }
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewCallback {
    partner: Option<String>,
    /// The product or provider: `baas`, `issuing`, `payby` or `payermax`.
    product: Sender,
    url: String,
}

async fn callback(Shared(core): Shared<Arc<Core>>, body: String) -> Answer {
    let NewCallback { partner: named, product: sender, url } = read(&body)?;
    let partner = partner(&core, named)?;
    let trigger = Trigger::Callback { sender, url };
    drop(happen(&core, |at| Event::Triggered { at, partner, trigger }).await?);
    Ok(Json(json!({})))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Resend {
    /// The URL to post to. The default is the previous URL.
    url: Option<String>,
}

/// Posts a notification again, and returns its delivery after the attempt.
async fn resend(Shared(core): Shared<Arc<Core>>, id: Path<String>, body: String) -> Answer {
    let Resend { url } = read(&body)?;
    let delivery = number(Path(id.0.clone()))?;
    if core.look(|world| world.outbox.get(delivery).is_none()) {
        return Err(Bad::unknown("delivery"));
    }
    refused(core.resend(delivery, url).await)?;
    show::delivery(Shared(core), id).await
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    partner: Option<String>,
    /// The product or provider: `baas`, `issuing`, `payby` or `payermax`.
    product: String,
    notify_type: Option<String>,
    /// The URL to post to, for PayBy and PayerMax. The default is the callback URL.
    url: Option<String>,
    /// Fields that replace the generated fields. The JSON is kept exactly as written.
    content: Option<Box<serde_json::value::RawValue>>,
}

async fn trigger(Shared(core): Shared<Arc<Core>>, body: String) -> Answer {
    let wanted: Wanted = read(&body)?;
    let partner = partner(&core, wanted.partner)?;
    let content = wanted.content.map(|content| content.get().to_owned()).unwrap_or_default();
    let trigger = match wanted.product.as_str() {
        "payby" => Trigger::PayBy { url: wanted.url, content },
        "payermax" => Trigger::PayerMax { url: wanted.url, content },
        _ if wanted.url.is_some() => {
            return Err(Bad::request("`url` applies only to payby and payermax; set the callback URL instead"));
        }
        product => Trigger::Notification {
            product: product.to_owned(),
            notify_type: wanted.notify_type.ok_or(Bad::request("`notifyType` is missing"))?,
            content,
        },
    };
    happen(&core, |at| Event::Triggered { at, partner, trigger }).await
}

async fn faults(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    Json(json!({ "faults": core.faults().all() }))
}

async fn add_fault(Shared(core): Shared<Arc<Core>>, body: String) -> Answer {
    let fault: Fault = read(&body)?;
    core.faults().add(fault.checked().map_err(Bad::request)?);
    Ok(faults(Shared(core)).await)
}

async fn clear_faults(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    core.faults().clear();
    faults(Shared(core)).await
}

async fn clock(Shared(core): Shared<Arc<Core>>) -> Json<Value> {
    Json(json!({ "now": core.now(), "pace": core.clock().pace(), "nextDue": core.next_due() }))
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct NewPace {
    pace: Pace,
}

async fn set_clock(Shared(core): Shared<Arc<Core>>, body: String) -> Answer {
    let NewPace { pace } = read(&body)?;
    if pace == Pace::Accelerated(0) {
        return Err(Bad::request("the factor must not be 0; use `frozen` to stop time"));
    }
    core.set_clock(core.now(), pace);
    Ok(clock(Shared(core)).await)
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Advance {
    /// A duration such as `90s`, `15h`, `3d` or `1h 30m`.
    by: String,
}

async fn advance(Shared(core): Shared<Arc<Core>>, body: String) -> Answer {
    let Advance { by } = read(&body)?;
    let millis = duration(&by)
        .ok_or_else(|| Bad::request("invalid duration in `by`; examples: 90s, 15h, 3d, 1h30m"))?
        .try_into()
        .map_err(|_| Bad::request("`by` must not be negative; time only moves forward"))?;
    if millis > LONGEST {
        return Err(Bad::request("`by` must be at most ten years"));
    }
    core.advance(millis).await;
    Ok(clock(Shared(core)).await)
}

async fn keys(Shared(core): Shared<Arc<Core>>) -> Answer {
    let mut keys = core.keys();
    let paytend = base64(keys.paytend.public_key());
    let mut of = |name: &'static str| {
        let key = keys.provider(name).map_err(|error| Bad(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
        Ok::<_, Bad>(base64(key.public_key()))
    };
    let (payby, payermax) = (of("payby")?, of("payermax")?);
    Ok(Json(json!({ "paytend": paytend, "payby": payby, "payermax": payermax })))
}

fn base64(key: &paytend_crypto::PublicKey) -> String {
    key.to_spki_pem().lines().filter(|line| !line.starts_with('-')).collect()
}

async fn rotate(Shared(core): Shared<Arc<Core>>) -> Answer {
    let key = core.keys().rotate().map_err(|error| Bad(StatusCode::INTERNAL_SERVER_ERROR, error.to_string()))?;
    Ok(Json(json!({ "paytend": base64(&key) })))
}

async fn export(Shared(core): Shared<Arc<Core>>) -> Response {
    let text = core.look(serde_json::to_string).unwrap_or_default();
    ([(http::header::CONTENT_TYPE, "application/json")], text).into_response()
}

async fn import(Shared(core): Shared<Arc<Core>>, body: String) -> Answer {
    let world: World = serde_json::from_str(&body).map_err(Bad::request)?;
    if let Some(flaw) = world.flaw() {
        return Err(Bad::request(format!("invalid state: {flaw}")));
    }
    if core.look(|now| !now.partners.keys().eq(world.partners.keys())) {
        return Err(Bad::request("the imported state has different partners; use a sandbox with the same partner IDs"));
    }
    core.set_clock(core.now().max(world.now), core.clock().pace());
    replace(&core, |at| Event::Imported { at, world: body }).await
}
