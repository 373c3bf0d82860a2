//! What cancelling costs at a venue for bookings that are made from now on.

use super::{Inventory, Position, rejection::Rejection};
use crate::{
    domain::{cancellation::Policy, name::Venue},
    store::Write,
};

impl Inventory {
    /// Sets it; without a policy cancelling is free. Where that was so.
    ///
    /// # Errors
    /// If the venue is not there.
    pub async fn set_cancellation_policy(
        &self,
        venue: &Venue,
        policy: Option<Policy>,
    ) -> Result<Position, Rejection> {
        let turn = self.turn().await?;
        let replaced = replace(&turn.commit.write, venue, policy).await;
        let ((), position) = turn.end(replaced).await?;
        Ok(position)
    }
}

async fn replace(write: &Write, venue: &Venue, policy: Option<Policy>) -> Result<(), Rejection> {
    match venue {
        Venue::Hotel(id) => {
            let found = write.hotel(id).await?;
            found.ok_or_else(|| Rejection::not_found("reservation.banyan/Hotel", id))?;
        }
        Venue::Cinema(id) => {
            let found = write.cinema(id).await?;
            found.ok_or_else(|| Rejection::not_found("reservation.banyan/Cinema", id))?;
        }
    }
    Ok(write.replace_policy(venue, policy).await?)
}
