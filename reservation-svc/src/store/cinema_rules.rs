//! What operators set of cinemas: rules of halls, prices of screenings, and policies of venues of either kind.

use std::collections::HashSet;

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use super::{
    Session, StoreError, Write,
    entity::{hall, screening_price},
    error::During,
    rows::{self, micros},
};
use crate::domain::{
    catalogue::{Hall, Screening, SeatPrice},
    name::HallId,
};

impl Session {
    /// One hall.
    pub async fn hall(&self, id: &HallId) -> Result<Option<Hall>, StoreError> {
        let row = hall::Entity::find_by_id(id.number)
            .filter(hall::Column::Cinema.eq(id.cinema.0.as_str()))
            .one(&self.transaction)
            .await;
        Ok(row.during("read a hall")?.map(rows::hall))
    }

    /// Whether the hall of a screening shows something else at that time.
    pub async fn hall_is_busy(&self, during: &Screening) -> Result<bool, StoreError> {
        // By cinema, for the index; a screening is at most a day long.
        let sql = "SELECT 1 AS busy FROM screenings WHERE cinema = $1 AND starts_at < $2 AND ends_at > $3 \
                   AND starts_at > $3 - 86400000000 AND hall = $4 AND NOT deleted LIMIT 1";
        let values = vec![
            during.id.cinema.0.as_str().into(),
            micros(during.ends_at).into(),
            micros(during.starts_at).into(),
            during.hall.into(),
        ];
        let rows = self
            .select(sql, values, "look for other screenings")
            .await?;
        Ok(!rows.is_empty())
    }
}

impl Session {
    /// Those of these halls where no single seat may be left.
    pub(crate) async fn halls_without_single_seats(
        &self,
        halls: &[i64],
    ) -> Result<HashSet<i64>, StoreError> {
        if halls.is_empty() {
            return Ok(HashSet::new());
        }
        let rows = hall::Entity::find()
            .filter(hall::Column::Id.is_in(halls.iter().copied()))
            .filter(hall::Column::NoSingleSeats.eq(true))
            .all(&self.transaction)
            .await;
        let rows = rows.during("read the rules of halls")?.into_iter();
        Ok(rows.map(|row| row.id).collect())
    }
}

impl Write {
    /// Sets the rules of a hall.
    pub async fn update_hall(&self, it: &Hall) -> Result<(), StoreError> {
        let row = hall::ActiveModel {
            no_single_seats: Set(it.no_single_seats),
            ..Default::default()
        };
        hall::Entity::update_many()
            .set(row)
            .filter(hall::Column::Id.eq(it.number))
            .exec(&self.transaction)
            .await
            .during("set the rules of a hall")
            .map(drop)
    }

    /// Sets all prices of a screening.
    pub async fn replace_prices(
        &self,
        screening: i64,
        prices: &[SeatPrice],
    ) -> Result<(), StoreError> {
        screening_price::Entity::delete_many()
            .filter(screening_price::Column::Screening.eq(screening))
            .exec(&self.transaction)
            .await
            .during("take prices away")?;
        if prices.is_empty() {
            return Ok(());
        }
        let rows = prices.iter().map(|price| screening_price::ActiveModel {
            screening: Set(screening),
            category: Set(price.category.clone()),
            price_minor: Set(price.price_minor),
        });
        let done = screening_price::Entity::insert_many(rows)
            .exec_without_returning(&self.transaction)
            .await;
        done.during("price a screening").map(drop)
    }
}
