//! How JSON looks on a route, and how strictly it is read.
//!
//! The defaults are canonical ProtoJSON. A route that has to keep the promises of an older API deviates one
//! setting at a time; every deviation is visible in its configuration.

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// The profile of one route.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Options {
    /// How 64-bit integers are printed. Numbers above 2^53 lose digits in JavaScript, hence the default.
    pub int64: Int64Form,
    /// How field names are printed. Both spellings are read, unless `strict`.
    pub names: NameForm,
    /// Print fields without presence even when they hold their default (empty lists and maps included).
    pub defaults: bool,
    /// How enum values are printed.
    pub enums: EnumForm,
    /// A value must have the JSON type its field prints as: `"1"` is not a number, `1` is not a string, and
    /// `null` stands for no present field. Only the configured spelling of names is read, and what the path binds
    /// cannot be in the body too.
    pub strict: bool,
    /// Fields annotated `google.api.field_behavior = REQUIRED` must be present.
    pub required: bool,
    /// Query parameters that name no field.
    pub unknown_query: Unknown,
    /// Members of the body that name no field (and enum names that name no value).
    pub unknown_fields: Unknown,
    /// The service's fields `etag` hold entity tags with their quotes (`"a1"`, `W/"a1"`) and not bare text: a tag in
    /// `If-Match` reaches them as it came.
    pub quoted_etags: bool,
}

/// See [`Options::int64`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Int64Form {
    #[default]
    String,
    Number,
}

/// See [`Options::names`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum NameForm {
    #[default]
    Json,
    Proto,
}

/// See [`Options::enums`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum EnumForm {
    #[default]
    Name,
    Number,
}

/// What happens to input that names nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "lowercase")]
pub enum Unknown {
    #[default]
    Reject,
    Ignore,
}
