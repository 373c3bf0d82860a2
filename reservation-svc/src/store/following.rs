//! The table `following`: how far the monolith is followed, and which side is the authority for its movies.
//!
//! Whatever is adopted is written in one transaction that first takes the collection's row, and only if that is as it
//! was when the monolith was asked. So of two replicas that read the same changes one adopts them, an old answer never
//! overwrites a newer one, and nothing is adopted once this side is the authority.

use jiff::Timestamp;
use sea_orm::{
    ColumnTrait as _, DatabaseTransaction, EntityTrait, QueryFilter as _, QuerySelect as _,
    TransactionTrait as _, UpdateMany,
    sea_query::{Expr, ExprTrait as _},
};

use super::{
    StoreError,
    error::During as _,
    followed_movies::{self, FollowedMovies},
    movie_creates::{self, Turn},
};
use crate::domain::followed_movie::{Authority, FollowedMovie, MovieDetails};

const MOVIES: &str = "movies";
/// Ids in one DELETE statement; both databases limit its parameters.
const IDS_PER_DELETE: usize = 500;

/// Where following stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Position {
    /// Who gives ids and is right where both sides differ.
    pub authority: Authority,
    /// Counts the changes of authority.
    epoch: i64,
    /// Everything before it in the monolith's feed is here; none before the first backfill.
    pub cursor: Option<String>,
}

impl Position {
    /// Whether the authority has changed hands since then, be it there and back.
    pub(crate) fn changed_hands_since(&self, earlier: &Self) -> bool {
        self.epoch != earlier.epoch
    }

    /// Counts the changes of authority.
    pub(crate) fn epoch(&self) -> i64 {
        self.epoch
    }
}

/// What the monolith told.
#[derive(Debug, Default)]
pub(crate) struct Adoption {
    /// Each id once.
    pub upserts: Vec<FollowedMovie>,
    /// None of them among the upserts.
    pub removals: Vec<i64>,
    /// Where its feed is after that; as before if it is not known.
    pub cursor: Option<String>,
}

impl Adoption {
    /// Whether it changes nothing.
    pub(crate) fn is_empty(&self) -> bool {
        self.upserts.is_empty() && self.removals.is_empty() && self.cursor.is_none()
    }
}

/// What came of keeping a movie that a create made at the monolith.
#[derive(Debug)]
pub(crate) enum Made {
    Kept,
    /// Following no longer stands where it stood when the monolith was asked.
    Moved,
    /// It is somebody else's turn by now.
    TurnLost,
}

/// What came of a create at this side.
#[derive(Debug)]
pub(crate) enum OwnCreate {
    Created(FollowedMovie),
    /// This side is not the authority.
    NotOurs,
    /// It is somebody else's turn by now.
    TurnLost,
}

impl FollowedMovies {
    /// Where following stands.
    pub(crate) async fn position(&self) -> Result<Position, StoreError> {
        let row = entity::Entity::find_by_id(MOVIES)
            .one(self.connection()?)
            .await
            .during("read how far the monolith is followed")?;
        let row = row.ok_or(StoreError::Missing {
            operation: "read how far the monolith is followed",
            rows_count: 1,
        })?;
        Ok(Position {
            authority: authority(&row.authority)?,
            epoch: row.epoch,
            cursor: row.cursor,
        })
    }

    /// Writes what the monolith told, all or nothing. False, and nothing, if following no longer stands where it stood
    /// when the monolith was asked.
    pub(crate) async fn adopt(
        &self,
        from: &Position,
        adoption: Adoption,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin("begin to adopt movies").await?;
        let cursor = adoption.cursor.or_else(|| from.cursor.clone());
        if !move_on(&transaction, from, cursor).await? {
            return Ok(false);
        }
        followed_movies::write(&transaction, &adoption.upserts, now).await?;
        for ids in adoption.removals.chunks(IDS_PER_DELETE) {
            let gone = followed_movies::remove(ids).exec(&transaction);
            gone.await.during("remove movies")?;
        }
        commit(transaction).await?;
        Ok(true)
    }

    /// Keeps what the turn made at the monolith, and notes that it did, all or nothing.
    pub(crate) async fn keep_made(
        &self,
        from: &Position,
        turn: &Turn,
        movie: &FollowedMovie,
        now: Timestamp,
    ) -> Result<Made, StoreError> {
        let transaction = self.begin("begin to keep a movie").await?;
        if !move_on(&transaction, from, from.cursor.clone()).await? {
            return Ok(Made::Moved);
        }
        followed_movies::write(&transaction, std::slice::from_ref(movie), now).await?;
        if !movie_creates::finish(&transaction, turn, movie.id, now).await? {
            return Ok(Made::TurnLost);
        }
        commit(transaction).await?;
        Ok(Made::Kept)
    }

    /// Gives a movie an id of this side, and notes what the turn made, all or nothing.
    pub(crate) async fn create_own(
        &self,
        turn: &Turn,
        details: &MovieDetails,
        now: Timestamp,
    ) -> Result<OwnCreate, StoreError> {
        let transaction = self.begin("begin to create a movie").await?;
        let Some(movie) = own(&transaction, details, now).await? else {
            return Ok(OwnCreate::NotOurs);
        };
        if !movie_creates::finish(&transaction, turn, movie.id, now).await? {
            return Ok(OwnCreate::TurnLost);
        }
        commit(transaction).await?;
        Ok(OwnCreate::Created(movie))
    }

    /// Keeps a movie that was still created at the monolith when this side became the authority: under its id, or under
    /// another one where this side has given that to another movie by now. Notes which one the turn made, all or nothing.
    /// Nothing if what has its id is another movie, or a newer one, and this side gives no ids any more.
    pub(crate) async fn keep_late(
        &self,
        turn: &Turn,
        movie: FollowedMovie,
        now: Timestamp,
    ) -> Result<OwnCreate, StoreError> {
        let transaction = self.begin("begin to keep a movie").await?;
        let last = Expr::col(entity::Column::LastId);
        let higher = Expr::case(last.clone().lt(movie.id), movie.id).finally(last);
        row()
            .col_expr(entity::Column::LastId, higher.into())
            .exec(&transaction)
            .await
            .during("step over an id of the monolith")?;
        let known = followed_movies::one(&transaction, movie.id).await?;
        let kept = match known {
            Some(known) if known == movie => movie,
            Some(_) => match own(&transaction, &movie.details, now).await? {
                Some(own) => own,
                None => return Ok(OwnCreate::NotOurs),
            },
            None => {
                followed_movies::write(&transaction, std::slice::from_ref(&movie), now).await?;
                movie
            }
        };
        if !movie_creates::finish(&transaction, turn, kept.id, now).await? {
            return Ok(OwnCreate::TurnLost);
        }
        commit(transaction).await?;
        Ok(OwnCreate::Created(kept))
    }

    /// Makes another side the authority, from `from` on. `last_id`: the highest id that the monolith has given. False if
    /// somebody else has changed it meanwhile. The monolith's feed is read anew afterwards.
    pub(crate) async fn hand_over(
        &self,
        from: &Position,
        to: Authority,
        last_id: i64,
    ) -> Result<bool, StoreError> {
        let transaction = self.begin("begin to hand over").await?;
        let none: Option<String> = None;
        let changed = row()
            .filter(entity::Column::Authority.eq(name(from.authority)))
            .filter(entity::Column::Epoch.eq(from.epoch))
            .col_expr(entity::Column::Authority, Expr::value(name(to)))
            .col_expr(entity::Column::Epoch, Expr::value(from.epoch + 1))
            .col_expr(entity::Column::Cursor, Expr::value(none))
            .exec(&transaction)
            .await
            .during("hand over")?;
        if changed.rows_affected == 0 {
            return Ok(false);
        }
        let highest = Ord::max(followed_movies::highest_id(&transaction).await?, last_id);
        row()
            .filter(entity::Column::LastId.lt(highest))
            .col_expr(entity::Column::LastId, Expr::value(highest))
            .exec(&transaction)
            .await
            .during("note the highest id")?;
        commit(transaction).await?;
        Ok(true)
    }

    async fn begin(&self, operation: &'static str) -> Result<DatabaseTransaction, StoreError> {
        self.connection()?.begin().await.during(operation)
    }
}

/// Takes the movies' row, if it is where it was; to where the monolith's feed is now.
async fn move_on(
    transaction: &DatabaseTransaction,
    from: &Position,
    cursor: Option<String>,
) -> Result<bool, StoreError> {
    let taken = at(from)
        .col_expr(entity::Column::Cursor, Expr::value(cursor))
        .exec(transaction)
        .await
        .during("move on in the monolith's feed")?;
    Ok(taken.rows_affected > 0)
}

async fn commit(transaction: DatabaseTransaction) -> Result<(), StoreError> {
    transaction.commit().await.during("commit followed movies")
}

/// The movies' row. To write it first makes everybody else wait for the commit.
fn row() -> UpdateMany<entity::Entity> {
    entity::Entity::update_many().filter(entity::Column::Collection.eq(MOVIES))
}

/// The movies' row, as long as it is where it was while the monolith is the authority.
fn at(position: &Position) -> UpdateMany<entity::Entity> {
    let cursor = match &position.cursor {
        Some(cursor) => entity::Column::Cursor.eq(cursor.as_str()),
        None => entity::Column::Cursor.is_null(),
    };
    row()
        .filter(entity::Column::Authority.eq(name(Authority::Legacy)))
        .filter(entity::Column::Epoch.eq(position.epoch))
        .filter(cursor)
}

async fn own(
    transaction: &DatabaseTransaction,
    details: &MovieDetails,
    now: Timestamp,
) -> Result<Option<FollowedMovie>, StoreError> {
    let next = Expr::col(entity::Column::LastId).add(1);
    let taken = row()
        .filter(entity::Column::Authority.eq(name(Authority::Own)))
        .col_expr(entity::Column::LastId, next)
        .exec(transaction)
        .await
        .during("take the next id")?;
    if taken.rows_affected == 0 {
        return Ok(None);
    }
    let id: Option<i64> = entity::Entity::find_by_id(MOVIES)
        .select_only()
        .column(entity::Column::LastId)
        .into_tuple()
        .one(transaction)
        .await
        .during("read the next id")?;
    let Some(id) = id else {
        return Ok(None);
    };
    let movie = FollowedMovie {
        id,
        details: details.clone(),
    };
    followed_movies::write(transaction, std::slice::from_ref(&movie), now).await?;
    Ok(Some(movie))
}

fn name(authority: Authority) -> &'static str {
    match authority {
        Authority::Legacy => "legacy",
        Authority::Own => "own",
        Authority::Returning => "returning",
    }
}

fn authority(name: &str) -> Result<Authority, StoreError> {
    match name {
        "legacy" => Ok(Authority::Legacy),
        "own" => Ok(Authority::Own),
        "returning" => Ok(Authority::Returning),
        other => Err(StoreError::corrupt("authority", other)),
    }
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "following")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub collection: String,
        pub authority: String,
        pub epoch: i64,
        pub cursor: Option<String>,
        pub last_id: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
