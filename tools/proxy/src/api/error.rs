//! Answers of the API: errors, and JSON.

use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Response};
use enjamb_faults::FaultError;
use serde_json::{Value, json};

use crate::routes::RouteError;

/// An answer that reports an error, as Toxiproxy does.
pub(super) struct ApiError {
    status: StatusCode,
    text: String,
}

impl ApiError {
    pub(super) fn new(status: StatusCode, text: impl Into<String>) -> Self {
        Self { status, text: text.into() }
    }

    pub(super) fn bad(text: impl Into<String>) -> Self {
        Self::new(StatusCode::BAD_REQUEST, text)
    }
}

impl IntoResponse for ApiError {
    fn into_response(self) -> Response {
        let Self { status, text } = self;
        answer(status, &json!({ "error": text, "status": status.as_u16() }))
    }
}

impl From<RouteError> for ApiError {
    fn from(error: RouteError) -> Self {
        let status = match &error {
            RouteError::NotFound | RouteError::NoFault => StatusCode::NOT_FOUND,
            RouteError::Exists => StatusCode::CONFLICT,
            RouteError::Fault(FaultError::Exists(_)) => {
                return Self::new(StatusCode::CONFLICT, "toxic already exists");
            }
            RouteError::Fault(_) => StatusCode::BAD_REQUEST,
            RouteError::Stopping | RouteError::TooMany => StatusCode::SERVICE_UNAVAILABLE,
            RouteError::Start(error) if error.is_wrong_usage() => StatusCode::BAD_REQUEST,
            RouteError::Start(_) => StatusCode::INTERNAL_SERVER_ERROR,
        };
        Self::new(status, error.to_string())
    }
}

/// Returns an answer in JSON.
pub(super) fn answer(status: StatusCode, value: &Value) -> Response {
    (status, [(header::CONTENT_TYPE, "application/json")], format!("{value}\n")).into_response()
}
