//! Why a gRPC upstream gave no answer.

use std::{io, sync::Arc};

use tower::BoxError;

/// A call that got no answer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GrpcError {
    #[error("cannot connect to {address}")]
    Connect {
        address: String,
        #[source]
        source: Arc<io::Error>,
    },
    #[error("too many calls wait for {address}")]
    Saturated { address: String },
    #[error("the connection to {address} was lost")]
    Unsent {
        address: String,
        #[source]
        source: h2::Error,
    },
    #[error("the call to {address} failed")]
    Call {
        address: String,
        #[source]
        source: h2::Error,
    },
    #[error("the request cannot be sent")]
    Body(#[source] BoxError),
    #[error("the request has no path")]
    NoPath,
}

impl GrpcError {
    /// Whether the service has certainly not seen the request, so that it may be sent again, there or elsewhere.
    pub(crate) fn is_never_sent(&self) -> bool {
        match self {
            GrpcError::Connect { .. }
            | GrpcError::Saturated { .. }
            | GrpcError::Unsent { .. }
            | GrpcError::NoPath => true,
            GrpcError::Call { source, .. } => is_refused(source),
            GrpcError::Body(_) => false,
        }
    }
}

/// RFC 9113, 8.7: a stream that was refused, or that came after the last one that a closing peer takes.
fn is_refused(error: &h2::Error) -> bool {
    let reason = error.reason();
    (error.is_go_away() && error.is_remote() && reason == Some(h2::Reason::NO_ERROR))
        || (error.is_reset() && error.is_remote() && reason == Some(h2::Reason::REFUSED_STREAM))
}
