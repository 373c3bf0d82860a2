//! Every subject finds what it was told that it had written, over any gateway: a movie under its id and in the list, a
//! booking in the state that it was left in.

use std::collections::BTreeMap;

use super::{Verdict, named};
use crate::migration::history::{Asked, Exchange, Told};

/// Judges the reads of one subject, whose exchanges come one after the other.
pub(super) fn check(of_one: &[&Exchange], verdict: &mut Verdict) {
    let mut movies: BTreeMap<i64, &str> = BTreeMap::new();
    let mut bookings: BTreeMap<&str, Booking<'_>> = BTreeMap::new();
    for it in of_one {
        let known = (it.answer.complete).then_some(&it.answer.told);
        match (&it.asked, known) {
            (Asked::Create { title }, Some(Told::Movie { id, title: told })) if it.succeeded() => {
                if told != title {
                    verdict.violation(format!("told another movie: {}", named(it)));
                }
                movies.insert(*id, title);
            }
            (Asked::Movie { id }, _) if it.succeeded() || it.answer.status == 404 => {
                let wanted = movies.get(id).map(|title| Told::Movie {
                    id: *id,
                    title: (*title).to_owned(),
                });
                if wanted.is_some_and(|wanted| it.answer.told != wanted) {
                    stale(it, &format!("{:?}", it.answer.told), verdict);
                }
            }
            (Asked::Movies, Some(Told::Movies(told))) if it.succeeded() => {
                let missing = movies
                    .iter()
                    .find(|(id, title)| told.get(id).map(String::as_str) != Some(*title));
                if let Some((id, _)) = missing {
                    stale(it, &format!("movie {id} is missing"), verdict);
                }
            }
            (Asked::Movies, _) if it.succeeded() => {
                verdict.violation(format!("unreadable: {}", named(it)));
            }
            _ => booking(it, &mut bookings, verdict),
        }
    }
}

/// What a subject knows of a booking of its own.
struct Booking<'a> {
    state: &'a str,
    /// Whether more was asked than was answered.
    doubtful: bool,
}

fn booking<'a>(
    it: &'a Exchange,
    bookings: &mut BTreeMap<&'a str, Booking<'a>>,
    verdict: &mut Verdict,
) {
    let told = match &it.answer.told {
        Told::Booking { booking, state } if it.succeeded() => Some((booking.as_str(), state)),
        _ => None,
    };
    match (&it.asked, told) {
        (Asked::Hold | Asked::Confirm { .. } | Asked::Cancel { .. }, Some((name, state))) => {
            let known = Booking {
                state,
                doubtful: false,
            };
            bookings.insert(name, known);
        }
        (Asked::Confirm { booking } | Asked::Cancel { booking }, None) => {
            if let Some(known) = bookings.get_mut(booking.as_str()) {
                known.doubtful = true;
            }
        }
        (Asked::Booking { booking }, told) if told.is_some() || it.answer.status == 404 => {
            let known = bookings.get(booking.as_str());
            let wanted = known
                .filter(|known| !known.doubtful)
                .map(|known| known.state);
            let got = told.map(|(_, state)| state.as_str());
            let gone = known.is_some() && got.is_none();
            if gone || wanted.is_some_and(|wanted| got != Some(wanted)) {
                stale(it, got.unwrap_or("nothing"), verdict);
            }
        }
        _ => {}
    }
}

fn stale(it: &Exchange, found: &str, verdict: &mut Verdict) {
    verdict.stale_own_reads += 1;
    verdict.violation(format!("stale own read: {}: found {found}", named(it)));
}
