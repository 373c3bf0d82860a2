//! One message, or a failure, as a response.
//!
//! A field `etag` of an answer is its header `ETag` too (AIP-154). `If-None-Match` of a safe request that names it makes 304
//! of it; `If-Match` went to the service with the request, and its ABORTED is 412 then.

use std::time::Duration;

use axum::body::Body;
use banyan_rollout::Failure;
use banyan_transcode::{Code, StatusParts, entity_tag};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH},
};
use tokio::time::Instant;

use super::{
    Ask, Call,
    exchange::{Answer, Fault},
    upload::{Trouble, Wrong},
};
use crate::{metrics::Metrics, refusal::Refusal};

/// A service that gives up this shortly before the deadline gave up because of it.
const DEADLINE_SLACK: Duration = Duration::from_millis(10);

const JSON: HeaderValue = HeaderValue::from_static("application/json");
const BYTES: HeaderValue = HeaderValue::from_static("application/octet-stream");

impl Call {
    pub(super) fn success(
        &self,
        ask: &Ask<'_>,
        message: &Bytes,
        answer: &Answer,
    ) -> Result<Response<Body>, Refusal> {
        let broken = |error: banyan_transcode::DecodeError| {
            Refusal::bad_answer(&self.upstream, error.to_string())
        };
        let raw = self
            .transcoder
            .response_http_body(message)
            .map_err(broken)?;
        let (kind, body) = match raw {
            Some(raw) => (HeaderValue::try_from(raw.content_type), raw.data),
            None => (Ok(JSON), self.transcoder.response(message).map_err(broken)?),
        };
        let mut response = Response::new(Body::from(body));
        *response.status_mut() = self.success;
        let headers = response.headers_mut();
        let kind = kind.ok().filter(|kind| !kind.is_empty());
        headers.insert(CONTENT_TYPE, kind.unwrap_or(BYTES));
        self.metadata.receive(&answer.headers, headers);
        self.metadata.receive(&answer.trailers, headers);
        let tag = self
            .transcoder
            .etag_of(message)
            .and_then(|tag| entity_tag(&tag));
        if let Some(tag) = tag.and_then(|tag| HeaderValue::try_from(tag).ok()) {
            let is_known = ask.parts.method.is_safe() && knows(&ask.parts.headers, &tag);
            headers.insert(ETAG, tag);
            if is_known {
                headers.remove(CONTENT_TYPE);
                *response.status_mut() = StatusCode::NOT_MODIFIED;
                *response.body_mut() = Body::empty();
            }
        }
        Ok(response)
    }

    /// The answer to a call that failed. What the client did wrong in mid-stream comes before what followed from it.
    pub(super) fn failure(
        &self,
        ask: &Ask<'_>,
        fault: Fault,
        trouble: &Trouble,
    ) -> Result<Response<Body>, Refusal> {
        match trouble.take() {
            Some(Wrong::Refusal(refusal)) => return Err(refusal),
            Some(Wrong::Status(status)) => return Ok(ask.profile.error(&status)),
            None => fault.note(&self.upstream, ask.caller.metrics, ask.caller.listener),
        }
        if let Some(trouble) = fault.trouble() {
            return Err(Refusal::bad_answer(&self.upstream, trouble.to_owned()));
        }
        if matches!(fault, Fault::Full) {
            let mut response = ask.profile.refuse(&Refusal::upstream_full(&self.upstream));
            response.extensions_mut().insert(fault.kind());
            return Ok(response);
        }
        let status = fault.to_status(&self.upstream);
        let is_guarded = ask.if_match.is_some() && self.transcoder.takes_etag();
        let mut response = match status.code {
            Code::Aborted if is_guarded => ask
                .profile
                .error_as(StatusCode::PRECONDITION_FAILED, &status),
            _ => ask.profile.error(&status),
        };
        if let Some(body) = self.error_bodies.get(&status.code) {
            *response.body_mut() = Body::from(body.clone());
        }
        if let Fault::Status(said) = &fault {
            self.metadata.receive(&said.1, response.headers_mut());
        }
        response.extensions_mut().insert(fault.kind());
        Ok(response)
    }
}

/// How a call failed that ended with a code.
pub(crate) fn failure_of(code: Code) -> Failure {
    match code {
        Code::Unavailable => Failure::Unavailable,
        Code::DeadlineExceeded => Failure::TimedOut,
        Code::Internal | Code::Unknown | Code::DataLoss | Code::Unimplemented => Failure::Failed,
        _ => Failure::Refused,
    }
}

/// Whether the client has this version already (RFC 9110, 13.1.2): compared weakly, by what is between the quotes.
fn knows(headers: &HeaderMap, tag: &HeaderValue) -> bool {
    fn strong(tag: &[u8]) -> &[u8] {
        tag.strip_prefix(b"W/").unwrap_or(tag)
    }
    let values = headers.get_all(IF_NONE_MATCH).into_iter();
    let mut tags = values.flat_map(|value| value.as_bytes().split(|&byte| byte == b','));
    tags.any(|one| {
        let one = one.trim_ascii();
        one == b"*" || strong(one) == strong(tag.as_bytes())
    })
}

impl Fault {
    /// A service gives up when its time is over, and says it in other words.
    pub(super) fn by(self, deadline: Instant) -> Fault {
        let gave_up = match &self {
            Fault::Status(said) => said.0.code == Code::Cancelled,
            Fault::Reset(code, _) => *code == Code::Cancelled,
            _ => false,
        };
        match gave_up && Instant::now() + DEADLINE_SLACK >= deadline {
            true => Fault::TooSlow,
            false => self,
        }
    }

    /// For the operator: what a client is not told, and limits that were hit.
    pub(super) fn note(&self, upstream: &str, metrics: &Metrics, listener: &'static str) {
        match self {
            Fault::Reset(_, error) | Fault::Unreachable(error) | Fault::Unconnected(error) => {
                tracing::warn!(upstream, error, "Call failed");
            }
            Fault::Full => metrics.limit_hit(listener, "upstream_waiting"),
            Fault::TooSlow => metrics.limit_hit(listener, "upstream_time"),
            Fault::Idle => metrics.limit_hit(listener, "stream_idle"),
            Fault::TooLarge(_) => metrics.limit_hit(listener, "answer_bytes"),
            Fault::Status(_) | Fault::Broken(_) => {}
        }
    }

    /// What is wrong with an answer that breaks the contract.
    fn trouble(&self) -> Option<&str> {
        match self {
            Fault::Broken(trouble) | Fault::TooLarge(trouble) => Some(trouble),
            _ => None,
        }
    }

    /// How it failed, for whoever may answer instead.
    fn kind(&self) -> Failure {
        match self {
            Fault::Status(said) => failure_of(said.0.code),
            Fault::Full => Failure::NotSent,
            Fault::Unconnected(_) => Failure::Unreachable,
            Fault::Reset(..) | Fault::Unreachable(_) => Failure::Broken,
            Fault::TooSlow | Fault::Idle => Failure::TimedOut,
            Fault::Broken(_) | Fault::TooLarge(_) => Failure::Failed,
        }
    }

    /// As a service would have said it. A failed connection is told without its addresses.
    pub(super) fn to_status(&self, upstream: &str) -> StatusParts {
        let (code, what) = match self {
            Fault::Status(said) => return said.0.clone(),
            Fault::Full => (Code::ResourceExhausted, "has too many calls that wait"),
            Fault::Reset(code, _) => (*code, "broke the call off"),
            Fault::Unreachable(_) | Fault::Unconnected(_) => {
                (Code::Unavailable, "cannot be reached")
            }
            Fault::Broken(_) => (Code::Internal, "gave an answer that cannot be read"),
            Fault::TooLarge(_) => (Code::Internal, "gave an answer that is too large"),
            Fault::TooSlow => (Code::DeadlineExceeded, "did not answer in time"),
            Fault::Idle => (Code::DeadlineExceeded, "was silent for too long"),
        };
        StatusParts {
            code,
            message: format!("{upstream} {what}"),
            details: Bytes::new(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_version_is_known_by_what_is_between_the_quotes() {
        #[track_caller]
        fn check(values: &[&'static str], want: bool) {
            let mut headers = HeaderMap::new();
            for value in values {
                headers.append(IF_NONE_MATCH, HeaderValue::from_static(value));
            }
            assert_eq!(
                knows(&headers, &HeaderValue::from_static("\"a\"")),
                want,
                "{values:?}"
            );
        }
        check(&[], false);
        check(&["\"a\""], true);
        check(&["W/\"a\""], true);
        check(&["\"b\", \"a\""], true);
        check(&["\"b\"", "\"a\""], true);
        check(&["*"], true);
        check(&["\"b\""], false);
        check(&["a"], false);
    }
}
