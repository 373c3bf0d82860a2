//! Whether a refusal is what the model says at its place.
//!
//! A refusal at position p was decided after change p and before change p + 1, at some time between the two. Usually the
//! model says the same for all of that time. It does not if a hold ran out in between: before that moment a cell may have
//! been full, after it not. So a refusal is right if there is *some* moment at which the model refuses exactly so. Only
//! a few moments can make a difference: the first one, the one when the booking itself runs out, and those when the cells
//! that are not named as missing become free.

use super::model::{Denial, Model};
use crate::record::{Call, Command, Refused};

/// A refusal names at most this many cells.
const CELLS_NAMED_MAX: usize = 50;

/// Why that refusal is wrong, if it is. The model stands at the refusal's position, `until` is the time of the next change.
pub(super) fn refusal<'a>(
    model: &mut Model<'a>,
    call: &'a Call,
    refused: &Refused,
    until: i64,
) -> Result<(), String> {
    let first = model.now();
    let expected = match model.decide(call.client, &call.command, first) {
        Err(denial) if names(model, &denial, refused) => return Ok(()),
        expected => expected,
    };
    if refused.reason == super::requests::NOT_FOUND && nobody_knows_whose(model, &call.command) {
        return Ok(());
    }
    for at in moments(model, &call.command, refused, until) {
        if let Err(denial) = model.decide(call.client, &call.command, at)
            && names(model, &denial, refused)
        {
            return Ok(());
        }
    }
    let expected = match expected {
        Ok(_) => "it had to be granted".to_owned(),
        Err(denial) => describe(model, &denial),
    };
    let total = total(refused);
    let named = refused.cells.join(", ");
    Err(format!(
        "Refused with {} ({total} cells: {named}), but {expected}.",
        refused.reason
    ))
}

/// Whether a command is about a booking that was there before the recording or was made by a call without an answer.
fn nobody_knows_whose<'a>(model: &mut Model<'a>, command: &'a Command) -> bool {
    let booking = match command {
        Command::Hold { .. } => return false,
        Command::Confirm { booking }
        | Command::Cancel { booking }
        | Command::Move { booking, .. }
        | Command::Extend { booking, .. } => model.booking(booking),
    };
    model
        .known(booking)
        .is_some_and(|known| known.owner.is_none())
}

/// The moments after now at which another refusal may begin to be right.
fn moments<'a>(
    model: &mut Model<'a>,
    command: &'a Command,
    refused: &Refused,
    until: i64,
) -> Vec<i64> {
    let (booking, claims) = match command {
        Command::Hold { claims, .. } => (None, claims.as_slice()),
        Command::Move { booking, claims } => (Some(booking), claims.as_slice()),
        Command::Confirm { booking }
        | Command::Cancel { booking }
        | Command::Extend { booking, .. } => (Some(booking), &[][..]),
    };
    let booking = booking.map(|name| model.booking(name));
    let known = booking.and_then(|number| model.known(number));
    let end = known.and_then(|known| known.expire_micros);
    let all_named = total(refused) == refused.cells.len();
    let mut moments = Vec::new();
    for (cell, quantity) in model.claims(claims) {
        let name = model.cell_names.name(cell);
        if all_named && refused.cells.iter().any(|named| named == name) {
            continue;
        }
        // What the booking itself has there and could give back.
        let known = booking.and_then(|number| model.known(number));
        let own = known
            .into_iter()
            .flat_map(|known| &known.claims)
            .filter(|it| it.0 == cell);
        let own: i64 = own.map(|it| it.1).sum();
        moments.extend(model.free_from(cell, quantity - own, until));
    }
    moments.extend(end);
    moments.retain(|at| (model.now()..=until).contains(at));
    moments
}

/// Whether a refusal is that denial, to the last cell.
fn names(model: &Model<'_>, denial: &Denial, refused: &Refused) -> bool {
    let cells = denial.cells();
    let mut named: Vec<_> = refused
        .cells
        .iter()
        .map(|name| model.cell_names.find(name))
        .collect();
    named.sort_unstable();
    named.dedup();
    denial.reason() == refused.reason
        && total(refused) == cells.len()
        && named.len() == refused.cells.len()
        && named.len() == cells.len().min(CELLS_NAMED_MAX)
        && named
            .iter()
            .all(|it| it.is_some_and(|cell| cells.contains(&cell)))
}

fn total(refused: &Refused) -> usize {
    (refused.cells_total as usize).max(refused.cells.len())
}

/// What the model says, for people.
pub(super) fn describe(model: &Model<'_>, denial: &Denial) -> String {
    let shown = denial.cells().iter().take(5);
    let shown: Vec<_> = shown
        .map(|cell| {
            let taken = model.taken(*cell);
            format!(
                "{} has {taken} of {} taken",
                model.cell_names.name(*cell),
                model.capacity(*cell)
            )
        })
        .collect();
    let cells = if shown.is_empty() {
        String::new()
    } else {
        format!(": {}", shown.join(", "))
    };
    format!(
        "it had to be refused with {} ({} cells{cells})",
        denial.reason(),
        denial.cells().len()
    )
}
