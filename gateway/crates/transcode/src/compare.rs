//! Whether two JSON answers say the same, judged by what the contract means and not as text.
//!
//! Both answers are read under the descriptor of the method's response and printed in one form: 64-bit numbers as strings
//! or numbers, absent fields and defaults, spellings of timestamps, the order of members and of map entries make no
//! difference then. What is left is told by field path, with the elements of lists under one path (`movies[].title`),
//! and the entries of maps under another (`movies[].stock{}`), so that a thousand answers group into a few findings. A member
//! that the contract does not know is a finding too: its clients would lose it.
//!
//! What may differ is declared ([`Allowances`]); what differs between two answers of one side is noise, which its caller
//! learns by comparing those. Values are told redacted ([`redacted`]): letters and digits give their shape only. A path shows
//! nothing that an answer brings but the names of members that the contract does not know.
//!
//! Limits: at most 100 findings a pair, one for each path and kind with the first example, whose paths have at most 300 bytes; lists are compared element by element in their
//! order, unless a key or disorder is declared for them. Elements with one key, or with none, belong together in their order.
//! Lists without order are sorted by what has to be equal, then by the numbers that may be apart.

mod paths;
mod types;
mod values;

use std::collections::{BTreeMap, BTreeSet};

use prost_reflect::MethodDescriptor;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::json::{Kind, MessageId, Plans, Reader, Writer};
use crate::options::{Int64Form, NameForm, Options, Unknown};
use crate::violation::ViolationKind;

pub use values::redacted;

use types::{Type, Types};
use values::Walk;

/// Findings of one pair of answers.
const FINDINGS_MAX: usize = 100;

/// What may differ. A path names fields by their proto names, the elements of a list by `[]` and the entries of a map by `{}`:
/// `movies[].rating`, `movies[].stock{}.count`.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(default, deny_unknown_fields)]
pub struct Allowances {
    /// Paths that are not compared, nor anything below them.
    pub ignore: BTreeSet<String>,
    /// How far the numbers at a path and below it may be apart; the nearest path counts. Text is a number where the contract
    /// says so (64-bit ones are text in JSON), or where this is its very path.
    pub tolerance: BTreeMap<String, f64>,
    /// Lists (`movies[]`) whose order means nothing; lists in them are lists of their own.
    pub unordered: BTreeSet<String>,
    /// Lists (`movies[]`) whose elements belong together by the value of this field, those with the same value or none in
    /// their order.
    pub keys: BTreeMap<String, String>,
}

/// What is wrong at a path.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum FindingKind {
    /// The answers have other HTTP statuses.
    Status,
    /// An answer is not what the contract promises.
    Unreadable,
    /// A member that the contract does not know.
    Unknown,
    /// Only the owner's answer has it.
    Missing,
    /// Only the other answer has it.
    Added,
    /// Both have it, with other values.
    Changed,
}

/// One thing that differs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// Where, by proto names; empty for the whole answer. At most 300 bytes; a longer one ends in `…`.
    pub path: String,
    pub kind: FindingKind,
    /// What the owner of the data says, redacted.
    pub owner: String,
    /// What the other side says, redacted.
    pub other: String,
}

/// An answer as a client got it.
#[derive(Debug, Clone, Copy)]
pub struct Seen<'a> {
    pub status: u16,
    pub body: &'a [u8],
}

/// Compares the answers of one method.
#[derive(Debug)]
pub struct Comparer {
    plans: Plans,
    output: MessageId,
    response_field: Option<usize>,
    strict: Options,
    lenient: Options,
    printed: Options,
    allowances: Allowances,
}

impl Comparer {
    /// `response_body`: the field of the response that is the answer, empty for all of it. Answers are read leniently,
    /// whatever the options of the route print.
    #[must_use]
    pub fn new(
        method: &MethodDescriptor,
        response_body: &str,
        options: &Options,
        allowances: Allowances,
    ) -> Self {
        let plans = Plans::of([method.output()]);
        let output = plans.id(method.output().full_name()).unwrap_or_default();
        let response_field = plans.message(output).by_name(response_body);
        let lenient = Options {
            strict: false,
            required: false,
            unknown_fields: Unknown::Ignore,
            // Paths are told by proto names.
            names: NameForm::Proto,
            ..options.clone()
        };
        Self {
            output,
            response_field: response_field.map(|named| named.field),
            strict: Options {
                unknown_fields: Unknown::Reject,
                ..lenient.clone()
            },
            printed: Options {
                int64: Int64Form::String,
                names: NameForm::Proto,
                defaults: true,
                ..Options::default()
            },
            lenient,
            plans,
            allowances,
        }
    }

    /// What differs; nothing if both say the same. Bodies of errors are not compared, only their statuses.
    #[must_use]
    pub fn compare(&self, owner: Seen<'_>, other: Seen<'_>) -> Vec<Finding> {
        let mut findings = Vec::new();
        if owner.status != other.status {
            findings.push(Finding {
                path: String::new(),
                kind: FindingKind::Status,
                owner: owner.status.to_string(),
                other: other.status.to_string(),
            });
        } else if (200..300).contains(&owner.status) {
            let ours = self.read(owner.body, true, &mut findings);
            let theirs = self.read(other.body, false, &mut findings);
            if let (Some(ours), Some(theirs)) = (ours, theirs) {
                let types = Types(&self.plans);
                let mut walk = Walk::new(types, &self.allowances, &mut findings, FINDINGS_MAX);
                let whole = Type::One(Kind::Message(self.output));
                walk.compare("", whole, &ours, &theirs);
            }
        }
        findings.retain(|it| !paths::is_below(&it.path, &self.allowances.ignore));
        findings.truncate(FINDINGS_MAX);
        findings
    }

    /// The answer in the one form, with what the contract does not know put aside as findings.
    fn read(&self, body: &[u8], is_owner: bool, findings: &mut Vec<Finding>) -> Option<Value> {
        let finding = |path: String, kind, told: &str| {
            let (told, none) = (told.to_owned(), String::new());
            let (owner, other) = if is_owner { (told, none) } else { (none, told) };
            Finding {
                path,
                kind,
                owner,
                other,
            }
        };
        let (_, violations) = self.wire(body, &self.strict);
        let unknown = violations
            .iter()
            .filter(|it| it.kind == ViolationKind::Unknown);
        let paths: BTreeSet<String> = unknown.map(|it| paths::grouped(&it.field)).collect();
        findings.extend(
            paths
                .into_iter()
                .map(|path| finding(path, FindingKind::Unknown, "is not in the contract")),
        );
        let (wire, violations) = self.wire(body, &self.lenient);
        let unreadable = violations
            .iter()
            .next()
            .map(|first| paths::grouped(&first.field));
        let printed = match unreadable {
            None => self.print(&wire),
            Some(_) => None,
        };
        if printed.is_none() {
            let path = unreadable.unwrap_or_default();
            findings.push(finding(path, FindingKind::Unreadable, "cannot be read"));
        }
        printed
    }

    fn wire(&self, body: &[u8], options: &Options) -> (Vec<u8>, crate::violation::Violations) {
        let mut reader = Reader::new(&self.plans, options, body, &[]);
        match self.response_field {
            None => reader.document(|reader| reader.content(self.output, 0)),
            Some(index) => {
                let field = &self.plans.message(self.output).fields[index];
                reader.document(|reader| reader.root_field(field).map(drop));
            }
        }
        reader.into_parts()
    }

    fn print(&self, wire: &[u8]) -> Option<Value> {
        let mut writer = Writer::new(&self.plans, &self.printed);
        writer.message(self.output, wire, 0).ok()?;
        serde_json::from_slice(&writer.finish()).ok()
    }
}

impl FindingKind {
    /// Every kind.
    pub const ALL: [Self; 6] = [
        Self::Status,
        Self::Unreadable,
        Self::Unknown,
        Self::Missing,
        Self::Added,
        Self::Changed,
    ];

    /// The kind of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == name)
    }

    /// Whether it is said of one answer, whatever the other one says: of an answer and itself too.
    #[must_use]
    pub const fn is_of_one(self) -> bool {
        matches!(self, Self::Unreadable | Self::Unknown)
    }

    /// The stable name in the store, metrics and the API.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Status => "status",
            Self::Unreadable => "unreadable",
            Self::Unknown => "unknown",
            Self::Missing => "missing",
            Self::Added => "added",
            Self::Changed => "changed",
        }
    }
}

#[cfg(test)]
mod tests;
