//! Passing a request on to an HTTP server, and its answer back, both as streams.
//!
//! What a proxy must do by RFC 9110 (7.6): take out the headers of this hop, say who asked for what through whom.
//! A write is never sent twice: one that got no answer may have happened. A request that changes nothing and has no
//! body is sent again where its connection was lost before it was answered. Nothing can be repaired once the client has
//! the beginning of an answer; for those who promise that reads do not fail ([`HttpUpstream::forward_whole`]), answers of
//! at most [`WHOLE_BYTES_MAX`] are read to their end first.

mod answer;
mod connection;
mod framing;
mod headers;
mod path;
mod pool;
mod upload;

use std::{io, pin::pin, time::Duration};

use axum::body::Body;
use http::{
    HeaderValue, Method, Response, StatusCode, Uri, Version, header::UPGRADE, request::Parts,
};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use self::{
    answer::Content,
    pool::{Pool, PoolError},
    upload::{Length, Upload},
};
use crate::{
    alarms::Alarms,
    body::{BodyLimits, Broken, Watch, limited},
    bridge::{Bridge, Repeats},
    config::UpstreamConfig,
    context::Context,
    guest::Guests,
    refusal::Refusal,
};

/// When a request is sent once more.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Again {
    Never,
    /// Where its connection was lost before it was answered.
    Unanswered,
    /// And where a short answer was lost on its way.
    BrokenOff,
}

/// Longer answers, and those that do not tell their length, are handed on as they come.
const WHOLE_BYTES_MAX: u64 = 256 * 1024;

/// An HTTP server behind the gateway; clones share its connections.
#[derive(Clone, Debug)]
pub(crate) struct HttpUpstream {
    name: String,
    /// What the server is asked as.
    host: HeaderValue,
    pool: Pool,
    first_byte_timeout: Duration,
    body_idle: Duration,
}

impl HttpUpstream {
    /// `None` if the address is not one; `threads` is how many serve clients.
    pub(crate) fn new(
        name: &str,
        config: &UpstreamConfig,
        bridge: Bridge,
        threads: usize,
    ) -> Option<HttpUpstream> {
        let uri: Uri = config.http.as_deref()?.parse().ok()?;
        let authority = uri.authority()?;
        let host = authority.host().trim_matches(['[', ']']);
        let port = authority.port_u16();
        let connect_timeout = Duration::from_millis(config.connect_timeout_ms);
        let asked_as = match port {
            // The port that `http` has anyway is not said (RFC 9110, 4.2.3).
            None | Some(80) => authority.host().to_owned(),
            Some(port) => format!("{}:{port}", authority.host()),
        };
        Some(HttpUpstream {
            name: name.to_owned(),
            host: HeaderValue::try_from(asked_as).ok()?,
            pool: Pool::new(host, port.unwrap_or(80), connect_timeout, bridge, threads),
            first_byte_timeout: Duration::from_millis(config.first_byte_timeout_ms),
            body_idle: Duration::from_millis(config.body_idle_timeout_ms),
        })
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Passes the request on, without the guest's secret, which is not for this server. `is_safe`: it changes nothing.
    pub(crate) async fn forward(
        &self,
        parts: &Parts,
        body: Body,
        context: &Context,
        limits: BodyLimits,
        guests: &Guests,
        is_safe: bool,
    ) -> Result<Response<Body>, Refusal> {
        let again = match is_safe {
            true => Again::Unanswered,
            false => Again::Never,
        };
        self.passed(parts, body, context, limits, guests, again)
            .await
    }

    /// The same, and where the request may be sent again, so it is too when a short answer breaks off.
    pub(crate) async fn forward_whole(
        &self,
        parts: &Parts,
        body: Body,
        context: &Context,
        limits: BodyLimits,
        guests: &Guests,
        is_safe: bool,
    ) -> Result<Response<Body>, Refusal> {
        let again = match is_safe {
            true => Again::BrokenOff,
            false => Again::Never,
        };
        self.passed(parts, body, context, limits, guests, again)
            .await
    }

    async fn passed(
        &self,
        parts: &Parts,
        body: Body,
        context: &Context,
        limits: BodyLimits,
        guests: &Guests,
        again: Again,
    ) -> Result<Response<Body>, Refusal> {
        if is_tunnel(parts) {
            return Err(Refusal::upgrade());
        }
        if path::leads_elsewhere(parts.uri.path()) {
            return Err(Refusal::bad_path("the path has a `.` or `..` segment"));
        }
        let length = Length::of(&body);
        let head = headers::head(parts, length, &self.host, context, guests);
        let announced = match length {
            Length::Chunks => headers::announced(&parts.headers),
            _ => Vec::new(),
        };
        let (body, watch) = match length {
            Length::None => (body, None),
            _ => {
                let (body, watch) = limited(body, limits);
                (Body::new(body), Some(watch))
            }
        };
        let mut upload = Upload::new(head, body, length, announced);
        let is_head = parts.method == Method::HEAD;
        let mut repeats = Repeats::new(again != Again::Never && length == Length::None);
        let response = loop {
            let answered = self
                .first_byte(upload, is_head, watch.as_ref(), &context.alarms)
                .await?;
            let answered = match answered {
                Ok(response) if again == Again::BrokenOff && repeats.is_left() => {
                    self.whole(response).await?
                }
                answered => answered,
            };
            match answered {
                Ok(response) => break response,
                Err(PoolError::Connection(_)) if repeats.is_left() => repeats.waited().await,
                Err(error) => return Err(self.failed(&error, watch.as_ref())),
            }
            let head = headers::head(parts, length, &self.host, context, guests);
            upload = Upload::new(head, Body::empty(), length, Vec::new());
        };
        if response.status().is_informational() {
            let trouble = format!("it answered {}", response.status());
            return Err(Refusal::bad_answer(&self.name, trouble));
        }
        Ok(self.returned(response))
    }

    /// Waits for the answer to begin. While the client still sends, the clock begins anew with every piece, and a
    /// client that has stopped sending is not the server's fault.
    async fn first_byte(
        &self,
        upload: Upload,
        is_head: bool,
        watch: Option<&Watch>,
        alarms: &Alarms,
    ) -> Result<Result<Response<Content>, PoolError>, Refusal> {
        let mut answer = pin!(self.pool.request(upload, is_head));
        loop {
            let frames = watch.map_or(0, Watch::frames);
            let moves = |watch: &Watch| watch.frames() > frames || watch.is_starved();
            match alarms
                .within(self.first_byte_timeout, answer.as_mut())
                .await
            {
                Some(answered) => return Ok(answered),
                None if watch.is_some_and(moves) => {}
                None => return Err(Refusal::upstream_slow(&self.name)),
            }
        }
    }

    /// Reads an answer to its end, if it is short.
    async fn whole(
        &self,
        response: Response<Content>,
    ) -> Result<Result<Response<Content>, PoolError>, Refusal> {
        let is_short = |stream: &answer::Stream| {
            let bytes = stream.size_hint().exact();
            bytes.is_some_and(|bytes| bytes <= WHOLE_BYTES_MAX)
        };
        let (parts, content) = response.into_parts();
        let stream = match content {
            Content::Stream(stream) if is_short(&stream) => stream,
            content => return Ok(Ok(Response::from_parts(parts, content))),
        };
        let limits = BodyLimits {
            bytes_max: None,
            idle: self.body_idle,
        };
        let (body, watch) = limited(stream, limits);
        match body.collect().await {
            Ok(whole) => {
                let whole = Content::Whole(whole.to_bytes());
                Ok(Ok(Response::from_parts(parts, whole)))
            }
            Err(_) if watch.broken().is_some() => Err(Refusal::upstream_slow(&self.name)),
            Err(error) => Ok(Err(PoolError::Connection(io::Error::other(error)))),
        }
    }

    fn failed(&self, error: &PoolError, watch: Option<&Watch>) -> Refusal {
        match watch.and_then(Watch::broken) {
            Some(Broken::TooLarge) => Refusal::too_large(),
            Some(Broken::Idle) => Refusal::client_slow(),
            None => Refusal::upstream_unreachable(&self.name, chain(error)),
        }
    }

    fn returned(&self, response: Response<Content>) -> Response<Body> {
        let (mut parts, content) = response.into_parts();
        headers::remove_hop_by_hop(&mut parts.headers);
        parts.version = Version::HTTP_11;
        let limits = BodyLimits {
            bytes_max: None,
            idle: self.body_idle,
        };
        let body = match (parts.status, content) {
            (StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED, _) => Body::empty(),
            (_, Content::Whole(bytes)) if bytes.is_empty() => Body::empty(),
            (_, Content::Whole(bytes)) => Body::from(bytes),
            (_, Content::Stream(stream)) => Body::new(limited(stream, limits).0),
        };
        Response::from_parts(parts, body)
    }
}

/// An upgraded connection would pass every limit by; other protocols may be ignored (RFC 9110, 7.8), this one not.
fn is_tunnel(parts: &Parts) -> bool {
    let is_websocket = |value: &HeaderValue| value.as_bytes().eq_ignore_ascii_case(b"websocket");
    parts.method == Method::CONNECT || parts.headers.get_all(UPGRADE).iter().any(is_websocket)
}

fn chain(error: &dyn std::error::Error) -> String {
    let mut text = error.to_string();
    let mut source = error.source();
    while let Some(error) = source {
        text = format!("{text}: {error}");
        source = error.source();
    }
    text
}

#[cfg(test)]
mod tests;
