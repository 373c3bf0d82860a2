//! What the body of a request is read into.

use super::Transcoder;
use super::etag::resource;
use super::query::Bound;
use crate::json::Reader;
use crate::violation::Violations;

/// The place of the body in the request message.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Body {
    None,
    Whole,
    /// Index of a field of the request message.
    Field(usize),
}

impl Transcoder {
    /// The message as far as the body fills it: not at all where the rule has none. No body at all stands for an empty object; where the body is a field
    /// that is no object, for its absence.
    pub(super) fn read_body(
        &self,
        body: &[u8],
        content_type: Option<&str>,
        bound: &mut Bound<'_>,
    ) -> (Vec<u8>, Violations) {
        if self.takes_raw {
            let out = self.put_raw(body, content_type);
            if let (Body::Field(index), false) = (self.body, out.is_empty()) {
                bound.note(vec![self.plans.message(self.input).fields[index].number]);
            }
            return (out, Violations::default());
        }
        let field = match self.body {
            Body::None => return Default::default(),
            Body::Whole => None,
            Body::Field(index) => Some(&self.plans.message(self.input).fields[index]),
        };
        let body = match field {
            _ if !body.is_empty() => body,
            Some(field) if resource(&self.plans, field).is_none() => return Default::default(),
            _ => b"{}",
        };
        let mut reader = Reader::new(&self.plans, &self.options, body, &self.provided);
        match field {
            None => reader.document(|reader| reader.content(self.input, 0)),
            Some(field) => reader.document(|reader| {
                if reader.root_field(field)? {
                    bound.note(vec![field.number]);
                }
                Ok(())
            }),
        }
        reader.into_parts()
    }
}
