//! A stream of messages as the body of an answer.
//!
//! The body is pulled: no message is asked for before the client has taken the ones before. What is not read stays in the
//! flow-control window of the connection to the service, which stops the service when that is full. Messages that are
//! here already are written together.
//!
//! A failure before the first item is an ordinary error with its status. After that the status has gone, and the form of
//! the stream tells ([`Form`]). What was written before a connection is broken off is given a moment to leave: servers of
//! HTTP throw away what waits behind a broken body.

use std::{sync::Arc, time::Duration};

use axum::body::Body;
use banyan_transcode::{DecodeError, Transcoder};
use bytes::{Bytes, BytesMut};
use http::{
    HeaderName, HeaderValue, Response,
    header::{CACHE_CONTROL, CONTENT_TYPE},
};
use tokio::time::{Instant, timeout_at};

use super::{
    exchange::{Answer, Fault},
    form::Form,
    upload::Trouble,
};
use crate::{config::StreamsConfig, metrics::Metrics, profile::Profile};

/// What is written together at most, unless an item is larger.
const BATCH: usize = 16 * 1024;
/// How long an error may take to leave before the connection is broken off.
const LINGER: Duration = Duration::from_millis(100);

/// A stream of messages on its way to a client.
pub(super) struct Download {
    pub(super) answer: Answer,
    pub(super) content: Content,
    pub(super) teller: Teller,
    pub(super) transcoder: Arc<Transcoder>,
    pub(super) limits: StreamsConfig,
    pub(super) deadline: Instant,
    /// The first message, where it has come.
    pub(super) first: Option<Bytes>,
}

/// What messages become.
#[derive(Clone, Copy, Debug)]
pub(super) enum Content {
    Json(Form),
    /// Pieces of one content, as they are.
    Raw,
}

/// Who hears of a failure in mid-stream: the client in the words of its profile, the operator in log and metrics.
pub(super) struct Teller {
    pub(super) profile: Arc<Profile>,
    pub(super) upstream: String,
    pub(super) metrics: Metrics,
    pub(super) listener: &'static str,
    /// What went wrong with what the client sends meanwhile.
    pub(super) trouble: Trouble,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    /// Nothing has been written.
    Fresh,
    Begun,
    /// What is left to do is to break off.
    Broken,
    Over,
}

/// Why a body ends without its end.
#[derive(Debug, thiserror::Error)]
#[error("the stream was broken off")]
struct BrokenOff;

/// What comes next.
enum Next {
    Message(Bytes),
    Heartbeat(&'static [u8]),
    End,
}

/// A download and where it is.
struct Running {
    download: Download,
    phase: Phase,
    /// Until when a message has to come.
    idle_until: Instant,
}

impl Download {
    /// The answer, whose body is the stream.
    pub(super) fn response(self) -> Response<Body> {
        let content = self.content;
        let content_type = match content {
            Content::Json(form) => form.content_type(),
            Content::Raw => raw_type(&self.transcoder, self.first.as_ref()),
        };
        let running = Running {
            idle_until: Instant::now() + Duration::from_millis(self.limits.idle_timeout_ms),
            phase: Phase::Fresh,
            download: self,
        };
        let stream = futures::stream::unfold(running, Running::step);
        let mut response = Response::new(Body::from_stream(stream));
        let headers = response.headers_mut();
        headers.insert(CONTENT_TYPE, content_type);
        if let Content::Json(Form::Events | Form::Lines(_)) = content {
            headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
            // nginx in front would hold events back until it has a page of them.
            let buffering = HeaderName::from_static("x-accel-buffering");
            headers.insert(buffering, HeaderValue::from_static("no"));
        }
        response
    }

    /// Adds a message and all that are here already.
    fn put(&mut self, message: Bytes, is_first: bool, out: &mut BytesMut) -> Result<(), Fault> {
        self.put_one(&message, is_first, out)?;
        while out.len() < BATCH {
            match self.answer.ready()? {
                Some(message) => self.put_one(&message, false, out)?,
                None => break,
            }
        }
        Ok(())
    }

    fn put_one(&self, message: &Bytes, is_first: bool, out: &mut BytesMut) -> Result<(), Fault> {
        let broken = |error: DecodeError| Fault::Broken(error.to_string());
        match self.content {
            Content::Json(form) => {
                let json = self.transcoder.response(message).map_err(broken)?;
                form.item(out, &json, is_first);
            }
            Content::Raw => {
                let body = self
                    .transcoder
                    .response_http_body(message)
                    .map_err(broken)?;
                out.extend_from_slice(&body.map_or_else(Bytes::new, |body| body.data));
            }
        }
        Ok(())
    }
}

impl Running {
    /// The next piece of the body.
    async fn step(mut self) -> Option<(Result<Bytes, BrokenOff>, Running)> {
        match self.phase {
            Phase::Fresh | Phase::Begun => {}
            Phase::Broken => {
                tokio::time::sleep(LINGER).await;
                self.phase = Phase::Over;
                return Some((Err(BrokenOff), self));
            }
            Phase::Over => return None,
        }
        let mut out = BytesMut::new();
        // A raw piece may be empty, and then there is nothing to write yet.
        while out.is_empty() && matches!(self.phase, Phase::Fresh | Phase::Begun) {
            let done = match self.next().await {
                Ok(Next::Message(message)) => {
                    let is_first = self.phase == Phase::Fresh;
                    self.phase = Phase::Begun;
                    self.download.put(message, is_first, &mut out)
                }
                Ok(Next::Heartbeat(sign)) => {
                    out.extend_from_slice(sign);
                    Ok(())
                }
                Ok(Next::End) => {
                    self.end(&mut out);
                    Ok(())
                }
                Err(fault) => Err(fault),
            };
            if let Err(fault) = done {
                self.fail(&fault, &mut out);
            }
        }
        match self.phase {
            Phase::Over if out.is_empty() => None,
            // Nothing to say before breaking off: an empty piece keeps the order of things.
            _ => Some((Ok(out.freeze()), self)),
        }
    }

    /// Waits for the next message, in vain for a limited time.
    async fn next(&mut self) -> Result<Next, Fault> {
        let download = &mut self.download;
        let idle = Duration::from_millis(download.limits.idle_timeout_ms);
        if let Some(first) = download.first.take() {
            return Ok(Next::Message(first));
        }
        let heartbeat = match download.content {
            Content::Json(form) => form.heartbeat(),
            Content::Raw => None,
        };
        let end = self.idle_until.min(download.deadline);
        let quiet = Instant::now() + Duration::from_millis(download.limits.heartbeat_ms);
        let until = if heartbeat.is_some() {
            end.min(quiet)
        } else {
            end
        };
        match timeout_at(until, download.answer.next()).await {
            Ok(message) => {
                self.idle_until = Instant::now() + idle;
                let message = message.map_err(|fault| fault.by(download.deadline))?;
                Ok(message.map_or(Next::End, Next::Message))
            }
            Err(_) => match heartbeat {
                Some(sign) if quiet < end => Ok(Next::Heartbeat(sign)),
                _ if download.deadline <= self.idle_until => Err(Fault::TooSlow),
                _ => Err(Fault::Idle),
            },
        }
    }

    fn end(&mut self, out: &mut BytesMut) {
        if let Content::Json(form) = self.download.content {
            form.end(out, self.phase == Phase::Fresh);
        }
        self.phase = Phase::Over;
    }

    fn fail(&mut self, fault: &Fault, out: &mut BytesMut) {
        let error = self.download.teller.tell(fault);
        match self.download.content {
            Content::Json(form) => {
                form.error(out, &error);
                self.phase = match form.breaks_off() {
                    true => Phase::Broken,
                    false => Phase::Over,
                };
            }
            Content::Raw => self.phase = Phase::Broken,
        }
    }
}

impl Teller {
    /// The error in the words of the profile. What the client did wrong comes before what followed from it.
    fn tell(&self, fault: &Fault) -> Bytes {
        let (code, body) = match self.trouble.take() {
            Some(wrong) => wrong.render(&self.profile),
            None => {
                fault.note(&self.upstream, &self.metrics, self.listener);
                let status = fault.to_status(&self.upstream);
                (status.code, self.profile.render(&status).body)
            }
        };
        self.metrics.stream_broken(self.listener, code.name());
        let upstream = self.upstream.as_str();
        tracing::warn!(upstream, code = code.name(), "Stream ended with an error");
        body
    }
}

/// What the first piece says that the content is.
fn raw_type(transcoder: &Transcoder, first: Option<&Bytes>) -> HeaderValue {
    first
        .and_then(|first| transcoder.response_http_body(first).ok()?)
        .filter(|body| !body.content_type.is_empty())
        .and_then(|body| HeaderValue::try_from(body.content_type).ok())
        .unwrap_or_else(|| HeaderValue::from_static("application/octet-stream"))
}
