//! Whether a page of another site made a browser send a request.
//!
//! Browsers say where a request comes from: all of them in `Origin` on writes, current ones in `Sec-Fetch-Site` always,
//! where they trust the connection. Programs say neither, and are believed: they have no cookies to be misused.

use http::{HeaderMap, HeaderName, HeaderValue, header::ORIGIN, uri::Authority};

const SEC_FETCH_SITE: HeaderName = HeaderName::from_static("sec-fetch-site");

/// Whether the request comes from a page that was not loaded from `authority` itself.
pub(crate) fn is_other(headers: &HeaderMap, authority: Option<&Authority>) -> bool {
    says_other(headers) || is_other_origin(headers, authority)
}

/// The same for an address that proxies may call by another name: what `Sec-Fetch-Site` says counts alone where it is
/// there.
pub(crate) fn is_other_behind_proxies(headers: &HeaderMap, host: Option<&HeaderValue>) -> bool {
    if headers.contains_key(SEC_FETCH_SITE) {
        return says_other(headers);
    }
    let authority = host.and_then(|host| Authority::try_from(host.as_bytes()).ok());
    is_other_origin(headers, authority.as_ref())
}

fn says_other(headers: &HeaderMap) -> bool {
    let said = headers.get(SEC_FETCH_SITE).map(HeaderValue::as_bytes);
    said.is_some_and(|site| site != b"same-origin" && site != b"none")
}

fn is_other_origin(headers: &HeaderMap, authority: Option<&Authority>) -> bool {
    let Some(origin) = headers.get(ORIGIN) else {
        return false;
    };
    let origin = origin
        .to_str()
        .ok()
        .and_then(|origin| origin.split_once("://"))
        .map(|(_, authority)| authority);
    origin != authority.map(Authority::as_str)
}
