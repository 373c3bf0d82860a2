//! What only gRPC clients are told.

use banyan_transcode::Code;
use http::StatusCode;

use super::Refusal;

impl Refusal {
    /// A gRPC client asks for what is not mounted.
    pub(crate) fn no_method() -> Refusal {
        let message = "no such method".to_owned();
        let (status, code) = (StatusCode::NOT_FOUND, Code::Unimplemented);
        Refusal::new(status, code, "NO_METHOD", "Not found", message)
    }

    pub(crate) fn grpc_needs_http2() -> Refusal {
        let message =
            "gRPC needs HTTP/2; gRPC-Web (application/grpc-web) works over HTTP/1.1 too".to_owned();
        let (status, code) = (StatusCode::HTTP_VERSION_NOT_SUPPORTED, Code::Unimplemented);
        Refusal::new(
            status,
            code,
            "HTTP2_NEEDED",
            "Version not supported",
            message,
        )
    }

    pub(crate) fn unknown_codec() -> Refusal {
        let message = "messages must be protobuf: application/grpc or application/grpc+proto, \
                       and the same of grpc-web and grpc-web-text"
            .to_owned();
        let (status, code) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unimplemented);
        Refusal::new(
            status,
            code,
            "UNKNOWN_CODEC",
            "Unsupported media type",
            message,
        )
    }

    /// The same as [`Refusal::too_large`] for a message, by the code that gRPC has for it.
    pub(crate) fn message_too_large() -> Refusal {
        Refusal {
            code: Code::ResourceExhausted,
            message: "a message is too large".to_owned(),
            ..Refusal::too_large()
        }
    }

    pub(crate) fn broken_message(message: &str) -> Refusal {
        let (status, code) = (StatusCode::BAD_REQUEST, Code::InvalidArgument);
        Refusal::new(
            status,
            code,
            "BAD_MESSAGE",
            "Bad request",
            message.to_owned(),
        )
    }

    pub(crate) fn unknown_packing() -> Refusal {
        let message = "the legacy side, which serves this caller, takes messages that are plain or packed with zstd, br, \
                       gzip or deflate, as grpc-encoding says";
        let message = message.to_owned();
        let (status, code) = (StatusCode::UNSUPPORTED_MEDIA_TYPE, Code::Unimplemented);
        Refusal::new(
            status,
            code,
            "MESSAGE_COMPRESSED",
            "Unsupported media type",
            message,
        )
    }

    pub(crate) fn stream_on_legacy() -> Refusal {
        let message = "this method streams, and the legacy side, which serves this caller, cannot";
        let (status, code) = (StatusCode::NOT_IMPLEMENTED, Code::FailedPrecondition);
        let reason = "STREAM_ON_LEGACY";
        Refusal::new(status, code, reason, "Not implemented", message.to_owned())
    }

    pub(crate) fn no_rest_form() -> Refusal {
        let message = "the legacy side serves this caller, and no route says how it is asked";
        let (status, code) = (StatusCode::NOT_IMPLEMENTED, Code::FailedPrecondition);
        let reason = "NO_REST_FORM";
        Refusal::new(status, code, reason, "Not implemented", message.to_owned())
    }

    /// What was asked as a gRPC service answered something else.
    pub(crate) fn not_grpc(upstream: &str, code: Code, trouble: String) -> Refusal {
        Refusal {
            code,
            message: format!("{upstream} did not answer as a gRPC service does"),
            ..Refusal::bad_answer(upstream, trouble)
        }
    }
}
