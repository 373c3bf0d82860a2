//! What a `google.rpc.Status` says, read from the wire without its descriptors.

use std::{borrow::Cow, time::Duration};

use crate::wire::{self, Cursor, WireType};

/// More metadata than this is not read.
const METADATA_MAX: usize = 64;

/// The parts of a status that decide how it looks. Whatever cannot be read is not there.
#[derive(Debug, Default)]
pub(super) struct Details<'a> {
    pub(super) anys: Vec<Any<'a>>,
    /// Of every `google.rpc.BadRequest`.
    pub(super) violations: Vec<FieldViolation<'a>>,
    /// The first `google.rpc.ErrorInfo`.
    pub(super) reason: Option<&'a str>,
    pub(super) domain: Option<&'a str>,
    pub(super) metadata: Vec<(&'a str, &'a str)>,
    /// Seconds and nanoseconds of a `google.rpc.RetryInfo`.
    retry: Option<(u64, u64)>,
}

#[derive(Debug)]
pub(super) struct Any<'a> {
    pub(super) type_url: &'a str,
    pub(super) value: &'a [u8],
}

#[derive(Debug)]
pub(super) struct FieldViolation<'a> {
    field: &'a str,
    pub(super) description: &'a str,
    pub(super) reason: &'a str,
}

impl Any<'_> {
    fn name(&self) -> &str {
        self.type_url
            .rsplit_once('/')
            .map_or(self.type_url, |(_, name)| name)
    }

    /// The value for callers who speak JSON: a `BadRequest` names fields in lowerCamelCase, as they sent them.
    pub(super) fn value_for_json(&self) -> Cow<'_, [u8]> {
        if self.name() != "google.rpc.BadRequest" {
            return Cow::Borrowed(self.value);
        }
        let mut out = Vec::with_capacity(self.value.len());
        for violation in Fields::of(self.value).bytes(1).map(Fields::of) {
            wire::put_nested(&mut out, 1, |out| {
                wire::put_bytes(out, 1, lower_camel(violation.text(1)).as_bytes());
                wire::put_bytes(out, 2, violation.text(2).as_bytes());
                wire::put_bytes(out, 3, violation.text(3).as_bytes());
            });
        }
        Cow::Owned(out)
    }
}

/// `stay.check_in_date` as `stay.checkInDate`: the JSON names that protobuf gives fields.
fn lower_camel(path: &str) -> String {
    let mut out = String::with_capacity(path.len());
    let mut upper = false;
    for letter in path.chars() {
        match letter {
            '_' => upper = true,
            _ if upper => {
                out.push(letter.to_ascii_uppercase());
                upper = false;
            }
            _ => out.push(letter),
        }
    }
    out
}

impl FieldViolation<'_> {
    /// The field as callers who speak JSON know it.
    pub(super) fn json_field(&self) -> String {
        lower_camel(self.field)
    }

    /// A body that cannot be read counts as one that is missing.
    pub(super) fn is_missing(&self) -> bool {
        matches!(self.reason, "MISSING" | "SYNTAX")
    }
}

impl<'a> Details<'a> {
    pub(super) fn read(status: &'a [u8]) -> Self {
        let mut details = Details::default();
        for any in Fields::of(status).bytes(3) {
            let fields = Fields::of(any);
            let any = Any {
                type_url: fields.text(1),
                value: fields.bytes(2).last().unwrap_or_default(),
            };
            details.note(&any);
            details.anys.push(any);
        }
        details
    }

    fn note(&mut self, any: &Any<'a>) {
        let fields = Fields::of(any.value);
        match any.name() {
            "google.rpc.BadRequest" => self.violations.extend(fields.bytes(1).map(|violation| {
                let fields = Fields::of(violation);
                FieldViolation {
                    field: fields.text(1),
                    description: fields.text(2),
                    reason: fields.text(3),
                }
            })),
            "google.rpc.ErrorInfo" if self.reason.is_none() => {
                self.reason = Some(fields.text(1));
                self.domain = Some(fields.text(2));
                let entries = fields.bytes(3).map(Fields::of);
                self.metadata = last_of_each(entries.map(|entry| (entry.text(1), entry.text(2))));
            }
            "google.rpc.RetryInfo" => {
                let delay = fields.bytes(1).last().unwrap_or_default();
                self.retry = Some((Fields::of(delay).uint(1), Fields::of(delay).uint(2)));
            }
            _ => {}
        }
    }

    /// A value of the metadata.
    pub(super) fn word(&self, key: &str) -> Option<&'a str> {
        let found = self.metadata.iter().find(|(name, _)| *name == key);
        found.map(|(_, value)| *value)
    }

    /// Whole seconds, rounded up; none when the delay is negative.
    pub(super) fn retry_after(&self) -> Option<Duration> {
        let (seconds, nanos) = self.retry?;
        let seconds = i64::try_from(seconds)
            .ok()?
            .checked_add(i64::from(nanos > 0))?;
        u64::try_from(seconds).ok().map(Duration::from_secs)
    }
}

/// Of the entries of a map with one key the last counts.
fn last_of_each<'a>(entries: impl Iterator<Item = (&'a str, &'a str)>) -> Vec<(&'a str, &'a str)> {
    let mut kept: Vec<(&str, &str)> = Vec::new();
    for (key, value) in entries.take(METADATA_MAX) {
        match kept.iter_mut().find(|(name, _)| *name == key) {
            Some(entry) => entry.1 = value,
            None => kept.push((key, value)),
        }
    }
    kept
}

/// The fields of a message up to where it breaks off.
#[derive(Clone, Copy)]
struct Fields<'a>(&'a [u8]);

impl<'a> Fields<'a> {
    fn of(bytes: &'a [u8]) -> Self {
        Fields(bytes)
    }

    fn each(self, number: u32, wire: WireType) -> impl Iterator<Item = &'a [u8]> {
        let mut cursor = Cursor::new(self.0);
        let all = std::iter::from_fn(move || {
            if cursor.is_done() {
                return None;
            }
            let (number, wire) = cursor.tag().ok()?;
            let (start, end) = cursor.skip(number, wire, 0).ok()?;
            Some((number, wire, &self.0[start..end]))
        });
        all.filter(move |field| (field.0, field.1) == (number, wire))
            .map(|field| field.2)
    }

    fn bytes(self, number: u32) -> impl Iterator<Item = &'a [u8]> {
        self.each(number, WireType::Bytes)
    }

    fn text(self, number: u32) -> &'a str {
        let last = self.bytes(number).last().unwrap_or_default();
        std::str::from_utf8(last).unwrap_or_default()
    }

    fn uint(self, number: u32) -> u64 {
        let last = self
            .each(number, WireType::Varint)
            .last()
            .unwrap_or_default();
        Cursor::new(last).varint().unwrap_or_default()
    }
}
