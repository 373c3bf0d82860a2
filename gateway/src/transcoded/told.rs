//! A call with a message that is there already, and an answer as a REST client would have got it.
//!
//! So answers to gRPC clients are compared with those of a system that speaks REST only.

use std::time::Duration;

use banyan_transcode::{Captures, Incoming, StatusParts};
use bytes::Bytes;
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
    request::Parts,
};
use http_body_util::Full;

use super::{
    Call, Caller,
    exchange::{self, Fault},
    frames,
};
use crate::{context::REQUEST_ID, idempotency, profile::Profile};

/// Status and body over REST.
pub(crate) type Told = (StatusCode, Bytes);

impl Call {
    /// Asks the service with a message and the metadata of its client; `None` where what it answers cannot be read.
    pub(crate) async fn ask(
        &self,
        metadata: HeaderMap,
        message: &[u8],
        profile: &Profile,
    ) -> Option<Told> {
        let (left, timeout) = self.deadline.left(None, || Duration::ZERO)?;
        let body = tonic::body::Body::new(Full::new(frames::framed(message)));
        let mut request = exchange::request(self.path.clone(), timeout, body);
        let own = std::mem::replace(request.headers_mut(), metadata);
        request.headers_mut().extend(own);
        let exchanged = super::exchange(self.service.clone(), request);
        let answered = tokio::time::timeout(left, exchanged).await;
        match answered.unwrap_or(Err(Fault::TooSlow)) {
            Ok((message, _)) => self.shown(&message),
            Err(fault) => Some(Call::failed(&fault.to_status(&self.upstream), profile)),
        }
    }

    /// The message and the metadata of a REST request whose body is plain; `None` where it is none of the method's.
    pub(crate) fn message_of(
        &self,
        parts: &Parts,
        captures: &Captures,
        body: &[u8],
        caller: &Caller<'_>,
    ) -> Option<(Bytes, HeaderMap)> {
        (!parts.headers.contains_key(CONTENT_ENCODING)).then_some(())?;
        let kind = parts.headers.get(CONTENT_TYPE);
        let request_id = idempotency::key(&parts.headers).ok()?;
        let incoming = Incoming {
            captures,
            query: parts.uri.query(),
            body,
            content_type: kind.and_then(|kind| kind.to_str().ok()),
            request_id: request_id.as_deref(),
            if_match: None,
        };
        let message = self.transcoder.request(&incoming).ok()?;
        let mut metadata = HeaderMap::new();
        self.metadata.send(&parts.headers, &mut metadata).ok()?;
        metadata.insert(REQUEST_ID, caller.context.request_id.clone());
        caller.context.trace.child().inject(&mut metadata);
        if self.guest
            && let Some(guest) = caller.guests.of(&parts.headers, caller.context)
        {
            caller.guests.introduce(&guest, &mut metadata);
        }
        Some((message, metadata))
    }

    /// What a REST client would have been told by a message.
    pub(crate) fn shown(&self, message: &Bytes) -> Option<Told> {
        let raw = self.transcoder.response_http_body(message).ok()?;
        let body = match raw {
            Some(raw) => raw.data,
            None => self.transcoder.response(message).ok()?,
        };
        Some((self.success, body))
    }

    /// The same by a failure.
    pub(crate) fn failed(status: &StatusParts, profile: &Profile) -> Told {
        let rendered = profile.render(status);
        (rendered.http, rendered.body)
    }
}
