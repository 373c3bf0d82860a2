//! A call passed on to its service.

use std::time::Duration;

use axum::body::Body;
use banyan_rollout::Failure;
use http::{
    HeaderMap, HeaderName, HeaderValue, Request, Response, Uri, Version, request::Parts,
    uri::PathAndQuery,
};
use tokio::time::Instant;
use tower::{Service as _, ServiceExt as _};

use super::{
    answer::{Answer, Ends},
    flow::Flow,
    messages::Messages,
    metadata,
};
use crate::{
    body::Broken,
    guest::Guest,
    refusal::Refusal,
    transcoded::{Call, Caller, GRPC_STATUS, failure_of, not_grpc},
    upstreams::{GrpcError, GrpcService},
};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");

/// Longest silence of a call of the gateway's own services: whoever watches them may hear nothing for long.
const OWN_SILENCE_MAX: Duration = Duration::from_secs(3_600);

/// What a call is made under.
pub(crate) struct Terms<'a> {
    pub(crate) caller: &'a Caller<'a>,
    pub(crate) guest: Option<&'a Guest>,
    pub(crate) is_operators: bool,
    /// Whether the client may send several messages.
    pub(crate) is_stream: bool,
    /// Until when; the gateway's own services need no end.
    pub(crate) deadline: Option<Instant>,
    /// The same for the service.
    pub(crate) timeout: Option<HeaderValue>,
    /// Longest silence in both directions.
    pub(crate) silence_max: Duration,
}

/// Who is called.
#[derive(Clone, Copy)]
pub(crate) struct Target<'a> {
    path: &'a PathAndQuery,
    upstream: &'a str,
    service: &'a GrpcService,
}

impl<'a> From<&'a Call> for Target<'a> {
    fn from(call: &'a Call) -> Target<'a> {
        Target {
            path: &call.path,
            upstream: &call.upstream,
            service: &call.service,
        }
    }
}

/// Asks a service of the gateway's own.
pub(crate) async fn ask_own(
    service: GrpcService,
    parts: &Parts,
    body: Body,
    caller: &Caller<'_>,
) -> Result<Response<Body>, Refusal> {
    let target = Target {
        path: parts.uri.path_and_query().ok_or_else(Refusal::no_method)?,
        upstream: "gateway",
        service: &service,
    };
    let terms = Terms {
        caller,
        guest: None,
        is_operators: true,
        is_stream: true,
        deadline: None,
        timeout: None,
        silence_max: OWN_SILENCE_MAX,
    };
    pass(target, parts, body, &terms).await
}

/// Sends the call, and gives back the answer as soon as it begins.
pub(crate) async fn pass(
    target: Target<'_>,
    parts: &Parts,
    body: Body,
    terms: &Terms<'_>,
) -> Result<Response<Body>, Refusal> {
    let flow = Flow::default();
    let limits = terms.caller.limits;
    let messages = Messages::new(body, limits, terms.is_stream, flow.clone());
    let mut request = Request::new(tonic::body::Body::new(messages));
    *request.method_mut() = http::Method::POST;
    *request.version_mut() = Version::HTTP_2;
    *request.uri_mut() = Uri::from(target.path.clone());
    let guests = terms.caller.guests;
    let mut headers = metadata::for_service(
        &parts.headers,
        terms.caller.context,
        guests,
        terms.is_operators,
    );
    if let Some(timeout) = &terms.timeout {
        headers.insert(GRPC_TIMEOUT, timeout.clone());
    }
    if let Some(guest) = terms.guest {
        guests.introduce(guest, &mut headers);
    }
    *request.headers_mut() = headers;

    let response = begun(target, request, terms, &flow).await?;
    let (mut parts, body) = response.into_parts();
    metadata::returned(&mut parts.headers, guests);
    if parts.headers.contains_key(GRPC_STATUS) {
        // An answer that is nothing but a status has it in its headers.
        metadata::without_debug_info(&mut parts.headers);
        return Ok(Response::from_parts(parts, Body::empty()));
    }
    let ends = Ends {
        deadline: terms.deadline,
        silence_max: terms.silence_max,
    };
    let answer = Answer::new(body, target.upstream, guests, flow, ends);
    Ok(Response::from_parts(parts, Body::new(answer)))
}

/// The metadata of a call that is asked once more, by the gateway for itself.
pub(crate) fn copied(
    parts: &Parts,
    caller: &Caller<'_>,
    guest: Option<&Guest>,
    is_operators: bool,
) -> HeaderMap {
    let mut headers =
        metadata::for_copy(&parts.headers, caller.context, caller.guests, is_operators);
    if let Some(guest) = guest {
        caller.guests.introduce(guest, &mut headers);
    }
    headers
}

/// Waits for the answer to begin: until the deadline, or until nothing has moved for too long.
async fn begun(
    target: Target<'_>,
    request: Request<tonic::body::Body>,
    terms: &Terms<'_>,
    flow: &Flow,
) -> Result<Response<tonic::body::Body>, Refusal> {
    let mut service = target.service.clone();
    let answer = async { service.ready().await?.call(request).await };
    let mut answer = std::pin::pin!(answer);
    let deadline = terms.deadline;
    let response = loop {
        let frames = flow.frames();
        let silent = Instant::now() + terms.silence_max;
        let until = deadline.map_or(silent, |deadline| deadline.min(silent));
        match tokio::time::timeout_at(until, answer.as_mut()).await {
            Ok(Ok(response)) => break response,
            Ok(Err(error)) => {
                return Err(match flow.broken() {
                    Some(Broken::TooLarge) => Refusal::message_too_large(),
                    Some(Broken::Idle) => Refusal::client_slow(),
                    None if matches!(error, GrpcError::Saturated { .. }) => {
                        Refusal::upstream_full(target.upstream)
                    }
                    None => Refusal::upstream_unreachable(target.upstream, chain(&error)).after(
                        match error.is_never_sent() {
                            true => Failure::Unreachable,
                            false => Failure::Broken,
                        },
                    ),
                });
            }
            Err(_)
                if deadline.is_none_or(|deadline| until < deadline) && flow.frames() > frames => {}
            Err(_) => {
                return Err(Refusal::upstream_slow(target.upstream).after(Failure::TimedOut));
            }
        }
    };
    let headers = response.headers();
    if headers.contains_key(GRPC_STATUS) {
        return Ok(response);
    }
    match not_grpc(response.status(), headers) {
        None => Ok(response),
        Some(code) => {
            let trouble = format!("it answered {}", response.status());
            Err(Refusal::not_grpc(target.upstream, code, trouble).after(failure_of(code)))
        }
    }
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}
