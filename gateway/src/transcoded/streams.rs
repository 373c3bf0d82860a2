//! Calls that stream, in either direction or in both.

use std::time::Duration;

use axum::body::Body;
use banyan_transcode::Pieces;
use http::{Request, Response};
use tokio::time::{Instant, timeout_at};

use super::{
    Ask, Call,
    download::{Content, Download, Teller},
    exchange::{Answer, Fault},
    form::Form,
    upload::{First, Items, Trouble, Upload},
    whole,
};
use crate::{body::BodyLimits, compression, refusal::Refusal};

/// How long an answer that has begun is waited with for its first item: a failure that comes at once still has a status of
/// its own then. A stream that is silent at first begins without one, so that its client knows that it is connected.
const FIRST_ITEM: Duration = Duration::from_millis(50);

impl Call {
    pub(super) async fn stream(
        &self,
        ask: &Ask<'_>,
        body: Body,
    ) -> Result<Response<Body>, Refusal> {
        let trouble = Trouble::default();
        let body = match self.transcoder.is_client_streaming() && self.takes_body {
            true => self.upload(ask, body, &trouble)?.body(),
            false => match self.message(ask, body).await? {
                Ok(message) => whole(message),
                Err(refused) => return Ok(refused),
            },
        };
        let (left, timeout) = self.left(&self.stream_deadline, ask)?;
        let request = self.request(ask, body, timeout)?;
        match self.transcoder.is_server_streaming() {
            true => self.download(ask, request, left, trouble).await,
            false => self.exchanged(ask, request, left, &trouble).await,
        }
    }

    /// What the client streams, as the body of the call.
    fn upload(&self, ask: &Ask<'_>, body: Body, trouble: &Trouble) -> Result<Upload, Refusal> {
        // The stream has limits of its own, for an item and for a pause.
        let limits = BodyLimits {
            bytes_max: None,
            idle: Duration::from_millis(self.streams.deadline_ms),
        };
        let (body, watches) = match compression::of_request(&ask.parts.headers)? {
            None => (body, [None, None]),
            Some(coding) => {
                let (body, watch) = compression::decompressed(body, coding, limits);
                (body, [Some(watch), None])
            }
        };
        let items = match self.transcoder.takes_http_body() {
            true => Items::Raw(None),
            false => Items::Json(Box::new(Pieces::new(self.streams.item_bytes_max))),
        };
        // In both directions at once a client may wait for answers for as long as the service may be silent.
        let idle = Duration::from_millis(self.streams.idle_timeout_ms);
        Ok(Upload {
            body,
            watches,
            items,
            transcoder: self.transcoder.clone(),
            first: Some(First {
                captures: ask.captures.clone(),
                query: ask.parts.uri.query().map(str::to_owned),
                content_type: ask.content_type.map(str::to_owned),
                request_id: ask.request_id.clone(),
                if_match: ask.if_match.map(str::to_owned),
            }),
            idle: (!self.transcoder.is_server_streaming()).then_some(idle),
            trouble: trouble.clone(),
        })
    }

    /// Sends the call, waits for its answer to begin, and lets the answer's body do the rest.
    async fn download(
        &self,
        ask: &Ask<'_>,
        request: Request<tonic::body::Body>,
        left: Duration,
        trouble: Trouble,
    ) -> Result<Response<Body>, Refusal> {
        let deadline = Instant::now() + left;
        let content = match self.transcoder.answers_http_body() {
            true => Content::Raw,
            false => Content::Json(Form::asked(&ask.parts.headers)),
        };
        let open = Answer::open(self.service.clone(), request, self.streams.item_bytes_max);
        // A client that is to speak first may be as silent as the service.
        let idle = Instant::now() + Duration::from_millis(self.streams.idle_timeout_ms);
        let silent = if idle < deadline {
            Fault::Idle
        } else {
            Fault::TooSlow
        };
        let opened = timeout_at(deadline.min(idle), open).await;
        let mut answer = match opened.unwrap_or(Err(silent)) {
            Ok(answer) => answer,
            Err(fault) => return self.failure(ask, fault.by(deadline), &trouble),
        };
        // Only the first piece of raw content says what kind it is.
        let patience = match content {
            Content::Json(_) => deadline.min(Instant::now() + FIRST_ITEM),
            Content::Raw => deadline,
        };
        let first = match timeout_at(patience, answer.next()).await {
            Ok(Ok(first)) => first,
            Ok(Err(fault)) => return self.failure(ask, fault.by(deadline), &trouble),
            Err(_) if patience == deadline => return self.failure(ask, Fault::TooSlow, &trouble),
            Err(_) => None,
        };
        let headers = answer.headers.clone();
        let download = Download {
            answer,
            content,
            teller: Teller {
                profile: ask.profile.clone(),
                upstream: self.upstream.clone(),
                metrics: ask.caller.metrics.clone(),
                listener: ask.caller.listener,
                trouble,
            },
            transcoder: self.transcoder.clone(),
            limits: self.streams,
            deadline,
            first,
        };
        let mut response = download.response();
        *response.status_mut() = self.success;
        self.metadata.receive(&headers, response.headers_mut());
        Ok(response)
    }
}
