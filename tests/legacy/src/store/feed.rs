//! Movies written in one transaction with what tells of it, where the feed is on.
//!
//! Every write takes the feed's one row first and holds it until it is committed: so the numbers of
//! changes are in the order of commits, and who reads up to a number has missed nothing before it. The
//! feed has a name of its own that no other database has, and loses it when the monolith runs without
//! the feed for a while: cursors of before are then unknown rather than wrong.

use jiff::Timestamp;
use sea_orm::entity::prelude::*;
use sea_orm::sea_query::{Expr, ExprTrait};
use sea_orm::{
    ConnectionTrait, DatabaseTransaction, DbBackend, FromJsonQueryResult, IntoActiveModel as _,
    QueryOrder as _, QuerySelect as _, Set, SqliteTransactionMode, TransactionOptions,
    TransactionTrait as _,
};
use serde::{Deserialize, Serialize};

use super::{Store, StoreError, movie};

/// The key of the feed's one row.
const ONE: i64 = 1;

mod head {
    use sea_orm::entity::prelude::*;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "movie_feed")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub incarnation: String,
        /// The number of the last change.
        pub head: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

mod change {
    use sea_orm::entity::prelude::*;

    use super::Content;

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "movie_changes")]
    pub(super) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub number: i64,
        pub movie_id: i64,
        /// As it was then; nothing if it was removed.
        pub movie: Option<Content>,
    }

    impl ActiveModelBehavior for ActiveModel {}
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, FromJsonQueryResult)]
pub(crate) struct Content {
    title: String,
    description: String,
    genres: Vec<String>,
    rating: f64,
}

impl From<&movie::Model> for Content {
    fn from(row: &movie::Model) -> Self {
        Self {
            title: row.title.clone(),
            description: row.description.clone(),
            genres: row.genres.0.clone(),
            rating: row.rating,
        }
    }
}

/// What happened to a movie.
pub(crate) struct Change {
    pub cursor: String,
    pub id: i64,
    /// Nothing if it was removed.
    pub movie: Option<movie::Model>,
}

/// Some of what changed.
pub(crate) struct Changes {
    pub changes: Vec<Change>,
    /// Where to go on.
    pub next: String,
    /// Whether there was more.
    pub more: bool,
}

/// What became of a movie that was put under an id.
pub(crate) enum Put {
    Created(movie::Model),
    Updated(movie::Model),
    /// There is none, and none may be added under a given id.
    Missing,
    /// There is another one, and it may not be changed.
    Taken,
}

/// Begins the feed, or forgets it: what happens without it would be missing from it.
pub(super) async fn prepare(db: &DatabaseTransaction, has_feed: bool) -> Result<(), DbErr> {
    let known = head::Entity::find_by_id(ONE).one(db).await?;
    match (known, has_feed) {
        (None, true) => {
            let begun = head::ActiveModel {
                id: Set(ONE),
                incarnation: Set(format!("{:x}", Timestamp::now().as_microsecond())),
                head: Set(0),
            };
            head::Entity::insert(begun)
                .exec_without_returning(db)
                .await?;
        }
        (Some(_), false) => {
            head::Entity::delete_many().exec(db).await?;
            change::Entity::delete_many().exec(db).await?;
        }
        (Some(_), true) | (None, false) => {}
    }
    Ok(())
}

impl Store {
    /// Adds a movie under an id of the database's choice.
    pub(crate) async fn add_movie(
        &self,
        row: movie::ActiveModel,
    ) -> Result<movie::Model, StoreError> {
        if !self.capabilities.change_feed {
            return self.insert::<movie::Entity>(row).await;
        }
        let added = async {
            let (transaction, number) = self.begin_change().await?;
            let row = row.insert(&transaction).await?;
            self.tell(&transaction, number, row.id, Some(&row)).await?;
            transaction.commit().await?;
            Ok(row)
        };
        self.db()?;
        added.await.map_err(StoreError::Change)
    }

    /// Changes a movie, or adds it under that id, as far as either is offered. To put what is there
    /// already changes nothing.
    pub(crate) async fn put_movie(
        &self,
        id: i64,
        mut row: movie::ActiveModel,
    ) -> Result<Put, StoreError> {
        row.id = Set(id);
        let put = async {
            let (transaction, number) = self.begin_change().await?;
            let known = movie::Entity::find_by_id(id).one(&transaction).await?;
            let put = match known {
                None if !self.capabilities.keeps_ids => return Ok(Put::Missing),
                None => {
                    let row = row.insert(&transaction).await?;
                    step_over(&transaction, id).await?;
                    Put::Created(row)
                }
                Some(known) => {
                    let mut same = known.clone().into_active_model();
                    same.title = row.title.clone();
                    same.description = row.description.clone();
                    same.genres = row.genres.clone();
                    same.rating = row.rating.clone();
                    let same = movie::Model::try_from(same)?;
                    if same == known {
                        return Ok(Put::Updated(known));
                    }
                    if !self.capabilities.update {
                        return Ok(Put::Taken);
                    }
                    Put::Updated(row.update(&transaction).await?)
                }
            };
            if let Put::Created(row) | Put::Updated(row) = &put {
                self.tell(&transaction, number, id, Some(row)).await?;
            }
            transaction.commit().await?;
            Ok(put)
        };
        self.db()?;
        put.await.map_err(StoreError::Change)
    }

    /// Removes a movie; whether there was one.
    pub(crate) async fn delete_movie(&self, id: i64) -> Result<bool, StoreError> {
        let deleted = async {
            let (transaction, number) = self.begin_change().await?;
            let deleted = movie::Entity::delete_by_id(id).exec(&transaction).await?;
            if deleted.rows_affected == 0 {
                return Ok(false);
            }
            self.tell(&transaction, number, id, None).await?;
            transaction.commit().await?;
            Ok(true)
        };
        self.db()?;
        deleted.await.map_err(StoreError::Change)
    }

    /// What changed since the cursor; none and where the feed is now without one. Nothing if the cursor is
    /// not known, or what came after it is not any more.
    pub(crate) async fn movie_changes(
        &self,
        since: Option<&str>,
        limit: u64,
    ) -> Result<Option<Changes>, StoreError> {
        let db = self.db()?;
        let read = async {
            // Before the changes: who asks without a cursor must not be told one that is ahead of them.
            let Some(head) = head::Entity::find_by_id(ONE).one(db).await? else {
                return Ok(None);
            };
            let cursor = |number: i64| format!("{}-{number}", head.incarnation);
            let Some(since) = since else {
                let next = cursor(head.head);
                return Ok(Some(Changes {
                    changes: Vec::new(),
                    next,
                    more: false,
                }));
            };
            let known = since
                .rsplit_once('-')
                .filter(|(incarnation, _)| *incarnation == head.incarnation)
                .and_then(|(_, number)| number.parse::<i64>().ok())
                .filter(|number| (0..=head.head).contains(number));
            let Some(after) = known else {
                return Ok(None);
            };
            let mut rows = change::Entity::find()
                .filter(change::Column::Number.gt(after))
                .order_by_asc(change::Column::Number)
                .limit(limit + 1)
                .all(db)
                .await?;
            let is_complete = rows
                .first()
                .map_or(after == head.head, |first| first.number == after + 1);
            if !is_complete {
                return Ok(None);
            }
            let more = u64::try_from(rows.len()).is_ok_and(|rows| rows > limit);
            rows.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
            let next = rows.last().map_or(after, |last| last.number);
            let changes = rows.into_iter().map(|row| Change {
                cursor: cursor(row.number),
                id: row.movie_id,
                movie: row.movie.map(|it| movie::Model {
                    id: row.movie_id,
                    title: it.title,
                    description: it.description,
                    genres: movie::Genres(it.genres),
                    rating: it.rating,
                }),
            });
            Ok(Some(Changes {
                changes: changes.collect(),
                next: cursor(next),
                more,
            }))
        };
        read.await.map_err(StoreError::read::<movie::Entity>)
    }

    /// A transaction that nobody else changes movies in, and the number that the change will have.
    async fn begin_change(&self) -> Result<(DatabaseTransaction, i64), DbErr> {
        let options = TransactionOptions {
            sqlite_transaction_mode: Some(SqliteTransactionMode::Immediate),
            ..TransactionOptions::default()
        };
        let away = || DbErr::Custom("the database is not connected".to_owned());
        let db = self.db().map_err(|_| away())?;
        let transaction = db.begin_with_options(options).await?;
        if !self.capabilities.change_feed {
            return Ok((transaction, 0));
        }
        let next = ExprTrait::add(Expr::col(head::Column::Head), 1);
        head::Entity::update_many()
            .col_expr(head::Column::Head, next)
            .exec(&transaction)
            .await?;
        let head = head::Entity::find_by_id(ONE).one(&transaction).await?;
        let begun = head.ok_or_else(|| DbErr::RecordNotFound("the feed".to_owned()))?;
        Ok((transaction, begun.head))
    }

    async fn tell(
        &self,
        transaction: &DatabaseTransaction,
        number: i64,
        id: i64,
        movie: Option<&movie::Model>,
    ) -> Result<(), DbErr> {
        if !self.capabilities.change_feed {
            return Ok(());
        }
        let change = change::ActiveModel {
            number: Set(number),
            movie_id: Set(id),
            movie: Set(movie.map(Content::from)),
        };
        change::Entity::insert(change)
            .exec_without_returning(transaction)
            .await?;
        let kept = number - i64::from(self.capabilities.feed_keeps);
        change::Entity::delete_many()
            .filter(change::Column::Number.lte(kept))
            .exec(transaction)
            .await?;
        Ok(())
    }
}

/// PostgreSQL's sequence does not notice ids that others give, and would give them again. SQLite's does.
async fn step_over(transaction: &DatabaseTransaction, id: i64) -> Result<(), DbErr> {
    if transaction.get_database_backend() == DbBackend::Postgres {
        let step = format!(
            "SELECT setval('movies_id_seq', GREATEST({id}, (SELECT last_value FROM movies_id_seq)))"
        );
        transaction.execute_unprepared(&step).await?;
    }
    Ok(())
}
