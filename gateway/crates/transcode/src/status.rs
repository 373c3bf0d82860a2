//! A gRPC status -> an HTTP error in the shape that the clients of a route know.
//!
//! Services speak `google.rpc.Status` with typed details; what the gateway finds wrong itself takes the same form
//! ([`crate::Violations::to_status`]), so there is one renderer and one look. Details are read by hand from the few
//! fields that matter here, so a pool need not declare them; printing them as JSON (shape `google`) is by the pool, and
//! what it does not know is left out. `google.rpc.DebugInfo` never leaves: the other
//! shapes show no detail but the ones that they are made of.

mod debug;
mod details;
mod options;
mod shapes;

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use prost_reflect::DescriptorPool;

use crate::json::{Plans, Writer, put_string};
use crate::options::Options;
use details::{Details, FieldViolation};

pub use debug::without_debug_info;
pub use options::{Code, ErrorOptions, ErrorShape, HttpStatus};

/// Stack traces and the like. A detail that contains one, however deep, is left out with it.
const DEBUG_INFO: &str = "google.rpc.DebugInfo";

/// A gRPC status as it travels: `details` is a `google.rpc.Status`, the content of `grpc-status-details-bin`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StatusParts {
    pub code: Code,
    pub message: String,
    pub details: Bytes,
}

/// An error, ready to send.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub http: StatusCode,
    /// `application/json`, or what the shape has instead.
    pub content_type: &'static str,
    pub body: Bytes,
    /// From `google.rpc.RetryInfo`: whole seconds, rounded up, for the header `retry-after`.
    pub retry_after: Option<Duration>,
}

/// Renders errors; one serves all routes of a descriptor pool.
#[derive(Debug)]
pub struct Renderer {
    plans: Plans,
    options: Options,
}

impl Renderer {
    /// Compiles every message of the pool, since a detail may be any of them.
    pub fn new(pool: &DescriptorPool) -> Self {
        let messages = pool
            .all_messages()
            .filter(|message| !message.is_map_entry());
        let mut plans = Plans::of(messages);
        plans.hide(DEBUG_INFO);
        Renderer {
            plans,
            options: Options::default(),
        }
    }

    /// A status of a service. `details` may be empty, or broken, which counts as empty.
    pub fn render(
        &self,
        options: &ErrorOptions,
        code: Code,
        message: &str,
        details: &[u8],
    ) -> Rendered {
        let details = Details::read(details);
        let http = options.http_status(
            code,
            details.violations.iter().map(FieldViolation::is_missing),
        );
        self.shape(options, http, code, message, &details)
    }

    /// A status under an HTTP status that is already decided.
    pub fn render_as(
        &self,
        options: &ErrorOptions,
        http: StatusCode,
        status: &StatusParts,
    ) -> Rendered {
        let details = Details::read(&status.details);
        self.shape(options, http, status.code, &status.message, &details)
    }

    /// An error that has no gRPC status: an unknown path, a refused method, an upstream that is away.
    pub fn render_http(&self, options: &ErrorOptions, http: StatusCode, message: &str) -> Rendered {
        self.shape(
            options,
            http,
            Code::of_http(http),
            message,
            &Details::default(),
        )
    }

    fn shape(
        &self,
        options: &ErrorOptions,
        http: StatusCode,
        code: Code,
        message: &str,
        details: &Details<'_>,
    ) -> Rendered {
        let body = match options.shape {
            ErrorShape::Google => self.google(http, code, message, details),
            ErrorShape::Simple => shapes::simple(message),
            ErrorShape::Provider => shapes::provider(http, message, details),
            ErrorShape::Problem => shapes::problem(http, code, message, details),
        };
        Rendered {
            http,
            content_type: options.shape.content_type(),
            body: body.into(),
            retry_after: details.retry_after(),
        }
    }

    fn google(
        &self,
        http: StatusCode,
        code: Code,
        message: &str,
        details: &Details<'_>,
    ) -> Vec<u8> {
        let mut out = format!(
            "{{\"error\":{{\"code\":{},\"status\":\"{}\",\"message\":",
            http.as_u16(),
            code.name()
        )
        .into_bytes();
        put_string(&mut out, message);
        let shown = details.anys.iter().filter_map(|any| {
            let mut writer = Writer::new(&self.plans, &self.options);
            let written = writer.typed(any.type_url, &any.value_for_json(), 0);
            written.ok().map(|()| writer.finish())
        });
        let shown: Vec<_> = shown.collect();
        if !shown.is_empty() {
            out.extend_from_slice(b",\"details\":[");
            out.extend_from_slice(&shown.join(&b','));
            out.push(b']');
        }
        out.extend_from_slice(b"}}");
        out
    }
}
