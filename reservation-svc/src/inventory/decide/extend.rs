//! Lets a hold run out later.

use jiff::SignedDuration;

use super::super::{clock, command::Outcome, ledger::Ledger, stop::Stop};
use crate::domain::{name::BookingId, request::Principal, sale};

pub(super) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    id: BookingId,
    etag: Option<&str>,
    by: SignedDuration,
) -> Result<Outcome, Stop> {
    let booking = &ledger.own(principal, id)?.booking;
    booking.extendable(ledger.now, etag)?;
    super::ahead(ledger, booking, "extended")?;
    let expires_at = booking.expires_at.unwrap_or(ledger.now);
    let expires_at = clock::stored(sale::extended(booking.created_at, expires_at, by)?);

    let previous = ledger.change(id, |booking| booking.expires_at = Some(expires_at));
    ledger.changed(id, previous)
}
