//! A REST request as a unary gRPC call, and its answer as JSON.
//!
//! Bytes go from JSON to the wire and back with no message in between; the contract was compiled into the
//! [`Transcoder`] when the gateway started. Nothing is retried: the gateway cannot know what may be asked twice.

mod codec;

use std::{collections::BTreeMap, time::Duration};

use axum::body::Body;
use banyan_transcode::{Captures, Code, Incoming, StatusParts, Transcoder};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, IF_MATCH},
    request::Parts,
    uri::PathAndQuery,
};
use http_body_util::BodyExt as _;
use tonic::{client::Grpc, metadata::MetadataValue};

use crate::{
    body::{BodyLimits, Broken, limited},
    context::Context,
    guest::{Guest, Guests},
    idempotency,
    profile::Profile,
    refusal::Refusal,
    site,
    upstreams::GrpcService,
};
use codec::RawCodec;

/// Largest answer of a service.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// One method of a service behind the gateway.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) transcoder: Transcoder,
    /// `/package.Service/Method`.
    pub(crate) path: PathAndQuery,
    /// Whether the body is read at all.
    pub(crate) takes_body: bool,
    pub(crate) upstream: String,
    pub(crate) service: GrpcService,
    pub(crate) deadline: Duration,
    pub(crate) success: StatusCode,
    /// Fixed bodies by gRPC code.
    pub(crate) error_bodies: BTreeMap<Code, Bytes>,
    pub(crate) guest: bool,
}

/// What an answer needs beside the request itself.
pub(crate) struct Caller<'a> {
    pub(crate) context: &'a Context,
    pub(crate) guests: &'a Guests,
    pub(crate) limits: BodyLimits,
}

impl Call {
    /// Calls the method; a gRPC error comes back in the profile's shape, a refusal is the gateway's own.
    pub(crate) async fn answer(
        &self,
        parts: &Parts,
        body: Body,
        captures: &Captures,
        profile: &Profile,
        caller: &Caller<'_>,
    ) -> Result<Response<Body>, Refusal> {
        // A form on another site can send JSON as text, and the new guest's cookie in the answer would replace the
        // guest's own, with all its bookings.
        if self.guest
            && !parts.method.is_safe()
            && site::is_other_behind_proxies(&parts.headers, caller.context.host.as_ref())
        {
            return Err(Refusal::forbidden(
                "requests from pages of other sites are refused",
            ));
        }
        // Only where it has a meaning: elsewhere it is a header like any other.
        let request_id = match self.transcoder.takes_request_id() {
            true => idempotency::key(&parts.headers)?,
            false => None,
        };
        let body = if self.takes_body {
            read(body, caller.limits).await?
        } else {
            Bytes::new()
        };
        let header = |name: HeaderName| parts.headers.get(name)?.to_str().ok();
        let incoming = Incoming {
            captures,
            query: parts.uri.query(),
            body: &body,
            content_type: header(CONTENT_TYPE),
            request_id: request_id.as_deref(),
            if_match: header(IF_MATCH),
        };
        let message = match self.transcoder.request(&incoming) {
            Ok(message) => message,
            Err(violations) => return Ok(profile.error(&violations.to_status())),
        };
        let guest = if self.guest {
            caller.guests.of(&parts.headers, caller.context)
        } else {
            None
        };
        let mut response = match self.call(message, guest.as_ref(), caller).await {
            Ok(message) => self.success(&message)?,
            Err(status) => self.failure(status, profile),
        };
        if let Some(guest) = guest {
            response.headers_mut().insert(
                http::header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            );
            guest.remember(response.headers_mut());
        }
        Ok(response)
    }

    async fn call(
        &self,
        message: Bytes,
        guest: Option<&Guest>,
        caller: &Caller<'_>,
    ) -> Result<Bytes, tonic::Status> {
        let mut request = tonic::Request::new(message);
        request.set_timeout(self.deadline);
        let metadata = request.metadata_mut();
        // Only what is named here reaches a service: a header from outside never becomes metadata by itself.
        if let Ok(id) = MetadataValue::try_from(caller.context.request_id.as_bytes()) {
            metadata.insert("x-request-id", id);
        }
        if let Ok(trace) = MetadataValue::try_from(caller.context.trace.child().to_string()) {
            metadata.insert("traceparent", trace);
        }
        if let Some(guest) = guest {
            caller.guests.introduce(guest, &mut request);
        }
        let unary = async {
            let mut client =
                Grpc::new(self.service.clone()).max_decoding_message_size(ANSWER_BYTES_MAX);
            client
                .ready()
                .await
                .map_err(|error| tonic::Status::from_error(Box::new(error)))?;
            client.unary(request, self.path.clone(), RawCodec).await
        };
        match tokio::time::timeout(self.deadline, unary).await {
            Ok(Ok(response)) => Ok(response.into_inner()),
            Ok(Err(status)) => Err(status),
            Err(_) => Err(tonic::Status::deadline_exceeded(format!(
                "{} did not answer in time",
                self.upstream
            ))),
        }
    }

    fn success(&self, message: &Bytes) -> Result<Response<Body>, Refusal> {
        let json = self.transcoder.response(message);
        let json = json.map_err(|error| Refusal::bad_answer(&self.upstream, error.to_string()))?;
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = self.success;
        response
            .headers_mut()
            .insert(CONTENT_TYPE, HeaderValue::from_static("application/json"));
        Ok(response)
    }

    fn failure(&self, status: tonic::Status, profile: &Profile) -> Response<Body> {
        let status = self.parts(status);
        let response = profile.error(&status);
        match self.error_bodies.get(&status.code) {
            None => response,
            Some(body) => response.map(|_| Body::from(body.clone())),
        }
    }

    /// A failed connection is told without its addresses.
    fn parts(&self, status: tonic::Status) -> StatusParts {
        let is_local = std::error::Error::source(&status).is_some();
        if is_local {
            tracing::warn!(
                upstream = self.upstream,
                error = &status as &dyn std::error::Error,
                "Call failed"
            );
            let timed_out = matches!(
                status.code(),
                tonic::Code::DeadlineExceeded | tonic::Code::Cancelled
            );
            let (code, what) = if timed_out {
                (Code::DeadlineExceeded, "did not answer in time")
            } else {
                (Code::Unavailable, "cannot be reached")
            };
            return StatusParts {
                code,
                message: format!("{} {what}", self.upstream),
                details: Bytes::new(),
            };
        }
        StatusParts {
            code: Code::from_number(status.code() as i32),
            message: status.message().to_owned(),
            details: Bytes::copy_from_slice(status.details()),
        }
    }
}

async fn read(body: Body, limits: BodyLimits) -> Result<Bytes, Refusal> {
    let too_large = |max: &usize| http_body::Body::size_hint(&body).lower() > *max as u64;
    if limits.bytes_max.as_ref().is_some_and(too_large) {
        return Err(Refusal::too_large());
    }
    let (body, watch) = limited(body, limits);
    match body.collect().await {
        Ok(collected) => Ok(collected.to_bytes()),
        Err(_) => Err(match watch.broken() {
            Some(Broken::TooLarge) => Refusal::too_large(),
            Some(Broken::Idle) => Refusal::client_slow(),
            None => Refusal::client_gone(),
        }),
    }
}
