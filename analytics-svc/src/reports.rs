//! The reports: sums from the store, put together by the domain's definitions, with their freshness.
//!
//! A report reads this service's own facts and nothing else, so it answers while reservations are away. `None` means
//! that the feed has not spoken of the thing; whether it exists is not for analytics to say.

use crate::{
    domain::{
        batch::Cursor,
        metrics::{LoadFactor, Occupancy},
        name::{HotelName, Night, ScreeningName},
    },
    store::{FeeFigures, Store, StoreError},
};

/// Answers reports.
#[derive(Clone)]
pub struct Reports {
    store: Store,
}

/// A report and how fresh it is.
#[derive(Debug, Clone, PartialEq)]
pub struct Fresh<T> {
    /// The report.
    pub report: T,
    /// How far the feed had been applied.
    pub cursor: Cursor,
}

impl Reports {
    /// Reports from `store`.
    #[must_use]
    pub fn new(store: Store) -> Self {
        Self { store }
    }

    /// How full a hotel is on each night from `start` to before `end`.
    pub async fn occupancy(
        &self,
        hotel: &HotelName,
        start: Night,
        end: Night,
    ) -> Result<Option<Fresh<Occupancy>>, StoreError> {
        let figures = self.store.hotel_figures(hotel, start, end).await?;
        Ok(figures.map(|figures| Fresh {
            report: Occupancy::of(
                start.until(end),
                figures.capacity,
                &figures.currency_code,
                &figures.claims,
                &figures.denied,
            ),
            cursor: figures.cursor,
        }))
    }

    /// What cancelling bookings of a venue has cost.
    pub async fn cancellation_fees(&self, venue: &str) -> Result<Fresh<FeeFigures>, StoreError> {
        let report = self.store.fee_figures(venue).await?;
        Ok(Fresh {
            cursor: report.cursor.clone(),
            report,
        })
    }

    /// How full a screening is.
    pub async fn load_factor(
        &self,
        screening: &ScreeningName,
    ) -> Result<Option<Fresh<LoadFactor>>, StoreError> {
        let figures = self.store.screening_figures(screening).await?;
        Ok(figures.map(|figures| Fresh {
            report: LoadFactor::of(figures.capacity, &figures.claims, figures.denied),
            cursor: figures.cursor,
        }))
    }
}
