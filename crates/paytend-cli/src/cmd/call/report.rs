//! Prints the result of `paytend call`.

use paytend_client::{Error, OrderState, Outcome, Response};
use paytend_model::Json;
use serde::Serialize;
use serde_json::value::RawValue;

use crate::exit::{Category, Failure};
use crate::output;

/// The result of a call. With `--json`, it is printed after both success and failure. Its members are part of the
/// interface for scripts; see `schemas/call.json`.
#[derive(Serialize)]
pub(super) struct Report {
    operation: String,
    request_id: Option<String>,
    outcome: &'static str,
    resp_code: Option<String>,
    resp_msg: Option<String>,
    data: Option<Box<RawValue>>,
    /// The state of the order; set only with `--resolve`.
    #[serde(skip_serializing_if = "Option::is_none")]
    state: Option<&'static str>,
}

impl Report {
    /// Creates the report for a call that succeeded.
    pub(super) fn success(operation: &str, response: &Response<Option<Json>>) -> Self {
        let field = |name: &str| response.opened().field(name).map(str::to_owned);
        let data = response.data().as_ref().and_then(|data| RawValue::from_string(data.as_str().to_owned()).ok());
        Self {
            operation: operation.to_owned(),
            request_id: Some(response.request_id().to_string()),
            outcome: "succeeded",
            resp_code: field("respCode"),
            resp_msg: field("respMsg"),
            data,
            state: None,
        }
    }

    /// Creates the report for an order that exists. Its outcome is a success unless the order has failed.
    pub(super) fn resolved(operation: &str, request_id: &str, data: &impl Serialize, state: &OrderState) -> Self {
        Self {
            operation: operation.to_owned(),
            request_id: Some(request_id.to_owned()),
            outcome: if *state == OrderState::Failed { "rejected" } else { "succeeded" },
            resp_code: None,
            resp_msg: None,
            data: serde_json::value::to_raw_value(data).ok(),
            state: Some(match state {
                OrderState::Processing => "processing",
                OrderState::Succeeded => "succeeded",
                OrderState::Failed => "failed",
                _ => "unknown",
            }),
        }
    }

    /// Creates the report for a failure.
    pub(super) fn failure(operation: &str, request_id: Option<String>, error: &Error) -> Self {
        Self {
            request_id: error.request_id().map(ToString::to_string).or(request_id),
            resp_code: error.api_code().map(str::to_owned),
            resp_msg: error.api_message().map(str::to_owned),
            ..Self::outcome(operation, error.outcome())
        }
    }

    /// Creates a report that contains only the outcome, for example for an interrupted call.
    pub(super) fn outcome(operation: &str, outcome: Outcome) -> Self {
        Self {
            operation: operation.to_owned(),
            request_id: None,
            outcome: match outcome {
                Outcome::NotSent => "not_sent",
                Outcome::Rejected => "rejected",
                _ => "unknown",
            },
            resp_code: None,
            resp_msg: None,
            data: None,
            state: None,
        }
    }

    /// Sets `resp_code` to `00`, the code for success.
    pub(super) fn with_success_code(self) -> Self {
        Self { resp_code: Some("00".to_owned()), ..self }
    }

    /// Returns a failure if the order exists and has failed.
    pub(super) fn check_state(&self) -> Result<(), Failure> {
        match self.state {
            Some("failed") => Err(Failure::new(Category::Rejected, "the order exists and has failed")),
            _ => Ok(()),
        }
    }

    /// Prints the whole report as JSON, or only the response data.
    pub(super) fn print(&self, json: bool) -> Result<(), Failure> {
        if json {
            return output::json(self);
        }
        if let Some(state) = self.state {
            output::note(format!("the order exists; its state is {state}"));
        }
        match &self.data {
            Some(data) => Ok(output::json_text(data.get())?),
            None => Ok(()),
        }
    }
}

/// Converts the error of a call to a failure that contains the API's message.
pub(super) fn failure(error: Error) -> Failure {
    // An error can contain a rejection although its outcome is unknown: the order was rejected, but the query could not
    // confirm this.
    let category = if error.outcome() == Outcome::Rejected { Category::Rejected } else { Category::OutcomeUnknown };
    match error.detail().filter(|_| error.is_authenticated()) {
        Some(detail) => Failure::new(category, format!("{error}: {detail}")),
        None => Failure::from(error),
    }
}
