//! Both sides compared completely: what the monolith lists against what is kept here.
//!
//! The monolith is the authority, so mending means adopting: what is missing here, or differs, is taken over. What only
//! this side has can be told and not mended, because the monolith assigns its own ids.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use super::{Follower, monolith};
use crate::{
    domain::followed_movie::{FollowedMovie, MovieDetails},
    store::StoreError,
};

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
}

/// How both sides compare.
#[derive(Debug)]
pub(crate) struct Reconciled {
    pub legacy_count: usize,
    pub own_count: usize,
    pub differences: Vec<Difference>,
    pub read_at: Timestamp,
}

/// Why they could not be compared.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ReconcileError {
    #[error("failed to list the monolith's movies")]
    Monolith(#[source] monolith::Error),
    #[error("failed to read or mend the movies kept here")]
    Store(#[from] StoreError),
    #[error("another comparison is running")]
    Running,
}

impl Follower {
    /// Compares both sides, and mends what can be mended if so asked.
    pub(crate) async fn reconcile(&self, mend: bool) -> Result<Reconciled, ReconcileError> {
        let _alone = self
            .reconciling
            .try_lock()
            .map_err(|_| ReconcileError::Running)?;
        // Ours first: what is created meanwhile is then missing here, which mending heals, and never missing there.
        let ours = by_id(self.movies.list().await?);
        let read_at = Timestamp::now();
        let theirs = self.monolith.list_movies().await;
        let theirs = by_id(theirs.map_err(ReconcileError::Monolith)?);
        let mut differences = compare(&ours, &theirs);
        if mend {
            let news: Vec<_> = differences
                .iter()
                .filter_map(|it| theirs.get(&it.id).cloned())
                .collect();
            if !news.is_empty() {
                self.metrics.adopted(news.len());
                self.movies.upsert(news, Timestamp::now()).await?;
            }
            for it in &mut differences {
                it.mended = it.kind != Kind::MissingInLegacy;
            }
        }
        Ok(Reconciled {
            legacy_count: theirs.len(),
            own_count: ours.len(),
            differences,
            read_at,
        })
    }
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
