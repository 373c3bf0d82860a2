//! A percentage in a mounted file: in force within a second, refused where it is none, weaker than variable and operator.

use std::{
    path::Path,
    time::{Duration, Instant},
};

use banyan_gateway::{rollouts::Definition, store::Action};
use banyan_mesh::testing::TestDatabase;

use crate::rollouts_support::{Log, Replica, eventually, movies, operator, percent};

const SOON: Duration = Duration::from_secs(1);
/// The store has been told, and every replica has had the time to hear of it.
const SETTLED: Duration = Duration::from_secs(5);

/// What a file says decides within a second; its entry in the log follows once the store has been told.
async fn in_force_soon(replica: &Replica, want: &str) {
    let (says, _) = want.rsplit_once(' ').unwrap();
    eventually(SOON, || replica.in_force().starts_with(&format!("{says} "))).await;
    eventually(SETTLED, || replica.in_force() == want).await;
}

fn mounted(file: &Path) -> Vec<Definition> {
    vec![Definition {
        percent_file: Some(file.to_owned()),
        env_percent: None,
        ..movies()
    }]
}

#[tokio::test]
async fn a_file_is_in_force_within_a_second_and_beaten_by_variable_and_operator() {
    for database in TestDatabase::each() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("MOVIES_MIGRATION_PERCENT");
        std::fs::write(&file, "20\n").unwrap();
        let replica = Replica::start_with(&database.url, mounted(&file)).await;
        assert_eq!(replica.in_force(), "20 files v0");
        std::fs::write(&file, "30").unwrap();
        in_force_soon(&replica, "30 files v1").await;
        std::fs::remove_file(&file).unwrap();
        in_force_soon(&replica, "10 file v2").await;
        std::fs::write(&file, "40").unwrap();
        in_force_soon(&replica, "40 files v3").await;

        let set = replica
            .rollouts
            .set_percent("movies", percent("5"), operator(""));
        set.await.unwrap();
        std::fs::write(&file, "50").unwrap();
        eventually(SETTLED, || replica.in_force() == "5 operator v5").await;
        let unset = replica.rollouts.unset_percent("movies", operator(""));
        unset.await.unwrap();
        assert_eq!(replica.in_force(), "50 files v6");
        let said: Vec<String> = replica
            .movies()
            .said
            .iter()
            .map(|said| format!("{} {}", said.source, said.percent))
            .collect();
        assert_eq!(said, ["files 50", "file 10"]);
        let log = replica.rollouts.changes("movies", None, 1).await.unwrap();
        assert_eq!(log[0].action, Action::Unset);
        replica.stop().await;

        let both = Definition {
            env_percent: Some(percent("60")),
            ..mounted(&file).remove(0)
        };
        let replica = Replica::start_with(&database.url, vec![both]).await;
        assert_eq!(replica.in_force(), "60 environment v7");
        replica.stop().await;
    }
}

#[tokio::test]
async fn what_is_no_percentage_is_refused_and_the_old_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("percent");
    std::fs::write(&file, "20").unwrap();
    let log = Log::capture();
    let database = TestDatabase::sqlite();
    let replica = Replica::start_with(&database.url, mounted(&file)).await;
    std::fs::write(&file, "twenty").unwrap();
    let refused = r#"gateway_rollout_percent_refused_total{rollout="movies"} 1"#;
    let metrics = || replica.process.metrics().encode().unwrap();
    eventually(SOON, || metrics().contains(refused)).await;
    assert_eq!(replica.in_force(), "20 files v0");
    let text = log.text();
    assert!(text.contains("`twenty` is not a percentage"), "{text}");
    std::fs::write(&file, "25").unwrap();
    eventually(SOON, || replica.in_force() == "25 files v1").await;
    assert!(metrics().contains(refused), "one line and one count");
    replica.stop().await;
}

#[tokio::test]
async fn a_folder_that_reaches_replicas_one_by_one_counts_for_all_at_once() {
    let mut databases = TestDatabase::each().into_iter();
    let Some(database) = databases.find(|database| database.url.starts_with("postgres")) else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (one_file, other_file) = (folder.path().join("one"), folder.path().join("other"));
    std::fs::write(&one_file, "20").unwrap();
    std::fs::write(&other_file, "20").unwrap();
    let one = Replica::start_with(&database.url, mounted(&one_file)).await;
    let other = Replica::start_with(&database.url, mounted(&other_file)).await;
    // The two files have different names, so the second start told the store of its own.
    std::fs::write(&one_file, "30").unwrap();
    eventually(SOON, || {
        one.movies().percent == percent("30") && other.movies().percent == percent("30")
    })
    .await;
    // The other file still says 20, for as long as a folder takes to be mounted anew: that is no news.
    let until = Instant::now() + SOON;
    while Instant::now() < until {
        let both = [one.movies().percent, other.movies().percent];
        assert_eq!(both, [percent("30"), percent("30")]);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    std::fs::write(&other_file, "30").unwrap();
    eventually(SOON, || one.in_force() == other.in_force()).await;
    assert_eq!(one.movies().percent, percent("30"));
    one.stop().await;
    other.stop().await;
}
