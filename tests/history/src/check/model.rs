//! The model: what a reservation system is, in as few words as possible.
//!
//! A cell has a capacity and a price. A booking claims cells and is HELD until it is CONFIRMED, CANCELLED or runs out. A
//! hold that has run out still counts as taken until it is EXPIRED, but nobody has to wait for that: its cells are free
//! for the next claim, and it can no longer be confirmed. All or nothing; every reason for a refusal is in [`Denial`].
//!
//! Written from the contract, not from the service: it shares no code with what it judges. [`Model::decide`] says what
//! must come of a command, [`Model::apply`] makes it so.
//!
//! Time only goes forward. Each cell keeps its holds by expiry, so that those which run out are discounted once each.

use std::collections::BTreeMap;

use super::names::Names;
use crate::record::{self, Booking, Command, History, State};

/// A hold ends after this long, extensions included.
pub(super) const HELD_MICROS_MAX: i64 = 3_600_000_000;

/// Cells and how much of each, by cell.
pub(super) type Claims = Vec<(u32, i64)>;

/// A booking as the model knows it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Known {
    pub(super) state: State,
    pub(super) claims: Claims,
    pub(super) expire_micros: Option<i64>,
    pub(super) total_minor: i64,
    /// The guest whose it is; nothing where that is not known for sure.
    pub(super) owner: Option<u32>,
    pub(super) created_micros: i64,
}

impl Known {
    /// Whether it is a hold that has run out by then.
    pub(super) fn lapsed(&self, now: i64) -> bool {
        self.state == State::Held && self.expire_micros.is_some_and(|at| at <= now)
    }

    /// Whether it has its cells for as long as nobody gives them back.
    pub(super) fn live(&self, now: i64) -> bool {
        matches!(self.state, State::Held | State::Confirmed) && !self.lapsed(now)
    }

    /// Whether it looks the same: who owns it and when it was made is not seen.
    pub(super) fn looks_like(&self, other: &Self) -> bool {
        self.state == other.state
            && self.claims == other.claims
            && self.expire_micros == other.expire_micros
            && self.total_minor == other.total_minor
    }
}

/// Why a command must be refused.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Denial {
    /// No such booking of this guest.
    NotFound,
    /// The booking's state does not allow it.
    BookingState,
    /// The hold has run out.
    HoldExpired,
    /// It would be held for too long in all.
    HoldLimit,
    /// These cells have no price.
    NotSold(Vec<u32>),
    /// These cells have too little left.
    CellUnavailable(Vec<u32>),
}

impl Denial {
    /// The reason as the contract calls it.
    pub(super) fn reason(&self) -> &'static str {
        match self {
            Self::NotFound => super::requests::NOT_FOUND,
            Self::BookingState => "BOOKING_STATE",
            Self::HoldExpired => "HOLD_EXPIRED",
            Self::HoldLimit => "HOLD_LIMIT",
            Self::NotSold(_) => "NOT_SOLD",
            Self::CellUnavailable(_) => "CELL_UNAVAILABLE",
        }
    }

    /// The cells that stand in the way.
    pub(super) fn cells(&self) -> &[u32] {
        match self {
            Self::NotSold(cells) | Self::CellUnavailable(cells) => cells,
            _ => &[],
        }
    }
}

#[derive(Default)]
struct Cell {
    capacity: i64,
    price_minor: Option<i64>,
    /// By all items not yet given back, those of lapsed holds included.
    taken: i64,
    /// Of it, by holds that have run out.
    lapsed: i64,
    /// Holds that will run out, by expiry and booking.
    holds: BTreeMap<(i64, u32), i64>,
}

/// All cells and bookings at one place in the order of commits.
pub(super) struct Model<'a> {
    pub(super) cell_names: Names<'a>,
    pub(super) booking_names: Names<'a>,
    cells: Vec<Cell>,
    bookings: Vec<Option<Known>>,
    now: i64,
}

impl<'a> Model<'a> {
    pub(super) fn new(history: &'a History) -> Self {
        let mut model = Self {
            cell_names: Names::default(),
            booking_names: Names::default(),
            cells: Vec::with_capacity(history.cells.len()),
            bookings: Vec::new(),
            now: i64::MIN,
        };
        for cell in &history.cells {
            let number = model.cell(&cell.cell);
            let declared = &mut model.cells[number as usize];
            declared.capacity = i64::from(cell.capacity);
            declared.price_minor = cell.price_minor;
        }
        model
    }

    /// The number of a cell; one that was not declared has no capacity and is not sold.
    fn cell(&mut self, name: &'a str) -> u32 {
        let number = self.cell_names.number(name);
        if number as usize == self.cells.len() {
            self.cells.push(Cell::default());
        }
        number
    }

    /// The number of a booking, which need not exist.
    pub(super) fn booking(&mut self, name: &'a str) -> u32 {
        let number = self.booking_names.number(name);
        if number as usize == self.bookings.len() {
            self.bookings.push(None);
        }
        number
    }

    pub(super) fn known(&self, booking: u32) -> Option<&Known> {
        self.bookings.get(booking as usize)?.as_ref()
    }

    /// All bookings there are.
    pub(super) fn all(&self) -> impl Iterator<Item = (u32, &Known)> {
        let known = (0..).zip(&self.bookings);
        known.filter_map(|(number, known)| Some((number, known.as_ref()?)))
    }

    /// Claims in the order in which the model compares them.
    pub(super) fn claims(&mut self, claims: &'a [record::Claim]) -> Claims {
        let mut claims: Claims = claims
            .iter()
            .map(|it| (self.cell(&it.cell), i64::from(it.quantity)))
            .collect();
        claims.sort_unstable();
        claims
    }

    /// A booking as an event or a final state shows it.
    pub(super) fn shown(&mut self, booking: &'a Booking) -> Known {
        Known {
            state: booking.state,
            claims: self.claims(&booking.claims),
            expire_micros: booking.expire_micros,
            total_minor: booking.total_minor,
            owner: None,
            created_micros: 0,
        }
    }

    /// Moves the clock forward.
    pub(super) fn advance(&mut self, now: i64) {
        self.now = self.now.max(now);
    }

    pub(super) fn now(&self) -> i64 {
        self.now
    }

    pub(super) fn capacity(&self, cell: u32) -> i64 {
        self.cells[cell as usize].capacity
    }

    /// How much is taken, lapsed holds included.
    pub(super) fn taken(&self, cell: u32) -> i64 {
        self.cells[cell as usize].taken
    }

    /// How much is taken by those who can keep it.
    pub(super) fn kept(&mut self, cell: u32) -> i64 {
        let now = self.now;
        let cell = &mut self.cells[cell as usize];
        while let Some(hold) = cell.holds.first_entry().filter(|hold| hold.key().0 <= now) {
            cell.lapsed += hold.remove();
        }
        cell.taken - cell.lapsed
    }

    /// How much is left at a time that is not before now, were the booking `own` to give back what it has.
    fn free(&mut self, cell: u32, at: i64, own: Option<u32>) -> i64 {
        let kept = self.kept(cell);
        let own = own.and_then(|own| self.known(own));
        let given_back = own
            .into_iter()
            .flat_map(|it| &it.claims)
            .filter(|it| it.0 == cell);
        let given_back: i64 = given_back.map(|it| it.1).sum();
        let it = &self.cells[cell as usize];
        let lapsing: i64 = it
            .holds
            .range(..=(at, u32::MAX))
            .map(|(_, quantity)| quantity)
            .sum();
        it.capacity - kept + lapsing + given_back
    }

    /// When so much of a cell is left if nothing happens but time; nothing if never or only after `until`.
    pub(super) fn free_from(&mut self, cell: u32, quantity: i64, until: i64) -> Option<i64> {
        let mut free = self.free(cell, self.now, None);
        if free >= quantity {
            return Some(self.now);
        }
        for ((at, _), lapsing) in self.cells[cell as usize].holds.range(..=(until, u32::MAX)) {
            free += lapsing;
            if free >= quantity {
                return Some(*at);
            }
        }
        None
    }

    /// What must come of a command of that guest at a time that is not before now: the booking as it is then.
    pub(super) fn decide(
        &mut self,
        client: u32,
        command: &'a Command,
        at: i64,
    ) -> Result<Known, Denial> {
        let name = match command {
            Command::Hold {
                claims,
                hold_micros,
            } => {
                let claims = self.claims(claims);
                let total_minor = self.take(&claims, at, None)?;
                let hold_micros = i64::try_from(*hold_micros).unwrap_or(i64::MAX);
                return Ok(Known {
                    state: State::Held,
                    claims,
                    expire_micros: Some(at.saturating_add(hold_micros)),
                    total_minor,
                    owner: Some(client),
                    created_micros: at,
                });
            }
            Command::Confirm { booking }
            | Command::Cancel { booking }
            | Command::Move { booking, .. }
            | Command::Extend { booking, .. } => booking,
        };
        let number = self.booking(name);
        let known = self.known(number).cloned().ok_or(Denial::NotFound)?;
        if known.owner.is_some_and(|owner| owner != client) {
            return Err(Denial::NotFound);
        }
        if known.lapsed(at) || known.state == State::Expired {
            return Err(Denial::HoldExpired);
        }
        self.change(number, known, command, at)
    }

    fn change(
        &mut self,
        number: u32,
        mut known: Known,
        command: &'a Command,
        at: i64,
    ) -> Result<Known, Denial> {
        let allowed = match command {
            Command::Confirm { .. } | Command::Extend { .. } => known.state == State::Held,
            _ => known.live(at),
        };
        if !allowed {
            return Err(Denial::BookingState);
        }
        match command {
            Command::Hold { .. } => {}
            Command::Confirm { .. } => {
                known.state = State::Confirmed;
                known.expire_micros = None;
            }
            Command::Cancel { .. } => {
                known.state = State::Cancelled;
                known.expire_micros = None;
                known.claims.clear();
            }
            Command::Move { claims, .. } => {
                let claims = self.claims(claims);
                known.total_minor = self.take(&claims, at, Some(number))?;
                known.claims = claims;
            }
            Command::Extend { by_micros, .. } => {
                let by_micros = i64::try_from(*by_micros).unwrap_or(i64::MAX);
                let end = known.expire_micros.map(|end| end.saturating_add(by_micros));
                if end.is_some_and(|end| end.saturating_sub(known.created_micros) > HELD_MICROS_MAX)
                {
                    return Err(Denial::HoldLimit);
                }
                known.expire_micros = end;
            }
        }
        Ok(known)
    }

    /// The price of what can be taken, or what stands in the way.
    fn take(&mut self, claims: &Claims, at: i64, own: Option<u32>) -> Result<i64, Denial> {
        let price = |(cell, quantity): &(u32, i64)| {
            self.cells[*cell as usize]
                .price_minor
                .map(|price| price * quantity)
        };
        let unpriced = claims.iter().filter(|it| price(it).is_none());
        let unpriced: Vec<_> = unpriced.map(|it| it.0).collect();
        if !unpriced.is_empty() {
            return Err(Denial::NotSold(unpriced));
        }
        let total_minor = claims.iter().filter_map(price).sum();
        let mut lacking = Vec::new();
        for &(cell, quantity) in claims {
            if self.free(cell, at, own) < quantity {
                lacking.push(cell);
            }
        }
        if lacking.is_empty() {
            Ok(total_minor)
        } else {
            Err(Denial::CellUnavailable(lacking))
        }
    }

    /// A booking, for people.
    pub(super) fn describe(&self, known: &Known) -> String {
        let claims = known.claims.iter().take(5);
        let claims: Vec<_> = claims
            .map(|(cell, quantity)| format!("{quantity} x {}", self.cell_names.name(*cell)))
            .collect();
        let end = known
            .expire_micros
            .map(|at| format!(" until {at}"))
            .unwrap_or_default();
        format!(
            "{:?} for {}{end} with {} cells ({})",
            known.state,
            known.total_minor,
            known.claims.len(),
            claims.join(", ")
        )
    }

    /// Makes a booking what it is from now on.
    pub(super) fn apply(&mut self, booking: u32, next: Known) {
        if let Some(before) = self.bookings[booking as usize].take() {
            for (cell, quantity) in &before.claims {
                let cell = &mut self.cells[*cell as usize];
                cell.taken -= quantity;
                let hold = before.expire_micros.filter(|_| before.state == State::Held);
                if let Some(at) = hold
                    && cell.holds.remove(&(at, booking)).is_none()
                {
                    cell.lapsed -= quantity;
                }
            }
        }
        for (cell, quantity) in &next.claims {
            let cell = &mut self.cells[*cell as usize];
            cell.taken += quantity;
            match next.expire_micros.filter(|_| next.state == State::Held) {
                Some(at) if at <= self.now => cell.lapsed += quantity,
                Some(at) => drop(cell.holds.insert((at, booking), *quantity)),
                None => {}
            }
        }
        self.bookings[booking as usize] = Some(next);
    }
}
