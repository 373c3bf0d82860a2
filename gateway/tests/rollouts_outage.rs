//! The store goes away and comes back: traffic goes on, changes are refused.

use std::time::Duration;

use banyan_gateway::rollouts::{ChangeError, Definition, Rollouts};
use banyan_mesh::{process::Process, testing::Postgres};
use banyan_rollout::Side;
use serde_json::Value;

use crate::{
    admin_service::serve,
    rollouts_cli::run,
    rollouts_support::{Log, Replica, SOON, eventually, movies, operator, percent, steering, user},
};

fn postgres() -> Option<Postgres> {
    (std::env::var("BANYAN_TEST_POSTGRES").as_deref() != Ok("off")).then(Postgres::start)
}

fn on_grpc(rollouts: &Rollouts) -> usize {
    (0..1_000)
        .filter(|&id| rollouts.decide("movies", &user(id)).unwrap().side == Side::Grpc)
        .count()
}

fn store_up(process: &Process) -> bool {
    let metrics = process.metrics().encode().unwrap();
    metrics.contains("gateway_rollout_store_up 1\n")
}

#[tokio::test]
async fn traffic_goes_on_by_the_last_known_state_and_changes_are_refused() {
    let Some(mut postgres) = postgres() else {
        return;
    };
    let replica = Replica::start(&postgres.fresh_database()).await;
    let set = |text| {
        replica
            .rollouts
            .set_percent("movies", percent(text), operator(""))
    };
    set("100").await.unwrap();
    assert!(store_up(&replica.process));

    let log = Log::capture();
    postgres.kill();
    eventually(Duration::from_secs(5), || !store_up(&replica.process)).await;
    assert_eq!(on_grpc(&replica.rollouts), 1_000);
    assert!(replica.process.readiness().is_ready());
    let error = set("0").await.unwrap_err();
    assert!(matches!(error, ChangeError::Change { .. }), "{error:?}");
    assert_eq!(replica.in_force(), "100 operator v1");
    let said = "the last known percentages stay in force";
    assert_eq!(log.text().matches(said).count(), 1, "{}", log.text());

    postgres.restart();
    eventually(Duration::from_secs(10), || store_up(&replica.process)).await;
    assert_eq!(replica.in_force(), "100 operator v1");
    set("0").await.unwrap();
    assert_eq!(on_grpc(&replica.rollouts), 0);
    replica.stop().await;
}

/// Whether everybody who asks is told that this is only what was last known.
async fn said_to_be_stale(replica: &Replica, url: &str) -> Vec<bool> {
    let mut said = Vec::new();
    for command in ["list", "show movies", "explain movies --subject alice"] {
        let text = run(url, command).await.unwrap();
        said.push(text.contains("cannot read its store"));
        let json = run(url, &format!("{command} --json")).await.unwrap();
        let json: Value = serde_json::from_str(&json).unwrap();
        let of = json.pointer("/rollouts/0").unwrap_or(&json);
        said.push(of["stale"] == true);
    }
    let metrics = replica.process.metrics().encode().unwrap();
    said.push(metrics.contains("gateway_rollout_stale 1\n"));
    said
}

#[tokio::test]
async fn who_asks_is_told_that_the_store_cannot_be_read() {
    let Some(mut postgres) = postgres() else {
        return;
    };
    let replica = Replica::start(&postgres.fresh_database()).await;
    let url = format!("http://{}", serve(replica.rollouts.clone()).await);
    eventually(SOON, || store_up(&replica.process)).await;
    assert_eq!(said_to_be_stale(&replica, &url).await, [false; 7]);
    postgres.kill();
    eventually(SOON, || !store_up(&replica.process)).await;
    assert_eq!(said_to_be_stale(&replica, &url).await, [true; 7]);
    replica.stop().await;
}

#[tokio::test]
async fn a_store_that_was_never_read_leaves_environment_and_file_in_force() {
    let log = Log::capture();
    let replica = Replica::start("postgres://nobody@127.0.0.1:1/none").await;
    assert!(
        log.text().contains("environment and file decide"),
        "{}",
        log.text()
    );
    assert_eq!(replica.in_force(), "50 environment v0");
    assert!((400..600).contains(&on_grpc(&replica.rollouts)));
    let set = replica
        .rollouts
        .set_percent("movies", percent("0"), operator(""));
    assert!(matches!(set.await, Err(ChangeError::Change { .. })));
    assert!(replica.rollouts.changes("movies", None, 1).await.is_err());
    replica.stop().await;
}

#[tokio::test]
async fn what_was_raised_without_the_store_stays_when_it_returns() {
    let Some(mut postgres) = postgres() else {
        return;
    };
    let url = postgres.fresh_database();
    let at = |percent| Definition {
        env_percent: Some(percent),
        ..movies()
    };
    let before = Replica::start_with(&url, vec![at(percent("10"))]).await;
    before.until_in_force("10 environment v0").await;
    before.stop().await;

    postgres.kill();
    let raised = Replica::start_with(&url, vec![at(percent("50"))]).await;
    assert_eq!(raised.in_force(), "50 environment v0");
    postgres.restart();
    eventually(Duration::from_secs(60), || {
        let now = raised.in_force();
        assert!(now.starts_with("50 environment"), "{now}");
        now == "50 environment v1"
    })
    .await;
    raised.stop().await;
}

#[tokio::test]
async fn a_gateway_without_a_store_decides_and_refuses_changes() {
    let process = Process::new();
    let rollouts = Rollouts::start(vec![movies()], None, steering(), &process).await;
    assert!((400..600).contains(&on_grpc(&rollouts)));
    let set = rollouts
        .set_percent("movies", percent("0"), operator(""))
        .await;
    assert!(matches!(set, Err(ChangeError::NoStore)));
}
