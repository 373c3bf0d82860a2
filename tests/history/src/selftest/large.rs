//! One long history, to time the checker by: a crowd of a thousand fights for seats and for rooms of one night.

use crate::record::{
    Answer, Booking, Call, Cell, Change, Claim, Command, Event, FinalBooking, FinalCell,
    FinalState, Granted, History, Position, Refused, State,
};

const NIGHT: &str = "hotels/h/roomTypes/r/nights/2026-12-24";
const CLIENTS: u64 = 1_000;
/// A call lasts as long as so many others begin.
const OVERLAP: u64 = 500;

/// A correct history of about that many calls. Of each five, one holds a seat, one is refused the same seat, one confirms
/// it, one repeats the confirmation, and one holds a room of the hot night, which every other time runs out.
pub fn large(calls: u64) -> History {
    let rounds = calls / 5;
    let mut large = Large::default();
    large.night(rounds);
    for round in 0..rounds {
        large.round(round);
    }
    large.finish()
}

#[derive(Default)]
struct Large {
    history: History,
    feed: Vec<Event>,
    end: FinalState,
}

impl Large {
    fn night(&mut self, rounds: u64) {
        let cell = Cell {
            cell: NIGHT.to_owned(),
            capacity: u32::try_from(rounds).unwrap_or(u32::MAX),
            price_minor: Some(9_900),
        };
        self.history.cells.push(cell);
    }

    fn round(&mut self, round: u64) {
        let seat = format!(
            "cinemas/c/screenings/{}/seats/A{}",
            round / 100 + 1,
            round % 100
        );
        self.history.cells.push(Cell {
            cell: seat.clone(),
            capacity: 1,
            price_minor: Some(1_200),
        });
        self.end.cells.push(FinalCell {
            cell: seat.clone(),
            capacity: 1,
            taken: 1,
        });
        let hold = |cell: &str, hold_micros| {
            let claims = vec![Claim::new(cell, 1)];
            Command::Hold {
                claims,
                hold_micros,
            }
        };
        let now = now_micros(round);
        let mut booking = Booking {
            booking: format!("bookings/{round:032x}"),
            state: State::Held,
            claims: vec![Claim::new(seat.clone(), 1)],
            expire_micros: Some(now + 600_000_000),
            total_minor: 1_200,
        };
        let held = self.change(now, None, booking.clone());
        let name = booking.booking.clone();
        self.call(
            round,
            0,
            format!("{round}-hold"),
            hold(&seat, 600_000_000),
            held,
        );
        let refused = Answer::Refused(Refused {
            position: self.position(),
            reason: "CELL_UNAVAILABLE".to_owned(),
            cells: vec![seat.clone()],
            cells_total: 1,
        });
        self.call(
            round,
            1,
            format!("{round}-late"),
            hold(&seat, 600_000_000),
            refused,
        );
        booking.state = State::Confirmed;
        booking.expire_micros = None;
        let confirmed = self.change(now, Some(State::Held), booking.clone());
        for call in 2..4 {
            let confirm = Command::Confirm {
                booking: name.clone(),
            };
            self.call(
                round,
                call,
                format!("{round}-confirm"),
                confirm,
                confirmed.clone(),
            );
        }
        self.end.bookings.push(FinalBooking { booking });
        self.room(round, hold(NIGHT, 400));
    }

    /// A room of the hot night; every other hold runs out at the end of the round.
    fn room(&mut self, round: u64, command: Command) {
        let now = now_micros(round);
        let mut booking = Booking {
            booking: format!("bookings/room-{round}"),
            state: State::Held,
            claims: vec![Claim::new(NIGHT, 1)],
            expire_micros: Some(now + 400),
            total_minor: 9_900,
        };
        let held = self.change(now, None, booking.clone());
        self.call(round, 4, format!("{round}-room"), command, held);
        if round.is_multiple_of(2) {
            booking.state = State::Expired;
            booking.claims.clear();
            booking.expire_micros = None;
            self.change(now + 400, Some(State::Held), booking.clone());
        }
        self.end.bookings.push(FinalBooking { booking });
    }

    fn position(&self) -> Position {
        Position::at(self.feed.len() as u64)
    }

    fn change(&mut self, decide_micros: i64, previous: Option<State>, now: Booking) -> Answer {
        let position = Position::at(self.feed.len() as u64 + 1);
        let change = Change::Booking {
            previous,
            now: now.clone(),
        };
        self.feed.push(Event {
            position: position.clone(),
            decide_micros,
            change,
        });
        Answer::Granted(Granted {
            position,
            booking: now,
            decide_micros,
        })
    }

    fn call(&mut self, round: u64, nth: u64, request_id: String, command: Command, answer: Answer) {
        let begin_ns = (round * 5 + nth) * 1_000;
        // Repeats and confirmations are of the guest who holds.
        let client = u32::try_from(round % CLIENTS).unwrap_or(0);
        self.history.calls.push(Call {
            client,
            begin_ns,
            end_ns: begin_ns + OVERLAP * 1_000,
            request_id,
            command,
            answer,
        });
    }

    fn finish(mut self) -> History {
        let rooms = self.end.bookings.iter().filter(|it| {
            it.booking.state == State::Held && it.booking.claims.iter().any(|it| it.cell == NIGHT)
        });
        let taken = u32::try_from(rooms.count()).unwrap_or(u32::MAX);
        let capacity = self.history.cells.first().map_or(0, |it| it.capacity);
        self.end.cells.push(FinalCell {
            cell: NIGHT.to_owned(),
            capacity,
            taken,
        });
        self.history.feed = Some(self.feed);
        self.history.end = Some(self.end);
        self.history
    }
}

fn now_micros(round: u64) -> i64 {
    1_000_000 + round.cast_signed() * 1_000
}
