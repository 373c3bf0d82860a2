//! What is served, described: `/openapi.json` and a page that shows it, on each listener for its own routes.
//!
//! They are routes like any other and are compiled with them, so that a path that something else has is found at load, and
//! a new state of contracts brings a new document. It is made when it is first asked for: most processes never are.
//!
//! Described are the methods behind routes. Of what is forwarded, redirected or fixed no contract is known, and a document
//! that guesses is worse than one that is silent.

mod operations;
mod page;

use std::sync::OnceLock;

use axum::body::Body;
use banyan_openapi::{Info, Operation};
use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use bytes::Bytes;
use http::{
    HeaderMap, HeaderName, HeaderValue, Response, StatusCode,
    header::{
        CACHE_CONTROL, CONTENT_SECURITY_POLICY, CONTENT_TYPE, ETAG, IF_NONE_MATCH, REFERRER_POLICY,
        X_CONTENT_TYPE_OPTIONS,
    },
};
use sha2::{Digest as _, Sha256};

use crate::config::{Config, ListenerName};

pub(crate) use operations::Find;

/// Something to show at a path.
#[derive(Debug)]
pub(crate) struct Shown {
    content: Content,
    made: OnceLock<Made>,
}

#[derive(Debug)]
enum Content {
    Document {
        info: Info,
        operations: Vec<Operation>,
    },
    Page {
        document: String,
    },
}

/// An answer, ready to be sent as often as asked for.
#[derive(Debug)]
struct Made {
    body: Bytes,
    etag: Option<HeaderValue>,
    headers: Vec<(HeaderName, HeaderValue)>,
}

/// A path with what is shown there.
pub(crate) struct Place {
    pub(crate) path: String,
    pub(crate) shown: Shown,
    /// Served without the operators' token. The page is: it has no data, and asks for the token.
    pub(crate) is_open: bool,
}

/// What a listener shows; nothing where it serves no method.
pub(crate) fn places(config: &Config, find: Find<'_>, listener: ListenerName) -> Vec<Place> {
    let operations = operations::operations(config, find, listener);
    if !config.openapi.enabled || operations.is_empty() {
        return Vec::new();
    }
    let info = info(config, listener);
    let document = Content::Document { info, operations };
    let page = Content::Page {
        document: config.openapi.document.clone(),
    };
    [
        (&config.openapi.document, document, false),
        (&config.openapi.page, page, true),
    ]
    .map(|(path, content, is_open)| Place {
        path: path.clone(),
        shown: Shown {
            content,
            made: OnceLock::new(),
        },
        is_open,
    })
    .into()
}

/// The document of a listener.
pub(crate) fn document(
    config: &Config,
    find: Find<'_>,
    listener: ListenerName,
) -> serde_json::Value {
    let operations = operations::operations(config, find, listener);
    banyan_openapi::document(&info(config, listener), &operations)
}

fn info(config: &Config, listener: ListenerName) -> Info {
    let openapi = &config.openapi;
    let (title, description) = match listener {
        ListenerName::Public => (openapi.title.clone(), openapi.description.clone()),
        ListenerName::Ops => (
            format!("{} for operators", openapi.title),
            "What the operators' address serves.".to_owned(),
        ),
    };
    Info {
        title,
        version: openapi.version.clone(),
        description,
        guest_cookie: config.guest.cookie.clone(),
    }
}

impl Shown {
    /// The content, or nothing but its validator for whoever has it already.
    pub(crate) fn answer(&self, request: &HeaderMap) -> Response<Body> {
        let made = self.made.get_or_init(|| self.content.make());
        let is_known = made.etag.as_ref().is_some_and(|etag| knows(request, etag));
        let mut response = match is_known {
            true => Response::new(Body::empty()),
            false => Response::new(Body::from(made.body.clone())),
        };
        if is_known {
            *response.status_mut() = StatusCode::NOT_MODIFIED;
        }
        let headers = response.headers_mut();
        headers.extend(made.headers.iter().cloned());
        headers.insert(CACHE_CONTROL, HeaderValue::from_static("no-cache"));
        headers.insert(X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
        if let Some(etag) = &made.etag {
            headers.insert(ETAG, etag.clone());
        }
        response
    }
}

impl Content {
    fn make(&self) -> Made {
        let (body, headers) = match self {
            Content::Document { info, operations } => {
                let document = banyan_openapi::document(info, operations).to_string();
                let kind = HeaderValue::from_static("application/json");
                (document, vec![(CONTENT_TYPE, kind)])
            }
            Content::Page { document } => {
                let page = page::page(document);
                let kind = HeaderValue::from_static("text/html; charset=utf-8");
                let mut headers = vec![
                    (CONTENT_TYPE, kind),
                    (REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
                ];
                let policy = HeaderValue::try_from(page.policy).ok();
                headers.extend(policy.map(|policy| (CONTENT_SECURITY_POLICY, policy)));
                (page.html, headers)
            }
        };
        let hash = URL_SAFE_NO_PAD.encode(&Sha256::digest(&body)[..16]);
        Made {
            body: body.into(),
            etag: HeaderValue::try_from(format!("\"{hash}\"")).ok(),
            headers,
        }
    }
}

/// Whether `If-None-Match` names the tag, weakly: compression weakens it (RFC 9110, 13.1.2).
fn knows(request: &HeaderMap, etag: &HeaderValue) -> bool {
    let values = request.get_all(IF_NONE_MATCH).iter();
    let mut tags = values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(|tag| tag.trim().trim_start_matches("W/"));
    tags.any(|tag| tag == "*" || tag.as_bytes() == etag.as_bytes())
}
