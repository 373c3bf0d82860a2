//! What a call is made of, as it came.

use crate::table::Captures;

/// The parts of an HTTP request that a message is made of, none of them decoded but the captures.
#[derive(Debug, Clone, Copy)]
pub struct Incoming<'a> {
    /// Those of the rule's own template.
    pub captures: &'a Captures,
    pub query: Option<&'a str>,
    /// The whole body, or the first item of a streamed one.
    pub body: &'a [u8],
    /// Of the body. Only a `google.api.HttpBody` keeps it: what is read as JSON is JSON whatever it is called.
    pub content_type: Option<&'a str>,
    /// An id that came beside the message; it fills the field `request_id`, where the method has one.
    pub request_id: Option<&'a str>,
    /// The header `If-Match`; it fills the field `etag`, where the method has one.
    pub if_match: Option<&'a str>,
}

impl<'a> Incoming<'a> {
    /// A request of nothing but a path.
    pub fn new(captures: &'a Captures) -> Self {
        Incoming {
            captures,
            query: None,
            body: &[],
            content_type: None,
            request_id: None,
            if_match: None,
        }
    }
}
