//! What the database holds at the end against what the feed says it must, and whether it adds up.

use std::collections::{HashMap, HashSet};

use super::{
    model::Model,
    requests::{Decided, Decision, Requests},
};
use crate::{
    record::{Booking, Claim, FinalState, History, State},
    report::{Kind, Report},
};

/// Checks the final state against the model at the end of the replay.
pub(super) fn check<'a>(history: &'a History, model: &Model<'a>, report: &mut Report) {
    let Some(end) = &history.end else {
        return unread(report);
    };
    let mut kept: HashMap<&str, &Booking> = HashMap::with_capacity(end.bookings.len());
    for it in &end.bookings {
        if kept.insert(&it.booking.booking, &it.booking).is_some() {
            report.violation(Kind::Conservation, None, &[], || {
                format!("The database has {} twice at the end.", it.booking.booking)
            });
        }
    }
    let mut items = Items::default();
    for (number, known) in model.all() {
        let name = model.booking_names.name(number);
        let Some(booking) = kept.remove(name) else {
            report.violation(Kind::Lost, None, &[], || {
                format!("{name} was {:?} by the last event about it, and the database does not have it.", known.state)
            });
            continue;
        };
        let mut claims: Vec<_> = booking
            .claims
            .iter()
            .map(|it| (model.cell_names.find(&it.cell), i64::from(it.quantity)))
            .collect();
        claims.sort_unstable();
        let known_claims = known.claims.iter().map(|it| (Some(it.0), it.1));
        // Whoever looks sees a lapsed hold as EXPIRED before it is one; it may then show its cells or not.
        let lapsed = known.state == State::Held && booking.state == State::Expired;
        let same_claims = claims.iter().copied().eq(known_claims) || lapsed && claims.is_empty();
        let same_expiry = booking.expire_micros == known.expire_micros || lapsed;
        let same_state = booking.state == known.state || lapsed;
        if !(same_claims && same_expiry && same_state && booking.total_minor == known.total_minor) {
            let over = |state| matches!(state, State::Cancelled | State::Expired);
            let kind = if over(known.state) && !over(booking.state) {
                Kind::Resurrected
            } else {
                Kind::Lost
            };
            report.violation(kind, None, &[], || {
                let known = model.describe(known);
                format!(
                    "{name} was {known} by the last event about it, but the database has {booking}."
                )
            });
        }
        if lapsed && (history.feed.is_some() || booking.claims.is_empty()) {
            // Without the feed nobody knows whether it has given back what it had.
            let sums = match history.feed {
                Some(_) => &mut items.certain,
                None => &mut items.possible,
            };
            for (cell, quantity) in &known.claims {
                *sums.entry(model.cell_names.name(*cell)).or_default() += quantity;
            }
        } else {
            add(&mut items.certain, &booking.claims);
        }
    }
    let mut phantoms: Vec<_> = kept.into_values().collect();
    phantoms.sort_by_key(|it| it.booking.as_str());
    for booking in phantoms {
        add(&mut items.certain, &booking.claims);
        report.violation(Kind::Phantom, None, &[], || {
            format!(
                "The database has {}, of which the feed has nothing.",
                booking.booking
            )
        });
    }
    conservation(history, end, items, report);
}

/// Checks what can be checked without knowing what became of unknown requests: what was granted is there, and items
/// add up.
pub(super) fn check_alone(history: &History, requests: &Requests<'_>, report: &mut Report) {
    let Some(end) = &history.end else {
        return unread(report);
    };
    let kept = end
        .bookings
        .iter()
        .map(|it| (it.booking.booking.as_str(), &it.booking));
    let kept: HashMap<_, _> = kept.collect();
    let mut items = Items::default();
    for request in &requests.decided {
        let Decision::Granted(answer) = request.answer else {
            continue;
        };
        let booking = kept.get(answer.booking.booking.as_str());
        if booking.is_some_and(|it| it.state == State::Expired && it.claims.is_empty()) {
            // It may not have given back yet what it had.
            add(&mut items.possible, &answer.booking.claims);
        }
        if booking.is_none() {
            let call = (request.call, &history.calls[request.call]);
            report.violation(Kind::Lost, Some(request.sequence), &[call], || {
                format!(
                    "Acknowledged, and the database does not have {}.",
                    answer.booking.booking
                )
            });
        }
    }
    let granted: HashSet<_> = requests
        .decided
        .iter()
        .filter_map(granted_booking)
        .collect();
    for it in &end.bookings {
        let booking = &it.booking;
        add(&mut items.certain, &booking.claims);
        let over = booking.state == State::Expired && booking.claims.is_empty();
        items.unknown |= over && !granted.contains(booking.booking.as_str());
    }
    conservation(history, end, items, report);
}

/// The booking that a request was granted.
fn granted_booking<'a>(request: &Decided<'a>) -> Option<&'a str> {
    match request.answer {
        Decision::Granted(answer) => Some(&answer.booking.booking),
        Decision::Refused(_) | Decision::Reused => None,
    }
}

/// Sums of items by cell.
#[derive(Default)]
struct Items<'a> {
    certain: HashMap<&'a str, i64>,
    /// Of holds that have run out and may have given back what they had, or not yet.
    possible: HashMap<&'a str, i64>,
    /// There are such holds of which nobody knows what they had.
    unknown: bool,
}

impl Items<'_> {
    /// Takes a cell out; the least and the most that may be taken of it.
    fn bounds(&mut self, cell: &str) -> (i64, i64) {
        let least = self.certain.remove(cell).unwrap_or(0);
        let more = self.possible.get(cell).copied().unwrap_or(0);
        let most = if self.unknown { i64::MAX } else { least + more };
        (least, most)
    }
}

fn unread(report: &mut Report) {
    report
        .unproven
        .push("that what is stored adds up: the final state was not read".to_owned());
}

fn add<'a>(items: &mut HashMap<&'a str, i64>, claims: &'a [Claim]) {
    for claim in claims {
        *items.entry(&claim.cell).or_default() += i64::from(claim.quantity);
    }
}

/// Whether in every cell the sum of the items is what is taken, and no more than there is.
fn conservation(history: &History, end: &FinalState, mut items: Items<'_>, report: &mut Report) {
    let declared = history
        .cells
        .iter()
        .map(|it| (it.cell.as_str(), it.capacity));
    let declared: HashMap<_, _> = declared.collect();
    for it in &end.cells {
        let (sum, most) = items.bounds(&it.cell);
        if !(sum..=most).contains(&i64::from(it.taken)) {
            report.violation(Kind::Conservation, None, &[], || {
                format!(
                    "{} has {} taken at the end, but its items add up to {sum}.",
                    it.cell, it.taken
                )
            });
        }
        if it.taken > it.capacity {
            report.oversold_cells.insert(it.cell.clone());
            report.violation(Kind::Oversold, None, &[], || {
                format!(
                    "{} has {} taken of {} at the end.",
                    it.cell, it.taken, it.capacity
                )
            });
        }
        if let Some(capacity) = declared
            .get(it.cell.as_str())
            .filter(|it2| **it2 != it.capacity)
        {
            report.violation(Kind::Conservation, None, &[], || {
                format!(
                    "{} has a capacity of {} at the end, and had {capacity}.",
                    it.cell, it.capacity
                )
            });
        }
    }
    let mut left: Vec<_> = items
        .certain
        .into_iter()
        .filter(|(_, sum)| *sum != 0)
        .collect();
    left.sort_unstable();
    for (cell, sum) in left {
        report.violation(Kind::Conservation, None, &[], || {
            format!("{cell} has nothing taken at the end, but items that add up to {sum}.")
        });
    }
}
