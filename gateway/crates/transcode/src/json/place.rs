//! Where in a body a value stands, for the reports on it, and which names of fields a route speaks.

use std::borrow::Cow;

use super::plan::{FieldPlan, Named};
use crate::options::{NameForm, Options};

/// One step from the root of the body to a value.
#[derive(Debug, Clone)]
pub(super) enum Part<'p, 'j> {
    Field(&'p FieldPlan),
    Index(usize),
    Key(Cow<'j, str>),
    Member(&'static str),
}

/// The steps from the root of the body to the value at hand.
#[derive(Debug, Default)]
pub(super) struct Place<'p, 'j>(Vec<Part<'p, 'j>>);

/// Which names of fields are read and shown.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Spelling<'o>(pub(crate) &'o Options);

impl Spelling<'_> {
    pub(crate) fn accepts(self, named: &Named) -> bool {
        !self.0.strict
            || match self.0.names {
                NameForm::Json => named.is_json,
                NameForm::Proto => named.is_proto,
            }
    }

    pub(crate) fn show(self, field: &FieldPlan) -> &str {
        match self.0.names {
            NameForm::Json => &field.json_name,
            NameForm::Proto => &field.name,
        }
    }
}

impl<'p, 'j> Place<'p, 'j> {
    pub(super) fn push(&mut self, part: Part<'p, 'j>) {
        self.0.push(part);
    }

    pub(super) fn pop(&mut self) {
        self.0.pop();
    }

    /// `guest.email`, `seats[2]`, `labels["a"]`; empty at the root.
    pub(super) fn show(&self, spelling: Spelling<'_>) -> String {
        let mut shown = String::new();
        for part in &self.0 {
            match part {
                Part::Index(index) => shown.push_str(&format!("[{index}]")),
                Part::Key(key) => shown.push_str(&format!("[{key:?}]")),
                Part::Field(field) => push_name(&mut shown, spelling.show(field)),
                Part::Member(name) => push_name(&mut shown, name),
            }
        }
        shown
    }

    /// The same for a member that names no field.
    pub(super) fn show_under(&self, spelling: Spelling<'_>, member: &str) -> String {
        let mut shown = self.show(spelling);
        push_name(&mut shown, member);
        shown
    }

    /// Whether one of these ways, as field numbers from the root, leads here.
    pub(super) fn is_end_of(&self, ways: &[Vec<u32>]) -> bool {
        !ways.is_empty() && ways.contains(&self.numbers().collect())
    }

    /// Whether one of these ways, as field numbers from the root, leads to this field here or into it.
    pub(super) fn is_on(&self, ways: &[Vec<u32>], field: &FieldPlan) -> bool {
        let here: Vec<_> = self.numbers().chain([field.number]).collect();
        ways.iter().any(|way| way.starts_with(&here))
    }

    /// 0, which is no field's number, for what is no field.
    fn numbers(&self) -> impl Iterator<Item = u32> {
        self.0.iter().map(|part| match part {
            Part::Field(field) => field.number,
            Part::Index(_) | Part::Key(_) | Part::Member(_) => 0,
        })
    }
}

fn push_name(shown: &mut String, name: &str) {
    if !shown.is_empty() {
        shown.push('.');
    }
    shown.push_str(name);
}
