//! Both sides compared completely: what the monolith lists against what is kept here.
//!
//! Mending makes the other side like the authority. While that is the monolith, what is missing here or differs is taken
//! over; what only this side has is removed where the monolith is declared to remove movies, else put back there under
//! its id, where it is declared to keep ids. Once this side is the authority, the monolith is written to: what is missing
//! there, differs or is too much, as far as it is declared to keep ids, to update and to delete. What cannot be mended
//! is told with the capability that it would take.
//!
//! It goes page by page, so that any number of differences fits and what was mended is told page by page. A page is
//! bounded in differences, in movies of each side and, where the monolith is written to, in time. The monolith has no pages:
//! its whole list is read once and kept from page to page ([`kept`](super::kept)). A page that cannot be finished ends
//! before what could not be done; only if nothing was done for it does it fail.

use std::time::Duration;

use jiff::Timestamp;
use tokio::time::Instant;

use super::{
    Follower,
    compare::{Compared, Difference, Kind, Part, needs},
    kept::List,
    monolith,
};
use crate::{
    capabilities::Capability,
    domain::followed_movie::{Authority, FollowedMovie},
    store::{Adoption, Position, StoreError},
};

/// How often others may adopt something in the middle before it is given up.
const TRIES_MAX: usize = 5;
/// Movies of each side in a page.
const MOVIES_MAX: u64 = 20_000;
/// No page begins another write or another try after this long.
const PAGE_TIME: Duration = Duration::from_secs(10);

/// Where a page begins.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Place {
    /// Ids up to this one are done.
    pub after: i64,
    /// How often the authority had changed hands by then.
    pub epoch: i64,
}

/// How both sides compare, as far as a page goes.
#[derive(Debug)]
pub(crate) struct Reconciled {
    pub legacy_count: usize,
    pub own_count: usize,
    pub differences: Vec<Difference>,
    pub read_at: Timestamp,
    /// Where the next page begins; none at the end.
    pub next: Option<Place>,
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
    #[error("another side has become the authority since the page before: begin anew")]
    ChangedHands,
    #[error("the service is stopping")]
    Stopping,
}

impl Follower {
    /// Compares both sides from `from` on until `differences_max` were found, and mends of these what can be mended if so
    /// asked.
    pub(crate) async fn reconcile(
        &self,
        mend: bool,
        from: Option<Place>,
        differences_max: usize,
    ) -> Result<Reconciled, ReconcileError> {
        let mut kept = self
            .reconciling
            .try_lock()
            .map_err(|_| ReconcileError::Running)?;
        let mut list = kept.take().filter(|list| list.serves(from));
        let until = Instant::now() + PAGE_TIME;
        let part = Part {
            after: from.map(|from| from.after),
            movies_max: Some(MOVIES_MAX),
            differences_max,
        };
        for _ in 0..TRIES_MAX {
            let position = self.movies.position().await?;
            let epoch = position.epoch();
            if from.is_some_and(|from| from.epoch != epoch) {
                return Err(ReconcileError::ChangedHands);
            }
            let (mut compared, read) = self.compare(position.authority, &part, list.take()).await?;
            if mend && !self.take_over_page(&position, &mut compared).await? {
                if Instant::now() >= until {
                    break;
                }
                continue;
            }
            if mend {
                self.write_page(&mut compared, until).await?;
            }
            let next = compared.end.map(|after| Place { after, epoch });
            self.keep_list(kept, read, next);
            return Ok(Reconciled {
                legacy_count: compared.theirs.len(),
                own_count: compared.ours.len(),
                differences: compared.differences,
                read_at: compared.read_at,
                next,
            });
        }
        Err(ReconcileError::Overtaken)
    }

    /// Compares a part with what was read for an earlier one, or with what is read now.
    pub(super) async fn compare(
        &self,
        authority: Authority,
        part: &Part,
        kept: Option<List>,
    ) -> Result<(Compared, List), ReconcileError> {
        // Ours first: what is created meanwhile is then missing here, which mending heals, and never missing there.
        let ours = self.movies.list_after(part.after, part.movies_max).await?;
        let list = match kept {
            Some(list) => list,
            None => self.read_list().await?,
        };
        let mut compared = Compared::new(ours, &list.movies, part, list.read_at);
        if list.is_kept() {
            self.ask_anew(&mut compared).await?;
        }
        for it in &mut compared.differences {
            it.needs = needs(it.kind, authority, self.capabilities);
        }
        Ok((compared, list))
    }

    /// Mends what is mended here, all of it at once and right after it was read. False, and nothing is mended, if somebody
    /// else has adopted something since.
    async fn take_over_page(
        &self,
        position: &Position,
        compared: &mut Compared,
    ) -> Result<bool, ReconcileError> {
        if position.authority != Authority::Legacy {
            return Ok(true);
        }
        let mut adoption = Adoption::default();
        let open = compared.differences.iter_mut();
        for it in open.filter(|it| it.needs.is_none()) {
            match it.kind {
                Kind::MissingHere | Kind::Different => {
                    adoption
                        .upserts
                        .extend(compared.theirs.get(&it.id).cloned());
                }
                Kind::MissingInLegacy if self.capabilities.removes() => {
                    adoption.removals.push(it.id);
                }
                Kind::MissingInLegacy => continue,
            }
            it.mended = true;
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

    /// Mends what is mended at the monolith, one after the other. What fails or would take too long ends the page before
    /// it, so that the next one begins with it.
    async fn write_page(
        &self,
        compared: &mut Compared,
        until: Instant,
    ) -> Result<(), ReconcileError> {
        let mut written = 0;
        for at in 0..compared.differences.len() {
            let it = &compared.differences[at];
            if it.mended || it.needs.is_some() {
                continue;
            }
            let is_late = written > 0 && Instant::now() >= until;
            let failed = match is_late {
                true => None,
                false => match self.write_there(it, compared.ours.get(&it.id)).await {
                    Ok(()) => {
                        compared.differences[at].mended = true;
                        written += 1;
                        continue;
                    }
                    Err(error) => Some(error),
                },
            };
            let first = it.id;
            let told = |it: &Difference| it.mended || it.id < first;
            if let Some(error) = failed {
                if !compared.differences.iter().any(told) {
                    return Err(ReconcileError::Write(error));
                }
                let error = &error as &dyn std::error::Error;
                tracing::warn!(error, "Ended a page of a comparison early");
            }
            compared.differences.retain(told);
            compared.cut(first.saturating_sub(1));
            return Ok(());
        }
        Ok(())
    }

    /// Makes the monolith like this side, which has `ours`, where they differ.
    pub(super) async fn write_there(
        &self,
        difference: &Difference,
        ours: Option<&FollowedMovie>,
    ) -> Result<(), monolith::Error> {
        let capability = match difference.kind {
            Kind::Different => Capability::Update,
            Kind::MissingInLegacy | Kind::MissingHere => Capability::KeepsIds,
        };
        match ours {
            Some(movie) => self.put_there(movie, capability).await,
            None => self.delete_there(difference.id).await,
        }
    }
}
