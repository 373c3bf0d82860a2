//! The room plan as it is now: who has which room, for certain or as planned, from today on.

use std::{collections::BTreeMap, ops::Range};

use banyan_proto::reservation::v1;
use jiff::{Timestamp, civil::Date};
use tonic::Status;

use crate::{
    domain::{
        booking::{Booking, BookingKind},
        cell::{Slot, night_of},
        claim::Claim,
        lodging::{self, Lodging, Unit},
        name::{BookingId, NameError, RoomTypeId},
    },
    grpc::{fields::Fields, hotel, status},
    inventory::Inventory,
    store::Session,
    wire,
};

const ROOM_TYPE: &str = "reservation.banyan/RoomType";
/// Most nights to show.
const NIGHTS_MAX: i64 = 366;

/// Reads the plan of a room type.
pub(super) async fn read(
    inventory: &Inventory,
    request: &v1::GetRoomPlanRequest,
) -> Result<v1::RoomPlan, Status> {
    let id = status::named("name", &request.name, ROOM_TYPE, room_type)?;
    let mut fields = Fields::default();
    let dates = fields.dates_within(&request.from_date, &request.to_date, NIGHTS_MAX);
    let (from, to) = fields.end_with(dates)?;
    let shown = Slot::of_night(from)..Slot::of_night(to);

    let session = inventory.store().read().await?;
    let found = session.room_type(&id).await?;
    let found = found.ok_or_else(|| status::not_found(ROOM_TYPE, vec![id.to_string()]))?;
    let hotel = hotel::hotel(&session, &id.hotel).await?;
    let head = session.head().await?;
    let now = inventory.now();
    let planned = Planned::load(&session, &id, now, hotel.today(now)).await?;
    let numbers = session.rooms_of(&[found.pool]).await?;
    let numbers = numbers.into_values().flatten().collect();
    let mut rows = planned.rows(&session, &id, numbers, &shown, now).await?;
    let names = rows.keys().cloned().collect::<Vec<_>>();
    let rows = names.into_iter().filter_map(|(_, number)| {
        let mut stays = rows.remove(&(number.len(), number.clone()))?;
        stays.sort_by(|a, b| a.check_in_date.cmp(&b.check_in_date));
        Some(v1::RoomPlanRow {
            room: format!("{}/rooms/{number}", id.hotel),
            stays,
        })
    });
    Ok(v1::RoomPlan {
        name: format!("{id}/roomPlan"),
        rows: rows.collect(),
        position: Some(wire::position(&head.incarnation, head.sequence)),
    })
}

fn room_type(name: &str) -> Result<RoomTypeId, NameError> {
    let malformed = NameError::Malformed("hotels/{hotel}/roomTypes/{room_type}/roomPlan");
    let id = name.strip_suffix("/roomPlan").ok_or(malformed)?;
    RoomTypeId::parse(id).map_err(|_| malformed)
}

/// The lodgers of a room type, with what they need.
struct Planned {
    bookings: BTreeMap<BookingId, Booking>,
    units: Vec<(BookingId, Vec<Unit>)>,
}

/// The stays of each room, by the length of its number and its number.
type Rows = BTreeMap<(usize, String), Vec<v1::PlannedStay>>;

impl Planned {
    async fn load(
        session: &Session,
        id: &RoomTypeId,
        now: Timestamp,
        today: Date,
    ) -> Result<Self, Status> {
        let today = Slot::of_night(today);
        let lodgers = session.lodgers_of(std::slice::from_ref(id), today).await?;
        let blocks = lodgers.iter().filter(|it| it.kind == BookingKind::Block);
        let blocks: Vec<_> = blocks.map(|it| it.id).collect();
        let items = session.items_of(&blocks).await?;
        let units = lodgers.iter().map(|it| {
            let items = items.get(&it.id).map_or(&[][..], Vec::as_slice);
            (it.id, lodging::units(it, items, it.state_at(now), today))
        });
        let units = units.filter(|(_, units)| !units.is_empty()).collect();
        let bookings = lodgers.into_iter().map(|it| (it.id, it)).collect();
        Ok(Self { bookings, units })
    }

    async fn rows(
        self,
        session: &Session,
        id: &RoomTypeId,
        numbers: Vec<String>,
        shown: &Range<Slot>,
        now: Timestamp,
    ) -> Result<Rows, Status> {
        let before = session
            .plan_of(std::slice::from_ref(id), Slot(i64::MIN))
            .await?;
        let rows = numbers
            .iter()
            .map(|it| ((it.len(), it.clone()), Vec::new()));
        let mut rows: Rows = rows.collect();
        let lodging = Lodging::new(numbers, self.units, &before);
        for (id, units) in lodging.units() {
            let Some(booking) = self.bookings.get(id) else {
                continue;
            };
            let planned = lodging.rooms_of(*id);
            for (at, unit) in units.iter().enumerate() {
                // Where there is no plan, what is certain still is.
                let room = unit.pin.as_ref().or_else(|| planned.get(at));
                let overlaps = unit.nights.start < shown.end && shown.start < unit.nights.end;
                let row = room.and_then(|it| rows.get_mut(&(it.len(), it.clone())));
                if let (Some(row), true) = (row, overlaps) {
                    row.push(planned_stay(booking, unit, now));
                }
            }
        }
        Ok(rows)
    }
}

fn planned_stay(booking: &Booking, unit: &Unit, now: Timestamp) -> v1::PlannedStay {
    let mut first = night_of(unit.nights.start);
    // Of a stay that has begun the nights before today are gone from the plan.
    if let (Claim::Stay(stay), true) = (&booking.claim, booking.kind != BookingKind::Block) {
        first = Some(stay.nights.check_in());
    }
    let date = |date: Option<Date>| date.map(|it| it.to_string()).unwrap_or_default();
    v1::PlannedStay {
        booking: booking.id.to_string(),
        check_in_date: date(first),
        check_out_date: date(night_of(unit.nights.end)),
        pinned: unit.pin.is_some(),
        state: wire::state(booking.state_at(now)).into(),
        kind: wire::kind(booking.kind).into(),
    }
}
