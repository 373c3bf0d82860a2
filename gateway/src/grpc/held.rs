//! A unary call, held back for a moment: its one message before it is sent, and how its answer begins.
//!
//! Held are only calls whose rollout has to know: who decides by what is in the message, asks both sides, or may let the
//! other side answer. A message of up to [`BODY_BYTES_MAX`] is read whole, which is what a REST body may have for the same
//! purpose; a longer one passes as it comes and shows nothing.

use axum::body::Body;
use banyan_rollout::BODY_BYTES_MAX;
use banyan_transcode::Code;
use bytes::{Bytes, BytesMut};
use http::Response;
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

/// The one message in what a client or a service sent; `None` where it is packed, or not exactly one.
pub(crate) fn only_message(sent: &Bytes) -> Option<Bytes> {
    let &[flag, a, b, c, d] = sent.first_chunk::<PREFIX>()?;
    let length = u32::from_be_bytes([a, b, c, d]) as usize;
    let message = sent.slice(PREFIX..);
    (flag == 0 && message.len() == length).then_some(message)
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
    use http::{HeaderMap, HeaderValue};

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
            let message = held.as_ref().and_then(only_message);
            assert_eq!(message.map(|it| it.len()), is_shown.then_some(size));
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
