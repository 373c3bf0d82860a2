//! OpenAPI 3.1 from protobuf descriptors and the HTTP rules that methods are served by.
//!
//! Pure: descriptors and settings in, one JSON document out, the same one each time. What a document says is what the
//! transcoder does, so it is made from the same rules and options ([`Operation`]), and comments of the contract become
//! its words. In the order in which a document is made:
//!
//! | module | what it decides |
//! |---|---|
//! | [`operation`] | what has to be known of a method that is served over HTTP |
//! | `document` | the order of everything, tags, operation ids, what stands at the top |
//! | `comments`, `annotations` | what the contract says about itself: words, required fields, resource names |
//! | `path`, `query`, `body` | where the fields of a request are: path, query, headers, body |
//! | `schema`, `message`, `scalar` | how messages look as JSON under a profile |
//! | `response`, `errors`, `stream` | what comes back |
//! | `merge` | several methods behind one path, told apart by their query |
//!
//! A message has one schema a profile: `banyan.reservation.v1.Hotel` in canonical JSON,
//! `banyan.compat.cinema.v1.Movie-cinema` under the profile `cinema`; `-input` behind it is for requests, where what answers
//! always have need not be. Names are full ones, so that a client that is
//! generated from the document does not change when a service is added.

mod annotations;
mod body;
mod comments;
mod document;
mod errors;
mod headers;
mod merge;
mod message;
mod names;
pub mod operation;
mod path;
mod query;
mod response;
mod scalar;
mod schema;
mod stream;

pub use document::document;
pub use operation::{Access, ErrorShape, Info, Mount, Operation};
