//! What a batch reads.

use std::collections::HashMap;

use jiff::Timestamp;

use super::AnswerKey;
use crate::{
    domain::{
        booking::{Booking, Contact, Item},
        cell::{Block, Cell, CellKey},
        name::BookingId,
    },
    store::{StoreError, StoredAnswer, Write},
};

impl Write {
    /// The answers given to those requests before.
    pub(crate) async fn answers_to(
        &self,
        keys: &[AnswerKey],
    ) -> Result<HashMap<AnswerKey, StoredAnswer>, StoreError> {
        let mut found = HashMap::new();
        for key in keys {
            let answer = self.answer_to(&key.principal, &key.method, &key.id).await?;
            if let Some(answer) = answer {
                found.insert(key.clone(), answer);
            }
        }
        Ok(found)
    }

    /// Some bookings, those that exist.
    pub(crate) async fn bookings_of(
        &self,
        ids: &[BookingId],
    ) -> Result<HashMap<BookingId, Booking>, StoreError> {
        let mut found = HashMap::new();
        for id in ids {
            if let Some(booking) = self.booking(*id).await? {
                found.insert(*id, booking);
            }
        }
        Ok(found)
    }

    /// What some bookings still count in cells, in the order asked for.
    pub(crate) async fn items_of(
        &self,
        ids: &[BookingId],
    ) -> Result<HashMap<BookingId, Vec<Item>>, StoreError> {
        let mut found = HashMap::new();
        for (id, booking) in self.bookings_of(ids).await? {
            found.insert(id, self.items(&booking).await?);
        }
        Ok(found)
    }

    /// Who to reach about some bookings, where anybody.
    pub(crate) async fn contacts_of(
        &self,
        ids: &[BookingId],
    ) -> Result<HashMap<BookingId, Contact>, StoreError> {
        let mut found = HashMap::new();
        for id in ids {
            if let Some(contact) = self.contact(*id).await? {
                found.insert(*id, contact);
            }
        }
        Ok(found)
    }

    /// Some cells, those that were ever touched.
    pub(crate) async fn cells_of(
        &self,
        keys: &[CellKey],
    ) -> Result<HashMap<CellKey, Cell>, StoreError> {
        let mut found = HashMap::new();
        for key in keys {
            found.extend(self.cells(&block(*key)).await?);
        }
        Ok(found)
    }

    /// Holds that have run out and still count in any of those cells.
    pub(crate) async fn lapsed_on(
        &self,
        keys: &[CellKey],
        now: Timestamp,
        limit: u64,
    ) -> Result<Vec<BookingId>, StoreError> {
        let mut found = Vec::new();
        for key in keys {
            for id in self.lapsed_holds(&block(*key), now).await? {
                if !found.contains(&id) {
                    found.push(id);
                }
            }
        }
        found.truncate(usize::try_from(limit).unwrap_or(usize::MAX));
        Ok(found)
    }
}

fn block(key: CellKey) -> Block {
    Block {
        pools: vec![key.pool],
        slots: key.slot..key.slot.next(),
    }
}
