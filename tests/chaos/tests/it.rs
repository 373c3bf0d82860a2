//! The short form of each scenario, on the binary of this build: a few faults of each kind in well under a minute.

use std::time::{SystemTime, UNIX_EPOCH};

use banyan_chaos::{
    Progress,
    plan::Form,
    reservation::{self, Settings},
};

#[tokio::test(flavor = "multi_thread")]
async fn bookings_survive_kills_and_lost_commits() {
    if std::env::var("BANYAN_TEST_POSTGRES").as_deref() == Ok("off") {
        return;
    }
    let now = SystemTime::now()
        .duration_since(UNIX_EPOCH)
        .unwrap()
        .as_secs();
    // `SEED=` repeats a run.
    let seed = std::env::var("SEED").ok();
    let settings = Settings {
        seed: seed.map_or(now, |seed| seed.parse().unwrap()),
        form: Form::Short,
        binary: None,
        parent: std::env::temp_dir(),
    };
    let report = reservation::run(&settings, Progress::start())
        .await
        .unwrap();
    let figures = report.figures();
    let figure = |name: &str| figures.iter().find(|it| it.0 == name).unwrap().1;
    assert!(figure("kills") >= 5, "{figures:?}");
    assert_eq!(
        (figure("acknowledged_lost"), figure("oversold_cells")),
        (0, 0)
    );
}
