//! What was found good is what is gone back to, whoever left it.

use banyan_rollout::BackTo;

use super::*;
use crate::store::Entry;

fn percent(value: f64) -> Percent {
    Percent::try_from(value).unwrap()
}

/// Ends at 50, finds good quickly and goes back to what it found good.
fn ruled(advance: bool) -> Definition {
    let subjects = Subjects::new(vec!["cookie:c".parse().unwrap()]).unwrap();
    let policy = Policy {
        advance,
        steps: vec![percent(25.0), percent(50.0)],
        latency: Vec::new(),
        back_to: BackTo::LastGood,
        ..policy()
    };
    Definition {
        policy: Some(policy),
        ..Definition::new("movies", subjects)
    }
}

impl World {
    /// The gateway knows of the policy too, and its own decider never has its turn.
    async fn ruled_by(database: &TestDatabase, definition: Definition) -> World {
        let policy = definition.policy.clone().unwrap();
        let world = World::with(database, definition, policy).await;
        let store = &world.decider.store;
        assert!(store.ready().await);
        let lasts = Duration::from_secs(60 * 60);
        let lease = store.lease(NAME, "one", world.now, lasts).await.unwrap();
        assert_eq!(lease.holder, "one");
        world
    }

    async fn set(&mut self, value: f64) -> Snapshot {
        self.command(Command::SetPercent(percent(value))).await
    }

    /// Such traffic until the policy says this.
    async fn until(&mut self, want: &str, count: impl Fn(&mut Counted, Bucket, u64)) {
        let mut said = Found::default();
        for _ in 0..20 {
            self.count(6, &count).await;
            said = self.decide().await;
            if said.verdict.starts_with(want) {
                return;
            }
        }
        panic!("never {want}: {said:?}");
    }

    async fn last_change(&self) -> Entry {
        let changes = self.decider.rollouts.changes("movies", None, 1);
        changes.await.unwrap().remove(0)
    }

    async fn check_rolled_back(&self, to: f64) {
        let back = self.snapshot();
        let got = (back.percent, back.last_good, back.is_halted);
        assert_eq!(got, (percent(to), percent(to), false), "{back:?}");
        assert_eq!(self.last_change().await.action, Action::RollBack);
    }
}

#[tokio::test]
async fn whoever_goes_beyond_the_last_step_comes_back_to_it() {
    for database in TestDatabase::each() {
        let mut world = World::ruled_by(&database, ruled(true)).await;
        world.set(25.0).await;
        world.until("advance", failing(100)).await;
        world.until("hold: last step", failing(100)).await;
        let held = world.snapshot();
        let got = (held.percent, held.last_good);
        assert_eq!(got, (percent(50.0), percent(25.0)));
        // It is found again and again, and nothing of it is a change.
        check(&world.decide().await, "hold: last step");
        assert_eq!(world.snapshot().version, held.version);

        let everybody = world.command(Command::Promote).await;
        let got = (everybody.percent, everybody.last_good);
        assert_eq!(got, (percent(100.0), percent(50.0)));
        let entry = world.last_change().await;
        let evidence: Value = serde_json::from_str(&entry.evidence).unwrap();
        let found = &evidence["found_good"];
        assert_eq!(found["percent"], 50.0, "{evidence}");
        assert_eq!(found["metrics"][0]["judgement"], "harmless", "{evidence}");

        world.until("roll back", differing(5)).await;
        world.check_rolled_back(50.0).await;
        world.process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn where_people_advance_what_was_found_good_on_the_way_counts() {
    for database in TestDatabase::each() {
        let mut world = World::ruled_by(&database, ruled(false)).await;
        world.set(10.0).await;
        // Of what is left at once nothing was found.
        assert_eq!(world.set(25.0).await.last_good, Percent::ZERO);
        world.until("hold: the step is good", failing(100)).await;
        let half = world.command(Command::Promote).await;
        let got = (half.percent, half.last_good);
        assert_eq!(got, (percent(50.0), percent(25.0)));
        assert_eq!(world.set(75.0).await.last_good, percent(25.0));
        world.until("roll back", failing(3)).await;
        world.check_rolled_back(25.0).await;
        world.process.stop(Duration::from_secs(5)).await.unwrap();
    }
}

#[tokio::test]
async fn a_file_that_says_more_leaves_what_was_good_behind_too() {
    for database in TestDatabase::each() {
        let says = |value| Definition {
            file_percent: Some(percent(value)),
            ..ruled(false)
        };
        let mut world = World::ruled_by(&database, says(25.0)).await;
        world.until("hold: the step is good", failing(100)).await;
        let rollouts = world.decider.rollouts.clone();
        rollouts.renew(vec![says(75.0)], BTreeMap::new()).await;
        while world.snapshot().percent != percent(75.0) {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        assert_eq!(world.snapshot().last_good, percent(25.0));
        let entry = world.last_change().await;
        assert_eq!(entry.action, Action::Configure);
        assert!(entry.evidence.contains("found_good"), "{}", entry.evidence);
        world.process.stop(Duration::from_secs(5)).await.unwrap();
    }
}
