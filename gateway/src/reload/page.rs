//! On the operators' address: `GET /v1/gateway/contracts` tells what is served from which contract and what was
//! refused, `POST /v1/gateway/contracts:reload` looks at files and upstreams at once.

use axum::{
    Json, Router,
    extract::State,
    response::{IntoResponse as _, Response},
    routing::{get, post},
};
use http::StatusCode;
use serde::Serialize;
use serde_json::{Value, json};
use tokio::sync::oneshot;

use super::{Handle, Outcome, status::Told};
use crate::routes::Served;

#[derive(Serialize)]
struct Page {
    #[serde(flatten)]
    told: Told,
    /// What waits for its contract.
    absent: Vec<String>,
    methods: Vec<Method>,
}

/// One method at one place.
#[derive(Serialize)]
struct Method {
    listener: &'static str,
    /// `package.Service/Method`.
    method: String,
    /// `GET /v1/items/{id}`.
    http: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    query: Vec<String>,
    #[serde(skip_serializing_if = "String::is_empty")]
    profile: String,
    upstream: Option<String>,
    guest: bool,
    /// Whether a request of this route changes nothing.
    safe: bool,
    /// Who says so: `gateway.toml`, `contract` or `HTTP method`.
    safe_by: String,
}

/// The pages of what is in force.
pub(crate) fn page(handle: Handle) -> Router {
    Router::new()
        .route("/v1/gateway/contracts", get(show))
        .route("/v1/gateway/contracts:reload", post(reload))
        .with_state(handle)
}

async fn show(State(handle): State<Handle>) -> Response {
    let routes = handle.contracts.routes();
    let absent = routes.absent.iter();
    Json(Page {
        told: handle.status.told(),
        absent: absent.map(|(_, absent)| absent.what.clone()).collect(),
        methods: routes.served.iter().map(Method::of).collect(),
    })
    .into_response()
}

async fn reload(State(handle): State<Handle>) -> Response {
    let (demand, outcome) = oneshot::channel();
    if handle.demands.try_send(demand).is_err() {
        let message = "others have asked for it already: try again";
        return error(StatusCode::SERVICE_UNAVAILABLE, "UNAVAILABLE", message);
    }
    match outcome.await {
        Ok(Outcome::Unchanged) => Json(json!({"result": "unchanged"})).into_response(),
        Ok(Outcome::Applied(version)) => {
            Json(json!({"result": "applied", "version": version})).into_response()
        }
        Ok(Outcome::Refused(reason)) => {
            error(StatusCode::BAD_REQUEST, "FAILED_PRECONDITION", &reason)
        }
        Err(_) => error(
            StatusCode::SERVICE_UNAVAILABLE,
            "UNAVAILABLE",
            "the gateway ends",
        ),
    }
}

fn error(http: StatusCode, status: &str, message: &str) -> Response {
    let body: Value =
        json!({"error": {"code": http.as_u16(), "status": status, "message": message}});
    (http, Json(body)).into_response()
}

impl Method {
    fn of(served: &Served) -> Method {
        let method = &served.method;
        let verb = served
            .rule
            .method
            .as_ref()
            .map_or("*", http::Method::as_str);
        Method {
            listener: served.listener.as_str(),
            method: format!("{}/{}", method.parent_service().full_name(), method.name()),
            http: format!("{verb} {}", served.rule.template),
            query: served.query.clone(),
            profile: served.profile.clone(),
            upstream: served.call().map(|call| call.upstream.clone()),
            guest: served.guest(),
            safe: served.is_safe(),
            safe_by: served.route.safety.to_string(),
        }
    }
}
