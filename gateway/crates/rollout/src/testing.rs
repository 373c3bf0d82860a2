//! Requests for tests.

use std::{borrow::Cow, collections::BTreeMap};

use crate::Facts;

/// A request that shows what it is told to, by the spelling of the source: `("header:x-user-id", "7")`.
#[derive(Clone, Debug, Default)]
pub(crate) struct Shown(BTreeMap<String, String>);

impl Shown {
    pub(crate) fn new(shown: &[(&str, &str)]) -> Self {
        let owned = |(source, value): &(&str, &str)| ((*source).to_owned(), (*value).to_owned());
        Self(shown.iter().map(owned).collect())
    }

    fn get(&self, kind: &str, name: &str) -> Option<&str> {
        self.0.get(&format!("{kind}:{name}")).map(String::as_str)
    }
}

impl Facts for Shown {
    fn header(&self, name: &str) -> Option<&str> {
        self.get("header", name)
    }

    fn cookie(&self, name: &str) -> Option<&str> {
        self.get("cookie", name)
    }

    fn claim(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get("token", name).map(Cow::Borrowed)
    }

    fn path(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get("path", name).map(Cow::Borrowed)
    }

    fn query(&self, name: &str) -> Option<Cow<'_, str>> {
        self.get("query", name).map(Cow::Borrowed)
    }

    fn body(&self, path: &str) -> Option<Cow<'_, str>> {
        self.get("body", path).map(Cow::Borrowed)
    }

    fn client_address(&self) -> Option<Cow<'_, str>> {
        self.get("client", "address").map(Cow::Borrowed)
    }
}
