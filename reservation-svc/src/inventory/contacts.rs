//! Who to reach about bookings: replaced, erased on request, and erased when what they are for is long over.
//!
//! None of it is a decision about cells, and none of it enters the feed; it takes the commit head only so that nobody
//! confirms an old contact while it is erased. Whatever was answered before under a request id is answered again without
//! the contact that was erased: it is stored in one place only.

use std::{num::NonZeroU32, time::Duration};

use banyan_mesh::process::Process;
use jiff::SignedDuration;
use tracing::{debug, warn};

use super::{
    Inventory, Position,
    rejection::{Refusal, Rejection},
};
use crate::{
    domain::{
        booking::{Booking, Contact},
        name::BookingId,
        refusal::{Denial, Reason},
        request::Principal,
    },
    store::{StoredBooking, Write},
};

const BOOKING: &str = "reservation.banyan/Booking";
/// Contacts looked at in one step of a pass.
const STEP_MAX: u64 = 500;
/// Between the steps of a pass, so that those who buy get their turn.
const PAUSE: Duration = Duration::from_millis(100);
/// From one pass to the next.
const INTERVAL: Duration = Duration::from_secs(3_600);

impl Inventory {
    /// Replaces the contact of one of that principal's bookings.
    ///
    /// # Errors
    /// If the booking is not there, has changed since, or its contact was erased.
    pub async fn update_contact(
        &self,
        principal: &Principal,
        id: BookingId,
        etag: Option<&str>,
        contact: Contact,
    ) -> Result<StoredBooking, Rejection> {
        let _turn = self.shared.turn().await;
        let write = self.store().write().await?;
        let booking = existing(&write, id, Some(principal)).await?;
        if let Err(denial) = booking.unchanged_since(etag) {
            return Err(refused(&write, denial));
        }
        if write.contact_erased(id).await? {
            let message = format!("the contact of {id} was erased");
            let denial = Denial::new(Reason::BookingState, message);
            return Err(refused(&write, denial));
        }
        write.replace_contact(id, &contact).await?;
        let head = write.head().clone();
        write.commit(&head).await?;
        Ok(StoredBooking {
            booking,
            contact: Some(contact),
        })
    }

    /// Erases the contact of a booking for ever: of that principal's, or of anybody's.
    ///
    /// # Errors
    /// If the booking is not there.
    pub async fn erase_contact(
        &self,
        principal: Option<&Principal>,
        id: BookingId,
    ) -> Result<(), Rejection> {
        let _turn = self.shared.turn().await;
        let write = self.store().write().await?;
        existing(&write, id, principal).await?;
        write.erase_contacts(&[id]).await?;
        let head = write.head().clone();
        write.commit(&head).await?;
        Ok(())
    }

    /// Erases contacts so many days after what they are for has ended, until the process ends.
    pub(crate) fn forget_contacts_in_background(&self, days: NonZeroU32, process: &Process) {
        let inventory = self.clone();
        let shutdown = process.shutdown().clone();
        process.spawn("contact eraser", async move {
            let mut after = None;
            let mut wait = Duration::ZERO;
            while shutdown
                .run_until_cancelled(tokio::time::sleep(wait))
                .await
                .is_some()
            {
                match inventory.forget_contacts(days, after).await {
                    Ok(next) => {
                        wait = if next.is_some() { PAUSE } else { INTERVAL };
                        after = next;
                    }
                    Err(Rejection::Store(error)) if error.is_transient() => wait = INTERVAL,
                    Err(error) => {
                        let error = &error as &dyn std::error::Error;
                        warn!(error, "Old contacts not erased");
                        wait = INTERVAL;
                    }
                }
            }
            Ok(())
        });
    }

    /// One step of a pass over all contacts, after that booking's; where the next one begins, if there is more.
    pub(super) async fn forget_contacts(
        &self,
        days: NonZeroU32,
        after: Option<BookingId>,
    ) -> Result<Option<BookingId>, Rejection> {
        let kept = SignedDuration::from_hours(24 * i64::from(days.get()));
        let before = self
            .now()
            .saturating_sub(kept)
            .unwrap_or(jiff::Timestamp::MIN);
        let contacts = {
            let session = self.store().read().await?;
            session.contacts_after(after, before, STEP_MAX).await?
        };
        let over = contacts.iter().filter(|it| it.is_over);
        let over: Vec<_> = over.map(|it| it.booking).collect();
        if !over.is_empty() {
            let _turn = self.shared.turn().await;
            let write = self.store().write().await?;
            let erased = write.erase_contacts(&over).await?;
            let head = write.head().clone();
            write.commit(&head).await?;
            debug!(erased, "Erased old contacts");
        }
        Ok(contacts.last().map(|it| it.booking))
    }
}

async fn existing(
    write: &Write,
    id: BookingId,
    principal: Option<&Principal>,
) -> Result<Booking, Rejection> {
    let found = write.booking(id).await?;
    let is_own = |it: &Booking| principal.is_none_or(|principal| it.principal == *principal);
    let found = found.filter(is_own);
    found.ok_or_else(|| Rejection::not_found(BOOKING, id))
}

fn refused(write: &Write, denial: Denial) -> Rejection {
    Rejection::Refused(Refusal {
        reason: denial.reason,
        message: denial.message,
        unmet: Vec::new(),
        details: Vec::new(),
        position: Position {
            incarnation: write.head().incarnation.clone(),
            sequence: write.head().sequence,
        },
    })
}

#[cfg(test)]
mod tests {
    use banyan_mesh::testing::TestDatabase;
    use jiff::SignedDuration;

    use super::*;
    use crate::inventory::{
        Action,
        testing::{Rig, hold},
    };

    const DAYS: NonZeroU32 = NonZeroU32::new(30).unwrap();

    async fn booked(rig: &Rig) -> BookingId {
        let mut command = hold("banyan-suite", 1);
        if let Action::Hold(hold) = &mut command.action {
            hold.contact = Some(Contact::parse("Ada", "", "").unwrap());
        }
        let outcome = rig.inventory.submit(command).await.unwrap();
        BookingId::parse(&outcome.booking.name).unwrap()
    }

    async fn has_contact(rig: &Rig, id: BookingId) -> bool {
        let session = rig.inventory.store().read().await.unwrap();
        session.contact(id).await.unwrap().is_some()
    }

    #[tokio::test]
    async fn contacts_are_erased_so_many_days_after_the_stay() {
        for database in TestDatabase::each() {
            let rig = Rig::start(database).await;
            let ids = [booked(&rig).await, booked(&rig).await];
            // The stay ends on 3 December; it is noon of 20 November.
            for (days, kept) in [(13 + 30, true), (2, false)] {
                rig.advance(SignedDuration::from_hours(24 * days));
                let mut after = None;
                while let Some(next) = rig.inventory.forget_contacts(DAYS, after).await.unwrap() {
                    after = Some(next);
                }
                for id in ids {
                    assert_eq!(has_contact(&rig, id).await, kept, "{days}");
                }
            }
            let session = rig.inventory.store().read().await.unwrap();
            assert!(session.contact_erased(ids[0]).await.unwrap());
        }
    }
}
