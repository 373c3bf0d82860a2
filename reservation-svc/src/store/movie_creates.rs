//! The table `movie_creates`: each create of a movie, written before it is carried out, and what came of it.
//!
//! A row that is open is somebody's turn: of creates with the same content one is open at a time, on whichever replica,
//! which a unique index sees to. Whoever has the turn knows it by a mark, which changes whenever somebody takes the row or
//! shows to be alive, and writes only under it: so who was taken for dead and is not finds out.

mod forget;

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use jiff::Timestamp;
use sea_orm::{
    ActiveValue::Set,
    ColumnTrait as _, Condition, ConnectionTrait, EntityTrait, QueryFilter as _, QuerySelect as _,
    UpdateMany,
    sea_query::{Expr, OnConflict},
};
use uuid::Uuid;

use super::{StoreError, error::During as _, error::Rule, followed_movies::FollowedMovies};
use crate::domain::followed_movie::MovieDetails;

const OPEN: &str = "OPEN";
const ENDED: &str = "ENDED";
const UNKNOWN: &str = "UNKNOWN";
const DONE: &str = "DONE";

/// What is to be created, and as which request.
#[derive(Clone, Debug)]
pub(crate) struct Intent {
    /// The client's, or one made up.
    pub request_id: String,
    /// SHA-256 of the details in hexadecimal.
    pub content: String,
    pub details: MovieDetails,
}

/// What is known of earlier attempts at a create.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Earlier {
    /// There was none.
    Nothing,
    /// It is over; whether it was carried out is not known.
    Ended,
    /// It may still be going on.
    Unknown,
}

/// The turn to carry a create out.
#[derive(Debug)]
pub(crate) struct Turn {
    request_id: String,
    pub content: String,
    mark: String,
    /// When it was taken or last renewed, or a little before.
    renewed: Instant,
    /// The equal movies that were here before it began: none of them is its.
    pub twins_before: BTreeSet<i64>,
    pub earlier: Earlier,
}

/// Somebody's turn that is not over.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Busy {
    pub request_id: String,
    mark: String,
}

/// What came of asking for a turn.
#[derive(Debug)]
pub(crate) enum Opened {
    Turn(Turn),
    /// It has been carried out before, and made that movie.
    Done(i64),
    /// It is somebody else's turn, at this create or at an equal one.
    Busy(Busy),
    /// The request id was used for another content.
    Reused,
    /// Somebody was faster: to be asked again.
    Raced,
}

impl FollowedMovies {
    /// Asks for the turn to carry a create out.
    pub(crate) async fn open_create(
        &self,
        intent: &Intent,
        now: Timestamp,
    ) -> Result<Opened, StoreError> {
        let equal = Condition::all()
            .add(entity::Column::Content.eq(intent.content.as_str()))
            .add(entity::Column::State.eq(OPEN));
        let same = entity::Column::RequestId.eq(intent.request_id.as_str());
        let rows = entity::Entity::find()
            .filter(Condition::any().add(same).add(equal))
            .all(self.connection()?)
            .await
            .during("look for a create")?;
        let own = rows.iter().find(|it| it.request_id == intent.request_id);
        if own.is_some_and(|own| own.content != intent.content) {
            return Ok(Opened::Reused);
        }
        if let Some(id) = own.and_then(|own| own.movie_id) {
            return Ok(Opened::Done(id));
        }
        if let Some(row) = rows.iter().find(|it| it.state == OPEN) {
            return Ok(Opened::Busy(Busy {
                request_id: row.request_id.clone(),
                mark: row.mark.clone(),
            }));
        }
        match own {
            Some(row) => self.reopen(row, now).await,
            None => self.begin_create(intent, now).await,
        }
    }

    async fn begin_create(&self, intent: &Intent, now: Timestamp) -> Result<Opened, StoreError> {
        let twins_before = self.twins(&intent.details).await?;
        let (mark, renewed) = (mark(), Instant::now());
        let twins: Vec<i64> = twins_before.iter().copied().collect();
        let row = entity::ActiveModel {
            request_id: Set(intent.request_id.clone()),
            content: Set(intent.content.clone()),
            state: Set(OPEN.to_owned()),
            mark: Set(mark.clone()),
            twins_before: Set(serde_json::Value::from(twins).to_string()),
            movie_id: Set(None),
            begun_at: Set(now.as_microsecond()),
            touched_at: Set(now.as_microsecond()),
        };
        let written = entity::Entity::insert(row)
            .on_conflict(OnConflict::new().do_nothing().to_owned())
            .exec_without_returning(self.connection()?)
            .await
            .during("begin a create")?;
        if written == 0 {
            return Ok(Opened::Raced);
        }
        Ok(Opened::Turn(Turn {
            request_id: intent.request_id.clone(),
            content: intent.content.clone(),
            mark,
            renewed,
            twins_before,
            earlier: Earlier::Nothing,
        }))
    }

    async fn reopen(&self, row: &entity::Model, now: Timestamp) -> Result<Opened, StoreError> {
        let (mark, renewed) = (mark(), Instant::now());
        let reopened = under(&row.request_id, &row.mark)
            .col_expr(entity::Column::State, Expr::value(OPEN))
            .col_expr(entity::Column::Mark, Expr::value(mark.as_str()))
            .col_expr(entity::Column::TouchedAt, Expr::value(now.as_microsecond()))
            .exec(self.connection()?)
            .await
            .during("take a create up again");
        let taken = match reopened {
            Ok(done) => done.rows_affected > 0,
            // An equal one has been opened meanwhile.
            Err(StoreError::Refused {
                rule: Rule::Unique, ..
            }) => false,
            Err(error) => return Err(error),
        };
        if !taken {
            return Ok(Opened::Raced);
        }
        let twins = serde_json::from_str(&row.twins_before)
            .map_err(|_| StoreError::corrupt("twins_before", &row.twins_before))?;
        Ok(Opened::Turn(Turn {
            request_id: row.request_id.clone(),
            content: row.content.clone(),
            mark,
            renewed,
            twins_before: twins,
            earlier: match row.state.as_str() {
                ENDED => Earlier::Ended,
                _ => Earlier::Unknown,
            },
        }))
    }

    /// Shows that whoever has the turn is alive. False if it is somebody else's by now.
    pub(crate) async fn renew_create(
        &self,
        turn: &mut Turn,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let (mark, renewed) = (mark(), Instant::now());
        let row = turn.row();
        let row = row.col_expr(entity::Column::Mark, Expr::value(mark.as_str()));
        let is_renewed = self.touch(row, now, "renew a turn").await?;
        if is_renewed {
            turn.mark = mark;
            turn.renewed = renewed;
        }
        Ok(is_renewed)
    }

    /// Notes which movie a create made. False if it is somebody else's turn by now.
    pub(crate) async fn finish_create(
        &self,
        turn: &Turn,
        movie_id: i64,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        finish(self.connection()?, turn, movie_id, now).await
    }

    /// Gives the turn back: as if there had been none where nothing was attempted, else with what is known of it. Nothing
    /// if it is somebody else's by now.
    pub(crate) async fn put_create_back(
        &self,
        turn: &Turn,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        let state = match turn.earlier {
            Earlier::Ended => ENDED,
            Earlier::Unknown => UNKNOWN,
            Earlier::Nothing => {
                let gone = entity::Entity::delete_many()
                    .filter(entity::Column::RequestId.eq(turn.request_id.as_str()))
                    .filter(entity::Column::Mark.eq(turn.mark.as_str()));
                let gone = gone.exec(self.connection()?).await;
                return gone.map(drop).during("undo the beginning of a create");
            }
        };
        let put_back = turn
            .row()
            .col_expr(entity::Column::State, Expr::value(state));
        self.touch(put_back, now, "give a turn back").await?;
        Ok(())
    }

    /// Ends the turn of somebody who seems to be dead. False if he was not.
    pub(crate) async fn abandon_create(
        &self,
        busy: &Busy,
        now: Timestamp,
    ) -> Result<bool, StoreError> {
        let abandoned = under(&busy.request_id, &busy.mark)
            .filter(entity::Column::State.eq(OPEN))
            .col_expr(entity::Column::State, Expr::value(UNKNOWN))
            .col_expr(entity::Column::Mark, Expr::value(mark()));
        self.touch(abandoned, now, "end an abandoned turn").await
    }

    /// The movies that creates with that content have made.
    pub(crate) async fn made_by_creates(&self, content: &str) -> Result<BTreeSet<i64>, StoreError> {
        let ids: Vec<Option<i64>> = entity::Entity::find()
            .select_only()
            .column(entity::Column::MovieId)
            .filter(entity::Column::Content.eq(content))
            .filter(entity::Column::State.eq(DONE))
            .into_tuple()
            .all(self.connection()?)
            .await
            .during("list what creates have made")?;
        Ok(ids.into_iter().flatten().collect())
    }

    async fn touch(
        &self,
        rows: UpdateMany<entity::Entity>,
        now: Timestamp,
        operation: &'static str,
    ) -> Result<bool, StoreError> {
        let touched = rows
            .col_expr(entity::Column::TouchedAt, Expr::value(now.as_microsecond()))
            .exec(self.connection()?)
            .await
            .during(operation)?;
        Ok(touched.rows_affected > 0)
    }
}

impl Turn {
    /// How long ago its holder last showed to be alive.
    pub(crate) fn age(&self) -> Duration {
        self.renewed.elapsed()
    }

    fn row(&self) -> UpdateMany<entity::Entity> {
        under(&self.request_id, &self.mark)
    }
}

/// Notes which movie a create made, perhaps in the transaction that makes it.
pub(super) async fn finish(
    connection: &impl ConnectionTrait,
    turn: &Turn,
    movie_id: i64,
    now: Timestamp,
) -> Result<bool, StoreError> {
    let finished = turn
        .row()
        .col_expr(entity::Column::State, Expr::value(DONE))
        .col_expr(entity::Column::MovieId, Expr::value(movie_id))
        .col_expr(entity::Column::Mark, Expr::value(mark()))
        .col_expr(entity::Column::TouchedAt, Expr::value(now.as_microsecond()))
        .exec(connection)
        .await
        .during("note what a create made")?;
    Ok(finished.rows_affected > 0)
}

fn under(request_id: &str, mark: &str) -> UpdateMany<entity::Entity> {
    entity::Entity::update_many()
        .filter(entity::Column::RequestId.eq(request_id))
        .filter(entity::Column::Mark.eq(mark))
}

fn mark() -> String {
    Uuid::new_v4().to_string()
}

mod entity {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "movie_creates")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub request_id: String,
        pub content: String,
        pub state: String,
        pub mark: String,
        pub twins_before: String,
        pub movie_id: Option<i64>,
        pub begun_at: i64,
        pub touched_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}
