//! Coming to a place anew: what was found there before counts no more, what it cost does; and leaving one that was good.

mod good;

use banyan_mesh::{database::DatabaseSettings, testing::TestDatabase};
use banyan_rollout::{Bucket, Percent, Position, Subjects};
use serde_json::Value;

use super::{
    super::{Definition, Snapshot, Steering},
    *,
};
use crate::config::SteeringConfig;

/// A decider whose clock is the test's. No other one decides.
struct World {
    process: Process,
    decider: Decider,
    policy: Policy,
    now: Timestamp,
}

impl World {
    async fn start(database: &TestDatabase, stage: Stage) -> World {
        let subjects = Subjects::new(vec!["cookie:c".parse().unwrap()]).unwrap();
        // Only the test's decider knows of the policy.
        let definition = Definition {
            position: Position::initial(stage, None).unwrap(),
            ..Definition::new("movies", subjects)
        };
        World::with(database, definition, policy()).await
    }

    async fn with(database: &TestDatabase, definition: Definition, policy: Policy) -> World {
        let process = Process::new();
        let settings = DatabaseSettings::new(&database.url);
        let store = Store::open(&process, &settings).await.unwrap();
        let steering = Steering::new(&SteeringConfig::default()).unwrap();
        let rollouts =
            Rollouts::start(vec![definition], Some(store.clone()), steering, &process).await;
        World {
            decider: Decider {
                rollouts,
                store,
                replica: "one".to_owned(),
                had_lease: false,
                refused: HashMap::new(),
            },
            process,
            policy,
            now: Timestamp::now(),
        }
    }

    async fn command(&mut self, command: Command) -> Snapshot {
        let ada = Operator {
            actor: "ada".to_owned(),
            ..Operator::default()
        };
        let rollouts = &self.decider.rollouts;
        let commands = [command];
        let done = rollouts.command("movies", Action::Set, &commands, ada);
        let snapshot = done.await.unwrap();
        self.now = self.now.max(Timestamp::now());
        snapshot
    }

    /// So many windows of a replica, in which every bucket is counted once.
    async fn count(&mut self, windows: u64, count: impl Fn(&mut Counted, Bucket, u64)) {
        let percent = self.snapshot().percent;
        for number in 0..windows {
            let start = self.now;
            self.now += WINDOW;
            let mut counted = Counted::new(percent, ms(start), ms(self.now));
            for bucket in (0..10_000).filter_map(Bucket::from_index) {
                let place = number * 31 + u64::from(bucket.index()) * 13;
                count(&mut counted, bucket, place);
            }
            let window = Window {
                start,
                replica: "one".to_owned(),
                version: 0,
                counts: serde_json::to_string(&counted).unwrap(),
            };
            let store = &self.decider.store;
            store.put_window("movies", &window).await.unwrap();
        }
    }

    /// Decides once all windows have arrived; returns what is told.
    async fn decide(&mut self) -> Found {
        self.now += ARRIVAL + WINDOW;
        let live = self.decider.rollouts.live("movies").unwrap();
        let before = self.stored().await;
        let policy = self.policy.clone();
        let decided = self.decider.decide(&live, &policy, before, self.now).await;
        self.now = self.now.max(Timestamp::now());
        found(&decided.unwrap().unwrap())
    }

    async fn stored(&self) -> Option<StoredAnalysis> {
        let mut all = self.decider.store.analyses().await.unwrap();
        all.remove("movies")
    }

    /// Which stretch of evidence this is.
    async fn stretch(&self, of: &str) -> Value {
        let stored = self.stored().await.unwrap();
        let analysis: Value = serde_json::from_str(&stored.analysis).unwrap();
        analysis.pointer(of).unwrap().clone()
    }

    fn snapshot(&self) -> Snapshot {
        self.decider.rollouts.get("movies").unwrap()
    }
}

fn policy() -> Policy {
    Policy {
        settle_s: 0,
        step_time_s: 1,
        step_requests: 100,
        ..Policy::default()
    }
}

const fn to(stage: Stage) -> Command {
    Command::SetStage {
        stage,
        writes: None,
    }
}

/// Every so-manieth answer of both sides differs, and none by itself.
fn differing(nth: u64) -> impl Fn(&mut Counted, Bucket, u64) {
    move |counted, bucket, place| {
        counted.compared(bucket, place.is_multiple_of(nth));
        counted.noise(bucket, false);
    }
}

/// Every so-manieth answer of gRPC fails, of legacy one in a hundred.
fn failing(nth: u64) -> impl Fn(&mut Counted, Bucket, u64) {
    move |counted, bucket, place| {
        let nth = match counted.percent.includes(bucket) {
            true => nth,
            false => 100,
        };
        counted.answered(bucket, place.is_multiple_of(nth), 10_000);
    }
}

#[track_caller]
fn check(found: &Found, want: &str) {
    assert!(found.verdict.starts_with(want), "{found:?}");
}

#[tokio::test]
async fn a_release_that_was_mended_is_compared_anew_in_shadow() {
    for database in TestDatabase::each() {
        let mut world = World::start(&database, Stage::Legacy).await;
        world.command(to(Stage::Shadow)).await;
        check(&world.decide().await, "hold: undecided: 0 of 500");
        world.count(12, differing(5)).await;
        check(&world.decide().await, "roll back");
        let back = world.snapshot();
        assert_eq!((back.stage, back.is_paused), (Stage::Legacy, true));
        assert_eq!(world.stretch("/differences/stretch").await, 1);

        world.command(Command::Resume).await;
        world.command(to(Stage::Shadow)).await;
        check(&world.decide().await, "hold: undecided: 0 of 500");
        assert_eq!(world.snapshot().stage, Stage::Shadow);
        assert_eq!(world.stretch("/differences/stretch").await, 2);
        world.count(12, differing(u64::MAX)).await;
        check(&world.decide().await, "advance");
        assert_eq!(world.snapshot().stage, Stage::Split);

        // And one that was not is rolled back again.
        world.command(to(Stage::Shadow)).await;
        check(&world.decide().await, "hold: undecided: 0 of 500");
        world.count(12, differing(5)).await;
        check(&world.decide().await, "roll back");
        assert_eq!(world.snapshot().stage, Stage::Legacy);
        world.process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn who_resumes_begins_anew_at_the_same_percentage_and_who_pauses_does_not() {
    for database in TestDatabase::each() {
        let mut world = World::start(&database, Stage::Split).await;
        // No stretch ends by itself.
        world.policy.step_requests = 1_000_000;
        let half = Percent::try_from(50.0).unwrap();
        world.command(Command::SetPercent(half)).await;
        check(&world.decide().await, "hold: undecided: 0 of 1000000");
        world.count(1, failing(100)).await;
        let seen = world.decide().await;
        assert_eq!(seen.evidence[0].grpc_samples, 5_000);
        world.command(Command::Pause).await;
        let paused = world.decide().await;
        check(&paused, "paused; ");
        assert_eq!(paused.evidence[0].grpc_samples, 5_000);
        world.count(12, failing(3)).await;
        check(&world.decide().await, "paused; roll back");

        world.command(Command::Resume).await;
        check(&world.decide().await, "hold: undecided: 0 of 1000000");
        let resumed = world.snapshot();
        assert_eq!((resumed.percent, resumed.is_paused), (half, false));
        assert_eq!(world.stretch("/stretch").await, 2);
        world.count(12, failing(3)).await;
        check(&world.decide().await, "roll back");
        assert!(world.snapshot().is_halted);
        world.process.stop(Duration::from_secs(5)).await.unwrap();
    }
}
