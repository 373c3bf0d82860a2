//! What is known about a request before anybody has looked at what it wants: its id, its trace, where it came from.

use std::{
    net::SocketAddr,
    time::{SystemTime, UNIX_EPOCH},
};

use banyan_mesh::{random, trace::TraceContext};
use http::{HeaderMap, HeaderName, HeaderValue, header::HOST};
use uuid::{Builder, Uuid};

use crate::{alarms::Alarms, grpc::Dialect};

pub(crate) const REQUEST_ID: HeaderName = HeaderName::from_static("x-request-id");
pub(crate) const FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");
pub(crate) const FORWARDED_PROTO: HeaderName = HeaderName::from_static("x-forwarded-proto");
pub(crate) const FORWARDED_HOST: HeaderName = HeaderName::from_static("x-forwarded-host");

/// Ids of callers are taken up to this length; a longer one is replaced.
const REQUEST_ID_CHARS_MAX: usize = 128;

/// Who is at the other end of a connection, put together once for all its requests.
#[derive(Debug)]
pub(crate) struct Peer {
    address: HeaderValue,
    alarms: Alarms,
}

impl Peer {
    pub(crate) fn new(address: SocketAddr) -> Peer {
        Peer {
            // A socket that hears both kinds of addresses spells `1.2.3.4` as `::ffff:1.2.3.4`.
            address: text(address.ip().to_canonical().to_string()),
            alarms: Alarms::default(),
        }
    }
}

/// What every later step may want to know about a request.
#[derive(Debug, Clone)]
pub(crate) struct Context {
    /// The caller's `x-request-id` where it is a sane one, else a new UUID of version 7.
    pub(crate) request_id: HeaderValue,
    /// A child of the caller's trace, or a new one.
    pub(crate) trace: TraceContext,
    /// `X-Forwarded-For` for the next hop.
    pub(crate) forwarded_for: HeaderValue,
    /// Whether the client speaks https, to the gateway or to a trusted proxy before it.
    pub(crate) https: bool,
    /// Whether a proxy before the gateway is believed.
    pub(crate) trust_forwarded: bool,
    /// What of gRPC the client speaks, so that errors have to be told in its way.
    pub(crate) grpc: Option<Dialect>,
    /// The host the client asked for.
    pub(crate) host: Option<HeaderValue>,
    /// For what the request waits for.
    pub(crate) alarms: Alarms,
}

impl Context {
    /// `trust_forwarded`: whether a proxy before the gateway is believed.
    pub(crate) fn of(
        headers: &HeaderMap,
        authority: Option<&str>,
        peer: &Peer,
        trust_forwarded: bool,
    ) -> Context {
        let host = headers.get(HOST).cloned();
        let host = host.or_else(|| HeaderValue::try_from(authority?).ok());
        Context {
            request_id: request_id(headers),
            trace: TraceContext::of(headers),
            forwarded_for: forwarded_for(headers, &peer.address, trust_forwarded),
            https: trust_forwarded
                && headers
                    .get(FORWARDED_PROTO)
                    .is_some_and(|proto| proto.as_bytes().eq_ignore_ascii_case(b"https")),
            trust_forwarded,
            grpc: Dialect::of(headers),
            host,
            alarms: peer.alarms.clone(),
        }
    }

    /// For what goes on when the request is over, perhaps elsewhere.
    pub(crate) fn detached(&self) -> Context {
        Context {
            alarms: Alarms::default(),
            ..self.clone()
        }
    }

    /// The client's own address: what the trusted proxy saw, which is the last that it was told or has added; whatever
    /// stands before that anybody may have written. Without a proxy, the other end of the connection.
    pub(crate) fn client_address(&self) -> Option<&str> {
        let all = self.forwarded_for.to_str().ok()?;
        let mut hops = all.rsplit(',').map(str::trim);
        let peer = hops.next()?;
        Some(hops.find(|hop| !hop.is_empty()).unwrap_or(peer))
    }
}

fn request_id(headers: &HeaderMap) -> HeaderValue {
    let is_sane = |id: &&HeaderValue| {
        let bytes = id.as_bytes();
        (1..=REQUEST_ID_CHARS_MAX).contains(&bytes.len())
            && bytes
                .iter()
                .all(|byte| byte.is_ascii_alphanumeric() || b"-_.:+/=".contains(byte))
    };
    match headers.get(REQUEST_ID).filter(is_sane) {
        Some(id) => id.clone(),
        None => new_request_id(),
    }
}

/// A UUID of version 7: ids sort by time.
fn new_request_id() -> HeaderValue {
    let now = SystemTime::now().duration_since(UNIX_EPOCH);
    let millis = now.map_or(0, |now| {
        now.as_secs() * 1000 + u64::from(now.subsec_millis())
    });
    let id = Builder::from_unix_timestamp_millis(millis, &random::bytes()).into_uuid();
    let mut buffer = Uuid::encode_buffer();
    let id = id.hyphenated().encode_lower(&mut buffer);
    HeaderValue::from_str(id).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

fn forwarded_for(headers: &HeaderMap, peer: &HeaderValue, trust_forwarded: bool) -> HeaderValue {
    if !trust_forwarded {
        return peer.clone();
    }
    let before: Vec<&str> = headers
        .get_all(FORWARDED_FOR)
        .iter()
        .filter_map(|value| value.to_str().ok())
        .collect();
    if before.is_empty() {
        peer.clone()
    } else {
        let peer = peer.to_str().unwrap_or_default();
        text(format!("{}, {peer}", before.join(", ")))
    }
}

/// Text of characters that a header can always hold.
fn text(text: String) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or_else(|_| HeaderValue::from_static("unknown"))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn context(headers: &[(&'static str, &'static str)], trust_forwarded: bool) -> Context {
        let mut all = HeaderMap::new();
        for (name, value) in headers {
            all.append(*name, HeaderValue::from_static(value));
        }
        Context::of(
            &all,
            None,
            &Peer::new(SocketAddr::from(([10, 0, 0, 7], 1234))),
            trust_forwarded,
        )
    }

    #[test]
    fn sane_request_ids_are_kept_and_others_replaced() {
        assert_eq!(
            context(&[("x-request-id", "abc-1")], false).request_id,
            "abc-1"
        );
        for bad in ["", "a b", "a\"b"] {
            let id = context(&[("x-request-id", bad)], false).request_id;
            assert_eq!(id.len(), 36, "{id:?}");
        }
    }

    #[test]
    fn the_clients_address_is_what_the_trusted_proxy_saw() {
        let address = |values: &[&'static str], trust_forwarded| {
            let headers: Vec<_> = values.iter().map(|it| ("x-forwarded-for", *it)).collect();
            let context = context(&headers, trust_forwarded);
            context.client_address().map(str::to_owned)
        };
        for (values, want) in [
            (&["1.2.3.4"][..], "1.2.3.4"),
            // The proxy has appended to what the client made up.
            (&["6.6.6.6, 1.2.3.4"], "1.2.3.4"),
            (&["6.6.6.6", "7.7.7.7,1.2.3.4 "], "1.2.3.4"),
            (&["1.2.3.4, "], "1.2.3.4"),
            (&[""], "10.0.0.7"),
            (&[], "10.0.0.7"),
        ] {
            assert_eq!(address(values, true).as_deref(), Some(want), "{values:?}");
            assert_eq!(address(values, false).as_deref(), Some("10.0.0.7"));
        }
    }

    #[test]
    fn an_address_is_spelt_alike_whatever_the_gateway_listens_on() {
        let peer = Peer::new("[::ffff:1.2.3.4]:80".parse().unwrap());
        let context = Context::of(&HeaderMap::new(), None, &peer, false);
        assert_eq!(context.client_address(), Some("1.2.3.4"));
        assert_eq!(context.forwarded_for, "1.2.3.4");
    }

    #[test]
    fn forwarded_headers_are_believed_only_when_told_to() {
        let headers = [
            ("x-forwarded-for", "1.2.3.4"),
            ("x-forwarded-proto", "https"),
        ];
        let context_trusting = context(&headers, true);
        assert_eq!(
            (context_trusting.forwarded_for, context_trusting.https),
            ("1.2.3.4, 10.0.0.7".parse().unwrap(), true)
        );
        let context_doubting = context(&headers, false);
        assert_eq!(
            (context_doubting.forwarded_for, context_doubting.https),
            ("10.0.0.7".parse().unwrap(), false)
        );
    }
}
