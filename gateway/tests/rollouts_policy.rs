//! A rollout that moves by itself: one of the replicas decides, on what all of them saw.

use std::time::{Duration, Instant};

use banyan_gateway::{
    rollouts::{Definition, Operator},
    store::Action,
};
use banyan_mesh::testing::TestDatabase;
use banyan_rollout::{Policy, Side};
use http::StatusCode;

use crate::rollouts_support::{
    Log, Replica, SOON, eventually, movies, operator, percent, shared_database, user,
};

const PATIENCE: Duration = Duration::from_secs(90);

fn quick() -> Vec<Definition> {
    let policy = Policy {
        settle_s: 0,
        step_time_s: 1,
        step_requests: 100,
        // These answers take no time: of them nothing can be said about latency.
        latency: Vec::new(),
        ..Policy::default()
    };
    vec![Definition {
        policy: Some(policy),
        env_percent: None,
        file_percent: None,
        ..movies()
    }]
}

/// A thousand users ask once; gRPC fails for some of them.
fn traffic(replica: &Replica, grpc_fails: bool) {
    traffic_of(replica, &[Side::Legacy, Side::Grpc], grpc_fails);
}

/// Only those of the thousand whose side is one of these.
fn traffic_of(replica: &Replica, sides: &[Side], grpc_fails: bool) {
    for id in 0..1_000 {
        let ruling = replica.rollouts.decide("movies", &user(id)).unwrap();
        if !sides.contains(&ruling.side) {
            continue;
        }
        let failed = grpc_fails && ruling.side == Side::Grpc && id % 4 == 0;
        ruling.record(match failed {
            true => StatusCode::BAD_GATEWAY,
            false => StatusCode::OK,
        });
    }
}

#[tokio::test]
async fn a_bad_release_is_rolled_back_with_its_evidence_by_whoever_is_left() {
    let database = TestDatabase::each().pop().unwrap();
    let one = Replica::start_with(&database.url, quick()).await;
    let replicas = match database.url.starts_with("postgres") {
        true => {
            let other = Replica::start_with(&database.url, quick()).await;
            // The holder of the lease goes away; the other one decides.
            one.stop().await;
            other
        }
        false => one,
    };
    let set = replicas
        .rollouts
        .set_percent("movies", percent("50"), operator("half"));
    set.await.unwrap();
    let begun = Instant::now();
    while replicas.movies().percent == percent("50") {
        traffic(&replicas, true);
        assert!(begun.elapsed() < PATIENCE, "{:?}", replicas.movies());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    let rollout = replicas.movies();
    assert_eq!(rollout.percent, percent("0"));
    assert!(rollout.is_halted && rollout.is_paused);
    let log = replicas.rollouts.changes("movies", None, 1).await.unwrap();
    assert_eq!(log[0].action, Action::RollBack);
    assert_eq!(log[0].actor, "policy");
    assert!(log[0].evidence.contains("\"worse\""), "{}", log[0].evidence);
    replicas.stop().await;
}

#[tokio::test]
async fn what_each_replica_saw_counts_together() {
    let Some(database) = shared_database() else {
        return;
    };
    let one = Replica::start_with(&database.url, quick()).await;
    let other = Replica::start_with(&database.url, quick()).await;
    let half = one
        .rollouts
        .set_percent("movies", percent("50"), operator("half"));
    half.await.unwrap();
    // By what one of them sees alone, nothing can be compared.
    let begun = Instant::now();
    while one.movies().percent == percent("50") {
        traffic_of(&one, &[Side::Legacy], true);
        traffic_of(&other, &[Side::Grpc], true);
        assert!(begun.elapsed() < PATIENCE, "{:?}", one.movies());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    eventually(SOON, || other.movies().percent == percent("0")).await;
    let log = one.rollouts.changes("movies", None, 2).await.unwrap();
    assert_eq!(
        [log[0].action, log[1].action],
        [Action::RollBack, Action::Set],
        "once"
    );
    one.stop().await;
    other.stop().await;
}

#[tokio::test]
async fn nothing_moves_while_paused() {
    let database = TestDatabase::sqlite();
    let replica = Replica::start_with(&database.url, quick()).await;
    let commands = [
        banyan_rollout::Command::SetPercent(percent("50")),
        banyan_rollout::Command::Pause,
    ];
    replica
        .rollouts
        .command("movies", Action::Pause, &commands, operator(""))
        .await
        .unwrap();
    let begun = Instant::now();
    while !replica.movies().verdict.contains("errors worse") {
        traffic(&replica, true);
        assert!(begun.elapsed() < PATIENCE, "{:?}", replica.movies());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(replica.movies().verdict.starts_with("paused; roll back"));
    assert_eq!(replica.in_force(), "50 operator v1");
    replica.stop().await;
}

/// Good traffic until the policy says this.
async fn good_until(replica: &Replica, said: &str) {
    let begun = Instant::now();
    while !replica.movies().verdict.starts_with(said) {
        traffic(replica, false);
        assert!(begun.elapsed() < PATIENCE, "{:?}", replica.movies());
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
}

#[tokio::test]
async fn a_policy_ends_at_its_last_step_and_says_so() {
    let database = TestDatabase::sqlite();
    let mut definitions = quick();
    if let Some(policy) = &mut definitions[0].policy {
        policy.steps = vec![percent("1"), percent("50")];
    }
    let replica = Replica::start_with(&database.url, definitions).await;
    let set = replica
        .rollouts
        .set_percent("movies", percent("50"), operator("half"));
    set.await.unwrap();
    good_until(&replica, "hold: last step").await;
    assert_eq!(replica.in_force(), "50 operator v1");
    let promote = [banyan_rollout::Command::Promote];
    let promoted = replica
        .rollouts
        .command("movies", Action::Promote, &promote, operator("all"));
    promoted.await.unwrap();
    assert_eq!(replica.in_force(), "100 operator v2");
    replica.stop().await;
}

#[tokio::test]
async fn a_step_that_is_refused_reads_as_a_hold_and_is_logged_once() {
    let log = Log::capture();
    let database = TestDatabase::sqlite();
    let followed = Definition {
        has_follower: true,
        ..quick().remove(0)
    };
    let replica = Replica::start_with(&database.url, vec![followed]).await;
    let forced = Operator {
        is_forced: true,
        ..operator("half")
    };
    let set = replica
        .rollouts
        .set_percent("movies", percent("50"), forced);
    set.await.unwrap();
    let hold = "hold: the follower cannot be asked how far it is";
    good_until(&replica, hold).await;
    assert!(replica.movies().verdict.contains("; errors harmless"));
    assert_eq!(replica.in_force(), "50 operator v1");

    // It was tried again meanwhile, and said no more.
    let decided = async || replica.store.analyses().await.unwrap()["movies"].until;
    let (first, begun) = (decided().await, Instant::now());
    while decided().await < first + Duration::from_secs(11) {
        assert!(begun.elapsed() < PATIENCE);
        tokio::time::sleep(Duration::from_millis(200)).await;
    }
    assert!(replica.movies().verdict.starts_with(hold));
    let text = log.text();
    let said = text.matches("A rollout cannot be moved by its policy");
    assert_eq!(said.count(), 1, "{text}");
    replica.stop().await;
}
