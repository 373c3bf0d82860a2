//! Names of headers that may pass between clients and services.

use std::borrow::Cow;

use http::HeaderName;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde::{Deserialize, Serialize};

/// The name of a header or of metadata, in lower case.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct MetadataName(HeaderName);

/// What belongs to one connection, describes a body, or is said by the gateway itself.
const RESERVED: [&str; 30] = [
    "accept",
    "accept-encoding",
    "allow",
    "connection",
    "cookie",
    "date",
    "etag",
    "expect",
    "host",
    "if-match",
    "if-none-match",
    "keep-alive",
    "proxy-authenticate",
    "proxy-authorization",
    "proxy-connection",
    "retry-after",
    "set-cookie",
    "te",
    "traceparent",
    "trailer",
    "transfer-encoding",
    "upgrade",
    "vary",
    "via",
    "x-banyan-side",
    "x-forwarded-for",
    "x-forwarded-host",
    "x-forwarded-proto",
    "x-request-id",
    "x-request-timeout",
];

/// Families of such names.
const RESERVED_PREFIXES: [&str; 3] = ["access-control-", "content-", "grpc-"];

impl MetadataName {
    pub(crate) fn header(&self) -> &HeaderName {
        &self.0
    }
}

impl TryFrom<String> for MetadataName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let name = HeaderName::try_from(text.as_str())
            .map_err(|_| format!("{text:?} is not the name of a header"))?;
        let is_reserved = RESERVED.contains(&name.as_str())
            || RESERVED_PREFIXES
                .iter()
                .any(|prefix| name.as_str().starts_with(prefix));
        match is_reserved {
            false => Ok(MetadataName(name)),
            true => Err(format!(
                "{text:?} never passes between clients and services: it is about a connection, a body or the gateway"
            )),
        }
    }
}

impl From<MetadataName> for String {
    fn from(name: MetadataName) -> String {
        name.0.as_str().to_owned()
    }
}

impl JsonSchema for MetadataName {
    fn schema_name() -> Cow<'static, str> {
        "MetadataName".into()
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({
            "description": "The name of a header or of metadata; one that ends in `-bin` holds bytes in base64.",
            "type": "string",
            "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_of_the_connection_and_of_grpc_are_refused() {
        for name in ["x-tenant", "Authorization", "x-key-bin", "accept-language"] {
            MetadataName::try_from(name.to_owned()).unwrap();
        }
        for name in [
            "",
            "a b",
            "Connection",
            "te",
            "grpc-timeout",
            "content-type",
            "cookie",
            "x-request-id",
        ] {
            MetadataName::try_from(name.to_owned()).unwrap_err();
        }
    }
}
