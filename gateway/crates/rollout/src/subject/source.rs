//! One place of a request where a subject may stand, as a setting spells it: `KIND:NAME`.

use std::{borrow::Cow, fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::{Facts, SubjectKind};

const NAME_BYTES_MAX: usize = 100;

/// Where a subject is read from.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub enum SubjectSource {
    /// `token:NAME`, a claim of the verified token.
    Claim(String),
    /// `header:NAME`, in lower case.
    Header(String),
    /// `cookie:NAME`.
    Cookie(String),
    /// `path:NAME`, a parameter of the route's path template.
    Path(String),
    /// `query:NAME`.
    Query(String),
    /// `body:NAME` or `body:OUTER.NAME`, a field of the JSON body.
    Body(String),
    /// `client:address`.
    ClientAddress,
}

/// Why something is no source of subjects.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseSubjectError {
    /// None of the kinds that there are.
    #[error(
        "`{0}` is no source of subjects: use `token:CLAIM`, `header:NAME`, `cookie:NAME`, `path:NAME`, `query:NAME`, `body:FIELD` or `client:address`"
    )]
    Kind(String),
    /// A name that no header or cookie can have.
    #[error("`{0}` names no header or cookie: letters, digits and !#$%&'*+-.^_`|~ are allowed")]
    Name(String),
    /// A name that no claim, parameter or field is given.
    #[error(
        "`{0}` names no claim, parameter or field: 1 to {NAME_BYTES_MAX} characters other than spaces and controls are allowed, and no empty part between the dots of a field"
    )]
    Field(String),
    /// Neither a cookie nor the client's address among the sources.
    #[error(
        "a cookie is missing, which clients that bring no subject are given: add `cookie:banyan_subject`, or `client:address` at the end"
    )]
    NoEnd,
}

impl SubjectSource {
    /// Whose a subject is that stands there.
    pub(super) const fn kind(&self) -> SubjectKind {
        match self {
            Self::Path(_) | Self::Query(_) | Self::Body(_) => SubjectKind::Entity,
            Self::Claim(_) | Self::Header(_) | Self::Cookie(_) | Self::ClientAddress => {
                SubjectKind::Client
            }
        }
    }

    pub(super) fn read<'a>(&self, facts: &'a dyn Facts) -> Option<Cow<'a, str>> {
        let value = match self {
            Self::Claim(name) => facts.claim(name),
            Self::Header(name) => facts.header(name).map(Cow::Borrowed),
            Self::Cookie(name) => facts.cookie(name).map(Cow::Borrowed),
            Self::Path(name) => facts.path(name),
            Self::Query(name) => facts.query(name),
            Self::Body(path) => facts.body(path),
            Self::ClientAddress => facts.client_address(),
        };
        // An empty value is what a proxy or a form sends for "nobody"; as a subject it would be one huge group.
        value.filter(|value| !value.is_empty())
    }
}

impl FromStr for SubjectSource {
    type Err = ParseSubjectError;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let kind = || ParseSubjectError::Kind(text.to_owned());
        let (source, name) = text.split_once(':').ok_or_else(kind)?;
        let token = || {
            is_token(name)
                .then(|| name.to_owned())
                .ok_or_else(|| ParseSubjectError::Name(text.to_owned()))
        };
        let field = |allowed: bool| {
            (allowed && is_name(name))
                .then(|| name.to_owned())
                .ok_or_else(|| ParseSubjectError::Field(text.to_owned()))
        };
        match source {
            "token" => field(true).map(Self::Claim),
            "header" => token().map(|name| Self::Header(name.to_ascii_lowercase())),
            "cookie" => token().map(Self::Cookie),
            "path" => field(true).map(Self::Path),
            "query" => field(true).map(Self::Query),
            "body" => field(name.split('.').all(|part| !part.is_empty())).map(Self::Body),
            "client" if name == "address" => Ok(Self::ClientAddress),
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

fn is_name(name: &str) -> bool {
    (1..=NAME_BYTES_MAX).contains(&name.len())
        && !name
            .chars()
            .any(|char| char.is_whitespace() || char.is_control())
}

impl fmt::Display for SubjectSource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Claim(name) => write!(f, "token:{name}"),
            Self::Header(name) => write!(f, "header:{name}"),
            Self::Cookie(name) => write!(f, "cookie:{name}"),
            Self::Path(name) => write!(f, "path:{name}"),
            Self::Query(name) => write!(f, "query:{name}"),
            Self::Body(path) => write!(f, "body:{path}"),
            Self::ClientAddress => f.write_str("client:address"),
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Subjects;

    #[track_caller]
    fn check(sources: &[&str], want: &str) {
        let parsed: Result<Vec<SubjectSource>, _> =
            sources.iter().map(|source| source.parse()).collect();
        let got = match parsed.and_then(Subjects::new) {
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
    fn sources_are_parsed_as_they_are_spelt() {
        check(
            &["header:X-User-Id", "cookie:Sid"],
            "header:x-user-id, cookie:Sid",
        );
        check(
            &[
                "token:sub",
                "path:id",
                "query:user_id",
                "body:guest.Id",
                "client:address",
            ],
            "token:sub, path:id, query:user_id, body:guest.Id, client:address",
        );
    }

    #[test]
    fn what_is_no_source_is_refused_with_what_is_allowed() {
        let kinds = "is no source of subjects: use `token:CLAIM`, `header:NAME`, `cookie:NAME`, `path:NAME`, \
                     `query:NAME`, `body:FIELD` or `client:address`";
        check(&["user:id"], &format!("`user:id` {kinds}"));
        check(&["cookie"], &format!("`cookie` {kinds}"));
        check(&["client:ip"], &format!("`client:ip` {kinds}"));
        for wrong in ["header:x user", "cookie:"] {
            check(
                &[wrong],
                &format!(
                    "`{wrong}` names no header or cookie: letters, digits and !#$%&'*+-.^_`|~ are allowed"
                ),
            );
        }
        for wrong in ["path:", "query:a b", "body:a..b", "token:\n"] {
            check(
                &[wrong],
                &format!(
                    "`{wrong}` names no claim, parameter or field: 1 to 100 characters other than spaces and controls are allowed, and no empty part between the dots of a field"
                ),
            );
        }
        check(
            &["header:x-user-id", "path:id"],
            "a cookie is missing, which clients that bring no subject are given: add `cookie:banyan_subject`, or `client:address` at the end",
        );
    }
}
