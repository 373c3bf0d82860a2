//! A unary call, held back for a moment: its one message before it is sent, and how its answer begins.
//!
//! Held are only calls whose rollout has to know: who decides by what is in the message, asks both sides, or may let the
//! other side answer. A message of up to [`BODY_BYTES_MAX`] is read whole, which is what a REST body may have for the same
//! purpose; a longer one passes as it comes and shows nothing. A packed one is unpacked for whoever looks at it, and goes on
//! as it came.

use axum::body::Body;
use banyan_rollout::BODY_BYTES_MAX;
use banyan_transcode::Code;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, Response};
use http_body::Body as _;
use http_body_util::BodyExt as _;

use super::{
    flow::Flow,
    messages::{Messages, PREFIX},
    outcome,
};
use crate::{
    body::{Again, BodyLimits, Broken},
    refusal::Refusal,
    sent::{Sent, Unseen},
    transcoded::GRPC_STATUS,
};

/// Why a client's messages broke off.
pub(super) fn broken_off(broken: Option<Broken>) -> Refusal {
    match broken {
        Some(Broken::TooLarge) => Refusal::message_too_large(),
        Some(Broken::Idle) => Refusal::client_slow(),
        None => Refusal::client_gone(),
    }
}

/// Reads what the client sends, if it is short: the whole of it as it came, and a body that is the same again.
pub(crate) async fn hold(body: Body, limits: BodyLimits) -> Result<(Option<Bytes>, Body), Refusal> {
    if body.size_hint().lower() > (BODY_BYTES_MAX + PREFIX) as u64 {
        return Ok((None, body));
    }
    let flow = Flow::default();
    let mut messages = Messages::new(body, limits, false, flow.clone());
    let mut begun = BytesMut::new();
    loop {
        match messages.frame().await {
            None => {
                let whole = begun.freeze();
                return Ok((Some(whole.clone()), Body::from(whole)));
            }
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    begun.extend_from_slice(data);
                }
            }
            Some(Err(_)) => return Err(broken_off(flow.broken())),
        }
        if begun.len() > BODY_BYTES_MAX + PREFIX {
            return Ok((None, Again::body(begun.freeze(), messages.into_body())));
        }
    }
}

/// What was [held](hold) of a call, to be looked into.
pub(crate) fn sent(held: Option<Bytes>, headers: &HeaderMap) -> Sent {
    let held = held.ok_or(Unseen::TooLong);
    let one = held.and_then(|held| only(&held).ok_or(Unseen::Corrupt));
    match one {
        Ok((message, is_packed)) => {
            let coding = is_packed.then(|| coding(headers).to_owned());
            Sent::new(Ok(message), coding)
        }
        Err(unseen) => Sent::new(Err(unseen), None),
    }
}

/// What packed messages of a call are packed in; nothing that anybody knows where it does not say.
pub(super) fn coding(headers: &HeaderMap) -> &str {
    let coding = headers.get("grpc-encoding");
    coding
        .and_then(|coding| coding.to_str().ok())
        .unwrap_or_default()
}

/// The one message in what a client or a service sent, and whether it is packed; `None` where it is not exactly one.
pub(super) fn only(sent: &Bytes) -> Option<(Bytes, bool)> {
    let &[flag, a, b, c, d] = sent.first_chunk::<PREFIX>()?;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let message = sent.slice(PREFIX..);
    (flag <= 1 && message.len() == length).then_some((message, flag == 1))
}

/// The same where it is not packed.
pub(crate) fn only_message(sent: &Bytes) -> Option<Bytes> {
    let (message, is_packed) = only(sent)?;
    (!is_packed).then_some(message)
}

/// Waits until an answer is a message or a status, which is told; nothing of it is lost.
pub(crate) async fn glance(response: Response<Body>) -> (Response<Body>, Option<Code>) {
    if response.headers().contains_key(GRPC_STATUS) {
        let code = outcome::code(response.headers());
        return (response, code);
    }
    let (parts, mut body) = response.into_parts();
    let mut code = None;
    let body = match body.frame().await {
        None => Body::empty(),
        Some(Err(error)) => Body::from_stream(futures::stream::iter([Err::<Bytes, _>(error)])),
        Some(Ok(frame)) => match frame.into_data() {
            Ok(data) => Again::body(data, body),
            Err(frame) => {
                let trailers = frame.into_trailers().unwrap_or_default();
                code = outcome::code(&trailers);
                let ends = async move { Some(Ok(trailers)) };
                Body::new(http_body_util::Empty::<Bytes>::new().with_trailers(ends))
            }
        },
    };
    (Response::from_parts(parts, body), code)
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::StreamExt as _;
    use http::HeaderValue;

    use super::*;

    const LIMITS: BodyLimits = BodyLimits {
        bytes_max: Some(100_000),
        idle: Duration::from_millis(50),
    };

    fn framed(size: usize) -> Vec<u8> {
        let mut sent = vec![0];
        sent.extend(u32::try_from(size).unwrap().to_be_bytes());
        sent.extend(std::iter::repeat_n(b'x', size));
        sent
    }

    fn in_pieces(sent: &[u8]) -> Body {
        let pieces: Vec<_> = sent.chunks(1_000).map(Bytes::copy_from_slice).collect();
        Body::from_stream(futures::stream::iter(pieces).map(Ok::<_, std::io::Error>))
    }

    #[tokio::test]
    async fn a_short_message_is_shown_and_a_long_one_passes() {
        for (size, is_shown) in [
            (0, true),
            (BODY_BYTES_MAX, true),
            (BODY_BYTES_MAX + 1, false),
        ] {
            let sent = framed(size);
            let (held, body) = hold(in_pieces(&sent), LIMITS).await.unwrap();
            let sent_one = super::sent(held, &HeaderMap::new());
            let seen = sent_one.look().map(Bytes::len);
            let want = is_shown.then_some(size).ok_or(Unseen::TooLong);
            assert_eq!(seen, want);
            assert_eq!(body.collect().await.unwrap().to_bytes(), sent);
        }
    }

    #[tokio::test]
    async fn what_breaks_a_limit_is_refused_at_once() {
        let code = |body| async { hold(body, LIMITS).await.unwrap_err().code() };
        assert_eq!(
            code(in_pieces(&framed(100_001)[..9])).await,
            Code::ResourceExhausted
        );
        let stalled = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from_static(b"\0"))]);
        let stalled = Body::from_stream(stalled.chain(futures::stream::pending()));
        assert_eq!(code(stalled).await, Code::DeadlineExceeded);
    }

    #[test]
    fn only_one_plain_message_is_one() {
        let is_one = |sent: &'static [u8]| only_message(&Bytes::from_static(sent)).is_some();
        assert!(is_one(b"\0\0\0\0\x01a"));
        for other in [
            &b""[..],
            b"\0\0\0",
            b"\x01\0\0\0\x01a",
            b"\0\0\0\0\x02a",
            b"\0\0\0\0\0\0\0\0\0\0",
        ] {
            assert!(!is_one(other), "{other:?}");
        }
    }

    #[test]
    fn a_packed_message_is_seen_by_its_coding() {
        // `printf a | gzip -n`
        let gzipped = b"\x1f\x8b\x08\0\0\0\0\0\0\x03\x4b\x04\0\x43\xbe\xb7\xe8\x01\0\0\0";
        let mut packed = vec![1, 0, 0, 0, 21];
        packed.extend(gzipped);
        let see = |framed: &[u8], coding: Option<&'static str>| {
            let name = http::HeaderName::from_static("grpc-encoding");
            let coding = coding.map(|coding| (name, HeaderValue::from_static(coding)));
            let held = Some(Bytes::copy_from_slice(framed));
            super::sent(held, &coding.into_iter().collect())
                .look()
                .cloned()
        };
        let letter = Ok(Bytes::from_static(b"a"));
        assert_eq!(see(&packed, Some("gzip")), letter);
        assert_eq!(
            see(b"\0\0\0\0\x01a", Some("gzip")),
            letter,
            "it need not be packed"
        );
        for coding in [Some("snappy"), Some("identity"), None] {
            assert_eq!(
                see(&packed, coding),
                Err(Unseen::UnknownCoding),
                "{coding:?}"
            );
        }
        assert_eq!(see(&packed[..20], Some("gzip")), Err(Unseen::Corrupt));
        assert_eq!(see(b"\x01\0\0\0\x01a", Some("gzip")), Err(Unseen::Corrupt));
    }

    #[tokio::test]
    async fn how_an_answer_begins_is_told_and_nothing_is_lost() {
        let failed = HeaderMap::from_iter([(GRPC_STATUS, HeaderValue::from_static("14"))]);
        let answer = |data: &'static [u8]| {
            let trailers = failed.clone();
            let body = http_body_util::Full::new(Bytes::from_static(data));
            Response::new(Body::new(body.with_trailers(async { Some(Ok(trailers)) })))
        };
        for (data, want) in [(&b"data"[..], None), (b"", Some(Code::Unavailable))] {
            let (response, code) = glance(answer(data)).await;
            assert_eq!(code, want);
            let collected = response.into_body().collect().await.unwrap();
            assert_eq!(collected.trailers(), Some(&failed));
            assert_eq!(collected.to_bytes(), data);
        }
        let mut only = Response::new(Body::empty());
        only.headers_mut().extend(failed);
        assert_eq!(glance(only).await.1, Some(Code::Unavailable));
    }
}
