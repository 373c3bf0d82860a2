//! One field of a message from its text.

use std::borrow::Cow;

use crate::json::{
    Fault, FieldPlan, Kind, MessageId, Plans, Reader, Shape, Special, from_text, put_text_content,
};
use crate::options::Options;
use crate::violation::ViolationKind;
use crate::wire;

/// The text of a field.
#[derive(Debug, Clone, Copy)]
pub(super) struct Text<'a> {
    pub(super) value: &'a str,
    /// For an entry of a map: its key, as it stands on the wire.
    pub(super) entry: Option<&'a [u8]>,
    /// Written even if it is the default.
    pub(super) explicit: bool,
}

impl<'a> Text<'a> {
    /// A text that is there whatever it says.
    pub(super) fn explicit(value: &'a str) -> Self {
        Text {
            value,
            entry: None,
            explicit: true,
        }
    }
}

/// Appends a field from its text, inside of the messages on its way.
pub(super) fn put_text(
    plans: &Plans,
    out: &mut Vec<u8>,
    steps: &[(MessageId, usize)],
    text: Text<'_>,
) -> Result<(), Fault> {
    let Some((&(message, index), rest)) = steps.split_first() else {
        return Ok(());
    };
    let field = &plans.message(message).fields[index];
    if rest.is_empty() {
        return put_field(plans, out, field, text);
    }
    let mut inner = Vec::new();
    put_text(plans, &mut inner, rest, text)?;
    wire::put_bytes(out, field.number, &inner);
    Ok(())
}

fn put_field(
    plans: &Plans,
    out: &mut Vec<u8>,
    field: &FieldPlan,
    text: Text<'_>,
) -> Result<(), Fault> {
    let needs_key = || Fault::new(ViolationKind::Type, "needs a key in brackets");
    match field.shape {
        Shape::Map { .. } => {
            let mut entry = text.entry.ok_or_else(needs_key)?.to_vec();
            put_value(plans, &mut entry, 2, field.kind, text.value, true)?;
            wire::put_bytes(out, field.number, &entry);
            Ok(())
        }
        Shape::Single | Shape::List { .. } => {
            let explicit = text.explicit || field.presence;
            put_value(plans, out, field.number, field.kind, text.value, explicit)
        }
    }
}

fn put_value(
    plans: &Plans,
    out: &mut Vec<u8>,
    number: u32,
    kind: Kind,
    text: &str,
    explicit: bool,
) -> Result<(), Fault> {
    let unfit = || Fault::new(ViolationKind::Type, "cannot be given as a query parameter");
    let id = match kind {
        Kind::Group(_) => return Err(unfit()),
        Kind::Scalar(scalar) => {
            let raw = from_text(plans, scalar, Cow::Borrowed(text))?;
            if explicit || !raw.is_default() {
                raw.put_field(out, number);
            }
            return Ok(());
        }
        Kind::Message(id) => id,
    };
    let mut content = Vec::new();
    match plans.message(id).special {
        Special::Wrapper(scalar) => {
            let raw = from_text(plans, scalar, Cow::Borrowed(text))?;
            if !raw.is_default() {
                raw.put_field(&mut content, 1);
            }
        }
        special @ (Special::Timestamp | Special::Duration | Special::FieldMask) => {
            put_text_content(&mut content, special, text, true)?;
        }
        Special::Struct | Special::Value | Special::ListValue => {
            content = json_content(plans, id, text)?;
        }
        Special::None | Special::Any => return Err(unfit()),
    }
    wire::put_bytes(out, number, &content);
    Ok(())
}

/// The content of a message whose text is JSON.
fn json_content(plans: &Plans, id: MessageId, text: &str) -> Result<Vec<u8>, Fault> {
    let options = Options::default();
    let mut reader = Reader::new(plans, &options, text.as_bytes(), &[]);
    reader.document(|reader| reader.content(id, 0));
    let unfit = |_| Fault::new(ViolationKind::Format, "must be JSON of its type");
    reader.finish().map_err(unfit)
}
