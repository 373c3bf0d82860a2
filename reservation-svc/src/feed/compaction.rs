//! What is left of a run of events: the last one of each thing. Pure.

use std::collections::BTreeMap;

use banyan_proto::reservation::v1::{self, feed_event::Event};
use prost::Message as _;

use crate::store::{SnapshotRow, StoreError, StoredEvent};

/// A run of events, each thing's last one.
#[derive(Debug, Default)]
pub(super) struct Compaction {
    /// The sequence of the last event of the run.
    pub(super) upto: i64,
    /// As they were stored, by thing.
    last: BTreeMap<String, StoredEvent>,
    /// Refusals, added up by cell and reason.
    denied: BTreeMap<String, v1::FeedEvent>,
}

impl Compaction {
    /// Compacts the events that directly follow that sequence.
    pub(super) fn of(after: i64, events: Vec<StoredEvent>) -> Result<Self, StoreError> {
        let mut compaction = Self {
            upto: after,
            ..Self::default()
        };
        for stored in events {
            // A hole would be gone for good, and nobody would ever know.
            if stored.sequence != compaction.upto + 1 {
                let found = format!("{} after {}", stored.sequence, compaction.upto);
                return Err(StoreError::corrupt("order of events", found));
            }
            compaction.upto = stored.sequence;
            compaction.take(stored)?;
        }
        Ok(compaction)
    }

    fn take(&mut self, stored: StoredEvent) -> Result<(), StoreError> {
        let event = decode(&stored.event)?;
        let thing = thing(&event)?;
        match &event.event {
            Some(Event::DemandDenied(_)) => self.deny(thing, event),
            _ => {
                self.last.insert(thing, stored);
            }
        }
        Ok(())
    }

    /// The later event, with the sum of both counts.
    fn deny(&mut self, thing: String, mut event: v1::FeedEvent) {
        let Some(known) = self.denied.get_mut(&thing) else {
            self.denied.insert(thing, event);
            return;
        };
        if sequence(&event) < sequence(known) {
            std::mem::swap(known, &mut event);
        }
        let before = count(known);
        if let Some(Event::DemandDenied(denied)) = &mut event.event {
            denied.count += before;
        }
        *known = event;
    }

    /// The things whose earlier snapshot counts, too.
    pub(super) fn counted(&self) -> Vec<&str> {
        self.denied.keys().map(String::as_str).collect()
    }

    /// Adds what the snapshot has of them so far.
    pub(super) fn add(&mut self, known: Vec<Vec<u8>>) -> Result<(), StoreError> {
        for bytes in known {
            let event = decode(&bytes)?;
            self.deny(thing(&event)?, event);
        }
        Ok(())
    }

    /// What the snapshot is to have of each thing from now on.
    pub(super) fn rows(self) -> Vec<SnapshotRow> {
        let last = self.last.into_iter().map(|(thing, stored)| SnapshotRow {
            thing,
            sequence: stored.sequence,
            event: stored.event,
        });
        let denied = self.denied.into_iter().map(|(thing, event)| SnapshotRow {
            thing,
            sequence: sequence(&event),
            event: event.encode_to_vec(),
        });
        last.chain(denied).collect()
    }
}

fn decode(bytes: &[u8]) -> Result<v1::FeedEvent, StoreError> {
    v1::FeedEvent::decode(bytes).map_err(|error| StoreError::corrupt("event", error))
}

fn sequence(event: &v1::FeedEvent) -> i64 {
    event.position.as_ref().map_or(0, |it| it.sequence)
}

fn count(event: &v1::FeedEvent) -> i64 {
    match &event.event {
        Some(Event::DemandDenied(denied)) => denied.count,
        _ => 0,
    }
}

/// What an event is about: the one thing whose state it replaces, or whose count it raises.
fn thing(event: &v1::FeedEvent) -> Result<String, StoreError> {
    Ok(match &event.event {
        Some(Event::HotelChanged(it)) => it.hotel.clone(),
        Some(Event::RoomTypeChanged(it)) => it.room_type.clone(),
        Some(Event::ScreeningChanged(it)) => it.screening.clone(),
        Some(Event::BookingChanged(it)) => it.booking.clone(),
        Some(Event::DemandDenied(it)) => {
            let cell = it.cell.as_ref().and_then(|it| it.cell.as_ref());
            let cell = match cell {
                Some(v1::cell_ref::Cell::Night(it)) => {
                    format!("{}/nights/{}", it.room_type, it.date)
                }
                Some(v1::cell_ref::Cell::Seat(it)) => {
                    format!("{}/seats/{}", it.screening, it.seat)
                }
                None => return Err(StoreError::corrupt("refusal", "without a cell")),
            };
            format!("denied/{}/{cell}", it.reason)
        }
        // Written by a later version: what this one does not know it must not drop.
        None => return Err(StoreError::corrupt("event", "of an unknown kind")),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn stored(sequence: i64, event: Event) -> StoredEvent {
        let event = v1::FeedEvent {
            position: Some(v1::CommitPosition {
                incarnation: "i".into(),
                sequence,
            }),
            event: Some(event),
            ..Default::default()
        };
        StoredEvent {
            sequence,
            event: event.encode_to_vec(),
        }
    }

    fn room_type(capacity: i32) -> Event {
        Event::RoomTypeChanged(v1::RoomTypeChanged {
            room_type: "hotels/h/roomTypes/r".into(),
            capacity,
        })
    }

    fn denied(seat: &str, reason: &str, count: i64) -> Event {
        let seat = v1::SeatCell {
            screening: "cinemas/c/screenings/1".into(),
            seat: seat.into(),
        };
        Event::DemandDenied(v1::DemandDenied {
            cell: Some(v1::CellRef {
                cell: Some(v1::cell_ref::Cell::Seat(seat)),
            }),
            reason: reason.into(),
            count,
        })
    }

    /// Sequence and count or capacity of each row.
    fn told(compaction: Compaction) -> Vec<(i64, i64)> {
        let mut rows = compaction.rows();
        rows.sort_by_key(|row| row.sequence);
        let told = rows.into_iter().map(|row| {
            let event = decode(&row.event).unwrap();
            assert_eq!(sequence(&event), row.sequence);
            let value = match event.event.unwrap() {
                Event::RoomTypeChanged(it) => i64::from(it.capacity),
                Event::DemandDenied(it) => it.count,
                other => panic!("{other:?}"),
            };
            (row.sequence, value)
        });
        told.collect()
    }

    #[test]
    fn the_last_state_stays_and_refusals_add_up() {
        let events = vec![
            stored(4, room_type(1)),
            stored(5, denied("A1", "CELL_UNAVAILABLE", 2)),
            stored(6, denied("A1", "NOT_SOLD", 9)),
            stored(7, room_type(3)),
            stored(8, denied("A1", "CELL_UNAVAILABLE", 5)),
            stored(9, denied("A2", "CELL_UNAVAILABLE", 1)),
        ];
        let mut compaction = Compaction::of(3, events).unwrap();
        assert_eq!(compaction.upto, 9);
        assert_eq!(compaction.counted().len(), 3);
        let known = vec![stored(2, denied("A1", "CELL_UNAVAILABLE", 100)).event];
        compaction.add(known).unwrap();
        assert_eq!(told(compaction), [(6, 9), (7, 3), (8, 107), (9, 1)]);
    }

    #[test]
    fn nothing_is_compacted_over_a_hole_or_of_an_unknown_kind() {
        for (after, at) in [(3, 5), (3, 3)] {
            let events = vec![stored(at, room_type(1))];
            assert!(Compaction::of(after, events).is_err(), "{at} after {after}");
        }
        let unknown = v1::FeedEvent::default().encode_to_vec();
        let unknown = StoredEvent {
            sequence: 1,
            event: unknown,
        };
        assert!(Compaction::of(0, vec![unknown]).is_err());
    }
}
