//! Screenings: what is shown where and when, what its seats cost and which of them are taken.

use std::collections::{HashMap, HashSet};

use jiff::Timestamp;
use sea_orm::{
    ActiveValue::Set, ColumnTrait, Condition, EntityTrait, ExprTrait, Order, QueryFilter,
    QueryOrder, QuerySelect, sea_query::Expr,
};

use super::{
    Session, StoreError, Write,
    cells::numbered,
    entity::{screening, screening_price},
    error::During,
    rows::{self, micros},
};
use crate::domain::{
    catalogue::{Screening, SeatPrice},
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
    /// The movies with a screening in that cinema that starts at that time or later.
    pub async fn movies_shown_from(
        &self,
        cinema: &CinemaId,
        time: Timestamp,
    ) -> Result<HashSet<MovieId>, StoreError> {
        let rows = screening::Entity::find()
            .select_only()
            .column(screening::Column::Movie)
            .distinct()
            .filter(screening::Column::Cinema.eq(cinema.0.as_str()))
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

    /// Some screenings, those that are in the listings.
    pub async fn screenings_of(
        &self,
        ids: &[ScreeningId],
    ) -> Result<HashMap<ScreeningId, Screening>, StoreError> {
        if ids.is_empty() {
            return Ok(HashMap::new());
        }
        let rows = screening::Entity::find()
            .filter(screening::Column::Id.is_in(ids.iter().map(|id| id.number)))
            .filter(screening::Column::Deleted.eq(false))
            .all(&self.transaction)
            .await
            .during("read screenings")?;
        let wanted: HashSet<_> = ids.iter().collect();
        let mut found = HashMap::with_capacity(rows.len());
        for row in rows {
            let screening = rows::screening(row)?;
            if wanted.contains(&screening.id) {
                found.insert(screening.id.clone(), screening);
            }
        }
        Ok(found)
    }

    /// What the seats of some screenings cost.
    pub async fn seat_prices(
        &self,
        screenings: &[i64],
    ) -> Result<HashMap<i64, Vec<SeatPrice>>, StoreError> {
        if screenings.is_empty() {
            return Ok(HashMap::new());
        }
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
}

impl Write {
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
        let rows: Vec<_> = screenings.iter().flat_map(price_rows).collect();
        if rows.is_empty() {
            return Ok(());
        }
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

fn price_rows((it, prices): &(Screening, Vec<SeatPrice>)) -> Vec<screening_price::ActiveModel> {
    let row = |price: &SeatPrice| screening_price::ActiveModel {
        screening: Set(it.id.number),
        category: Set(price.category.clone()),
        price_minor: Set(price.price_minor),
    };
    prices.iter().map(row).collect()
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
