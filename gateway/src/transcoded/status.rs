//! How a call ended: its status from trailers, from an answer that is no gRPC, or from a stream that was broken off.
//!
//! The rules are those of "gRPC over HTTP/2" and of its mapping of HTTP statuses ("HTTP to gRPC Status Code Mapping").

use banyan_transcode::{Code, StatusParts};
use base64::{
    Engine as _, alphabet,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig},
};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, StatusCode, header::CONTENT_TYPE};

pub(crate) const GRPC_STATUS: HeaderName = HeaderName::from_static("grpc-status");
const GRPC_MESSAGE: HeaderName = HeaderName::from_static("grpc-message");
const GRPC_STATUS_DETAILS: HeaderName = HeaderName::from_static("grpc-status-details-bin");

/// Binary metadata, which comes with or without padding.
pub(crate) const BASE64: GeneralPurpose = GeneralPurpose::new(
    &alphabet::STANDARD,
    GeneralPurposeConfig::new()
        .with_encode_padding(false)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent),
);

/// The status in trailers, or in the header of an answer that has nothing else. `None` where there is none.
pub(crate) fn of_headers(headers: &HeaderMap) -> Option<StatusParts> {
    let number = headers.get(GRPC_STATUS)?.as_bytes();
    if number == b"0" {
        return Some(ok());
    }
    let number = std::str::from_utf8(number).ok();
    let code = number
        .and_then(|number| number.parse().ok())
        .map_or(Code::Unknown, Code::from_number);
    let message = headers
        .get(GRPC_MESSAGE)
        .map_or_else(String::new, |message| percent_decoded(message.as_bytes()));
    let details = headers
        .get(GRPC_STATUS_DETAILS)
        .and_then(|details| BASE64.decode(details.as_bytes()).ok());
    Some(StatusParts {
        code,
        message,
        details: details.map_or_else(Bytes::new, Bytes::from),
    })
}

fn ok() -> StatusParts {
    StatusParts {
        code: Code::Ok,
        message: String::new(),
        details: Bytes::new(),
    }
}

/// Why an answer without a status is not one of gRPC, if it is not: the code that stands for it.
pub(crate) fn not_grpc(status: StatusCode, headers: &HeaderMap) -> Option<Code> {
    if status != StatusCode::OK {
        return Some(of_http(status));
    }
    let is_grpc = headers
        .get(CONTENT_TYPE)
        .is_some_and(|kind| kind.as_bytes().starts_with(b"application/grpc"));
    (!is_grpc).then_some(Code::Unknown)
}

fn of_http(status: StatusCode) -> Code {
    match status.as_u16() {
        400 => Code::Internal,
        401 => Code::Unauthenticated,
        403 => Code::PermissionDenied,
        404 => Code::Unimplemented,
        429 | 502 | 503 | 504 => Code::Unavailable,
        _ => Code::Unknown,
    }
}

/// What a stream that was broken off means.
pub(crate) fn of_reset(reason: h2::Reason) -> Code {
    match reason {
        h2::Reason::REFUSED_STREAM => Code::Unavailable,
        h2::Reason::CANCEL => Code::Cancelled,
        h2::Reason::ENHANCE_YOUR_CALM => Code::ResourceExhausted,
        h2::Reason::INADEQUATE_SECURITY => Code::PermissionDenied,
        h2::Reason::STREAM_CLOSED => Code::Unknown,
        _ => Code::Internal,
    }
}

/// Text that gRPC escapes for its journey. What is no escape, and what is no UTF-8, is kept as well as it can be: a
/// message is for people, and a broken one is better than none.
fn percent_decoded(text: &[u8]) -> String {
    let digit = |at: usize| (*text.get(at)? as char).to_digit(16);
    let mut out = Vec::with_capacity(text.len());
    let mut at = 0;
    while let Some(&byte) = text.get(at) {
        match (byte, digit(at + 1), digit(at + 2)) {
            (b'%', Some(high), Some(low)) => {
                out.push((high * 16 + low) as u8);
                at += 3;
            }
            _ => {
                out.push(byte);
                at += 1;
            }
        }
    }
    String::from_utf8(out)
        .unwrap_or_else(|broken| String::from_utf8_lossy(broken.as_bytes()).into_owned())
}

#[cfg(test)]
mod tests {
    use http::HeaderValue;

    use super::*;

    fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
        let pairs = pairs.iter().map(|&(name, value)| {
            (
                HeaderName::from_static(name),
                HeaderValue::from_static(value),
            )
        });
        pairs.collect()
    }

    #[test]
    fn a_status_is_read_with_its_words_and_details() {
        assert_eq!(of_headers(&headers(&[])), None);
        assert_eq!(of_headers(&headers(&[("grpc-status", "0")])), Some(ok()));
        let status = of_headers(&headers(&[
            ("grpc-status", "5"),
            ("grpc-message", "no%20such item: %D1%8F 100%"),
            ("grpc-status-details-bin", "CAUSAmhp"),
        ]));
        let want = StatusParts {
            code: Code::NotFound,
            message: "no such item: я 100%".to_owned(),
            details: Bytes::from_static(b"\x08\x05\x12\x02hi"),
        };
        assert_eq!(status, Some(want.clone()));
        let padded = headers(&[("grpc-status", "5"), ("grpc-status-details-bin", "CAU=")]);
        assert_eq!(of_headers(&padded).unwrap().details, &b"\x08\x05"[..]);
        for odd in ["99", "x", ""] {
            let status = of_headers(&headers(&[("grpc-status", odd)])).unwrap();
            assert_eq!(status.code, Code::Unknown, "{odd}");
        }
    }

    #[test]
    fn messages_that_are_not_escaped_rightly_are_kept() {
        for (text, want) in [
            (&b"a%"[..], "a%"),
            (b"%4", "%4"),
            (b"%zz%41", "%zzA"),
            (b"%ff", "\u{fffd}"),
            ("д".as_bytes(), "д"),
        ] {
            assert_eq!(percent_decoded(text), want);
        }
    }

    #[test]
    fn an_answer_that_is_no_grpc_has_a_code() {
        #[track_caller]
        fn check(status: u16, kind: &'static str, want: Option<Code>) {
            let headers = headers(&[("content-type", kind)]);
            assert_eq!(
                not_grpc(StatusCode::from_u16(status).unwrap(), &headers),
                want
            );
        }
        check(200, "application/grpc", None);
        check(200, "application/grpc+proto", None);
        check(200, "text/html", Some(Code::Unknown));
        check(400, "application/grpc", Some(Code::Internal));
        check(401, "text/html", Some(Code::Unauthenticated));
        check(403, "text/html", Some(Code::PermissionDenied));
        check(404, "text/html", Some(Code::Unimplemented));
        check(429, "text/html", Some(Code::Unavailable));
        check(503, "text/html", Some(Code::Unavailable));
        check(500, "text/html", Some(Code::Unknown));
        check(302, "text/html", Some(Code::Unknown));
    }

    #[test]
    fn a_broken_stream_has_a_code() {
        for (reason, want) in [
            (h2::Reason::REFUSED_STREAM, Code::Unavailable),
            (h2::Reason::CANCEL, Code::Cancelled),
            (h2::Reason::ENHANCE_YOUR_CALM, Code::ResourceExhausted),
            (h2::Reason::INADEQUATE_SECURITY, Code::PermissionDenied),
            (h2::Reason::PROTOCOL_ERROR, Code::Internal),
            (h2::Reason::NO_ERROR, Code::Internal),
        ] {
            assert_eq!(of_reset(reason), want, "{reason}");
        }
    }

    proptest::proptest! {
        #[test]
        fn any_trailers_give_a_status(values in proptest::array::uniform3("[ -~]{0,20}")) {
            let names = [GRPC_STATUS, GRPC_MESSAGE, GRPC_STATUS_DETAILS];
            let values = values.map(|value| HeaderValue::try_from(value).unwrap());
            let headers = HeaderMap::from_iter(names.into_iter().zip(values));
            assert!(of_headers(&headers).is_some());
        }
    }
}
