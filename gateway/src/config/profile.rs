//! How JSON and errors look on a group of routes: the promises of one API surface.

use banyan_transcode as transcode;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};

/// `[profiles.NAME]`. The defaults are canonical protobuf JSON.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct ProfileConfig {
    /// How 64-bit integers are printed.
    pub int64: Int64,
    /// How field names are printed.
    pub names: Names,
    /// How enum values are printed.
    pub enums: Enums,
    /// Whether fields at their default are printed.
    pub defaults: bool,
    /// Whether JSON types must be exactly those that are printed.
    pub strict: bool,
    /// Whether fields annotated REQUIRED must be there.
    pub required: bool,
    /// Query parameters that name no field.
    pub unknown_query: Unknown,
    /// Members of the body that name no field.
    pub unknown_fields: Unknown,
    /// Whether a slash at the end of a path means nothing.
    pub trailing_slash: TrailingSlash,
    /// The shape of errors.
    pub errors: ErrorShape,
    /// HTTP status for a required field that is not there.
    pub missing_status: Option<u16>,
    /// HTTP status for a field that is wrong in any other way.
    pub invalid_status: Option<u16>,
    /// HTTP status for a path, query or body that cannot be read at all.
    pub syntax_status: Option<u16>,
}

/// A setting with one of a few names.
macro_rules! choice {
    ($(#[$doc:meta])* $name:ident { $first:ident $(, $other:ident)* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
        #[serde(rename_all = "lowercase")]
        pub enum $name {
            #[default]
            $first,
            $($other,)*
        }
    };
}

choice!(/// See [`ProfileConfig::int64`].
    Int64 { String, Number });
choice!(/// See [`ProfileConfig::names`].
    Names { Json, Proto });
choice!(/// See [`ProfileConfig::enums`].
    Enums { Name, Number });
choice!(/// What happens to input that names nothing.
    Unknown { Reject, Ignore });
choice!(/// See [`ProfileConfig::trailing_slash`].
    TrailingSlash { Strict, Optional });
choice!(/// `google`: google.rpc.Status; `simple`: `{"error":".."}`; `provider`: `{"errors":[{"title","detail"}]}`.
    ErrorShape { Google, Simple, Provider });

impl ProfileConfig {
    /// What transcoding needs of it.
    pub fn options(&self) -> transcode::Options {
        transcode::Options {
            int64: match self.int64 {
                Int64::String => transcode::Int64Form::String,
                Int64::Number => transcode::Int64Form::Number,
            },
            names: match self.names {
                Names::Json => transcode::NameForm::Json,
                Names::Proto => transcode::NameForm::Proto,
            },
            enums: match self.enums {
                Enums::Name => transcode::EnumForm::Name,
                Enums::Number => transcode::EnumForm::Number,
            },
            defaults: self.defaults,
            strict: self.strict,
            required: self.required,
            unknown_query: self.unknown_query.into(),
            unknown_fields: self.unknown_fields.into(),
        }
    }
}

impl From<Unknown> for transcode::Unknown {
    fn from(unknown: Unknown) -> Self {
        match unknown {
            Unknown::Reject => transcode::Unknown::Reject,
            Unknown::Ignore => transcode::Unknown::Ignore,
        }
    }
}

impl From<TrailingSlash> for transcode::TrailingSlash {
    fn from(slash: TrailingSlash) -> Self {
        match slash {
            TrailingSlash::Strict => transcode::TrailingSlash::Strict,
            TrailingSlash::Optional => transcode::TrailingSlash::Optional,
        }
    }
}
