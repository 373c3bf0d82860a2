//! Which side gives ids to movies and is right where both differ, and how that changes hands.
//!
//! The monolith is the authority until the rollout's last stage; then this side is, and the monolith is not asked any
//! more. The way back is open only where the monolith takes movies under ids that others gave: everything that was
//! created here is copied there first, most of it while creates go on, the rest while none is made. Only then is it the
//! authority again. What fails on the way leaves this side the authority, and what was copied so far stays there.
//!
//! While the monolith is the authority every create goes to it first, whichever side asks for it. So it is safe to make
//! it the authority before the rollout has left its last stage, and to make this side the authority after the rollout
//! has entered it; the caller keeps that order.

use super::{
    CatchUpError, Follower, ReconcileError,
    compare::{Difference, Kind, Part},
    kept::List,
    monolith,
};
use crate::{
    capabilities::Capability,
    domain::followed_movie::Authority,
    store::{Position, StoreError},
};

/// How often the authority may change in the middle of changing it.
const TRIES_MAX: usize = 3;

/// Why the authority did not change hands.
#[derive(Debug, thiserror::Error)]
pub(crate) enum HandOverError {
    #[error("failed to read or write who the authority is")]
    Store(#[from] StoreError),
    #[error("failed to read what the monolith holds")]
    Monolith(#[source] monolith::Error),
    #[error("failed to catch up with the monolith first")]
    CatchUp(#[source] CatchUpError),
    /// The monolith cannot take what it would have to.
    #[error(
        "{count} movies cannot be copied to the monolith: it does not declare `{needs}` (MONOLITH_CAPABILITIES)"
    )]
    Needs { needs: Capability, count: usize },
    #[error("failed to copy what was created here to the monolith")]
    Copy(#[source] ReconcileError),
    #[error("somebody else compares both sides or changes the authority")]
    Busy,
}

impl Follower {
    /// Makes this side the authority, with everything that the monolith held when it was asked to.
    pub(crate) async fn take_over(&self) -> Result<(), HandOverError> {
        let _alone = self.alone()?;
        for _ in 0..TRIES_MAX {
            let position = self.movies.position().await?;
            let last_id = match position.authority {
                Authority::Own => return Ok(()),
                Authority::Returning => 0,
                Authority::Legacy => {
                    self.catch_up().await.map_err(HandOverError::CatchUp)?;
                    let theirs = self.monolith.list_movies().await;
                    let theirs = theirs.map_err(HandOverError::Monolith)?;
                    theirs.iter().map(|it| it.id).max().unwrap_or_default()
                }
            };
            if self.change(&position, Authority::Own, last_id).await? {
                return Ok(());
            }
        }
        Err(HandOverError::Busy)
    }

    /// Makes the monolith the authority again, once it has everything that is here. How many movies were copied.
    pub(crate) async fn give_back(&self) -> Result<usize, HandOverError> {
        let _alone = self.alone()?;
        for _ in 0..TRIES_MAX {
            let position = self.movies.position().await?;
            match position.authority {
                Authority::Legacy => return Ok(0),
                Authority::Own => {
                    let copied = self.copy_there().await?;
                    if self.change(&position, Authority::Returning, 0).await? {
                        return Ok(copied + self.finish_giving_back().await?);
                    }
                }
                // Somebody stopped in the middle.
                Authority::Returning => return self.finish_giving_back().await,
            }
        }
        Err(HandOverError::Busy)
    }

    /// Copies what was created since the first copy; nothing is created meanwhile.
    async fn finish_giving_back(&self) -> Result<usize, HandOverError> {
        let position = self.movies.position().await?;
        let copied = self.copy_there().await;
        let to = match copied {
            Ok(_) => Authority::Legacy,
            Err(_) => Authority::Own,
        };
        if position.authority != Authority::Returning || !self.change(&position, to, 0).await? {
            return Err(HandOverError::Busy);
        }
        copied
    }

    /// Nothing is removed there: what only the monolith has is adopted once it is the authority.
    async fn copy_there(&self) -> Result<usize, HandOverError> {
        if !self.capabilities.has(Capability::KeepsIds) {
            let needs = Capability::KeepsIds;
            let count = self.movies.ids().await?.len();
            return Err(HandOverError::Needs { needs, count });
        }
        let compared = self.compare(Authority::Own, &Part::WHOLE, None).await;
        let (compared, _) = compared.map_err(HandOverError::Copy)?;
        let kept = |it: &&Difference| it.kind != Kind::MissingHere;
        let differences: Vec<_> = compared.differences.iter().filter(kept).collect();
        let stays = differences.iter().filter_map(|it| it.needs);
        let count = stays.clone().count();
        if let Some(needs) = stays.into_iter().next() {
            return Err(HandOverError::Needs { needs, count });
        }
        for difference in &differences {
            let ours = compared.ours.get(&difference.id);
            let written = self.write_there(difference, ours).await;
            written.map_err(|error| HandOverError::Copy(ReconcileError::Write(error)))?;
        }
        Ok(differences.len())
    }

    async fn change(
        &self,
        from: &Position,
        to: Authority,
        last_id: i64,
    ) -> Result<bool, StoreError> {
        let changed = self.movies.hand_over(from, to, last_id).await?;
        if changed {
            tracing::info!(from = ?from.authority, ?to, "The authority for movies changed hands");
        }
        Ok(changed)
    }

    fn alone(&self) -> Result<tokio::sync::MutexGuard<'_, Option<List>>, HandOverError> {
        self.reconciling.try_lock().map_err(|_| HandOverError::Busy)
    }
}
