//! Two JSON values side by side, path by path, as the contract reads them.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Map, Value};

use super::{
    Allowances, Finding, FindingKind,
    paths::{cut, is_below, member, nearest},
    types::{Type, Types},
};

/// Characters of a redacted value.
const REDACTED_CHARS_MAX: usize = 40;

/// One comparison under way.
pub(super) struct Walk<'a> {
    types: Types<'a>,
    allowances: &'a Allowances,
    findings: &'a mut Vec<Finding>,
    max: usize,
}

/// What a value is sorted by where order means nothing: what has to be equal, and only then the numbers that may be apart.
#[derive(Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
struct Rank {
    text: String,
    near: Vec<i64>,
}

impl<'a> Walk<'a> {
    pub(super) fn new(
        types: Types<'a>,
        allowances: &'a Allowances,
        findings: &'a mut Vec<Finding>,
        max: usize,
    ) -> Self {
        Self {
            types,
            allowances,
            findings,
            max,
        }
    }

    pub(super) fn compare(&mut self, path: &str, is: Type, owner: &Value, other: &Value) {
        if self.findings.len() >= self.max || is_below(path, &self.allowances.ignore) {
            return;
        }
        match (owner, other) {
            (Value::Object(owner), Value::Object(other)) => self.objects(path, is, owner, other),
            (Value::Array(owner), Value::Array(other)) => self.lists(path, is, owner, other),
            _ if owner == other || self.is_near(path, is, owner, other) => {}
            _ => self.find(path, FindingKind::Changed, Some(owner), Some(other)),
        }
    }

    fn objects(
        &mut self,
        path: &str,
        is: Type,
        owner: &Map<String, Value>,
        other: &Map<String, Value>,
    ) {
        let names: BTreeSet<&String> = owner.keys().chain(other.keys()).collect();
        for name in names {
            let (path, is) = self.member(path, is, &[owner, other], name);
            self.pair(&path, is, owner.get(name), other.get(name));
        }
    }

    /// Path and type of a member of these objects: what no contract names is an entry like all others.
    fn member(
        &self,
        path: &str,
        is: Type,
        objects: &[&Map<String, Value>],
        name: &str,
    ) -> (String, Type) {
        match self.types.member(is, objects, name) {
            Some(is) => (member(path, name), is),
            None => (format!("{path}{{}}"), self.types.entry(is)),
        }
    }

    fn lists(&mut self, path: &str, is: Type, owner: &[Value], other: &[Value]) {
        let (path, is) = (format!("{path}[]"), self.types.element(is));
        if let Some(key) = self.allowances.keys.get(&path) {
            let (ours, theirs) = (keyed(owner, key), keyed(other, key));
            let places: BTreeSet<_> = ours.keys().chain(theirs.keys()).collect();
            for place in places {
                let (owner, other) = (ours.get(place).copied(), theirs.get(place).copied());
                self.pair(&path, is, owner, other);
            }
            return;
        }
        let (mut owner, mut other): (Vec<_>, Vec<_>) =
            (owner.iter().collect(), other.iter().collect());
        if self.allowances.unordered.contains(&path) {
            owner.sort_by_cached_key(|it| self.rank(&path, is, it));
            other.sort_by_cached_key(|it| self.rank(&path, is, it));
        }
        for at in 0..owner.len().max(other.len()) {
            self.pair(&path, is, owner.get(at).copied(), other.get(at).copied());
        }
    }

    fn pair(&mut self, path: &str, is: Type, owner: Option<&Value>, other: Option<&Value>) {
        match (owner, other) {
            (Some(owner), Some(other)) => self.compare(path, is, owner, other),
            (Some(_), None) => self.find(path, FindingKind::Missing, owner, None),
            (None, Some(_)) => self.find(path, FindingKind::Added, None, other),
            (None, None) => {}
        }
    }

    fn rank(&self, path: &str, is: Type, value: &Value) -> Rank {
        let mut rank = Rank::default();
        self.add_to(&mut rank, path, is, value);
        rank
    }

    fn add_to(&self, rank: &mut Rank, path: &str, is: Type, value: &Value) {
        if is_below(path, &self.allowances.ignore) {
            return;
        }
        match value {
            Value::Object(object) => {
                rank.text.push('{');
                for (name, value) in object.iter().collect::<BTreeMap<_, _>>() {
                    let (path, is) = self.member(path, is, &[object], name);
                    rank.text.push_str(&format!("{name:?}:"));
                    self.add_to(rank, &path, is, value);
                    rank.text.push(',');
                }
                rank.text.push('}');
            }
            Value::Array(list) => {
                let (path, is) = (format!("{path}[]"), self.types.element(is));
                let mut ranks: Vec<_> = list.iter().map(|it| self.rank(&path, is, it)).collect();
                let allowances = self.allowances;
                if allowances.unordered.contains(&path) || allowances.keys.contains_key(&path) {
                    ranks.sort();
                }
                rank.text.push('[');
                for it in ranks {
                    rank.text.push_str(&it.text);
                    rank.text.push(',');
                    rank.near.extend(it.near);
                }
                rank.text.push(']');
            }
            _ => match self.tolerated(path, is, value) {
                Some((number, _)) => rank.near.push(in_order(number)),
                None => rank.text.push_str(&value.to_string()),
            },
        }
    }

    fn is_near(&self, path: &str, is: Type, owner: &Value, other: &Value) -> bool {
        let (owner, other) = (
            self.tolerated(path, is, owner),
            self.tolerated(path, is, other),
        );
        matches!((owner, other), (Some((owner, by)), Some((other, _))) if (owner - other).abs() <= by)
    }

    /// A number that may be apart from another one, and how far. 64-bit ones are printed as text; other text is a number only
    /// where the tolerance is declared for this very path.
    fn tolerated(&self, path: &str, is: Type, value: &Value) -> Option<(f64, f64)> {
        let (by, is_exact) = nearest(path, &self.allowances.tolerance)?;
        let number = match value {
            Value::Number(number) => number.as_f64(),
            Value::String(text) if is_exact || self.types.is_number(is) => text.parse().ok(),
            _ => None,
        };
        Some((number?, by))
    }

    fn find(
        &mut self,
        path: &str,
        kind: FindingKind,
        owner: Option<&Value>,
        other: Option<&Value>,
    ) {
        if self.findings.len() >= self.max || is_below(path, &self.allowances.ignore) {
            return;
        }
        let path = cut(path.to_owned());
        // Elements that differ alike are told once, or those of a long list would leave no room for the others.
        let mut told = self.findings.iter();
        if !told.any(|it| it.kind == kind && it.path == path) {
            self.findings.push(Finding {
                path,
                kind,
                owner: owner.map(redacted).unwrap_or_default(),
                other: other.map(redacted).unwrap_or_default(),
            });
        }
    }
}

/// Elements by their key and by which one of that key they are; those without a key are told apart by their order alone.
fn keyed<'v>(list: &'v [Value], key: &str) -> BTreeMap<(Option<String>, usize), &'v Value> {
    let mut seen = BTreeMap::<Option<String>, usize>::new();
    let mut place = |it: &'v Value| {
        let key = it.get(key).filter(|key| !key.is_null());
        let key = key.map(Value::to_string);
        let before = seen.entry(key.clone()).or_default();
        *before += 1;
        (key, *before)
    };
    list.iter().map(|it| (place(it), it)).collect()
}

/// The order of numbers as that of integers (IEEE 754, totalOrder).
fn in_order(number: f64) -> i64 {
    let bits = number.to_bits().cast_signed();
    if bits < 0 { bits ^ i64::MAX } else { bits }
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
