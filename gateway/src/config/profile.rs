//! How JSON and errors look on a group of routes: the promises of one API surface.

use banyan_transcode::{self as transcode, ErrorOptions, Options};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::{MetadataName, StreamsConfig};

/// `[profiles.NAME]`. The defaults are canonical protobuf JSON and google.rpc.Status.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileConfig {
    /// Whether a slash at the end of a path means nothing.
    pub trailing_slash: TrailingSlash,
    /// How requests are read and answers printed.
    pub json: Options,
    /// How errors look.
    pub errors: ErrorOptions,
    /// Headers of requests that services are told as metadata; a route may name further ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub request_headers: Vec<MetadataName>,
    /// Metadata of answers, first or last, that clients are told as headers; a route may name further ones.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub response_headers: Vec<MetadataName>,
    /// What a stream may use.
    pub streams: StreamsConfig,
}

/// See [`ProfileConfig::trailing_slash`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum TrailingSlash {
    #[default]
    Strict,
    Optional,
}

impl From<TrailingSlash> for transcode::TrailingSlash {
    fn from(slash: TrailingSlash) -> Self {
        match slash {
            TrailingSlash::Strict => transcode::TrailingSlash::Strict,
            TrailingSlash::Optional => transcode::TrailingSlash::Optional,
        }
    }
}
