//! A REST request as a gRPC call, and its answer as JSON.
//!
//! Bytes go from JSON to the wire and back with no message in between; the contract was compiled into the
//! [`Transcoder`] when the gateway started. Nothing is retried: the gateway cannot know what may be asked twice.
//!
//! | module | what it decides |
//! |---|---|
//! | [`frames`], [`status`] | messages on a byte stream, and how a call ended |
//! | [`exchange`] | one call on the wire |
//! | `answer` | one message, or a failure, as a response |

mod answer;
mod exchange;
pub(crate) mod frames;
mod status;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Body;
use banyan_transcode::{Captures, Code, Transcoder};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, request::Parts, uri::PathAndQuery};
use http_body_util::{BodyExt as _, Full};

use self::exchange::{Answer, Fault};
use crate::{
    body::{BodyLimits, Broken, Watch, limited},
    compression::{self, Compression},
    context::{Context, REQUEST_ID},
    deadline::{self, Cap},
    guest::{Guest, Guests},
    idempotency,
    metadata::Allowed,
    metrics::Metrics,
    profile::Profile,
    refusal::Refusal,
    site,
    upstreams::GrpcService,
};

pub(crate) use self::status::BASE64;

/// Largest answer of a service.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// A service that gives up this shortly before the deadline gave up because of it.
const DEADLINE_SLACK: Duration = Duration::from_millis(10);

/// One method of a service behind the gateway.
#[derive(Debug)]
pub(crate) struct Call {
    pub(crate) transcoder: Arc<Transcoder>,
    /// `/package.Service/Method`.
    pub(crate) path: PathAndQuery,
    /// Whether the body is read at all.
    pub(crate) takes_body: bool,
    pub(crate) upstream: String,
    pub(crate) service: GrpcService,
    pub(crate) deadline: Cap,
    pub(crate) success: StatusCode,
    /// Fixed bodies by gRPC code.
    pub(crate) error_bodies: BTreeMap<Code, Bytes>,
    pub(crate) guest: bool,
    /// Headers that become metadata, and the other way round.
    pub(crate) metadata: Allowed,
}

/// What an answer needs beside the request itself.
pub(crate) struct Caller<'a> {
    pub(crate) context: &'a Context,
    pub(crate) guests: &'a Guests,
    pub(crate) limits: BodyLimits,
    pub(crate) compression: &'a Compression,
    pub(crate) metrics: &'a Metrics,
    pub(crate) listener: &'static str,
    /// When the request came.
    pub(crate) begun: Instant,
}

impl Call {
    /// Calls the method; a gRPC error comes back in the profile's shape, a refusal is the gateway's own.
    pub(crate) async fn answer(
        &self,
        parts: &Parts,
        body: Body,
        captures: &Captures,
        profile: &Arc<Profile>,
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
        let asked = deadline::asked(&parts.headers)?;
        let body = match self.takes_body {
            true => read(parts, body, asked, caller).await?,
            false => Bytes::new(),
        };
        let query = parts.uri.query();
        let message = match self
            .transcoder
            .request(captures, query, &body, request_id.as_deref())
        {
            Ok(message) => message,
            Err(violations) => return Ok(profile.error(&violations.to_status())),
        };
        let guest = match self.guest {
            true => caller.guests.of(&parts.headers, caller.context),
            false => None,
        };
        let mut response = self
            .unary(parts, &message, asked, guest.as_ref(), profile, caller)
            .await?;
        if let Some(guest) = guest {
            response.headers_mut().insert(
                http::header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            );
            guest.remember(response.headers_mut());
        }
        Ok(caller.compression.answer(&parts.headers, response))
    }

    /// One message there, one back.
    async fn unary(
        &self,
        parts: &Parts,
        message: &[u8],
        asked: Option<Duration>,
        guest: Option<&Guest>,
        profile: &Profile,
        caller: &Caller<'_>,
    ) -> Result<Response<Body>, Refusal> {
        let left = self.deadline.left(asked, || caller.begun.elapsed());
        let (left, timeout) = left.ok_or_else(Refusal::out_of_time)?;
        let body = tonic::body::Body::new(Full::new(frames::framed(message)));
        let request = self.request(body, timeout, parts, guest, caller)?;
        let begun = Instant::now();
        let exchanged = tokio::time::timeout(left, exchange(self.service.clone(), request)).await;
        match exchanged.unwrap_or(Err(Fault::TooSlow)) {
            Ok((message, answer)) => self.success(parts, &message, &answer),
            Err(fault) => {
                let is_late = begun.elapsed() + DEADLINE_SLACK >= left;
                self.failure(fault.in_time(is_late), parts, profile, caller)
            }
        }
    }

    /// The request on the wire. Only what is named reaches a service: a header from outside never becomes metadata by
    /// itself, and what the gateway says itself replaces whatever came.
    fn request(
        &self,
        body: tonic::body::Body,
        timeout: HeaderValue,
        parts: &Parts,
        guest: Option<&Guest>,
        caller: &Caller<'_>,
    ) -> Result<Request<tonic::body::Body>, Refusal> {
        let mut request = exchange::request(self.path.clone(), timeout, body);
        let headers = request.headers_mut();
        self.metadata.send(&parts.headers, headers)?;
        headers.insert(REQUEST_ID, caller.context.request_id.clone());
        caller.context.trace.child().inject(headers);
        if let Some(guest) = guest {
            caller.guests.introduce(guest, headers);
        }
        Ok(request)
    }
}

/// The one message of a call, and what came with it.
async fn exchange(
    service: GrpcService,
    request: Request<tonic::body::Body>,
) -> Result<(Bytes, Answer), Fault> {
    let mut answer = Answer::open(service, request, ANSWER_BYTES_MAX).await?;
    let Some(message) = answer.next().await? else {
        return Err(Fault::Broken("the call ended without a message".to_owned()));
    };
    match answer.next().await? {
        None => Ok((message, answer)),
        Some(_) => Err(Fault::Broken("the call has several messages".to_owned())),
    }
}

/// The whole body, unpacked, within its limits and the time that the client gives.
async fn read(
    parts: &Parts,
    body: Body,
    asked: Option<Duration>,
    caller: &Caller<'_>,
) -> Result<Bytes, Refusal> {
    let limits = caller.limits;
    let too_large = |max: &usize| http_body::Body::size_hint(&body).lower() > *max as u64;
    if limits.bytes_max.as_ref().is_some_and(too_large) {
        return Err(Refusal::too_large());
    }
    let (body, watches) = readable(parts, body, limits)?;
    let collected = match asked {
        None => body.collect().await,
        Some(asked) => {
            let left = asked.saturating_sub(caller.begun.elapsed());
            let collected = tokio::time::timeout(left, body.collect()).await;
            collected.map_err(|_| Refusal::out_of_time())?
        }
    };
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| unreadable(&error, &watches))
}

/// A body under its limits and without its coding, and the watches that know what becomes of it.
fn readable(
    parts: &Parts,
    body: Body,
    limits: BodyLimits,
) -> Result<(Body, [Option<Watch>; 2]), Refusal> {
    match compression::of_request(&parts.headers)? {
        None => {
            let (body, watch) = limited(body, limits);
            Ok((body, [Some(watch), None]))
        }
        Some(coding) => {
            let (body, packed) = compression::decompressed(body, coding, limits);
            let (body, unpacked) = limited(body, limits);
            Ok((body, [Some(unpacked), Some(packed)]))
        }
    }
}

fn unreadable(error: &axum::Error, watches: &[Option<Watch>; 2]) -> Refusal {
    match watches.iter().flatten().find_map(Watch::broken) {
        Some(Broken::TooLarge) => Refusal::too_large(),
        Some(Broken::Idle) => Refusal::client_slow(),
        None if compression::is_corrupt(error) => Refusal::corrupt_body(),
        None => Refusal::client_gone(),
    }
}
