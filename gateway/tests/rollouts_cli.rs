//! `banyan rollout`: what people and programs get to read.

use banyan_gateway::cli::{self, CliError, RolloutArgs};
use banyan_mesh::testing::TestDatabase;
use clap::{CommandFactory as _, Parser, error::ErrorKind};
use serde_json::{Value, json};

use crate::{
    admin_service::serve,
    rollouts_support::{Replica, operator, user},
};

#[derive(Parser)]
#[command(name = "rollout")]
struct Command {
    #[command(flatten)]
    rollout: RolloutArgs,
}

fn parse(line: &str) -> Result<RolloutArgs, clap::Error> {
    let words = std::iter::once("rollout").chain(line.split_whitespace());
    Command::try_parse_from(words).map(|command| command.rollout)
}

pub(crate) async fn run(url: &str, line: &str) -> Result<String, CliError> {
    let mut out = Vec::new();
    let args = parse(&format!("{line} --ops-url {url}")).unwrap();
    cli::run(args, &mut out, &mut Vec::new()).await?;
    Ok(String::from_utf8(out).unwrap())
}

/// Times differ from run to run.
fn without_times(text: &str) -> String {
    let is_time = |text: &str| {
        let shape: String = text
            .chars()
            .map(|char| if char.is_ascii_digit() { '9' } else { char })
            .collect();
        shape == "9999-99-99 99:99:99"
    };
    let chars: Vec<char> = text.chars().collect();
    let (mut at, mut result) = (0, String::new());
    while at < chars.len() {
        let window: String = chars[at..chars.len().min(at + 19)].iter().collect();
        if is_time(&window) {
            result.push_str("YYYY-MM-DD hh:mm:ss");
            at += 19;
        } else {
            result.push(chars[at]);
            at += 1;
        }
    }
    result
}

#[tokio::test]
async fn people_read_tables() {
    let database = TestDatabase::sqlite();
    let replica = Replica::start(&database.url).await;
    let url = format!("http://{}", serve(replica.rollouts.clone()).await);
    for id in 0..3 {
        let ruling = replica.rollouts.decide("movies", &user(id)).unwrap();
        ruling.record(http::StatusCode::OK);
    }
    let counts = replica.movies().counts;

    let list = run(&url, "list").await.unwrap();
    let want = format!(
        "ROLLOUT  STAGE  PERCENT  SOURCE       WRITES      ANALYSIS  LEGACY  GRPC  CHANGED (UTC)\n\
         movies   split       50  environment  by-subject  off       {:>6}  {:>4}  never\n",
        counts.legacy, counts.grpc
    );
    assert_eq!(list, want);

    let set = run(&url, "set movies 12.5 --reason canary --actor ada").await;
    assert_eq!(
        set.unwrap(),
        "movies: 12.5 % on gRPC, by operator (etag v1)\n"
    );
    let unset = run(&url, "unset rollouts/movies --actor bob").await;
    assert_eq!(
        unset.unwrap(),
        "movies: 50 % on gRPC, by environment (etag v2)\n"
    );

    let history = run(&url, "history movies").await.unwrap();
    assert_eq!(
        without_times(&history),
        "CHANGE  WHEN (UTC)           ACTOR  ACTION  FROM            TO              REASON\n     \
         2  YYYY-MM-DD hh:mm:ss  bob    unset   12.5 operator   50 environment\n     \
         1  YYYY-MM-DD hh:mm:ss  ada    set     50 environment  12.5 operator   canary\n"
    );
    let newest = run(&url, "history movies --limit 1").await.unwrap();
    assert_eq!(newest.lines().count(), 2);

    let show = run(&url, "show movies").await.unwrap();
    let want = format!(
        "movies\n  stage     split\n  writes    by-subject\n  percent   50 (environment)\n  \
         said      environment 50 (MOVIES_MIGRATION_PERCENT) > file 10 (gateway.toml)\n  \
         analysis  off\n  subjects  header:x-user-id, then cookie:banyan_subject\n  \
         legacy    {} answers\n  grpc      {} answers\n  \
         changed   YYYY-MM-DD hh:mm:ss\n  etag      v2\n  dealt by  sha256-v1, salt movies\n  \
         shadow    0 by default\n  noise     0 by default\n  fallback  off by default\n  policy    off by default\n  \
         routes    GET /api/movies\n            POST /api/movies\n",
        counts.legacy, counts.grpc
    );
    assert_eq!(without_times(&show), want);
    replica.stop().await;
}

#[tokio::test]
async fn programs_read_json() {
    let database = TestDatabase::sqlite();
    let replica = Replica::start(&database.url).await;
    let url = format!("http://{}", serve(replica.rollouts.clone()).await);
    let set = run(&url, "set movies 25 --actor ada --json").await.unwrap();
    let rollout: Value = serde_json::from_str(&set).unwrap();
    let mut want = json!({
        "name": "rollouts/movies",
        "stage": "STAGE_SPLIT",
        "percent": 25,
        "source": "SOURCE_OPERATOR",
        "subjects": ["header:x-user-id", "cookie:banyan_subject"],
        "routes": ["GET /api/movies", "POST /api/movies"],
        "counts": {"legacy": 0, "grpc": 0, "legacyErrors": 0, "grpcErrors": 0},
        "etag": "v1",
        "writeOwner": "WRITE_OWNER_BY_SUBJECT",
        "analysis": "ANALYSIS_OFF",
        "percents": [
            {"source": "SOURCE_OPERATOR", "percent": 25, "origin": "", "waits": ""},
            {"source": "SOURCE_ENVIRONMENT", "percent": 50, "origin": "MOVIES_MIGRATION_PERCENT", "waits": ""},
            {"source": "SOURCE_FILE", "percent": 10, "origin": "gateway.toml", "waits": ""},
        ],
        "stale": false,
        "version": 1,
        "salt": "movies",
        "algorithm": "sha256-v1",
        "verdict": "",
        "evidence": [],
        "oneWay": true,
        "lastGoodPercent": 0,
        "warnings": [],
    });
    want["settings"] = rollout["settings"].clone();
    assert_eq!(rollout["settings"][0]["said"][0]["value"], "0");
    want["updateTime"] = rollout["updateTime"].clone();
    assert_eq!(rollout, want);
    assert!(rollout["updateTime"].is_string());

    let list: Value = serde_json::from_str(&run(&url, "list --json").await.unwrap()).unwrap();
    assert_eq!(list["rollouts"], json!([rollout]));
    let history = run(&url, "--json history movies").await.unwrap();
    let history: Value = serde_json::from_str(&history).unwrap();
    assert_eq!(history["changes"][0]["actor"], "ada");
    assert_eq!(history["changes"][0]["previousPercent"], 50);
    replica.stop().await;
}

#[tokio::test]
async fn what_others_wrote_does_not_act_on_the_terminal() {
    let database = TestDatabase::sqlite();
    let replica = Replica::start(&database.url).await;
    let url = format!("http://{}", serve(replica.rollouts.clone()).await);
    // The API refuses this; a store may hold it all the same.
    let operator = operator("a\u{1b}[2Jb\nc");
    let set = replica
        .rollouts
        .set_percent("movies", "1".parse().unwrap(), operator);
    set.await.unwrap();
    let history = run(&url, "history movies").await.unwrap();
    assert!(history.ends_with("a [2Jb c\n"), "{history:?}");
    replica.stop().await;
}

#[tokio::test]
async fn errors_are_one_line_that_says_what_to_do() {
    let error = run("http://127.0.0.1:1", "list").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot reach the gateway's ops port at http://127.0.0.1:1 (Connection refused (os error 111)): is the gateway running? \
         --ops-url or BANYAN_OPS_URL names another address"
    );

    let database = TestDatabase::sqlite();
    let replica = Replica::start(&database.url).await;
    let url = format!("http://{}", serve(replica.rollouts.clone()).await);
    let error = run(&url, "set nobody 1").await.unwrap_err();
    assert_eq!(error.to_string(), "there is no rollout `nobody` (NotFound)");
    run(&url, "set movies 1").await.unwrap();
    let error = run(&url, "set movies 2 --etag v0").await.unwrap_err();
    assert_eq!(
        error.to_string(),
        "cannot change rollout `movies`: the rollout was changed meanwhile: it is at version 1 (Aborted)"
    );
    replica.stop().await;
}

#[test]
fn a_wrong_command_line_is_refused_before_anything_is_asked() {
    let error = parse("set movies 101").unwrap_err();
    assert_eq!(error.exit_code(), 2);
    assert!(
        error.to_string().contains("a number from 0 to 100"),
        "{error}"
    );
    for line in [
        "",
        "set movies",
        "set movies -1",
        "history movies --limit 0",
        "delete movies",
        "list --ops-url localhost",
        "list --ops-url https://localhost:9000",
    ] {
        assert_eq!(parse(line).unwrap_err().exit_code(), 2, "{line}");
    }
}

#[test]
fn the_help_teaches_with_examples() {
    let help = parse("--help").unwrap_err();
    assert_eq!(help.kind(), ErrorKind::DisplayHelp);
    let help = help.to_string();
    for part in [
        "raising the percentage never moves one back",
        "banyan rollout set movies 25 --reason",
        "Exit codes",
    ] {
        assert!(help.contains(part), "{part} in\n{help}");
    }
    Command::command().debug_assert();
}
