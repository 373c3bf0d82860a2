//! The search for the best seats: every window of every row, then blocks of rows. Its cost is that of looking at each
//! seat of the hall a few times, once a number of rows.

use std::ops::{Add, Range};

use super::{Place, Plan, ROWS_MAX, Row, Wish, single};
use crate::domain::{catalogue::Seat, name::SeatId};

/// A hall with some seats free, as somebody sees it who has a wish.
pub(super) struct Vacancy<'a> {
    plan: &'a Plan,
    wish: &'a Wish,
    rows: Vec<Vec<Spot>>,
}

/// What there is to know of a place.
#[derive(Clone, Copy)]
struct Spot {
    /// The run of free seats that it is in: where it starts and where it ends; empty where it is taken.
    run: (usize, usize),
    /// It is free and what is wished for.
    wanted: bool,
}

/// How bad a choice is; the least is the best.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Score {
    accessible: i64,
    distance: i64,
    rank: i64,
}

impl Add for Score {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self {
            accessible: self.accessible + other.accessible,
            distance: self.distance + other.distance,
            rank: self.rank + other.rank,
        }
    }
}

/// Places side by side of one row.
type Piece = (usize, Range<usize>);

impl<'a> Vacancy<'a> {
    pub(super) fn new(plan: &'a Plan, wish: &'a Wish, free: impl Fn(&Seat) -> bool) -> Self {
        let spots = |row: &Row| {
            let free: Vec<bool> = row.places.iter().map(|it| free(&it.seat)).collect();
            let mut spots = Vec::with_capacity(free.len());
            let mut start = 0;
            while start < free.len() {
                let mut end = start + 1;
                while free[start] && end < free.len() && free[end] && row.places[end].adjoins {
                    end += 1;
                }
                let run = if free[start] { (start, end) } else { (0, 0) };
                spots.extend(row.places[start..end].iter().map(|place| Spot {
                    run,
                    wanted: free[start] && wish.allows(&place.seat),
                }));
                start = end;
            }
            spots
        };
        Self {
            plan,
            wish,
            rows: plan.rows.iter().map(spots).collect(),
        }
    }

    /// How many seats there are to choose from.
    pub(super) fn available(&self) -> usize {
        self.rows.iter().flatten().filter(|it| it.wanted).count()
    }

    /// The best choice, row by row from left to right.
    pub(super) fn best(&self, no_single_seats: bool) -> Option<Vec<SeatId>> {
        let block = || (2..=ROWS_MAX).find_map(|rows| self.best_of(rows, no_single_seats));
        let pieces = self.best_in_row(no_single_seats).or_else(block)?;
        let places = pieces
            .into_iter()
            .flat_map(|(row, piece)| &self.plan.rows[row].places[piece]);
        Some(places.map(|place| place.seat.id.clone()).collect())
    }

    /// The best choice within a row: of equal ones the first.
    fn best_in_row(&self, no_single_seats: bool) -> Option<Vec<Piece>> {
        let width = self.wish.count;
        let pieces = self.rows.iter().enumerate().flat_map(|(row, spots)| {
            let starts = 0..(spots.len() + 1).saturating_sub(width);
            let pieces = starts.map(move |start| start..start + width);
            let together = pieces.filter(|piece| are_together(&spots[piece.clone()]));
            together.map(move |piece| (row, piece))
        });
        let scored = pieces.filter_map(|it| Some((self.score(&it, no_single_seats)?, it)));
        let (_, best) = scored.min_by_key(|(score, _)| *score)?;
        Some(vec![best])
    }

    /// The best choice of exactly so many rows, more than one.
    fn best_of(&self, rows: usize, no_single_seats: bool) -> Option<Vec<Piece>> {
        let count = self.wish.count;
        let width = count.div_ceil(rows);
        // So many rows are not needed for seats in as many columns.
        let rest = count.checked_sub(width * (rows - 1)).filter(|it| *it > 0)?;
        let score = |piece: &Piece| self.score(piece, no_single_seats);
        let mut best: Option<(Score, Vec<Piece>)> = None;
        for first in 0..=self.rows.len().checked_sub(rows)? {
            let block = first..first + rows;
            let wanted = |row: usize| self.rows[row].iter().filter(|it| it.wanted).count();
            let adjacent = block.clone().skip(1).all(|row| self.plan.rows[row].adjoins);
            if !adjacent || block.clone().map(wanted).sum::<usize>() < count {
                continue;
            }
            for columns in self.columns(&block, width) {
                for pieces in self.fillings(&block, columns, rest) {
                    let scores = pieces.iter().map(score);
                    let Some(total) = scores.reduce(|a, b| Some(a? + b?)).flatten() else {
                        continue;
                    };
                    if best.as_ref().is_none_or(|(least, _)| total < *least) {
                        best = Some((total, pieces));
                    }
                }
            }
        }
        best.map(|(_, pieces)| pieces)
    }

    /// Every so many columns side by side of a block, as places of its first row or, where that one is the row that is
    /// not full, of its second.
    fn columns(&self, block: &Range<usize>, width: usize) -> Vec<&'a [Place]> {
        let of_row = |row: usize| self.plan.rows[row].places.windows(width);
        let (first, second) = (block.start, block.start + 1);
        let others = of_row(second).filter(|it| self.piece(first, it).is_none());
        of_row(first).chain(others).collect()
    }

    /// Every way to fill these columns of a block with one row that has only the rest.
    fn fillings(&self, block: &Range<usize>, columns: &[Place], rest: usize) -> Vec<Vec<Piece>> {
        let full: Vec<_> = block.clone().map(|row| self.piece(row, columns)).collect();
        if rest == columns.len() {
            return full
                .into_iter()
                .collect::<Option<_>>()
                .into_iter()
                .collect();
        }
        let mut fillings = Vec::new();
        for short in block.clone() {
            let others = || {
                full.iter()
                    .zip(block.clone())
                    .filter(|(_, row)| *row != short)
            };
            if others().any(|(piece, _)| piece.is_none()) {
                continue;
            }
            for part in columns.windows(rest) {
                let Some(part) = self.piece(short, part) else {
                    continue;
                };
                let rows = block.clone().zip(&full);
                let pieces = rows.map(|(row, piece)| match row == short {
                    true => Some(part.clone()),
                    false => piece.clone(),
                });
                fillings.extend(pieces.collect::<Option<Vec<_>>>());
            }
        }
        fillings
    }

    /// The places of a row in these columns, if they are all free and wanted, side by side.
    fn piece(&self, row: usize, columns: &[Place]) -> Option<Piece> {
        let places = &self.plan.rows[row].places;
        let left = columns.first()?.seat.x;
        let start = places.partition_point(|place| place.seat.x < left);
        let piece = start..start + columns.len();
        let spots = self.rows[row].get(piece.clone())?;
        let same = |(a, b): (&Place, &Place)| a.seat.x == b.seat.x;
        let aligned = places[piece.clone()].iter().zip(columns).all(same);
        (aligned && are_together(spots)).then_some((row, piece))
    }

    /// How bad the places of a piece are; nothing if they may not be taken.
    fn score(&self, (row, piece): &Piece, no_single_seats: bool) -> Option<Score> {
        let (start, end) = self.rows[*row][piece.start].run;
        let (before, after) = (piece.start - start, end - piece.end);
        let leaves_single = before == 1 || after == 1;
        if no_single_seats && leaves_single && !single::unavoidable(before + after) {
            return None;
        }
        let places = &self.plan.rows[*row].places[piece.clone()];
        let spent = |place: &&Place| place.seat.accessible && !self.wish.accessible;
        Some(Score {
            accessible: places.iter().filter(spent).map(|_| 1).sum(),
            distance: places.iter().map(|place| place.distance).sum(),
            rank: places.iter().map(|place| place.rank).sum(),
        })
    }
}

/// Whether these are all free, wished for, and side by side.
fn are_together(spots: &[Spot]) -> bool {
    spots.iter().all(|it| it.wanted && it.run == spots[0].run)
}
