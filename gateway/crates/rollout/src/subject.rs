//! Who or what is kept sticky, and where a request says so.
//!
//! A rollout names its sources in order: `token:sub`, `header:x-user-id`, `cookie:banyan_subject`. A request that lacks
//! the first falls to the next, and [`Reading`] says which was used and which were missing. The list has to end in
//! something: a cookie, which the gateway gives to a client that brings nothing, or the client's address. So every client
//! that keeps cookies keeps its side.
//!
//! Only the value is hashed, not where it stood: a user is the same user by header or by cookie. A path parameter makes an
//! entity the subject: with `path:id` all that concerns one screening is decided together, whoever asks and however its number
//! is spelt. What is told of a
//! subject besides is whose it is ([`SubjectKind`]): what one client carries moves nothing that others share.

mod body;
mod integer;
mod source;

use std::borrow::Cow;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

pub use body::{BODY_BYTES_MAX, field_of_body};
pub use source::{ParseSubjectError, SubjectSource};

/// What a request shows of itself. What a gateway cannot tell is absent.
pub trait Facts {
    /// The value of a header, by its lower-case name.
    fn header(&self, name: &str) -> Option<&str>;

    /// The value of a cookie, by its name.
    fn cookie(&self, name: &str) -> Option<&str>;

    /// A claim of the token that came with the request, once verified; never of one that was not.
    fn claim(&self, _name: &str) -> Option<Cow<'_, str>> {
        None
    }

    /// A parameter of the route's path template, decoded.
    fn path(&self, _name: &str) -> Option<Cow<'_, str>> {
        None
    }

    /// The first query parameter of that name, decoded.
    fn query(&self, _name: &str) -> Option<Cow<'_, str>> {
        None
    }

    /// A field of the JSON body; see [`field_of_body`].
    fn body(&self, _path: &str) -> Option<Cow<'_, str>> {
        None
    }

    /// The client's address, as the proxy before the gateway saw it where that is trusted.
    fn client_address(&self) -> Option<Cow<'_, str>> {
        None
    }
}

/// A request that shows nothing.
#[derive(Clone, Copy, Debug, Default)]
pub struct NoFacts;

impl Facts for NoFacts {
    fn header(&self, _name: &str) -> Option<&str> {
        None
    }

    fn cookie(&self, _name: &str) -> Option<&str> {
        None
    }
}

/// Who or what is kept sticky.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    value: String,
    kind: SubjectKind,
}

/// Whose a subject is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum SubjectKind {
    /// The client's, which shows it by its token, a header, a cookie or its address.
    Client,
    /// Something that many clients may ask for: it stands in the path, the query or the body.
    Entity,
    /// A client's that shows none: the gateway has just made it, and nobody else has it.
    Given,
}

/// The sources of a rollout in the order tried; at least one is a cookie or the client's address.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    sources: Vec<SubjectSource>,
}

/// What a request's subject is and how it was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reading<'s> {
    /// `None` if the request brings none and has to be given [`Subjects::cookie`].
    pub subject: Option<Subject>,
    /// The source that had it.
    pub source: Option<&'s SubjectSource>,
    /// Sources that stand before it and that the request lacks.
    pub missing: &'s [SubjectSource],
}

impl Subject {
    /// A client by its value: a user's id, a token.
    pub fn new(value: impl Into<String>) -> Self {
        Self::of(value, SubjectKind::Client)
    }

    /// A subject by its value.
    pub fn of(value: impl Into<String>, kind: SubjectKind) -> Self {
        Self {
            value: value.into(),
            kind,
        }
    }

    /// What is hashed.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }

    /// Whose it is.
    #[must_use]
    pub const fn kind(&self) -> SubjectKind {
        self.kind
    }
}

impl Subjects {
    /// Sources in the order tried.
    ///
    /// # Errors
    ///
    /// [`ParseSubjectError::NoEnd`] if none of them is a cookie or the client's address.
    pub fn new(sources: Vec<SubjectSource>) -> Result<Self, ParseSubjectError> {
        let ends = |source: &SubjectSource| {
            matches!(
                source,
                SubjectSource::Cookie(_) | SubjectSource::ClientAddress
            )
        };
        if sources.iter().any(ends) {
            Ok(Self { sources })
        } else {
            Err(ParseSubjectError::NoEnd)
        }
    }

    /// The first subject that the request names, and what was missing before it.
    #[must_use]
    pub fn find(&self, facts: &dyn Facts) -> Reading<'_> {
        let found = self
            .sources
            .iter()
            .enumerate()
            .find_map(|(index, source)| Some((index, source, source.read(facts)?)));
        match found {
            Some((index, source, value)) => Reading {
                subject: Some(match source.kind() {
                    SubjectKind::Entity => {
                        Subject::of(integer::digits_of(value), SubjectKind::Entity)
                    }
                    kind => Subject::of(value, kind),
                }),
                source: Some(source),
                missing: &self.sources[..index],
            },
            None => Reading {
                subject: None,
                source: None,
                missing: &self.sources,
            },
        }
    }

    /// The first source that names this subject, whatever stands before it, spelt as it is shown or as it is hashed; so whose
    /// the subject is. `None` if none does.
    #[must_use]
    pub fn find_value(&self, value: &str, facts: &dyn Facts) -> Option<Reading<'_>> {
        self.sources.iter().find_map(|source| {
            let alone = Self {
                sources: vec![source.clone()],
            };
            let subject = alone.read(facts)?;
            let is_named = subject.value() == value || source.read(facts)? == value;
            is_named.then_some(Reading {
                subject: Some(subject),
                source: Some(source),
                missing: &[],
            })
        })
    }

    /// The first subject that the request names, or `None` if it brings none and has to be given the [`Self::cookie`].
    #[must_use]
    pub fn read(&self, facts: &dyn Facts) -> Option<Subject> {
        self.find(facts).subject
    }

    /// The cookie to give to a client that brings no subject: the first one named. `None` where the client's address is
    /// the last resort.
    #[must_use]
    pub fn cookie(&self) -> Option<&str> {
        self.sources.iter().find_map(|source| match source {
            SubjectSource::Cookie(name) => Some(name.as_str()),
            _ => None,
        })
    }

    /// Whether a body has to be read before a subject can be told; at most [`BODY_BYTES_MAX`] of it.
    #[must_use]
    pub fn want_body(&self) -> bool {
        self.sources
            .iter()
            .any(|source| matches!(source, SubjectSource::Body(_)))
    }

    /// Whether a subject may stand in what is asked: for a call without path, query and JSON, in its message.
    #[must_use]
    pub fn want_request(&self) -> bool {
        self.entities().next().is_some()
    }

    /// The sources whose subjects are entities, in the order tried.
    pub fn entities(&self) -> impl Iterator<Item = &SubjectSource> {
        let is_entity = |source: &&SubjectSource| source.kind() == SubjectKind::Entity;
        self.sources.iter().filter(is_entity)
    }

    /// The sources in the order tried.
    pub fn sources(&self) -> impl Iterator<Item = &SubjectSource> {
        self.sources.iter()
    }
}

impl Serialize for Subjects {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        self.sources.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for Subjects {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Self::new(Vec::deserialize(deserializer)?).map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::testing::Shown;

    fn subjects(sources: &[&str]) -> Subjects {
        let sources = sources.iter().map(|source| source.parse().unwrap());
        Subjects::new(sources.collect()).unwrap()
    }

    #[track_caller]
    fn check(sources: &[&str], shown: &[(&str, &str)], want: (Option<&str>, Option<&str>, usize)) {
        let subjects = subjects(sources);
        let shown = Shown::new(shown);
        let reading = subjects.find(&shown);
        let subject = reading.subject.as_ref().map(Subject::value);
        let source = reading.source.map(ToString::to_string);
        assert_eq!((subject, source.as_deref(), reading.missing.len()), want);
    }

    #[test]
    fn a_request_that_lacks_one_falls_to_the_next() {
        let two = ["header:X-User-Id", "cookie:banyan_subject"];
        let cookie = ("cookie:banyan_subject", "c");
        check(&two, &[], (None, None, 2));
        check(
            &two,
            &[cookie, ("header:x-user-id", "7")],
            (Some("7"), Some("header:x-user-id"), 0),
        );
        check(
            &two,
            &[cookie],
            (Some("c"), Some("cookie:banyan_subject"), 1),
        );
        // What a proxy or a form sends for "nobody" is nobody.
        check(
            &two,
            &[cookie, ("header:x-user-id", "")],
            (Some("c"), Some("cookie:banyan_subject"), 1),
        );
    }

    #[test]
    fn every_kind_of_source_is_read() {
        let all = [
            "token:sub",
            "header:h",
            "cookie:c",
            "path:id",
            "query:q",
            "body:guest.id",
            "client:address",
        ];
        for (index, source) in all.into_iter().enumerate() {
            check(&all, &[(source, "v")], (Some("v"), Some(source), index));
            let subject = subjects(&all).read(&Shown::new(&[(source, "v")])).unwrap();
            let is_entity = ["path:id", "query:q", "body:guest.id"].contains(&source);
            let kinds = [SubjectKind::Client, SubjectKind::Entity];
            assert_eq!(subject.kind(), kinds[usize::from(is_entity)], "{source}");
        }
        check(&all, &[], (None, None, all.len()));
    }

    #[test]
    fn an_entity_is_the_same_however_its_number_is_spelt_and_wherever() {
        for source in ["path:id", "query:id", "body:id"] {
            for spelt in ["7", "7.0", "70e-1"] {
                check(
                    &[source, "cookie:c"],
                    &[(source, spelt)],
                    (Some("7"), Some(source), 0),
                );
            }
        }
        // Nobody reads a client's name as a number.
        let client = ["header:h", "cookie:c"];
        check(
            &client,
            &[("header:h", "7.0")],
            (Some("7.0"), Some("header:h"), 0),
        );
    }

    #[test]
    fn the_first_cookie_is_given_to_who_brings_nothing() {
        assert_eq!(
            subjects(&["path:id", "cookie:a", "cookie:b"]).cookie(),
            Some("a")
        );
        assert_eq!(subjects(&["path:id", "client:address"]).cookie(), None);
    }

    #[test]
    fn only_a_list_with_a_body_field_wants_the_body() {
        assert!(subjects(&["body:id", "cookie:c"]).want_body());
        assert!(!subjects(&["query:id", "cookie:c"]).want_body());
        for source in ["path:id", "query:id", "body:id"] {
            assert!(subjects(&[source, "cookie:c"]).want_request(), "{source}");
        }
        assert!(!subjects(&["header:id", "token:sub", "cookie:c"]).want_request());
    }

    #[test]
    fn a_subject_that_is_known_is_whose_the_first_source_says_that_names_it() {
        let subjects = subjects(&["header:h", "path:id", "cookie:c"]);
        let shown = Shown::new(&[("header:h", "alice"), ("path:id", "7"), ("cookie:c", "7")]);
        let found = |value| {
            let reading = subjects.find_value(value, &shown)?;
            Some((reading.source?.to_string(), reading.subject?.kind()))
        };
        let source = |name: &str, kind| Some((name.to_owned(), kind));
        assert_eq!(found("alice"), source("header:h", SubjectKind::Client));
        assert_eq!(found("7"), source("path:id", SubjectKind::Entity));
        assert_eq!(found("8"), None);
    }

    proptest! {
        #[test]
        fn the_first_that_is_there_is_used(there in proptest::collection::vec(any::<bool>(), 5)) {
            let sources = ["token:sub", "header:h", "path:id", "query:q", "cookie:c"];
            let shown: Vec<_> = sources
                .iter()
                .zip(&there)
                .filter_map(|(source, there)| there.then_some((*source, *source)))
                .collect();
            let subjects = subjects(&sources);
            let shown = Shown::new(&shown);
            let reading = subjects.find(&shown);
            let first = there.iter().position(|there| *there);
            prop_assert_eq!(reading.missing.len(), first.unwrap_or(sources.len()));
            let value = reading.subject.as_ref().map(Subject::value);
            prop_assert_eq!(value, first.map(|first| sources[first]));
        }
    }
}
