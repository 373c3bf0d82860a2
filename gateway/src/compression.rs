//! Content codings: which answers are compressed with what, and which request bodies can be read.
//!
//! An answer is compressed when its client asks for it, it is text, and it is not small; never when it has a coding
//! already, or says `no-transform`. A client that does not ask costs one look at its header. Items of a stream are flushed one
//! by one, so that an event arrives when it happens. Speed comes before size: windows are small, so that hundreds of streams
//! at once fit in memory.
//!
//! The entity tag of a compressed answer becomes a weak one: the bytes are others, the version of the resource is not.
//!
//! Secrets in an answer beside text that an attacker chooses can be guessed from its length. Nothing of this gateway's own
//! puts the two together; `codings = []` turns compression off for a service that does.

mod decode;
mod encode;

use axum::body::Body;
use http::{
    HeaderMap, HeaderValue, Response, StatusCode,
    header::{
        ACCEPT_ENCODING, ACCEPT_RANGES, CACHE_CONTROL, CONTENT_ENCODING, CONTENT_LENGTH,
        CONTENT_RANGE, CONTENT_TYPE, ETAG, VARY,
    },
};
use http_body::Body as _;

use crate::{
    body::{BodyLimits, Watch, limited},
    config::{Coding, CompressionConfig},
    refusal::Refusal,
};

pub(crate) use decode::{NotUnpacked, is_corrupt, unpacked};

/// What request bodies may be compressed with, for clients.
pub(crate) const READ: HeaderValue = HeaderValue::from_static("zstd, br, gzip, identity");

/// Most codings of one header that are looked at.
const CODINGS_MAX: usize = 32;

/// `[compression]`, ready for use.
#[derive(Clone, Debug)]
pub(crate) struct Compression {
    codings: Vec<Coding>,
    bytes_min: u64,
    forwarded: bool,
}

impl Compression {
    pub(crate) fn new(config: &CompressionConfig) -> Compression {
        Compression {
            codings: config.codings.clone(),
            bytes_min: config.bytes_min,
            forwarded: config.forwarded,
        }
    }

    /// Compresses an answer of the gateway's own, if it is to be.
    pub(crate) fn answer(&self, request: &HeaderMap, response: Response<Body>) -> Response<Body> {
        if self.codings.is_empty() || !self.is_fit(&response) {
            return response;
        }
        let mut response = response;
        response
            .headers_mut()
            .append(VARY, HeaderValue::from_static("accept-encoding"));
        match choose(request, &self.codings) {
            None => response,
            Some(coding) => compressed(response, coding),
        }
    }

    /// The same for the answer of a server behind the gateway, which is left alone unless the setting says otherwise.
    pub(crate) fn forwarded(
        &self,
        request: &HeaderMap,
        response: Response<Body>,
    ) -> Response<Body> {
        match self.forwarded {
            true => self.answer(request, response),
            false => response,
        }
    }

    fn is_fit(&self, response: &Response<Body>) -> bool {
        let headers = response.headers();
        let has_content = !matches!(
            response.status(),
            StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED | StatusCode::PARTIAL_CONTENT
        );
        let is_small = response
            .body()
            .size_hint()
            .upper()
            .is_some_and(|bytes| bytes < self.bytes_min);
        has_content
            && !is_small
            && !headers.contains_key(CONTENT_ENCODING)
            && !headers.contains_key(CONTENT_RANGE)
            && headers.get(CONTENT_TYPE).is_some_and(is_text)
            && !headers.get_all(CACHE_CONTROL).iter().any(forbids)
    }
}

/// Whether content of this kind gets smaller. Most of what is not text is compressed by its own rules.
fn is_text(kind: &HeaderValue) -> bool {
    if kind == "application/json" {
        return true;
    }
    let Ok(kind) = kind.to_str() else {
        return false;
    };
    let kind = kind
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    kind.starts_with("text/")
        || kind.ends_with("+json")
        || kind.ends_with("+xml")
        || matches!(
            kind.as_str(),
            "application/json"
                | "application/x-jsonlines"
                | "application/x-ndjson"
                | "application/ndjson"
                | "application/jsonl"
                | "application/javascript"
                | "application/xml"
                | "application/wasm"
                | "application/yaml"
        )
}

fn forbids(value: &HeaderValue) -> bool {
    let directives = value.to_str().unwrap_or_default().split(',');
    directives
        .into_iter()
        .any(|one| one.trim().eq_ignore_ascii_case("no-transform"))
}

fn compressed(response: Response<Body>, coding: Coding) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    let headers = &mut parts.headers;
    headers.insert(CONTENT_ENCODING, HeaderValue::from_static(coding.name()));
    headers.remove(CONTENT_LENGTH);
    headers.remove(ACCEPT_RANGES);
    if let Some(tag) = headers
        .get(ETAG)
        .filter(|tag| !tag.as_bytes().starts_with(b"W/"))
        && let Ok(weak) = HeaderValue::try_from([b"W/", tag.as_bytes()].concat())
    {
        headers.insert(ETAG, weak);
    }
    Response::from_parts(parts, Body::new(encode::Encoded::new(body, coding)))
}

/// What a request's body is packed in, first to last. `identity` is nothing.
pub(crate) fn packings(headers: &HeaderMap) -> impl Iterator<Item = &str> {
    tokens(headers, CONTENT_ENCODING).filter(|name| !name.eq_ignore_ascii_case("identity"))
}

/// The coding of a request's body.
pub(crate) fn of_request(headers: &HeaderMap) -> Result<Option<Coding>, Refusal> {
    let mut found = None;
    for name in packings(headers) {
        let coding = Coding::named(name).filter(|_| found.is_none());
        found = Some(coding.ok_or_else(Refusal::unsupported_coding)?);
    }
    Ok(found)
}

/// A request's body as it was before it was compressed. Its size counts twice, small and large, so that neither a bomb nor
/// endless nothing gets through; either watch tells.
pub(crate) fn decompressed(body: Body, coding: Coding, limits: BodyLimits) -> (Body, Watch) {
    let (raw, watch) = limited(body, limits);
    (
        Body::new(decode::Decoded::new(Body::new(raw), coding)),
        watch,
    )
}

/// The best of what the client takes: by its own weights, then by our order.
fn choose(headers: &HeaderMap, offered: &[Coding]) -> Option<Coding> {
    let mut any = None;
    let mut weights: [Option<u16>; 3] = [None; 3];
    for one in tokens(headers, ACCEPT_ENCODING).take(CODINGS_MAX) {
        let (name, weight) = weighed(one);
        if name == "*" {
            any = Some(weight);
        } else if let Some(coding) = Coding::named(name) {
            weights[coding as usize] = Some(weight);
        }
    }
    let weight = |coding: Coding| weights[coding as usize].or(any).unwrap_or(0);
    let best = offered.iter().map(|&coding| weight(coding)).max()?;
    let fits = |coding: &&Coding| best > 0 && weight(**coding) == best;
    offered.iter().find(fits).copied()
}

fn tokens(headers: &HeaderMap, name: http::HeaderName) -> impl Iterator<Item = &str> {
    let values = headers.get_all(name).into_iter();
    values
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .map(str::trim)
        .filter(|token| !token.is_empty())
}

/// A name and its weight in thousandths (RFC 9110, 12.4.2); a weight that is none counts as 0.
pub(crate) fn weighed(token: &str) -> (&str, u16) {
    let mut parts = token.split(';').map(str::trim);
    let name = parts.next().unwrap_or_default();
    let weight = parts.find_map(|part| part.strip_prefix("q=").or_else(|| part.strip_prefix("Q=")));
    let weight = match weight {
        None => 1000,
        Some(text) => match text.parse::<f32>() {
            Ok(weight) if (0.0..=1.0).contains(&weight) => (weight * 1000.0).round() as u16,
            _ => 0,
        },
    };
    (name, weight)
}

impl Coding {
    fn name(self) -> &'static str {
        match self {
            Coding::Zstd => "zstd",
            Coding::Br => "br",
            Coding::Gzip => "gzip",
        }
    }

    fn named(name: &str) -> Option<Coding> {
        let is = |one: &str| name.eq_ignore_ascii_case(one);
        let all = [Coding::Zstd, Coding::Br, Coding::Gzip];
        let alias = is("x-gzip").then_some(Coding::Gzip);
        all.into_iter().find(|coding| is(coding.name())).or(alias)
    }
}

#[cfg(test)]
mod tests;
