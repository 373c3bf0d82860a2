//! What gateway.toml says about rollouts, changed while the gateway runs: taken up whole, told to the log, or refused.

use std::{fs, time::Duration};

use serde_json::{Value, json};

use super::{
    operating::{done, json_of},
    world::{World, answer, until},
};

fn edit(world: &World, from: &str, to: &str) {
    let text = fs::read_to_string(world.file("gateway.toml")).unwrap();
    assert!(text.contains(from), "{from} in\n{text}");
    fs::write(world.file("gateway.toml.new"), text.replace(from, to)).unwrap();
    fs::rename(world.file("gateway.toml.new"), world.file("gateway.toml")).unwrap();
}

async fn items(world: &World) -> Value {
    answer(world.ops("/v1/rollouts/items")).await.1
}

async fn newest(world: &World) -> Value {
    json_of(world, "history items --limit 1").await["changes"][0].clone()
}

const SUBJECTS: &str = "subjects = [\"header:x-user-id\", \"cookie:shop_subject\"]";

#[tokio::test]
async fn a_changed_setting_is_in_force_and_in_the_log_without_a_restart() {
    let world = World::start().await;
    edit(&world, "percent = 50", "percent = 75");
    until("the percentage is in force", async || {
        items(&world).await["percent"] == 75
    })
    .await;
    until("the log has it", async || {
        newest(&world).await["percent"] == 75
    })
    .await;
    let change = newest(&world).await;
    assert_eq!(
        (
            &change["actor"],
            &change["action"],
            &change["previousPercent"]
        ),
        (&json!("settings"), &json!("ACTION_CONFIGURE"), &json!(50)),
        "{change}"
    );

    let more = "subjects = [\"header:x-guest\", \"cookie:shop_subject\"]\nfallback = true\n\
                shadow = { percent = 5 }\npolicy = { steps = [10, 100] }";
    edit(&world, SUBJECTS, more);
    until("the log has it", async || {
        newest(&world).await["settings"]
            .as_array()
            .is_some_and(|all| all.len() == 4)
    })
    .await;
    let change = newest(&world).await;
    let names: Vec<&str> = change["settings"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["shadow", "fallback", "policy", "subjects"]);
    assert_eq!(
        change["settings"][3]["value"],
        "header:x-guest, cookie:shop_subject"
    );
    let now = items(&world).await;
    assert_eq!(
        (&now["subjects"][0], &now["analysis"]),
        (&json!("header:x-guest"), &json!("ANALYSIS_RUNNING"))
    );
    // By the old list these two would be strangers with a cookie each; by the new one they are one guest.
    let side = async |request: reqwest::RequestBuilder| {
        let response = request.header("x-guest", "ann").send().await.unwrap();
        assert!(
            !response.headers().contains_key("set-cookie"),
            "{response:?}"
        );
    };
    side(world.get("/api/items")).await;
    let verdict = json_of(&world, "verify items").await;
    assert_eq!(verdict["intact"], true, "{verdict}");
}

#[tokio::test]
async fn a_file_of_the_mounted_folder_is_in_force_without_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let key = folder.path().join("ITEMS_MIGRATION_PERCENT");
    fs::write(&key, "20").unwrap();
    let world = World::with(|config| {
        config.rollouts_folder = Some(folder.path().to_owned());
        let rollout = config.rollouts.get_mut("items").unwrap();
        rollout.percent_env = Some("ITEMS_MIGRATION_PERCENT".to_owned());
    })
    .await;
    let in_force = async || {
        let now = items(&world).await;
        (now["source"].clone(), now["percent"].clone())
    };
    assert_eq!(in_force().await, (json!("SOURCE_FILES"), json!(20)));
    fs::write(&key, "30").unwrap();
    until("the change is in force", async || {
        in_force().await == (json!("SOURCE_FILES"), json!(30))
    })
    .await;
}

#[tokio::test]
async fn what_operators_decided_and_how_subjects_are_dealt_outlive_a_changed_file() {
    let world = World::start().await;
    done(&world, "set items 30").await;
    done(&world, "shadow items --percent 10").await;
    let before = items(&world).await;
    edit(
        &world,
        "percent = 50",
        "percent = 90\nshadow = { percent = 1 }",
    );
    until("the file is taken up", async || {
        items(&world).await["percents"][1]["percent"] == 90
    })
    .await;
    let after = items(&world).await;
    assert_eq!(
        (&after["percent"], &after["source"]),
        (&json!(30), &json!("SOURCE_OPERATOR"))
    );
    let said = |value: &str, source: &str, origin: &str| json!({"value": value, "source": source, "origin": origin});
    let shadow: Vec<Value> = after["settings"][0]["said"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| {
            said(
                it["value"].as_str().unwrap(),
                it["source"].as_str().unwrap(),
                it["origin"].as_str().unwrap_or_default(),
            )
        })
        .collect();
    assert_eq!(
        shadow,
        [
            said("10", "SOURCE_OPERATOR", ""),
            said("1", "SOURCE_FILE", "gateway.toml")
        ]
    );
    for pinned in ["salt", "algorithm"] {
        assert_eq!(before[pinned], after[pinned]);
    }
}

#[tokio::test]
async fn a_bad_file_is_refused_whole_and_the_old_stays() {
    let world = World::start().await;
    let good = "percent = 50";
    for (bad, word) in [
        ("percent = 150", "percent"),
        (
            "percent = 60\npolicy = { steps = [9, 3] }",
            "rollouts.items.policy",
        ),
        ("percent = 60\nsubject = 1", "subject"),
        ("percent = 60\nshadow = { percent = \"lots\" }", "percent"),
    ] {
        edit(&world, good, bad);
        until("it is refused", async || {
            let reason = world.contracts().await["refused"]["reason"].clone();
            reason.as_str().is_some_and(|reason| reason.contains(word))
        })
        .await;
        assert!(
            world
                .metrics()
                .await
                .contains("gateway_contracts_refused 1")
        );
        assert_eq!(items(&world).await["percent"], 50, "{bad}");
        edit(&world, bad, good);
        until("all is well again", async || {
            world.contracts().await["refused"].is_null()
        })
        .await;
    }
    // A follower that is nowhere: nothing of the same file is used.
    edit(
        &world,
        "follow = { upstream = \"shop\"",
        "fallback = true\nfollow = { upstream = \"nowhere\"",
    );
    until("it is refused", async || {
        world.contracts().await["refused"].is_object()
    })
    .await;
    let now = items(&world).await;
    assert_eq!(now["settings"][2]["said"][0]["value"], "off", "{now}");
}

#[tokio::test]
async fn a_rollout_comes_and_goes_with_the_file() {
    let world = World::start().await;
    let route = "[[routes]]\nmethods = [\"GET\"]\npath = \"/api/things\"\nrpc = \"shop.v1.ShopService/ListItems\"\n\
                 upstream = \"shop\"\nrollout = \"things\"\nlegacy = \"old\"\n\n[rollouts.things]\n\
                 subjects = [\"client:address\"]\npercent = 100\n\n[rollouts.items]";
    edit(&world, "[rollouts.items]", route);
    until("it is served", async || {
        answer(world.get("/api/things")).await.0 == 200
    })
    .await;
    done(&world, "set things 0 --reason try").await;
    let (_, body) = answer(world.get("/api/things")).await;
    assert_eq!(body["target"], "/api/things", "legacy answers");

    edit(&world, route, "[rollouts.items]");
    until("it is gone", async || {
        answer(world.ops("/v1/rollouts/things")).await.0 == 404
    })
    .await;
    assert!(!done(&world, "list").await.contains("things"));
    edit(&world, "[rollouts.items]", route);
    until("it is back as it was left", async || {
        let (_, things) = answer(world.ops("/v1/rollouts/things")).await;
        things["percent"].is_null() && things["source"] == "SOURCE_OPERATOR"
    })
    .await;
}

#[tokio::test]
async fn a_mounted_folder_that_is_named_later_is_read() {
    let world = World::start().await;
    let folder = world.file("rollouts");
    fs::create_dir(&folder).unwrap();
    fs::write(folder.join("ITEMS"), "7").unwrap();
    let named = format!(
        "percent = 50\npercent_file = \"{}\"",
        folder.join("ITEMS").display()
    );
    edit(&world, "percent = 50", &named);
    until("the file is read", async || {
        items(&world).await["percent"] == 7
    })
    .await;
    fs::write(folder.join("ITEMS"), "8").unwrap();
    tokio::time::timeout(Duration::from_secs(2), async {
        until("it is followed", async || {
            items(&world).await["percent"] == 8
        })
        .await;
    })
    .await
    .unwrap();
}
