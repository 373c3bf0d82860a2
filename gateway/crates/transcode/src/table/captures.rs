//! What the variables of a template caught, decoded.

use std::sync::Arc;

use super::search::Path;
use crate::percent::{self, Keep, Undecodable};
use crate::template::{PathTemplate, Segment, Variable};

/// Why a path cannot be understood at all.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BadPath {
    /// Counts bytes from 1.
    #[error("the path has an invalid percent escape at column {column}")]
    Escape { column: usize },
    #[error("`{variable}` in the path is not UTF-8")]
    Utf8 { variable: String },
}

/// The decoded text of every variable of the template that matched.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Captures {
    template: Arc<PathTemplate>,
    values: Vec<String>,
}

impl Captures {
    pub(super) fn of(template: &Arc<PathTemplate>, path: &Path<'_>) -> Result<Self, BadPath> {
        let values = template
            .variables()
            .iter()
            .map(|variable| value(template, variable, path));
        Ok(Captures {
            values: values.collect::<Result<_, _>>()?,
            template: Arc::clone(template),
        })
    }

    /// The template that matched.
    pub fn template(&self) -> &PathTemplate {
        &self.template
    }

    /// The decoded text of a variable, by its dotted name in the template.
    pub fn get(&self, variable: &str) -> Option<&str> {
        let is_it = |candidate: &Variable| {
            candidate
                .field
                .iter()
                .map(String::as_str)
                .eq(variable.split('.'))
        };
        let index = self.template.variables().iter().position(is_it)?;
        self.values.get(index).map(String::as_str)
    }

    /// The decoded texts in the order of [`PathTemplate::variables`].
    pub fn values(&self) -> &[String] {
        &self.values
    }
}

fn value(template: &PathTemplate, variable: &Variable, path: &Path<'_>) -> Result<String, BadPath> {
    let segments = template.segments();
    // `**` stands for as many segments of the path as the rest of the template leaves over.
    let extra = path.len() as isize - segments.len() as isize;
    let rest = segments
        .iter()
        .position(|segment| *segment == Segment::Rest);
    let shift = |at: usize| {
        if rest.is_some_and(|rest| at > rest) {
            at.saturating_add_signed(extra)
        } else {
            at
        }
    };
    let open_ended = rest.is_some_and(|rest| rest + 1 == segments.len())
        && variable.segments.end == segments.len();
    let raw = path.text(
        shift(variable.segments.start)..shift(variable.segments.end),
        open_ended,
    );
    let keep = if template.is_single(variable) {
        Keep::Nothing
    } else {
        Keep::Slash
    };
    match percent::decode_path(raw, keep) {
        Ok(text) => Ok(text.into_owned()),
        Err(Undecodable::Escape(at)) => Err(BadPath::Escape { column: at + 1 }),
        Err(Undecodable::Utf8) => Err(BadPath::Utf8 {
            variable: variable.field.join("."),
        }),
    }
}
