//! Routes that a rollout moves: ask it, let a side answer, and tell the client what follows.
//!
//! A body is looked at only where the rollout's subjects may stand in it, and kept only where legacy might have to answer
//! for gRPC; either way no more of it than [`BODY_BYTES_MAX`].

use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context as TaskContext, Poll};

use axum::body::Body;
use banyan_rollout::{BODY_BYTES_MAX, Failure, Side};
use banyan_transcode::Captures;
use bytes::{Bytes, BytesMut};
use http::{HeaderValue, Method, Response, header::SET_COOKIE, request::Parts};
use http_body::{Body as _, Frame, SizeHint};
use http_body_util::BodyExt as _;

use super::{Edge, mark, secure};
use crate::{
    access_log::Record,
    body::limited,
    context::Context,
    idempotency,
    refusal::Refusal,
    rollouts::{Asked, FORCE_SIDE, FORCE_TOKEN, Ruling},
    routes::{Route, Split},
    shadow::Job,
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
        let wants_body = self.rollouts.wants_body(&split.rollout);
        let (read, body) = match wants_body && !parts.method.is_safe() {
            true => begin(body, caller).await,
            false => (None, body),
        };
        let asked = Asked {
            headers: &parts.headers,
            is_safe: parts.method.is_safe(),
            captures: Some(captures),
            query: parts.uri.query(),
            body: read.as_deref(),
            address: caller.context.client_address(),
            is_operators: self.operators.is_some(),
        };
        let ruling = self
            .rollouts
            .rule(&split.rollout, &asked)
            .ok_or_else(Refusal::no_route)?;
        // They are for the gateway; the token is a secret besides.
        parts.headers.remove(FORCE_SIDE);
        parts.headers.remove(FORCE_TOKEN);

        let set_cookie = ruling.set_cookie.clone();
        let answer = match ruling.side {
            Side::Grpc => {
                self.grpc(split, route, captures, &parts, body, caller, record, ruling)
                    .await
            }
            Side::Legacy => {
                record.ruling = Some(ruling);
                self.legacy(split, &parts, body, caller, record).await
            }
        };
        // A failure has a side too, and its client is to stay there.
        let mut response = answer
            .unwrap_or_else(|refusal| self.refuse(&route.profile, refusal, caller.context, record));
        if parts.method == Method::GET
            && let Some(comparison) = record.ruling.as_ref().and_then(Ruling::comparison)
        {
            let job = Job {
                comparison,
                split: Arc::clone(split),
                route: route.label.as_str().into(),
                profile: Arc::clone(&route.profile),
                captures: captures.clone(),
                parts,
                context: caller.context.clone(),
                guests: caller.guests.clone(),
                limits: self.limits.body,
                compression: caller.compression.clone(),
                metrics: self.metrics.clone(),
            };
            response = self.rollouts.shadows().follow(job.prepared(), response);
        }
        let side = record
            .ruling
            .as_ref()
            .map_or(Side::Legacy, |ruling| ruling.side);
        mark(&mut response, side, set_cookie, caller.context);
        Ok(response)
    }

    /// Lets gRPC answer, or legacy where that failed without having happened.
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
        body: Body,
        caller: &Caller<'_>,
        record: &mut Record,
        mut ruling: Ruling,
    ) -> Result<Response<Body>, Refusal> {
        let (kept, body) = match ruling.may_fall_back() && !parts.method.is_safe() {
            true => begin(body, caller).await,
            false => (parts.method.is_safe().then(Bytes::new), body),
        };
        let answer = match &split.grpc {
            Ok(call) => {
                call.answer(parts, body, captures, &route.profile, caller)
                    .await
            }
            Err(absent) => Err(absent.refusal()),
        };
        let mut response = match answer {
            Ok(response) => response,
            Err(refusal) => {
                record.ruling = Some(ruling);
                return Err(refusal);
            }
        };
        let failure = response.extensions_mut().remove::<Failure>();
        if let (Some(failure), Some(kept)) = (failure, kept) {
            let has_request_id = matches!(idempotency::key(&parts.headers), Ok(Some(_)));
            if ruling.fall_back(failure, has_request_id).is_ok() {
                record.ruling = Some(ruling);
                let answer = self
                    .legacy(split, parts, Body::from(kept), caller, record)
                    .await;
                let why = format!("legacy answered: gRPC failed ({failure:?})");
                record.trouble = Some(match record.trouble.take() {
                    Some(trouble) => format!("{why}; {trouble}"),
                    None => why,
                });
                return answer;
            }
        }
        if !parts.method.is_safe() && response.status().is_success() {
            self.after_write(&mut response, &ruling, true, caller.context);
        }
        record.ruling = Some(ruling);
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
            .forward(parts, body, caller.context, caller.limits, caller.guests)
            .await?;
        if let Some(follower) = &split.follower
            && !parts.method.is_safe()
            && response.status().is_success()
        {
            record.trouble = follower.catch_up().await.err();
            if let Some(ruling) = &record.ruling {
                let is_known = record.trouble.is_none();
                self.after_write(&mut response, ruling, is_known, caller.context);
            }
        }
        Ok(caller.compression.forwarded(&parts.headers, response))
    }

    /// Gives the client what makes its next reads find this write.
    fn after_write(
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

fn give_cookie(response: &mut Response<Body>, cookie: HeaderValue, context: &Context) {
    let secure = context.https.then(|| secure(&cookie)).flatten();
    let cookie = secure.unwrap_or(cookie);
    response.headers_mut().append(SET_COOKIE, cookie);
}

/// Reads a body, if it is short: the whole of it, and a body that is the same again. Of a longer one, or one that breaks
/// off, only the latter: whoever reads it next says what is wrong.
async fn begin(body: Body, caller: &Caller<'_>) -> (Option<Bytes>, Body) {
    let is_long = |body: &Body| body.size_hint().lower() > BODY_BYTES_MAX as u64;
    if is_long(&body) {
        return (None, body);
    }
    let (mut body, _) = limited(body, caller.limits);
    let mut begun = BytesMut::new();
    loop {
        match body.frame().await {
            None => {
                let whole = begun.freeze();
                return (Some(whole.clone()), Body::from(whole));
            }
            Some(Ok(frame)) => {
                if let Ok(data) = frame.into_data() {
                    begun.extend_from_slice(&data);
                }
            }
            Some(Err(error)) => {
                let rest = Body::from_stream(futures::stream::iter([Err::<Bytes, _>(error)]));
                return (None, again(begun, rest));
            }
        }
        if begun.len() > BODY_BYTES_MAX {
            return (None, again(begun, Body::new(body)));
        }
    }
}

fn again(begun: BytesMut, rest: Body) -> Body {
    Body::new(Again {
        begun: Some(begun.freeze()),
        rest,
    })
}

/// What was read of a body, and then the rest of it.
struct Again {
    begun: Option<Bytes>,
    rest: Body,
}

impl http_body::Body for Again {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut TaskContext<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        match self.begun.take() {
            Some(begun) => Poll::Ready(Some(Ok(Frame::data(begun)))),
            None => Pin::new(&mut self.rest).poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        self.begun.is_none() && self.rest.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        let begun = self.begun.as_ref().map_or(0, Bytes::len) as u64;
        let rest = self.rest.size_hint();
        let mut hint = SizeHint::new();
        hint.set_lower(begun + rest.lower());
        if let Some(upper) = rest.upper() {
            hint.set_upper(begun + upper);
        }
        hint
    }
}
