//! One request that is to be compared once it is answered: how either side is asked the same, and what of the answers
//! differs.

use std::sync::Arc;

use axum::body::Body;
use banyan_rollout::Side;
use banyan_transcode::{
    Captures, Code, Finding, FindingKind, RequestView, Reverse, Seen, StatusParts,
};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, StatusCode,
    header::{
        ACCEPT_ENCODING, IF_MATCH, IF_MODIFIED_SINCE, IF_NONE_MATCH, IF_UNMODIFIED_SINCE, RANGE,
    },
    request::Parts,
};
use http_body_util::{BodyExt as _, Limited};
use uuid::Uuid;

use super::{ANSWER_BYTES_MAX, Captured, Copied, Outcome, Said};
use crate::{
    body::BodyLimits,
    compression::Compression,
    context::Context,
    grpc,
    guest::Guests,
    metrics::Metrics,
    profile::Profile,
    rollouts::Comparison,
    routes::Split,
    tokens::Presented,
    transcoded::{Call, Caller, Told, of_headers},
};

/// Told to both sides, so that they can tell such a request from a client's.
const MARK: HeaderName = HeaderName::from_static("x-banyan-shadow");

/// A request that is to be compared once it is answered.
pub(crate) struct Job {
    pub(crate) comparison: Comparison,
    pub(crate) split: Arc<Split>,
    /// The route, as operators see it.
    pub(crate) route: Arc<str>,
    pub(crate) profile: Arc<Profile>,
    pub(crate) question: Question,
    pub(crate) context: Context,
    pub(crate) guests: Guests,
    pub(crate) limits: BodyLimits,
    pub(crate) compression: Compression,
    pub(crate) metrics: Metrics,
}

/// What is asked.
pub(crate) enum Question {
    /// A REST request that changes nothing.
    Rest {
        parts: Parts,
        captures: Captures,
        body: Copied,
    },
    /// A gRPC call that changes nothing, and the REST call that it is.
    Message {
        message: Bytes,
        metadata: HeaderMap,
        rest: Rest,
    },
    /// A write, to be validated only, by the side that has not done it; by legacy where there is a REST call.
    Validated {
        message: Bytes,
        metadata: HeaderMap,
        rest: Option<Rest>,
        /// Whether the client is answered with a message.
        is_call: bool,
    },
}

/// A REST call with all of its body.
pub(crate) struct Rest {
    pub(crate) parts: Parts,
    pub(crate) body: Bytes,
}

/// A write as it is sent to be validated: the message with `validate_only` set, under an id of its own, and for legacy
/// its REST call. `None` where the method has no such field.
pub(crate) fn validated(
    view: &RequestView,
    rules: &[Reverse],
    message: &[u8],
    call: &Parts,
    guests: &Guests,
) -> Option<(Bytes, Option<Rest>)> {
    let copy = view.validate_only(message, &Uuid::new_v4().to_string())?;
    let id = view.request_id(&copy);
    let rest = Rest::of(rules, &copy, id.as_deref(), call, guests);
    Some((Bytes::from(copy), rest))
}

impl Question {
    /// Whether the client is answered with a message and a status after it.
    pub(super) fn is_message(&self) -> bool {
        match self {
            Question::Rest { .. } => false,
            Question::Message { .. } => true,
            Question::Validated { is_call, .. } => *is_call,
        }
    }

    /// Whether all of the request is here; else why not.
    pub(super) fn is_whole(&self) -> Result<(), Outcome> {
        match self {
            Question::Rest { body, .. } => body.whole().map(|_| ()),
            Question::Message { .. } | Question::Validated { .. } => Ok(()),
        }
    }

    /// Whether the side that answered may be asked again.
    pub(super) fn is_repeatable(&self) -> bool {
        !matches!(self, Question::Validated { .. })
    }

    /// A copy is marked. What asks for a part, or for nothing unless it changed, is left out: both sides are to say all they
    /// know.
    fn each_header(&mut self, mut change: impl FnMut(&mut HeaderMap)) {
        match self {
            Question::Rest { parts, .. } => change(&mut parts.headers),
            Question::Message { metadata, rest, .. } => {
                change(metadata);
                change(&mut rest.parts.headers);
            }
            Question::Validated { metadata, rest, .. } => {
                change(metadata);
                if let Some(rest) = rest {
                    change(&mut rest.parts.headers);
                }
            }
        }
    }
}

impl Rest {
    /// The REST call of a message, if it has one.
    pub(crate) fn of(
        rules: &[Reverse],
        message: &[u8],
        request_id: Option<&str>,
        call: &Parts,
        guests: &Guests,
    ) -> Option<Rest> {
        let (parts, body, _) = grpc::rest(rules, message, request_id, call, guests).ok()?;
        Some(Rest { parts, body })
    }
}

/// Whether a status depends on a header that copies go without.
fn is_conditional(status: StatusCode) -> bool {
    matches!(
        status,
        StatusCode::NOT_MODIFIED
            | StatusCode::PARTIAL_CONTENT
            | StatusCode::PRECONDITION_FAILED
            | StatusCode::RANGE_NOT_SATISFIABLE
    )
}

impl Job {
    /// A copy of the request, for a side that answers nobody.
    pub(crate) fn prepared(mut self) -> Self {
        self.question.each_header(|headers| {
            for name in [
                ACCEPT_ENCODING,
                IF_MATCH,
                IF_MODIFIED_SINCE,
                IF_NONE_MATCH,
                IF_UNMODIFIED_SINCE,
                RANGE,
            ] {
                headers.remove(name);
            }
            headers.insert(MARK, HeaderValue::from_static("1"));
        });
        self
    }

    pub(super) async fn ask(&self, side: Side) -> Option<Told> {
        let caller = Caller {
            context: &self.context,
            guests: &self.guests,
            limits: self.limits,
            compression: &self.compression,
            metrics: &self.metrics,
            listener: "shadow",
            token: Presented::default(),
            is_safe: self.question.is_repeatable(),
            begun: std::time::Instant::now(),
        };
        // Whoever has done a write is never asked to do anything about it again.
        if !self.question.is_repeatable() && side == self.comparison.answered() {
            return None;
        }
        match (side, &self.question) {
            (
                Side::Grpc,
                Question::Rest {
                    parts,
                    captures,
                    body,
                },
            ) => {
                let call = self.split.grpc.as_ref().ok()?;
                let body = Body::from(body.whole().ok()?.clone());
                let answer = call.answer(parts, body, captures, &self.profile, &caller);
                let (parts, body) = answer.await.ok()?.into_parts();
                let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?;
                Some((parts.status, body.to_bytes()))
            }
            (
                Side::Grpc,
                Question::Message {
                    message, metadata, ..
                }
                | Question::Validated {
                    message, metadata, ..
                },
            ) => {
                let call = self.split.grpc.as_ref().ok()?;
                call.ask(metadata.clone(), message, &self.profile).await
            }
            (Side::Legacy, Question::Rest { parts, body, .. }) => {
                self.legacy(parts, Body::from(body.whole().ok()?.clone()))
                    .await
            }
            (Side::Legacy, Question::Message { rest, .. }) => {
                self.legacy(&rest.parts, Body::from(rest.body.clone()))
                    .await
            }
            (Side::Legacy, Question::Validated { rest, .. }) => {
                let rest = rest.as_ref()?;
                self.legacy(&rest.parts, Body::from(rest.body.clone()))
                    .await
            }
        }
    }

    async fn legacy(&self, parts: &Parts, body: Body) -> Option<Told> {
        let legacy = &self.split.legacy;
        let is_safe = self.question.is_repeatable();
        let (context, guests) = (&self.context, &self.guests);
        let forwarded = legacy.forward(parts, body, context, self.limits, guests, is_safe);
        let (parts, body) = forwarded.await.ok()?.into_parts();
        let body = Limited::new(body, ANSWER_BYTES_MAX).collect().await.ok()?;
        Some((parts.status, body.to_bytes()))
    }

    /// What the side that answered has said, if that can be read from what passed to the client.
    pub(super) fn answer(&self, said: Said, captured: Captured) -> Option<Told> {
        match (said, captured) {
            (_, Captured::Unfit) => None,
            (Said::Known(told), _) => Some(told),
            // It was told of what the client has already, or of a part: the side is asked once more, for all of it.
            (Said::Body(status), _) if is_conditional(status) => None,
            (Said::Body(status), Captured::Whole(body, _)) => Some((status, body)),
            (Said::Message(status), Captured::Whole(sent, trailers)) => {
                self.told(&sent, status.or_else(|| of_headers(&trailers?)))
            }
            // It was compressed for this client: the side is asked once more, for the plain one.
            (_, Captured::Encoded) => None,
        }
    }

    /// What a gRPC client was told, as a REST client would have been; `None` where it cannot be read.
    fn told(&self, sent: &Bytes, status: Option<StatusParts>) -> Option<Told> {
        let call = self.split.grpc.as_ref().ok()?;
        let status = status?;
        match status.code {
            Code::Ok => call.shown(&grpc::only_message(sent)?),
            _ => Some(Call::failed(&status, &self.profile)),
        }
    }

    /// What differs; nothing where there is no contract to judge by. What a write would have answered is not known to
    /// whoever has not done it: there only whether it would have been done is judged.
    pub(super) fn judge(&self, owner: &Told, other: &Told) -> Vec<Finding> {
        fn seen((status, body): &Told) -> Seen<'_> {
            Seen {
                status: status.as_u16(),
                body,
            }
        }
        if matches!(self.question, Question::Validated { .. }) {
            let is_same = owner.0 == other.0 || owner.0.is_success() && other.0.is_success();
            let finding = || Finding {
                path: String::new(),
                kind: FindingKind::Status,
                owner: owner.0.as_u16().to_string(),
                other: other.0.as_u16().to_string(),
            };
            return (!is_same).then(finding).into_iter().collect();
        }
        let comparer = self.split.comparer.as_ref();
        comparer.map_or_else(Vec::new, |comparer| {
            comparer.compare(seen(owner), seen(other))
        })
    }
}
