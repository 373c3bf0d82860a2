//! One call on the wire: a request out, messages and a status back.
//!
//! Written for the path that every transcoded request takes: headers are put together from ready values, a message that
//! came in one frame is handed on without a copy, and nothing is spawned. Whoever drops an [`Answer`] before its end breaks
//! the call off.

use std::error::Error;

use banyan_transcode::{Code, StatusParts};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Method, Request, Uri, Version,
    header::{CONTENT_TYPE, TE},
    uri::PathAndQuery,
};
use http_body_util::BodyExt as _;
use tonic::body::Body;
use tower::{Service as _, ServiceExt as _};

use super::{
    frames::{Deframer, FrameError},
    status,
};
use crate::upstreams::{GrpcError, GrpcService};

const GRPC_TIMEOUT: HeaderName = HeaderName::from_static("grpc-timeout");
const GRPC: HeaderValue = HeaderValue::from_static("application/grpc");
const TRAILERS: HeaderValue = HeaderValue::from_static("trailers");

/// Headers of most calls; more are a matter of allow-lists.
const HEADERS: usize = 12;

/// Why there is no answer.
#[derive(Debug)]
pub(crate) enum Fault {
    /// The service said so.
    Status(Box<(StatusParts, HeaderMap)>),
    /// The stream was broken off with a code.
    Reset(Code, String),
    /// As many calls wait for the service as may.
    Full,
    /// No connection, or one that was refused: the service has seen nothing.
    Unconnected(String),
    /// A connection that went away.
    Unreachable(String),
    /// What came is not gRPC, or not the contract.
    Broken(String),
    /// Over a limit of this gateway.
    TooLarge(String),
    /// The deadline passed.
    TooSlow,
    /// A stream in which nothing came for too long.
    Idle,
}

impl Fault {
    /// Whether the connection was lost, so that nobody knows what has become of the call.
    pub(crate) fn is_lost(&self) -> bool {
        matches!(self, Fault::Unreachable(_))
    }
}

/// A request to a method, with its deadline as a header.
pub(crate) fn request(path: PathAndQuery, timeout: HeaderValue, body: Body) -> Request<Body> {
    let mut headers = HeaderMap::with_capacity(HEADERS);
    headers.insert(CONTENT_TYPE, GRPC);
    headers.insert(TE, TRAILERS);
    headers.insert(GRPC_TIMEOUT, timeout);
    let mut request = Request::new(body);
    *request.method_mut() = Method::POST;
    *request.uri_mut() = Uri::from(path);
    *request.version_mut() = Version::HTTP_2;
    *request.headers_mut() = headers;
    request
}

/// What comes back of a call.
#[derive(Debug)]
pub(crate) struct Answer {
    /// The metadata that came first.
    pub(crate) headers: HeaderMap,
    /// The metadata that came last, once it has.
    pub(crate) trailers: HeaderMap,
    body: Body,
    messages: Deframer,
    has_ended: bool,
}

impl Answer {
    /// Sends the request and waits for the answer to begin.
    pub(crate) async fn open(
        mut service: GrpcService,
        request: Request<Body>,
        bytes_max: usize,
    ) -> Result<Answer, Fault> {
        let ready = service.ready().await.map_err(|error| failed(&error))?;
        let response = ready.call(request).await.map_err(|error| failed(&error))?;
        let (parts, body) = response.into_parts();
        if let Some(status) = status::of_headers(&parts.headers) {
            return match status.code {
                Code::Ok => Ok(Answer::of(parts.headers, Body::empty(), bytes_max)),
                _ => Err(Fault::Status(Box::new((status, parts.headers)))),
            };
        }
        if let Some(code) = status::not_grpc(parts.status, &parts.headers) {
            let trouble = format!("the answer is no gRPC but HTTP {}", parts.status);
            return Err(Fault::Reset(code, trouble));
        }
        Ok(Answer::of(parts.headers, body, bytes_max))
    }

    fn of(headers: HeaderMap, body: Body, bytes_max: usize) -> Answer {
        let trailers = match headers.contains_key(status::GRPC_STATUS) {
            true => headers.clone(),
            false => HeaderMap::new(),
        };
        Answer {
            headers,
            trailers,
            body,
            messages: Deframer::new(bytes_max),
            has_ended: false,
        }
    }

    /// The next message; `None` when the call has ended well. May be dropped and called again.
    pub(crate) async fn next(&mut self) -> Result<Option<Bytes>, Fault> {
        loop {
            if let Some(message) = self.ready()? {
                return Ok(Some(message));
            }
            if self.has_ended {
                return Ok(None);
            }
            match self.body.frame().await {
                Some(Ok(frame)) => match frame.into_data() {
                    Ok(data) => self.messages.push(data),
                    Err(frame) => self.trailers = frame.into_trailers().unwrap_or_default(),
                },
                Some(Err(error)) => return Err(failed(&error)),
                None => return self.end(),
            }
        }
    }

    /// A message that is here already.
    pub(crate) fn ready(&mut self) -> Result<Option<Bytes>, Fault> {
        self.messages.next().map_err(|error| match error {
            FrameError::TooLarge { .. } => Fault::TooLarge(error.to_string()),
            _ => Fault::Broken(error.to_string()),
        })
    }

    fn end(&mut self) -> Result<Option<Bytes>, Fault> {
        match status::of_headers(&self.trailers) {
            Some(status) if status.code == Code::Ok => match self.messages.finish() {
                Ok(()) => {
                    self.has_ended = true;
                    Ok(None)
                }
                Err(error) => Err(Fault::Broken(error.to_string())),
            },
            Some(status) => Err(Fault::Status(Box::new((
                status,
                std::mem::take(&mut self.trailers),
            )))),
            // The connection was lost, or the stream was cancelled: the client library cannot tell.
            None => Err(Fault::Unreachable(
                "the call ended without a status".to_owned(),
            )),
        }
    }
}

/// What an error of the connection means. Its words hold addresses and are for operators only.
fn failed(error: &(dyn Error + 'static)) -> Fault {
    let mut text = error.to_string();
    let mut next = Some(error);
    while let Some(error) = next {
        if error.is::<tonic::TimeoutExpired>() {
            return Fault::TooSlow;
        }
        if let Some(error) = error.downcast_ref::<GrpcError>()
            && error.is_never_sent()
        {
            if matches!(error, GrpcError::Saturated { .. }) {
                return Fault::Full;
            }
            let why = error.source().map(|source| format!(": {source}"));
            return Fault::Unconnected(text + &why.unwrap_or_default());
        }
        if let Some(reset) = error.downcast_ref::<h2::Error>().filter(|h2| h2.is_reset())
            && let Some(reason) = reset.reason()
        {
            return Fault::Reset(status::of_reset(reason), text);
        }
        next = error.source();
        if let Some(source) = next {
            text = format!("{text}: {source}");
        }
    }
    Fault::Unreachable(text)
}
