//! Scenarios: files that contain a partner's steps and their expected results. Each scenario runs against a new sandbox
//! over real HTTP.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::body::Bytes;
use http::StatusCode;
use paytend_crypto::{Expected, Fields, Keyring, Kind, Outgoing, RequestId};
use paytend_model::{PayloadRule, operation};
use serde::Deserialize;
use serde_json::Value;
use tokio::net::TcpListener;

use crate::faults::Fault;
use crate::handle::DeliverError;
use crate::runtime::clock::Pace;
use crate::sandbox::Sandbox;
use crate::start_error::StartError;
use crate::world::settings::Timing;

/// The scenarios shipped with this crate: name and TOML source.
pub const SHIPPED: [(&str, &str); 6] = [
    ("open-account", include_str!("../scenarios/open-account.toml")),
    ("corporation", include_str!("../scenarios/corporation.toml")),
    ("issue-card", include_str!("../scenarios/issue-card.toml")),
    ("topup-lost-response", include_str!("../scenarios/topup-lost-response.toml")),
    ("replace-card", include_str!("../scenarios/replace-card.toml")),
    ("out-of-order", include_str!("../scenarios/out-of-order.toml")),
];

/// 2026-01-05, 12:00 UTC, the start time of every scenario. Time is frozen and passes only in `advance` steps.
const BEGIN: u64 = 1_767_614_400_000;

/// A sequence of steps with expected results.
///
/// # Examples
///
/// ```no_run
/// use paytend_sandbox::scenario::{SHIPPED, Scenario};
///
/// # async fn example() -> Result<(), paytend_sandbox::scenario::ScenarioError> {
/// for (name, text) in SHIPPED {
///     Scenario::read(text)?.run(|step| println!("{name}: {step}")).await?;
/// }
/// # Ok(())
/// # }
/// ```
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
#[non_exhaustive]
pub struct Scenario {
    /// The title of the scenario.
    pub name: String,
    /// The durations of asynchronous processes, such as audits and topups.
    #[serde(default = "Timing::realistic")]
    timing: Timing,
    step: Vec<Step>,
}

/// A step of a scenario. A step performs an action, checks expected values, or both.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Step {
    /// A description, which is part of the output.
    #[serde(default)]
    say: Option<String>,
    /// The operation to call, by name or path.
    call: Option<String>,
    /// The request's data.
    #[serde(default)]
    data: Option<Value>,
    /// The HTTP statuses of the partner's next responses to notifications. All later responses have status 200.
    respond: Option<Vec<u16>>,
    /// A notification to trigger.
    trigger: Option<Wanted>,
    /// A fault to add, in the syntax of `paytend sandbox --fault`.
    fault: Option<String>,
    /// The duration by which the clock is advanced, such as `15h`.
    advance: Option<String>,
    /// The expected name of the next notification, such as `baas 2`; `none` if no notification is expected.
    notified: Option<String>,
    /// The identifier of a card whose balance and state are checked.
    card: Option<String>,
    /// Whether the partner's funds are checked.
    #[serde(default)]
    funds: bool,
    /// The expected values by dotted path, such as `respCode`, `data.cards.0.cardId` or `lost`.
    #[serde(default)]
    expect: BTreeMap<String, Value>,
    /// The values to save, as a map from a name to the dotted path of the value. Later steps refer to the value as
    /// `${name}`.
    #[serde(default)]
    save: BTreeMap<String, String>,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
struct Wanted {
    product: String,
    notify_type: String,
    #[serde(default)]
    content: Option<Value>,
}

/// The error returned if a scenario is invalid or fails.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum ScenarioError {
    /// The file is not a valid scenario.
    #[error("invalid scenario: {0}")]
    Text(String),
    /// The sandbox cannot be started.
    #[error(transparent)]
    Start(#[from] StartError),
    /// A step failed.
    #[error("step {number} ({step}): {problem}")]
    Step {
        /// The step number, starting at 1.
        number: usize,
        /// A description of the step.
        step: String,
        /// The reason for the failure.
        problem: String,
    },
}

/// The partner's receiver: its configured responses and the received notifications.
#[derive(Default)]
struct Hook {
    statuses: Vec<u16>,
    came: Vec<(String, Value)>,
    looked_at: usize,
}

struct Story {
    sandbox: Sandbox,
    keyring: Keyring,
    http: reqwest::Client,
    hook: Arc<Mutex<Hook>>,
    saved: BTreeMap<String, String>,
}

type Outcome = Result<Value, String>;

impl Scenario {
    /// Reads a scenario from TOML.
    ///
    /// # Errors
    /// Returns [`ScenarioError::Text`] if `text` is not valid TOML or not a valid scenario.
    pub fn read(text: &str) -> Result<Self, ScenarioError> {
        toml::from_str(text).map_err(|error| ScenarioError::Text(error.to_string()))
    }

    /// Runs the scenario against a new sandbox. The callback receives the title of each step that succeeded.
    ///
    /// # Errors
    /// Returns [`ScenarioError::Start`] if the sandbox cannot be started.
    ///
    /// Returns [`ScenarioError::Step`] for the first step that fails, or if money was created or lost during the
    /// scenario.
    pub async fn run(&self, mut told: impl FnMut(&str)) -> Result<(), ScenarioError> {
        let mut story = Story::begin(self.timing.clone()).await?;
        for (at, step) in self.step.iter().enumerate() {
            let title = step.title();
            story.step(step).await.map_err(|problem| ScenarioError::Step {
                number: at + 1,
                step: title.clone(),
                problem,
            })?;
            told(&title);
        }
        if story.sandbox.conserves_money() {
            return Ok(());
        }
        let (step, problem) = ("the end".to_owned(), "money was created or lost".to_owned());
        Err(ScenarioError::Step { number: self.step.len(), step, problem })
    }
}

impl Step {
    fn title(&self) -> String {
        let did = [
            self.call.as_ref().map(|name| format!("call {name}")),
            self.respond.as_ref().map(|all| format!("respond with {all:?}")),
            self.trigger.as_ref().map(|it| format!("trigger {} {}", it.product, it.notify_type)),
            self.fault.as_ref().map(|fault| format!("fault {fault}")),
            self.advance.as_ref().map(|by| format!("advance {by}")),
            self.notified.as_ref().map(|what| format!("expect notification {what}")),
            self.card.as_ref().map(|_| "check a card".to_owned()),
            self.funds.then(|| "check the funds".to_owned()),
        ];
        let did = did.into_iter().flatten().collect::<Vec<_>>().join(", ");
        self.say.as_ref().map_or(did.clone(), |say| format!("{say} ({did})"))
    }
}

impl fmt::Debug for Story {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Story").finish_non_exhaustive()
    }
}

impl Story {
    async fn begin(timing: Timing) -> Result<Self, ScenarioError> {
        let sandbox = Sandbox::builder().timing(timing).pace(Pace::Frozen).at(BEGIN).start().await?;
        let keyring = sandbox.partner_keyring().ok_or(StartError::Write)?;
        let http =
            reqwest::Client::builder().no_proxy().timeout(Duration::from_secs(5)).build().map_err(StartError::Http)?;
        let hook = Arc::new(Mutex::new(Hook::default()));
        let mut story = Self { sandbox, keyring, http, hook, saved: BTreeMap::new() };
        let url = story.listen().await?;
        // No operation sets the callback URL for Issuing, so it is set here. A step of the scenario sets the URL for
        // BaaS.
        story.sandbox.issuing_callback(&format!("{url}/issuing")).map_err(|_| StartError::Write)?;
        story.saved.insert("hook".into(), url);
        Ok(story)
    }

    /// Starts the partner's receiver and returns its URL.
    async fn listen(&self) -> Result<String, StartError> {
        let address = ([127, 0, 0, 1], 0).into();
        let failed = |source| StartError::Listen { address, source };
        let listener = TcpListener::bind(address).await.map_err(failed)?;
        let url = format!("http://{}/notifications", listener.local_addr().map_err(failed)?);
        let (hook, keyring, partner) =
            (Arc::clone(&self.hook), self.keyring.clone(), self.sandbox.partner_id().to_owned());
        let app = axum::Router::new().fallback(move |uri: http::Uri, body: Bytes| {
            let product = if uri.path().ends_with("/issuing") { "issuing" } else { "baas" };
            let status = took(&hook, &keyring, &partner, product, &body);
            async move { (status, r#"{"msg":"ok","status":"00"}"#) }
        });
        tokio::spawn(async move { axum::serve(listener, app).await });
        Ok(url)
    }

    fn hook(&self) -> std::sync::MutexGuard<'_, Hook> {
        self.hook.lock().unwrap_or_else(PoisonError::into_inner)
    }

    async fn step(&mut self, step: &Step) -> Result<(), String> {
        let mut seen = Value::Null;
        if step.title().is_empty() {
            return Err("the step does nothing; add an action such as `call` or `advance`".into());
        }
        if let Some(name) = &step.call {
            seen = self.call(name, step.data.as_ref()).await?;
            // A call must succeed unless the step expects a `respCode` or `lost`.
            let said = step.expect.keys().any(|path| path == "respCode" || path == "lost");
            if !said && seen["respCode"] != "00" {
                return Err(format!("expected respCode 00; found {}", written(&seen["respCode"])));
            }
        }
        if let Some(statuses) = &step.respond {
            if statuses.iter().any(|status| !(200..600).contains(status)) {
                return Err("`respond` must contain only HTTP statuses from 200 to 599".into());
            }
            self.hook().statuses.clone_from(statuses);
        }
        if let Some(wanted) = &step.trigger {
            let content = wanted.content.as_ref().map(|content| self.filled(content)).transpose()?;
            let content = content.map_or_else(|| "{}".to_owned(), |content| content.to_string());
            // A missing callback URL is not an error; a later step can check that nothing was delivered.
            let product = match wanted.product.as_str() {
                "baas" => paytend_model::Product::Baas,
                "issuing" => paytend_model::Product::Issuing,
                other => return Err(format!("unknown product `{other}`; use `baas` or `issuing`")),
            };
            match self.sandbox.notify(product, &wanted.notify_type, &content).await {
                Ok(_) | Err(DeliverError::NoCallbackUrl) => {}
                Err(error) => return Err(error.to_string()),
            }
        }
        if let Some(fault) = &step.fault {
            let fault = fault.parse::<Fault>().map_err(|error| error.to_string())?;
            self.sandbox.fault(fault).map_err(|error| error.to_string())?;
        }
        if let Some(by) = &step.advance {
            let by: jiff::SignedDuration =
                by.parse().map_err(|_| format!("invalid duration {by}; examples: 90s, 15h"))?;
            self.sandbox.advance(Duration::try_from(by).map_err(|_| "the duration must not be negative")?).await;
        }
        if let Some(what) = &step.notified {
            seen = self.notified(what).await?;
        }
        if let Some(card) = &step.card {
            let id = self.text(card)?;
            let card = self.sandbox.card(&id).ok_or_else(|| format!("unknown card {id}"))?;
            seen = serde_json::json!({ "balance": card.balance().to_string(), "state": card.state() });
        }
        if step.funds {
            seen = serde_json::json!({ "EUR": self.sandbox.funds("EUR").to_string() });
        }
        for (path, wanted) in &step.expect {
            let wanted = written(&self.filled(wanted)?);
            let found = at(&seen, path).map(written);
            if found.as_deref() != Some(wanted.as_str()) {
                let found = found.unwrap_or_else(|| "nothing".into());
                return Err(format!("expected {path} to be {wanted}; found {found}"));
            }
        }
        for (name, path) in &step.save {
            let value = at(&seen, path).ok_or_else(|| format!("cannot save {path}: no such value"))?;
            self.saved.insert(name.clone(), written(value));
        }
        Ok(())
    }

    /// Calls an operation and returns `respCode`, `respMsg` and `data`. Sets `lost` if there was no authentic response.
    async fn call(&self, name: &str, data: Option<&Value>) -> Outcome {
        let info = operation(name).map_err(|error| error.to_string())?.info;
        let data = data.map(|data| self.filled(data)).transpose()?.map_or_else(String::new, |data| data.to_string());
        let request_id = RequestId::generate().map_err(|error| error.to_string())?;
        let fields = Fields::request(self.sandbox.partner_id(), &request_id);
        let mut outgoing = Outgoing::new(&fields).payload(&data);
        if info.payload == PayloadRule::Unsigned {
            outgoing = outgoing.unsigned_payload();
        }
        let sealed = self.keyring.seal(&outgoing).map_err(|error| error.to_string())?;
        let url = format!("{}{}", self.sandbox.url(), info.path);
        let lost = || Ok(serde_json::json!({ "lost": true }));
        let Ok(answer) = self.http.post(url).body(sealed.into_document()).send().await else { return lost() };
        let Ok(body) = answer.bytes().await else { return lost() };
        let Ok(opened) = self.keyring.open(&body, &Expected::response()) else { return lost() };
        let data: Value = serde_json::from_slice(opened.payload_bytes()).unwrap_or_default();
        let text = |name: &str| opened.field(name).unwrap_or_default().to_owned();
        Ok(serde_json::json!({ "respCode": text("respCode"), "respMsg": text("respMsg"), "data": data, "lost": false }))
    }

    /// Returns the content of the next received notification that no step has checked yet.
    async fn notified(&self, what: &str) -> Outcome {
        // Wait for deliveries that are due now or in flight.
        self.sandbox.advance(Duration::ZERO).await;
        let mut hook = self.hook();
        let next = hook.came.get(hook.looked_at).cloned();
        match next {
            None if what == "none" => Ok(Value::Null),
            None => Err("no notification was received".into()),
            Some((found, _)) if found != what => Err(format!("received {found} instead")),
            Some((_, content)) => {
                hook.looked_at += 1;
                Ok(content)
            }
        }
    }

    fn text(&self, text: &str) -> Result<String, String> {
        let mut rest = text;
        let mut out = String::new();
        while let Some((before, after)) = rest.split_once("${") {
            let (name, after) = after.split_once('}').ok_or("`${` has no closing `}`; write ${name}")?;
            out.push_str(before);
            out.push_str(self.saved.get(name).ok_or_else(|| format!("no value is saved as {name}"))?);
            rest = after;
        }
        Ok(out + rest)
    }

    fn filled(&self, value: &Value) -> Result<Value, String> {
        Ok(match value {
            Value::String(text) => self.text(text)?.into(),
            Value::Array(all) => all.iter().map(|one| self.filled(one)).collect::<Result<_, _>>()?,
            Value::Object(all) => Value::Object(
                all.iter()
                    .map(|(name, value)| Ok((name.clone(), self.filled(value)?)))
                    .collect::<Result<_, String>>()?,
            ),
            other => other.clone(),
        })
    }
}

/// Handles a notification and returns the status that the scenario configured.
fn took(hook: &Mutex<Hook>, keyring: &Keyring, partner: &str, product: &str, body: &[u8]) -> StatusCode {
    let Ok(opened) = keyring.open(body, &Expected::notification(partner)) else { return StatusCode::BAD_REQUEST };
    let notify_type = opened.field("notifyType").unwrap_or_default();
    let content: Value = serde_json::from_slice(opened.payload_bytes()).unwrap_or_default();
    let what = format!("{product} {notify_type}");
    let mut hook = hook.lock().unwrap_or_else(PoisonError::into_inner);
    let status = if hook.statuses.is_empty() { 200 } else { hook.statuses.remove(0) };
    if status == 200 {
        hook.came.push((what, content));
    }
    debug_assert_eq!(opened.kind(), Kind::Notification);
    StatusCode::from_u16(status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR)
}

fn at<'a>(value: &'a Value, path: &str) -> Option<&'a Value> {
    path.split('.').try_fold(value, |value, name| match value {
        Value::Array(all) => all.get(name.parse::<usize>().ok()?),
        other => other.get(name),
    })
}

/// Returns a string without quotes and any other value as JSON.
fn written(value: &Value) -> String {
    value.as_str().map_or_else(|| value.to_string(), str::to_owned)
}
