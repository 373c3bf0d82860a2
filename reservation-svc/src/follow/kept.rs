//! The monolith's list, kept between the pages of one comparison.
//!
//! The monolith has no pages: a comparison of many pages would read its whole list for each. So the list goes from page to
//! page, for [`KEPT`] at most, if the next page begins where the last one ended; then it is read anew. It is as large as
//! the monolith's answer may be (16 MiB), there is one at most, and it is forgotten when its time is over.
//!
//! What was read a while ago is not right any more where something has changed since: a movie that differs from it is asked
//! for once more, on both sides, before it is told or mended. What is equal was so when the list was read.

use std::{sync::Arc, time::Duration};

use jiff::Timestamp;
use tokio::{sync::MutexGuard, task::JoinSet, time::Instant};

use super::{
    Follower, ReconcileError,
    compare::{Compared, difference},
    reconcile::Place,
};
use crate::domain::followed_movie::FollowedMovie;

const KEPT: Duration = Duration::from_secs(60);
/// Movies that are asked for at once.
const ASKED_AT_ONCE: usize = 8;

/// The whole list, by id.
#[derive(Debug)]
pub(super) struct List {
    pub movies: Vec<FollowedMovie>,
    pub read_at: Timestamp,
    read: Instant,
    /// Which page it is for; none while it is used.
    next: Option<Place>,
}

impl List {
    /// Whether it was read for an earlier page.
    pub(super) fn is_kept(&self) -> bool {
        self.next.is_some()
    }

    /// Whether it serves a page that begins there.
    pub(super) fn serves(&self, from: Option<Place>) -> bool {
        from.is_some() && self.next == from && self.read.elapsed() < KEPT
    }
}

impl Follower {
    /// Reads the list.
    pub(super) async fn read_list(&self) -> Result<List, ReconcileError> {
        let read_at = Timestamp::now();
        let movies = self.monolith.list_movies().await;
        let mut movies = movies.map_err(ReconcileError::Monolith)?;
        movies.sort_by_key(|it| it.id);
        Ok(List {
            movies,
            read_at,
            read: Instant::now(),
            next: None,
        })
    }

    /// Keeps the list for the page that begins at `next`.
    pub(super) fn keep_list(
        &self,
        mut kept: MutexGuard<'_, Option<List>>,
        list: List,
        next: Option<Place>,
    ) {
        if next.is_none() {
            return;
        }
        let (is_new, read) = (!list.is_kept(), list.read);
        *kept = Some(List { next, ..list });
        if is_new {
            let lists = Arc::clone(&self.reconciling);
            tokio::spawn(async move {
                tokio::time::sleep_until(read + KEPT).await;
                lists.lock().await.take_if(|list| list.read == read);
            });
        }
    }

    /// Asks both sides once more for each movie that differs.
    pub(super) async fn ask_anew(&self, compared: &mut Compared) -> Result<(), ReconcileError> {
        let mut asking = JoinSet::new();
        let doubts = std::mem::take(&mut compared.differences);
        for doubt in doubts {
            if asking.len() >= ASKED_AT_ONCE
                && let Some(asked) = asking.join_next().await
            {
                compared.correct(joined(asked)?);
            }
            let (movies, monolith) = (self.movies.clone(), self.monolith.clone());
            asking.spawn(async move {
                // Ours first, as with the whole.
                let ours = movies.find(doubt.id).await?;
                let theirs = monolith.get_movie(doubt.id).await;
                let theirs = theirs.map_err(ReconcileError::Monolith)?;
                Ok((doubt.id, ours, theirs))
            });
        }
        while let Some(asked) = asking.join_next().await {
            compared.correct(joined(asked)?);
        }
        compared.differences.sort_by_key(|it| it.id);
        Ok(())
    }
}

type Both = (i64, Option<FollowedMovie>, Option<FollowedMovie>);

fn joined(
    asked: Result<Result<Both, ReconcileError>, tokio::task::JoinError>,
) -> Result<Both, ReconcileError> {
    asked.unwrap_or(Err(ReconcileError::Stopping))
}

impl Compared {
    fn correct(&mut self, (id, ours, theirs): Both) {
        self.differences
            .extend(difference(id, ours.as_ref(), theirs.as_ref()));
        for (side, movie) in [(&mut self.ours, ours), (&mut self.theirs, theirs)] {
            match movie {
                Some(movie) => side.insert(id, movie),
                None => side.remove(&id),
            };
        }
    }
}
