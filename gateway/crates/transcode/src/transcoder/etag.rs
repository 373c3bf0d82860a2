//! Entity tags (RFC 9110, 8.8.3) and the field `etag` of messages (AIP-154), each into the other.
//!
//! A request guards itself with `If-Match`; the tag goes into the string field `etag` of the request message, or of the
//! resource in it. Most services keep bare text in that field, so the quotes are taken off, and with them the mark of a
//! weak tag: what is compared is the version of a resource and not the bytes of an answer, and it is proxies that compress
//! that weaken tags. Where a service keeps whole tags, [`crate::Options::quoted_etags`] says so.
//!
//! `*` asks for nothing that a service would not refuse by itself. A list of tags has no form in one field and is refused.
//! A method without the field pays no heed to the header; [`Transcoder::takes_etag`] tells.

use super::bind::Steps;
use super::body::Body;
use super::text::{Text, put_text};
use super::{Transcoder, query};
use crate::json::{FieldPlan, Kind, MessageId, MessagePlan, Plans, Scalar, Shape, Special};
use crate::violation::{ViolationKind, Violations};
use crate::wire;

const FIELD: &str = "etag";
const HEADER: &str = "If-Match";

/// The way to the field that takes the tag of a request.
pub(super) fn of_request(plans: &Plans, input: MessageId, body: Body) -> Option<Steps> {
    let resource = match body {
        Body::Field(index) => message_in(plans, input, index),
        Body::None | Body::Whole => only_message(plans, input),
    };
    own(plans, input).or_else(|| through(plans, input, resource?))
}

/// The way to the field that holds the tag of an answer.
pub(super) fn of_answer(plans: &Plans, output: MessageId, field: Option<usize>) -> Option<Steps> {
    let shown = field.and_then(|index| message_in(plans, output, index));
    shown
        .and_then(|shown| through(plans, output, shown))
        .or_else(|| own(plans, output))
        .or_else(|| through(plans, output, only_message(plans, output)?))
}

fn own(plans: &Plans, message: MessageId) -> Option<Steps> {
    Some(vec![(message, field(plans.message(message))?)])
}

fn through(plans: &Plans, outer: MessageId, (index, inner): (usize, MessageId)) -> Option<Steps> {
    Some(vec![(outer, index), (inner, field(plans.message(inner))?)])
}

/// The index of the field; a member of a oneof is none, since to fill it would take away another.
fn field(message: &MessagePlan) -> Option<usize> {
    let index = message.by_name(FIELD).filter(|named| named.is_proto)?.field;
    let field = &message.fields[index];
    let is_fit = field.shape == Shape::Single
        && field.kind == Kind::Scalar(Scalar::String)
        && field.oneof.is_none();
    is_fit.then_some(index)
}

fn message_in(plans: &Plans, outer: MessageId, index: usize) -> Option<(usize, MessageId)> {
    let inner = resource(plans, &plans.message(outer).fields[index])?;
    Some((index, inner))
}

/// The message of a single field of fields.
pub(super) fn resource(plans: &Plans, field: &FieldPlan) -> Option<MessageId> {
    match (field.shape, field.kind) {
        (Shape::Single, Kind::Message(id)) if plans.message(id).special == Special::None => {
            Some(id)
        }
        _ => None,
    }
}

/// The field of a message that holds a message of fields, where there is just one.
pub(super) fn only_message(plans: &Plans, message: MessageId) -> Option<(usize, MessageId)> {
    let fields = plans.message(message).fields.iter().enumerate();
    let mut messages = fields.filter_map(|(index, field)| Some((index, resource(plans, field)?)));
    let only = messages.next()?;
    messages.next().is_none().then_some(only)
}

impl Transcoder {
    /// Whether the method has a place for the tag of a request.
    pub fn takes_etag(&self) -> bool {
        self.etag_in.is_some()
    }

    /// What the field `etag` of an answer holds: of the message, of the field that is the answer, or of the only message
    /// in it. [`entity_tag`] makes a header of it.
    pub fn etag_of(&self, wire: &[u8]) -> Option<String> {
        let way = query::numbers(&self.plans, self.etag_out.as_ref()?);
        let at = wire::last_at(wire, &way).ok()??;
        let text = std::str::from_utf8(&wire[at]).ok()?;
        (!text.is_empty()).then(|| text.to_owned())
    }

    /// Puts the tag of a request into its field, unless the message has the same one already.
    pub(super) fn guard(&self, out: &mut Vec<u8>, violations: &mut Violations, header: &str) {
        let Some(steps) = &self.etag_in else {
            return;
        };
        let tag = match Tags::of(header) {
            Tags::Any => return,
            Tags::One { whole, .. } if self.options.quoted_etags => whole,
            Tags::One { text, .. } => text,
            Tags::Unfit(predicate) => {
                violations.push(HEADER.to_owned(), ViolationKind::Format, predicate);
                return;
            }
        };
        let name = self.show_in_body(steps);
        violations.forgive(&name, ViolationKind::Missing);
        let given = wire::last_at(out, &query::numbers(&self.plans, steps));
        match given.map(|at| at.map_or(&[][..], |at| &out[at])) {
            // What is not a message has its violations already.
            Err(_) => {}
            Ok([]) => {
                // A string takes any text.
                let _ = put_text(&self.plans, out, steps, Text::explicit(tag));
            }
            Ok(given) if given == tag.as_bytes() => {}
            Ok(_) => {
                let predicate = "differs from the tag in the header If-Match";
                violations.push(name, ViolationKind::Conflict, predicate);
            }
        }
    }
}

/// A header of entity tags.
#[derive(Debug, PartialEq, Eq)]
enum Tags<'a> {
    Any,
    One {
        whole: &'a str,
        /// Between the quotes.
        text: &'a str,
    },
    Unfit(&'static str),
}

impl<'a> Tags<'a> {
    fn of(header: &'a str) -> Self {
        let whole = header.trim_matches([' ', '\t']);
        if whole == "*" {
            return Tags::Any;
        }
        let strong = whole.strip_prefix("W/").unwrap_or(whole);
        let text = strong
            .strip_prefix('"')
            .and_then(|rest| rest.strip_suffix('"'));
        match text {
            Some(text) if is_opaque(text) => Tags::One { whole, text },
            Some(text) if text.contains('"') => {
                Tags::Unfit("must be a single entity tag: one version is compared")
            }
            _ => Tags::Unfit("must be an entity tag in quotes, or *"),
        }
    }
}

/// The field `etag` as the header `ETag`: a whole tag as it is, bare text in quotes. `None` for what no tag can hold.
pub fn entity_tag(text: &str) -> Option<String> {
    match Tags::of(text) {
        Tags::One { whole, .. } => Some(whole.to_owned()),
        Tags::Any | Tags::Unfit(_) => {
            (is_opaque(text) && !text.is_empty()).then(|| format!("\"{text}\""))
        }
    }
}

/// The characters of RFC 9110 between the quotes.
fn is_opaque(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte > b' ' && byte != b'"' && byte != 0x7f)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_header_holds_one_tag_or_any() {
        #[track_caller]
        fn check(header: &str, want: Option<(&str, &str)>) {
            let got = match Tags::of(header) {
                Tags::One { whole, text } => Some((whole, text)),
                Tags::Any | Tags::Unfit(_) => None,
            };
            assert_eq!(got, want, "{header}");
        }
        check("\"a1\"", Some(("\"a1\"", "a1")));
        check(" W/\"a1\" ", Some(("W/\"a1\"", "a1")));
        check("\"\"", Some(("\"\"", "")));
        for unfit in [
            "",
            "a1",
            "\"",
            "W/",
            "w/\"a\"",
            "\"a",
            "\"a\", \"b\"",
            "\"a b\"",
            "W/*",
            "*, \"a\"",
        ] {
            check(unfit, None);
            assert_ne!(Tags::of(unfit), Tags::Any, "{unfit}");
        }
        assert_eq!(Tags::of(" * "), Tags::Any);
    }

    #[test]
    fn text_is_quoted_once() {
        for (text, want) in [
            ("a1", Some("\"a1\"")),
            ("\"a1\"", Some("\"a1\"")),
            ("W/\"a1\"", Some("W/\"a1\"")),
            ("*", Some("\"*\"")),
            ("", None),
            ("a b", None),
            ("a\"b", None),
            ("a\r\nb", None),
        ] {
            assert_eq!(entity_tag(text).as_deref(), want, "{text:?}");
        }
    }
}
