//! More subjects on gRPC than the follower has data for: operators are refused, what files and variables say waits.

use std::{fs, sync::atomic::Ordering};

use serde_json::{Value, json};

use super::{
    data::Follower,
    operating::{done, json_of, typed},
    world::{World, answer, until},
};
use crate::rollouts_support::{Log, shared_database};

/// A follower that has not caught up yet.
fn behind() -> Follower {
    let follower = Follower::new(false);
    follower.is_behind.store(true, Ordering::SeqCst);
    follower
}

fn catches_up(follower: &Follower) {
    follower.is_behind.store(false, Ordering::SeqCst);
}

async fn items(world: &World) -> Value {
    answer(world.ops("/v1/rollouts/items")).await.1
}

fn percent(rollout: &Value) -> f64 {
    rollout["percent"].as_f64().unwrap_or_default()
}

async fn until_at(world: &World, want: f64) {
    until("the percentage is in force", async || {
        percent(&items(world).await) == want
    })
    .await;
}

async fn refused(world: &World, line: &str) {
    let error = typed(world, line).await.1.unwrap_err();
    let text = error.to_string();
    assert_eq!(error.exit_code(), 1, "{line}: {text}");
    assert!(
        text.contains("behind the legacy system") && text.contains("FailedPrecondition"),
        "{line}: {text}"
    );
}

#[tokio::test]
async fn what_a_file_says_waits_for_the_follower_and_rises_by_itself() {
    let log = Log::capture();
    let follower = behind();
    let world = follower.world_with(|_| {}).await;
    let now = items(&world).await;
    assert_eq!(
        (percent(&now), &now["source"]),
        (0.0, &json!("SOURCE_FILE"))
    );
    let word = &now["percents"][0];
    assert_eq!(word["percent"], 50, "{now}");
    assert!(
        word["waits"].as_str().unwrap().contains("ms behind"),
        "{now}"
    );
    let show = done(&world, "show items").await;
    assert!(
        show.contains("said      file 50 (gateway.toml), waits: the follower is "),
        "{show}"
    );
    let list = done(&world, "list").await;
    assert!(list.contains("0 (50 waits)"), "{list}");
    let waiting = |is| format!("gateway_rollout_waiting{{rollout=\"items\"}} {is}");
    assert!(world.metrics().await.contains(&waiting(1)));
    let before = jiff::Timestamp::now();
    let at_before = format!("explain items --subject alice --at {before}");
    for subject in 0..20 {
        let request = world.get("/api/items").header("x-user-id", subject);
        let answered = request.send().await.unwrap();
        assert_eq!(answered.headers()["x-banyan-side"], "legacy");
    }

    catches_up(&follower);
    until_at(&world, 50.0).await;
    let now = items(&world).await;
    assert_eq!(now["percents"][0]["waits"], Value::Null, "{now}");
    assert!(world.metrics().await.contains(&waiting(0)));
    let history = json_of(&world, "history items").await;
    let changes = history["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{history}");
    assert_eq!(
        (&changes[0]["actor"], &changes[0]["reason"]),
        (
            &json!("settings"),
            &json!("what waited for the follower is in force: 0 -> 50")
        )
    );
    let then = json_of(&world, &at_before).await;
    assert_eq!(percent(&then["rollout"]), 0.0, "{then}");
    assert!(
        then.to_string().contains("waits at 0 for the follower"),
        "{then}"
    );
    until("it is said", async || {
        log.text().contains("waits no longer")
    })
    .await;
    let said = log.text();
    assert_eq!(
        said.matches("A percentage waits for the follower").count(),
        1,
        "{said}"
    );
    assert_eq!(
        said.matches("A percentage waits no longer").count(),
        1,
        "{said}"
    );
}

#[tokio::test]
async fn a_mounted_file_goes_down_at_once_and_up_when_the_follower_has_caught_up() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("ITEMS");
    fs::write(&file, "20").unwrap();
    let follower = Follower::new(false);
    let path = file.clone();
    let world = follower
        .world_with(|config| {
            config.rollouts.get_mut("items").unwrap().percent_file = Some(path);
        })
        .await;
    assert_eq!(
        percent(&items(&world).await),
        20.0,
        "ready: it waits for nobody"
    );
    follower.is_behind.store(true, Ordering::SeqCst);
    fs::write(&file, "60").unwrap();
    until("it waits", async || {
        items(&world).await["percents"][0]["waits"].is_string()
    })
    .await;
    let now = items(&world).await;
    assert_eq!(
        (percent(&now), &now["percents"][0]["percent"]),
        (20.0, &json!(60))
    );
    fs::write(&file, "7").unwrap();
    until_at(&world, 7.0).await;
    assert_eq!(items(&world).await["percents"][0]["waits"], Value::Null);
    fs::write(&file, "30").unwrap();
    until("it waits", async || {
        items(&world).await["percents"][0]["waits"].is_string()
    })
    .await;
    assert_eq!(percent(&items(&world).await), 7.0);
    catches_up(&follower);
    until_at(&world, 30.0).await;
}

#[tokio::test]
async fn operators_are_refused_more_and_never_less() {
    let follower = Follower::new(false);
    let world = follower.world_with(|_| {}).await;
    done(&world, "set items 30").await;
    follower.is_behind.store(true, Ordering::SeqCst);
    for line in [
        "set items 31",
        "promote items",
        "unset items",
        "split items 100",
    ] {
        refused(&world, line).await;
    }
    done(&world, "set items 30").await;
    done(&world, "set items 20").await;
    let error = typed(&world, "unset items --force").await.1.unwrap_err();
    assert!(error.to_string().contains("reason"), "{error}");
    done(&world, "unset items --force --reason known").await;
    let now = items(&world).await;
    assert_eq!(
        (percent(&now), &now["percents"][0]["waits"]),
        (50.0, &Value::Null)
    );
    let newest = json_of(&world, "history items --limit 1").await;
    let evidence = newest["changes"][0]["evidence"].as_str().unwrap();
    assert!(
        evidence.contains("forced") && evidence.contains("Behind"),
        "{evidence}"
    );
    done(&world, "set items 5").await;
    done(&world, "set items 90 --force --reason known").await;
    done(&world, "abort items").await;
    catches_up(&follower);
    done(&world, "set items 91").await;
}

#[tokio::test]
async fn what_waits_rises_at_every_replica_from_one_moment() {
    let Some(database) = shared_database() else {
        return;
    };
    let follower = behind();
    let on_store = async || {
        let url = banyan_mesh::settings::DatabaseUrl::new(&database.url);
        follower.world_with(|config| config.store.url = url).await
    };
    let (one, other) = (on_store().await, on_store().await);
    catches_up(&follower);
    for world in [&one, &other] {
        until_at(world, 50.0).await;
    }
    let [one_is, other_is] = [items(&one).await, items(&other).await];
    assert_eq!(one_is["updateTime"], other_is["updateTime"]);
    let history = json_of(&one, "history items").await;
    let changes = history["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "both asked, one entry: {history}");
    assert_eq!(changes[0]["changeTime"], one_is["updateTime"]);
}
