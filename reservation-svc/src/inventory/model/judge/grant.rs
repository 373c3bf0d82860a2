//! What is changed by what was granted, and by what was refused; and along the line.

use banyan_proto::reservation::v1;

use super::{
    Entry, Known, Model, OFFER, Outcome, Place, Rooms, Seen, State, Terms, Want, price, rules,
};
use crate::{
    domain::name::EntryId,
    inventory::model::ask::{Ask, Call, Who},
};

impl Model {
    /// Does what was granted, and looks at the answer.
    pub(super) fn grant(&mut self, call: &Call, outcome: &Outcome) {
        let (which, before) = match &call.ask {
            Ask::Hold(want, minutes, _) => (self.open(want, *minutes, call.who), None),
            Ask::Confirm(which, payment) => {
                self.confirm(*which, *payment);
                (*which, None)
            }
            Ask::Extend(which, minutes) => {
                self.bookings[*which].expires += minutes;
                self.tell(*which, Some(State::Held));
                (*which, None)
            }
            Ask::Cancel(which, _) => {
                let it = &self.bookings[*which];
                let fee = self.fee(it, &it.what);
                self.bookings[*which].fee += fee;
                self.enter(*which, State::Cancelled);
                (*which, None)
            }
            Ask::GiveBack(which, part, _) => {
                let it = &self.bookings[*which];
                let (before, state) = (price(&it.what), it.state);
                let (given, kept) = rules::split(&it.what, part).unwrap();
                let fee = self.fee(it, &given);
                let it = &mut self.bookings[*which];
                it.fee += fee;
                it.what = kept;
                self.tell(*which, Some(state));
                (*which, Some(before))
            }
            Ask::Move(which, want, _) => (*which, Some(self.exchange(*which, want))),
            Ask::Join(want) => return self.join(want, call.who, outcome),
            Ask::Leave(which) => return self.leave(*which, outcome),
            Ask::Block(span, minutes) => (self.put_aside(*span, *minutes), None),
            Ask::PickUp(block, span, minutes, _) => {
                (self.pick_up(*block, *span, *minutes, call.who), None)
            }
            Ask::Release(which) => {
                self.enter(*which, State::Cancelled);
                (*which, None)
            }
            Ask::Again(_) => panic!("not known yet"),
        };
        self.answered(which, before, outcome);
    }

    /// What a refusal changes all the same.
    pub(super) fn refuse(&mut self, ask: &Ask) {
        match ask {
            Ask::Confirm(which, Some(payment)) => {
                let it = &self.bookings[*which];
                let is_late = matches!(it.state, State::Expired | State::Cancelled)
                    || it.has_lapsed(self.minute);
                if !is_late || it.paid.is_some() {
                    return;
                }
                if it.state == State::Held {
                    self.enter(*which, State::Expired);
                }
                let it = &mut self.bookings[*which];
                (it.paid, it.owed) = (Some(*payment), true);
                let state = it.state;
                self.tell(*which, Some(state));
            }
            Ask::Leave(which) => {
                if let Place::Offered(offer) = self.line[*which].place {
                    self.enter(offer, State::Expired);
                }
            }
            _ => {}
        }
    }

    fn confirm(&mut self, which: usize, payment: Option<u8>) {
        let it = &mut self.bookings[which];
        if payment.is_some() && it.paid == payment {
            return;
        }
        it.paid = payment;
        self.enter(which, State::Confirmed);
    }

    /// Exchanges what a booking has; what it cost before.
    fn exchange(&mut self, which: usize, want: &Want) -> i64 {
        let what = self.chosen(want, Some(which));
        let others = self.terms(&what);
        let minute = self.minute;
        let it = &mut self.bookings[which];
        let before = price(&it.what);
        it.terms = match it.state == State::Held || it.terms.is_free(minute) {
            true => others,
            false => Terms {
                free_until: None,
                ..it.terms
            },
        };
        it.what = what;
        let state = it.state;
        self.tell(which, Some(state));
        before
    }

    /// A new hold.
    fn open(&mut self, want: &Want, minutes: i64, who: Who) -> usize {
        let what = self.chosen(want, None);
        self.add(what, minutes, who, None)
    }

    /// A new booking; nothing is `left` of what is no block.
    pub(super) fn add(&mut self, what: Want, minutes: i64, who: Who, left: Option<Rooms>) -> usize {
        self.bookings.push(Known {
            id: self.next_id(),
            who,
            state: State::Held,
            expires: self.minute + minutes,
            created: self.minute,
            terms: self.terms(&what),
            what,
            left,
            fee: 0,
            paid: None,
            owed: false,
            changed: 0,
        });
        let which = self.bookings.len() - 1;
        self.tell(which, None);
        which
    }

    pub(super) fn enter(&mut self, which: usize, state: State) {
        let before = std::mem::replace(&mut self.bookings[which].state, state);
        self.tell(which, Some(before));
    }

    fn join(&mut self, want: &Want, who: Who, outcome: &Outcome) {
        let entry = outcome.entry.as_ref().unwrap();
        assert_eq!(entry.state(), v1::waitlist_entry::State::Waiting);
        self.line.push(Entry {
            id: EntryId::parse(&entry.name).unwrap(),
            who,
            want: want.clone(),
            place: Place::Waiting,
        });
    }

    fn leave(&mut self, which: usize, outcome: &Outcome) {
        let entry = outcome.entry.as_ref().unwrap();
        assert_eq!(entry.state(), v1::waitlist_entry::State::Left);
        if let Place::Offered(offer) = self.line[which].place {
            self.enter(offer, State::Cancelled);
        }
        self.line[which].place = Place::Left;
    }

    /// Closes the places whose offers have ended, and offers what is free from the head of the line on.
    pub(super) fn serve(&mut self) {
        for which in 0..self.line.len() {
            if let Place::Offered(offer) = self.line[which].place {
                match self.bookings[offer].state {
                    State::Held => {}
                    State::Confirmed => self.line[which].place = Place::Served,
                    State::Cancelled | State::Expired => self.line[which].place = Place::Left,
                }
            }
        }
        for which in 0..self.line.len() {
            let entry = &self.line[which];
            if entry.place == Place::Waiting && self.fits(&entry.want, None).is_ok() {
                if self.sold(&entry.want).is_err() {
                    self.seen.insert(Seen::Withheld);
                    continue;
                }
                let (want, who) = (entry.want.clone(), entry.who);
                self.line[which].place = Place::Offered(self.open(&want, OFFER, who));
            }
        }
    }
}
