//! What is sold: the demo's smallest room type on a few nights, and a screening in a hall of one short row with an aisle.

use std::{sync::LazyLock, time::Instant};

use jiff::{
    SignedDuration, Timestamp, ToSpan as _,
    civil::{Date, Weekday, date},
};
use sha2::{Digest as _, Sha256};

use super::{
    ask::{Ask, Call, Part, Shown, Span, Want},
    judge::Model,
};
use crate::{
    domain::{
        cancellation,
        catalogue::SeatPrice,
        cell::{CellKey, PoolId, Slot},
        claim::{self, BestSeats, Claim, Nights, SeatSelection, Stay},
        hall::{DrawnSeat, HallPlan},
        money::{Currency, Money},
        name::{self, CinemaId, HallId, HotelId, RoomTypeId, ScreeningId, SeatId},
        payment::Reference,
        request::RequestKey,
        seating::Wish,
    },
    inventory::{Action, Command, Hold, Part as Given, PricedScreening, testing::Rig},
};

pub(super) const ROOM_TYPE: &str = "hotels/banyan-bay/roomTypes/banyan-suite";
pub(super) const HOTEL: &str = "hotels/banyan-bay";
pub(super) const CINEMA: &str = "cinemas/grand-banyan";
/// Nights on which stays begin; they may last longer.
pub(super) const DAYS: usize = 5;
pub(super) const SEATS: usize = 7;
/// The seat after the aisle.
pub(super) const AISLE: usize = 4;
pub(super) const ROOMS: i64 = 3;
const SEAT_PRICE: i64 = 1_111;
const FIRST: Date = date(2026, 12, 1);
/// When the clock starts.
pub(super) static START: LazyLock<Timestamp> =
    LazyLock::new(|| "2026-11-20T12:00:00Z".parse().unwrap());
/// Minutes from the start to 15:00 on the first day, when the screening starts, too.
const BEGINS: i64 = (11 * 24 + 3) * 60;

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Venue {
    Hotel,
    Cinema,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Policy {
    /// Free until so many hours before it begins; never where there is none.
    pub(super) free_hours: Option<i64>,
    pub(super) fee: Fee,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Fee {
    Percent(i64),
    Nights(usize),
}

/// One that costs from an hour after the start for what begins on the first day, one for the second day, one always.
pub(super) const POLICIES: &[Option<Policy>] = &[
    None,
    Some(Policy {
        free_hours: Some(266),
        fee: Fee::Percent(30),
    }),
    Some(Policy {
        free_hours: Some(290),
        fee: Fee::Percent(15),
    }),
    Some(Policy {
        free_hours: None,
        fee: Fee::Nights(1),
    }),
];

/// What is counted one by one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) enum Spot {
    Night(usize),
    Seat(usize),
}

impl Spot {
    pub(super) fn all() -> impl Iterator<Item = Self> {
        let nights = (0..DAYS + 3).map(Self::Night);
        nights.chain((0..SEATS).map(Self::Seat))
    }

    pub(super) fn capacity(self) -> i64 {
        match self {
            Self::Night(_) => ROOMS,
            Self::Seat(_) => 1,
        }
    }

    /// Of one room, or of the seat. Fridays and Saturdays cost 30 % more.
    pub(super) fn price(self) -> i64 {
        match self {
            Self::Seat(_) => SEAT_PRICE,
            Self::Night(at) => match day(at).weekday() {
                Weekday::Friday | Weekday::Saturday => 33_800,
                _ => 26_000,
            },
        }
    }
}

/// When what is claimed from that night on begins, in minutes from the start. The screening begins like the first.
pub(super) fn begins(first: Option<usize>) -> i64 {
    BEGINS + 24 * 60 * i64::try_from(first.unwrap_or(0)).unwrap()
}

pub(super) fn day(at: usize) -> Date {
    FIRST.saturating_add(i64::try_from(at).unwrap().days())
}

pub(super) fn seat(at: usize) -> String {
    format!("A{}", at + 1)
}

pub(super) fn reference(payment: u8) -> Reference {
    Reference::parse(&format!("payment-{payment}")).unwrap()
}

/// The names and numbers that the database has given.
#[derive(Clone)]
pub(super) struct World {
    pub(super) screening: ScreeningId,
    pub(super) rooms: PoolId,
    seats: Vec<PoolId>,
}

impl World {
    pub(super) async fn make(rig: &Rig) -> Self {
        let inventory = &rig.inventory;
        let cinema = CinemaId("grand-banyan".into());
        let drawn = (0..SEATS).map(|at| DrawnSeat {
            row: "A".into(),
            number: i64::try_from(at).unwrap() + 1,
            x: i64::try_from(if at < AISLE { at } else { at + 1 }).unwrap(),
            ..DrawnSeat::default()
        });
        let plan = HallPlan::parse(drawn.collect()).unwrap();
        let made = inventory.create_hall(cinema.clone(), "Row", false, plan);
        let (hall, _) = made.await.unwrap();
        let session = inventory.store().read().await.unwrap();
        let movie = session.movies(None, 1).await.unwrap().remove(0).id;
        let mut seats = session.seats(&[hall.number]).await.unwrap();
        let seats = seats.remove(&hall.number).unwrap();
        let room_type = RoomTypeId::parse(ROOM_TYPE).unwrap();
        let room_type = session.room_type(&room_type).await.unwrap().unwrap();
        drop(session);
        let starts_at = *START + SignedDuration::from_mins(BEGINS);
        let new = PricedScreening {
            hall: HallId {
                cinema,
                number: hall.number,
            },
            movie,
            starts_at,
            ends_at: starts_at + SignedDuration::from_mins(90),
            prices: vec![SeatPrice {
                category: "standard".into(),
                price_minor: SEAT_PRICE,
            }],
        };
        let (screening, _) = inventory.schedule_screening(&new).await.unwrap();
        Self {
            screening: screening.id,
            rooms: room_type.pool,
            seats: seats.iter().map(|it| it.pool).collect(),
        }
    }

    pub(super) async fn set_policy(&self, rig: &Rig, venue: Venue, policy: Option<Policy>) {
        let venue = match venue {
            Venue::Hotel => name::Venue::Hotel(HotelId("banyan-bay".into())),
            Venue::Cinema => name::Venue::Cinema(self.screening.cinema.clone()),
        };
        let policy = policy.map(|it| cancellation::Policy {
            free_until_hours: it.free_hours,
            fee: match it.fee {
                Fee::Percent(percent) => cancellation::Fee::Percent(percent),
                Fee::Nights(nights) => cancellation::Fee::Nights(i64::try_from(nights).unwrap()),
            },
        });
        let set = rig.inventory.set_cancellation_policy(&venue, policy);
        set.await.unwrap();
    }

    pub(super) fn key(&self, spot: Spot) -> CellKey {
        match spot {
            Spot::Night(at) => CellKey {
                pool: self.rooms,
                slot: Slot::of_night(day(at)),
            },
            Spot::Seat(at) => CellKey {
                pool: self.seats[at],
                slot: Slot(self.screening.number),
            },
        }
    }

    /// The command for that.
    pub(super) fn command(&self, model: &Model, call: &Call) -> Command {
        let request = call.id.map(|id| RequestKey {
            method: call.ask.method(),
            id: format!("request-{id}"),
            fingerprint: Sha256::digest(format!("{:?}", call.ask)).into(),
        });
        Command {
            principal: call.who.principal(),
            request,
            deadline: call.is_late.then(Instant::now),
            action: self.action(model, &call.ask),
        }
    }

    /// What is asked; what it is about is known to the model.
    fn action(&self, model: &Model, ask: &Ask) -> Action {
        let booking = |which: usize| model.bookings[which].id;
        let etag = None;
        match ask {
            Ask::Hold(want, minutes, shown) => Action::Hold(Hold {
                expected_total: expected(want, *shown),
                ..Hold::of(self.claim(want), SignedDuration::from_mins(*minutes))
            }),
            Ask::Confirm(which, payment) => Action::Confirm {
                booking: booking(*which),
                etag,
                payment: payment.map(reference),
            },
            Ask::Extend(which, minutes) => Action::Extend {
                booking: booking(*which),
                etag,
                by: SignedDuration::from_mins(*minutes),
            },
            Ask::Cancel(which, fee) => Action::Cancel {
                booking: booking(*which),
                etag,
                accepted_fee: fee.map(euros),
            },
            Ask::GiveBack(which, part, fee) => Action::CancelItems {
                booking: booking(*which),
                etag,
                part: given(part),
                accepted_fee: fee.map(euros),
            },
            Ask::Move(which, want, shown) => Action::Move {
                booking: booking(*which),
                etag,
                claim: self.claim(want),
                expected_total: expected(want, *shown),
            },
            Ask::Join(want) => Action::Join {
                ask: self.claim(want),
                contact: None,
            },
            Ask::Leave(which) => Action::Leave {
                entry: model.line[*which].id,
            },
            Ask::Block(span, minutes) => Action::Block {
                stay: stay(*span),
                until: *START + SignedDuration::from_mins(model.minute + minutes),
                title: String::new(),
            },
            Ask::PickUp(block, span, minutes, shown) => Action::Hold(Hold {
                block: Some(booking(*block)),
                expected_total: expected(&Want::Rooms(*span), *shown),
                ..Hold::of(
                    claim::Ask::Claim(Claim::Stay(stay(*span))),
                    SignedDuration::from_mins(*minutes),
                )
            }),
            Ask::Release(which) => Action::Release {
                booking: booking(*which),
                etag,
            },
            Ask::Again(_) => panic!("not known yet"),
        }
    }

    fn claim(&self, want: &Want) -> claim::Ask {
        let screening = self.screening.clone();
        match want {
            Want::Rooms(span) => claim::Ask::Claim(Claim::Stay(stay(*span))),
            Want::Seats(seats) => claim::Ask::Claim(Claim::Seats(SeatSelection {
                screening,
                seats: seats.iter().map(|at| SeatId(seat(*at))).collect(),
            })),
            Want::Best(count) => claim::Ask::Best(BestSeats {
                screening,
                wish: Wish {
                    count: *count,
                    category: None,
                    accessible: false,
                },
            }),
        }
    }
}

fn stay(span: Span) -> Stay {
    Stay {
        room_type: RoomTypeId::parse(ROOM_TYPE).unwrap(),
        nights: Nights::new(day(span.first), day(span.first + span.nights)).unwrap(),
        rooms: span.rooms,
    }
}

fn given(part: &Part) -> Given {
    match part {
        Part::Rooms(rooms) => Given::Rooms(*rooms),
        Part::Seats(seats) => Given::Seats(seats.iter().map(|at| SeatId(seat(*at))).collect()),
        Part::First(_) => panic!("not known yet"),
    }
}

fn expected(want: &Want, shown: Shown) -> Option<Money> {
    match shown {
        Shown::Nothing => None,
        Shown::Right => Some(euros(super::judge::price(want))),
        Shown::Wrong => Some(euros(super::judge::price(want) + 1)),
    }
}

fn euros(minor: i64) -> Money {
    Money::new(Currency::parse("EUR").unwrap(), minor)
}
