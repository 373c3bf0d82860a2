//! What the legacy system can do besides listing, reading and creating, as an operator declares it.
//!
//! Nothing is found out by trying: a system that ignores what it does not know would answer a probe with success.

use std::{fmt, str::FromStr};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

/// One thing that a legacy system may be able to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Capability {
    /// It tells what changed since a cursor: `GET /api/movies/changes?since=CURSOR&limit=N`.
    ChangeFeed,
    /// It changes an entry: `PUT /api/movies?id=N`.
    Update,
    /// It removes entries, also on its own: `DELETE /api/movies?id=N`.
    Delete,
    /// It takes an entry under an id that others gave: `PUT /api/movies?id=N`.
    KeepsIds,
}

impl Capability {
    /// All there are.
    pub const ALL: [Self; 4] = [Self::ChangeFeed, Self::Update, Self::Delete, Self::KeepsIds];

    /// Its name in settings, statuses and errors.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::ChangeFeed => "change-feed",
            Self::Update => "update",
            Self::Delete => "delete",
            Self::KeepsIds => "keeps-ids",
        }
    }
}

impl fmt::Display for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl FromStr for Capability {
    type Err = String;

    fn from_str(name: &str) -> Result<Self, String> {
        let known = Self::ALL.into_iter().find(|it| it.as_str() == name);
        known.ok_or_else(|| {
            let allowed = Self::ALL.map(Self::as_str).join(", ");
            format!("`{name}` is no capability of a legacy system: {allowed} are")
        })
    }
}

/// What a legacy system can do; nothing by default.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Capabilities([bool; 4]);

impl Capabilities {
    /// Whether it can do that.
    #[must_use]
    pub fn has(self, capability: Capability) -> bool {
        self.0[capability as usize]
    }

    /// What it can do.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        Capability::ALL.into_iter().filter(move |it| self.has(*it))
    }

    /// Whether what it no longer lists was removed there, rather than lost.
    pub(crate) fn removes(self) -> bool {
        self.has(Capability::Delete) || self.has(Capability::ChangeFeed)
    }
}

impl FromIterator<Capability> for Capabilities {
    fn from_iter<I: IntoIterator<Item = Capability>>(capabilities: I) -> Self {
        let mut all = Self::default();
        for capability in capabilities {
            all.0[capability as usize] = true;
        }
        all
    }
}

impl Serialize for Capabilities {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_seq(self.iter().map(Capability::as_str))
    }
}

/// A list of names, or one text with commas between them, as an environment variable holds it.
impl<'de> Deserialize<'de> for Capabilities {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(
            untagged,
            expecting = "expected a list of capabilities, or one text with commas"
        )]
        enum Written {
            Text(String),
            List(Vec<String>),
        }
        let names = match Written::deserialize(deserializer)? {
            Written::Text(text) => text.split(',').map(str::to_owned).collect(),
            Written::List(list) => list,
        };
        let names = names.iter().map(|name| name.trim());
        names
            .filter(|name| !name.is_empty())
            .map(str::parse)
            .collect::<Result<_, String>>()
            .map_err(de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: &str) -> Result<Capabilities, String> {
        serde_json::from_str(written).map_err(|error| error.to_string())
    }

    #[test]
    fn a_list_and_a_text_say_the_same() {
        let some: Capabilities = [Capability::KeepsIds, Capability::ChangeFeed]
            .into_iter()
            .collect();
        assert_eq!(read(r#"["keeps-ids", "change-feed"]"#), Ok(some));
        assert_eq!(read(r#"" change-feed,keeps-ids, ""#), Ok(some));
        assert_eq!(read(r#""""#), Ok(Capabilities::default()));
        let told: Vec<_> = some.iter().map(Capability::as_str).collect();
        assert_eq!(told, ["change-feed", "keeps-ids"]);
    }

    #[test]
    fn what_is_unknown_is_named_with_what_is_allowed() {
        let error = read(r#""change-feed, updates""#).unwrap_err();
        assert!(error.contains("`updates`"), "{error}");
        assert!(
            error.contains("change-feed, update, delete, keeps-ids"),
            "{error}"
        );
        assert!(read("true").is_err());
    }
}
