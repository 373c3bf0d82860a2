//! The inventory against a model of it: random commands, alone and many at once, with the clock moved, holds swept,
//! policies and restrictions changed in between. Every answer must be the model's, every event of the feed must be the one
//! that the model expects next, and after each step the database, the feed folded up and the model must agree.
//!
//! - `ask.rs`: what is asked, at random.
//! - `limits.rs`: restrictions of what is sold.
//! - `world.rs`: one room type and one small screening, and the commands that ask for them.
//! - `judge.rs`, `judge/`: the model. It shares no rule with the engine: rooms, seats, prices, fees, restrictions, the line
//!   and what request ids were answered are counted here once more, as plainly as can be.
//! - `compare.rs`: the database and the feed beside the model.
//!
//! The inputs follow from a fixed seed; `PROPTEST_RNG_SEED` sets another, `PROPTEST_CASES` the number of cases.

mod ask;
mod compare;
mod judge;
mod limits;
mod world;

use std::{cell::RefCell, collections::HashSet, time::Duration};

use banyan_mesh::testing::TestDatabase;
use jiff::SignedDuration;
use proptest::{
    collection::vec,
    test_runner::{Config, RngSeed, TestRunner},
};

use self::{
    ask::{Ask, Call, Shown, Span, Step, Want},
    compare::Mirror,
    judge::{Anew, Model, Seen},
    limits::{Limited, Limits},
    world::{POLICIES, Venue, World},
};
use super::testing::Rig;
use crate::domain::refusal::Reason;

/// Cases on SQLite and on PostgreSQL: what a quarter of a minute is enough for.
const CASES: [u32; 2] = [14, 7];

/// Minutes.
const DAY: i64 = 24 * 60;
/// Minutes that a case lasts at most, by when nothing has begun.
const END: i64 = 7 * DAY;

/// Cases on each database that are enough whatever the seed.
const ENOUGH: u32 = 50;

/// What the cases of the usual seed must have come across in all, or enough of any other; or they try too little.
const SEEN: &[Seen] = &[
    Seen::Refused(Reason::CellUnavailable),
    Seen::Refused(Reason::SeatsNotTogether),
    Seen::Refused(Reason::PriceChanged),
    Seen::Refused(Reason::HoldExpired),
    Seen::Refused(Reason::HoldLimit),
    Seen::Refused(Reason::BookingState),
    Seen::Refused(Reason::OutsideCancellationWindow),
    Seen::Refused(Reason::PaidButExpired),
    Seen::Refused(Reason::PaymentReferenceMismatch),
    Seen::Refused(Reason::AlreadyAvailable),
    Seen::Refused(Reason::RequestIdReused),
    repeated(true, true),
    repeated(true, false),
    repeated(false, true),
    repeated(false, false),
    Seen::Anew(Anew::Mistaken),
    Seen::Anew(Anew::Late),
    Seen::Anew(Anew::Forgotten),
    Seen::Refused(Reason::MinStay),
    Seen::Refused(Reason::MaxStay),
    Seen::Refused(Reason::ClosedToArrival),
    Seen::Refused(Reason::ClosedToDeparture),
    Seen::Refused(Reason::StopSell),
    Seen::Refused(Reason::CutOff),
    Seen::Refused(Reason::AdvanceWindow),
    Seen::Withheld,
    Seen::PickedUp { sold: true },
];

const fn repeated(granted: bool, at_once: bool) -> Seen {
    Seen::Repeated { granted, at_once }
}

/// One case: the inventory, its model, and what the feed has told.
struct Play {
    rig: Rig,
    world: World,
    model: Model,
    mirror: Mirror,
}

impl Play {
    async fn start(database: TestDatabase) -> Self {
        let rig = Rig::start(database).await;
        let world = World::make(&rig).await;
        let head = rig.inventory.store().read().await.unwrap();
        let sequence = head.head().await.unwrap().sequence;
        Self {
            model: Model::new(&world, sequence),
            mirror: Mirror::new(sequence),
            rig,
            world,
        }
    }

    async fn step(&mut self, step: &Step) {
        match step {
            Step::Ask(asks) => self.ask(asks).await,
            Step::Advance(minutes) if self.model.minute + minutes < END => {
                self.rig.advance(SignedDuration::from_mins(*minutes));
                self.model.minute += minutes;
            }
            Step::Advance(_) => {}
            Step::Sweep => {
                self.rig.inventory.sweep().await.unwrap();
                self.model.told = self.mirror.follow(&self.rig).await;
                self.model.sweep();
            }
            Step::Policy(venue, policy) => {
                self.world.set_policy(&self.rig, *venue, *policy).await;
                self.model.policies[*venue as usize] = *policy;
            }
            Step::Limit(limited) => {
                limited.set(&self.rig, &self.world).await;
                self.model.told = self.mirror.follow(&self.rig).await;
                self.model.limit(limited);
            }
        }
        self.model.settle(self.mirror.follow(&self.rig).await);
        compare::all(&self.rig, &self.world, &self.model, &self.mirror).await;
    }

    /// Asks the inventory all at once, and the model one after the other.
    async fn ask(&mut self, asks: &[Call]) {
        let calls = asks.iter().filter_map(|it| self.model.resolve(it));
        let calls: Vec<Call> = calls.collect();
        if calls.is_empty() {
            return;
        }
        let command = |call| self.world.command(&self.model, call);
        let commands = calls.iter().map(command).collect();
        let answers = self.rig.inventory.submit_many(commands).await;
        self.model.told = self.mirror.follow(&self.rig).await;
        self.model.begin(&calls);
        for (call, answer) in calls.iter().zip(&answers) {
            self.model.decide(call, answer);
        }
    }
}

/// Plays steps on a database to the end; what they came across.
async fn play(database: TestDatabase, steps: &[Step]) -> HashSet<Seen> {
    let mut play = Play::start(database).await;
    for step in steps {
        play.step(step).await;
    }
    // Another case wants its connections; the committer goes with the last who could ask it.
    let Rig {
        inventory, process, ..
    } = play.rig;
    drop(inventory);
    process.stop(Duration::from_secs(10)).await.unwrap();
    play.model.seen
}

#[test]
fn the_inventory_does_what_the_model_says() {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    let config = Config::default();
    let raised = std::env::var_os("PROPTEST_CASES").map(|_| config.cases);
    let seen = RefCell::new(HashSet::new());
    for (kind, cases) in CASES.into_iter().enumerate() {
        let mut runner = TestRunner::new(Config {
            cases: raised.unwrap_or(cases),
            failure_persistence: None,
            rng_seed: match config.rng_seed {
                RngSeed::Random => RngSeed::Fixed(kind as u64),
                fixed @ RngSeed::Fixed(_) => fixed,
            },
            ..config.clone()
        });
        let case = |steps: Vec<Step>| {
            // One of each kind; without PostgreSQL there is SQLite only.
            let database = match kind {
                0 => Some(TestDatabase::sqlite()),
                _ => TestDatabase::each().into_iter().nth(kind),
            };
            if let Some(database) = database {
                seen.borrow_mut()
                    .extend(runtime.block_on(play(database, &steps)));
            }
            Ok(())
        };
        runner.run(&vec(ask::step(), 1..70), case).unwrap();
    }
    let seen = seen.into_inner();
    let missing = SEEN.iter().filter(|it| !seen.contains(it));
    let missing: Vec<_> = missing.collect();
    let is_usual = config.rng_seed == RngSeed::Random && raised.is_none();
    let is_enough = is_usual || raised.is_some_and(|it| it >= ENOUGH);
    assert!(missing.is_empty() || !is_enough, "{missing:?}");
}

fn night(rooms: i64) -> Want {
    nights(0, 1, rooms)
}

fn nights(first: usize, nights: usize, rooms: i64) -> Want {
    Want::Rooms(Span {
        first,
        nights,
        rooms,
    })
}

fn hold(want: Want) -> Ask {
    Ask::Hold(want, 40, Shown::Nothing)
}

fn at_once(asks: Vec<Ask>) -> Step {
    Step::Ask(asks.into_iter().map(Call::from).collect())
}

fn stopped() -> Limited {
    Limited {
        limits: Limits {
            stop_sell: true,
            ..limits::NONE
        },
        ..Limited::LIFTED
    }
}

#[tokio::test]
async fn an_offer_that_has_run_out_cannot_be_declined_and_goes_to_the_next() {
    let steps = [
        at_once(vec![hold(night(3))]),
        at_once(vec![Ask::Join(night(1)), Ask::Join(night(3))]),
        at_once(vec![Ask::Cancel(0, None)]),
        Step::Advance(15),
        at_once(vec![Ask::Leave(1), Ask::Leave(0)]),
    ];
    for database in TestDatabase::each() {
        let seen = play(database, &steps).await;
        assert!(seen.contains(&Seen::Refused(Reason::EntryState)));
    }
}

#[tokio::test]
async fn nobody_has_more_than_ten_places_in_a_line() {
    let steps = [
        at_once(vec![hold(night(3))]),
        at_once(vec![Ask::Join(night(1)); 11]),
    ];
    for database in TestDatabase::each() {
        let seen = play(database, &steps).await;
        assert!(seen.contains(&Seen::Refused(Reason::WaitlistLimit)));
    }
}

#[tokio::test]
async fn a_stay_that_is_moved_to_an_earlier_night_costs_that_one_when_cancelled() {
    let one_night = POLICIES[3];
    // From Friday, which is dearer, to Thursday and Friday.
    let steps = [
        Step::Policy(Venue::Hotel, one_night),
        at_once(vec![hold(nights(3, 1, 1))]),
        at_once(vec![Ask::Confirm(0, None)]),
        at_once(vec![Ask::Move(0, nights(2, 2, 1), Shown::Nothing)]),
        at_once(vec![Ask::Cancel(0, Some(26_000))]),
    ];
    for database in TestDatabase::each() {
        let seen = play(database, &steps).await;
        assert_eq!(seen, HashSet::new(), "nothing was refused");
    }
}

#[tokio::test]
async fn what_is_free_but_not_sold_is_offered_when_it_is_sold() {
    let steps = [
        at_once(vec![hold(night(3))]),
        at_once(vec![Ask::Join(night(1)), Ask::Join(night(3))]),
        Step::Limit(stopped()),
        at_once(vec![Ask::Cancel(0, None)]),
        Step::Limit(Limited::LIFTED),
        at_once(vec![Ask::Confirm(0, None)]),
    ];
    for database in TestDatabase::each() {
        let seen = play(database, &steps).await;
        assert_eq!(seen, HashSet::from([Seen::Withheld, Seen::Opened]));
    }
}

#[tokio::test]
async fn arrivals_are_booked_until_the_minute_of_the_cut_off() {
    let until_an_hour_from_now = Limited {
        limits: Limits {
            cut_off_hours: Some(275),
            ..limits::NONE
        },
        ..Limited::LIFTED
    };
    let steps = [
        Step::Limit(until_an_hour_from_now),
        Step::Advance(59),
        at_once(vec![hold(night(1))]),
        Step::Advance(1),
        at_once(vec![hold(night(1))]),
    ];
    for database in TestDatabase::each() {
        let seen = play(database, &steps).await;
        assert_eq!(seen, HashSet::from([Seen::Refused(Reason::CutOff)]));
    }
}

#[tokio::test]
async fn answers_are_kept_for_two_days_and_forgotten_after_them() {
    let call = Call {
        id: Some(0),
        ..hold(night(1)).into()
    };
    let again = || at_once(vec![Ask::Again(0)]);
    let steps = [
        Step::Ask(vec![call]),
        Step::Advance(2 * DAY),
        Step::Sweep,
        again(),
        Step::Advance(1),
        Step::Sweep,
        again(),
    ];
    for database in TestDatabase::each() {
        let seen = play(database, &steps).await;
        let both = [repeated(true, false), Seen::Anew(Anew::Forgotten)];
        assert_eq!(seen, HashSet::from(both));
    }
}

#[tokio::test]
async fn a_block_gives_what_it_has_left_whatever_is_sold() {
    let span = |rooms| Span {
        first: 0,
        nights: 1,
        rooms,
    };
    let pick_up = |rooms| Ask::PickUp(0, span(rooms), 10, Shown::Right);
    let steps = [
        at_once(vec![Ask::Block(span(2), 20)]),
        Step::Limit(stopped()),
        at_once(vec![pick_up(1), pick_up(2), hold(night(1))]),
        at_once(vec![pick_up(1), pick_up(1)]),
        Step::Advance(20),
        at_once(vec![pick_up(1)]),
        Step::Sweep,
    ];
    for database in TestDatabase::each() {
        let seen = play(database, &steps).await;
        let refused = [Reason::CellUnavailable, Reason::StopSell].map(Seen::Refused);
        let picked = Seen::PickedUp { sold: false };
        assert_eq!(
            seen,
            HashSet::from_iter([picked].into_iter().chain(refused))
        );
    }
}
