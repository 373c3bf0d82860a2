//! What a service is told beside the messages, and what a client is.
//!
//! A gRPC client's metadata is part of its call, as its messages are, so it passes; a REST client's headers are not, which
//! is why REST calls only carry what is named. What never passes: what is between two neighbours, what only this gateway
//! may say (who the guest is, where the request came from, which request it is), and the names that gRPC keeps for itself
//! but for those that say how messages are packed.

use base64::Engine as _;
use http::{
    HeaderMap, HeaderName, HeaderValue,
    header::{
        ACCEPT, ACCEPT_ENCODING, AUTHORIZATION, CONNECTION, CONTENT_ENCODING, CONTENT_LENGTH,
        CONTENT_TYPE, DATE, EXPECT, FORWARDED, HOST, PROXY_AUTHENTICATE, PROXY_AUTHORIZATION,
        RETRY_AFTER, SERVER, SET_COOKIE, TE, TRAILER, TRANSFER_ENCODING, UPGRADE, VIA,
    },
};

use crate::{
    context::{Context, REQUEST_ID},
    guest::Guests,
    rollouts::{PIN, WROTE},
    transcoded::BASE64,
};

const STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Names that begin so are for the gateway to say.
const RESERVED: [&str; 2] = ["x-banyan-", "x-forwarded-"];

/// gRPC's own that are between the client and the service.
const GRPC_PASSING: [&str; 3] = [
    "grpc-encoding",
    "grpc-accept-encoding",
    "grpc-previous-rpc-attempts",
];

const OWN: [HeaderName; 21] = [
    ACCEPT,
    ACCEPT_ENCODING,
    CONNECTION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPECT,
    FORWARDED,
    HOST,
    HeaderName::from_static("keep-alive"),
    PROXY_AUTHENTICATE,
    PROXY_AUTHORIZATION,
    HeaderName::from_static("proxy-connection"),
    TE,
    TRAILER,
    TRANSFER_ENCODING,
    UPGRADE,
    HeaderName::from_static("x-grpc-web"),
    HeaderName::from_static("x-real-ip"),
    HeaderName::from_static("x-request-timeout"),
    REQUEST_ID,
];

/// Whether a client may say this to a service. Some servers cannot tell `_` from `-`.
fn passes(name: &HeaderName) -> bool {
    let plain = name.as_str().replace('_', "-");
    let is_own = OWN.iter().any(|own| own.as_str() == plain);
    let is_reserved = RESERVED.iter().any(|prefix| plain.starts_with(prefix));
    let is_grpc = plain.starts_with("grpc-") && !GRPC_PASSING.contains(&name.as_str());
    !is_own && !is_reserved && !is_grpc
}

/// The metadata of a call that leaves to a service. `is_operators`: on the operators' address the `authorization` is this
/// gateway's own affair.
pub(super) fn for_service(
    headers: &HeaderMap,
    context: &Context,
    guests: &Guests,
    is_operators: bool,
) -> HeaderMap {
    let mut out = passing(headers, guests, is_operators);
    out.insert(CONTENT_TYPE, HeaderValue::from_static("application/grpc"));
    // Servers answer a client that does not say so without trailers, or not at all.
    out.insert(TE, HeaderValue::from_static("trailers"));
    out.insert(REQUEST_ID, context.request_id.clone());
    context.trace.child().inject(&mut out);
    out
}

/// The same for a copy of a call: it is not packed, and asks for an answer that can be read here.
pub(super) fn for_copy(
    headers: &HeaderMap,
    context: &Context,
    guests: &Guests,
    is_operators: bool,
) -> HeaderMap {
    let mut out = for_service(headers, context, guests, is_operators);
    out.remove("grpc-accept-encoding");
    out.remove("grpc-encoding");
    out
}

/// The headers of a call that leaves over REST. Binary metadata has no meaning there, and neither has what gRPC says.
pub(super) fn for_legacy(headers: &HeaderMap, guests: &Guests) -> HeaderMap {
    let mut out = passing(headers, guests, false);
    let foreign =
        |name: &&HeaderName| name.as_str().starts_with("grpc-") || name.as_str().ends_with("-bin");
    let foreign: Vec<HeaderName> = out.keys().filter(foreign).cloned().collect();
    for name in &foreign {
        out.remove(name);
    }
    out.insert(ACCEPT, HeaderValue::from_static("application/json"));
    out
}

fn passing(headers: &HeaderMap, guests: &Guests, is_operators: bool) -> HeaderMap {
    let named: Vec<&[u8]> = headers
        .get_all(CONNECTION)
        .iter()
        .flat_map(|value| value.as_bytes().split(|&byte| byte == b','))
        .map(<[u8]>::trim_ascii)
        .collect();
    let is_named = |name: &HeaderName| {
        let name = name.as_str().as_bytes();
        named.iter().any(|named| named.eq_ignore_ascii_case(name))
    };
    let mut out = HeaderMap::with_capacity(headers.len() + 5);
    for (name, value) in headers {
        if passes(name) && !is_named(name) && !(is_operators && name == AUTHORIZATION) {
            out.append(name, value.clone());
        }
    }
    guests.strip(&mut out);
    out
}

/// What of a service's metadata is not for clients.
pub(super) fn returned(headers: &mut HeaderMap, guests: &Guests) {
    for name in [
        CONNECTION,
        CONTENT_LENGTH,
        TRANSFER_ENCODING,
        UPGRADE,
        DATE,
        SERVER,
        VIA,
    ] {
        headers.remove(name);
    }
    guests.conceal(headers);
}

/// Takes stack traces and the like out of the details of a status: they are for those who run the service.
pub(super) fn without_debug_info(headers: &mut HeaderMap) {
    let Some(value) = headers.get(STATUS_DETAILS) else {
        return;
    };
    let left = BASE64.decode(value.as_bytes()).ok();
    let left = left
        .as_deref()
        .and_then(banyan_transcode::status::without_debug_info);
    let Some(left) = left else { return };
    match HeaderValue::try_from(BASE64.encode(left)) {
        Ok(left) => headers.insert(STATUS_DETAILS, left),
        Err(_) => headers.remove(STATUS_DETAILS),
    };
}

/// What of a legacy system's headers a gRPC client can use: its cookies, when to come back, and what the gateway added
/// for a client that has no cookies.
pub(super) fn from_legacy(headers: &HeaderMap) -> HeaderMap {
    let mut out = HeaderMap::new();
    for name in [SET_COOKIE, RETRY_AFTER, PIN, WROTE] {
        for value in headers.get_all(&name) {
            out.append(&name, value.clone());
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::{config::GuestConfig, context::Peer};

    fn told(pairs: &[(&'static str, &'static str)], is_operators: bool) -> Vec<String> {
        let headers = pairs.iter().map(|(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        let headers: HeaderMap = headers.collect();
        let peer = Peer::new(SocketAddr::from(([127, 0, 0, 1], 1)));
        let context = Context::of(&headers, None, &peer, false);
        let guests = Guests::new(&GuestConfig::default()).unwrap();
        let told = for_service(&headers, &context, &guests, is_operators);
        let mut names: Vec<String> = told.keys().map(ToString::to_string).collect();
        names.sort();
        names
    }

    #[test]
    fn metadata_of_clients_passes_and_what_only_the_gateway_says_does_not() {
        let sent = [
            ("authorization", "Bearer mine"),
            ("connection", "x-hop"),
            ("content-length", "5"),
            ("cookie", "banyan_guest=secret"),
            ("custom-bin", "AAEC"),
            ("grpc-accept-encoding", "gzip"),
            ("grpc-status", "0"),
            ("grpc-timeout", "1S"),
            ("x-banyan-guest", "somebody"),
            ("x-banyan-role", "admin"),
            ("x_banyan_role", "admin"),
            ("x-forwarded-for", "1.2.3.4"),
            ("x-hop", "1"),
            ("x-user-id", "7"),
        ];
        let own = ["content-type", "te", "traceparent", "x-request-id"];
        let mut want: Vec<&str> = vec![
            "authorization",
            "custom-bin",
            "grpc-accept-encoding",
            "x-user-id",
        ];
        want.extend(own);
        want.sort_unstable();
        assert_eq!(told(&sent, false), want);
        want.retain(|name| *name != "authorization");
        assert_eq!(told(&sent, true), want, "the operators' token stays here");
    }
}
