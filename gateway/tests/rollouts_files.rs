//! A percentage in a mounted file: in force soon and everywhere at once, refused where it is none, weaker than variable and
//! operator.

use std::{
    fs,
    os::unix::fs::symlink,
    path::Path,
    time::{Duration, Instant},
};

use banyan_gateway::{rollouts::Definition, store::Action};
use banyan_mesh::testing::TestDatabase;
use banyan_rollout::Percent;
use jiff::Timestamp;

use crate::rollouts_support::{
    Log, Replica, SOON, eventually, movies, operator, percent, shared_database,
};

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
        fs::write(&file, "20\n").unwrap();
        let replica = Replica::start_with(&database.url, mounted(&file)).await;
        assert_eq!(replica.in_force(), "20 files v0");
        fs::write(&file, "30").unwrap();
        replica.until_in_force("30 files v1").await;
        fs::remove_file(&file).unwrap();
        replica.until_in_force("10 file v2").await;
        fs::write(&file, "40").unwrap();
        replica.until_in_force("40 files v3").await;

        let set = replica
            .rollouts
            .set_percent("movies", percent("5"), operator(""));
        set.await.unwrap();
        fs::write(&file, "50").unwrap();
        replica.until_in_force("5 operator v5").await;
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
        replica.until_in_force("60 environment v7").await;
        replica.stop().await;
    }
}

/// Writes the key anew the way a kubelet does: a folder of its own, and a link to it that is replaced in one step.
fn mount(folder: &Path, revision: &str, says: &str) {
    fs::create_dir(folder.join(revision)).unwrap();
    fs::write(folder.join(revision).join("MOVIES_MIGRATION_PERCENT"), says).unwrap();
    symlink(revision, folder.join("..data_tmp")).unwrap();
    fs::rename(folder.join("..data_tmp"), folder.join("..data")).unwrap();
}

#[tokio::test]
async fn a_mounted_key_is_followed_from_revision_to_revision() {
    let database = TestDatabase::sqlite();
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("MOVIES_MIGRATION_PERCENT");
    symlink("..data/MOVIES_MIGRATION_PERCENT", &key).unwrap();
    mount(folder.path(), "..1", "20");
    let replica = Replica::start_with(&database.url, mounted(&key)).await;
    assert_eq!(replica.in_force(), "20 files v0");
    mount(folder.path(), "..2", "30\n");
    fs::remove_dir_all(folder.path().join("..1")).unwrap();
    replica.until_in_force("30 files v1").await;
    replica.stop().await;
}

#[tokio::test]
async fn what_is_no_percentage_is_refused_and_the_old_stays() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("percent");
    fs::write(&file, "20").unwrap();
    let log = Log::capture();
    let database = TestDatabase::sqlite();
    let replica = Replica::start_with(&database.url, mounted(&file)).await;
    fs::write(&file, "twenty").unwrap();
    let refused = r#"gateway_rollout_percent_refused_total{rollout="movies"} 1"#;
    let metrics = || replica.process.metrics().encode().unwrap();
    eventually(SOON, || metrics().contains(refused)).await;
    assert_eq!(replica.in_force(), "20 files v0");
    let text = log.text();
    assert!(text.contains("`twenty` is not a percentage"), "{text}");
    fs::write(&file, "25").unwrap();
    eventually(SOON, || replica.in_force() == "25 files v1").await;
    assert!(metrics().contains(refused), "one line and one count");
    replica.stop().await;
}

#[tokio::test]
async fn a_folder_that_reaches_replicas_one_by_one_counts_for_all_at_once() {
    let Some(database) = shared_database() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (one_file, other_file) = (folder.path().join("one"), folder.path().join("other"));
    fs::write(&one_file, "20").unwrap();
    fs::write(&other_file, "20").unwrap();
    let one = Replica::start_with(&database.url, mounted(&one_file)).await;
    let other = Replica::start_with(&database.url, mounted(&other_file)).await;
    // The two files have different names, so the second start told the store of its own.
    fs::write(&one_file, "30").unwrap();
    eventually(SOON, || {
        one.movies().percent == percent("30") && other.movies().percent == percent("30")
    })
    .await;
    // The other file still says 20, for as long as a folder takes to be mounted anew: that is no news.
    let until = Instant::now() + Duration::from_secs(1);
    while Instant::now() < until {
        let both = [one.movies().percent, other.movies().percent];
        assert_eq!(both, [percent("30"), percent("30")]);
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
    fs::write(&other_file, "30").unwrap();
    eventually(SOON, || one.in_force() == other.in_force()).await;
    assert_eq!(one.movies().percent, percent("30"));
    one.stop().await;
    other.stop().await;
}

/// What two replicas decided by, and the time around the look at both.
struct Look {
    before: Timestamp,
    percents: [Percent; 2],
    after: Timestamp,
}

/// Looks from the change of a file until both have it, and compares what was seen with the moment that the log has.
/// `heard` is the one that has read the change.
async fn at_one_moment(heard: &Replica, other: &Replica, want: &str) {
    let want = percent(want);
    let mut looks = Vec::new();
    eventually(SOON, || {
        let before = Timestamp::now();
        let percents = [heard, other].map(|replica| replica.movies().percent);
        let after = Timestamp::now();
        looks.push(Look {
            before,
            percents,
            after,
        });
        percents == [want; 2]
    })
    .await;
    let log = heard.rollouts.changes("movies", None, 1).await.unwrap();
    let moment = log[0].time;
    for replica in [heard, other] {
        assert_eq!(replica.movies().update_time, Some(moment));
    }
    for Look {
        before,
        percents,
        after,
    } in looks
    {
        let at = format!("{before} to {after}, in force from {moment}: {percents:?}");
        if after < moment {
            assert!(!percents.contains(&want), "{at}");
        }
        if before >= moment {
            assert_eq!(percents[0], want, "{at}");
        }
    }
}

#[tokio::test]
async fn no_replica_goes_by_a_changed_file_before_the_others() {
    let Some(database) = shared_database() else {
        return;
    };
    let folder = tempfile::tempdir().unwrap();
    let (file, elsewhere) = (folder.path().join("one"), folder.path().join("other"));
    fs::write(&file, "20").unwrap();
    let one = Replica::start_with(&database.url, mounted(&file)).await;
    // Its folder is mounted anew much later.
    let other = Replica::start_with(&database.url, mounted(&elsewhere)).await;
    fs::write(&elsewhere, "20").unwrap();
    eventually(SOON, || {
        one.in_force() == "20 files v2" && one.movies() == other.movies()
    })
    .await;
    fs::write(&file, "30").unwrap();
    at_one_moment(&one, &other, "30").await;
    other.stop().await;

    // Nor does one that is started with something new.
    let more = Definition {
        env_percent: Some(percent("60")),
        ..mounted(&elsewhere).remove(0)
    };
    let other = Replica::start_with(&database.url, vec![more]).await;
    at_one_moment(&other, &one, "60").await;
    one.stop().await;
    other.stop().await;
}
