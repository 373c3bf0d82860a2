//! Which headers go on to the next hop, and which are added.

use banyan_mesh::trace::TRACEPARENT;
use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, COOKIE, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
    },
    request::Parts,
    uri::PathAndQuery,
};

use super::upload::Length;
use crate::{
    context::{Context, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO, REQUEST_ID},
    guest::Guests,
};

/// Room for the head of most requests.
const HEAD_BYTES: usize = 1024;

/// RFC 9110, 7.6.1, with the older ones that it names.
static HOP_BY_HOP: [HeaderName; 8] = [
    CONNECTION,
    HeaderName::from_static("keep-alive"),
    HeaderName::from_static("proxy-connection"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    TE,
    TRANSFER_ENCODING,
    UPGRADE,
];

/// Headers by which some servers and frameworks let a client replace the path that was asked for: they would reach what
/// has no route.
static PATHS: [HeaderName; 2] = [
    HeaderName::from_static("x-original-url"),
    HeaderName::from_static("x-rewrite-url"),
];

/// Whether a server behind may take a header for what only a proxy says about the client. Some servers (CGI, WSGI)
/// cannot tell `_` from `-`.
fn is_forwarded(name: &HeaderName) -> bool {
    let name = name.as_str().as_bytes();
    let begins = |with: &[u8]| {
        let same = |(byte, want): (&u8, &u8)| byte == want || (*byte == b'_' && *want == b'-');
        name.len() >= with.len() && name.iter().zip(with).all(same)
    };
    begins(b"x-forwarded-") || (name.len() == b"x-real-ip".len() && begins(b"x-real-ip"))
}

/// What `Connection` names.
fn named(headers: &HeaderMap) -> Vec<HeaderName> {
    names_in(headers, &CONNECTION)
}

fn names_in(headers: &HeaderMap, list: &HeaderName) -> Vec<HeaderName> {
    headers
        .get_all(list)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .flat_map(|value| value.split(','))
        .filter_map(|name| HeaderName::try_from(name.trim()).ok())
        .collect()
}

/// Takes out the headers that are between two neighbours: the well-known ones and those that `Connection` names.
pub(super) fn remove_hop_by_hop(headers: &mut HeaderMap) {
    if !headers.keys().any(|name| HOP_BY_HOP.contains(name)) {
        return;
    }
    let named = named(headers);
    for name in named.iter().chain(&HOP_BY_HOP) {
        headers.remove(name);
    }
}

/// Whether a client's header goes on. The client's `100 Continue` was given by this gateway when it began to read; the
/// host is the upstream's own; the body says how long it is, whatever the client said, so that the two never contradict
/// each other; `Forwarded` (RFC 7239) would contradict what is written here in the older form; what else the gateway says
/// itself replaces what came.
fn goes_on(name: &HeaderName, trust_forwarded: bool) -> bool {
    static WRITTEN_ANEW: [HeaderName; 10] = [
        EXPECT,
        HOST,
        CONTENT_LENGTH,
        FORWARDED,
        COOKIE,
        REQUEST_ID,
        FORWARDED_FOR,
        FORWARDED_PROTO,
        FORWARDED_HOST,
        HeaderName::from_static(TRACEPARENT),
    ];
    let is_claim =
        is_forwarded(name) && (!trust_forwarded || name.as_str().as_bytes().contains(&b'_'));
    !HOP_BY_HOP.contains(name) && !WRITTEN_ANEW.contains(name) && !PATHS.contains(name) && !is_claim
}

/// The head of the request that the server behind is sent, byte by byte.
pub(super) fn head(
    parts: &Parts,
    length: Length,
    host: &HeaderValue,
    context: &Context,
    guests: &Guests,
) -> Vec<u8> {
    let came = &parts.headers;
    let named = named(came);
    let mut out = Vec::with_capacity(HEAD_BYTES);
    request_line(&mut out, parts);
    line(&mut out, &HOST, host.as_bytes());
    for (name, value) in came {
        if goes_on(name, context.trust_forwarded)
            && !named.contains(name)
            && !guests.is_secret(name)
        {
            line(&mut out, name, value.as_bytes());
        }
    }
    if !named.contains(&COOKIE)
        && let Some(cookies) = guests.cookies(came)
    {
        line(&mut out, &COOKIE, cookies.as_bytes());
    }
    match length {
        Length::None if came.contains_key(CONTENT_LENGTH) => line(&mut out, &CONTENT_LENGTH, b"0"),
        Length::None => {}
        Length::Bytes(bytes) => {
            let mut digits = itoa::Buffer::new();
            line(&mut out, &CONTENT_LENGTH, digits.format(bytes).as_bytes());
        }
        Length::Chunks => line(&mut out, &TRANSFER_ENCODING, b"chunked"),
    }
    line(&mut out, &FORWARDED_FOR, context.forwarded_for.as_bytes());
    let proto: &[u8] = if context.https { b"https" } else { b"http" };
    line(&mut out, &FORWARDED_PROTO, proto);
    if let Some(host) = &context.host {
        line(&mut out, &FORWARDED_HOST, host.as_bytes());
    }
    line(&mut out, &REQUEST_ID, context.request_id.as_bytes());
    let trace = context.trace.child().header();
    line(
        &mut out,
        &HeaderName::from_static(TRACEPARENT),
        trace.as_bytes(),
    );
    let via: &[u8] = match parts.version {
        Version::HTTP_2 => b"2 banyan",
        _ => b"1.1 banyan",
    };
    line(&mut out, &VIA, via);
    out.extend_from_slice(b"\r\n");
    out
}

/// The path and query go on byte for byte: the server behind may read them otherwise than we do, which is why
/// [`super::path::leads_elsewhere`] has been asked.
fn request_line(out: &mut Vec<u8>, parts: &Parts) {
    let target = parts.uri.path_and_query().map_or("/", PathAndQuery::as_str);
    out.extend_from_slice(parts.method.as_str().as_bytes());
    out.push(b' ');
    if !target.starts_with(['/', '*']) {
        out.push(b'/');
    }
    out.extend_from_slice(target.as_bytes());
    out.extend_from_slice(b" HTTP/1.1\r\n");
}

/// Neither holds a line break: they could not have been made.
pub(super) fn line(out: &mut Vec<u8>, name: &HeaderName, value: &[u8]) {
    out.extend_from_slice(name.as_str().as_bytes());
    out.extend_from_slice(b": ");
    out.extend_from_slice(value);
    out.extend_from_slice(b"\r\n");
}

/// The trailers that a request announces.
pub(super) fn announced(headers: &HeaderMap) -> Vec<HeaderName> {
    names_in(headers, &TRAILER)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn headers_of_the_hop_are_removed_and_others_stay() {
        let mut headers = HeaderMap::new();
        for (name, value) in [
            ("connection", "keep-alive, X-Private"),
            ("connection", "x-other"),
            ("keep-alive", "timeout=5"),
            ("te", "trailers"),
            ("transfer-encoding", "chunked"),
            ("upgrade", "h2c"),
            ("x-private", "1"),
            ("x-other", "2"),
            ("x-public", "3"),
        ] {
            headers.append(
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            );
        }
        remove_hop_by_hop(&mut headers);
        assert_eq!(
            headers.keys().map(HeaderName::as_str).collect::<Vec<_>>(),
            ["x-public"]
        );
    }
}
