//! The template with its variables filled in.

use http::Method;

use super::fields::{Fields, Steps};
use super::{Reverse, broken, text, unfit};
use crate::json::Spelling;
use crate::table::{Lookup, RouteTable, TrailingSlash};
use crate::template::Segment;
use crate::violation::Violations;

impl Reverse {
    /// The path of a message, escaped.
    pub(super) fn path(&self, wire: &[u8]) -> Result<String, Violations> {
        let mut values = Vec::with_capacity(self.variables.len());
        for steps in &self.variables {
            let value = self.variable(wire, steps)?;
            values.push(value.ok_or_else(|| unfit(self.show(steps), "is required in the path"))?);
        }
        let path = self.expanded(&values);
        // `a/b` in a variable of one segment, or `seats/1` in `movies/*`: another route, or none, would be found.
        match self.leads_back(&path, &values) {
            None => Ok(path),
            Some(variable) => {
                let predicate = format!("does not fit the path {}", self.template);
                let field = self.variables.get(variable);
                let field = field.map(|steps| self.show(steps)).unwrap_or_default();
                Err(unfit(field, &predicate))
            }
        }
    }

    /// The text of a variable; `None` where nothing can stand for it.
    fn variable(&self, wire: &[u8], steps: &Steps) -> Result<Option<String>, Violations> {
        let plans = &self.plans;
        let mut content = wire.to_vec();
        for (at, &(message, index)) in steps.iter().enumerate() {
            let fields = Fields::split(plans, message, &content).map_err(|error| broken(&error))?;
            if at + 1 == steps.len() {
                let values = text::values(plans, &self.options, message, index, &fields);
                let values = values.map_err(|error| broken(&error))?;
                return Ok(values.and_then(|values| values.into_iter().next()));
            }
            content = fields.message(index).unwrap_or_default();
        }
        Ok(None)
    }

    fn expanded(&self, values: &[String]) -> String {
        let template = &self.template;
        let mut path = String::new();
        let mut at = 0;
        while let Some(segment) = template.segments().get(at) {
            path.push('/');
            let mut variables = template.variables().iter().zip(values);
            let begins = variables.find(|(variable, _)| variable.segments.start == at);
            if let Some((variable, value)) = begins {
                let keep: &[u8] = if template.is_single(variable) {
                    b""
                } else {
                    b"/"
                };
                text::escape(&mut path, value, keep);
                at = variable.segments.end;
                continue;
            }
            if let Segment::Literal(literal) = segment {
                text::escape(&mut path, literal, b"");
            }
            at += 1;
        }
        if path.is_empty() {
            path.push('/');
        }
        if let Some(verb) = template.verb() {
            path.push(':');
            text::escape(&mut path, verb, b"");
        }
        path
    }

    /// The first variable that the path would not give back, if one would not.
    fn leads_back(&self, path: &str, values: &[String]) -> Option<usize> {
        if values.is_empty() {
            return None;
        }
        let mut table = RouteTable::new();
        let template = self.template.clone();
        let inserted = table.insert(Method::GET, template, Vec::new(), TrailingSlash::Strict, ());
        match (inserted, table.find(&Method::GET, path, None)) {
            (Ok(()), Lookup::Found { captures, .. }) => {
                let mut pairs = captures.values().iter().zip(values);
                pairs.position(|(caught, value)| caught != value)
            }
            _ => {
                let is_empty = values.iter().position(String::is_empty);
                Some(is_empty.unwrap_or_default())
            }
        }
    }

    /// The dotted name of a field in the spelling of the route.
    pub(super) fn show(&self, steps: &Steps) -> String {
        let names = steps.iter().map(|&(message, field)| {
            Spelling(&self.options).show(&self.plans.message(message).fields[field])
        });
        names.collect::<Vec<_>>().join(".")
    }
}
