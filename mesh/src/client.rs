//! The calling end of a gRPC call: a channel that connects when it is first used and again whenever it must.

use std::time::Duration;

use serde::{Deserialize, Serialize};
use tonic::transport::{Channel, Endpoint};

/// Where a service is and how long to wait for it.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ClientSettings {
    /// `http://host:port`.
    pub url: String,
    /// At most this long to connect, in milliseconds.
    #[serde(default = "connect_timeout_ms")]
    pub connect_timeout_ms: u64,
}

fn connect_timeout_ms() -> u64 {
    1_000
}

/// A channel could not be made.
#[derive(Debug, thiserror::Error)]
#[error("{url:?} is not the address of a gRPC service: http://host:port is")]
pub struct ClientError {
    url: String,
    #[source]
    source: Option<tonic::transport::Error>,
}

impl ClientSettings {
    /// A service at `url` with the default time-outs.
    #[must_use]
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            connect_timeout_ms: connect_timeout_ms(),
        }
    }
}

/// A channel to the service; it connects on first use, and again after the connection was lost.
///
/// # Errors
/// If the address is not one.
pub fn channel(settings: &ClientSettings) -> Result<Channel, ClientError> {
    let refused = |source| ClientError {
        url: settings.url.clone(),
        source,
    };
    let endpoint =
        Endpoint::from_shared(settings.url.clone()).map_err(|error| refused(Some(error)))?;
    if endpoint.uri().host().is_none() || endpoint.uri().scheme_str() != Some("http") {
        return Err(refused(None));
    }
    Ok(endpoint
        .connect_timeout(Duration::from_millis(settings.connect_timeout_ms))
        // A peer that vanished without a word is noticed within 15 s even when nothing is being sent.
        .http2_keep_alive_interval(Duration::from_secs(10))
        .keep_alive_timeout(Duration::from_secs(5))
        .keep_alive_while_idle(true)
        .tcp_nodelay(true)
        .connect_lazy())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn an_address_that_is_none_is_refused_by_name() {
        for bad in ["", "localhost:50051", "ftp://localhost", "http://"] {
            let error = channel(&ClientSettings::new(bad)).unwrap_err();
            assert!(error.to_string().contains(&format!("{bad:?}")), "{error}");
        }
        assert!(channel(&ClientSettings::new("http://127.0.0.1:50051")).is_ok());
    }
}
