//! gRPC-Web: the same messages for clients that cannot read trailers, in a text form for those that cannot read bytes
//! (the protocol of `grpc-web`).
//!
//! Messages pass as they are. Trailers become a last message of their own, marked by the highest bit of its first byte,
//! as do those of an answer that has nothing else; the text form is all of it in base64, piece by piece.

use std::{
    pin::Pin,
    task::{Context, Poll},
};

use axum::body::Body;
use base64::{Engine as _, engine::general_purpose::STANDARD};
use bytes::{BufMut as _, Bytes, BytesMut};
use http::{HeaderMap, HeaderName, Response, header::CONTENT_TYPE};
use http_body::Frame;

use super::Dialect;

/// Marks the message that holds the trailers.
const TRAILERS: u8 = 0x80;

/// What a status consists of.
const STATUS: [HeaderName; 3] = [
    HeaderName::from_static("grpc-status"),
    HeaderName::from_static("grpc-message"),
    HeaderName::from_static("grpc-status-details-bin"),
];

/// The body of a request as gRPC has it.
pub(crate) fn request(body: Body, dialect: Dialect) -> Body {
    match dialect {
        Dialect::Grpc | Dialect::Web => body,
        Dialect::WebText => Body::new(Decoded {
            body,
            rest: BytesMut::new(),
        }),
    }
}

/// A gRPC answer as gRPC-Web has it.
pub(super) fn answer(response: Response<Body>, dialect: Dialect) -> Response<Body> {
    let (mut parts, body) = response.into_parts();
    parts.headers.insert(CONTENT_TYPE, dialect.content_type());
    // An answer without messages has its status in the headers, where a page of another site cannot read it.
    let mut status = HeaderMap::new();
    for name in STATUS {
        if let Some(value) = parts.headers.remove(&name) {
            status.insert(name, value);
        }
    }
    let encoded = Encoded {
        body,
        status: (!status.is_empty()).then_some(status),
        is_text: dialect == Dialect::WebText,
    };
    Response::from_parts(parts, Body::new(encoded))
}

/// Bytes from base64 that may be cut anywhere and padded at the end of any group of four.
struct Decoded {
    body: Body,
    /// Less than a group.
    rest: BytesMut,
}

/// Text that is no base64.
#[derive(Debug, thiserror::Error)]
#[error("the body is not base64")]
struct NotBase64;

impl Decoded {
    fn decode(&mut self, data: &[u8]) -> Result<Bytes, NotBase64> {
        self.rest.extend_from_slice(data);
        let whole = self.rest.len() - self.rest.len() % 4;
        let text = self.rest.split_to(whole);
        let mut out = Vec::with_capacity(whole / 4 * 3);
        let mut start = 0;
        while start < text.len() {
            // Padding ends a part that was encoded by itself.
            let padding = text[start..].iter().position(|&byte| byte == b'=');
            let end = padding.map_or(text.len(), |at| start + at - at % 4 + 4);
            STANDARD
                .decode_vec(&text[start..end], &mut out)
                .map_err(|_| NotBase64)?;
            start = end;
        }
        Ok(out.into())
    }
}

impl http_body::Body for Decoded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        match Pin::new(&mut this.body).poll_frame(context) {
            Poll::Ready(Some(Ok(frame))) => {
                let data = frame.into_data().unwrap_or_default();
                let decoded = this.decode(&data).map_err(axum::Error::new);
                Poll::Ready(Some(decoded.map(Frame::data)))
            }
            Poll::Ready(None) if !this.rest.is_empty() => {
                this.rest.clear();
                Poll::Ready(Some(Err(axum::Error::new(NotBase64))))
            }
            other => other,
        }
    }
}

/// Messages and trailers in one body.
struct Encoded {
    body: Body,
    /// Of an answer that has nothing else.
    status: Option<HeaderMap>,
    is_text: bool,
}

impl Encoded {
    fn piece(&self, bytes: Bytes) -> Frame<Bytes> {
        Frame::data(match self.is_text {
            true => STANDARD.encode(&bytes).into(),
            false => bytes,
        })
    }
}

impl http_body::Body for Encoded {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        let this = &mut *self;
        if let Some(status) = this.status.take() {
            return Poll::Ready(Some(Ok(this.piece(trailers(&status)))));
        }
        let polled = Pin::new(&mut this.body).poll_frame(context);
        polled.map_ok(|frame| match frame.into_data() {
            Ok(data) => this.piece(data),
            Err(frame) => {
                let last = frame.into_trailers().unwrap_or_default();
                this.piece(trailers(&last))
            }
        })
    }

    fn is_end_stream(&self) -> bool {
        self.status.is_none() && self.body.is_end_stream()
    }
}

/// Trailers as the last message: lines as HTTP/1 has headers, names in small letters.
fn trailers(headers: &HeaderMap) -> Bytes {
    let mut lines = Vec::new();
    for (name, value) in headers {
        lines.extend_from_slice(name.as_str().as_bytes());
        lines.extend_from_slice(b": ");
        lines.extend_from_slice(value.as_bytes());
        lines.extend_from_slice(b"\r\n");
    }
    let mut out = BytesMut::with_capacity(5 + lines.len());
    out.put_u8(TRAILERS);
    out.put_u32(u32::try_from(lines.len()).unwrap_or(u32::MAX));
    out.put_slice(&lines);
    out.freeze()
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;
    use http_body_util::BodyExt as _;

    use super::*;

    fn decode(pieces: &[&str]) -> Result<Vec<u8>, NotBase64> {
        let mut decoded = Decoded {
            body: Body::empty(),
            rest: BytesMut::new(),
        };
        let mut out = Vec::new();
        for piece in pieces {
            out.extend(decoded.decode(piece.as_bytes())?);
        }
        Ok(out)
    }

    #[test]
    fn base64_may_be_cut_and_padded_anywhere() {
        let text = format!("{}{}", STANDARD.encode("ab"), STANDARD.encode("cdefg"));
        for cut in 0..=text.len() {
            let pieces = [&text[..cut], &text[cut..]];
            assert_eq!(decode(&pieces).unwrap(), b"abcdefg", "{cut}");
        }
        assert!(decode(&["****"]).is_err());
        assert!(decode(&["=aaa"]).is_err());
    }

    #[tokio::test]
    async fn trailers_are_the_last_message() {
        let mut headers = HeaderMap::new();
        headers.insert("grpc-status", HeaderValue::from_static("5"));
        let last = b"\x80\0\0\0\x10grpc-status: 5\r\n";
        for (dialect, want) in [
            (Dialect::Web, last.to_vec()),
            (Dialect::WebText, STANDARD.encode(last).into_bytes()),
        ] {
            let trailers = headers.clone();
            let body = Body::empty().with_trailers(async move { Some(Ok(trailers)) });
            let response = answer(Response::new(Body::new(body)), dialect);
            let body = response.into_body().collect().await.unwrap();
            assert!(body.trailers().is_none());
            assert_eq!(body.to_bytes(), want);
            let mut response = Response::new(Body::empty());
            response.headers_mut().extend(headers.clone());
            let response = answer(response, dialect);
            assert!(!response.headers().contains_key("grpc-status"));
            let body = response.into_body().collect().await.unwrap();
            assert_eq!(body.to_bytes(), want, "an answer that has nothing else");
        }
    }
}
