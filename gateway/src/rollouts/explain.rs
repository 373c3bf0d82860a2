//! Where a subject goes and why, now or at a moment that has been.
//!
//! A moment's state comes from the log; what was decided then is decided again by the same pure function that decides
//! requests. Without a store, or while it is away, only the present can be explained.
//!
//! All that decides was in force at that moment, nothing of it is today's: the sources of subjects, rules, what becomes of
//! writers, the fallback, whether a side could be asked for and how long a pin held. What an older release did not write
//! down is said to be unknown, and so is how far the follower of legacy was. Keys are secret and in no log, so pins and
//! marks are verified by today's.

mod carried;

use std::{borrow::Cow, collections::BTreeMap, sync::Arc, time::Duration};

use banyan_rollout::{Explanation, Facts, Falling, Following, Line, Request, Subject, explain};
use jiff::Timestamp;

pub use self::carried::Carried;
use super::{
    ChangeError, Counts, Rollouts, Snapshot,
    live::{Current, Live},
};
use crate::store::SteeringTerms;

/// What somebody wants to know.
#[derive(Clone, Debug, Default)]
pub struct Question {
    /// Of which subject; of the one that the facts show where absent. Whose it is the facts say that show it; a client's
    /// where none does.
    pub subject: Option<String>,
    /// At which moment; now where absent.
    pub time: Option<Timestamp>,
    /// For a request that changes something.
    pub is_write: bool,
    /// Facts of the request, by the spelling of subject sources: `header:user-agent`.
    pub facts: BTreeMap<String, String>,
    /// What the request said about its side.
    pub carried: Carried,
}

/// A rollout at the moment that is asked about.
struct Moment {
    current: Arc<Current>,
    time: Timestamp,
    is_past: bool,
    /// What requests could say about their side, where that is known.
    steering: Option<SteeringTerms>,
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
        let moment = self.moment(&live, question.time).await?;
        let current = &moment.current;
        let facts = Told(question.facts);
        let reading = match (&question.subject, moment.has_subjects()) {
            (Some(value), _) => current.subjects.find_value(value, &facts),
            (None, true) => Some(current.subjects.find(&facts)),
            (None, false) => {
                let name = name.to_owned();
                return Err(ChangeError::Unrecorded { name });
            }
        };
        let taken = match (&reading, &question.subject) {
            (None, Some(value)) => moment.taken_for_a_clients(value),
            _ => None,
        };
        let shown = reading.as_ref().and_then(|it| it.subject.clone());
        let given = || question.subject.map(Subject::new);
        let subject = shown.or_else(given).ok_or_else(|| {
            let sources: Vec<_> = current
                .subjects
                .sources()
                .map(ToString::to_string)
                .collect();
            ChangeError::NoSubject {
                name: name.to_owned(),
                sources: sources.join(", "),
            }
        })?;
        let now_ms = u64::try_from(moment.time.as_millisecond()).unwrap_or_default();
        let keys = self.inner.steering.keys.load();
        let steering = moment.steering;
        let following = moment.following(&live, self.inner.steering.pin_max);
        let heard = question.carried.heard(&carried::Ears {
            pins: &live.pins,
            keys: &keys,
            going_down: current.decides_by.going_down,
            subject: (current.decides_by.algorithm).hash(&current.decides_by.salt, subject.value()),
            steering,
            today: self.inner.steering.terms(),
            is_past: moment.is_past,
            now_ms,
        });
        let request = Request {
            safe: !question.is_write,
            forced: heard.forced,
            pins: &heard.pins,
            following,
            marks: &heard.marks,
            facts: &facts,
            now_ms,
            ..Request::of(&subject)
        };
        let mut terms = heard.terms;
        terms.falling = Some(Falling {
            allowed: current.has_fallback,
            honours_request_ids: match moment.is_past {
                true => current.state.configured.honours_request_ids,
                false => Some(current.honours_request_ids),
            },
            shares_writes: live.shares_writes(current),
        });
        let words = current.state.position.percentages(current.state.weaker());
        let mut explanation = explain(
            &current.decides_by,
            &request,
            reading.as_ref(),
            Some(&words),
            &terms,
        );
        explanation.lines.extend(taken);
        explanation.lines.extend(moment.switch());
        explanation.lines.extend(moment.unknown());
        let is_stale = !moment.is_past && self.is_stale();
        Ok((explanation, moment.snapshot(&live, is_stale)))
    }

    async fn moment(&self, live: &Live, time: Option<Timestamp>) -> Result<Moment, ChangeError> {
        let now = || Arc::clone(&live.current());
        let Some(time) = time else {
            return Ok(Moment {
                current: now(),
                time: Timestamp::now(),
                is_past: false,
                steering: Some(self.inner.steering.terms()),
            });
        };
        let stored = self.store()?.state_at(live.name(), time).await;
        let stored = stored.map_err(|source| ChangeError::History {
            name: live.name().to_owned(),
            source,
        })?;
        let current = match stored {
            Some(stored) => Arc::new(Current::new(stored, &live.definition())),
            // The store has never seen it: nobody can have changed it.
            None => now(),
        };
        Ok(Moment {
            steering: current.state.configured.steering,
            current,
            time,
            is_past: true,
        })
    }
}

impl Moment {
    /// What is known of the follower; how far it was at a moment that has been is not in the log.
    fn following(&self, live: &Live, pin_max: Duration) -> Option<Following> {
        let now = || live.passed.following(pin_max);
        if self.is_past { None } else { now() }
    }

    /// Whether it is known where the subject of a request stood.
    fn has_subjects(&self) -> bool {
        !self.is_past || self.current.state.configured.subjects.is_some()
    }

    /// That a subject was judged as a client, since no fact shows it, where it may be an entity: what one client carries
    /// moves a client otherwise than what it shares with others.
    fn taken_for_a_clients(&self, value: &str) -> Option<Line> {
        let source = self.current.subjects.entities().next()?;
        Some(Line {
            topic: "subject",
            text: format!(
                "no fact shows `{value}`, so it was explained as a client's; \
                 `--fact {source}={value}` explains the entity"
            ),
        })
    }

    /// That gradual migration was switched off to no effect.
    fn switch(&self) -> Option<Line> {
        self.current.state.ignores_switch().then(|| Line {
            topic: "switch",
            text: "gradual migration is switched off, and stage grpc does not follow that"
                .to_owned(),
        })
    }

    /// What the log does not hold of it.
    fn unknown(&self) -> Option<Line> {
        let configured = &self.current.state.configured;
        let known = [
            ("the sources of subjects", configured.subjects.is_some()),
            ("its routes", configured.routes.is_some()),
            (
                "whether legacy honoured request ids",
                configured.honours_request_ids.is_some(),
            ),
            (
                "what requests could say about their side",
                configured.steering.is_some(),
            ),
        ];
        let lacks = known.into_iter().filter(|(_, is_known)| !is_known);
        let lacks: Vec<_> = lacks.map(|(name, _)| name).collect();
        (self.is_past && !lacks.is_empty()).then(|| Line {
            topic: "log",
            text: format!(
                "an older release wrote this entry, which lacks: {}",
                lacks.join(", ")
            ),
        })
    }

    /// The rollout as it was, without what is not known of it.
    fn snapshot(&self, live: &Live, is_stale: bool) -> Snapshot {
        let definition = live.definition();
        let now = Snapshot::new(&definition, &self.current, Counts::default(), is_stale);
        if !self.is_past {
            return now;
        }
        let configured = &self.current.state.configured;
        let subjects = configured.subjects.iter().flat_map(|all| all.sources());
        Snapshot {
            subjects: subjects.cloned().collect(),
            routes: configured.routes.clone().unwrap_or_default(),
            ..now
        }
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

#[cfg(test)]
mod tests;
