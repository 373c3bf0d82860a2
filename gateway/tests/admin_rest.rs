//! The admin API where operators find it: on the ops port of a whole gateway, as REST, as gRPC and by the command line.

use std::net::{Ipv4Addr, SocketAddr};

use banyan_gateway::{
    Running,
    cli::{self, ConnectionArgs, RolloutArgs, RolloutCommand},
    config::Config,
};
use banyan_mesh::{
    process::Process,
    settings::{DatabaseUrl, Secret},
    testing::TestDatabase,
};
use reqwest::{Client, StatusCode};
use serde_json::{Value, json};

async fn start(
    database: &TestDatabase,
    environment: fn(&str) -> Option<String>,
) -> (Process, Running) {
    let mut config = Config::load(None, &environment).unwrap();
    let free = SocketAddr::from((Ipv4Addr::LOCALHOST, 0));
    config.set_listeners(free, free);
    config.store.url = DatabaseUrl::new(database.url.clone());
    // Nobody runs beside it.
    config.rollouts.get_mut("movies").unwrap().follow = None;
    let process = Process::new();
    let running = banyan_gateway::start(config, &process).await.unwrap();
    (process, running)
}

async fn answer(response: reqwest::Result<reqwest::Response>) -> (StatusCode, Value) {
    let response = response.unwrap();
    let status = response.status();
    let text = response.text().await.unwrap();
    (
        status,
        serde_json::from_str(&text).unwrap_or(Value::String(text)),
    )
}

#[tokio::test]
async fn operators_steer_by_rest_on_the_ops_port_only() {
    let database = TestDatabase::sqlite();
    let (process, running) = start(&database, |name| {
        (name == "MOVIES_MIGRATION_PERCENT").then(|| "50".to_owned())
    })
    .await;
    let client = Client::new();
    let ops = format!("http://{}/v1/rollouts", running.ops);

    let (status, list) = answer(client.get(&ops).send().await).await;
    assert_eq!(status, StatusCode::OK, "{list}");
    assert_eq!(list["rollouts"][0]["name"], "rollouts/movies");
    assert_eq!(list["rollouts"][0]["percent"], 50);
    assert_eq!(list["rollouts"][0]["source"], "SOURCE_ENVIRONMENT");
    let routes = list["rollouts"][0]["routes"].as_array().unwrap();
    assert!(routes.contains(&json!("POST /api/movies")), "{routes:?}");

    let set = json!({"percent": 25, "actor": "ada", "reason": "try", "etag": list["rollouts"][0]["etag"]});
    let send = || {
        client
            .post(format!("{ops}/movies:setPercent"))
            .json(&set)
            .send()
    };
    let (status, rollout) = answer(send().await).await;
    assert_eq!(
        (status, &rollout["percent"]),
        (StatusCode::OK, &json!(25)),
        "{rollout}"
    );
    assert_eq!(rollout["source"], "SOURCE_OPERATOR");
    let (status, error) = answer(send().await).await;
    assert_eq!(
        status,
        StatusCode::CONFLICT,
        "the etag is out of date: {error}"
    );

    let wrong = json!({"percent": 101, "actor": "ada"});
    let wrong = client
        .post(format!("{ops}/movies:setPercent"))
        .json(&wrong)
        .send();
    let (status, error) = answer(wrong.await).await;
    assert_eq!(status, StatusCode::BAD_REQUEST, "{error}");
    assert!(error.to_string().contains("percent"), "{error}");

    let (status, changes) = answer(client.get(format!("{ops}/movies/changes")).send().await).await;
    assert_eq!(status, StatusCode::OK, "{changes}");
    assert_eq!(changes["changes"][0]["actor"], "ada");
    let (status, error) = answer(client.get(format!("{ops}/nobody")).send().await).await;
    assert_eq!(status, StatusCode::NOT_FOUND, "{error}");

    let public = format!("http://{}/v1/rollouts", running.public);
    let (status, _) = answer(client.get(public).send().await).await;
    assert_eq!(status, StatusCode::NOT_FOUND);
    process
        .stop(std::time::Duration::from_secs(5))
        .await
        .unwrap();
}

#[tokio::test]
async fn the_command_line_reaches_the_ops_port_with_its_token() {
    let database = TestDatabase::sqlite();
    let (process, running) = start(&database, |name| {
        (name == "OPS_TOKEN").then(|| "let me in".to_owned())
    })
    .await;
    let args = |token: Option<&str>| RolloutArgs {
        connection: ConnectionArgs {
            ops_url: format!("http://{}", running.ops),
            token: token.map(Secret::new),
            json: false,
        },
        command: RolloutCommand::List,
    };
    let mut out = Vec::new();
    let (known, aside) = (args(Some("let me in")), &mut Vec::new());
    cli::run(known, &mut out, aside).await.unwrap();
    let list = String::from_utf8(out).unwrap();
    assert!(list.contains("movies   split        0  default"), "{list}");

    for token in [None, Some("wrong")] {
        let ended = cli::run(args(token), &mut Vec::new(), &mut Vec::new()).await;
        let error = ended.unwrap_err();
        assert!(
            error.to_string().contains("OPS_TOKEN or --token"),
            "{error}"
        );
    }
    process
        .stop(std::time::Duration::from_secs(5))
        .await
        .unwrap();
}
