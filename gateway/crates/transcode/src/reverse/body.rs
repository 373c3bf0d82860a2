//! The JSON body: the whole message or one field of it, without what the path carries.

use bytes::Bytes;

use super::fields::{self, Fields, Steps};
use super::{Body, HTTP_BODY, Reverse, broken};
use crate::json::{DecodeError, FieldPlan, MessageId, Writer};
use crate::options::NameForm;
use crate::violation::Violations;

impl Reverse {
    /// Content type and body; neither where the rule has no body.
    pub(super) fn content(&self, fields: &Fields) -> Result<(Option<String>, Bytes), Violations> {
        let index = match self.body {
            Body::None => return Ok((None, Bytes::new())),
            Body::Whole => None,
            Body::Field(index) => Some(index),
        };
        let mut out = Vec::with_capacity(256);
        let mut at = Steps::new();
        let written = match (index, fields::target(&self.plans, self.input, index)) {
            (Some(index), None) => self.value(self.input, index, fields.of(index), &mut out),
            (index, inner) => {
                let message = inner.unwrap_or(self.input);
                let content = index.map(|index| fields.message(index).unwrap_or_default());
                let content = content
                    .map(|content| Fields::split(&self.plans, message, &content))
                    .transpose()
                    .map_err(|error| broken(&error))?;
                let fields = content.as_ref().unwrap_or(fields);
                if self.plans.message(message).name == HTTP_BODY {
                    return Ok(self.raw(message, fields));
                }
                at.extend(index.map(|index| (self.input, index)));
                self.object(message, fields, &mut at, &mut out)
            }
        };
        written.map_err(|error| broken(&error))?;
        Ok((Some("application/json".to_owned()), out.into()))
    }

    /// Content type and bytes that a `google.api.HttpBody` holds.
    fn raw(&self, message: MessageId, fields: &Fields) -> (Option<String>, Bytes) {
        let of = |number| {
            let index = self.plans.message(message).by_number(number);
            index
                .and_then(|index| fields.message(index))
                .unwrap_or_default()
        };
        let kind = String::from_utf8(of(1))
            .ok()
            .filter(|kind| !kind.is_empty());
        let kind = kind.unwrap_or_else(|| "application/octet-stream".to_owned());
        (Some(kind), of(2).into())
    }

    /// An object of what the path does not carry.
    fn object(
        &self,
        message: MessageId,
        fields: &Fields,
        at: &mut Steps,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        out.push(b'{');
        let mut first = true;
        for (index, field) in self.plans.message(message).fields.iter().enumerate() {
            at.push((message, index));
            if !self.variables.contains(at) && self.is_shown(message, index, fields, at) {
                if !std::mem::take(&mut first) {
                    out.push(b',');
                }
                out.extend_from_slice(self.key(field));
                self.member(message, index, fields, at, out)?;
            }
            at.pop();
        }
        out.push(b'}');
        Ok(())
    }

    fn member(
        &self,
        message: MessageId,
        index: usize,
        fields: &Fields,
        at: &mut Steps,
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let holds_bound = self.variables.iter().any(|way| way.starts_with(at));
        match fields::nested(&self.plans, message, index).filter(|_| holds_bound) {
            Some(inner) => {
                let content = fields.message(index).unwrap_or_default();
                let content = Fields::split(&self.plans, inner, &content)?;
                self.object(inner, &content, at, out)
            }
            None => self.value(message, index, fields.of(index), out),
        }
    }

    /// A default is printed where the options of the route say so, and where the reader would miss it.
    fn is_shown(&self, message: MessageId, index: usize, fields: &Fields, at: &Steps) -> bool {
        let plan = self.plans.message(message);
        let field = &plan.fields[index];
        if field.presence {
            return fields.has(index);
        }
        let is_demanded = self.options.required && at.len() == 1 && plan.required.contains(&index);
        self.options.defaults
            || is_demanded
            || (fields.has(index)
                && super::text::is_other_than_default(&self.plans, message, index, fields))
    }

    fn value(
        &self,
        message: MessageId,
        index: usize,
        records: &[u8],
        out: &mut Vec<u8>,
    ) -> Result<(), DecodeError> {
        let mut writer = Writer::new(&self.plans, &self.options);
        writer.field_of(message, index, records)?;
        out.extend_from_slice(&writer.finish());
        Ok(())
    }

    fn key<'f>(&self, field: &'f FieldPlan) -> &'f [u8] {
        match self.options.names {
            NameForm::Json => &field.json_key,
            NameForm::Proto => &field.key,
        }
    }
}
