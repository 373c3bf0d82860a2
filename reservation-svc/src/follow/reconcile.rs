//! Both sides compared completely: what the monolith lists against what is kept here.
//!
//! Mending makes the other side like the authority. While that is the monolith, what is missing here or differs is taken
//! over; what only this side has is removed where the monolith is declared to remove movies, else put back there under
//! its id, where it is declared to keep ids. Once this side is the authority, the monolith is written to: what is missing
//! there, differs or is too much, as far as it is declared to keep ids, to update and to delete. What cannot be mended
//! is told with the capability that it would take.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Follower, monolith};
use crate::{
    capabilities::{Capabilities, Capability},
    domain::followed_movie::{Authority, FollowedMovie, MovieDetails},
    store::{Adoption, Position, StoreError},
};

/// How often others may adopt something in the middle before it is given up.
const TRIES_MAX: usize = 5;

/// What is wrong with a movie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    MissingHere,
    MissingInLegacy,
    Different,
}

/// A movie that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub id: i64,
    pub kind: Kind,
    /// Which fields differ, when both sides have it.
    pub fields: Vec<&'static str>,
    pub mended: bool,
    /// What the monolith would have to be able to do for it to be mended.
    pub needs: Option<Capability>,
}

/// How both sides compare.
#[derive(Debug)]
pub(crate) struct Reconciled {
    pub legacy_count: usize,
    pub own_count: usize,
    pub differences: Vec<Difference>,
    pub read_at: Timestamp,
}

/// Both sides as they were read.
#[derive(Debug)]
pub(super) struct Compared {
    pub ours: BTreeMap<i64, FollowedMovie>,
    theirs: BTreeMap<i64, FollowedMovie>,
    pub differences: Vec<Difference>,
    read_at: Timestamp,
}

/// Why they could not be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    #[error("failed to list the monolith's movies")]
    Monolith(#[source] monolith::Error),
    #[error("failed to write to the monolith")]
    Write(#[source] monolith::Error),
    #[error("failed to read or mend the movies kept here")]
    Store(#[from] StoreError),
    #[error("another comparison is running")]
    Running,
    #[error("movies are adopted faster than both sides can be compared")]
    Overtaken,
}

impl Follower {
    /// Compares both sides, and mends what can be mended if so asked.
    pub(crate) async fn reconcile(&self, mend: bool) -> Result<Reconciled, ReconcileError> {
        let _alone = self
            .reconciling
            .try_lock()
            .map_err(|_| ReconcileError::Running)?;
        for _ in 0..TRIES_MAX {
            let position = self.movies.position().await?;
            let mut compared = self.compare(position.authority).await?;
            if mend && !self.mend(&position, &mut compared).await? {
                continue;
            }
            return Ok(Reconciled {
                legacy_count: compared.theirs.len(),
                own_count: compared.ours.len(),
                differences: compared.differences,
                read_at: compared.read_at,
            });
        }
        Err(ReconcileError::Overtaken)
    }

    pub(super) async fn compare(&self, authority: Authority) -> Result<Compared, ReconcileError> {
        // Ours first: what is created meanwhile is then missing here, which mending heals, and never missing there.
        let ours = by_id(self.movies.list().await?);
        let read_at = Timestamp::now();
        let theirs = self.monolith.list_movies().await;
        let theirs = by_id(theirs.map_err(ReconcileError::Monolith)?);
        let mut differences = compare(&ours, &theirs);
        for it in &mut differences {
            it.needs = needs(it.kind, authority, self.capabilities);
        }
        Ok(Compared {
            ours,
            theirs,
            differences,
            read_at,
        })
    }

    /// False, and nothing is mended here, if somebody else has adopted something since.
    async fn mend(
        &self,
        position: &Position,
        compared: &mut Compared,
    ) -> Result<bool, ReconcileError> {
        let mut adoption = Adoption::default();
        for at in 0..compared.differences.len() {
            let it = &compared.differences[at];
            if it.needs.is_some() {
                continue;
            }
            match (position.authority, it.kind) {
                (Authority::Legacy, Kind::MissingHere | Kind::Different) => {
                    adoption
                        .upserts
                        .extend(compared.theirs.get(&it.id).cloned());
                }
                (Authority::Legacy, Kind::MissingInLegacy) if self.capabilities.removes() => {
                    adoption.removals.push(it.id);
                }
                _ => {
                    let written = self.write_there(it, &compared.ours).await;
                    written.map_err(ReconcileError::Write)?;
                }
            }
            compared.differences[at].mended = true;
        }
        let (adopted, removed) = (adoption.upserts.len(), adoption.removals.len());
        if adoption.is_empty() {
            return Ok(true);
        }
        let done = self.movies.adopt(position, adoption, Timestamp::now());
        let done = done.await?;
        if done {
            self.metrics.adopted(adopted);
            self.metrics.removed(removed);
        }
        Ok(done)
    }

    /// Makes the monolith like this side where they differ.
    pub(super) async fn write_there(
        &self,
        difference: &Difference,
        ours: &BTreeMap<i64, FollowedMovie>,
    ) -> Result<(), monolith::Error> {
        let capability = match difference.kind {
            Kind::Different => Capability::Update,
            Kind::MissingInLegacy | Kind::MissingHere => Capability::KeepsIds,
        };
        match ours.get(&difference.id) {
            Some(movie) => self.put_there(movie, capability).await,
            None => self.delete_there(difference.id).await,
        }
    }
}

/// What the monolith would have to be able to do, and cannot.
fn needs(kind: Kind, authority: Authority, has: Capabilities) -> Option<Capability> {
    let capability = match (authority, kind) {
        (Authority::Legacy, Kind::MissingHere | Kind::Different) => return None,
        (Authority::Legacy, Kind::MissingInLegacy) if has.removes() => return None,
        (_, Kind::MissingInLegacy) => Capability::KeepsIds,
        (_, Kind::Different) => Capability::Update,
        (_, Kind::MissingHere) => Capability::Delete,
    };
    (!has.has(capability)).then_some(capability)
}

fn by_id(movies: Vec<FollowedMovie>) -> BTreeMap<i64, FollowedMovie> {
    movies.into_iter().map(|it| (it.id, it)).collect()
}

fn compare(
    ours: &BTreeMap<i64, FollowedMovie>,
    theirs: &BTreeMap<i64, FollowedMovie>,
) -> Vec<Difference> {
    let ids: BTreeSet<i64> = ours.keys().chain(theirs.keys()).copied().collect();
    let difference = |id| {
        let (kind, fields) = match (ours.get(&id), theirs.get(&id)) {
            (None, _) => (Kind::MissingHere, Vec::new()),
            (_, None) => (Kind::MissingInLegacy, Vec::new()),
            (Some(our), Some(their)) if our == their => return None,
            (Some(our), Some(their)) => (Kind::Different, fields(&our.details, &their.details)),
        };
        Some(Difference {
            id,
            kind,
            fields,
            mended: false,
            needs: None,
        })
    };
    ids.into_iter().filter_map(difference).collect()
}

fn fields(ours: &MovieDetails, theirs: &MovieDetails) -> Vec<&'static str> {
    let MovieDetails {
        title,
        description,
        genres,
        rating,
    } = ours;
    let differ = [
        ("title", *title != theirs.title),
        ("description", *description != theirs.description),
        ("genres", *genres != theirs.genres),
        ("rating", *rating != theirs.rating),
    ];
    differ
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movie(id: i64, title: &str, rating: f64) -> FollowedMovie {
        FollowedMovie {
            id,
            details: MovieDetails {
                title: title.to_owned(),
                description: String::new(),
                genres: Vec::new(),
                rating,
            },
        }
    }

    #[test]
    fn what_cannot_be_mended_says_what_it_would_take() {
        use Capability::{ChangeFeed, Delete, KeepsIds, Update};
        let check = |authority, kind, has: &[Capability], want| {
            let got = needs(kind, authority, has.iter().copied().collect());
            assert_eq!(got, want, "{authority:?} {kind:?} {has:?}");
        };
        let (legacy, own) = (Authority::Legacy, Authority::Own);
        check(legacy, Kind::MissingHere, &[], None);
        check(legacy, Kind::Different, &[], None);
        check(legacy, Kind::MissingInLegacy, &[], Some(KeepsIds));
        check(legacy, Kind::MissingInLegacy, &[KeepsIds], None);
        check(legacy, Kind::MissingInLegacy, &[Delete], None);
        check(legacy, Kind::MissingInLegacy, &[ChangeFeed], None);
        check(
            own,
            Kind::MissingInLegacy,
            &[Update, Delete],
            Some(KeepsIds),
        );
        check(own, Kind::MissingInLegacy, &[KeepsIds], None);
        check(own, Kind::Different, &[KeepsIds, Delete], Some(Update));
        check(own, Kind::Different, &[Update], None);
        check(own, Kind::MissingHere, &[KeepsIds, Update], Some(Delete));
        check(own, Kind::MissingHere, &[Delete], None);
    }

    #[test]
    fn every_difference_is_told_once_with_its_fields() {
        let ours = by_id(vec![
            movie(1, "A", 1.0),
            movie(2, "B", 2.0),
            movie(4, "D", 4.0),
        ]);
        let theirs = by_id(vec![
            movie(1, "A", 1.0),
            movie(2, "b", 2.5),
            movie(3, "C", 3.0),
        ]);
        let told: Vec<_> = compare(&ours, &theirs)
            .into_iter()
            .map(|it| (it.id, it.kind, it.fields))
            .collect();
        let want = vec![
            (2, Kind::Different, vec!["title", "rating"]),
            (3, Kind::MissingHere, vec![]),
            (4, Kind::MissingInLegacy, vec![]),
        ];
        assert_eq!(told, want);
        assert_eq!(compare(&ours, &ours), []);
    }
}
