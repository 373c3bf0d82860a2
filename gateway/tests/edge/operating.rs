//! `banyan rollout ...` against a whole gateway: every command, for people and for programs, and what it ends with.

use banyan_gateway::cli::{self, CliError, RolloutArgs};
use banyan_rollout::Percent;
use clap::Parser;
use sea_orm::ConnectionTrait as _;
use serde_json::{Value, json};

use super::world::{World, answer, until};
use crate::rollouts_log::unguarded;

#[derive(Parser)]
#[command(name = "rollout")]
struct Command {
    #[command(flatten)]
    rollout: RolloutArgs,
}

pub(super) fn parse(words: &[&str]) -> Result<RolloutArgs, clap::Error> {
    let words = std::iter::once("rollout").chain(words.iter().copied());
    Command::try_parse_from(words).map(|command| command.rollout)
}

/// What it printed, and how it ended.
pub(super) async fn typed(world: &World, line: &str) -> (String, Result<(), CliError>) {
    let url = format!("http://{}", world.gateway.ops);
    let mut words: Vec<&str> = line.split_whitespace().collect();
    words.extend(["--ops-url", &url]);
    let mut out = Vec::new();
    let ended = cli::run(parse(&words).unwrap(), &mut out, &mut Vec::new()).await;
    (String::from_utf8(out).unwrap(), ended)
}

pub(super) async fn done(world: &World, line: &str) -> String {
    let (out, ended) = typed(world, line).await;
    ended.unwrap_or_else(|error| panic!("{line}: {error}"));
    out
}

/// The same for a program.
pub(super) async fn json_of(world: &World, line: &str) -> Value {
    let out = done(world, &format!("{line} --json")).await;
    serde_json::from_str(&out).unwrap_or_else(|error| panic!("{line}: {error} in {out}"))
}

async fn failed(world: &World, line: &str) -> (u8, String) {
    let error = typed(world, line).await.1.unwrap_err();
    (error.exit_code(), error.to_string())
}

/// What somebody does to the store behind the gateway's back.
async fn meddle(world: &World, statement: &str) {
    let url = format!("sqlite://{}", world.file("gateway.db").display());
    let database = sea_orm::Database::connect(url).await.unwrap();
    database.execute_unprepared(statement).await.unwrap();
    database.close().await.unwrap();
}

#[tokio::test]
async fn a_migration_is_steered_from_legacy_to_grpc_and_every_step_is_told() {
    let world = World::start().await;
    done(&world, "set items --stage legacy --actor ada").await;
    let list = done(&world, "list").await;
    assert!(
        list.starts_with("ROLLOUT  STAGE") && list.contains("items    legacy"),
        "{list}"
    );
    assert_eq!(
        json_of(&world, "list").await["rollouts"][0]["stage"],
        "STAGE_LEGACY"
    );

    let shadow = done(&world, "shadow items --reason look").await;
    assert!(
        shadow.contains("In stage shadow legacy answers everything"),
        "{shadow}"
    );
    let split = done(&world, "split items 5").await;
    assert!(
        split.starts_with("items: 5 % on gRPC, by operator"),
        "{split}"
    );
    let promoted = json_of(&world, "promote items").await;
    assert_eq!(promoted["percent"], 25, "the usual steps: {promoted}");
    let set = done(&world, "set items 100 --writes grpc").await;
    assert!(set.starts_with("items: 100 % on gRPC"), "{set}");
    let (code, error) = failed(&world, "promote items").await;
    assert_eq!(code, 1);
    assert!(
        error.contains("one-way") && error.contains("FailedPrecondition"),
        "{error}"
    );
    let show = done(&world, "show items").await;
    for line in [
        "stage     split",
        "writes    grpc",
        "follower  has caught up",
        "said      operator 100 > file 50 (gateway.toml)",
    ] {
        assert!(show.contains(line), "{line} in\n{show}");
    }
    let show = json_of(&world, "show items").await;
    assert_eq!(
        (&show["follower"]["readiness"], &show["oneWay"]),
        (&json!("READINESS_READY"), &json!(true))
    );

    let aborted = json_of(&world, "abort items --reason p99").await;
    assert_eq!(
        (&aborted["percent"], &aborted["analysis"]),
        (&json!(0), &json!("ANALYSIS_ABORTED"))
    );
    assert_eq!(
        json_of(&world, "resume items").await["analysis"],
        "ANALYSIS_OFF"
    );
    let unset = done(&world, "unset items").await;
    assert!(unset.starts_with("items: 50 % on gRPC, by file"), "{unset}");
    done(&world, "set items 100").await;
    let entered = json_of(&world, "promote items --confirm-one-way --reason forever").await;
    assert_eq!(entered["stage"], "STAGE_GRPC");
    let (code, error) = failed(&world, "set items --stage split --force --reason no").await;
    assert_eq!(code, 1);
    assert!(error.contains("cannot be left"), "{error}");

    let history = json_of(&world, "history items").await;
    let actions: Vec<&str> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|it| it["action"].as_str().unwrap())
        .collect();
    assert_eq!(actions.first(), Some(&"ACTION_PROMOTE"));
    assert!(
        actions.contains(&"ACTION_ABORT") && actions.contains(&"ACTION_UNSET"),
        "{actions:?}"
    );
    let history = done(&world, "history items --limit 1").await;
    assert!(
        history.contains("split 100 operator") && history.contains("grpc 100 operator"),
        "{history}"
    );
}

#[tokio::test]
async fn a_policy_is_set_paused_and_taken_back_by_hand() {
    let world = World::start().await;
    let (code, error) = failed(&world, "policy items --steps 5,3").await;
    assert_eq!(code, 1);
    assert!(
        error.contains("policy.steps") && error.contains("rising"),
        "{error}"
    );
    let set = done(
        &world,
        "policy items --steps 10,100 --step-time 60 --latency 0.99=1.5 --actor ada",
    )
    .await;
    let line = "items: policy 10, 100 %, each 60 s and 500 requests, back to zero";
    assert!(
        set.contains(line) && set.contains("by operator > off by default"),
        "{set}"
    );
    let paused = json_of(&world, "pause items --reason freeze").await;
    assert_eq!(paused["analysis"], "ANALYSIS_PAUSED");
    assert_eq!(paused["policy"]["steps"], json!([10, 100]));
    assert_eq!(paused["policy"]["latency"][0]["ratioMax"], 1.5);
    // What is not typed stays.
    let loose = "policy items --latency 0.99=3 --differences 5";
    let loose = json_of(&world, loose).await["policy"].clone();
    assert_eq!(
        (&loose["latency"], &loose["differences"]),
        (
            &json!([{"quantile": 0.99, "ratioMax": 3, "harmRatio": 4.8}]),
            &json!({"maxPercent": 5, "harmPercent": 50})
        )
    );

    let more = json_of(&world, "policy items --back-to last-good").await;
    assert_eq!(
        (&more["policy"]["steps"], &more["policy"]["backToLastGood"]),
        (&json!([10, 100]), &json!(true))
    );
    assert_eq!(
        json_of(&world, "resume items").await["analysis"],
        "ANALYSIS_RUNNING"
    );
    assert_eq!(
        json_of(&world, "policy items --off").await["analysis"],
        "ANALYSIS_OFF"
    );
    let unset = done(&world, "policy items --unset").await;
    assert!(unset.contains("items: policy off by default\n"), "{unset}");
    let history = json_of(&world, "history items").await;
    let mut oldest = history["changes"].as_array().unwrap().iter().rev();
    let first = oldest.find(|it| it["actor"] != "settings").unwrap();
    assert_eq!(first["action"], "ACTION_ADJUST");
    assert_eq!(first["settings"][0]["name"], "policy");
    assert_eq!(first["settings"][0]["previousValue"], "off");
    for wrong in [
        &["policy", "items"][..],
        &["policy", "items", "--off", "--unset"],
        &["policy", "items", "--latency", "p99"],
        &["policy", "items", "--false-rollback", "0"],
        &["policy", "items", "--false-advance", "0"],
        &["policy", "items", "--false-advance", "NaN"],
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn shares_and_fallback_are_set_by_hand_and_beat_the_file_until_unset() {
    let world = World::with(|config| {
        let rollout = config.rollouts.get_mut("items").unwrap();
        rollout.shadow.percent = "5".parse().ok();
    })
    .await;
    let set = done(
        &world,
        "shadow items --percent 10 --noise-percent 20 --reason more",
    )
    .await;
    assert!(
        set.contains("items: shadow 10 by operator > 5 by file (gateway.toml)\n"),
        "{set}"
    );
    assert!(
        set.contains("items: noise 20 by operator > 0 by default\n"),
        "{set}"
    );
    let show = json_of(&world, "show items").await;
    assert_eq!(show["stage"], "STAGE_SPLIT", "the stage stays");
    let on = done(&world, "fallback items on").await;
    assert!(
        on.contains("items: fallback on by operator > off by default\n"),
        "{on}"
    );
    let history = done(&world, "history items").await;
    assert!(
        history.contains("50 file; shadow 5 -> 10, noise 0 -> 20"),
        "{history}"
    );
    let unset = done(&world, "shadow items --unset").await;
    assert!(
        unset.contains("items: shadow 5 by file (gateway.toml)\n"),
        "{unset}"
    );
    assert!(
        done(&world, "fallback items unset")
            .await
            .contains("fallback off by default")
    );
    let (code, error) = failed(&world, "shadow items --percent 1 --etag v0").await;
    assert_eq!(code, 1);
    assert!(
        error.contains("changed meanwhile") && error.contains("Aborted"),
        "{error}"
    );
    for wrong in [
        &["shadow", "items", "--percent", "101"][..],
        &["fallback", "items", "maybe"],
    ] {
        assert_eq!(parse(wrong).unwrap_err().exit_code(), 2, "{wrong:?}");
    }
}

#[tokio::test]
async fn a_fallback_that_was_switched_on_answers_the_next_request() {
    let away = super::world::nowhere().await;
    let world = World::with(|config| {
        let items = config.rollouts.get_mut("items").unwrap();
        (items.percent, items.follow) = (Some(Percent::HUNDRED), None);
        config.set_upstream("shop", away).unwrap();
    })
    .await;
    assert_eq!(answer(world.get("/api/items")).await.0, 503);
    done(&world, "fallback items on").await;
    let (status, body) = answer(world.get("/api/items")).await;
    assert_eq!(
        (status, &body["target"]),
        (200, &json!("/api/items")),
        "{body}"
    );
}

#[tokio::test]
async fn decisions_are_explained_and_watched() {
    let world = World::start().await;
    let before = jiff::Timestamp::now();
    done(&world, "set items 0").await;
    let explained = done(&world, "explain items --subject alice").await;
    assert!(
        explained.starts_with("alice -> legacy: percent (bucket "),
        "{explained}"
    );
    let then = json_of(
        &world,
        &format!("explain items --subject alice --at {before}"),
    )
    .await;
    assert_eq!(then["rollout"]["percent"], 50);
    let write = json_of(
        &world,
        "explain items --subject alice --write --fact header:x-a=b",
    )
    .await;
    assert_eq!(write["side"], "legacy");
    let (code, error) = failed(
        &world,
        "explain items --subject alice --at 2999-01-01T00:00:00Z",
    )
    .await;
    assert_eq!(
        (code, error.contains("time: must not be in the future")),
        (1, true),
        "{error}"
    );
    let (code, error) = failed(&world, "explain items --subject alice --fact nonsense").await;
    assert_eq!((code, error.contains("facts: ")), (1, true), "{error}");
    let watched = done(&world, "watch --count 2 --interval 0.1").await;
    assert_eq!(watched.matches("ROLLOUT  STAGE").count(), 2, "{watched}");
    let watched = done(&world, "watch --count 1 --json").await;
    let watched: Value = serde_json::from_str(&watched).unwrap();
    assert_eq!(watched["rollouts"][0]["name"], "rollouts/items");
}

#[tokio::test]
async fn data_that_differ_end_with_4_until_they_are_mended() {
    let world = World::start().await;
    let (out, ended) = typed(&world, "reconcile items").await;
    assert!(
        out.contains("missing here") && out.contains("3 entries in legacy, 2 in gRPC, 1 differ"),
        "{out}"
    );
    let error = ended.unwrap_err();
    assert_eq!(
        (error.exit_code(), error.to_string()),
        (4, "the data of items differ in 1 entries".to_owned())
    );
    let (out, ended) = typed(&world, "reconcile items --json").await;
    assert_eq!(ended.unwrap_err().exit_code(), 4);
    let found: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(
        (&found["differencesCount"], &found["differences"][0]["id"]),
        (&json!(1), &json!("7"))
    );
    let mended = done(&world, "reconcile items --mend").await;
    assert!(mended.contains("mended"), "{mended}");

    let alone = World::with(|config| config.rollouts.get_mut("items").unwrap().follow = None).await;
    let (code, error) = failed(&alone, "reconcile items").await;
    assert_eq!(code, 1);
    assert!(error.contains("nobody follows the legacy side"), "{error}");
}

#[tokio::test]
async fn a_follower_that_is_behind_is_shown_and_holds_the_split_up() {
    let world = World::with(|config| {
        let follow = config.rollouts.get_mut("items").unwrap().follow.as_mut();
        follow.unwrap().collection = "late".to_owned();
    })
    .await;
    done(&world, "set items --stage shadow").await;
    let (code, error) = failed(&world, "promote items").await;
    assert_eq!(code, 1);
    assert!(error.contains("has not caught up"), "{error}");
    assert!(
        done(&world, "show items")
            .await
            .contains("follower  has not caught up")
    );
    done(&world, "promote items --force --reason known").await;
}

#[tokio::test]
async fn an_altered_history_ends_with_3() {
    let world = World::start().await;
    let begun = json_of(&world, "verify items").await["entries"].clone();
    done(&world, "set items 10").await;
    done(&world, "set items 20").await;
    let intact = json_of(&world, "verify items").await;
    assert_eq!(
        (&intact["intact"], intact["entries"].as_u64()),
        (&json!(true), begun.as_u64().map(|begun| begun + 2))
    );
    let hash = intact["headHash"].as_str().unwrap();
    done(&world, &format!("verify items --known-hash {hash}")).await;
    let (code, error) = failed(&world, "verify items --known-hash 00").await;
    assert_eq!(code, 3);
    assert!(error.contains("written anew"), "{error}");

    let url = format!("sqlite://{}", world.file("gateway.db").display());
    for statement in unguarded(&url) {
        meddle(&world, statement).await;
    }
    meddle(
        &world,
        "UPDATE rollout_log SET actor = 'mallory' WHERE number = 1",
    )
    .await;
    let (out, ended) = typed(&world, "verify items --json").await;
    assert_eq!(ended.unwrap_err().exit_code(), 3);
    let verdict: Value = serde_json::from_str(&out).unwrap();
    assert_eq!(verdict["brokenChange"], "rollouts/items/changes/1");
    let (code, error) = failed(&world, "verify items").await;
    assert_eq!(
        (code, error.contains("its content does not have its hash")),
        (3, true),
        "{error}"
    );
}

#[tokio::test]
async fn differences_beyond_a_page_are_read_to_the_end() {
    let world = World::start().await;
    until("the store is there", async || {
        typed(&world, "history items").await.1.is_ok()
    })
    .await;
    let fill = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < 2300) \
                INSERT INTO rollout_differences SELECT 'items', 'GET /api/items', 'f' || i, 'changed', i % 7, 0, 0, 0, \
                '', '', '' FROM n";
    meddle(&world, fill).await;
    let all = json_of(&world, "diffs items --limit 5000").await;
    let all = all["differences"].as_array().unwrap();
    let fields: std::collections::BTreeSet<&str> =
        all.iter().map(|it| it["field"].as_str().unwrap()).collect();
    assert_eq!(
        (all.len(), fields.len()),
        (2300, 2300),
        "no gap and no overlap"
    );
    assert_eq!(
        (&all[0]["count"], &all[2299]["count"]),
        (&json!(6), &json!(0)),
        "the most frequent first"
    );
    let some = json_of(&world, "diffs items --limit 1500").await;
    assert_eq!(some["differences"].as_array().unwrap().len(), 1500);
    assert_ne!(some["nextPageToken"], "", "there is more");
    let table = done(&world, "diffs items --limit 2").await;
    assert_eq!(table.lines().count(), 3, "{table}");
    assert!(
        done(&world, "diffs items --clear")
            .await
            .contains("counting begins anew")
    );
    assert!(
        done(&world, "diffs items")
            .await
            .contains("no difference was found")
    );
}

#[tokio::test]
async fn a_rollout_that_is_not_there_ends_every_command_with_1() {
    let world = World::start().await;
    for line in [
        "show nobody",
        "set nobody 1",
        "unset nobody",
        "shadow nobody",
        "shadow nobody --percent 1",
        "split nobody 1",
        "fallback nobody on",
        "policy nobody --off",
        "promote nobody",
        "pause nobody",
        "resume nobody",
        "abort nobody",
        "diffs nobody",
        "diffs nobody --clear",
        "reconcile nobody",
        "history nobody",
        "verify nobody",
        "explain nobody --subject a",
    ] {
        let (code, error) = failed(&world, line).await;
        assert_eq!(
            (code, error.as_str()),
            (1, "there is no rollout `nobody` (NotFound)"),
            "{line}"
        );
    }
}
