//! Cinemas with their halls and seats, and movies.

use std::collections::HashMap;

use sea_orm::{
    ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter, QueryOrder, QuerySelect,
    sea_query::Expr,
};

use super::{
    Session, StoreError, Write,
    entity::{cinema, hall, movie, seat},
    error::During,
    rows,
};
use crate::domain::{
    catalogue::{Cinema, Hall, Movie, Seat},
    name::{CinemaId, MovieId},
};

/// Seats of one INSERT statement.
const SEATS_PER_INSERT: usize = 1_000;

impl Session {
    /// Cinemas after that id, by id.
    pub async fn cinemas(
        &self,
        after: Option<&str>,
        limit: u64,
    ) -> Result<Vec<Cinema>, StoreError> {
        let mut query = cinema::Entity::find().order_by_asc(cinema::Column::Id);
        if let Some(after) = after {
            query = query.filter(cinema::Column::Id.gt(after));
        }
        let rows = query.limit(limit).all(&self.transaction).await;
        rows.during("list cinemas")?
            .into_iter()
            .map(rows::cinema)
            .collect()
    }

    /// One cinema.
    pub async fn cinema(&self, id: &CinemaId) -> Result<Option<Cinema>, StoreError> {
        let row = cinema::Entity::find_by_id(id.0.as_str())
            .one(&self.transaction)
            .await;
        row.during("read a cinema")?.map(rows::cinema).transpose()
    }

    /// Some cinemas, those that exist.
    pub async fn cinemas_of(
        &self,
        ids: &[CinemaId],
    ) -> Result<HashMap<CinemaId, Cinema>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = cinema::Entity::find()
            .filter(cinema::Column::Id.is_in(ids.iter().map(|id| id.0.as_str())))
            .all(&self.transaction)
            .await;
        let cinemas = rows.during("read cinemas")?.into_iter().map(rows::cinema);
        cinemas
            .map(|cinema| cinema.map(|cinema| (cinema.id.clone(), cinema)))
            .collect()
    }

    /// The halls of a cinema, by number.
    pub async fn halls(&self, cinema: &CinemaId) -> Result<Vec<Hall>, StoreError> {
        let rows = hall::Entity::find()
            .filter(hall::Column::Cinema.eq(cinema.0.as_str()))
            .order_by_asc(hall::Column::Id)
            .all(&self.transaction)
            .await;
        Ok(rows
            .during("list halls")?
            .into_iter()
            .map(rows::hall)
            .collect())
    }

    /// The seats of some halls, by hall and number in it.
    pub async fn seats(&self, halls: &[i64]) -> Result<HashMap<i64, Vec<Seat>>, StoreError> {
        if halls.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = seat::Entity::find()
            .filter(seat::Column::Hall.is_in(halls.iter().copied()))
            .order_by_asc(seat::Column::Idx)
            .all(&self.transaction)
            .await;
        let mut seats: HashMap<i64, Vec<Seat>> = HashMap::new();
        for row in rows.during("read seats")? {
            seats.entry(row.hall).or_default().push(rows::seat(row));
        }
        Ok(seats)
    }

    /// Movies before that number that are in the listings, newest first.
    pub async fn movies(&self, before: Option<i64>, limit: u64) -> Result<Vec<Movie>, StoreError> {
        let mut query = movie::Entity::find()
            .filter(movie::Column::Deleted.eq(false))
            .order_by_desc(movie::Column::Id);
        if let Some(before) = before {
            query = query.filter(movie::Column::Id.lt(before));
        }
        let rows = query.limit(limit).all(&self.transaction).await;
        Ok(rows
            .during("list movies")?
            .into_iter()
            .map(rows::movie)
            .collect())
    }

    /// One movie that is in the listings.
    pub async fn movie(&self, id: MovieId) -> Result<Option<Movie>, StoreError> {
        let row = movie::Entity::find_by_id(id.0)
            .filter(movie::Column::Deleted.eq(false))
            .one(&self.transaction)
            .await;
        Ok(row.during("read a movie")?.map(rows::movie))
    }

    /// Some movies, whether or not they are in the listings.
    pub async fn movies_of(&self, ids: &[MovieId]) -> Result<HashMap<MovieId, Movie>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = movie::Entity::find()
            .filter(movie::Column::Id.is_in(ids.iter().map(|id| id.0)))
            .all(&self.transaction)
            .await;
        let movies = rows.during("read movies")?.into_iter().map(rows::movie);
        Ok(movies.map(|movie| (movie.id, movie)).collect())
    }

    /// The highest number that a table has given out; rows are never removed.
    pub(super) async fn last_number(&self, table: &'static str) -> Result<i64, StoreError> {
        let sql = format!("SELECT COALESCE(MAX(id), 0) AS last FROM {table}");
        let rows = self
            .select(&sql, Vec::new(), "find the last number")
            .await?;
        match rows.first() {
            Some(row) => row.try_get("", "last").during("find the last number"),
            None => Ok(0),
        }
    }
}

impl Write {
    /// Adds a cinema.
    pub async fn insert_cinema(&self, it: &Cinema) -> Result<(), StoreError> {
        let row = cinema::ActiveModel {
            id: Set(it.id.0.clone()),
            display_name: Set(it.display_name.clone()),
            time_zone: Set(it.zone_name.clone()),
            currency: Set(it.currency.to_string()),
            city: Set(it.city.clone()),
            address: Set(it.address.clone()),
        };
        let done = cinema::Entity::insert(row)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("add a cinema").map(drop)
    }

    /// Adds a hall with its seats; its number.
    pub async fn insert_hall(
        &self,
        cinema: &CinemaId,
        name: &str,
        seats: &[Seat],
    ) -> Result<i64, StoreError> {
        let number = self.last_number("halls").await? + 1;
        let row = hall::ActiveModel {
            id: Set(number),
            cinema: Set(cinema.0.clone()),
            display_name: Set(name.to_owned()),
            no_single_seats: Set(false),
        };
        let done = hall::Entity::insert(row)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("add a hall")?;
        // Both databases limit the parameters of a statement.
        for chunk in seats.chunks(SEATS_PER_INSERT) {
            let rows: Vec<_> = chunk.iter().map(|it| seat_row(number, it)).collect();
            let done = seat::Entity::insert_many(rows)
                .exec_without_returning(&self.transaction)
                .await;
            done.during("add seats")?;
        }
        Ok(number)
    }

    /// Adds a movie under the next number; its name.
    pub async fn insert_movie(
        &self,
        title: &str,
        description: &str,
        image_uri: &str,
    ) -> Result<MovieId, StoreError> {
        let id = self.last_number("movies").await? + 1;
        let row = movie::ActiveModel {
            id: Set(id),
            title: Set(title.to_owned()),
            description: Set(description.to_owned()),
            image_uri: Set(image_uri.to_owned()),
            deleted: Set(false),
        };
        let done = movie::Entity::insert(row)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("add a movie")?;
        Ok(MovieId(id))
    }

    /// Takes a movie out of the listings.
    pub async fn remove_movie(&self, id: MovieId) -> Result<(), StoreError> {
        movie::Entity::update_many()
            .col_expr(movie::Column::Deleted, Expr::value(true))
            .filter(movie::Column::Id.eq(id.0))
            .exec(&self.transaction)
            .await
            .during("remove a movie")
            .map(drop)
    }
}

fn seat_row(hall: i64, it: &Seat) -> seat::ActiveModel {
    seat::ActiveModel {
        pool: Set(it.pool.0),
        hall: Set(hall),
        id: Set(it.id.0.clone()),
        idx: Set(it.index),
        row_label: Set(it.row.clone()),
        number: Set(it.number),
        x: Set(it.x),
        y: Set(it.y),
        category: Set(it.category.clone()),
        accessible: Set(it.accessible),
    }
}
