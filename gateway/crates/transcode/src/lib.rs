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
//! | [`view`] | [`RequestView`]: single fields of a message by where a REST request has them |
//! | [`json`] | [`Plans`]: the compiled codec under it, for whole messages |
//! | [`violation`] | [`Violations`]: everything wrong with a request, field by field |
//! | [`compare`] | [`Comparer`]: whether two answers say the same |
//! | [`status`] | [`Renderer`]: a gRPC status -> an HTTP error in the route's shape |
//!
//! Descriptors are read once, when a [`Transcoder`] or a [`Renderer`] is made. The request path works on tables
//! compiled from them, from bytes to bytes, with no message object in between.
//!
//! # A request
//!
//! [`RouteTable::find`] names the route and what the variables of its template caught. [`Incoming`] is everything that came:
//! captures, query, body, its kind, the id of the request, `If-Match`. [`Transcoder::request`] makes the message of it, or
//! says everything that is wrong with it at once. Where a field may come from several places:
//!
//! | from | into | beats |
//! |---|---|---|
//! | body | `*`: every field; a name: that field | |
//! | query | what neither path nor body fills; with `*` nothing | |
//! | path | the variables' fields | the body, which may repeat them unless [`Options::strict`] |
//! | `Idempotency-Key` | `request_id`, where it is empty | differs: a violation |
//! | `If-Match` | `etag` of the request or of the resource in it, where it is empty | differs: a violation |
//! | names in the body | `update_mask` of a PATCH, where it is empty | |
//!
//! A query names fields by proto or JSON name with dots between, repeats a repeated one, and has `labels[key]=value` or
//! `labels.key=value` for an entry of a map. A variable of one segment is decoded whole, one of several keeps `%2F`.
//! A `google.api.HttpBody` takes the body as it is.
//!
//! # An answer
//!
//! [`Transcoder::response`] prints the message, or the field that `response_body` names, of any kind;
//! [`Transcoder::response_http_body`] gives the bytes where that is a `google.api.HttpBody`; [`Transcoder::etag_of`] and
//! [`entity_tag`] make the header. An error goes through a [`Renderer`].
//!
//! # Streams
//!
//! [`Pieces`] splits the body of a client into JSON values as it comes; [`Transcoder::first`] makes the first message, with
//! what path, query and headers bind, and [`Transcoder::item`] the later ones. Every message of a server's stream is
//! printed like an answer. Framing, deadlines and back-pressure are the caller's.
//!
//! # Limits
//!
//! JSON and wire nest 100 deep; a query has 1,000 parameters; a request is told of 32 violations; a piece of a stream is as
//! long as its caller allows. How long a body may be is the caller's to say. Any bytes at all give an answer: the property
//! tests and `make fuzz` look for those that do not.

pub mod compare;
pub mod json;
pub mod options;
mod percent;
pub mod reverse;
pub mod rule;
pub mod status;
pub mod table;
pub mod template;
pub mod transcoder;
pub mod view;
pub mod violation;
mod wire;

pub use compare::{Allowances, Comparer, Finding, FindingKind, Seen};
pub use json::{DecodeError, PieceError, Pieces, Plans};
pub use options::{EnumForm, Int64Form, NameForm, Options, Unknown};
pub use reverse::{RestCall, Reverse, ReverseError};
pub use rule::{HttpRule, RuleError, rules_of};
pub use status::{Code, ErrorOptions, ErrorShape, HttpStatus, Rendered, Renderer, StatusParts};
pub use table::{BadPath, Captures, Conflict, Lookup, RouteTable, TrailingSlash};
pub use template::{PathTemplate, TemplateError};
pub use transcoder::{BindError, HttpBody, Incoming, Transcoder, entity_tag};
pub use view::RequestView;
pub use violation::{Violation, ViolationKind, Violations};
