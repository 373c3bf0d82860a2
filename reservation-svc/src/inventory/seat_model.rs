//! Seats against a model of them: random commands on one small hall, alone and many at once, must be answered as the model
//! says when it is asked one after the other, to the very seats that are chosen. Which choice is the best is the domain's
//! to prove; that the inventory asks it about the hall as it is, is proved here.

use std::collections::HashSet;

use banyan_mesh::testing::TestDatabase;
use banyan_proto::reservation::v1;
use jiff::{SignedDuration, ToSpan as _};
use proptest::{
    collection::vec,
    prelude::*,
    test_runner::{Config, TestRunner},
};

use super::{
    Action, Command, Hold, Inventory, Outcome, Part, PricedScreening, Rejection, testing::Rig,
};
use crate::domain::{
    catalogue::{Movie, Seat, SeatPrice},
    cell::{Block, CellKey, Slot},
    claim::{Ask, BestSeats, Claim, SeatSelection},
    hall::{DrawnSeat, HallPlan},
    name::{BookingId, CinemaId, HallId, MovieId, ScreeningId, SeatId},
    payment::{Payment, Reference},
    refusal::Reason,
    request::Principal,
    seating::{Plan, Wish},
};

/// Columns of both rows; in the second one there is an aisle.
const ROWS: [&[i64]; 2] = [&[0, 1, 2, 3, 4], &[0, 1, 2, 4, 5]];
const SEATS: usize = 10;

#[derive(Clone, Debug)]
enum Step {
    /// At once, in that order.
    Ask(Vec<Deed>),
    Advance(i64),
}

#[derive(Clone, Debug)]
enum Deed {
    Best(usize, i64),
    Named(Vec<usize>, i64),
    Cancel(usize),
    GiveBack(usize, usize),
    Move(usize, usize),
    Extend(usize, i64),
    Pay(usize, &'static str),
}

fn deed() -> impl Strategy<Value = Deed> {
    let which = || 0..8usize;
    let named = proptest::sample::subsequence((0..SEATS).collect::<Vec<_>>(), 1..4);
    prop_oneof![
        4 => (1..4usize, 1..30i64).prop_map(|(count, minutes)| Deed::Best(count, minutes)),
        3 => (named, 1..30i64).prop_map(|(seats, minutes)| Deed::Named(seats, minutes)),
        2 => which().prop_map(Deed::Cancel),
        2 => (which(), 0..3usize).prop_map(|(which, nth)| Deed::GiveBack(which, nth)),
        2 => (which(), 1..5usize).prop_map(|(which, count)| Deed::Move(which, count)),
        2 => (which(), 1..40i64).prop_map(|(which, minutes)| Deed::Extend(which, minutes)),
        3 => (which(), prop_oneof![Just("p1"), Just("p2")])
            .prop_map(|(which, reference)| Deed::Pay(which, reference)),
    ]
}

fn step() -> impl Strategy<Value = Step> {
    prop_oneof![
        4 => vec(deed(), 1..2).prop_map(Step::Ask),
        4 => vec(deed(), 2..10).prop_map(Step::Ask),
        2 => (1..20i64).prop_map(Step::Advance),
    ]
}

#[derive(Clone, Debug)]
struct Known {
    id: BookingId,
    seats: Vec<SeatId>,
    made: i64,
    /// Nothing once it is confirmed.
    expires: Option<i64>,
    cancelled: bool,
    payment: Payment,
}

/// Why something is not done.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Wrong {
    Refused(Reason),
    Mistake,
}

struct Model {
    screening: ScreeningId,
    seats: Vec<Seat>,
    plan: Plan,
    no_single_seats: bool,
    minute: i64,
    bookings: Vec<Known>,
}

impl Model {
    fn lapsed(&self, known: &Known) -> bool {
        known.expires.is_some_and(|at| at <= self.minute)
    }

    fn taken(&self, but: Option<BookingId>) -> HashSet<&SeatId> {
        let live = |it: &&Known| !it.cancelled && !self.lapsed(it) && Some(it.id) != but;
        let live = self.bookings.iter().filter(live);
        live.flat_map(|it| &it.seats).collect()
    }

    fn live(&self, known: &Known) -> Result<(), Wrong> {
        match known {
            it if it.cancelled => Err(Wrong::Refused(Reason::BookingState)),
            it if self.lapsed(it) => Err(Wrong::Refused(Reason::HoldExpired)),
            _ => Ok(()),
        }
    }

    fn best(&self, count: usize, but: Option<BookingId>) -> Result<Vec<SeatId>, Wrong> {
        let taken = self.taken(but);
        let free = |seat: &Seat| !taken.contains(&seat.id);
        let best = self
            .plan
            .best(&self.screening, &wish(count), self.no_single_seats, free);
        best.map_err(|denial| Wrong::Refused(denial.reason))
    }

    fn named(&self, seats: &[SeatId]) -> Result<Vec<SeatId>, Wrong> {
        let taken = self.taken(None);
        if seats.iter().any(|seat| taken.contains(seat)) {
            return Err(Wrong::Refused(Reason::CellUnavailable));
        }
        let free = |seat: &Seat| !taken.contains(&seat.id);
        match self.no_single_seats && !self.plan.left_single(seats, free).is_empty() {
            true => Err(Wrong::Refused(Reason::LeavesSingleSeat)),
            false => Ok(seats.to_vec()),
        }
    }

    /// What is asked of the inventory; nothing if it is about a booking that is not there (yet).
    fn action(&self, deed: &Deed) -> Option<Action> {
        let id = |which: &usize| Some(self.bookings.get(*which)?.id);
        let best = |count| {
            Ask::Best(BestSeats {
                screening: self.screening.clone(),
                wish: wish(count),
            })
        };
        let etag = None;
        Some(match deed {
            Deed::Best(count, minutes) => Action::Hold(hold(best(*count), *minutes)),
            Deed::Named(seats, minutes) => {
                let claim = Claim::Seats(SeatSelection {
                    screening: self.screening.clone(),
                    seats: self.ids(seats),
                });
                Action::Hold(hold(claim.into(), *minutes))
            }
            Deed::Cancel(which) => Action::Cancel {
                booking: id(which)?,
                etag,
                accepted_fee: None,
            },
            Deed::GiveBack(which, nth) => Action::CancelItems {
                booking: id(which)?,
                etag,
                part: Part::Seats(vec![self.bookings[*which].seats.get(*nth)?.clone()]),
                accepted_fee: None,
            },
            Deed::Move(which, count) => Action::Move {
                booking: id(which)?,
                etag,
                claim: best(*count),
                expected_total: None,
            },
            Deed::Extend(which, minutes) => Action::Extend {
                booking: id(which)?,
                etag,
                by: SignedDuration::from_mins(*minutes),
            },
            Deed::Pay(which, reference) => Action::Confirm {
                booking: id(which)?,
                etag,
                payment: Some(Reference::parse(reference).unwrap()),
            },
        })
    }

    fn ids(&self, seats: &[usize]) -> Vec<SeatId> {
        seats.iter().map(|at| self.seats[*at].id.clone()).collect()
    }

    /// Does it, or says why not; the seats of the booking afterwards.
    fn judge(&mut self, deed: &Deed, asked: &Action) -> Result<Vec<SeatId>, Wrong> {
        match deed {
            Deed::Best(count, _) => self.best(*count, None),
            Deed::Named(seats, _) => self.named(&self.ids(seats)),
            Deed::Cancel(which) => {
                self.live(&self.bookings[*which])?;
                self.bookings[*which].cancelled = true;
                self.bookings[*which].expires = None;
                Ok(self.bookings[*which].seats.clone())
            }
            Deed::GiveBack(which, _) => {
                self.live(&self.bookings[*which])?;
                let Action::CancelItems {
                    part: Part::Seats(seats),
                    ..
                } = asked
                else {
                    panic!("{asked:?}")
                };
                let known = &mut self.bookings[*which];
                if known.seats == *seats || !known.seats.contains(&seats[0]) {
                    return Err(Wrong::Mistake);
                }
                known.seats.retain(|it| *it != seats[0]);
                Ok(known.seats.clone())
            }
            Deed::Move(which, count) => {
                self.live(&self.bookings[*which])?;
                let seats = self.best(*count, Some(self.bookings[*which].id))?;
                self.bookings[*which].seats.clone_from(&seats);
                Ok(seats)
            }
            Deed::Extend(which, minutes) => {
                self.live(&self.bookings[*which])?;
                let known = &mut self.bookings[*which];
                match known.expires {
                    None => Err(Wrong::Refused(Reason::BookingState)),
                    Some(at) if at + minutes > known.made + 60 => {
                        Err(Wrong::Refused(Reason::HoldLimit))
                    }
                    Some(at) => {
                        known.expires = Some(at + minutes);
                        Ok(known.seats.clone())
                    }
                }
            }
            Deed::Pay(which, reference) => self.pay(*which, &Reference::parse(reference).unwrap()),
        }
    }

    fn pay(&mut self, which: usize, reference: &Reference) -> Result<Vec<SeatId>, Wrong> {
        let is_over = self.lapsed(&self.bookings[which]);
        let known = &mut self.bookings[which];
        if known.cancelled && matches!(known.payment, Payment::Paid(_)) {
            return Err(Wrong::Refused(Reason::BookingState));
        }
        if known.payment.reference().is_some_and(|it| it != reference) {
            return Err(Wrong::Refused(Reason::PaymentReferenceMismatch));
        }
        if is_over || known.cancelled {
            known.payment = Payment::RefundDue(reference.clone());
            return Err(Wrong::Refused(Reason::PaidButExpired));
        }
        known.payment = Payment::Paid(reference.clone());
        known.expires = None;
        Ok(known.seats.clone())
    }
}

fn wish(count: usize) -> Wish {
    Wish {
        count,
        category: None,
        accessible: false,
    }
}

fn hold(claim: Ask, minutes: i64) -> Hold {
    Hold {
        claim,
        expected_total: None,
        party: None,
        block: None,
        contact: None,
        duration: SignedDuration::from_mins(minutes),
        confirm: false,
        sells_started: false,
    }
}

/// A screening in a hall of these rows.
async fn set_up(inventory: &Inventory, no_single_seats: bool) -> Model {
    let row = |(y, columns): (i64, &&[i64])| {
        let seat = move |(number, x): (i64, &i64)| DrawnSeat {
            row: if y == 0 { "A" } else { "B" }.into(),
            number,
            x: *x,
            y,
            ..DrawnSeat::default()
        };
        (1..).zip(*columns).map(seat).collect::<Vec<_>>()
    };
    let drawn = (0..).zip(&ROWS).flat_map(row).collect();
    let cinema = CinemaId("grand-banyan".into());
    let plan = HallPlan::parse(drawn).unwrap();
    let (hall, _) = inventory
        .create_hall(cinema.clone(), "Small", no_single_seats, plan)
        .await
        .unwrap();
    let starts_at = inventory.now() + (24 * 300).hours();
    let new = PricedScreening {
        hall: HallId {
            cinema,
            number: hall.number,
        },
        movie: movie(inventory).await,
        starts_at,
        ends_at: starts_at + 2.hours(),
        prices: vec![SeatPrice {
            category: "standard".into(),
            price_minor: 900,
        }],
    };
    let (screening, _) = inventory.schedule_screening(&new).await.unwrap();
    let session = inventory.store().read().await.unwrap();
    let seats = session.seats(&[hall.number]).await.unwrap();
    let seats = seats.into_values().next().unwrap();
    Model {
        screening: screening.id,
        plan: Plan::new(&seats),
        seats,
        no_single_seats,
        minute: 0,
        bookings: Vec::new(),
    }
}

async fn movie(inventory: &Inventory) -> MovieId {
    let session = inventory.store().read().await.unwrap();
    let movies: Vec<Movie> = session.movies(None, 1).await.unwrap();
    movies[0].id
}

fn seats_of(booking: &v1::Booking) -> Vec<String> {
    match &booking.claim {
        Some(v1::booking::Claim::Seats(selection)) => selection.seats.clone(),
        claim => panic!("{claim:?}"),
    }
}

/// Asks the inventory all at once, and the model one after the other.
async fn ask_all(rig: &Rig, model: &mut Model, deeds: &[Deed]) {
    let asked = deeds.iter().filter_map(|it| Some((it, model.action(it)?)));
    let asked: Vec<_> = asked.collect();
    let commands = asked.iter().map(|(_, action)| Command {
        principal: Principal::provider(),
        request: None,
        deadline: None,
        action: action.clone(),
    });
    let results = rig.inventory.submit_many(commands.collect()).await;
    for ((deed, action), result) in asked.into_iter().zip(results) {
        let want = model.judge(deed, &action);
        let got = match &result {
            Ok(outcome) => Ok(seats_of(&outcome.booking)),
            Err(Rejection::Refused(refusal)) => Err(Wrong::Refused(refusal.reason)),
            Err(Rejection::Invalid { .. }) => Err(Wrong::Mistake),
            Err(other) => panic!("{deed:?}: {other:?}"),
        };
        let names = |seats: Vec<SeatId>| seats.into_iter().map(|it| it.0).collect::<Vec<_>>();
        assert_eq!(got, want.clone().map(names), "{deed:?}");
        if let (Ok(outcome), Ok(seats), Deed::Best(_, minutes) | Deed::Named(_, minutes)) =
            (result, want, deed)
        {
            model
                .bookings
                .push(known(&outcome, seats, model.minute, *minutes));
        }
    }
}

fn known(outcome: &Outcome, seats: Vec<SeatId>, made: i64, minutes: i64) -> Known {
    Known {
        id: BookingId::parse(&outcome.booking.name).unwrap(),
        seats,
        made,
        expires: Some(made + minutes),
        cancelled: false,
        payment: Payment::None,
    }
}

/// What is taken and what is paid, by the database and by the model.
async fn compare(rig: &Rig, model: &Model) {
    let session = rig.inventory.store().read().await.unwrap();
    let slot = Slot(model.screening.number);
    let block = Block {
        pools: model.seats.iter().map(|seat| seat.pool).collect(),
        slots: slot..slot.next(),
    };
    let cells = session.cells(&block).await.unwrap();
    let lapsed = session.lapsed(&block, rig.inventory.now()).await.unwrap();
    let taken = model.taken(None);
    for seat in &model.seats {
        let key = CellKey {
            pool: seat.pool,
            slot,
        };
        let counted = cells.get(&key).map_or(0, |cell| cell.taken);
        let counted = counted - lapsed.get(&key).copied().unwrap_or(0);
        assert_eq!(counted == 1, taken.contains(&seat.id), "{}", seat.id);
    }
    for known in &model.bookings {
        let booking = session.booking(known.id).await.unwrap().unwrap();
        assert_eq!(booking.agreement.payment, known.payment);
        assert_eq!(booking.total.minor, 900 * known.seats.len() as i64);
    }
}

#[test]
fn seats_are_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    for (kind, cases) in [(0, 24), (1, 8)] {
        let mut runner = TestRunner::new(Config {
            cases,
            failure_persistence: None,
            ..Config::default()
        });
        let case = |(steps, no_single_seats): (Vec<Step>, bool)| {
            // One of each kind; without PostgreSQL there is SQLite only.
            let Some(database) = TestDatabase::each().into_iter().nth(kind) else {
                return Ok(());
            };
            runtime.block_on(async {
                let rig = Rig::start(database).await;
                let mut model = set_up(&rig.inventory, no_single_seats).await;
                for step in &steps {
                    match step {
                        Step::Ask(deeds) => ask_all(&rig, &mut model, deeds).await,
                        Step::Advance(minutes) => {
                            rig.advance(SignedDuration::from_mins(*minutes));
                            model.minute += minutes;
                        }
                    }
                    compare(&rig, &model).await;
                }
            });
            Ok(())
        };
        let steps = (vec(step(), 1..25), any::<bool>());
        runner.run(&steps, case).unwrap();
    }
}
