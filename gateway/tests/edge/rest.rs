//! `banyan.rollout.v1` as REST on the operators' address: every call, with good and with bad input.

use serde_json::{Value, json};

use super::world::{World, answer};

async fn post(world: &World, path: &str, body: &Value) -> (u16, Value) {
    let url = format!("http://{}/v1/rollouts/{path}", world.gateway.ops);
    answer(world.client.post(url).json(body)).await
}

async fn get(world: &World, path: &str) -> (u16, Value) {
    answer(world.ops(&format!("/v1/rollouts{path}"))).await
}

/// The fields that an answer says are wrong.
fn fields(body: &Value) -> Vec<&str> {
    let details = body["error"]["details"]
        .as_array()
        .or(body["details"].as_array());
    let violations = details
        .into_iter()
        .flatten()
        .filter_map(|it| it["fieldViolations"].as_array());
    violations
        .flatten()
        .filter_map(|it| it["field"].as_str())
        .collect()
}

#[tokio::test]
async fn every_change_answers_with_the_rollout_after_it() {
    let world = World::start().await;
    let by = |mut body: Value| {
        body["actor"] = json!("ada");
        body
    };
    let steps = [
        (
            "items:setPercent",
            json!({"percent": 12.5}),
            "percent",
            json!(12.5),
        ),
        (
            "items:unsetPercent",
            json!({}),
            "source",
            json!("SOURCE_FILE"),
        ),
        (
            "items:configure",
            json!({"shadowPercent": 10, "fallback": true}),
            "stage",
            json!("STAGE_SPLIT"),
        ),
        (
            "items:configure",
            json!({"policy": {"steps": [5, 100], "stepTimeMin": "60s"}}),
            "analysis",
            json!("ANALYSIS_RUNNING"),
        ),
        (
            "items:pause",
            json!({}),
            "analysis",
            json!("ANALYSIS_PAUSED"),
        ),
        (
            "items:resume",
            json!({}),
            "analysis",
            json!("ANALYSIS_RUNNING"),
        ),
        (
            "items:configure",
            json!({"unset": ["policy", "shadow", "fallback"]}),
            "analysis",
            json!("ANALYSIS_OFF"),
        ),
        (
            "items:set",
            json!({"stage": "STAGE_SHADOW"}),
            "writeOwner",
            json!("WRITE_OWNER_LEGACY"),
        ),
        ("items:promote", json!({}), "stage", json!("STAGE_SPLIT")),
        (
            "items:abort",
            json!({"reason": "slow"}),
            "analysis",
            json!("ANALYSIS_ABORTED"),
        ),
    ];
    let begun = get(&world, "/items").await.1["version"].clone();
    let mut version: u64 = begun.as_str().map_or(0, |begun| begun.parse().unwrap());
    for (path, body, field, want) in steps {
        let (status, rollout) = post(&world, path, &by(body)).await;
        assert_eq!((status, &rollout[field]), (200, &want), "{path}: {rollout}");
        let now: u64 = rollout["version"].as_str().unwrap().parse().unwrap();
        assert_eq!(now, version + 1, "{path} is one change");
        version = now;
    }
    let (status, page) = get(&world, "/items/changes?pageSize=4").await;
    assert_eq!(
        (status, page["changes"].as_array().unwrap().len()),
        (200, 4),
        "{page}"
    );
    let token = page["nextPageToken"].as_str().unwrap();
    let (_, next) = get(
        &world,
        &format!("/items/changes?pageSize=4&pageToken={token}"),
    )
    .await;
    let fifth = format!("rollouts/items/changes/{}", version - 4);
    assert_eq!(next["changes"][0]["name"], fifth);
    let (status, verdict) = get(&world, "/items:verify").await;
    assert_eq!(
        (status, &verdict["intact"]),
        (200, &json!(true)),
        "{verdict}"
    );
    let (status, explained) = get(&world, "/items:explain?subject=alice").await;
    assert_eq!(
        (status, &explained["side"]),
        (200, &json!("legacy")),
        "{explained}"
    );
    let (status, found) = get(&world, "/items/differences").await;
    assert_eq!(status, 200, "{found}");
    let (status, _) = post(&world, "items/differences:clear", &json!({})).await;
    assert_eq!(status, 200);
    let (status, found) = post(&world, "items:reconcile", &json!({})).await;
    assert_eq!(
        (status, &found["differencesCount"]),
        (200, &json!("1")),
        "{found}"
    );
}

#[tokio::test]
async fn whatever_is_wrong_is_named_field_by_field() {
    let world = World::start().await;
    let version = get(&world, "/items").await.1["version"].clone();
    let ada = "ada";
    let long = "x".repeat(501);
    let cases = [
        ("items:setPercent", json!({"actor": ada}), vec!["percent"]),
        (
            "items:setPercent",
            json!({"actor": ada, "percent": 100.5}),
            vec!["percent"],
        ),
        (
            "items:setPercent",
            json!({"percent": 1.234}),
            vec!["percent", "actor"],
        ),
        (
            "items:setPercent",
            json!({"actor": ada, "percent": 1, "reason": long}),
            vec!["reason"],
        ),
        (
            "items:unsetPercent",
            json!({"actor": "a\u{7}b"}),
            vec!["actor"],
        ),
        (
            "items:set",
            json!({"actor": ada, "percent": -1}),
            vec!["percent"],
        ),
        (
            "items:set",
            json!({"actor": ada, "force": true}),
            vec!["reason"],
        ),
        (
            "items:promote",
            json!({"force": true}),
            vec!["reason", "actor"],
        ),
        ("items:pause", json!({}), vec!["actor"]),
        ("items:resume", json!({}), vec!["actor"]),
        (
            "items:abort",
            json!({"actor": "x".repeat(101)}),
            vec!["actor"],
        ),
        ("items:configure", json!({"actor": ada}), vec!["unset"]),
        (
            "items:configure",
            json!({"actor": ada, "unset": ["percent"]}),
            vec!["unset"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "shadowPercent": 101, "noisePercent": -1}),
            vec!["shadowPercent", "noisePercent"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "fallback": true, "unset": ["fallback"]}),
            vec!["unset"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "policyOff": true, "policy": {"steps": [1]}}),
            vec!["policyOff"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "policy": {"steps": [50, 5]}}),
            vec!["policy.steps"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "policy": {"steps": [500]}}),
            vec!["policy.steps"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "policy": {"stepTimeMin": "1.5s", "stepRequestsMin": "-1"}}),
            vec!["policy.stepTimeMin", "policy.stepRequestsMin"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "policy": {"falseRollbackProbability": 0.9}}),
            vec!["policy.falseRollbackProbability"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "policy": {"errors": {"ratioMax": 5}}}),
            vec!["policy.errors.harmRatio"],
        ),
        (
            "items:configure",
            json!({"actor": ada, "policy": {"latency": [{"quantile": 99}]}}),
            vec!["policy.latency[0].quantile"],
        ),
    ];
    for (path, body, want) in cases {
        let (status, error) = post(&world, path, &body).await;
        assert_eq!(
            (status, fields(&error)),
            (400, want),
            "{path} {body}: {error}"
        );
    }
    for (path, want) in [
        ("?pageSize=-1", "pageSize"),
        ("?pageToken=x", "pageToken"),
        ("/items/changes?pageToken=bmFtZTp4", "pageToken"),
        ("/items/differences?pageSize=-5", "pageSize"),
        ("/items/differences?pageToken=bmFtZTp4", "pageToken"),
        ("/items:explain", "subject"),
        ("/items:explain?subject=a&facts=x", "facts"),
        ("/items:explain?subject=a&time=2999-01-01T00:00:00Z", "time"),
    ] {
        let (status, error) = get(&world, path).await;
        assert_eq!(
            (status, fields(&error)),
            (400, vec![want]),
            "{path}: {error}"
        );
    }
    for (path, body) in [
        ("items:set", json!({"actor": ada, "stage": "STAGE_CANARY"})),
        ("items:set", json!({"actor": ada, "stages": 1})),
        ("items:setPercent", json!({"actor": ada, "percent": "many"})),
        (
            "items:configure",
            json!({"actor": ada, "policy": {"settleTime": "soon"}}),
        ),
    ] {
        let (status, error) = post(&world, path, &body).await;
        let text = error.to_string();
        assert_eq!(status, 400, "{path} {body}: {text}");
        let named = ["stage", "stages", "percent", "settleTime", "settle_time"];
        assert!(named.iter().any(|name| text.contains(name)), "{text}");
    }
    let (_, rollout) = get(&world, "/items").await;
    assert_eq!(
        rollout["version"], version,
        "nothing was changed: {rollout}"
    );
}

#[tokio::test]
async fn what_is_not_there_or_not_now_has_its_own_status() {
    let world = World::start().await;
    let ada = json!({"actor": "ada"});
    for path in [
        "nobody:pause",
        "nobody:promote",
        "nobody:abort",
        "nobody:resume",
        "nobody:unsetPercent",
    ] {
        assert_eq!(post(&world, path, &ada).await.0, 404, "{path}");
    }
    let off = json!({"actor": "ada", "policyOff": true});
    assert_eq!(post(&world, "nobody:configure", &off).await.0, 404);
    for path in [
        "/nobody",
        "/nobody/changes",
        "/nobody/differences",
        "/nobody:verify",
        "/nobody:explain?subject=a",
    ] {
        assert_eq!(get(&world, path).await.0, 404, "{path}");
    }
    let (status, error) = post(
        &world,
        "items:configure",
        &json!({"actor": "ada", "policyOff": true, "etag": "v9"}),
    )
    .await;
    assert_eq!(status, 409, "{error}");
    let skip = json!({"actor": "ada", "stage": "STAGE_GRPC"});
    let (status, error) = post(&world, "items:set", &skip).await;
    assert_eq!(status, 400, "{error}");
    assert!(error.to_string().contains("NOT_EVERYBODY"), "{error}");
    let (status, error) = answer(
        world
            .client
            .delete(format!("http://{}/v1/rollouts/items", world.gateway.ops)),
    )
    .await;
    assert_eq!(status, 405, "{error}");
}
