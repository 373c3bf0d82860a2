//! What legacy may answer once gRPC takes all writes: everything by the switch and what fails by the fallback, except where
//! it lacks what was acknowledged.

use banyan_gateway::rollouts::{Definition, Question};
use banyan_mesh::testing::TestDatabase;
use banyan_proto::rollout::v1::{
    SetRolloutRequest,
    rollout::{Stage as Shown, WriteOwner},
};
use banyan_rollout::{Failure, NoFallback, Position, Side, Stage};
use jiff::Timestamp;

use crate::{
    admin_service::{client, serve},
    rollouts_cli::run,
    rollouts_support::{Log, Replica, SOON, eventually, movies, user},
};

const IGNORED: &str = "gradual migration is switched off, and stage grpc does not follow that";

fn at(stage: Stage, enabled: bool) -> Definition {
    Definition {
        position: Position::initial(stage, None).unwrap(),
        enabled,
        ..movies()
    }
}

#[tokio::test]
async fn stage_grpc_is_not_left_by_the_switch_and_everybody_is_told() {
    for database in TestDatabase::each() {
        let replica = Replica::start_with(&database.url, vec![at(Stage::Grpc, true)]).await;
        assert!(replica.movies().warnings.is_empty());
        replica.stop().await;

        let log = Log::capture();
        let replica = Replica::start_with(&database.url, vec![at(Stage::Grpc, false)]).await;
        eventually(SOON, || !replica.movies().warnings.is_empty()).await;
        assert!(log.text().contains(IGNORED), "{}", log.text());
        let ruling = replica.rollouts.decide("movies", &user(1)).unwrap();
        assert_eq!(ruling.side, Side::Grpc);
        assert_eq!(replica.movies().stage, Stage::Grpc);

        let url = format!("http://{}", serve(replica.rollouts.clone()).await);
        let list = run(&url, "list").await.unwrap();
        assert!(
            list.contains(&format!("movies: warning: {IGNORED}")),
            "{list}"
        );
        let show = run(&url, "show movies").await.unwrap();
        assert!(show.contains(&format!("warning   {IGNORED}")), "{show}");
        let question = Question {
            subject: Some("alice".to_owned()),
            ..Question::default()
        };
        let (explained, _) = replica.rollouts.explain("movies", question).await.unwrap();
        assert_eq!(explained.decision.side, Side::Grpc);
        assert!(explained.to_string().contains(IGNORED), "{explained}");
        replica.stop().await;
    }
}

#[tokio::test]
async fn the_switch_is_followed_where_nothing_is_lost_by_it() {
    let shared = Definition {
        shares_data: true,
        ..at(Stage::Grpc, false)
    };
    let kept = Definition {
        legacy_keeps_ids: Some(true),
        ..at(Stage::Grpc, false)
    };
    for definition in [shared, kept, at(Stage::Split, false)] {
        let database = TestDatabase::sqlite();
        let replica = Replica::start_with(&database.url, vec![definition]).await;
        let ruling = replica.rollouts.decide("movies", &user(1)).unwrap();
        assert_eq!(ruling.side, Side::Legacy);
        assert_eq!(replica.movies().stage, Stage::Legacy);
        assert!(replica.movies().warnings.is_empty());
        replica.stop().await;
    }
}

#[tokio::test]
async fn a_legacy_that_is_followed_gets_what_it_lacks_before_it_takes_over() {
    let database = TestDatabase::sqlite();
    let followed = Definition {
        legacy_keeps_ids: Some(true),
        has_follower: true,
        ..at(Stage::Grpc, false)
    };
    let replica = Replica::start_with(&database.url, vec![followed]).await;
    let ruling = replica.rollouts.decide("movies", &user(1)).unwrap();
    assert_eq!(ruling.side, Side::Grpc, "by the switch nothing is copied");
    replica.stop().await;
}

#[tokio::test]
async fn legacy_answers_for_the_last_stage_where_data_are_shared_and_the_log_says_when_they_were() {
    let last = |shares_data| Definition {
        shares_data,
        has_fallback: true,
        ..at(Stage::Grpc, true)
    };
    for database in TestDatabase::each() {
        let shared = Replica::start_with(&database.url, vec![last(true)]).await;
        let mut ruling = shared.rollouts.decide("movies", &user(1)).unwrap();
        assert!(ruling.may_fall_back());
        assert_eq!(ruling.fall_back(Failure::Broken, false), Ok(()));
        let then = Timestamp::now();
        shared.stop().await;

        let alone = Replica::start_with(&database.url, vec![last(false)]).await;
        let lacks = || {
            let mut ruling = alone.rollouts.decide("movies", &user(1)).unwrap();
            let refused = ruling.fall_back(Failure::Broken, false);
            !ruling.may_fall_back() && refused == Err(NoFallback::LegacyLacks)
        };
        eventually(SOON, lacks).await;
        let explained = async |time| {
            let question = Question {
                subject: Some("alice".to_owned()),
                time,
                ..Question::default()
            };
            let (explained, _) = alone.rollouts.explain("movies", question).await.unwrap();
            explained.to_string()
        };
        let (then, now) = (explained(Some(then)).await, explained(None).await);
        assert!(then.contains("legacy answers if gRPC fails"), "{then}");
        let why = "nobody answers if gRPC fails: legacy lacks what was written";
        assert!(now.contains(why), "{now}");
        alone.stop().await;
    }
}

#[tokio::test]
async fn an_owner_of_writes_is_declared_for_the_stage_and_not_for_what_is_shown_of_it() {
    for database in TestDatabase::each() {
        let replica = Replica::start_with(&database.url, vec![at(Stage::Split, false)]).await;
        let mut client = client(&replica.rollouts).await;
        let writes = SetRolloutRequest {
            name: "rollouts/movies".to_owned(),
            write_owner: WriteOwner::Legacy.into(),
            actor: "ada".to_owned(),
            reason: "legacy takes them".to_owned(),
            ..SetRolloutRequest::default()
        };
        let shown = client.set_rollout(writes).await.unwrap().into_inner();
        assert_eq!(shown.stage(), Shown::Legacy, "it is switched off");
        let log = replica.rollouts.changes("movies", None, 1).await.unwrap();
        let position = &log[0].after.position;
        assert_eq!(
            (position.stage.as_str(), position.writes.as_str()),
            ("split", "legacy")
        );
        replica.stop().await;
    }
}
