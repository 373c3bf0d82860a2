//! Makes a hold final, and remembers its payment; one that came too late, too.

use jiff::civil::Date;

use super::super::{command::Outcome, ledger::Ledger, stop::Stop};
use crate::domain::{
    booking::State,
    name::BookingId,
    payment::{self, Confirmation, Payment, Reference},
    request::Principal,
};

pub(super) fn decide(
    ledger: &mut Ledger,
    principal: &Principal,
    id: BookingId,
    etag: Option<&str>,
    reference: Option<&Reference>,
) -> Result<Outcome, Stop> {
    let booking = &ledger.own(principal, id)?.booking;
    // Venues do not go away; where one had, its stays could be confirmed for ever.
    let today = ledger.today(&booking.venue).unwrap_or(Date::MIN);
    match payment::confirm(booking, ledger.now, today, etag, reference)? {
        Confirmation::Confirm(paid) => {
            let previous = ledger.enter(id, State::Confirmed);
            pay(ledger, id, paid);
            ledger.changed(id, previous)
        }
        Confirmation::Pay(paid) => {
            let previous = pay(ledger, id, paid);
            ledger.changed(id, previous)
        }
        Confirmation::Repeat => ledger.as_it_is(id),
        Confirmation::Owe(owed, denial) => {
            super::expire::end(ledger, id);
            let previous = pay(ledger, id, owed);
            ledger.tell(id, previous);
            Err(denial.into())
        }
    }
}

fn pay(ledger: &mut Ledger, id: BookingId, payment: Payment) -> Option<State> {
    ledger.change(id, |booking| booking.agreement.payment = payment)
}
