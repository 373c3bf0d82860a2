//! The short form of each scenario, on the binary of this build: a few faults of each kind in well under a minute.

// A test that cannot go on is over; clippy's exception for tests stops at helper functions.
#![allow(clippy::unwrap_used)]

use std::time::{SystemTime, UNIX_EPOCH};

use banyan_chaos::{Progress, Settings, migration, plan::Form, reservation};

fn short() -> Settings {
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    // `SEED=` repeats a run.
    let seed = std::env::var("SEED").ok();
    Settings {
        seed: seed.map_or(now, |seed| seed.parse().unwrap()),
        form: Form::Short,
        binary: None,
        parent: std::env::temp_dir(),
    }
}

fn has_postgres() -> bool {
    std::env::var("BANYAN_TEST_POSTGRES").as_deref() != Ok("off")
}

fn figure(figures: &[(&str, u64, &str)], name: &str) -> u64 {
    figures.iter().find(|it| it.0 == name).unwrap().1
}

#[tokio::test(flavor = "multi_thread")]
async fn bookings_survive_kills_and_lost_commits() {
    if !has_postgres() {
        return;
    }
    let report = reservation::run(&short(), Progress::start()).await.unwrap();
    let figures = report.figures();
    assert!(figure(&figures, "kills") >= 5, "{figures:?}");
    for nothing in ["acknowledged_lost", "oversold_cells"] {
        assert_eq!(figure(&figures, nothing), 0, "{nothing}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn movies_move_to_grpc_and_back_while_both_sides_are_killed() {
    if !has_postgres() {
        return;
    }
    let report = migration::run(&short(), Progress::start()).await.unwrap();
    let figures = report.figures();
    for (kills, least) in [("migration_grpc_kills", 2), ("migration_monolith_kills", 1)] {
        assert!(figure(&figures, kills) >= least, "{figures:?}");
    }
    assert!(
        figure(&figures, "migration_creates_in_flight") > 0,
        "{figures:?}"
    );
    for nothing in [
        "migration_failed_requests",
        "migration_lost_writes",
        "migration_moved_back",
        "migration_stale_own_reads",
    ] {
        assert_eq!(figure(&figures, nothing), 0, "{nothing}");
    }
}
