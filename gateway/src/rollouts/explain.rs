//! Where a subject goes and why, now or at a moment that has been.
//!
//! A moment's state comes from the log; what was decided then is decided again by the same pure function that decides
//! requests. Without a store, or while it is away, only the present can be explained.

use std::{borrow::Cow, collections::BTreeMap, sync::Arc};

use banyan_rollout::{Explanation, Facts, Request, Subject, explain};
use jiff::Timestamp;

use super::{ChangeError, Counts, Rollouts, Snapshot, live::Current};

/// What somebody wants to know.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Of which subject; of the one that the facts show where absent.
    pub subject: Option<String>,
    /// At which moment; now where absent.
    pub time: Option<Timestamp>,
    /// For a request that changes something.
    pub is_write: bool,
    /// Facts of the request, by the spelling of subject sources: `header:user-agent`.
    pub facts: BTreeMap<String, String>,
}

impl Rollouts {
    /// Explains where a subject goes, and the rollout as it was at that moment.
    ///
    /// # Errors
    /// If there is no such rollout, or nothing says of which subject; for a moment that has been, if the store is away.
    pub async fn explain(
        &self,
        name: &str,
        question: Question,
    ) -> Result<(Explanation, Snapshot), ChangeError> {
        let live = self.live(name)?;
        let current = match question.time {
            None => Arc::clone(&live.current()),
            Some(time) => {
                let stored = self.store()?.state_at(name, time).await;
                let stored = stored.map_err(|source| ChangeError::History {
                    name: name.to_owned(),
                    source,
                })?;
                match stored {
                    Some(stored) => Arc::new(Current::new(stored, &live.definition())),
                    // The store has never seen it: nobody can have changed it.
                    None => Arc::clone(&live.current()),
                }
            }
        };
        let facts = Told(question.facts);
        let definition = live.definition();
        let subjects = &definition.subjects;
        let reading = question.subject.is_none().then(|| subjects.find(&facts));
        let shown = || reading.as_ref()?.subject.clone();
        let given = question.subject.map(Subject::new);
        let subject = given.or_else(shown).ok_or_else(|| {
            let sources: Vec<_> = subjects.sources().map(ToString::to_string).collect();
            ChangeError::NoSubject {
                name: name.to_owned(),
                sources: sources.join(", "),
            }
        })?;
        let request = Request {
            safe: !question.is_write,
            facts: &facts,
            ..Request::of(&subject)
        };
        let words = current.state.position.percentages(current.state.weaker());
        let explanation = explain(
            &current.decides_by,
            &request,
            reading.as_ref(),
            Some(&words),
        );
        let is_stale = question.time.is_none() && self.is_stale();
        let snapshot = Snapshot::new(&definition, &current, Counts::default(), is_stale);
        Ok((explanation, snapshot))
    }
}

/// What somebody says that a request shows.
struct Told(BTreeMap<String, String>);

impl Told {
    fn get(&self, kind: &str, name: &str) -> Option<&str> {
        self.0.get(&format!("{kind}:{name}")).map(String::as_str)
    }
}

impl Facts for Told {
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
