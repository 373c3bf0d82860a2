//! The way of a request through one listener, from its header to its answer.
//!
//! Each step may end it, and whatever ends it is told in the shape of the surface that the path belongs to. The order
//! is by cost and by right: refuse what there is no room for before looking at it, know who and what before deciding,
//! decide before reading a body.

mod answer;
mod grpc;
mod split;

use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use axum::{Router, body::Body};
use banyan_mesh::readiness::Readiness;
use banyan_transcode::{Captures, Lookup};
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Version, header::CONNECTION, request::Parts,
};
use tokio::sync::Semaphore;
use tower::ServiceExt as _;

use self::answer::{options, without_body};
use crate::{
    access_log::Record,
    body::BodyLimits,
    config::{ListenerConfig, ListenerName},
    context::{Context, Peer, REQUEST_ID},
    contracts::Contracts,
    grpc as calls,
    metrics::{Counts, Metrics},
    ops::Guard,
    profile::Profile,
    refusal::Refusal,
    rollouts::Rollouts,
    routes::{Absent, Action, Route, Routes},
    tokens::{Presented, Tokens},
    transcoded::Caller,
};

/// One listener's pipeline.
pub(crate) struct Edge {
    listener: ListenerName,
    limits: Limits,
    contracts: Contracts,
    rollouts: Rollouts,
    /// Where the operators' own token does not stand in their place.
    tokens: Option<Tokens>,
    metrics: Metrics,
    /// Counts what matches no route.
    none: Arc<Counts>,
    readiness: Readiness,
    /// Only on the ops listener.
    operators: Option<Operators>,
}

/// What every listener limits.
pub(crate) struct Limits {
    concurrency: Arc<Semaphore>,
    body: BodyLimits,
    trust_forwarded: bool,
}

/// Marks the answer of the process's pages to a path that is none of theirs.
#[derive(Clone, Copy)]
pub(crate) struct NoPage;

/// What the ops listener has beside routes: who may use it, and the process's own pages.
pub(crate) struct Operators {
    pub(crate) guard: Guard,
    pub(crate) pages: Router,
}

/// What all listeners share.
#[derive(Clone)]
pub(crate) struct Shared {
    pub(crate) contracts: Contracts,
    pub(crate) rollouts: Rollouts,
    pub(crate) tokens: Option<Tokens>,
    pub(crate) metrics: Metrics,
    pub(crate) readiness: Readiness,
}

impl Limits {
    pub(crate) fn new(config: &ListenerConfig) -> Limits {
        Limits {
            concurrency: Arc::new(Semaphore::new(config.concurrency_max)),
            body: BodyLimits {
                bytes_max: Some(config.body_bytes_max),
                idle: Duration::from_millis(config.body_idle_timeout_ms),
            },
            trust_forwarded: config.trust_forwarded,
        }
    }
}

impl Edge {
    pub(crate) fn new(
        listener: ListenerName,
        limits: Limits,
        shared: Shared,
        operators: Option<Operators>,
    ) -> Edge {
        let Shared {
            contracts,
            rollouts,
            tokens,
            metrics,
            readiness,
        } = shared;
        Edge {
            listener,
            limits,
            contracts,
            rollouts,
            tokens: tokens.filter(|_| operators.is_none()),
            metrics,
            none: Counts::new(listener.as_str(), "none"),
            readiness,
            operators,
        }
    }

    /// Answers a request, whatever it is.
    pub(crate) async fn handle(&self, request: Request<Body>, peer: &Peer) -> Response<Body> {
        // Probes are neither logged nor shed: a busy process is alive.
        if let Some(pages) = self.probes(&request) {
            return Box::pin(page(pages, request)).await;
        }
        // What this request begins with it keeps to its end, whatever is loaded meanwhile.
        let routes = self.contracts.routes();
        let (parts, body) = request.into_parts();
        let (version, is_head) = (parts.version, parts.method == Method::HEAD);
        let authority = parts.uri.authority().map(|authority| authority.as_str());
        let context = Context::of(&parts.headers, authority, peer, self.limits.trust_forwarded);
        let mut record = Record::begin(
            self.listener.as_str(),
            parts.method.clone(),
            &context,
            self.metrics.clone(),
            &self.none,
        );

        // Shed before anything is parsed: rejecting is cheaper than working, and a queue would only be late.
        let Ok(permit) = Arc::clone(&self.limits.concurrency).try_acquire_owned() else {
            let response = self.refuse(
                routes.surfaces.of(parts.uri.path()),
                Refusal::overloaded(),
                &context,
                &mut record,
            );
            let response = self.finished(response, version, &context, &mut record);
            return record.answered(response, None);
        };
        let mut response = self
            .route(&routes, parts, body, &context, &mut record)
            .await;
        if is_head {
            response = without_body(response);
        }
        let response = self.finished(response, version, &context, &mut record);
        record.answered(response, Some(permit))
    }

    /// What every answer has. At the end of the process clients of HTTP/1 are told to connect anew, elsewhere: a
    /// connection that is closed unannounced may lose the request that is just coming. So are those whose upload was
    /// refused, since nobody reads the rest of it (RFC 9110, 15.5.9 and 15.5.14). HTTP/2 has GOAWAY.
    fn finished(
        &self,
        mut response: Response<Body>,
        version: Version,
        context: &Context,
        record: &mut Record,
    ) -> Response<Body> {
        if let Some(dialect) = context.grpc {
            (response, record.outcome) = calls::finished(response, dialect);
        }
        let is_unread = matches!(
            response.status(),
            StatusCode::PAYLOAD_TOO_LARGE
                | StatusCode::REQUEST_TIMEOUT
                | StatusCode::UNSUPPORTED_MEDIA_TYPE
        );
        let headers = response.headers_mut();
        headers.insert(REQUEST_ID, context.request_id.clone());
        if version < Version::HTTP_2 && (is_unread || self.readiness.is_draining()) {
            headers.insert(CONNECTION, HeaderValue::from_static("close"));
        }
        response
    }

    fn probes(&self, request: &Request<Body>) -> Option<Router> {
        let operators = self.operators.as_ref()?;
        Guard::is_open(request.uri().path()).then(|| operators.pages.clone())
    }

    /// Finds the route, or says why there is none.
    async fn route(
        &self,
        routes: &Routes,
        parts: Parts,
        body: Body,
        context: &Context,
        record: &mut Record,
    ) -> Response<Body> {
        let path = parts.uri.path();
        // The operators' address is for operators' own browsers and tools, whatever route they ask for.
        if let Some(operators) = &self.operators
            && let Err(refusal) = operators
                .guard
                .check_site(&parts.headers, context.host.as_ref())
        {
            return self.refuse(routes.surfaces.of(path), refusal, context, record);
        }
        if let Some(call) = self.call(routes, &parts, context) {
            return self
                .answer_call(call, routes, parts, body, context, record)
                .await;
        }
        let table = routes.table(self.listener);
        let found = table.find(&parts.method, path, parts.uri.query());
        let is_open = matches!(&found, Lookup::Found { route, .. } if route.is_open);
        if let Some(operators) = &self.operators
            && !is_open
            && let Err(refusal) = operators.guard.check_token(&parts.headers)
        {
            return self.refuse(routes.surfaces.of(path), refusal, context, record);
        }
        let refusal = match found {
            Lookup::Found { route, captures } => {
                record.route = Arc::clone(&route.counts);
                let caller = Caller {
                    context,
                    guests: &routes.guests,
                    limits: self.limits.body,
                    compression: &routes.compression,
                    metrics: &self.metrics,
                    listener: self.listener.as_str(),
                    token: Presented::new(self.tokens.as_ref()),
                    is_safe: route.safety.is_safe(&parts.method),
                    begun: Instant::now(),
                };
                return match self
                    .act(route, &captures, parts, body, &caller, record)
                    .await
                {
                    Ok(response) => response,
                    Err(refusal) => self.refuse(&route.profile, refusal, context, record),
                };
            }
            Lookup::NotFound => match &self.operators {
                Some(operators) => {
                    let (pages, path) = (operators.pages.clone(), path.to_owned());
                    let response = Box::pin(page(pages, Request::from_parts(parts, body))).await;
                    if response.extensions().get::<NoPage>().is_none() {
                        record.route = Counts::new(self.listener.as_str(), "pages");
                        return response;
                    }
                    let absent = routes.absent_on(self.listener).map(Absent::refusal);
                    let refusal = absent.unwrap_or_else(|| nothing_at(context));
                    let surface = routes.surfaces.of(&path);
                    return self.refuse(surface, refusal, context, record);
                }
                None => routes
                    .cells
                    .iter()
                    .find_map(|cells| cells.unknown_in(path))
                    .or_else(|| routes.absent_on(self.listener).map(Absent::refusal))
                    .unwrap_or_else(|| nothing_at(context)),
            },
            Lookup::MethodNotAllowed { allow } if parts.method == Method::OPTIONS => {
                record.route = Counts::new(self.listener.as_str(), "OPTIONS");
                return options(&allow);
            }
            Lookup::MethodNotAllowed { allow } => Refusal::method_not_allowed(&allow),
            Lookup::BadPath(bad) => Refusal::bad_path(bad.to_string()),
        };
        self.refuse(routes.surfaces.of(path), refusal, context, record)
    }

    async fn act(
        &self,
        route: &Route,
        captures: &Captures,
        parts: Parts,
        body: Body,
        caller: &Caller<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        if route.requires_token {
            let host = caller.context.host.as_ref();
            caller.token.require(&parts, host, caller.is_safe)?;
        }
        match &route.action {
            Action::Fixed(fixed) => Ok(fixed.response()),
            Action::Absent(absent) => Err(absent.refusal()),
            Action::Shown(shown) => Ok(caller
                .compression
                .answer(&parts.headers, shown.answer(&parts.headers))),
            Action::Forward(upstream) => {
                let response = upstream
                    .forward(
                        &parts,
                        body,
                        caller.context,
                        caller.limits,
                        caller.guests,
                        caller.is_safe,
                    )
                    .await?;
                Ok(caller.compression.forwarded(&parts.headers, response))
            }
            // In boxes: whoever holds a request's future moves all of it, and the largest way decides its size.
            Action::Call(call) => {
                Box::pin(call.answer(&parts, body, captures, &route.profile, caller)).await
            }
            Action::Split(split) => {
                Box::pin(self.split(split, route, captures, parts, body, caller, record)).await
            }
        }
    }

    fn refuse(
        &self,
        profile: &Profile,
        refusal: Refusal,
        context: &Context,
        record: &mut Record,
    ) -> Response<Body> {
        if context.grpc.is_some() {
            return self.refuse_call(refusal, record);
        }
        let response = profile.refuse(&refusal);
        self.noted(refusal, record);
        response
    }

    /// The same in gRPC's way.
    fn refuse_call(&self, refusal: Refusal, record: &mut Record) -> Response<Body> {
        let response = refusal.to_grpc().into_http();
        self.noted(refusal, record);
        response
    }

    fn noted(&self, refusal: Refusal, record: &mut Record) {
        if let Some(limit) = refusal.limit() {
            self.metrics.limit_hit(self.listener.as_str(), limit);
        }
        record.trouble = refusal.trouble;
    }
}

/// What is said where there is nothing, to whoever asks.
fn nothing_at(context: &Context) -> Refusal {
    match context.grpc {
        Some(_) => Refusal::no_method(),
        None => Refusal::no_route(),
    }
}

async fn page(pages: Router, request: Request<Body>) -> Response<Body> {
    match pages.oneshot(request).await {
        Ok(response) => response,
        Err(never) => match never {},
    }
}
