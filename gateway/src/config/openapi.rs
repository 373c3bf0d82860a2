//! The description of what is served, and the page that shows it.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[openapi]`. Each listener describes its own routes; those to methods, since of others nobody knows a contract.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct OpenapiConfig {
    /// Whether document and page are served.
    pub enabled: bool,
    /// Where the document is. No route may be there.
    pub document: String,
    /// Where the page that shows it is.
    pub page: String,
    /// What the API is called.
    pub title: String,
    /// The version of the API, not of the gateway.
    pub version: String,
    /// Markdown at the top of the public document.
    pub description: String,
}

impl Default for OpenapiConfig {
    fn default() -> Self {
        OpenapiConfig {
            enabled: true,
            document: "/openapi.json".to_owned(),
            page: "/docs".to_owned(),
            title: "API".to_owned(),
            version: "1".to_owned(),
            description: String::new(),
        }
    }
}
