//! Who to reach about bookings: replaced, erased on request, and erased when what they are for is long over.
//!
//! None of it is a decision about cells, and none of it enters the feed; it takes the commit head only so that nobody
//! confirms an old contact while it is erased. Whatever was answered before under a request id is answered again without
//! the contact that was erased: it is stored in one place only.
//!
//! Each change is a transaction of its own, so that many of them could keep those who buy from their turn. What can be
//! refused is refused without a turn; of those who remain one at a time stands in line for it, [`WAITING_MAX`] wait for
//! that, and more are turned away.

use std::{num::NonZeroU32, time::Duration};

use banyan_mesh::process::Process;
use jiff::SignedDuration;
use tokio::sync::{Mutex, MutexGuard, Semaphore, SemaphorePermit};
use tracing::{debug, warn};

use super::{
    InTurn, Inventory, Position,
    rejection::{Refusal, Rejection},
    sweeper::SWEEP_TIMEOUT,
};
use crate::{
    domain::{
        booking::{Booking, Contact},
        name::BookingId,
        refusal::{Denial, Reason},
        request::Principal,
    },
    store::{Session, StoredBooking, Write},
};

const BOOKING: &str = "reservation.banyan/Booking";
/// Changes of contacts that wait for their turn; more are turned away.
const WAITING_MAX: usize = 100;
/// A change is given up after this long, but never while it is being committed: up to then nothing has been done.
const CHANGE_TIMEOUT: Duration = Duration::from_secs(10);
/// Contacts looked at in one step of a pass.
const STEP_MAX: u64 = 500;
/// Between the steps of a pass, so that those who buy get their turn.
const PAUSE: Duration = Duration::from_millis(100);
/// From one pass to the next.
const INTERVAL: Duration = Duration::from_secs(3_600);

/// Those who want to change contacts.
#[derive(Debug)]
pub(super) struct Line {
    places: Semaphore,
    /// Whose turn is next: between two of them everybody else gets theirs.
    first: Mutex<()>,
}

impl Default for Line {
    fn default() -> Self {
        Self {
            places: Semaphore::new(WAITING_MAX),
            first: Mutex::default(),
        }
    }
}

/// The turn of a change; given back before the next one may ask for it.
struct ContactTurn<'a> {
    _turn: MutexGuard<'a, InTurn>,
    _first: MutexGuard<'a, ()>,
    _place: SemaphorePermit<'a>,
}

impl Inventory {
    /// Replaces the contact of one of that principal's bookings; the booking with it, and where.
    ///
    /// # Errors
    /// If the booking is not there, has changed since, or its contact was erased.
    pub async fn update_contact(
        &self,
        principal: &Principal,
        id: BookingId,
        etag: Option<&str>,
        contact: Contact,
    ) -> Result<(StoredBooking, Position), Rejection> {
        let session = self.store().read().await?;
        replaceable(&session, id, principal, etag).await?;
        drop(session);
        let _turn = self.contact_turn().await?;
        let changing = async {
            let write = self.write().await?;
            let booking = replaceable(&write, id, principal, etag).await?;
            write.replace_contact(id, &contact).await?;
            Ok((write, booking))
        };
        let (write, booking) = in_time(CHANGE_TIMEOUT, changing).await?;
        let position = self.commit_contacts(write).await?;
        let replaced = StoredBooking {
            booking,
            contact: Some(contact),
        };
        Ok((replaced, position))
    }

    /// Erases the contact of a booking for ever: of that principal's, or of anybody's. Where that was so.
    ///
    /// # Errors
    /// If the booking is not there.
    pub async fn erase_contact(
        &self,
        principal: Option<&Principal>,
        id: BookingId,
    ) -> Result<Position, Rejection> {
        let session = self.store().read().await?;
        existing(&session, id, principal).await?;
        if session.contact_erased(id).await? {
            return Ok(Position::from(&session.head().await?));
        }
        drop(session);
        let _turn = self.contact_turn().await?;
        let erasing = async {
            let write = self.write().await?;
            existing(&write, id, principal).await?;
            write.erase_contacts(&[id]).await?;
            Ok(write)
        };
        let write = in_time(CHANGE_TIMEOUT, erasing).await?;
        self.commit_contacts(write).await
    }

    /// Makes it durable; the order of commits stays as it is.
    async fn commit_contacts(&self, write: Write) -> Result<Position, Rejection> {
        let head = write.head().clone();
        let position = Position::from(&head);
        self.commit(write, head).await?;
        Ok(position)
    }

    /// Waits for the turn to change one contact, unless too many do.
    async fn contact_turn(&self) -> Result<ContactTurn<'_>, Rejection> {
        let Line { places, first } = &self.shared.contacts;
        let Ok(place) = places.try_acquire() else {
            self.shared.metrics.decided(&Err(Rejection::Crowded));
            return Err(Rejection::Crowded);
        };
        let first = first.lock().await;
        Ok(ContactTurn {
            _turn: self.shared.turn().await,
            _first: first,
            _place: place,
        })
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
                match inventory.forget_contacts(days, after, SWEEP_TIMEOUT).await {
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

    /// One step of a pass over all contacts, after that booking's; where the next one begins, if there is more. Given up
    /// after so long: a database that does not answer must not keep the turn for ever.
    pub(super) async fn forget_contacts(
        &self,
        days: NonZeroU32,
        after: Option<BookingId>,
        limit: Duration,
    ) -> Result<Option<BookingId>, Rejection> {
        in_time(limit, self.step(days, after)).await
    }

    async fn step(
        &self,
        days: NonZeroU32,
        after: Option<BookingId>,
    ) -> Result<Option<BookingId>, Rejection> {
        let kept = SignedDuration::from_hours(24 * i64::from(days.get()));
        let contacts = {
            let session = self.store().read().await?;
            let now = self.shared.time.forgets_at(&session).await?;
            let before = now.saturating_sub(kept).unwrap_or(jiff::Timestamp::MIN);
            session.contacts_after(after, before, STEP_MAX).await?
        };
        let over = contacts.iter().filter(|it| it.is_over);
        let over: Vec<_> = over.map(|it| it.booking).collect();
        if !over.is_empty() {
            let _turn = self.shared.turn().await;
            let write = self.write().await?;
            let erased = write.erase_contacts(&over).await?;
            self.commit_contacts(write).await?;
            debug!(erased, "Erased old contacts");
        }
        Ok(contacts.last().map(|it| it.booking))
    }
}

async fn in_time<T>(
    limit: Duration,
    changing: impl Future<Output = Result<T, Rejection>>,
) -> Result<T, Rejection> {
    let changed = tokio::time::timeout(limit, changing).await;
    changed.unwrap_or(Err(Rejection::TimedOut))
}

async fn existing(
    session: &Session,
    id: BookingId,
    principal: Option<&Principal>,
) -> Result<Booking, Rejection> {
    let found = session.booking(id).await?;
    let is_own = |it: &Booking| principal.is_none_or(|principal| it.principal == *principal);
    if let Some(booking) = found.filter(is_own) {
        return Ok(booking);
    }
    let head = session.head().await?;
    Err(Rejection::not_found(BOOKING, id).at(Position::from(&head)))
}

/// The booking, if its contact may be replaced.
async fn replaceable(
    session: &Session,
    id: BookingId,
    principal: &Principal,
    etag: Option<&str>,
) -> Result<Booking, Rejection> {
    let booking = existing(session, id, Some(principal)).await?;
    if let Err(denial) = booking.unchanged_since(etag) {
        return Err(refused(session, denial).await?);
    }
    if session.contact_erased(id).await? {
        let message = format!("the contact of {id} was erased");
        let denial = Denial::new(Reason::BookingState, message);
        return Err(refused(session, denial).await?);
    }
    Ok(booking)
}

async fn refused(session: &Session, denial: Denial) -> Result<Rejection, Rejection> {
    Ok(Rejection::Refused(Refusal {
        reason: denial.reason,
        message: denial.message,
        unmet: Vec::new(),
        details: Vec::new(),
        position: Position::from(&session.head().await?),
    }))
}

#[cfg(test)]
mod tests;
