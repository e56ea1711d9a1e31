//! Responses from the control interface, and the parameters shared by several commands.

use axum::Json;
use axum::extract::{Path, Query};
use axum::response::{IntoResponse, Response};
use http::StatusCode;
use serde::Deserialize;
use serde_json::{Value, json};

/// An error response: status and message.
pub(super) struct Bad(pub(super) StatusCode, pub(super) String);

impl Bad {
    pub(super) fn request(message: impl std::fmt::Display) -> Self {
        Self(StatusCode::BAD_REQUEST, message.to_string())
    }

    pub(super) fn unknown(what: &str) -> Self {
        Self(StatusCode::NOT_FOUND, format!("unknown {what}"))
    }
}

impl IntoResponse for Bad {
    fn into_response(self) -> Response {
        (self.0, Json(json!({ "error": self.1 }))).into_response()
    }
}

/// The result of a command: the JSON to return, or an error response.
pub(super) type Answer = Result<Json<Value>, Bad>;

/// Parses the ID of an entry or a delivery in the path.
pub(super) fn number(Path(id): Path<String>) -> Result<u64, Bad> {
    id.parse().map_err(|_| Bad::unknown("ID"))
}

/// The query parameters of a list. `after` is the ID of the last entry that the client has.
#[derive(Deserialize)]
pub(super) struct After {
    after: Option<u64>,
}

/// Returns the `after` query parameter, or 0.
pub(super) fn after(Query(query): Query<After>) -> u64 {
    query.after.unwrap_or_default()
}
