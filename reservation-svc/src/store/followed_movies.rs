//! The table `followed_movies`: what has been adopted from the monolith. Rows are added and overwritten, and removed where
//! the monolith removes its own; by [`following`](super::following), which guards what is written.
//!
//! It stands apart from everything that is sold here: adopting takes no part in the commit order.

use std::collections::{BTreeMap, BTreeSet};

use banyan_mesh::database::Database;
use jiff::Timestamp;
use sea_orm::{
    ActiveValue::Set, ColumnTrait as _, DatabaseTransaction, DeleteMany, EntityTrait,
    PaginatorTrait as _, QueryFilter as _, QueryOrder as _, QuerySelect as _, QueryTrait as _,
    sea_query::OnConflict,
};

use super::{StoreError, error::During as _};
use crate::domain::followed_movie::{FollowedMovie, MovieDetails};

/// Rows of one INSERT statement; both databases limit its parameters.
const ROWS_PER_INSERT: usize = 500;

/// The movies that were adopted from the monolith.
#[derive(Clone, Debug)]
pub(crate) struct FollowedMovies {
    database: Database,
}

impl FollowedMovies {
    pub(crate) fn new(database: Database) -> Self {
        Self { database }
    }

    /// All of them, by id.
    pub(crate) async fn list(&self) -> Result<Vec<FollowedMovie>, StoreError> {
        self.list_after(None, None).await
    }

    /// Those whose ids are greater than `after`, by id, `limit` at most.
    pub(crate) async fn list_after(
        &self,
        after: Option<i64>,
        limit: Option<u64>,
    ) -> Result<Vec<FollowedMovie>, StoreError> {
        let rows = entity::Entity::find()
            .apply_if(after, |rows, after| {
                rows.filter(entity::Column::Id.gt(after))
            })
            .order_by_asc(entity::Column::Id)
            .limit(limit)
            .all(self.connection()?);
        rows.await
            .during("list followed movies")?
            .into_iter()
            .map(TryInto::try_into)
            .collect()
    }

    /// One of them.
    pub(crate) async fn find(&self, id: i64) -> Result<Option<FollowedMovie>, StoreError> {
        let row = entity::Entity::find_by_id(id)
            .one(self.connection()?)
            .await
            .during("read a followed movie")?;
        row.map(TryInto::try_into).transpose()
    }

    /// The ids of those with the same details.
    pub(crate) async fn twins(&self, details: &MovieDetails) -> Result<BTreeSet<i64>, StoreError> {
        let rows = entity::Entity::find()
            .filter(entity::Column::Title.eq(details.title.as_str()))
            .all(self.connection()?)
            .await
            .during("look for equal movies")?;
        let mut twins = BTreeSet::new();
        for row in rows {
            let movie: FollowedMovie = row.try_into()?;
            if movie.details == *details {
                twins.insert(movie.id);
            }
        }
        Ok(twins)
    }

    /// The ids of all of them.
    pub(crate) async fn ids(&self) -> Result<BTreeSet<i64>, StoreError> {
        let ids: Vec<i64> = entity::Entity::find()
            .select_only()
            .column(entity::Column::Id)
            .into_tuple()
            .all(self.connection()?)
            .await
            .during("list the ids of followed movies")?;
        Ok(ids.into_iter().collect())
    }

    /// How many there are.
    pub(crate) async fn count(&self) -> Result<u64, StoreError> {
        entity::Entity::find()
            .count(self.connection()?)
            .await
            .during("count followed movies")
    }

    /// Those that are new or differ from what is here, by id. Of two with one id the later counts.
    pub(crate) async fn news(
        &self,
        theirs: Vec<FollowedMovie>,
    ) -> Result<Vec<FollowedMovie>, StoreError> {
        let ours: BTreeMap<_, _> = self
            .list()
            .await?
            .into_iter()
            .map(|movie| (movie.id, movie))
            .collect();
        let theirs: BTreeMap<_, _> = theirs.into_iter().map(|movie| (movie.id, movie)).collect();
        let news = theirs
            .into_values()
            .filter(|movie| ours.get(&movie.id) != Some(movie));
        Ok(news.collect())
    }

    /// Waits until the table can be there, or the process ends.
    pub(crate) async fn ready(&self) {
        self.database.ready().await;
    }

    /// Fails while the database is away.
    pub(crate) fn check_ready(&self) -> Result<(), StoreError> {
        self.connection().map(|_| ())
    }

    pub(super) fn connection(&self) -> Result<&sea_orm::DatabaseConnection, StoreError> {
        if self.database.is_ready() {
            Ok(self.database.connection())
        } else {
            Err(StoreError::NotReady)
        }
    }
}

/// Writes movies whether they are known or not; each id once.
pub(super) async fn write(
    transaction: &DatabaseTransaction,
    movies: &[FollowedMovie],
    now: Timestamp,
) -> Result<(), StoreError> {
    for chunk in movies.chunks(ROWS_PER_INSERT) {
        let rows = chunk.iter().map(|movie| entity::row(movie, now));
        let overwrite = OnConflict::column(entity::Column::Id)
            .update_columns([
                entity::Column::Title,
                entity::Column::Description,
                entity::Column::Genres,
                entity::Column::Rating,
                entity::Column::AdoptedAt,
            ])
            .to_owned();
        let insert = entity::Entity::insert_many(rows).on_conflict(overwrite);
        insert
            .exec_without_returning(transaction)
            .await
            .during("adopt movies")?;
    }
    Ok(())
}

/// Removes them, those that are there.
pub(super) fn remove(ids: &[i64]) -> DeleteMany<entity::Entity> {
    entity::Entity::delete_many().filter(entity::Column::Id.is_in(ids.iter().copied()))
}

/// One of them, as the transaction sees it.
pub(super) async fn one(
    transaction: &DatabaseTransaction,
    id: i64,
) -> Result<Option<FollowedMovie>, StoreError> {
    let row = entity::Entity::find_by_id(id).one(transaction).await;
    let row = row.during("read a followed movie")?;
    row.map(TryInto::try_into).transpose()
}

/// The highest id that is here; 0 if none is.
pub(super) async fn highest_id(transaction: &DatabaseTransaction) -> Result<i64, StoreError> {
    let highest = entity::Entity::find()
        .order_by_desc(entity::Column::Id)
        .one(transaction)
        .await
        .during("read the highest id")?;
    Ok(highest.map_or(0, |row| row.id))
}

mod entity {
    use sea_orm::entity::prelude::*;

    use super::{FollowedMovie, MovieDetails, Set, StoreError, Timestamp};

    #[sea_orm::model]
    #[derive(Clone, Debug, PartialEq, DeriveEntityModel)]
    #[sea_orm(table_name = "followed_movies")]
    pub(crate) struct Model {
        #[sea_orm(primary_key, auto_increment = false)]
        pub id: i64,
        pub title: String,
        pub description: String,
        /// A JSON list: it is only ever read back whole.
        pub genres: String,
        pub rating: f64,
        /// When the row was last written, in microseconds since 1970.
        pub adopted_at: i64,
    }

    impl ActiveModelBehavior for ActiveModel {}

    pub(super) fn row(movie: &FollowedMovie, now: Timestamp) -> ActiveModel {
        let MovieDetails {
            title,
            description,
            genres,
            rating,
        } = &movie.details;
        ActiveModel {
            id: Set(movie.id),
            title: Set(title.clone()),
            description: Set(description.clone()),
            genres: Set(serde_json::Value::from(genres.as_slice()).to_string()),
            rating: Set(*rating),
            adopted_at: Set(now.as_microsecond()),
        }
    }

    impl TryFrom<Model> for FollowedMovie {
        type Error = StoreError;

        fn try_from(row: Model) -> Result<Self, StoreError> {
            let Model {
                id,
                title,
                description,
                genres,
                rating,
                ..
            } = row;
            let genres = serde_json::from_str(&genres)
                .map_err(|_| StoreError::corrupt("genres", &genres))?;
            Ok(Self {
                id,
                details: MovieDetails {
                    title,
                    description,
                    genres,
                    rating,
                },
            })
        }
    }
}
