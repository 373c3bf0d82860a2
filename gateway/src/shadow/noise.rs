//! What is known of paths that differ by themselves: learned here, shared through the store, forgotten in time.

use std::{
    collections::{BTreeMap, HashMap},
    sync::Arc,
    time::Duration,
};

use jiff::Timestamp;

use super::book::Place;
use crate::store::Noise;

/// Noisy paths that are remembered of a place.
const PATHS_MAX: usize = 1_000;
/// A path that has been quiet for so long is compared again.
pub(super) const QUIET: Duration = Duration::from_secs(7 * 24 * 60 * 60);
/// The store hears of a path again after this.
const TELL_AGAIN: Duration = Duration::from_secs(60 * 60);

/// Noisy paths by place.
#[derive(Debug, Default)]
pub(super) struct Noisy {
    places: HashMap<Place, BTreeMap<String, Seen>>,
}

#[derive(Clone, Copy, Debug)]
struct Seen {
    last: Timestamp,
    /// What the store knows; `None` before it knows anything.
    told: Option<Timestamp>,
}

impl Noisy {
    pub(super) fn knows(&self, place: &Place, path: &str) -> bool {
        let paths = self.places.get(place);
        paths.is_some_and(|paths| paths.contains_key(path))
    }

    /// Takes note of a path; false if there is no room.
    pub(super) fn learn(&mut self, place: &Place, path: &str, now: Timestamp) -> bool {
        let paths = self.places.entry(place.clone()).or_default();
        if let Some(seen) = paths.get_mut(path) {
            seen.last = seen.last.max(now);
            return true;
        }
        let has_room = paths.len() < PATHS_MAX;
        if has_room {
            let seen = Seen {
                last: now,
                told: None,
            };
            paths.insert(path.to_owned(), seen);
        }
        has_room
    }

    /// What the store has not heard, or not for a while.
    pub(super) fn untold(&self) -> Vec<Noise> {
        let is_news = |seen: &Seen| {
            seen.told
                .is_none_or(|told| seen.last.duration_since(told).unsigned_abs() > TELL_AGAIN)
        };
        let all = self.places.iter().flat_map(|(place, paths)| {
            let news = paths.iter().filter(|(_, seen)| is_news(seen));
            news.map(|(path, seen)| Noise {
                rollout: place.rollout.clone(),
                route: place.route.to_string(),
                path: path.clone(),
                last_seen: seen.last,
            })
        });
        all.collect()
    }

    /// The store has heard it.
    pub(super) fn told(&mut self, noise: &Noise) {
        let paths = self.places.get_mut(&place_of(noise));
        if let Some(seen) = paths.and_then(|paths| paths.get_mut(&noise.path)) {
            seen.told = Some(noise.last_seen);
        }
    }

    /// Takes over what replicas have learned, and forgets what has been quiet since `since`.
    pub(super) fn merge(&mut self, learned: Vec<Noise>, since: Timestamp) {
        for noise in learned {
            let place = place_of(&noise);
            if self.learn(&place, &noise.path, noise.last_seen) {
                self.told(&noise);
            }
        }
        for paths in self.places.values_mut() {
            paths.retain(|_, seen| seen.last >= since);
        }
        self.places.retain(|_, paths| !paths.is_empty());
    }
}

fn place_of(noise: &Noise) -> Place {
    Place {
        rollout: noise.rollout.clone(),
        route: Arc::from(noise.route.as_str()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    #[test]
    fn what_one_learns_another_knows_until_it_has_been_quiet() {
        let place = Place {
            rollout: "movies".to_owned(),
            route: "GET /api/movies".into(),
        };
        let (mut one, mut other) = (Noisy::default(), Noisy::default());
        assert!(one.learn(&place, "movies[].views", at(100)));
        let news = one.untold();
        assert_eq!(news.len(), 1);
        one.told(&news[0]);
        assert!(one.untold().is_empty(), "told once");
        one.learn(&place, "movies[].views", at(100 + 3_601));
        assert_eq!(one.untold().len(), 1, "and again after an hour");

        assert!(!other.knows(&place, "movies[].views"));
        other.merge(news, at(0));
        assert!(other.knows(&place, "movies[].views"));
        assert!(other.untold().is_empty(), "the store knows it");
        other.merge(Vec::new(), at(101));
        assert!(!other.knows(&place, "movies[].views"), "forgotten");
    }

    #[test]
    fn a_place_has_a_limited_number_of_them() {
        let place = Place {
            rollout: "movies".to_owned(),
            route: "GET /api/movies".into(),
        };
        let mut noisy = Noisy::default();
        for index in 0..PATHS_MAX {
            assert!(noisy.learn(&place, &index.to_string(), at(1)));
        }
        assert!(!noisy.learn(&place, "one more", at(1)));
        assert!(noisy.learn(&place, "0", at(2)), "a known one is seen again");
    }
}
