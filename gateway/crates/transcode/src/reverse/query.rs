//! What neither the path nor the body carries, as query parameters.

use super::fields::{self, Fields, Steps};
use super::{Body, Reverse, broken, text, unfit};
use crate::json::{FieldPlan, Kind, MessageId, Shape, Special, Spelling};
use crate::violation::Violations;

/// A query in the making.
struct Query<'r> {
    reverse: &'r Reverse,
    out: String,
    /// The fields that have a parameter.
    written: Vec<Steps>,
}

impl Reverse {
    /// The query of a message, escaped, without `?`.
    pub(super) fn query(&self, fields: &Fields) -> Result<String, Violations> {
        let mut query = Query {
            reverse: self,
            out: String::new(),
            written: Vec::new(),
        };
        if self.body != Body::Whole {
            query.message(self.input, fields, &mut Steps::new())?;
        }
        query.required(fields)?;
        Ok(query.out)
    }
}

impl Query<'_> {
    fn message(
        &mut self,
        message: MessageId,
        fields: &Fields,
        at: &mut Steps,
    ) -> Result<(), Violations> {
        let plan = self.reverse.plans.message(message);
        for (index, field) in plan.fields.iter().enumerate() {
            at.push((message, index));
            let elsewhere = self.reverse.variables.contains(at)
                || (at.len() == 1 && self.reverse.body == Body::Field(index));
            if !elsewhere && (fields.has(index) || self.is_demanded(message, index, at)) {
                self.field(field, fields, at)?;
            }
            at.pop();
        }
        Ok(())
    }

    /// Whether a field of the request message goes out although it has its default: the reader misses it otherwise.
    fn is_demanded(&self, message: MessageId, index: usize, at: &Steps) -> bool {
        let plan = self.reverse.plans.message(message);
        let is_plain = !plan.fields[index].presence && plan.fields[index].shape == Shape::Single;
        self.reverse.options.required && at.len() == 1 && is_plain && plan.required.contains(&index)
    }

    fn field(
        &mut self,
        field: &FieldPlan,
        fields: &Fields,
        at: &mut Steps,
    ) -> Result<(), Violations> {
        let Some(&(message, index)) = at.last() else {
            return Ok(());
        };
        let plans = &self.reverse.plans;
        if let Some(inner) = fields::nested(plans, message, index) {
            let content = fields.message(index).unwrap_or_default();
            let content = Fields::split(plans, inner, &content).map_err(|error| broken(&error))?;
            let before = self.written.len();
            self.message(inner, &content, at)?;
            let bound = |way: &Steps| way.len() > at.len() && way.starts_with(at);
            let is_told = self.written.len() > before || self.reverse.variables.iter().any(bound);
            return match field.oneof {
                // Which member is set is all that an empty one says.
                Some(_) if !is_told => Err(self.unfit(at)),
                _ => Ok(()),
            };
        }
        if !self.has_parameter(field) {
            return Err(self.unfit(at));
        }
        let values = text::values(plans, &self.reverse.options, message, index, fields);
        let values = values.map_err(|error| broken(&error))?;
        for value in values.ok_or_else(|| self.unfit(at))? {
            self.parameter(at, &value);
        }
        Ok(())
    }

    fn has_parameter(&self, field: &FieldPlan) -> bool {
        match (field.shape, field.kind) {
            (Shape::Map { .. }, _) | (_, Kind::Group(_)) => false,
            (_, Kind::Scalar(_)) => true,
            (_, Kind::Message(id)) => matches!(
                self.reverse.plans.message(id).special,
                Special::Timestamp | Special::Duration | Special::FieldMask | Special::Wrapper(_)
            ),
        }
    }

    /// The keys that the route asks for, with the default of a field that is not set.
    fn required(&mut self, fields: &Fields) -> Result<(), Violations> {
        let reverse = self.reverse;
        for required in &reverse.required {
            match &required.steps {
                Some(steps) if self.written.contains(steps) => {}
                Some(steps) if steps.len() == 1 => {
                    let &(message, index) = &steps[0];
                    let values =
                        text::values(&reverse.plans, &reverse.options, message, index, fields);
                    let values = values.map_err(|error| broken(&error))?.unwrap_or_default();
                    let value = values.first().map_or("", String::as_str);
                    self.pair(&required.key, value);
                }
                _ => self.pair(&required.key, ""),
            }
        }
        Ok(())
    }

    fn parameter(&mut self, at: &Steps, value: &str) {
        let spelling = Spelling(&self.reverse.options);
        let names = at.iter().map(|&(message, index)| {
            spelling.show(&self.reverse.plans.message(message).fields[index])
        });
        let key = names.collect::<Vec<_>>().join(".");
        // The route finds its required keys by their own spelling.
        let required = self.reverse.required.iter();
        let known = required
            .filter(|required| required.steps.as_ref() == Some(at))
            .map(|required| required.key.as_str())
            .next();
        self.pair(known.unwrap_or(&key), value);
        self.written.push(at.clone());
    }

    fn pair(&mut self, key: &str, value: &str) {
        if !self.out.is_empty() {
            self.out.push('&');
        }
        text::escape(&mut self.out, key, b"");
        self.out.push('=');
        text::escape(&mut self.out, value, b"");
    }

    fn unfit(&self, at: &Steps) -> Violations {
        let shown = self.reverse.show(at);
        unfit(shown, "cannot be given as a query parameter")
    }
}
