//! Cinemas with their halls and seats, movies and screenings.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, ExprTrait, Order, QueryFilter,
    QueryOrder, QuerySelect, sea_query::Expr,
};

use super::{
    Session, StoreError, Write,
    cells::numbered,
    entity::{cinema, hall, movie, screening, screening_price, seat},
    error::During,
    rows::{self, micros},
};
use crate::domain::{
    catalogue::{Cinema, Hall, Movie, Screening, Seat, SeatPrice},
    cell::PoolId,
    name::{CinemaId, MovieId, ScreeningId},
};

/// Which screenings; those taken out of the listings never.
#[derive(Clone, Debug, Default)]
pub struct ScreeningFilter {
    /// Only in this cinema.
    pub cinema: Option<CinemaId>,
    /// Only of this movie.
    pub movie: Option<MovieId>,
    /// Only those that end after that time.
    pub ends_after: Option<Timestamp>,
    /// Only those that start at that time or later.
    pub starts_from: Option<Timestamp>,
    /// Only those that start before that time.
    pub starts_before: Option<Timestamp>,
    /// Only those that come after that one by start time and number.
    pub after: Option<(Timestamp, i64)>,
    /// By number, newest first, instead of by start time.
    pub newest_first: bool,
}

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
        let rows = movie::Entity::find()
            .filter(movie::Column::Id.is_in(ids.iter().map(|id| id.0)))
            .all(&self.transaction)
            .await;
        let movies = rows.during("read movies")?.into_iter().map(rows::movie);
        Ok(movies.map(|movie| (movie.id, movie)).collect())
    }

    /// The movies with a screening that starts at that time or later.
    pub async fn movies_shown_from(&self, time: Timestamp) -> Result<HashSet<MovieId>, StoreError> {
        let rows = screening::Entity::find()
            .select_only()
            .column(screening::Column::Movie)
            .distinct()
            .filter(screening::Column::Deleted.eq(false))
            .filter(screening::Column::StartsAt.gte(micros(time)))
            .into_tuple::<i64>()
            .all(&self.transaction)
            .await;
        Ok(rows
            .during("read what is shown")?
            .into_iter()
            .map(MovieId)
            .collect())
    }

    /// Screenings by start time, or by number.
    pub async fn screenings(
        &self,
        filter: &ScreeningFilter,
        limit: u64,
    ) -> Result<Vec<Screening>, StoreError> {
        let query = screening::Entity::find().filter(condition(filter));
        let query = match filter.newest_first {
            true => query.order_by(screening::Column::Id, Order::Desc),
            false => query
                .order_by(screening::Column::StartsAt, Order::Asc)
                .order_by(screening::Column::Id, Order::Asc),
        };
        let rows = query.limit(limit).all(&self.transaction).await;
        rows.during("list screenings")?
            .into_iter()
            .map(rows::screening)
            .collect()
    }

    /// Where and when screenings of a cinema start from that time on, those taken out of the listings included.
    pub async fn starts_from(
        &self,
        cinema: &CinemaId,
        time: Timestamp,
    ) -> Result<HashSet<(i64, Timestamp)>, StoreError> {
        let rows = screening::Entity::find()
            .filter(screening::Column::Cinema.eq(cinema.0.as_str()))
            .filter(screening::Column::StartsAt.gte(micros(time)))
            .all(&self.transaction)
            .await
            .during("read when screenings start")?;
        let start = |row: screening::Model| Ok((row.hall, rows::timestamp(row.starts_at)?));
        rows.into_iter().map(start).collect()
    }

    /// One screening that is in the listings, by its number alone.
    pub async fn screening_numbered(&self, number: i64) -> Result<Option<Screening>, StoreError> {
        let row = screening::Entity::find_by_id(number)
            .filter(screening::Column::Deleted.eq(false))
            .one(&self.transaction)
            .await;
        row.during("read a screening")?
            .map(rows::screening)
            .transpose()
    }

    /// One screening that is in the listings.
    pub async fn screening(&self, id: &ScreeningId) -> Result<Option<Screening>, StoreError> {
        let found = self.screening_numbered(id.number).await?;
        Ok(found.filter(|screening| screening.id == *id))
    }

    /// What the seats of some screenings cost.
    pub async fn seat_prices(
        &self,
        screenings: &[i64],
    ) -> Result<HashMap<i64, Vec<SeatPrice>>, StoreError> {
        let rows = screening_price::Entity::find()
            .filter(screening_price::Column::Screening.is_in(screenings.iter().copied()))
            .order_by_asc(screening_price::Column::Category)
            .all(&self.transaction)
            .await;
        let mut prices: HashMap<i64, Vec<SeatPrice>> = HashMap::new();
        for row in rows.during("read seat prices")? {
            let price = SeatPrice {
                category: row.category,
                price_minor: row.price_minor,
            };
            prices.entry(row.screening).or_default().push(price);
        }
        Ok(prices)
    }

    /// The seats of some screenings that cannot be had; those of holds that have run out can.
    pub async fn taken_seats(
        &self,
        screenings: &[i64],
        now: Timestamp,
    ) -> Result<HashMap<i64, HashSet<PoolId>>, StoreError> {
        let mut values = vec![micros(now).into()];
        let numbers = numbered(&mut values, screenings.iter().copied());
        let sql = format!(
            "SELECT c.slot, c.pool FROM screenings x JOIN seats s ON s.hall = x.hall \
             JOIN cells c ON c.pool = s.pool AND c.slot = x.id \
             WHERE x.id IN ({numbers}) AND c.taken > 0 AND NOT EXISTS (\
                SELECT 1 FROM booking_items i JOIN bookings b ON b.id = i.booking \
                WHERE i.pool = c.pool AND i.slot = c.slot AND i.released_sequence IS NULL AND b.expires_at <= $1)"
        );
        let mut taken: HashMap<i64, HashSet<PoolId>> = HashMap::new();
        for row in self.select(&sql, values, "read taken seats").await? {
            let slot: i64 = row.try_get("", "slot").during("read taken seats")?;
            let pool: i64 = row.try_get("", "pool").during("read taken seats")?;
            taken.entry(slot).or_default().insert(PoolId(pool));
        }
        Ok(taken)
    }

    async fn last_number(&self, table: &'static str) -> Result<i64, StoreError> {
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
        };
        let done = hall::Entity::insert(row)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("add a hall")?;
        let rows = seats.iter().map(|it| seat::ActiveModel {
            pool: Set(it.pool.0),
            hall: Set(number),
            id: Set(it.id.0.clone()),
            idx: Set(it.index),
            row_label: Set(it.row.clone()),
            number: Set(it.number),
            x: Set(it.x),
            y: Set(it.y),
            category: Set(it.category.clone()),
            accessible: Set(it.accessible),
        });
        let done = seat::Entity::insert_many(rows)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("add seats")?;
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

    /// The number that the next screening gets.
    pub async fn next_screening_number(&self) -> Result<i64, StoreError> {
        Ok(self.last_number("screenings").await? + 1)
    }

    /// Adds screenings with what their seats cost.
    pub async fn insert_screenings(
        &self,
        screenings: &[(Screening, Vec<SeatPrice>)],
    ) -> Result<(), StoreError> {
        let rows = screenings.iter().map(|(it, _)| screening::ActiveModel {
            id: Set(it.id.number),
            cinema: Set(it.id.cinema.0.clone()),
            movie: Set(it.movie.0),
            hall: Set(it.hall),
            starts_at: Set(micros(it.starts_at)),
            ends_at: Set(micros(it.ends_at)),
            deleted: Set(false),
        });
        let done = screening::Entity::insert_many(rows)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("add screenings")?;
        let rows = screenings.iter().flat_map(|(it, prices)| {
            prices.iter().map(|price| screening_price::ActiveModel {
                screening: Set(it.id.number),
                category: Set(price.category.clone()),
                price_minor: Set(price.price_minor),
            })
        });
        let done = screening_price::Entity::insert_many(rows)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("price screenings").map(drop)
    }

    /// Takes screenings out of the listings.
    pub async fn remove_screenings(&self, numbers: &[i64]) -> Result<(), StoreError> {
        screening::Entity::update_many()
            .col_expr(screening::Column::Deleted, Expr::value(true))
            .filter(screening::Column::Id.is_in(numbers.iter().copied()))
            .exec(&self.transaction)
            .await
            .during("remove screenings")
            .map(drop)
    }
}

fn condition(filter: &ScreeningFilter) -> Condition {
    use screening::Column;
    Condition::all()
        .add(Column::Deleted.eq(false))
        .add_option(
            filter
                .cinema
                .as_ref()
                .map(|cinema| Column::Cinema.eq(cinema.0.as_str())),
        )
        .add_option(filter.movie.map(|movie| Column::Movie.eq(movie.0)))
        .add_option(
            filter
                .ends_after
                .map(|time| Column::EndsAt.gt(micros(time))),
        )
        .add_option(
            filter
                .starts_from
                .map(|time| Column::StartsAt.gte(micros(time))),
        )
        .add_option(
            filter
                .starts_before
                .map(|time| Column::StartsAt.lt(micros(time))),
        )
        .add_option(filter.after.map(|(time, number)| {
            let later = Column::StartsAt.gt(micros(time));
            let same = Column::StartsAt.eq(micros(time)).and(Column::Id.gt(number));
            later.or(same)
        }))
}
