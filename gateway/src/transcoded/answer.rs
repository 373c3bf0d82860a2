//! One message, or a failure, as a response.

use axum::body::Body;
use banyan_transcode::{Code, StatusParts};
use bytes::Bytes;
use http::{HeaderValue, Response, header::CONTENT_TYPE, request::Parts};

use super::{
    Call, Caller,
    exchange::{Answer, Fault},
};
use crate::{profile::Profile, refusal::Refusal};

pub(super) const JSON: HeaderValue = HeaderValue::from_static("application/json");

impl Call {
    pub(super) fn success(
        &self,
        _parts: &Parts,
        message: &Bytes,
        answer: &Answer,
    ) -> Result<Response<Body>, Refusal> {
        let json = self.transcoder.response(message);
        let json = json.map_err(|error| Refusal::bad_answer(&self.upstream, error.to_string()))?;
        let mut response = Response::new(Body::from(json));
        *response.status_mut() = self.success;
        response.headers_mut().insert(CONTENT_TYPE, JSON);
        self.metadata
            .receive(&answer.headers, response.headers_mut());
        self.metadata
            .receive(&answer.trailers, response.headers_mut());
        Ok(response)
    }

    pub(super) fn failure(
        &self,
        fault: Fault,
        _parts: &Parts,
        profile: &Profile,
        caller: &Caller<'_>,
    ) -> Result<Response<Body>, Refusal> {
        fault.note(&self.upstream, caller);
        if let Some(trouble) = fault.trouble() {
            return Err(Refusal::bad_answer(&self.upstream, trouble.to_owned()));
        }
        let status = fault.to_status(&self.upstream);
        let mut response = profile.error(&status);
        if let Some(body) = self.error_bodies.get(&status.code) {
            response = response.map(|_| Body::from(body.clone()));
        }
        if let Fault::Status(said) = &fault {
            self.metadata.receive(&said.1, response.headers_mut());
        }
        Ok(response)
    }
}

impl Fault {
    /// A service that gives up when its time is over, and says it in other words.
    pub(super) fn in_time(self, is_late: bool) -> Fault {
        match &self {
            Fault::Status(said) if is_late && said.0.code == Code::Cancelled => Fault::TooSlow,
            Fault::Reset(Code::Cancelled, _) if is_late => Fault::TooSlow,
            _ => self,
        }
    }

    /// For the operator: what a client is not told, and limits that were hit.
    pub(super) fn note(&self, upstream: &str, caller: &Caller<'_>) {
        match self {
            Fault::Reset(_, error) | Fault::Unreachable(error) => {
                tracing::warn!(upstream, error, "Call failed");
            }
            Fault::TooSlow => caller.metrics.limit_hit(caller.listener, "upstream_time"),
            Fault::Idle => caller.metrics.limit_hit(caller.listener, "stream_idle"),
            Fault::TooLarge(_) => caller.metrics.limit_hit(caller.listener, "answer_bytes"),
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

    /// As a service would have said it. A failed connection is told without its addresses.
    pub(super) fn to_status(&self, upstream: &str) -> StatusParts {
        let (code, what) = match self {
            Fault::Status(said) => return said.0.clone(),
            Fault::Reset(code, _) => (*code, "broke the call off"),
            Fault::Unreachable(_) => (Code::Unavailable, "cannot be reached"),
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
