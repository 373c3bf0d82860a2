//! REST to gRPC and back, by protobuf descriptors alone.
//!
//! Everything here is pure: no sockets, no files, no clock, no service compiled in. What a caller needs, in the
//! order in which a request meets it:
//!
//! | module | what it decides |
//! |---|---|
//! | [`template`] | [`PathTemplate::parse`]: the path syntax of `google.api.http` |
//! | [`rule`] | [`HttpRule`], by hand or from a method's annotation ([`rules_of`]) |
//! | [`table`] | [`RouteTable`]: method + path + query presence -> one route and its [`Captures`] |
//! | [`options`] | [`Options`]: how JSON looks on a route, and how strict its reading is |
//! | [`transcoder`] | [`Transcoder`]: path, query and body -> wire bytes; wire bytes -> JSON |
//! | [`reverse`] | [`Reverse`]: the other direction, wire bytes -> REST call, JSON answer -> wire bytes |
//! | [`json`] | [`Plans`]: the compiled codec under it, for whole messages |
//! | [`violation`] | [`Violations`]: everything wrong with a request, field by field |
//! | [`status`] | [`Renderer`]: a gRPC status -> an HTTP error in the route's shape |
//!
//! Descriptors are read once, when a [`Transcoder`] or a [`Renderer`] is made. The request path works on tables
//! compiled from them, from bytes to bytes, with no message object in between.

pub mod json;
pub mod options;
mod percent;
pub mod reverse;
pub mod rule;
pub mod status;
pub mod table;
pub mod template;
pub mod transcoder;
pub mod violation;
mod wire;

pub use json::{DecodeError, PieceError, Pieces, Plans};
pub use options::{EnumForm, Int64Form, NameForm, Options, Unknown};
pub use reverse::{RestCall, Reverse, ReverseError};
pub use rule::{HttpRule, RuleError, rules_of};
pub use status::{Code, ErrorOptions, ErrorShape, HttpStatus, Rendered, Renderer, StatusParts};
pub use table::{BadPath, Captures, Conflict, Lookup, RouteTable, TrailingSlash};
pub use template::{PathTemplate, TemplateError};
pub use transcoder::{BindError, HttpBody, Incoming, Transcoder, entity_tag};
pub use violation::{Violation, ViolationKind, Violations};
