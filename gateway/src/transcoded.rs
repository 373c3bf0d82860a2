//! A REST request as a gRPC call, and its answer as JSON.
//!
//! Bytes go from JSON to the wire and back with no message in between; the contract was compiled into the
//! [`Transcoder`] when the gateway started. A call whose connection was lost is sent again, where that can do nothing
//! twice: it changes nothing (`crate::safety`), or it carries the client's request id. Nothing else is retried.
//!
//! | module | what it decides |
//! |---|---|
//! | [`frames`], [`status`] | messages on a byte stream, and how a call ended |
//! | [`exchange`] | one call on the wire |
//! | `answer` | one message, or a failure, as a response |
//! | `told` | the same of a message that is there already |
//! | `streams`, `upload`, `download`, `form` | calls that stream; what a client sends; what a service sends; how that looks |

mod answer;
mod download;
mod exchange;
mod form;
pub(crate) mod frames;
mod status;
mod streams;
mod told;
mod upload;

use std::{
    collections::BTreeMap,
    sync::Arc,
    time::{Duration, Instant},
};

use axum::body::Body;
use banyan_transcode::{Captures, Code, Incoming, Transcoder};
use bytes::Bytes;
use http::{
    HeaderName, HeaderValue, Request, Response, StatusCode,
    header::{CONTENT_TYPE, IF_MATCH},
    request::Parts,
    uri::PathAndQuery,
};
use http_body_util::{BodyExt as _, Full};

use self::{
    exchange::{Answer, Fault},
    upload::Trouble,
};
use crate::{
    body::{BodyLimits, Broken, Watch, limited},
    bridge::{Elsewhere, Repeats},
    compression::{self, Compression},
    config::StreamsConfig,
    context::{Context, REQUEST_ID},
    deadline::{self, Cap},
    guest::{Guest, Guests},
    idempotency,
    metadata::Allowed,
    metrics::Metrics,
    profile::Profile,
    refusal::Refusal,
    safety, site,
    tokens::Presented,
    upstreams::GrpcService,
};

pub(crate) use self::{
    answer::failure_of,
    status::{BASE64, GRPC_STATUS, not_grpc, of_headers},
    told::Told,
};

/// Largest answer of a service.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

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
    /// What a stream may use, and how long it may take.
    pub(crate) streams: StreamsConfig,
    pub(crate) stream_deadline: Cap,
}

/// What an answer needs beside the request itself.
pub(crate) struct Caller<'a> {
    pub(crate) context: &'a Context,
    pub(crate) guests: &'a Guests,
    pub(crate) limits: BodyLimits,
    pub(crate) compression: &'a Compression,
    pub(crate) metrics: &'a Metrics,
    pub(crate) listener: &'static str,
    /// The token that the request may bring.
    pub(crate) token: Presented<'a>,
    /// Whether the request changes nothing.
    pub(crate) is_safe: bool,
    /// When the request came.
    pub(crate) begun: Instant,
}

/// A request, as far as it has been understood.
struct Ask<'a> {
    parts: &'a Parts,
    captures: &'a Captures,
    profile: &'a Arc<Profile>,
    caller: &'a Caller<'a>,
    /// How long the client waits.
    asked: Option<Duration>,
    request_id: Option<String>,
    content_type: Option<&'a str>,
    if_match: Option<&'a str>,
    guest: Option<Guest>,
}

impl Call {
    /// Whether the method has a place for the id of a request.
    pub(crate) fn takes_request_id(&self) -> bool {
        self.transcoder.takes_request_id()
    }

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
            && !safety::may_come_from_elsewhere(&parts.method, caller.is_safe)
            && site::is_other_behind_proxies(&parts.headers, caller.context.host.as_ref())
        {
            return Err(Refusal::forbidden(
                "requests from pages of other sites are refused",
            ));
        }
        let ask = Ask {
            parts,
            captures,
            profile,
            caller,
            asked: deadline::asked(&parts.headers)?,
            // Only where it has a meaning: elsewhere it is a header like any other.
            request_id: match self.transcoder.takes_request_id() {
                true => idempotency::key(&parts.headers)?,
                false => None,
            },
            content_type: text(parts, &CONTENT_TYPE)?,
            if_match: match self.transcoder.takes_etag() {
                true => text(parts, &IF_MATCH)?,
                false => None,
            },
            guest: match self.guest {
                true => caller.guests.of(&parts.headers, caller.context),
                false => None,
            },
        };
        let is_unary =
            !self.transcoder.is_client_streaming() && !self.transcoder.is_server_streaming();
        let mut response = match is_unary {
            true => self.unary(&ask, body).await?,
            false => Box::pin(self.stream(&ask, body)).await?,
        };
        if let Some(guest) = ask.guest {
            response.headers_mut().insert(
                http::header::CACHE_CONTROL,
                HeaderValue::from_static("no-store"),
            );
            guest.remember(response.headers_mut());
        }
        Ok(caller.compression.answer(&parts.headers, response))
    }

    /// One message there, one back.
    async fn unary(&self, ask: &Ask<'_>, body: Body) -> Result<Response<Body>, Refusal> {
        let message = match self.message(ask, body).await? {
            Ok(message) => message,
            Err(refused) => return Ok(refused),
        };
        let (left, timeout) = self.left(&self.deadline, ask)?;
        let deadline = tokio::time::Instant::now() + left;
        let mut repeats = Repeats::new(ask.is_repeatable());
        loop {
            let request = self.request(ask, whole(message.clone()), timeout.clone())?;
            let exchanged = exchange(self.service.clone(), request);
            let exchanged = tokio::time::timeout_at(deadline, exchanged).await;
            match exchanged.unwrap_or(Err(Fault::TooSlow)) {
                Ok((message, answer)) => return self.success(ask, &message, &answer),
                Err(fault) if repeats.is_left() && fault.is_lost() => repeats.waited().await,
                Err(fault) => return self.failure(ask, fault.by(deadline), &Trouble::default()),
            }
        }
    }

    /// The one message of a request, framed; or the answer to what is wrong with it.
    async fn message(
        &self,
        ask: &Ask<'_>,
        body: Body,
    ) -> Result<Result<Bytes, Response<Body>>, Refusal> {
        let body = match self.takes_body {
            true => read(ask, body).await?,
            false => Bytes::new(),
        };
        let incoming = Incoming {
            captures: ask.captures,
            query: ask.parts.uri.query(),
            body: &body,
            content_type: ask.content_type,
            request_id: ask.request_id.as_deref(),
            if_match: ask.if_match,
        };
        Ok(match self.transcoder.request(&incoming) {
            Ok(message) => Ok(frames::framed(&message)),
            Err(violations) => Err(ask.profile.error(&violations.to_status())),
        })
    }

    /// How long the call may take, and the header that tells the service.
    fn left(&self, cap: &Cap, ask: &Ask<'_>) -> Result<(Duration, HeaderValue), Refusal> {
        cap.left(ask.asked, || ask.caller.begun.elapsed())
            .ok_or_else(Refusal::out_of_time)
    }

    /// Sends a call and waits for its one message.
    async fn exchanged(
        &self,
        ask: &Ask<'_>,
        request: Request<tonic::body::Body>,
        left: Duration,
        trouble: &Trouble,
    ) -> Result<Response<Body>, Refusal> {
        let deadline = tokio::time::Instant::now() + left;
        let exchanged = exchange(self.service.clone(), request);
        let alarms = &ask.caller.context.alarms;
        let exchanged = alarms.before(deadline, exchanged).await;
        match exchanged.unwrap_or(Err(Fault::TooSlow)) {
            Ok((message, answer)) => self.success(ask, &message, &answer),
            Err(fault) => self.failure(ask, fault.by(deadline), trouble),
        }
    }

    /// The request on the wire. Only what is named reaches a service: a header from outside never becomes metadata by
    /// itself, and what the gateway says itself replaces whatever came.
    fn request(
        &self,
        ask: &Ask<'_>,
        body: tonic::body::Body,
        timeout: HeaderValue,
    ) -> Result<Request<tonic::body::Body>, Refusal> {
        let mut request = exchange::request(self.path.clone(), timeout, body);
        let headers = request.headers_mut();
        self.metadata.send(&ask.parts.headers, headers)?;
        headers.insert(REQUEST_ID, ask.caller.context.request_id.clone());
        ask.caller.context.trace.child().inject(headers);
        if let Some(guest) = &ask.guest {
            ask.caller.guests.introduce(guest, headers);
        }
        if let Some(elsewhere) = ask.parts.extensions.get::<Elsewhere>() {
            request.extensions_mut().insert(*elsewhere);
        }
        Ok(request)
    }
}

impl Ask<'_> {
    /// Whether it may be sent twice, and nobody else can answer it.
    fn is_repeatable(&self) -> bool {
        (self.caller.is_safe || self.request_id.is_some())
            && self.parts.extensions.get::<Elsewhere>().is_none()
    }
}

/// A call's one message, as its body.
fn whole(message: Bytes) -> tonic::body::Body {
    tonic::body::Body::new(Full::new(message))
}

/// A header that means something, so that one that cannot be read is not passed over.
fn text<'a>(parts: &'a Parts, name: &HeaderName) -> Result<Option<&'a str>, Refusal> {
    let mut values = parts.headers.get_all(name).iter();
    let Some(value) = values.next() else {
        return Ok(None);
    };
    if values.next().is_some() {
        return Err(Refusal::bad_header(name, "is given twice"));
    }
    let text = value.to_str();
    text.map(Some)
        .map_err(|_| Refusal::bad_header(name, "must be ASCII"))
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

/// What became of a body, before and after it was unpacked.
type Watches = [Option<Watch>; 2];

/// The whole body, unpacked, within its limits and the time that the client gives.
async fn read(ask: &Ask<'_>, body: Body) -> Result<Bytes, Refusal> {
    let limits = ask.caller.limits;
    let too_large = |max: &usize| http_body::Body::size_hint(&body).lower() > *max as u64;
    if limits.bytes_max.as_ref().is_some_and(too_large) {
        return Err(Refusal::too_large());
    }
    let (body, watches) = match compression::of_request(&ask.parts.headers)? {
        None => {
            let (body, watch) = limited(body, limits);
            (body, [Some(watch), None])
        }
        Some(coding) => {
            let (body, packed) = compression::decompressed(body, coding, limits);
            let (body, unpacked) = limited(body, limits);
            (body, [Some(unpacked), Some(packed)])
        }
    };
    let collected = match ask.asked {
        None => body.collect().await,
        Some(asked) => {
            let left = asked.saturating_sub(ask.caller.begun.elapsed());
            let collected = tokio::time::timeout(left, body.collect()).await;
            collected.map_err(|_| Refusal::out_of_time())?
        }
    };
    collected
        .map(http_body_util::Collected::to_bytes)
        .map_err(|error| unreadable(&error, &watches))
}

fn unreadable(error: &axum::Error, watches: &Watches) -> Refusal {
    match watches.iter().flatten().find_map(Watch::broken) {
        Some(Broken::TooLarge) => Refusal::too_large(),
        Some(Broken::Idle) => Refusal::client_slow(),
        None if compression::is_corrupt(error) => Refusal::corrupt_body(),
        None => Refusal::client_gone(),
    }
}
