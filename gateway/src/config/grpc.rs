//! gRPC clients on the listeners.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

use super::ListenerName;

/// `[grpc]`: what gRPC clients are told beside what they call.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct GrpcConfig {
    /// Listeners that answer `grpc.reflection.v1` about what is mounted on them.
    pub reflection: Vec<ListenerName>,
}

impl Default for GrpcConfig {
    fn default() -> Self {
        GrpcConfig {
            reflection: vec![ListenerName::Ops],
        }
    }
}
