//! The HTTP API: metrics and health, and the routes and faults of a running proxy.
//!
//! Paths, fields, units and status codes are those of
//! [Toxiproxy](https://github.com/Shopify/toxiproxy#http-api), so that its clients work unchanged:
//! a route is a *proxy* there, a fault a *toxic*, the bytes of the client are the *upstream* and
//! those of the server the *downstream*. A proxy may also have a `protocol`, and be made together
//! with its `toxics`.

mod body;
mod connections;
mod error;

use std::sync::Arc;

use axum::Router;
use axum::body::Bytes;
use axum::extract::{Path, Request, State};
use axum::http::{HeaderMap, StatusCode, header};
use axum::middleware::{self, Next};
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use enjamb_net::Stop;
use serde_json::{Map, Value, json};
use tokio::net::TcpListener;

use self::body::{ProxyBody, ToxicBody, fault_json, route_json};
use self::connections::Limited;
use self::error::{ApiError, answer};
use crate::metrics::{self, Counts};
use crate::routes::{RouteError, RouteView, Routes};

/// The version of Toxiproxy whose API this is.
const TOXIPROXY_VERSION: &str = "2.12.0";

/// The state that all requests share.
pub(crate) struct Api {
    pub(crate) routes: Arc<Routes>,
    pub(crate) count: Box<dyn Fn() -> Counts + Send + Sync>,
    pub(crate) stop: Stop,
}

/// Answers requests until it is dropped. Without `changes`, only the pages `/metrics` and `/health`
/// are served.
pub(crate) async fn serve(listener: TcpListener, api: Arc<Api>, changes: bool) {
    let mut router = Router::new().route("/metrics", get(metrics)).route("/health", get(health));
    if changes {
        router = router
            .route("/version", get(version))
            .route("/proxies", get(list).post(create))
            .route("/populate", post(populate))
            .route("/reset", post(reset))
            .route("/proxies/{proxy}", get(show).post(update).patch(update).delete(remove))
            .route("/proxies/{proxy}/toxics", get(list_toxics).post(create_toxic))
            .route(
                "/proxies/{proxy}/toxics/{toxic}",
                get(show_toxic).post(update_toxic).patch(update_toxic).delete(remove_toxic),
            );
    }
    let router = router.fallback(nowhere).layer(middleware::from_fn(refuse_browsers)).with_state(api);
    // It never returns.
    let _ = axum::serve(Limited::new(listener), router).await;
}

type Answer = Result<Response, ApiError>;

fn parse(body: &Bytes) -> Result<Value, ApiError> {
    serde_json::from_slice(body).map_err(|error| ApiError::bad(format!("bad request body: {error}")))
}

/// Refuses requests that a web page makes a browser send, as Toxiproxy does: a page must not change
/// the proxy of its reader.
async fn refuse_browsers(headers: HeaderMap, request: Request, next: Next) -> Response {
    let is_reading = request.method().is_safe();
    let agent = headers.get(header::USER_AGENT).and_then(|agent| agent.to_str().ok()).unwrap_or_default();
    let is_from_page = agent.starts_with("Mozilla/") || headers.contains_key(header::ORIGIN);
    if is_from_page && !is_reading {
        return ApiError::new(StatusCode::FORBIDDEN, "User agent not allowed").into_response();
    }
    next.run(request).await
}

async fn nowhere() -> ApiError {
    ApiError::new(StatusCode::NOT_FOUND, "there is no such page; the pages are /proxies, /metrics and /health")
}

async fn metrics(State(api): State<Arc<Api>>) -> Response {
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4")], metrics::page(&(api.count)())).into_response()
}

async fn health(State(api): State<Arc<Api>>) -> Response {
    let (status, text) =
        if api.stop.is_stopping() { (StatusCode::SERVICE_UNAVAILABLE, "stopping\n") } else { (StatusCode::OK, "ok\n") };
    (status, [(header::CONTENT_TYPE, "text/plain")], text).into_response()
}

async fn version() -> Response {
    answer(StatusCode::OK, &json!({ "version": TOXIPROXY_VERSION, "enjamb": env!("CARGO_PKG_VERSION") }))
}

async fn list(State(api): State<Arc<Api>>) -> Response {
    let routes = api.routes.list().await;
    let all: Map<_, _> = routes.iter().map(|route| (route.name.clone(), route_json(route))).collect();
    answer(StatusCode::OK, &Value::Object(all))
}

async fn create(State(api): State<Arc<Api>>, body: Bytes) -> Answer {
    let route = ProxyBody::parse(parse(&body)?)?.into_route(api.routes.registry(), "")?;
    let view = api.routes.create(route).await?;
    Ok(answer(StatusCode::CREATED, &route_json(&view)))
}

async fn populate(State(api): State<Arc<Api>>, body: Bytes) -> Answer {
    let Value::Array(bodies) = parse(&body)? else {
        return Err(ApiError::bad("bad request body: a list of proxies is expected"));
    };
    let mut routes = Vec::with_capacity(bodies.len());
    // All are checked before one is made.
    for (at, body) in bodies.into_iter().enumerate() {
        let place = format!(" at proxy {}", at + 1);
        routes.push(ProxyBody::parse(body)?.into_route(api.routes.registry(), &place)?);
    }
    let mut views: Vec<RouteView> = Vec::with_capacity(routes.len());
    for route in routes {
        views.push(api.routes.populate(route).await?);
    }
    let proxies: Vec<_> = views.iter().map(route_json).collect();
    Ok(answer(StatusCode::CREATED, &json!({ "proxies": proxies })))
}

async fn reset(State(api): State<Arc<Api>>) -> Answer {
    api.routes.reset().await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn show(State(api): State<Arc<Api>>, Path(proxy): Path<String>) -> Answer {
    let (view, _) = api.routes.get(&proxy).await?;
    Ok(answer(StatusCode::OK, &route_json(&view)))
}

async fn update(State(api): State<Arc<Api>>, Path(proxy): Path<String>, body: Bytes) -> Answer {
    let change = ProxyBody::parse(parse(&body)?)?.into_change()?;
    let view = api.routes.update(&proxy, change).await?;
    Ok(answer(StatusCode::OK, &route_json(&view)))
}

async fn remove(State(api): State<Arc<Api>>, Path(proxy): Path<String>) -> Answer {
    api.routes.remove(&proxy).await?;
    Ok(StatusCode::NO_CONTENT.into_response())
}

async fn list_toxics(State(api): State<Arc<Api>>, Path(proxy): Path<String>) -> Answer {
    let (view, _) = api.routes.get(&proxy).await?;
    Ok(answer(StatusCode::OK, &view.faults.iter().map(fault_json).collect()))
}

async fn create_toxic(State(api): State<Arc<Api>>, Path(proxy): Path<String>, body: Bytes) -> Answer {
    let (_, plan) = api.routes.get(&proxy).await?;
    let fault = ToxicBody::parse(parse(&body)?)?.into_fault()?;
    plan.add(fault.clone()).map_err(RouteError::from)?;
    Ok(answer(StatusCode::OK, &fault_json(&fault)))
}

async fn show_toxic(State(api): State<Arc<Api>>, Path((proxy, toxic)): Path<(String, String)>) -> Answer {
    let (_, plan) = api.routes.get(&proxy).await?;
    let fault = plan.get(&toxic).ok_or(RouteError::NoFault)?;
    Ok(answer(StatusCode::OK, &fault_json(&fault)))
}

async fn update_toxic(
    State(api): State<Arc<Api>>,
    Path((proxy, toxic)): Path<(String, String)>,
    body: Bytes,
) -> Answer {
    let (_, plan) = api.routes.get(&proxy).await?;
    let old = plan.get(&toxic).ok_or(RouteError::NoFault)?;
    let fault = ToxicBody::parse(parse(&body)?)?.into_changed(old)?;
    plan.replace(fault.clone()).map_err(RouteError::from)?;
    Ok(answer(StatusCode::OK, &fault_json(&fault)))
}

async fn remove_toxic(State(api): State<Arc<Api>>, Path((proxy, toxic)): Path<(String, String)>) -> Answer {
    let (_, plan) = api.routes.get(&proxy).await?;
    if !plan.remove(&toxic) {
        return Err(RouteError::NoFault.into());
    }
    Ok(StatusCode::NO_CONTENT.into_response())
}
