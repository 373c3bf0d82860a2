//! What a client speaks, by its content type.

use http::{HeaderMap, HeaderValue, header::CONTENT_TYPE};

const GRPC: &str = "application/grpc";
const WEB: &str = "application/grpc-web";
const WEB_TEXT: &str = "application/grpc-web-text";

/// One of the three forms that a call from outside may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Dialect {
    /// Over HTTP/2, with trailers.
    Grpc,
    /// Over any HTTP, the trailers in the body.
    Web,
    /// The same in base64, for browsers that stream text only.
    WebText,
}

impl Dialect {
    /// What a request speaks, whatever it encodes its messages in; `None` for any other content.
    pub(crate) fn of(headers: &HeaderMap) -> Option<Dialect> {
        let (base, _) = content_type(headers)?;
        match base.to_ascii_lowercase().as_str() {
            GRPC => Some(Dialect::Grpc),
            WEB => Some(Dialect::Web),
            WEB_TEXT => Some(Dialect::WebText),
            _ => None,
        }
    }

    /// Whether the messages are protobuf, which is so where nothing is said.
    pub(crate) fn is_proto(headers: &HeaderMap) -> bool {
        content_type(headers)
            .is_some_and(|(_, codec)| codec.is_none_or(|codec| codec.eq_ignore_ascii_case("proto")))
    }

    /// The content type of an answer.
    pub(crate) fn content_type(self) -> HeaderValue {
        HeaderValue::from_static(match self {
            Dialect::Grpc => GRPC,
            Dialect::Web => "application/grpc-web+proto",
            Dialect::WebText => "application/grpc-web-text+proto",
        })
    }
}

/// What stands before and after `+`, without parameters.
fn content_type(headers: &HeaderMap) -> Option<(&str, Option<&str>)> {
    let text = headers.get(CONTENT_TYPE)?.to_str().ok()?;
    let essence = text.split(';').next()?.trim();
    Some(match essence.split_once('+') {
        Some((base, codec)) => (base, Some(codec)),
        None => (essence, None),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn content_types_are_told_apart() {
        for (text, want, is_proto) in [
            ("application/grpc", Some(Dialect::Grpc), true),
            ("application/grpc+proto", Some(Dialect::Grpc), true),
            ("Application/GRPC; charset=utf-8", Some(Dialect::Grpc), true),
            ("application/grpc+json", Some(Dialect::Grpc), false),
            ("application/grpc-web", Some(Dialect::Web), true),
            ("application/grpc-web+proto", Some(Dialect::Web), true),
            ("application/grpc-web-text", Some(Dialect::WebText), true),
            (
                "application/grpc-web-text+thrift",
                Some(Dialect::WebText),
                false,
            ),
            ("application/grpcx", None, true),
            ("application/json", None, true),
        ] {
            let headers = HeaderMap::from_iter([(CONTENT_TYPE, HeaderValue::from_static(text))]);
            assert_eq!(Dialect::of(&headers), want, "{text}");
            assert_eq!(Dialect::is_proto(&headers), is_proto, "{text}");
        }
        assert_eq!(Dialect::of(&HeaderMap::new()), None);
    }
}
