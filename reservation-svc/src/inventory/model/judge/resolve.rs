//! What a command is about: the bookings, blocks and places in line that there are.

use super::{Ask, Call, Model, Part, Want};

impl Model {
    /// What is asked about what is known; nothing if it is about something that is not there (yet).
    pub(in crate::inventory::model) fn resolve(&mut self, call: &Call) -> Option<Call> {
        if let Ask::Again(which) = call.ask {
            let again = self.sent.len().checked_sub(which + 1)?;
            return Some(Call {
                is_late: call.is_late,
                ..self.sent[again].clone()
            });
        }
        let call = Call {
            ask: self.resolve_ask(&call.ask)?,
            ..*call
        };
        if call.id.is_some() {
            self.sent.push(call.clone());
        }
        Some(call)
    }

    fn resolve_ask(&self, ask: &Ask) -> Option<Ask> {
        let from_last = |which: &usize| self.bookings.len().checked_sub(which + 1);
        Some(match ask {
            Ask::Hold(..) | Ask::Join(_) => ask.clone(),
            Ask::Confirm(which, payment) => Ask::Confirm(from_last(which)?, *payment),
            Ask::Extend(which, minutes) => Ask::Extend(from_last(which)?, *minutes),
            Ask::Cancel(which, fee) => Ask::Cancel(from_last(which)?, *fee),
            Ask::Move(which, want, shown) => Ask::Move(from_last(which)?, want.clone(), *shown),
            Ask::Leave(which) => Ask::Leave(self.line.len().checked_sub(which + 1)?),
            Ask::Block(..) => ask.clone(),
            Ask::PickUp(which, span, minutes, shown) => {
                Ask::PickUp(self.block(*which)?, *span, *minutes, *shown)
            }
            Ask::Release(which) => Ask::Release(from_last(which)?),
            Ask::GiveBack(which, part, fee) => {
                let which = from_last(which)?;
                let part = match (part, &self.bookings[which].what) {
                    (Part::First(count), Want::Seats(seats)) => {
                        Part::Seats(seats.iter().copied().take(*count).collect())
                    }
                    (Part::First(count), _) => Part::Rooms(i64::try_from(*count).unwrap()),
                    (part, _) => part.clone(),
                };
                Ask::GiveBack(which, part, *fee)
            }
            Ask::Again(_) => panic!("repeats a call"),
        })
    }
}
