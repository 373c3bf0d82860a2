//! Which seats to give to people who want to sit together, and which choice of seats leaves a place that nobody takes.
//!
//! **Together** means side by side: neighbours in a row are as far apart as the nearest two of that row, so that what is
//! wider is an aisle (a row of sofas, each as wide as two seats, has aisles of its own measure), as is where another row begins on the same line. Rows are adjacent where
//! they are as far apart as the nearest two rows of the hall; what is wider is a gangway.
//!
//! **The best** of the choices that there are is the one that comes first by
//!
//! 1. the number of rows: one if any row has so many, otherwise a block of as few rows as will do, at most
//!    [`ROWS_MAX`], in the same columns; all rows of a block are full but for one, which holds the rest side by side;
//! 2. how many accessible seats it uses up, unless they are asked for: those who need them come late, too;
//! 3. the sum of the squares of the distances to the best point of the hall: in the middle of its columns, two thirds
//!    of the way from the first row to the last one;
//! 4. the order of the categories as the hall lists them, the first row before the next, from left to right.
//!
//! So the same seats are chosen for the same hall whenever the same ones are free; the order of calls decides nothing.
//!
//! A block leaves nobody alone in a row unless one is left over; seats scattered over the hall are never "together".
//! There it ends: who does not get so many together is refused with SEATS_NOT_TOGETHER and may ask for fewer, or for
//! seats by name; where too few are free at all, with CELL_UNAVAILABLE and as many of the taken ones as were wanted. Where a hall does not allow single seats, see [`Plan::left_single`], the best is the best of those
//! choices that leave none; where every choice leaves one the refusal is LEAVES_SINGLE_SEAT.

mod choice;
mod single;
#[cfg(test)]
mod tests;

use super::{
    catalogue::Seat,
    cell::CellRef,
    claim::SEATS_MAX,
    name::{ScreeningId, SeatId},
    refusal::{Denial, Reason},
    violation::{Fault, Violation},
};

/// Most rows that a party is spread over.
pub const ROWS_MAX: usize = 5;

/// What seats are wanted.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Wish {
    /// How many, 1 to [`SEATS_MAX`].
    pub count: usize,
    /// Only seats of this category.
    pub category: Option<String>,
    /// Only seats that a wheelchair gets to.
    pub accessible: bool,
}

impl Wish {
    /// A wish as the contract has it: an empty category is any.
    pub fn parse(count: i32, category: &str, accessible: bool) -> Result<Self, Violation> {
        match usize::try_from(count) {
            Ok(count) if (1..=SEATS_MAX).contains(&count) => Ok(Self {
                count,
                category: (!category.is_empty()).then(|| category.to_owned()),
                accessible,
            }),
            _ => {
                let description = format!("must be 1 to {SEATS_MAX}");
                Err(Violation::new("count", Fault::Range, description))
            }
        }
    }

    fn allows(&self, seat: &Seat) -> bool {
        let of_category = |category: &String| *category == seat.category;
        self.category.as_ref().is_none_or(of_category) && (seat.accessible || !self.accessible)
    }
}

/// The seats of a hall by rows; worked out once a hall.
#[derive(Clone, Debug)]
pub struct Plan {
    rows: Vec<Row>,
}

/// Seats side by side, or with aisles between them, from left to right.
#[derive(Clone, Debug)]
struct Row {
    places: Vec<Place>,
    /// The row before this one, if any, is adjacent.
    adjoins: bool,
}

#[derive(Clone, Debug)]
struct Place {
    seat: Seat,
    /// The place before this one, if any, is a neighbour.
    adjoins: bool,
    /// The square of six times its distance to the best point.
    distance: i64,
    /// Of its category in the order of the hall.
    rank: i64,
}

impl Plan {
    /// The plan of a hall with these seats: no two at the same place, coordinates at most thousands.
    pub fn new(seats: &[Seat]) -> Self {
        let mut listed: Vec<&Seat> = seats.iter().collect();
        listed.sort_by_key(|seat| seat.index);
        let mut categories: Vec<&str> = Vec::new();
        for seat in &listed {
            if !categories.contains(&seat.category.as_str()) {
                categories.push(&seat.category);
            }
        }
        let center = Center::of(seats);
        let place = |seat: &Seat| Place {
            seat: seat.clone(),
            adjoins: false,
            distance: center.distance(seat),
            rank: categories
                .iter()
                .zip(0..)
                .find_map(|(it, rank)| (*it == seat.category).then_some(rank))
                .unwrap_or(0),
        };
        listed.sort_by_key(|seat| (seat.y, seat.x));
        let rows = listed.chunk_by(|a, b| a.y == b.y);
        let rows = rows.map(|row| Row {
            places: row.iter().copied().map(place).collect(),
            adjoins: false,
        });
        let mut plan = Self {
            rows: rows.collect(),
        };
        plan.join();
        plan
    }

    /// Finds out what adjoins.
    fn join(&mut self) {
        let lines = self.rows.iter().map(|row| row.places[0].seat.y);
        let lines = adjoining(&lines.collect::<Vec<_>>());
        for (row, adjoins) in self.rows.iter_mut().zip(lines) {
            row.adjoins = adjoins;
        }
        for row in &mut self.rows {
            let columns: Vec<_> = row.places.iter().map(|place| place.seat.x).collect();
            let labels: Vec<_> = row.places.iter().map(|it| it.seat.row.clone()).collect();
            for (at, adjoins) in adjoining(&columns).into_iter().enumerate() {
                row.places[at].adjoins = adjoins && labels[at] == labels[at - 1];
            }
        }
    }

    /// The best seats for that wish, row by row from left to right, or why there are none: CELL_UNAVAILABLE where too few
    /// are free in all, SEATS_NOT_TOGETHER, or LEAVES_SINGLE_SEAT where single seats are not allowed. `free` tells
    /// whether a seat can be had.
    pub fn best(
        &self,
        screening: &ScreeningId,
        wish: &Wish,
        no_single_seats: bool,
        free: impl Fn(&Seat) -> bool,
    ) -> Result<Vec<SeatId>, Denial> {
        let hall = choice::Vacancy::new(self, wish, &free);
        let wanted = wish.count;
        let available = hall.available();
        if available < wanted {
            let message = format!("{available} such seats are free, {wanted} wanted");
            let mut denial = counted(Reason::CellUnavailable, message, available, wanted);
            let places = self.rows.iter().flat_map(|row| &row.places);
            let seats = places.map(|place| &place.seat);
            let taken = seats.filter(|seat| wish.allows(seat) && !free(seat));
            denial.cells = cells(screening, taken.take(wanted), "is not free");
            return Err(denial);
        }
        if let Some(seats) = hall.best(no_single_seats) {
            return Ok(seats);
        }
        if no_single_seats && let Some(seats) = hall.best(false) {
            self.no_single_seat(screening, &seats, &free)?;
        }
        let message = format!("{available} such seats are free, but not {wanted} together");
        Err(counted(
            Reason::SeatsNotTogether,
            message,
            available,
            wanted,
        ))
    }

    /// Refuses a choice of seats that leaves one single where that can be avoided; see [`Plan::left_single`].
    pub fn no_single_seat(
        &self,
        screening: &ScreeningId,
        chosen: &[SeatId],
        free: impl Fn(&Seat) -> bool,
    ) -> Result<(), Denial> {
        let single = self.left_single(chosen, free);
        if single.is_empty() {
            return Ok(());
        }
        Err(leaves_single(screening, &single))
    }
}

fn counted(reason: Reason, message: String, free: usize, wanted: usize) -> Denial {
    Denial::new(reason, message)
        .with("free", free)
        .with("wanted", wanted)
}

fn leaves_single(screening: &ScreeningId, seats: &[&Seat]) -> Denial {
    let labels: Vec<_> = seats.iter().map(|seat| seat.id.to_string()).collect();
    let message = format!("would leave single seats: {}", labels.join(", "));
    let mut denial = Denial::new(Reason::LeavesSingleSeat, message);
    denial.cells = cells(screening, seats.iter().copied(), "would be left single");
    denial
}

fn cells<'a>(
    screening: &ScreeningId,
    seats: impl Iterator<Item = &'a Seat>,
    why: &str,
) -> Vec<(CellRef, String)> {
    let cell = |seat: &Seat| CellRef::Seat {
        screening: screening.clone(),
        seat: seat.id.clone(),
    };
    seats.map(|seat| (cell(seat), why.to_owned())).collect()
}

/// Which of some ascending coordinates are as near to the one before as any two are.
fn adjoining(coordinates: &[i64]) -> Vec<bool> {
    let steps = || coordinates.windows(2).map(|pair| pair[1] - pair[0]);
    let nearest = steps().min();
    let adjoins = steps().map(|step| Some(step) == nearest);
    std::iter::once(false).chain(adjoins).collect()
}

/// Where one sits best, in sixths of a seat: so the middle and two thirds are whole numbers.
struct Center {
    x: i64,
    y: i64,
}

impl Center {
    fn of(seats: &[Seat]) -> Self {
        let (left, right) = span(seats.iter().map(|seat| seat.x));
        let (first, last) = span(seats.iter().map(|seat| seat.y));
        Self {
            x: 3 * (left + right),
            y: 2 * first + 4 * last,
        }
    }

    fn distance(&self, seat: &Seat) -> i64 {
        let (dx, dy) = (6 * seat.x - self.x, 6 * seat.y - self.y);
        dx * dx + dy * dy
    }
}

fn span(coordinates: impl Iterator<Item = i64> + Clone) -> (i64, i64) {
    let first = coordinates.clone().min().unwrap_or(0);
    (first, coordinates.max().unwrap_or(0))
}
