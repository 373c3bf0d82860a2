//! What a claim comes to: its cells with their prices, and whether they can be had.
//!
//! An [`Offer`] is built from the catalogue; [`Offer::take`] decides it over the cells as they are. All or nothing: the
//! answer is every item or every cell that stands in the way.

use std::collections::HashMap;

use jiff::Timestamp;

use super::{
    booking::Item,
    catalogue::{Cinema, Hotel, Movie, RoomType, Screening, Seat, SeatPrice},
    cell::{Block, Cell, CellKey, CellRef, PoolId, Slot},
    claim::Stay,
    money::{Currency, Money},
    name::Venue,
    rate::{self, Rate},
    refusal::{Denial, Reason},
};

/// A claim looked up in the catalogue.
#[derive(Clone, Debug)]
pub struct Offer {
    /// Where.
    pub venue: Venue,
    /// What guests call the venue.
    pub venue_display_name: String,
    /// What is sold, for people.
    pub title: String,
    /// When the screening starts; nothing for a stay.
    pub starts_at: Option<Timestamp>,
    /// Of its prices.
    pub currency: Currency,
    /// How much of each cell.
    pub quantity: i64,
    /// Its cells, in the order asked for.
    pub cells: Vec<OfferedCell>,
}

/// One cell of an offer.
#[derive(Clone, Debug)]
pub struct OfferedCell {
    /// Which.
    pub key: CellKey,
    /// What it is called.
    pub cell: CellRef,
    /// How much there is when nobody has touched it yet.
    pub capacity: i64,
    /// Price of one; nothing where it is not sold.
    pub price_minor: Option<i64>,
}

/// What was decided to be taken.
#[derive(Clone, Debug)]
pub struct Taken {
    /// One item a cell, in the order asked for, numbered from the number given.
    pub items: Vec<Item>,
    /// Their sum.
    pub total: Money,
}

impl Taken {
    /// Numbers the items anew, after `last_item`.
    pub fn renumber(&mut self, last_item: i64) {
        for (number, item) in (last_item + 1..).zip(&mut self.items) {
            item.number = number;
        }
    }
}

impl Offer {
    /// Nights of a room type. `rates` is in the order in which they were set.
    pub fn stay(hotel: &Hotel, room_type: &RoomType, rates: &[Rate], stay: &Stay) -> Self {
        let cells = stay.nights.iter().map(|date| OfferedCell {
            key: CellKey {
                pool: room_type.pool,
                slot: Slot::of_night(date),
            },
            cell: CellRef::Night {
                room_type: room_type.id.clone(),
                date,
            },
            capacity: room_type.capacity,
            price_minor: rate::price_of(rates, room_type.pool, date),
        });
        Self {
            venue: Venue::Hotel(hotel.id.clone()),
            venue_display_name: hotel.display_name.clone(),
            title: room_type.display_name.clone(),
            starts_at: None,
            currency: hotel.currency,
            quantity: stay.rooms,
            cells: cells.collect(),
        }
    }

    /// Seats at a screening, in the order asked for.
    pub fn seats(
        cinema: &Cinema,
        movie: &Movie,
        screening: &Screening,
        seats: &[&Seat],
        prices: &[SeatPrice],
    ) -> Self {
        let cells = seats.iter().map(|seat| OfferedCell {
            key: CellKey {
                pool: seat.pool,
                slot: Slot(screening.id.number),
            },
            cell: CellRef::Seat {
                screening: screening.id.clone(),
                seat: seat.id.clone(),
            },
            capacity: 1,
            price_minor: price_of(prices, &seat.category),
        });
        Self {
            venue: Venue::Cinema(cinema.id.clone()),
            venue_display_name: cinema.display_name.clone(),
            title: movie.title.clone(),
            starts_at: Some(screening.starts_at),
            currency: cinema.currency,
            quantity: 1,
            cells: cells.collect(),
        }
    }

    /// The cells it is about.
    pub fn block(&self) -> Block {
        let mut pools: Vec<PoolId> = self.cells.iter().map(|cell| cell.key.pool).collect();
        pools.sort_unstable();
        pools.dedup();
        let slots = || self.cells.iter().map(|cell| cell.key.slot);
        let first = slots().min().unwrap_or(Slot(0));
        let end = slots().max().map_or(first, Slot::next);
        Block {
            pools,
            slots: first..end,
        }
    }

    /// Takes all of it, or says what stands in the way. `cell` tells those that exist; `own` is what the same booking has
    /// of them and gives back; items are numbered after `last_item`.
    pub fn take(
        &self,
        cell: impl Fn(CellKey) -> Option<Cell>,
        own: &HashMap<CellKey, i64>,
        last_item: i64,
    ) -> Result<Taken, Denial> {
        self.all_priced()?;
        self.all_free(cell, own)?;
        let mut items = Vec::with_capacity(self.cells.len());
        for (number, cell) in (last_item + 1..).zip(&self.cells) {
            items.push(Item {
                number,
                key: cell.key,
                cell: cell.cell.clone(),
                quantity: self.quantity,
                price_minor: cell.price_minor.unwrap_or(0) * self.quantity,
            });
        }
        let total = items.iter().map(|item| item.price_minor).sum();
        Ok(Taken {
            items,
            total: Money::new(self.currency, total),
        })
    }

    fn all_priced(&self) -> Result<(), Denial> {
        let unpriced = self.cells.iter().filter(|cell| cell.price_minor.is_none());
        let cells: Vec<_> = unpriced
            .map(|cell| (cell.cell.clone(), "has no price".to_owned()))
            .collect();
        deny(Reason::NotSold, "not sold", cells)
    }

    fn all_free(
        &self,
        stored: impl Fn(CellKey) -> Option<Cell>,
        own: &HashMap<CellKey, i64>,
    ) -> Result<(), Denial> {
        let mut lacking = Vec::new();
        for offered in &self.cells {
            let mut cell = stored(offered.key).unwrap_or(Cell {
                capacity: offered.capacity,
                taken: 0,
            });
            cell.taken -= own.get(&offered.key).copied().unwrap_or(0);
            if cell.free() < self.quantity {
                let why = format!("{} free, {} wanted", cell.free(), self.quantity);
                lacking.push((offered.cell.clone(), why));
            }
        }
        deny(Reason::CellUnavailable, "not available", lacking)
    }
}

/// The price of a category of seats.
pub fn price_of(prices: &[SeatPrice], category: &str) -> Option<i64> {
    let price = prices.iter().find(|price| price.category == category)?;
    Some(price.price_minor)
}

fn deny(reason: Reason, what: &str, cells: Vec<(CellRef, String)>) -> Result<(), Denial> {
    if cells.is_empty() {
        return Ok(());
    }
    let labels: Vec<_> = cells.iter().take(5).map(|(cell, _)| cell.label()).collect();
    let more = match cells.len() - labels.len() {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let message = format!("{what}: {}{more}", labels.join(", "));
    Err(Denial {
        cells,
        ..Denial::new(reason, message)
    })
}

#[cfg(test)]
mod tests {
    use jiff::civil::date;

    use super::*;
    use crate::domain::name::{HotelId, RoomTypeId};

    fn offer(quantity: i64, prices: [Option<i64>; 2]) -> Offer {
        let room_type = RoomTypeId {
            hotel: HotelId("a".into()),
            id: "b".into(),
        };
        let cells = [date(2026, 1, 1), date(2026, 1, 2)].into_iter().zip(prices);
        let cells = cells.map(|(date, price_minor)| OfferedCell {
            key: CellKey {
                pool: PoolId(1),
                slot: Slot::of_night(date),
            },
            cell: CellRef::Night {
                room_type: room_type.clone(),
                date,
            },
            capacity: 3,
            price_minor,
        });
        Offer {
            venue: Venue::Hotel(room_type.hotel.clone()),
            venue_display_name: String::new(),
            title: String::new(),
            starts_at: None,
            currency: Currency::parse("EUR").unwrap(),
            quantity,
            cells: cells.collect(),
        }
    }

    fn cells(taken: [i64; 2]) -> impl Fn(CellKey) -> Option<Cell> {
        let cells = taken_of(taken);
        move |key| cells.get(&key).copied()
    }

    fn taken_of(taken: [i64; 2]) -> HashMap<CellKey, Cell> {
        let keys = offer(1, [None, None])
            .cells
            .into_iter()
            .map(|cell| cell.key);
        keys.zip(taken)
            .map(|(key, taken)| (key, Cell { capacity: 3, taken }))
            .collect()
    }

    #[test]
    fn all_is_taken_at_the_price_of_each_cell() {
        let taken = offer(2, [Some(100), Some(150)])
            .take(cells([1, 0]), &HashMap::new(), 9)
            .unwrap();
        assert_eq!(taken.total.minor, 500);
        assert_eq!(
            taken
                .items
                .iter()
                .map(|item| item.number)
                .collect::<Vec<_>>(),
            [10, 11]
        );
    }

    #[test]
    fn one_full_cell_refuses_all_and_is_named() {
        let denial = offer(2, [Some(1), Some(1)])
            .take(cells([1, 2]), &HashMap::new(), 0)
            .unwrap_err();
        assert_eq!(denial.reason, Reason::CellUnavailable);
        assert_eq!(denial.cells.len(), 1);
        assert_eq!(
            denial.cells[0].0.to_string(),
            "hotels/a/roomTypes/b/nights/2026-01-02"
        );
        assert_eq!(denial.cells[0].1, "1 free, 2 wanted");
    }

    #[test]
    fn what_the_booking_has_itself_does_not_stand_in_its_way() {
        let own = taken_of([0, 0]).into_keys().map(|key| (key, 2)).collect();
        assert!(
            offer(2, [Some(1), Some(1)])
                .take(cells([3, 3]), &own, 0)
                .is_ok()
        );
        assert!(
            offer(3, [Some(1), Some(1)])
                .take(cells([3, 3]), &own, 0)
                .is_err()
        );
    }

    #[test]
    fn an_unpriced_cell_is_not_sold() {
        let denial = offer(1, [Some(1), None])
            .take(cells([0, 0]), &HashMap::new(), 0)
            .unwrap_err();
        assert_eq!(denial.reason, Reason::NotSold);
        assert_eq!(denial.message, "not sold: 2026-01-02");
    }

    #[test]
    fn an_untouched_cell_has_its_whole_capacity() {
        assert!(
            offer(3, [Some(1), Some(1)])
                .take(|_| None, &HashMap::new(), 0)
                .is_ok()
        );
        assert!(
            offer(4, [Some(1), Some(1)])
                .take(|_| None, &HashMap::new(), 0)
                .is_err()
        );
    }
}
