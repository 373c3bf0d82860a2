//! Canonical ProtoJSON on compiled plans: JSON bytes -> wire bytes and wire bytes -> JSON bytes.
//!
//! [`Plans`] are compiled from descriptors when a route is loaded. Reading is one pass over the text that writes the
//! wire as it goes; a fault in a field is noted and the reading goes on, so a client hears of everything at once.
//! Writing prints the fields of a message as they come, and from sorted lists where the wire has another order.
//!
//! Limits: nesting of 100; a repeated key, a lone surrogate, a control character and text that is not UTF-8 are
//! refused. A stream of JSON values is split by [`Pieces`] before its values are read. Extensions have no JSON form here yet.

mod any;
mod bits;
mod compile;
mod entries;
mod hash;
mod lexer;
mod names;
mod number;
mod pieces;
mod place;
mod plain;
mod plan;
mod present;
mod print;
mod read;
mod scalar;
mod seen;
mod stream;
mod structs;
mod text;
mod time;
mod write;

pub use pieces::{PieceError, Pieces};
pub use plan::Plans;
pub use write::DecodeError;

pub(crate) use lexer::Lexer;
pub(crate) use number::put_string;
pub(crate) use place::Spelling;
pub(crate) use plan::{FieldPlan, Kind, MessageId, MessagePlan, Named, Scalar, Shape, Special};
pub(crate) use present::{Resource, present};
pub(crate) use read::Reader;
pub(crate) use scalar::{Fault, from_key, from_text};
pub(crate) use text::put_text_content;
pub(crate) use write::Writer;

use bytes::Bytes;

use crate::options::Options;
use crate::violation::Violations;

impl Plans {
    /// JSON -> wire for a whole message, by its full name; `None` when the plans have no such message.
    pub fn encode(
        &self,
        message: &str,
        json: &[u8],
        options: &Options,
    ) -> Option<Result<Bytes, Violations>> {
        let id = self.id(message)?;
        let mut reader = Reader::new(self, options, json, &[]);
        reader.document(|reader| reader.content(id, 0));
        Some(reader.finish().map(Bytes::from))
    }

    /// Wire -> JSON for a whole message, by its full name; `None` when the plans have no such message.
    pub fn decode(
        &self,
        message: &str,
        wire: &[u8],
        options: &Options,
    ) -> Option<Result<Bytes, DecodeError>> {
        let id = self.id(message)?;
        let mut writer = Writer::new(self, options);
        Some(
            writer
                .document(id, wire)
                .map(|()| Bytes::from(writer.finish())),
        )
    }
}
