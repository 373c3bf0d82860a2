//! What goes with a sale, beside the cells: which seats where they are to be chosen, the price that was shown, who comes,
//! what cancelling costs.

use std::collections::HashMap;

use super::{catalogue_cache::Showing, ledger::Ledger, rejection::Rejection, stop::Stop};
use crate::domain::{
    cancellation::{self, Terms},
    catalogue::Seat,
    cell::{CellKey, Slot},
    claim::{Ask, BestSeats, Claim, SeatSelection},
    money::Money,
    name::Venue,
    offer,
    refusal::{Denial, Reason},
    restriction,
    sale::{self, Party},
};

/// What exactly is claimed. `own` is what the same booking has and gives back.
pub(super) fn choose(
    ledger: &Ledger,
    ask: &Ask,
    own: &HashMap<CellKey, i64>,
) -> Result<Claim, Stop> {
    let BestSeats { screening, wish } = match ask {
        Ask::Claim(claim) => return Ok(claim.clone()),
        Ask::Best(best) => best,
    };
    let unknown = || Rejection::not_found("reservation.banyan/Screening", screening);
    let showing = ledger.catalogue.showing(screening).ok_or_else(unknown)?;
    if showing.screening.started(ledger.now) {
        let message = format!("{screening} has started");
        return Err(Denial::new(Reason::ScreeningStarted, message).into());
    }
    let free = vacancy(ledger, showing, own);
    let hall = &showing.hall;
    let seats = hall
        .plan()
        .best(screening, wish, hall.no_single_seats, free)?;
    Ok(Claim::Seats(SeatSelection {
        screening: screening.clone(),
        seats,
    }))
}

/// Refuses a stay that breaks a restriction of its room type.
pub(super) fn unrestricted(ledger: &Ledger, claim: &Claim) -> Result<(), Denial> {
    let Claim::Stay(stay) = claim else {
        return Ok(());
    };
    let sold = ledger.catalogue.room_type(&stay.room_type);
    let hotel = ledger.catalogue.hotel(&stay.room_type.hotel);
    match (sold, hotel) {
        (Some(sold), Some(hotel)) => {
            let pool = sold.room_type.pool;
            restriction::check(stay, pool, &sold.restrictions, ledger.now, &hotel.zone)
        }
        _ => Ok(()),
    }
}

/// Refuses seats that leave a single one where the hall does not allow that. They must be free.
pub(super) fn seated(
    ledger: &Ledger,
    claim: &Claim,
    own: &HashMap<CellKey, i64>,
) -> Result<(), Denial> {
    let Claim::Seats(selection) = claim else {
        return Ok(());
    };
    match ledger.catalogue.showing(&selection.screening) {
        Some(showing) if showing.hall.no_single_seats => {
            let free = vacancy(ledger, showing, own);
            let plan = showing.hall.plan();
            plan.no_single_seat(&selection.screening, &selection.seats, free)
        }
        _ => Ok(()),
    }
}

/// Whether a seat of a screening can be had: it is sold, and free or given back.
fn vacancy<'a>(
    ledger: &'a Ledger,
    showing: &'a Showing,
    own: &'a HashMap<CellKey, i64>,
) -> impl Fn(&Seat) -> bool + 'a {
    let slot = Slot(showing.screening.id.number);
    move |seat| {
        let key = CellKey {
            pool: seat.pool,
            slot,
        };
        let is_sold = offer::price_of(&showing.prices, &seat.category).is_some();
        let is_free = || ledger.cells.get(key).is_some_and(|cell| cell.free() > 0);
        is_sold && (own.contains_key(&key) || is_free())
    }
}

/// Refuses another total than the caller was shown.
pub(super) fn expected(total: Money, shown: Option<Money>) -> Result<(), Stop> {
    let shown = shown
        .map(|amount| sale::in_currency("expected_total_price", amount, total))
        .transpose()
        .map_err(Rejection::invalid)?;
    Ok(sale::as_expected(total, shown)?)
}

/// Refuses more people than the rooms of a stay take.
pub(super) fn fits(ledger: &Ledger, claim: &Claim, party: Option<Party>) -> Result<(), Denial> {
    let (Claim::Stay(stay), Some(party)) = (claim, party) else {
        return Ok(());
    };
    match ledger.catalogue.room_type(&stay.room_type) {
        Some(sold) => party.fits(stay.rooms, sold.room_type.guests_max),
        None => Ok(()),
    }
}

/// What cancelling a claim at that venue costs that is sold now.
pub(super) fn cancellation(ledger: &Ledger, claim: &Claim, venue: &Venue) -> Terms {
    let Some(policy) = ledger.catalogue.policy(venue) else {
        return Terms::default();
    };
    let begins_at = match claim {
        Claim::Stay(stay) => {
            let hotel = ledger.catalogue.hotel(&stay.room_type.hotel);
            hotel.map(|it| cancellation::stay_begins(stay.nights.check_in(), &it.zone))
        }
        Claim::Seats(selection) => {
            let showing = ledger.catalogue.showing(&selection.screening);
            showing.map(|it| it.screening.starts_at)
        }
    };
    begins_at.map_or(Terms::default(), |begins_at| policy.terms(begins_at))
}
