//! Request ids: what was decided under one is answered once more as it was, for two days; afterwards a sweep forgets it. A
//! mistake is no decision, and what came too late was none either. Each caller has its own, for each method.

use super::{Answer, Call, Model, Outcome, Reason, Rejection, Seen, Who};
use crate::inventory::{Refusal, model::ask::Ask};

/// Minutes that answers are kept.
const KEPT: i64 = 48 * 60;

/// Whose request id, for which method, and which.
pub(super) type Key = (Who, &'static str, u8);

/// What was asked and answered.
pub(super) struct Kept {
    ask: Ask,
    answer: Result<Outcome, Refusal>,
    minute: i64,
    /// Whether that was in this batch.
    is_new: bool,
}

/// Why a request id that was used is as good as new.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(in crate::inventory::model) enum Anew {
    Mistaken,
    Late,
    Forgotten,
}

fn key(call: &Call) -> Option<Key> {
    Some((call.who, call.ask.method(), call.id?))
}

impl Model {
    /// Whether its request id has an answer.
    pub(super) fn is_kept(&self, call: &Call) -> bool {
        key(call).is_some_and(|it| self.kept.contains_key(&it))
    }

    /// That it is answered as it was before, or that its request id is another's; nothing is done.
    pub(super) fn repeat(&mut self, call: &Call, answer: &Answer) {
        let kept = &self.kept[&key(call).unwrap()];
        let answer = match answer {
            Ok(outcome) => Ok(outcome),
            Err(Rejection::Refused(refusal)) => Err(refusal),
            Err(_) => panic!("{call:?} was answered {answer:?}"),
        };
        if kept.ask == call.ask {
            assert_eq!(answer, kept.answer.as_ref(), "{call:?}");
            self.seen.insert(Seen::Repeated {
                granted: answer.is_ok(),
                at_once: kept.is_new,
            });
            return;
        }
        let refusal = answer.unwrap_err();
        assert_eq!(refusal.reason, Reason::RequestIdReused, "{call:?}");
        assert_eq!(refusal.position.sequence, self.at, "{call:?}");
        self.seen.insert(Seen::Refused(refusal.reason));
    }

    /// Keeps what was decided just now.
    pub(super) fn keep(&mut self, call: &Call, answer: &Answer) {
        let Some(key) = key(call) else { return };
        let lost = self.lost.remove(&key);
        self.seen.extend(lost.map(Seen::Anew));
        let answer = match answer {
            Ok(outcome) => Ok(outcome.clone()),
            Err(Rejection::Refused(refusal)) => Err(refusal.clone()),
            Err(_) => return self.lose(call, Anew::Mistaken),
        };
        let kept = Kept {
            ask: call.ask.clone(),
            answer,
            minute: self.minute,
            is_new: true,
        };
        self.kept.insert(key, kept);
    }

    /// Notes that a request id was used in vain.
    pub(super) fn lose(&mut self, call: &Call, why: Anew) {
        if let Some(key) = key(call)
            && !self.kept.contains_key(&key)
        {
            self.lost.insert(key, why);
        }
    }

    /// Begins a batch.
    pub(super) fn begin_answers(&mut self) {
        self.kept.values_mut().for_each(|it| it.is_new = false);
    }

    /// Forgets what has been kept for long enough.
    pub(super) fn forget(&mut self) {
        let minute = self.minute;
        let old = self
            .kept
            .extract_if(|_, it| minute - it.minute > KEPT)
            .map(|(key, _)| (key, Anew::Forgotten));
        self.lost.extend(old);
    }
}
