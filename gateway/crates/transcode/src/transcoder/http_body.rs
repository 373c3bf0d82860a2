//! `google.api.HttpBody`: bytes of any kind in the place of JSON, both ways.
//!
//! It counts where it is what the body is read into or what the answer is: the whole message, or the field that the rule
//! names. Anywhere deeper it is a message like any other. In a stream every message carries a piece of the content, and
//! the first one says what kind it is.

use bytes::Bytes;

use super::Transcoder;
use super::body::Body;
use crate::json::{DecodeError, Kind, MessageId, Plans, Shape};
use crate::wire::{self, WireError};

const NAME: &str = "google.api.HttpBody";
const CONTENT_TYPE: u32 = 1;
const DATA: u32 = 2;

/// Content of any kind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpBody {
    /// Empty when the service did not say.
    pub content_type: String,
    pub data: Bytes,
}

/// Whether the message, or the field of it, is content of any kind.
pub(super) fn is_raw(plans: &Plans, message: MessageId, field: Option<usize>) -> bool {
    let plan = plans.message(message);
    match field.map(|index| &plan.fields[index]) {
        None => plan.name == NAME,
        Some(field) => match (field.shape, field.kind) {
            (Shape::Single, Kind::Message(id)) => plans.message(id).name == NAME,
            _ => false,
        },
    }
}

impl Transcoder {
    /// Whether the body of a request is taken as it is.
    pub fn takes_http_body(&self) -> bool {
        self.takes_raw
    }

    /// Whether the answer says itself what it is: see [`Transcoder::response_http_body`].
    pub fn answers_http_body(&self) -> bool {
        self.answers_raw
    }

    /// The content that the answer holds; `None` where answers are JSON.
    pub fn response_http_body(&self, wire: &Bytes) -> Result<Option<HttpBody>, DecodeError> {
        if !self.answers_raw {
            return Ok(None);
        }
        let broken = |source| self.plans.message(self.output).broken(source);
        let field = self.response_field;
        let outer = field.map(|index| self.plans.message(self.output).fields[index].number);
        let part = |number: u32| -> Result<Bytes, WireError> {
            let way: Vec<u32> = outer.into_iter().chain([number]).collect();
            let found = wire::last_at(wire, &way)?;
            Ok(found.map_or_else(Bytes::new, |at| wire.slice(at)))
        };
        let content_type = part(CONTENT_TYPE).map_err(broken)?;
        let content_type =
            String::from_utf8(content_type.into()).map_err(|_| DecodeError::Utf8 {
                message: NAME.to_owned(),
                field: "content_type".to_owned(),
            })?;
        let data = part(DATA).map_err(broken)?;
        Ok(Some(HttpBody { content_type, data }))
    }

    /// The body as it came, in its place in the message. No body and no kind of one: nothing.
    pub(super) fn put_raw(&self, body: &[u8], content_type: Option<&str>) -> Vec<u8> {
        let content_type = content_type.unwrap_or_default();
        let mut out = Vec::with_capacity(body.len() + content_type.len() + 24);
        let put = |out: &mut Vec<u8>| {
            if !content_type.is_empty() {
                wire::put_bytes(out, CONTENT_TYPE, content_type.as_bytes());
            }
            if !body.is_empty() {
                wire::put_bytes(out, DATA, body);
            }
        };
        match self.body {
            Body::Field(_) if body.is_empty() && content_type.is_empty() => {}
            Body::Field(index) => {
                let number = self.plans.message(self.input).fields[index].number;
                wire::put_nested(&mut out, number, put);
            }
            Body::None | Body::Whole => put(&mut out),
        }
        out
    }
}
