//! Two JSON values side by side, path by path.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{Allowances, Finding, FindingKind};

/// Characters of a redacted value.
const REDACTED_CHARS_MAX: usize = 40;

/// One comparison under way.
pub(super) struct Walk<'a> {
    allowances: &'a Allowances,
    findings: &'a mut Vec<Finding>,
    max: usize,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        allowances: &'a Allowances,
        findings: &'a mut Vec<Finding>,
        max: usize,
    ) -> Self {
        Self {
            allowances,
            findings,
            max,
        }
    }

    pub(super) fn compare(&mut self, path: &str, owner: &Value, other: &Value) {
        if self.findings.len() >= self.max || is_below(path, &self.allowances.ignore) {
            return;
        }
        match (owner, other) {
            (Value::Object(owner), Value::Object(other)) => self.objects(path, owner, other),
            (Value::Array(owner), Value::Array(other)) => self.lists(path, owner, other),
            _ if owner == other || self.is_near(path, owner, other) => {}
            _ => self.find(path, FindingKind::Changed, Some(owner), Some(other)),
        }
    }

    fn objects(&mut self, path: &str, owner: &Map<String, Value>, other: &Map<String, Value>) {
        let names: BTreeSet<&String> = owner.keys().chain(other.keys()).collect();
        for name in names {
            let path = match path {
                "" => name.clone(),
                _ => format!("{path}.{name}"),
            };
            self.pair(&path, owner.get(name), other.get(name));
        }
    }

    fn lists(&mut self, path: &str, owner: &[Value], other: &[Value]) {
        let path = format!("{path}[]");
        let (owner, other) = (owner.iter(), other.iter());
        if let Some(key) = self.allowances.keys.get(&path) {
            let ours: BTreeMap<String, &Value> =
                owner.map(|it| (it[key].to_string(), it)).collect();
            let theirs: BTreeMap<String, &Value> =
                other.map(|it| (it[key].to_string(), it)).collect();
            let keys: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
            for key in keys {
                self.pair(&path, ours.get(key).copied(), theirs.get(key).copied());
            }
            return;
        }
        let (mut owner, mut other): (Vec<&Value>, Vec<&Value>) = (owner.collect(), other.collect());
        if self.allowances.unordered.contains(&path) {
            owner.sort_by_cached_key(|it| it.to_string());
            other.sort_by_cached_key(|it| it.to_string());
        }
        for at in 0..owner.len().max(other.len()) {
            self.pair(&path, owner.get(at).copied(), other.get(at).copied());
        }
    }

    fn pair(&mut self, path: &str, owner: Option<&Value>, other: Option<&Value>) {
        match (owner, other) {
            (Some(owner), Some(other)) => self.compare(path, owner, other),
            (Some(_), None) => self.find(path, FindingKind::Missing, owner, None),
            (None, Some(_)) => self.find(path, FindingKind::Added, None, other),
            (None, None) => {}
        }
    }

    fn is_near(&self, path: &str, owner: &Value, other: &Value) -> bool {
        let tolerance = self.allowances.tolerance.get(path);
        match (tolerance, number(owner), number(other)) {
            (Some(tolerance), Some(owner), Some(other)) => (owner - other).abs() <= *tolerance,
            _ => false,
        }
    }

    fn find(
        &mut self,
        path: &str,
        kind: FindingKind,
        owner: Option<&Value>,
        other: Option<&Value>,
    ) {
        if self.findings.len() < self.max && !is_below(path, &self.allowances.ignore) {
            self.findings.push(Finding {
                path: path.to_owned(),
                kind,
                owner: owner.map(redacted).unwrap_or_default(),
                other: other.map(redacted).unwrap_or_default(),
            });
        }
    }
}

/// A number, 64-bit ones printed as text included.
fn number(value: &Value) -> Option<f64> {
    match value {
        Value::Number(number) => number.as_f64(),
        Value::String(text) => text.parse().ok(),
        _ => None,
    }
}

/// Whether a path is one of these or below one of them.
pub(super) fn is_below(path: &str, paths: &BTreeSet<String>) -> bool {
    paths.iter().any(|it| {
        path.strip_prefix(it.as_str())
            .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[']))
    })
}

/// The path of an element stands for those of all elements: `movies[3].title` is `movies[].title`.
pub(super) fn grouped(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut inside = false;
    for char in path.chars() {
        inside = match char {
            '[' => {
                out.push(char);
                true
            }
            ']' => false,
            _ => inside,
        };
        if !inside {
            out.push(char);
        }
    }
    out
}

/// The shape of a value without its content: letters become `x`, digits `0`; of lists and objects only the size is
/// told. What is at most 40 characters long afterwards.
#[must_use]
pub fn redacted(value: &Value) -> String {
    let shape = match value {
        Value::Null | Value::Bool(_) => return value.to_string(),
        Value::Array(list) => return format!("[{} elements]", list.len()),
        Value::Object(members) => return format!("{{{} members}}", members.len()),
        Value::Number(number) => number.to_string(),
        Value::String(text) => format!("{text:?}"),
    };
    let hide = |char: char| match char {
        _ if char.is_numeric() => '0',
        _ if char.is_alphabetic() => 'x',
        _ => char,
    };
    let mut hidden: String = shape.chars().take(REDACTED_CHARS_MAX).map(hide).collect();
    if shape.chars().count() > REDACTED_CHARS_MAX {
        hidden.push('…');
    }
    hidden
}
