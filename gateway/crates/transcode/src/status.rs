//! A gRPC status -> an HTTP error in the shape that the clients of a route know.
//!
//! Services speak `google.rpc.Status` with typed details; what the gateway finds wrong itself takes the same form
//! ([`crate::Violations::to_status`]), so there is one renderer and one look. Details are read by hand from the few
//! fields that matter here, so a pool need not declare them; printing them as JSON (shape `google`) is by the pool, and
//! what it does not know is left out. `google.rpc.DebugInfo` never leaves.

mod details;
mod options;

use std::time::Duration;

use bytes::Bytes;
use http::StatusCode;
use prost_reflect::DescriptorPool;

use crate::json::{Plans, Writer, put_string};
use crate::options::Options;
use details::{Details, FieldViolation};

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

/// An error, ready to send as `application/json`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rendered {
    pub http: StatusCode,
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
            ErrorShape::Simple => simple(message),
            ErrorShape::Provider => provider(http, message, details),
        };
        let retry_after = details.retry_after();
        Rendered {
            http,
            body: body.into(),
            retry_after,
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

fn simple(message: &str) -> Vec<u8> {
    let mut out = b"{\"error\":".to_vec();
    put_string(&mut out, message);
    out.push(b'}');
    out
}

fn provider(http: StatusCode, message: &str, details: &Details<'_>) -> Vec<u8> {
    let reason = http.canonical_reason().unwrap_or("Error");
    let mut errors: Vec<(&str, &str)> = details
        .violations
        .iter()
        .map(|violation| ("Validation failed", violation.description))
        .collect();
    if errors.is_empty() {
        errors.push((
            details.title.unwrap_or(reason),
            details.detail.unwrap_or(message),
        ));
    }
    let mut out = b"{\"errors\":[".to_vec();
    for (index, (title, detail)) in errors.into_iter().enumerate() {
        out.extend_from_slice(if index > 0 {
            b",{\"title\":"
        } else {
            b"{\"title\":"
        });
        put_string(&mut out, title);
        out.extend_from_slice(b",\"detail\":");
        put_string(&mut out, detail);
        out.push(b'}');
    }
    out.extend_from_slice(b"]}");
    out
}
