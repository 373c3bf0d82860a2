//! A reservation system in the simplest way that is right: everything is computed from all bookings every time. It is
//! what histories are generated from, so nothing here is shared with the model that judges them.

use std::{
    collections::{BTreeMap, BTreeSet},
    mem::{Discriminant, discriminant},
};

use crate::record::{
    Answer, Booking, Cell, Change, Claim, Command, Event, FinalBooking, FinalCell, FinalState,
    Granted, Position, Refused, State,
};

/// Who owns what was there before anybody called.
pub(super) const NOBODY: u32 = u32::MAX;
const HELD_MICROS_MAX: i64 = 3_600_000_000;

struct Stored {
    booking: Booking,
    owner: u32,
    created_micros: i64,
}

pub(super) struct Server {
    cells: Vec<Cell>,
    bookings: BTreeMap<String, Stored>,
    kept: Vec<(u32, Discriminant<Command>, String, Command, Answer)>,
    pub(super) feed: Vec<Event>,
    pub(super) now_micros: i64,
    /// Whether a refusal for cells has an event of its own or shares one with its batch.
    denied_at_once: bool,
    denied: bool,
}

impl Server {
    pub(super) fn new(cells: Vec<Cell>, denied_at_once: bool) -> Self {
        Self {
            cells,
            bookings: BTreeMap::new(),
            kept: Vec::new(),
            feed: Vec::new(),
            now_micros: 1_000_000,
            denied_at_once,
            denied: false,
        }
    }

    /// The names of all bookings.
    pub(super) fn names(&self) -> Vec<String> {
        self.bookings.keys().cloned().collect()
    }

    /// Decides some requests as one batch.
    pub(super) fn batch(&mut self, requests: &[(u32, &str, &Command)]) -> Vec<Answer> {
        let wanted = requests.iter().flat_map(|(_, _, command)| match command {
            Command::Hold { claims, .. } | Command::Move { claims, .. } => claims.as_slice(),
            _ => &[],
        });
        let wanted: BTreeSet<_> = wanted.map(|claim| claim.cell.as_str()).collect();
        self.expire(|booking| {
            booking
                .claims
                .iter()
                .any(|it| wanted.contains(it.cell.as_str()))
        });
        let answers = requests
            .iter()
            .map(|(client, id, command)| self.answer(*client, id, command))
            .collect();
        if std::mem::take(&mut self.denied) {
            self.record(Change::Other);
        }
        answers
    }

    /// Ends the holds that have run out and that somebody cares for.
    pub(super) fn expire(&mut self, cares: impl Fn(&Booking) -> bool) {
        let now = self.now_micros;
        let lapsed = self
            .bookings
            .values()
            .filter(|it| lapsed(&it.booking, now) && cares(&it.booking));
        let lapsed: Vec<_> = lapsed.map(|it| it.booking.clone()).collect();
        for mut booking in lapsed {
            booking.state = State::Expired;
            booking.claims.clear();
            booking.expire_micros = None;
            self.put(booking, NOBODY);
        }
    }

    fn answer(&mut self, client: u32, id: &str, command: &Command) -> Answer {
        let method = discriminant(command);
        let same = |it: &&(u32, Discriminant<Command>, String, Command, Answer)| {
            (it.0, it.1, it.2.as_str()) == (client, method, id)
        };
        if let Some((_, _, _, content, answer)) =
            self.kept.iter().filter(|_| !id.is_empty()).find(same)
        {
            return match content == command {
                true => answer.clone(),
                false => self.refuse("REQUEST_ID_REUSED", &[]),
            };
        }
        let answer = self.decide(client, command);
        let kept = !matches!(&answer, Answer::Refused(it) if it.reason == "NOT_FOUND");
        if kept && !id.is_empty() {
            self.kept.push((
                client,
                method,
                id.to_owned(),
                command.clone(),
                answer.clone(),
            ));
        }
        answer
    }

    fn decide(&mut self, client: u32, command: &Command) -> Answer {
        let name = match command {
            Command::Hold {
                claims,
                hold_micros,
            } => return self.hold(client, claims, *hold_micros),
            Command::Confirm { booking }
            | Command::Cancel { booking }
            | Command::Move { booking, .. }
            | Command::Extend { booking, .. } => booking,
        };
        let found = self.bookings.get(name).filter(|it| it.owner == client);
        let Some((mut booking, created)) = found.map(|it| (it.booking.clone(), it.created_micros))
        else {
            return self.refuse("NOT_FOUND", &[]);
        };
        if lapsed(&booking, self.now_micros) || booking.state == State::Expired {
            return self.refuse("HOLD_EXPIRED", &[]);
        }
        let needs_hold = matches!(command, Command::Confirm { .. } | Command::Extend { .. });
        if booking.state == State::Cancelled || needs_hold && booking.state != State::Held {
            return self.refuse("BOOKING_STATE", &[]);
        }
        match command {
            Command::Hold { .. } => {}
            Command::Confirm { .. } => {
                booking.state = State::Confirmed;
                booking.expire_micros = None;
            }
            Command::Cancel { .. } => {
                booking.state = State::Cancelled;
                booking.expire_micros = None;
                booking.claims.clear();
            }
            Command::Move { claims, .. } => {
                if let Err(refused) = self.takes(claims, Some(name)) {
                    return refused;
                }
                booking.total_minor = self.price(claims);
                booking.claims.clone_from(claims);
            }
            Command::Extend { by_micros, .. } => {
                let end = booking.expire_micros.unwrap_or(0) + by_micros.cast_signed();
                if end - created > HELD_MICROS_MAX {
                    return self.refuse("HOLD_LIMIT", &[]);
                }
                booking.expire_micros = Some(end);
            }
        }
        self.put(booking, client)
    }

    /// Takes cells for a new booking.
    pub(super) fn hold(&mut self, client: u32, claims: &[Claim], hold_micros: u64) -> Answer {
        if let Err(refused) = self.takes(claims, None) {
            return refused;
        }
        let booking = Booking {
            booking: format!("bookings/{}", self.bookings.len() + 1),
            state: State::Held,
            claims: claims.to_vec(),
            expire_micros: Some(self.now_micros + hold_micros.cast_signed()),
            total_minor: self.price(claims),
        };
        self.put(booking, client)
    }

    fn takes(&mut self, claims: &[Claim], own: Option<&str>) -> Result<(), Answer> {
        let cell = |claim: &Claim| self.cells.iter().find(|it| it.cell == claim.cell);
        let lacking = |it: &&Claim| {
            let capacity = cell(it).map_or(0, |cell| cell.capacity);
            self.taken(&it.cell, own) + it.quantity > capacity
        };
        let unpriced = claims
            .iter()
            .filter(|it| cell(it).and_then(|cell| cell.price_minor).is_none());
        let unpriced: Vec<_> = unpriced.map(|it| it.cell.clone()).collect();
        let lacking: Vec<_> = claims
            .iter()
            .filter(lacking)
            .map(|it| it.cell.clone())
            .collect();
        if !unpriced.is_empty() {
            return Err(self.refuse("NOT_SOLD", &unpriced));
        }
        if !lacking.is_empty() {
            return Err(self.refuse("CELL_UNAVAILABLE", &lacking));
        }
        Ok(())
    }

    fn taken(&self, cell: &str, but: Option<&str>) -> u32 {
        let others = self.bookings.iter().filter(|(name, it)| {
            Some(name.as_str()) != but && !lapsed(&it.booking, self.now_micros)
        });
        let claims = others.flat_map(|(_, it)| &it.booking.claims);
        claims
            .filter(|it| it.cell == cell)
            .map(|it| it.quantity)
            .sum()
    }

    fn price(&self, claims: &[Claim]) -> i64 {
        let price = |claim: &Claim| {
            let cell = self.cells.iter().find(|it| it.cell == claim.cell)?;
            Some(cell.price_minor? * i64::from(claim.quantity))
        };
        claims.iter().filter_map(price).sum()
    }

    fn put(&mut self, booking: Booking, client: u32) -> Answer {
        let stored = self.bookings.get(&booking.booking);
        let previous = stored.map(|it| it.booking.state);
        let (owner, created_micros) = stored.map_or((client, self.now_micros), |it| {
            (it.owner, it.created_micros)
        });
        let now = booking.clone();
        self.record(Change::Booking { previous, now });
        let position = self.position();
        let stored = Stored {
            booking: booking.clone(),
            owner,
            created_micros,
        };
        self.bookings.insert(booking.booking.clone(), stored);
        let decide_micros = self.now_micros;
        Answer::Granted(Granted {
            position,
            booking,
            decide_micros,
        })
    }

    fn refuse(&mut self, reason: &str, cells: &[String]) -> Answer {
        if !cells.is_empty() {
            match self.denied_at_once {
                true => self.record(Change::Other),
                false => self.denied = true,
            }
        }
        Answer::Refused(Refused {
            position: self.position(),
            reason: reason.to_owned(),
            cells: cells.iter().take(50).cloned().collect(),
            cells_total: u32::try_from(cells.len()).unwrap_or(u32::MAX),
        })
    }

    fn position(&self) -> Position {
        Position::at(self.feed.len() as u64)
    }

    fn record(&mut self, change: Change) {
        let position = Position::at(self.feed.len() as u64 + 1);
        let decide_micros = self.now_micros;
        self.feed.push(Event {
            position,
            decide_micros,
            change,
        });
    }

    /// What it holds: as stored, or as somebody sees it who looks now.
    pub(super) fn end(&self, seen: bool) -> FinalState {
        let bookings = self.bookings.values().map(|it| {
            let mut booking = it.booking.clone();
            if seen && lapsed(&booking, self.now_micros) {
                booking.state = State::Expired;
                booking.expire_micros = None;
                booking.claims.clear();
            }
            FinalBooking { booking }
        });
        let cells = self.cells.iter().map(|it| {
            let claims = self.bookings.values().flat_map(|it| &it.booking.claims);
            let taken = claims
                .filter(|claim| claim.cell == it.cell)
                .map(|claim| claim.quantity);
            FinalCell {
                cell: it.cell.clone(),
                capacity: it.capacity,
                taken: taken.sum(),
            }
        });
        FinalState {
            bookings: bookings.collect(),
            // A cell that nobody has touched has no row.
            cells: cells.filter(|it| it.taken > 0).collect(),
        }
    }
}

fn lapsed(booking: &Booking, now: i64) -> bool {
    booking.state == State::Held && booking.expire_micros.is_some_and(|at| at <= now)
}
