//! A rollout that moves by itself: one of the replicas decides, on what all of them saw.

use std::time::{Duration, Instant};

use banyan_gateway::{rollouts::Definition, store::Action};
use banyan_mesh::testing::TestDatabase;
use banyan_rollout::{Policy, Side};
use http::StatusCode;

use crate::rollouts_support::{Replica, movies, operator, percent, user};

const PATIENCE: Duration = Duration::from_secs(90);

fn quick() -> Vec<Definition> {
    let policy = Policy {
        settle_s: 0,
        step_time_s: 1,
        step_requests: 100,
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
    for id in 0..1_000 {
        let ruling = replica.rollouts.decide("movies", &user(id)).unwrap();
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
