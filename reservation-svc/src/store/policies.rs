//! What cancelling costs at a venue. A venue without a row: nothing.

use std::collections::HashMap;

use sea_orm::{ActiveValue::Set, ColumnTrait, EntityTrait, QueryFilter};

use super::{Session, StoreError, Write, entity::cancellation_policy, error::During};
use crate::domain::{
    cancellation::{Fee, Policy},
    name::Venue,
};

impl Session {
    /// The policies of those of these venues that have one.
    pub(crate) async fn policies_of(
        &self,
        venues: &[Venue],
    ) -> Result<HashMap<Venue, Policy>, StoreError> {
        if venues.is_empty() {
            return Ok(HashMap::new());
        }
        let names: HashMap<String, &Venue> = venues.iter().map(|it| (it.to_string(), it)).collect();
        let rows = cancellation_policy::Entity::find()
            .filter(cancellation_policy::Column::Venue.is_in(names.keys().cloned()))
            .all(&self.transaction)
            .await;
        let rows = rows.during("read cancellation policies")?.into_iter();
        let policy = |row: cancellation_policy::Model| {
            let venue = names.get(&row.venue)?;
            let fee = match (row.fee_percent, row.fee_nights) {
                (Some(percent), _) => Fee::Percent(percent),
                (None, Some(nights)) => Fee::Nights(nights),
                (None, None) => Fee::None,
            };
            let policy = Policy {
                free_until_hours: row.free_until_hours,
                fee,
            };
            Some(((*venue).clone(), policy))
        };
        Ok(rows.filter_map(policy).collect())
    }
}

impl Write {
    /// Sets the policy of a venue; without one cancelling is free.
    pub(crate) async fn replace_policy(
        &self,
        venue: &Venue,
        policy: Option<Policy>,
    ) -> Result<(), StoreError> {
        const DURING: &str = "set a cancellation policy";
        cancellation_policy::Entity::delete_by_id(venue.to_string())
            .exec(&self.transaction)
            .await
            .during(DURING)?;
        let Some(policy) = policy else { return Ok(()) };
        let (fee_percent, fee_nights) = match policy.fee {
            Fee::None => (None, None),
            Fee::Percent(percent) => (Some(percent), None),
            Fee::Nights(nights) => (None, Some(nights)),
        };
        let row = cancellation_policy::ActiveModel {
            venue: Set(venue.to_string()),
            free_until_hours: Set(policy.free_until_hours),
            fee_percent: Set(fee_percent),
            fee_nights: Set(fee_nights),
        };
        let insert = cancellation_policy::Entity::insert(row);
        let done = insert.exec_without_returning(&self.transaction).await;
        done.during(DURING).map(drop)
    }
}
