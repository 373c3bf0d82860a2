//! A call whose rollout says `legacy`: it leaves as the REST call that its route describes, and the JSON answer comes back
//! as the message. So gRPC clients can be moved before there is a service.
//!
//! One message there and one back: a stream has no REST form that a legacy system would know, and is refused.

use axum::body::Body;
use banyan_transcode::{Reverse, StatusParts, reverse};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{
    HeaderMap, HeaderValue, Method, Response, StatusCode, Uri, Version,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
    request::Parts,
};
use http_body_util::{BodyExt as _, Limited};
use tonic::{Code, Status};
use tonic_types::{ErrorDetails, StatusExt as _};

use super::{
    Dialect,
    answer::whole,
    flow::Flow,
    held::{self, broken_off},
    messages::{Messages, PREFIX},
    metadata,
};
use crate::{
    body::{BodyLimits, limited},
    compression::{NotUnpacked, unpacked},
    guest::Guests,
    idempotency::IDEMPOTENCY_KEY,
    refusal::Refusal,
};

/// Largest answer of a legacy system.
const ANSWER_BYTES_MAX: usize = 16 * 1024 * 1024;

/// The one message of a unary call, unpacked: its size counts packed and unpacked.
pub(crate) async fn message(
    body: Body,
    headers: &HeaderMap,
    limits: BodyLimits,
) -> Result<Bytes, Refusal> {
    let flow = Flow::default();
    let messages = Messages::new(body, limits, false, flow.clone());
    // Nobody sends more than a message and its prefix.
    let whole = BodyLimits {
        bytes_max: limits.bytes_max.map(|max| max.saturating_add(PREFIX)),
        ..limits
    };
    let (body, watch) = limited(Body::new(messages), whole);
    let collected = body.collect().await;
    let bytes = collected
        .map_err(|_| broken_off(flow.broken().or_else(|| watch.broken())))?
        .to_bytes();
    let only = held::only(&bytes);
    let expected = || Refusal::broken_message("exactly one whole message is expected");
    let (message, is_packed) = only.ok_or_else(expected)?;
    if !is_packed {
        return Ok(message);
    }
    let bytes_max = limits.bytes_max.unwrap_or(usize::MAX);
    unpacked(message, held::coding(headers), bytes_max).map_err(|why| match why {
        NotUnpacked::UnknownCoding => Refusal::unknown_packing(),
        NotUnpacked::Corrupt => {
            Refusal::broken_message("the message is not what its grpc-encoding says")
        }
        NotUnpacked::TooLong => Refusal::message_too_large(),
    })
}

/// The REST call of a message, with the client's metadata as its headers, and the rule that its answer is read by. The
/// id that a message has for itself is the one that a REST client says in a header.
pub(crate) fn rest<'r>(
    rules: &'r [Reverse],
    message: &[u8],
    request_id: Option<&str>,
    call: &Parts,
    guests: &Guests,
) -> Result<(Parts, Bytes, &'r Reverse), StatusParts> {
    let (index, rest) =
        reverse::call(rules, message).map_err(|violations| violations.to_status())?;
    let uri: Uri = rest.target.parse().map_err(|_| StatusParts {
        code: banyan_transcode::Code::InvalidArgument,
        message: "the message is too long for the path of a REST call".to_owned(),
        details: Bytes::new(),
    })?;
    let (mut parts, ()) = http::Request::new(()).into_parts();
    parts.method = rest.method;
    parts.uri = uri;
    parts.version = Version::HTTP_11;
    parts.headers = metadata::for_legacy(&call.headers, guests);
    if let Some(kind) = rest.content_type
        && let Ok(kind) = HeaderValue::try_from(kind)
    {
        parts.headers.insert(CONTENT_TYPE, kind);
    }
    if let Some(id) = request_id.and_then(|id| HeaderValue::try_from(id).ok()) {
        parts.headers.insert(IDEMPOTENCY_KEY, id);
    }
    Ok((parts, rest.body, &rules[index]))
}

/// A message that has no REST form, in gRPC's way.
pub(crate) fn failed(status: &StatusParts) -> Response<Body> {
    let code = Code::from(i32::from(status.code.number()));
    Status::with_details(code, &status.message, status.details.clone()).into_http()
}

/// What the legacy system answered, read whole.
pub(crate) struct Answered {
    headers: HeaderMap,
    pub(crate) status: StatusCode,
    pub(crate) body: Bytes,
}

impl Answered {
    /// `legacy` names the system in errors.
    pub(crate) async fn read(response: Response<Body>, legacy: &str) -> Result<Answered, Refusal> {
        let (parts, body) = response.into_parts();
        if parts.headers.contains_key(CONTENT_ENCODING) {
            let trouble = "it is compressed, which was not asked for".to_owned();
            return Err(Refusal::bad_answer(legacy, trouble));
        }
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await;
        let body = body.map_err(|error| Refusal::bad_answer(legacy, error.to_string()))?;
        Ok(Answered {
            headers: parts.headers,
            status: parts.status,
            body: body.to_bytes(),
        })
    }

    /// The answer to the call as gRPC has it.
    pub(crate) fn into_grpc(
        self,
        rule: &Reverse,
        method: &Method,
        legacy: &str,
    ) -> Result<Response<Body>, Refusal> {
        let mut response = if self.status.is_success() {
            let kind = self.headers.get(CONTENT_TYPE);
            let kind = kind.and_then(|kind| kind.to_str().ok()).unwrap_or_default();
            let message = rule
                .response(kind, &self.body)
                .map_err(|violations| Refusal::bad_answer(legacy, violations.to_string()))?;
            Response::new(whole(framed(&message), &Status::ok("")))
        } else {
            failure(method, self.status, &self.body).into_http()
        };
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, Dialect::Grpc.content_type());
        headers.extend(metadata::from_legacy(&self.headers));
        Ok(response)
    }
}

/// An error of the legacy side as a status that says where it is from.
fn failure(method: &Method, http: StatusCode, body: &[u8]) -> Status {
    let status = reverse::status_of(method, http, body);
    let metadata = [("http_status".to_owned(), http.as_u16().to_string())];
    let details = ErrorDetails::with_error_info("LEGACY_ERROR", "gateway.banyan", metadata);
    let code = Code::from(i32::from(status.code.number()));
    Status::with_error_details(code, status.message, details)
}

fn framed(message: &[u8]) -> Bytes {
    let mut out = BytesMut::with_capacity(PREFIX + message.len());
    out.put_u8(0);
    out.put_u32(u32::try_from(message.len()).unwrap_or(u32::MAX));
    out.put_slice(message);
    out.freeze()
}
