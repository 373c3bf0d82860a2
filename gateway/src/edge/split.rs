//! Routes that a rollout moves: ask it, let a side answer, and tell the client what follows.
//!
//! A body is looked at only where the rollout's subjects may stand in it, and kept only where legacy might have to answer
//! for gRPC or both sides are compared; either way no more of it than [`BODY_BYTES_MAX`]. Of what changes nothing a copy is
//! kept in passing, so that no answer waits for it.

use std::sync::Arc;

use axum::body::Body;
use banyan_rollout::{BODY_BYTES_MAX, Failure, Side};
use banyan_transcode::Captures;
use bytes::{Bytes, BytesMut};
use http::{Method, Response, StatusCode, header::SET_COOKIE, request::Parts};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::{
    Edge,
    answer::{give_cookie, mark},
};
use crate::{
    access_log::Record,
    body::{Again, limited},
    bridge::Elsewhere,
    context::Context,
    idempotency,
    refusal::Refusal,
    rollouts::{Asked, Comparison, FORCE_SIDE, FORCE_TOKEN, Ruling},
    routes::{Route, Split},
    sent::{Sent, Unseen},
    shadow::{self, Copied, Job, Question},
    transcoded::Caller,
};

impl Edge {
    /// Asks the rollout, and tells the client and the record which side answered.
    #[allow(
        clippy::too_many_arguments,
        reason = "the whole request, which nothing else would hold"
    )]
    pub(super) async fn split(
        &self,
        split: &Arc<Split>,
        route: &Route,
        captures: &Captures,
        mut parts: Parts,
        body: Body,
        caller: &Caller<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let is_safe = caller.is_safe;
        let wants_body = !body.is_end_stream() && self.rollouts.wants_body(&split.rollout);
        let (sent, body) = match wants_body {
            true => {
                let (came, body) = read(body, caller).await;
                (Some(Sent::body(came, &parts.headers)), body)
            }
            false => (None, body),
        };
        let asked = Asked {
            headers: &parts.headers,
            is_safe,
            // HEAD has no content that could be compared.
            is_comparable: match is_safe {
                true => parts.method != Method::HEAD,
                false => split.validation.is_some(),
            },
            captures: Some(captures),
            query: parts.uri.query(),
            body: sent.as_ref(),
            message: None,
            address: caller.context.client_address(),
            token: Some(&caller.token),
            is_operators: self.operators.is_some(),
        };
        let ruling = self.rollouts.rule(&split.rollout, &asked);
        let ruling = ruling.ok_or_else(Refusal::no_route)?;
        // They are for the gateway; the token is a secret besides.
        parts.headers.remove(FORCE_SIDE);
        parts.headers.remove(FORCE_TOKEN);
        let (copy, body) = match ruling.shadow {
            None => (None, body),
            Some(_) => {
                let (copy, body) = Copy::of(sent, body, caller).await;
                (Some(copy), body)
            }
        };
        let (side, cookies) = (ruling.side, ruling.cookies());
        let (kept, body) = match ruling.may_fall_back() {
            true => begin(body, caller).await,
            false => (None, body),
        };
        // Without its body legacy could not answer it.
        if kept.is_some() {
            parts.extensions.insert(Elsewhere);
        }
        // Before anybody is asked: a client that leaves meanwhile has waited for this side.
        record.ruling = Some(ruling);
        let answer = match side {
            Side::Grpc => {
                self.grpc(split, route, captures, &parts, (body, kept), caller, record)
                    .await
            }
            Side::Legacy => self.legacy(split, &parts, body, caller, record).await,
        };
        // A failure has a side too, and its client is to stay there.
        let mut response = answer
            .unwrap_or_else(|refusal| self.refuse(&route.profile, refusal, caller.context, record));
        if let Some(comparison) = record.ruling.as_ref().and_then(Ruling::comparison)
            && let Some(copy) = copy
        {
            let (other, shadows) = (comparison.answered().other(), self.rollouts.shadows());
            if let Copy::Read(Err(unseen)) = copy {
                shadows.not_copied(&comparison, unseen);
            }
            if let Some(question) = question(split, other, captures, parts, copy, caller) {
                let job = self.job(comparison, split, route, question, caller);
                response = shadows.follow(job.prepared(), None, response);
            }
        }
        let side = record.ruling.as_ref().map_or(side, |ruling| ruling.side);
        mark(&mut response, side, cookies, caller.context);
        Ok(response)
    }

    /// A request that is to be compared once it is answered.
    pub(super) fn job(
        &self,
        comparison: Comparison,
        split: &Arc<Split>,
        route: &Route,
        question: Question,
        caller: &Caller<'_>,
    ) -> Job {
        Job {
            comparison,
            split: Arc::clone(split),
            route: route.label.as_str().into(),
            profile: Arc::clone(&route.profile),
            question,
            context: caller.context.detached(),
            guests: caller.guests.clone(),
            limits: self.limits.body,
            compression: caller.compression.clone(),
            metrics: self.metrics.clone(),
        }
    }

    /// Lets gRPC answer, or legacy where that failed without having happened and the body was kept.
    #[allow(
        clippy::too_many_arguments,
        reason = "the whole request, which nothing else would hold"
    )]
    async fn grpc(
        &self,
        split: &Split,
        route: &Route,
        captures: &Captures,
        parts: &Parts,
        (body, kept): (Body, Option<Bytes>),
        caller: &Caller<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let answer = match &split.grpc {
            Ok(call) => {
                call.answer(parts, body, captures, &route.profile, caller)
                    .await
            }
            Err(absent) => Err(absent.refusal()),
        };
        let mut response = answer?;
        let failure = response.extensions_mut().remove::<Failure>();
        if let (Some(failure), Some(kept)) = (failure, kept) {
            // Both sides must have known the request by its id: what the method has no place for was never told.
            let has_request_id = split
                .grpc
                .as_ref()
                .is_ok_and(|call| call.takes_request_id())
                && matches!(idempotency::key(&parts.headers), Ok(Some(_)));
            let ruling = record.ruling.as_mut();
            if ruling.is_some_and(|ruling| ruling.fall_back(failure, has_request_id).is_ok()) {
                let answer = self
                    .legacy(split, parts, Body::from(kept), caller, record)
                    .await;
                record.note(format!("legacy answered: gRPC failed ({failure:?})"));
                return answer;
            }
        }
        if !caller.is_safe
            && is_done(response.status())
            && let Some(ruling) = &record.ruling
        {
            let is_known = split.legacy_knows();
            self.after_write(&mut response, ruling, is_known, caller.context);
        }
        Ok(response)
    }

    pub(super) async fn legacy(
        &self,
        split: &Split,
        parts: &Parts,
        body: Body,
        caller: &Caller<'_>,
        record: &mut Record,
    ) -> Result<Response<Body>, Refusal> {
        let mut response = split
            .legacy
            .forward_whole(
                parts,
                body,
                caller.context,
                caller.limits,
                caller.guests,
                caller.is_safe,
            )
            .await?;
        if !caller.is_safe && is_done(response.status()) {
            let is_known = match &split.follower {
                Some(follower) => {
                    record.trouble = follower.catch_up().await.err();
                    record.trouble.is_none()
                }
                None => split.shares_data,
            };
            if let Some(ruling) = &record.ruling {
                self.after_write(&mut response, ruling, is_known, caller.context);
            }
        }
        Ok(caller.compression.forwarded(&parts.headers, response))
    }

    /// Gives the client what makes its next reads find this write.
    pub(super) fn after_write(
        &self,
        response: &mut Response<Body>,
        ruling: &Ruling,
        is_known: bool,
        context: &Context,
    ) {
        for (name, value) in ruling.after_write(is_known, self.rollouts.steering()) {
            match name {
                SET_COOKIE => give_cookie(response, value, context),
                name => {
                    response.headers_mut().append(name, value);
                }
            }
        }
    }
}

/// The body of a request that is to be compared.
enum Copy {
    /// Of one that changes nothing: kept in passing.
    Passing(Copied),
    /// Of a write that is to be validated: read beforehand, if it could be.
    Read(Result<Bytes, Unseen>),
}

impl Copy {
    /// The copy, and the body to pass on; `sent`: what was read of it already.
    async fn of(sent: Option<Sent>, body: Body, caller: &Caller<'_>) -> (Copy, Body) {
        if caller.is_safe {
            let (body, copied) = Copied::of(body);
            return (Copy::Passing(copied), body);
        }
        match sent {
            Some(sent) => (Copy::Read(sent.into_came()), body),
            None => {
                let (came, body) = read(body, caller).await;
                (Copy::Read(came), body)
            }
        }
    }
}

/// What the other side is asked too, if it can be.
fn question(
    split: &Split,
    other: Side,
    captures: &Captures,
    parts: Parts,
    copy: Copy,
    caller: &Caller<'_>,
) -> Option<Question> {
    match copy {
        Copy::Passing(body) => Some(Question::Rest {
            parts,
            captures: captures.clone(),
            body,
        }),
        Copy::Read(body) => validated(split, other, captures, &parts, body.ok()?, caller),
    }
}

/// A write, to be validated by the side that has not done it.
fn validated(
    split: &Split,
    side: Side,
    captures: &Captures,
    parts: &Parts,
    body: Bytes,
    caller: &Caller<'_>,
) -> Option<Question> {
    let validation = split.validation.as_ref()?;
    split.may_be_validated(side).then_some(())?;
    let call = split.grpc.as_ref().ok()?;
    let (message, metadata) = call.message_of(parts, captures, &body, caller)?;
    let (view, rules) = (&validation.view, &validation.rules);
    let (message, rest) = shadow::validated(view, rules, &message, parts, caller.guests)?;
    Some(Question::Validated {
        message,
        metadata,
        rest,
        is_call: false,
    })
}

/// Whether a write was done: old systems answer one with a redirect to what was written (RFC 9110, 15.4.4).
fn is_done(status: StatusCode) -> bool {
    status.is_success() || status.is_redirection()
}

/// Reads a body, if it is short: the whole of it, and a body that is the same again. Of a longer one, or one that breaks
/// off, only the latter: whoever reads it next says what is wrong.
async fn begin(body: Body, caller: &Caller<'_>) -> (Option<Bytes>, Body) {
    let (came, body) = read(body, caller).await;
    (came.ok(), body)
}

/// The same, with what kept it from being read.
async fn read(body: Body, caller: &Caller<'_>) -> (Result<Bytes, Unseen>, Body) {
    if body.is_end_stream() {
        return (Ok(Bytes::new()), body);
    }
    let is_long = |body: &Body| body.size_hint().lower() > BODY_BYTES_MAX as u64;
    if is_long(&body) {
        return (Err(Unseen::TooLong), body);
    }
    let (mut body, _) = limited(body, caller.limits);
    let mut begun = BytesMut::new();
    loop {
        match body.frame().await {
            None => {
                let whole = begun.freeze();
                return (Ok(whole.clone()), Body::from(whole));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    begun.extend_from_slice(&data);
                }
            }
            Some(Err(error)) => {
                let rest = Body::from_stream(futures::stream::iter([Err::<Bytes, _>(error)]));
                return (Err(Unseen::BrokenOff), Again::body(begun.freeze(), rest));
            }
        }
        if begun.len() > BODY_BYTES_MAX {
            let rest = Body::new(body);
            return (Err(Unseen::TooLong), Again::body(begun.freeze(), rest));
        }
    }
}
