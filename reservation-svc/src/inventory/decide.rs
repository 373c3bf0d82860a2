//! Decides commands, one after the other, on the ledger of their batch: synchronous, pure, one file an action.
//!
//! An action first checks everything and returns early if anything stands in the way; only then does it change the
//! ledger, by calls that cannot fail: so nothing is ever half done. Refused by the rules is [`Stop::Denied`], which
//! is an answer kept under the request id; a mistake or something that is not there is [`Stop::Rejected`].
//!
//! **A new command** is a variant of [`Action`], what it needs in `needs.rs`, a file here and a line in `act`.

mod block;
mod cancel;
mod cancel_items;
mod confirm;
mod exchange;
mod expire;
mod extend;
mod front_desk;
mod hold;
mod release;
mod waitlist;

use jiff::civil::Date;

use super::{
    answer,
    command::{Action, Command, Outcome},
    ledger::Ledger,
    rejection::Rejection,
    stop::Stop,
};
use crate::{domain::booking::Booking, store::AnswerKey};

pub(super) use expire::expire;
pub(super) use waitlist::{end_overdue, serve};

/// Decides one command, unless its request id, the key, has an answer already.
pub(super) fn decide(
    ledger: &mut Ledger,
    command: &Command,
    key: Option<AnswerKey>,
) -> Result<Outcome, Rejection> {
    let asked = match (&command.request, key) {
        (Some(request), Some(key)) => Some((key, request.fingerprint)),
        _ => None,
    };
    if let Some((key, fingerprint)) = &asked
        && let Some(answer) = answer::find(ledger, key, fingerprint)
    {
        return answer;
    }
    let mut result = match act(ledger, command) {
        Ok(outcome) => Ok(outcome),
        Err(Stop::Denied(denial)) => Err(ledger.refuse(denial)),
        Err(Stop::Rejected(rejection)) => return Err(rejection.at(ledger.position())),
    };
    // Refusals too: one of them ends a hold that had run out.
    waitlist::serve(ledger);
    if let Some((key, fingerprint)) = asked {
        answer::keep(ledger, key, fingerprint, &mut result);
    }
    result.map_err(Rejection::Refused)
}

fn act(ledger: &mut Ledger, command: &Command) -> Result<Outcome, Stop> {
    let principal = &command.principal;
    match &command.action {
        Action::Hold(hold) => hold::decide(ledger, principal, hold),
        Action::Confirm {
            booking,
            etag,
            payment,
        } => confirm::decide(
            ledger,
            principal,
            *booking,
            etag.as_deref(),
            payment.as_ref(),
        ),
        Action::Extend { booking, etag, by } => {
            extend::decide(ledger, principal, *booking, etag.as_deref(), *by)
        }
        Action::Cancel {
            booking,
            etag,
            accepted_fee,
        } => cancel::decide(ledger, principal, *booking, etag.as_deref(), *accepted_fee),
        Action::CancelItems {
            booking,
            etag,
            part,
            accepted_fee,
        } => {
            let etag = etag.as_deref();
            cancel_items::decide(ledger, principal, *booking, etag, part, *accepted_fee)
        }
        Action::Move {
            booking,
            etag,
            claim,
            expected_total,
        } => {
            let etag = etag.as_deref();
            exchange::decide(ledger, principal, *booking, etag, claim, *expected_total)
        }
        Action::Block { stay, until, title } => {
            block::decide(ledger, principal, stay, *until, title)
        }
        Action::Release { booking, etag } => release::decide(ledger, *booking, etag.as_deref()),
        Action::Lodge {
            booking,
            etag,
            change,
        } => front_desk::lodge(ledger, *booking, etag.as_deref(), change),
        Action::TakeOutOfOrder(it) => front_desk::out_of_order(ledger, principal, it),
        Action::Join { ask, contact } => waitlist::join(ledger, principal, ask, contact.as_ref()),
        Action::Leave { entry } => waitlist::leave(ledger, principal, *entry),
    }
}

/// Refuses to change what has begun for good: a screening that has started, a stay that is over.
fn ahead(ledger: &Ledger, booking: &Booking, done: &str) -> Result<(), Stop> {
    let today = ledger.today(&booking.venue);
    // Venues do not go away; where one had, its stays could be given back for ever.
    booking.ahead(ledger.now, today.unwrap_or(Date::MIN), done)?;
    Ok(())
}
