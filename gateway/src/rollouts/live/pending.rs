//! What comes into force at moments that all replicas know, in the order of these moments.
//!
//! Several changes may be under way at once, made within less time than one takes to come into force. Each is in force
//! from its own moment until the next one's: so every replica decides by the same one at any moment, in whatever order it
//! has heard of them, and whoever made one of them is answered when it is in force.

use std::sync::Arc;

use jiff::Timestamp;

use super::Current;

/// So many changes may be under way at once; beyond that the earliest ones are never in force here.
pub(in crate::rollouts) const PENDING_MAX: usize = 64;

/// What will be in force, and from when on.
#[derive(Clone, Debug)]
pub(super) struct Next {
    pub(super) from: Timestamp,
    pub(super) current: Arc<Current>,
}

/// What waits for its moment, the earliest first; never nothing.
#[derive(Clone, Debug)]
pub(super) struct Pending {
    first: Next,
    more: Vec<Next>,
}

impl Pending {
    /// What waited before with one that comes last, and how many were too many. Of what waited only earlier versions stay.
    pub(super) fn with(before: Option<&Self>, next: Next) -> (Self, usize) {
        let waited = before.into_iter().flat_map(Self::all);
        let mut all: Vec<Next> = waited
            .filter(|it| it.current.version < next.current.version)
            .cloned()
            .chain([next.clone()])
            .collect();
        let too_many = all.len().saturating_sub(PENDING_MAX);
        let mut all = all.drain(too_many..);
        let pending = Self {
            first: all.next().unwrap_or(next),
            more: all.collect(),
        };
        (pending, too_many)
    }

    /// What is in force of it by now.
    pub(super) fn due(&self, now: Timestamp) -> Option<&Arc<Current>> {
        // Asked for every request.
        if self.first.from > now {
            return None;
        }
        let due = self.all().take_while(|it| it.from <= now).last();
        due.map(|it| &it.current)
    }

    /// What waits on once this version is in force.
    pub(super) fn beyond(&self, version: u64) -> Option<Arc<Self>> {
        let mut left = self.all().filter(|it| it.current.version > version);
        Some(Arc::new(Self {
            first: left.next()?.clone(),
            more: left.cloned().collect(),
        }))
    }

    /// What was decided last.
    pub(super) fn last(&self) -> &Next {
        self.more.last().unwrap_or(&self.first)
    }

    fn all(&self) -> impl Iterator<Item = &Next> {
        [&self.first].into_iter().chain(&self.more)
    }
}

#[cfg(test)]
mod tests {
    use banyan_rollout::Subjects;

    use super::*;
    use crate::{
        rollouts::Definition,
        store::{Configured, Stored},
    };

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn next(version: u64, second: i64) -> Next {
        let subjects = Subjects::new(vec!["cookie:c".parse().unwrap()]).unwrap();
        let definition = Definition::new("movies", subjects);
        let stored = Stored {
            state: definition.initial(&Configured::default()),
            version,
            change_time: Some(at(second)),
        };
        Next {
            from: at(second),
            current: Arc::new(Current::new(stored, &definition)),
        }
    }

    fn pending(all: &[(u64, i64)]) -> Pending {
        let mut pending = None;
        for (version, second) in all {
            pending = Some(Pending::with(pending.as_ref(), next(*version, *second)).0);
        }
        pending.unwrap()
    }

    fn versions(pending: &Pending) -> Vec<u64> {
        pending.all().map(|it| it.current.version).collect()
    }

    #[test]
    fn each_is_in_force_from_its_moment_until_the_next_ones() {
        let pending = pending(&[(2, 20), (3, 30), (4, 30), (5, 50)]);
        for (second, want) in [
            (19, None),
            (20, Some(2)),
            (29, Some(2)),
            (30, Some(4)),
            (49, Some(4)),
            (50, Some(5)),
        ] {
            let due = pending.due(at(second)).map(|due| due.version);
            assert_eq!(due, want, "{second}");
        }
        assert_eq!(pending.last().current.version, 5);
    }

    #[test]
    fn what_is_in_force_waits_no_longer() {
        let pending = pending(&[(2, 20), (3, 30), (4, 40)]);
        let left = |version| pending.beyond(version).map(|left| versions(&left));
        assert_eq!(left(1), Some(vec![2, 3, 4]));
        assert_eq!(left(3), Some(vec![4]));
        assert_eq!(left(4), None);
    }

    #[test]
    fn one_that_is_read_anew_takes_its_own_place_and_that_of_what_the_store_has_no_more() {
        let before = pending(&[(2, 20), (3, 30), (4, 40)]);
        let (pending, too_many) = Pending::with(Some(&before), next(3, 35));
        assert_eq!((versions(&pending), too_many), (vec![2, 3], 0));
        assert_eq!(pending.last().from, at(35));
    }

    #[test]
    fn of_too_many_the_latest_stay() {
        let all: Vec<(u64, i64)> = (1..=PENDING_MAX as u64).map(|n| (n, n as i64)).collect();
        let full = pending(&all);
        let (more, too_many) = Pending::with(Some(&full), next(1_000, 1_000));
        assert_eq!((more.all().count(), too_many), (PENDING_MAX, 1));
        assert_eq!(more.first.current.version, 2);
        assert_eq!(more.last().current.version, 1_000);
    }
}
