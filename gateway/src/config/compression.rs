//! Which answers are compressed.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[compression]`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct CompressionConfig {
    /// What answers may be compressed with, the preferred one first; what a client prefers comes before. None for never.
    pub codings: Vec<Coding>,
    /// Smaller answers are left alone: their headers outweigh what is saved.
    pub bytes_min: u64,
    /// Whether answers of HTTP servers behind the gateway are compressed too, where they did not do it.
    pub forwarded: bool,
}

/// A content coding of HTTP.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Coding {
    Zstd,
    Br,
    Gzip,
}

impl Default for CompressionConfig {
    fn default() -> Self {
        CompressionConfig {
            codings: vec![Coding::Zstd, Coding::Br, Coding::Gzip],
            bytes_min: 1024,
            forwarded: false,
        }
    }
}
