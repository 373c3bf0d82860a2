//! Which headers go on to the next hop, and which are added.

use http::{
    HeaderMap, HeaderName, HeaderValue, Version,
    header::{
        CONNECTION, CONTENT_LENGTH, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE,
        PROXY_AUTHORIZATION, TE, TRANSFER_ENCODING, UPGRADE, VIA,
    },
};

use crate::{
    context::{Context, FORWARDED_FOR, FORWARDED_HOST, FORWARDED_PROTO, REQUEST_ID},
    guest::Guests,
};

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

/// How many are added at most.
const ADDED: usize = 8;

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
    headers
        .get_all(CONNECTION)
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
/// each other; `Forwarded` (RFC 7239) would contradict what is written here in the older form.
fn goes_on(name: &HeaderName, trust_forwarded: bool) -> bool {
    static WRITTEN_ANEW: [HeaderName; 4] = [EXPECT, HOST, CONTENT_LENGTH, FORWARDED];
    let is_claim =
        is_forwarded(name) && (!trust_forwarded || name.as_str().as_bytes().contains(&b'_'));
    !HOP_BY_HOP.contains(name) && !WRITTEN_ANEW.contains(name) && !PATHS.contains(name) && !is_claim
}

/// What the server behind is sent.
pub(super) fn for_upstream(
    came: &HeaderMap,
    version: Version,
    body_bytes: Option<u64>,
    context: &Context,
    guests: &Guests,
) -> HeaderMap {
    let named = named(came);
    let mut headers = HeaderMap::with_capacity(came.len() + ADDED);
    for (name, value) in came {
        if goes_on(name, context.trust_forwarded) && !named.contains(name) {
            headers.append(name.clone(), value.clone());
        }
    }
    if came.contains_key(CONTENT_LENGTH) && body_bytes == Some(0) {
        headers.insert(CONTENT_LENGTH, HeaderValue::from_static("0"));
    }
    guests.strip(&mut headers);
    headers.insert(FORWARDED_FOR, context.forwarded_for.clone());
    headers.insert(
        FORWARDED_PROTO,
        HeaderValue::from_static(if context.https { "https" } else { "http" }),
    );
    match &context.host {
        Some(host) => headers.insert(FORWARDED_HOST, host.clone()),
        None => headers.remove(FORWARDED_HOST),
    };
    headers.insert(REQUEST_ID, context.request_id.clone());
    context.trace.child().inject(&mut headers);
    headers.append(
        VIA,
        HeaderValue::from_static(if version == Version::HTTP_2 {
            "2 banyan"
        } else {
            "1.1 banyan"
        }),
    );
    headers
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
