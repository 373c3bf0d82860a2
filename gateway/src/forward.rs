//! Passing a request on to an HTTP server, and its answer back, both as streams.
//!
//! What a proxy must do by RFC 9110 (7.6): take out the headers of this hop, say who asked for what through whom.
//! Nothing is ever sent twice: a write that got no answer may have happened.

mod headers;
mod path;
mod pool;

use std::{pin::pin, time::Duration};

use axum::body::Body;
use http::{
    HeaderValue, Method, Request, Response, StatusCode, Uri, Version,
    header::{HOST, UPGRADE},
    request::Parts,
    uri::PathAndQuery,
};

use self::pool::{Answer, Pool, PoolError};
use crate::{
    body::{BodyLimits, Broken, Watch, limited},
    config::UpstreamConfig,
    context::Context,
    guest::Guests,
    refusal::Refusal,
};

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
    pub(crate) fn new(name: &str, config: &UpstreamConfig, threads: usize) -> Option<HttpUpstream> {
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
            pool: Pool::new(host, port.unwrap_or(80), connect_timeout, threads),
            first_byte_timeout: Duration::from_millis(config.first_byte_timeout_ms),
            body_idle: Duration::from_millis(config.body_idle_timeout_ms),
        })
    }

    /// Its name in the configuration.
    pub(crate) fn name(&self) -> &str {
        &self.name
    }

    /// Passes the request on, without the guest's secret, which is not for this server.
    pub(crate) async fn forward(
        &self,
        parts: &Parts,
        body: Body,
        context: &Context,
        limits: BodyLimits,
        guests: &Guests,
    ) -> Result<Response<Body>, Refusal> {
        if is_tunnel(parts) {
            return Err(Refusal::upgrade());
        }
        if path::leads_elsewhere(parts.uri.path()) {
            return Err(Refusal::bad_path("the path has a `.` or `..` segment"));
        }
        let (body, upload) = limited(body, limits);
        let body_bytes = http_body::Body::size_hint(&body).exact();
        let mut request = Request::new(Body::new(body));
        *request.method_mut() = parts.method.clone();
        *request.uri_mut() = path_of(&parts.uri);
        *request.headers_mut() =
            headers::for_upstream(&parts.headers, parts.version, body_bytes, context, guests);
        request.headers_mut().insert(HOST, self.host.clone());
        let response = self.first_byte(request, &upload).await?;
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
        request: Request<Body>,
        upload: &Watch,
    ) -> Result<Response<Answer>, Refusal> {
        let mut answer = pin!(self.pool.request(request));
        loop {
            let frames = upload.frames();
            match tokio::time::timeout(self.first_byte_timeout, answer.as_mut()).await {
                Ok(Ok(response)) => return Ok(response),
                Ok(Err(error)) => return Err(self.failed(&error, upload)),
                Err(_) if upload.frames() > frames || upload.is_starved() => {}
                Err(_) => return Err(Refusal::upstream_slow(&self.name)),
            }
        }
    }

    fn failed(&self, error: &PoolError, upload: &Watch) -> Refusal {
        match upload.broken() {
            Some(Broken::TooLarge) => Refusal::too_large(),
            Some(Broken::Idle) => Refusal::client_slow(),
            None => Refusal::upstream_unreachable(&self.name, chain(error)),
        }
    }

    fn returned(&self, response: Response<Answer>) -> Response<Body> {
        let (mut parts, body) = response.into_parts();
        headers::remove_hop_by_hop(&mut parts.headers);
        parts.version = Version::HTTP_11;
        let limits = BodyLimits {
            bytes_max: None,
            idle: self.body_idle,
        };
        let body = match parts.status {
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED => Body::empty(),
            _ => Body::new(limited(body, limits).0),
        };
        Response::from_parts(parts, body)
    }
}

/// The path and query go on byte for byte: the server behind may read them otherwise than we do, which is why
/// [`path::leads_elsewhere`] has been asked.
fn path_of(uri: &Uri) -> Uri {
    let path = uri.path_and_query().cloned();
    Uri::from(path.unwrap_or_else(|| PathAndQuery::from_static("/")))
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
