//! Which events of a delivery are new, and what they come to together.
//!
//! The feed may deliver an event again (after a reconnect, or because a second replica was faster), so an event at or
//! before the cursor is skipped. It may never leave one out: a gap refuses the whole delivery, because facts with a
//! hole look exactly like facts without one. Another incarnation is another order and is refused too; the follower
//! then starts from zero. Events of a snapshot leave out what they have overtaken, and only they may: each is taken where
//! it is after the cursor, so that a consumer that is behind goes on with the snapshot where it stands.
//!
//! The fold keeps the last word on each hotel, room type, screening and booking and adds up denied demand, so that a
//! batch costs a constant number of statements and applying events one by one comes to the same.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{
    change::{Booking, Cell, Change, Event, Hotel, Position, RoomType, Screening},
    name::{BookingName, HotelName, RoomTypeName, ScreeningName},
};

/// How far the feed has been applied.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Cursor {
    /// Of which database; `None` before the first event.
    pub incarnation: Option<String>,
    /// The last applied sequence; 0 before the first event.
    pub sequence: i64,
    /// The decision time of that event.
    pub decide_time: Option<Timestamp>,
    /// The last sequence that the feed was known to have.
    pub head: i64,
}

impl Cursor {
    /// Where to read on after; `None` asks for everything.
    #[must_use]
    pub fn position(&self) -> Option<Position> {
        self.incarnation.clone().map(|incarnation| Position {
            incarnation,
            sequence: self.sequence,
        })
    }

    /// How many commits the feed was known to be ahead.
    #[must_use]
    pub fn lag(&self) -> i64 {
        (self.head - self.sequence).max(0)
    }
}

/// What a run of new events comes to.
#[derive(Debug, Clone, PartialEq)]
pub struct Batch {
    /// The cursor once this is applied.
    pub cursor: Cursor,
    /// How many events are in it.
    pub applied: u64,
    /// How many had been applied before.
    pub skipped: u64,
    /// The last word on each.
    pub hotels: BTreeMap<HotelName, Hotel>,
    /// The last word on each.
    pub room_types: BTreeMap<RoomTypeName, RoomType>,
    /// The last word on each.
    pub screenings: BTreeMap<ScreeningName, Screening>,
    /// The last word on each; replaces all earlier claims of the booking.
    pub bookings: BTreeMap<BookingName, Booking>,
    /// Refused requests by cell and reason.
    pub denied: BTreeMap<(Cell, String), Refused>,
}

/// Refused requests of one cell and one reason.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Refused {
    /// How many.
    pub count: i64,
    /// These are all there were, in place of what is known; else they come on top of it.
    pub in_all: bool,
}

/// Why a delivery cannot be applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum BatchError {
    /// An event is missing.
    #[error("the feed skipped from sequence {after} to {next}")]
    Gap {
        /// The last event that is known.
        after: i64,
        /// The one that came.
        next: i64,
    },
    /// The events are of another order.
    #[error("the feed is of incarnation `{found}`, the facts are of `{known}`")]
    OtherIncarnation {
        /// Of the facts.
        known: String,
        /// Of the event.
        found: String,
    },
}

impl Batch {
    /// Decides what `events` mean after `cursor`. `head` is the feed's last known sequence. Nothing is skipped silently:
    /// either every event is at or before the cursor, or the next one follows it directly.
    pub fn after(cursor: &Cursor, events: &[Event], head: i64) -> Result<Self, BatchError> {
        let mut batch = Self {
            cursor: cursor.clone(),
            applied: 0,
            skipped: 0,
            hotels: BTreeMap::new(),
            room_types: BTreeMap::new(),
            screenings: BTreeMap::new(),
            bookings: BTreeMap::new(),
            denied: BTreeMap::new(),
        };
        for event in events {
            batch.take(event)?;
        }
        batch.cursor.head = batch.cursor.head.max(head).max(batch.cursor.sequence);
        Ok(batch)
    }

    fn take(&mut self, event: &Event) -> Result<(), BatchError> {
        let Position {
            incarnation,
            sequence,
        } = &event.position;
        let known = self
            .cursor
            .incarnation
            .get_or_insert_with(|| incarnation.clone());
        if known != incarnation {
            return Err(BatchError::OtherIncarnation {
                known: known.clone(),
                found: incarnation.clone(),
            });
        }
        let after = self.cursor.sequence;
        if *sequence <= after {
            self.skipped += 1;
            return Ok(());
        }
        if !event.snapshot && *sequence != after + 1 {
            return Err(BatchError::Gap {
                after,
                next: *sequence,
            });
        }
        self.cursor.sequence = *sequence;
        self.cursor.decide_time = Some(event.decide_time);
        self.applied += 1;
        self.fold(event.change.clone(), event.snapshot);
        Ok(())
    }

    fn fold(&mut self, change: Change, snapshot: bool) {
        match change {
            Change::Hotel(hotel) => {
                self.hotels.insert(hotel.name.clone(), hotel);
            }
            Change::RoomType(room_type) => {
                self.room_types.insert(room_type.name.clone(), room_type);
            }
            Change::Screening(screening) => {
                self.screenings.insert(screening.name.clone(), screening);
            }
            Change::Booking(booking) => {
                self.bookings.insert(booking.name.clone(), booking);
            }
            Change::Denied(denied) => {
                let refused = self.denied.entry((denied.cell, denied.reason)).or_default();
                if snapshot {
                    *refused = Refused {
                        count: 0,
                        in_all: true,
                    };
                }
                refused.count += denied.count;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn event(incarnation: &str, sequence: i64) -> Event {
        Event {
            position: Position {
                incarnation: incarnation.to_owned(),
                sequence,
            },
            decide_time: Timestamp::from_second(sequence).unwrap(),
            change: Change::RoomType(RoomType {
                name: RoomTypeName::parse("hotels/h/roomTypes/r").unwrap(),
                capacity: sequence,
            }),
            snapshot: false,
        }
    }

    fn denied(sequence: i64, count: i64, snapshot: bool) -> Event {
        Event {
            change: Change::Denied(super::super::change::Denied {
                cell: Cell::Night(
                    RoomTypeName::parse("hotels/h/roomTypes/r").unwrap(),
                    super::super::name::Night::parse("2026-01-01").unwrap(),
                ),
                reason: "CELL_UNAVAILABLE".to_owned(),
                count,
            }),
            snapshot,
            ..event("a", sequence)
        }
    }

    fn cursor(sequence: i64) -> Cursor {
        Cursor {
            incarnation: Some("a".to_owned()),
            sequence,
            ..Cursor::default()
        }
    }

    #[test]
    fn the_first_event_names_the_incarnation() {
        let batch = Batch::after(&Cursor::default(), &[event("a", 1), event("a", 2)], 7).unwrap();
        assert_eq!(batch.cursor.incarnation.as_deref(), Some("a"));
        assert_eq!((batch.cursor.sequence, batch.cursor.lag()), (2, 5));
    }

    #[test]
    fn events_that_were_applied_are_skipped_and_the_rest_is_taken() {
        let events = [event("a", 3), event("a", 4), event("a", 5)];
        let batch = Batch::after(&cursor(4), &events, 5).unwrap();
        assert_eq!((batch.skipped, batch.applied), (2, 1));
        let room_type = batch.room_types.values().next().unwrap();
        assert_eq!(room_type.capacity, 5);
    }

    #[test]
    fn a_gap_refuses_the_whole_delivery() {
        for (after, events) in [(0, vec![2]), (4, vec![6]), (4, vec![5, 7])] {
            let events: Vec<Event> = events.into_iter().map(|n| event("a", n)).collect();
            let error = Batch::after(&cursor(after), &events, 9).unwrap_err();
            assert!(matches!(error, BatchError::Gap { .. }), "{error}");
        }
    }

    #[test]
    fn another_incarnation_is_refused_even_where_its_sequence_would_fit() {
        let error = Batch::after(&cursor(4), &[event("b", 5)], 5).unwrap_err();
        assert_eq!(
            error.to_string(),
            "the feed is of incarnation `b`, the facts are of `a`"
        );
    }

    #[test]
    fn denied_demand_adds_up_within_a_delivery() {
        let events = [denied(1, 2, false), denied(2, 3, false)];
        let batch = Batch::after(&cursor(0), &events, 2).unwrap();
        let refused = batch.denied.values().next().unwrap();
        assert_eq!((refused.count, refused.in_all), (5, false));
    }

    #[test]
    fn a_snapshot_leaves_events_out_and_replaces_what_was_counted() {
        let events = [
            denied(5, 7, false),
            denied(8, 40, true),
            denied(9, 2, false),
        ];
        let batch = Batch::after(&cursor(4), &events, 9).unwrap();
        let refused = batch.denied.values().next().unwrap();
        assert_eq!((refused.count, refused.in_all), (42, true));
        assert_eq!((batch.applied, batch.cursor.sequence), (3, 9));

        let again = Batch::after(&cursor(9), &events[1..], 9).unwrap();
        assert_eq!((again.applied, again.skipped), (0, 2));
        let gap = [denied(8, 40, true), denied(10, 2, false)];
        assert!(Batch::after(&cursor(4), &gap, 10).is_err());
    }
}
