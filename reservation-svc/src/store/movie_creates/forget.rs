//! Old creates are forgotten, the oldest first.

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait as _, Condition, EntityTrait as _, QueryFilter as _, QueryOrder as _,
    QuerySelect as _,
};

use super::{DONE, entity};
use crate::store::{StoreError, error::During as _, followed_movies::FollowedMovies};

/// How many were forgotten.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Forgotten {
    pub done: u64,
    pub unfinished: u64,
}

impl FollowedMovies {
    /// Forgets creates that ended, or began and never ended, before that time: so many of each at most. What was made
    /// outlasts whoever might take it for his: that one began before it ended.
    pub(crate) async fn forget_creates(
        &self,
        before: Timestamp,
        limit: u64,
    ) -> Result<Forgotten, StoreError> {
        let before = before.as_microsecond();
        let done = Condition::all()
            .add(entity::Column::State.eq(DONE))
            .add(entity::Column::TouchedAt.lt(before));
        let unfinished = Condition::all()
            .add(entity::Column::State.ne(DONE))
            .add(entity::Column::BegunAt.lt(before));
        Ok(Forgotten {
            done: self.forget(done, entity::Column::TouchedAt, limit).await?,
            unfinished: self
                .forget(unfinished, entity::Column::BegunAt, limit)
                .await?,
        })
    }

    async fn forget(
        &self,
        which: Condition,
        oldest: entity::Column,
        limit: u64,
    ) -> Result<u64, StoreError> {
        let ids: Vec<String> = entity::Entity::find()
            .select_only()
            .column(entity::Column::RequestId)
            .filter(which.clone())
            .order_by_asc(oldest)
            .limit(limit)
            .into_tuple()
            .all(self.connection()?)
            .await
            .during("look for old creates")?;
        if ids.is_empty() {
            return Ok(0);
        }
        let gone = entity::Entity::delete_many()
            .filter(entity::Column::RequestId.is_in(ids))
            .filter(which)
            .exec(self.connection()?)
            .await
            .during("forget creates")?;
        Ok(gone.rows_affected)
    }
}
