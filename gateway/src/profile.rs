//! A surface's promises, ready to be kept: how its JSON is read and printed, how its errors look.

use std::sync::Arc;

use axum::body::Body;
use banyan_transcode::{
    ErrorOptions, ErrorShape, Options, Rendered, Renderer, StatusParts, TrailingSlash,
};
use http::{
    HeaderValue, Response, StatusCode,
    header::{CONTENT_TYPE, RETRY_AFTER},
};

use crate::{
    config::{ProfileConfig, StreamsConfig},
    metadata::Allowed,
    refusal::Refusal,
};

/// One `[profiles.NAME]`.
#[derive(Debug)]
pub(crate) struct Profile {
    pub(crate) json: Options,
    pub(crate) trailing_slash: TrailingSlash,
    pub(crate) metadata: Allowed,
    pub(crate) streams: StreamsConfig,
    errors: ErrorOptions,
    renderer: Arc<Renderer>,
}

impl Profile {
    pub(crate) fn new(config: &ProfileConfig, renderer: Arc<Renderer>) -> Profile {
        Profile {
            json: config.json.clone(),
            trailing_slash: config.trailing_slash.into(),
            metadata: Allowed::new(&config.request_headers, &config.response_headers),
            streams: config.streams,
            errors: config.errors.clone(),
            renderer,
        }
    }

    /// An error of a service.
    pub(crate) fn error(&self, status: &StatusParts) -> Response<Body> {
        response(self.render(status))
    }

    /// An error of a service under another HTTP status than its code's.
    pub(crate) fn error_as(&self, http: StatusCode, status: &StatusParts) -> Response<Body> {
        response(self.renderer.render_as(&self.errors, http, status))
    }

    /// An error of the gateway's own.
    pub(crate) fn refuse(&self, refusal: &Refusal) -> Response<Body> {
        let mut response = response(self.render_refusal(refusal));
        if let Some(header) = &refusal.header {
            let (name, value) = header.as_ref();
            response.headers_mut().insert(name, value.clone());
        }
        response
    }

    /// An error of a service, for who sends it otherwise than as an answer.
    pub(crate) fn render(&self, status: &StatusParts) -> Rendered {
        self.renderer
            .render(&self.errors, status.code, &status.message, &status.details)
    }

    /// The same for an error of the gateway's own.
    pub(crate) fn render_refusal(&self, refusal: &Refusal) -> Rendered {
        match self.errors.shape {
            ErrorShape::Simple => {
                self.renderer
                    .render_http(&self.errors, refusal.status, &refusal.message)
            }
            shape => {
                let status = refusal.to_status(shape);
                self.renderer
                    .render_as(&self.errors, refusal.status, &status)
            }
        }
    }
}

fn response(rendered: Rendered) -> Response<Body> {
    let mut response = Response::new(Body::from(rendered.body));
    *response.status_mut() = rendered.http;
    let headers = response.headers_mut();
    headers.insert(
        CONTENT_TYPE,
        HeaderValue::from_static(rendered.content_type),
    );
    if let Some(after) = rendered.retry_after {
        headers.insert(RETRY_AFTER, HeaderValue::from(after.as_secs()));
    }
    response
}
