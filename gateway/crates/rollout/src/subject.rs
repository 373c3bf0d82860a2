//! Who or what is kept sticky, and where a request says so.
//!
//! A rollout names its sources in order: `header:x-user-id`, `cookie:banyan_subject`. A request that lacks the first
//! falls to the next. A cookie must be among them: it is what the gateway gives to a client that brings nothing, so
//! that no request is ever without a subject and every client that keeps cookies keeps its side.
//!
//! Only the value is hashed, not where it stood: a user is the same user by header or by cookie.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// What a request shows of itself.
pub trait Facts {
    /// The value of a header, by its lower-case name.
    fn header(&self, name: &str) -> Option<&str>;
    /// The value of a cookie, by its name.
    fn cookie(&self, name: &str) -> Option<&str>;
}

/// Where a subject is read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SubjectSource {
    /// `header:NAME`, in lower case.
    Header(String),
    /// `cookie:NAME`.
    Cookie(String),
}

/// Who or what is kept sticky.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subject {
    value: String,
}

/// The sources of a rollout in the order tried; at least one is a cookie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subjects {
    sources: Vec<SubjectSource>,
    cookie: usize,
}

/// Why something is no source of subjects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSubjectError {
    /// Neither `header:` nor `cookie:`.
    #[error("`{0}` is no source of subjects: use `header:NAME` or `cookie:NAME`")]
    Kind(String),
    /// A name that no header or cookie can have.
    #[error("`{0}` names no header or cookie: letters, digits and !#$%&'*+-.^_`|~ are allowed")]
    Name(String),
    /// No cookie among the sources.
    #[error(
        "a cookie is missing, which clients that bring no subject are given: add `cookie:banyan_subject`"
    )]
    NoCookie,
}

impl Subject {
    /// A subject by its value: a user's id, a token.
    pub fn new(value: impl Into<String>) -> Self {
        Self {
            value: value.into(),
        }
    }

    /// What is hashed.
    #[must_use]
    pub fn value(&self) -> &str {
        &self.value
    }
}

impl SubjectSource {
    fn read<'a>(&self, facts: &'a impl Facts) -> Option<&'a str> {
        let value = match self {
            Self::Header(name) => facts.header(name),
            Self::Cookie(name) => facts.cookie(name),
        };
        // An empty value is what a proxy or a form sends for "nobody"; as a subject it would be one huge group.
        value.filter(|value| !value.is_empty())
    }
}

impl Subjects {
    /// Sources in the order tried.
    ///
    /// # Errors
    ///
    /// [`ParseSubjectError::NoCookie`] if none of them is a cookie.
    pub fn new(sources: Vec<SubjectSource>) -> Result<Self, ParseSubjectError> {
        let cookie = sources
            .iter()
            .position(|source| matches!(source, SubjectSource::Cookie(_)))
            .ok_or(ParseSubjectError::NoCookie)?;
        Ok(Self { sources, cookie })
    }

    /// The first subject that the request names, or `None` if it brings none and has to be given the [`Self::cookie`].
    pub fn read(&self, facts: &impl Facts) -> Option<Subject> {
        self.sources
            .iter()
            .find_map(|source| source.read(facts))
            .map(Subject::new)
    }

    /// The cookie to give to a client that brings no subject.
    #[must_use]
    pub fn cookie(&self) -> &str {
        match &self.sources[self.cookie] {
            SubjectSource::Cookie(name) | SubjectSource::Header(name) => name,
        }
    }

    /// The sources in the order tried.
    pub fn sources(&self) -> impl Iterator<Item = &SubjectSource> {
        self.sources.iter()
    }
}

impl FromStr for SubjectSource {
    type Err = ParseSubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = || ParseSubjectError::Kind(text.to_owned());
        let (source, name) = text.split_once(':').ok_or_else(kind)?;
        let named = |name: &str| {
            if is_token(name) {
                Ok(name.to_owned())
            } else {
                Err(ParseSubjectError::Name(text.to_owned()))
            }
        };
        match source {
            "header" => Ok(Self::Header(named(name)?.to_ascii_lowercase())),
            "cookie" => Ok(Self::Cookie(named(name)?)),
            _ => Err(kind()),
        }
    }
}

/// RFC 9110 section 5.6.2: what names of headers (and, by RFC 6265, of cookies) are made of.
fn is_token(name: &str) -> bool {
    !name.is_empty()
        && name
            .bytes()
            .all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
}

impl fmt::Display for SubjectSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
        }
    }
}

impl Serialize for SubjectSource {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for SubjectSource {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?
            .parse()
            .map_err(de::Error::custom)
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
    use super::*;

    struct Request(&'static [(&'static str, &'static str)]);

    impl Request {
        fn get(&self, key: &str) -> Option<&str> {
            self.0.iter().find(|pair| pair.0 == key).map(|pair| pair.1)
        }
    }

    impl Facts for Request {
        fn header(&self, name: &str) -> Option<&str> {
            self.get(&format!("header:{name}"))
        }
        fn cookie(&self, name: &str) -> Option<&str> {
            self.get(&format!("cookie:{name}"))
        }
    }

    fn subjects(sources: &[&str]) -> Result<Subjects, ParseSubjectError> {
        Subjects::new(
            sources
                .iter()
                .map(|source| source.parse())
                .collect::<Result<_, _>>()?,
        )
    }

    #[test]
    fn a_request_that_lacks_one_falls_to_the_next() {
        let subjects = subjects(&["header:X-User-Id", "cookie:banyan_subject"]).unwrap();
        let read = |request: Request| subjects.read(&request).map(|subject| subject.value);
        assert_eq!(read(Request(&[])), None);
        assert_eq!(subjects.cookie(), "banyan_subject");
        assert_eq!(
            read(Request(&[
                ("cookie:banyan_subject", "c"),
                ("header:x-user-id", "7")
            ])),
            Some("7".into())
        );
        assert_eq!(
            read(Request(&[("cookie:banyan_subject", "c")])),
            Some("c".into())
        );
        assert_eq!(
            read(Request(&[
                ("header:x-user-id", ""),
                ("cookie:banyan_subject", "c")
            ])),
            Some("c".into())
        );
    }

    #[track_caller]
    fn check(sources: &[&str], want: &str) {
        let got = match subjects(sources) {
            Ok(subjects) => subjects
                .sources()
                .map(ToString::to_string)
                .collect::<Vec<_>>()
                .join(", "),
            Err(error) => error.to_string(),
        };
        assert_eq!(got, want);
    }

    #[test]
    fn sources_are_parsed_or_refused_with_what_is_allowed() {
        check(
            &["header:X-User-Id", "cookie:Sid"],
            "header:x-user-id, cookie:Sid",
        );
        check(
            &["header:x-user-id"],
            "a cookie is missing, which clients that bring no subject are given: add `cookie:banyan_subject`",
        );
        check(
            &["query:user"],
            "`query:user` is no source of subjects: use `header:NAME` or `cookie:NAME`",
        );
        check(
            &["cookie"],
            "`cookie` is no source of subjects: use `header:NAME` or `cookie:NAME`",
        );
        check(
            &["header:x user"],
            "`header:x user` names no header or cookie: letters, digits and !#$%&'*+-.^_`|~ are allowed",
        );
        check(
            &["cookie:"],
            "`cookie:` names no header or cookie: letters, digits and !#$%&'*+-.^_`|~ are allowed",
        );
    }
}
