//! The admin API over a real socket: what it answers, and how it refuses.

use std::net::SocketAddr;

use banyan_gateway::{admin, rollouts::Rollouts};
use banyan_mesh::{
    client::{ClientSettings, channel},
    testing::TestDatabase,
};
use banyan_proto::rollout::v1::{
    GetRolloutRequest, ListRolloutChangesRequest, ListRolloutsRequest, PercentSetting, Rollout,
    SetRolloutPercentRequest, UnsetRolloutPercentRequest,
    rollout::{Analysis, Source, Stage, WriteOwner},
    rollout_service_client::RolloutServiceClient,
};
use tokio::net::TcpListener;
use tokio_stream::wrappers::TcpListenerStream;
use tonic::{
    Code, Status,
    transport::{Channel, Server},
};
use tonic_types::StatusExt as _;

use crate::rollouts_support::{Replica, movies, named};

/// Serves the admin API until the test ends.
pub(crate) async fn serve(rollouts: Rollouts) -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let server = Server::builder().add_service(admin::service(rollouts));
    tokio::spawn(server.serve_with_incoming(TcpListenerStream::new(listener)));
    address
}

pub(crate) async fn client(rollouts: &Rollouts) -> RolloutServiceClient<Channel> {
    let address = serve(rollouts.clone()).await;
    let settings = ClientSettings::new(format!("http://{address}"));
    RolloutServiceClient::new(channel(&settings).unwrap())
}

fn set(percent: f64) -> SetRolloutPercentRequest {
    SetRolloutPercentRequest {
        name: "rollouts/movies".to_owned(),
        percent: Some(percent),
        actor: "ada".to_owned(),
        reason: "try".to_owned(),
        etag: String::new(),
    }
}

#[tokio::test]
async fn a_rollout_is_shown_set_unset_and_remembered() {
    for database in TestDatabase::each() {
        let replica = Replica::start(&database.url).await;
        let mut client = client(&replica.rollouts).await;
        let get = GetRolloutRequest {
            name: "rollouts/movies".to_owned(),
        };
        let before = client.get_rollout(get).await.unwrap().into_inner();
        assert_eq!(
            before,
            Rollout {
                name: "rollouts/movies".to_owned(),
                stage: Stage::Split.into(),
                percent: 50.0,
                source: Source::Environment.into(),
                subjects: vec![
                    "header:x-user-id".to_owned(),
                    "cookie:banyan_subject".to_owned()
                ],
                routes: vec!["GET /api/movies".to_owned(), "POST /api/movies".to_owned()],
                counts: Some(Default::default()),
                update_time: None,
                etag: "v0".to_owned(),
                write_owner: WriteOwner::BySubject.into(),
                analysis: Analysis::Off.into(),
                policy: None,
                percents: vec![
                    PercentSetting {
                        source: Source::Environment.into(),
                        percent: 50.0,
                        origin: "MOVIES_MIGRATION_PERCENT".to_owned(),
                        waits: String::new(),
                    },
                    PercentSetting {
                        source: Source::File.into(),
                        percent: 10.0,
                        origin: "gateway.toml".to_owned(),
                        waits: String::new(),
                    },
                ],
                stale: false,
                version: 0,
                salt: "movies".to_owned(),
                algorithm: "sha256-v1".to_owned(),
                verdict: String::new(),
                evidence: Vec::new(),
                settings: before.settings.clone(),
                follower: None,
                one_way: true,
                warnings: Vec::new(),
                last_good_percent: 0.0,
            }
        );
        let request = SetRolloutPercentRequest {
            etag: before.etag,
            ..set(12.5)
        };
        let after = client
            .set_rollout_percent(request)
            .await
            .unwrap()
            .into_inner();
        assert_eq!(
            (after.percent, after.source(), after.etag.as_str()),
            (12.5, Source::Operator, "v1")
        );
        assert!(after.update_time.is_some());
        let unset = UnsetRolloutPercentRequest {
            name: "rollouts/movies".to_owned(),
            actor: "ada".to_owned(),
            etag: after.etag,
            ..Default::default()
        };
        let after = client
            .unset_rollout_percent(unset)
            .await
            .unwrap()
            .into_inner();
        assert_eq!((after.percent, after.source()), (50.0, Source::Environment));

        let request = ListRolloutChangesRequest {
            parent: "rollouts/movies".to_owned(),
            ..Default::default()
        };
        let changes = client
            .list_rollout_changes(request)
            .await
            .unwrap()
            .into_inner()
            .changes;
        let names: Vec<&str> = changes.iter().map(|change| change.name.as_str()).collect();
        assert_eq!(
            names,
            ["rollouts/movies/changes/2", "rollouts/movies/changes/1"]
        );
        assert_eq!(
            (changes[1].previous_percent, changes[1].percent),
            (50.0, 12.5)
        );
        assert_eq!(changes[1].reason, "try");
        replica.stop().await;
    }
}

#[tokio::test]
async fn lists_come_by_the_page() {
    let database = TestDatabase::sqlite();
    let definitions = vec![named("c"), movies(), named("a"), named("b")];
    let replica = Replica::start_with(&database.url, definitions).await;
    let mut client = client(&replica.rollouts).await;
    for percent in 1..=5 {
        client
            .set_rollout_percent(set(f64::from(percent)))
            .await
            .unwrap();
    }

    let (mut names, mut page_token) = (Vec::new(), String::new());
    loop {
        let request = ListRolloutsRequest {
            page_size: 3,
            page_token,
        };
        let page = client.list_rollouts(request).await.unwrap().into_inner();
        names.extend(page.rollouts.into_iter().map(|rollout| rollout.name));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(
        names,
        ["rollouts/a", "rollouts/b", "rollouts/c", "rollouts/movies"]
    );

    let (mut percents, mut page_token) = (Vec::new(), String::new());
    loop {
        let parent = "rollouts/movies".to_owned();
        let request = ListRolloutChangesRequest {
            parent,
            page_size: 2,
            page_token,
        };
        let page = client
            .list_rollout_changes(request)
            .await
            .unwrap()
            .into_inner();
        percents.extend(page.changes.into_iter().map(|change| change.percent));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    assert_eq!(percents, [5.0, 4.0, 3.0, 2.0, 1.0]);
    replica.stop().await;
}

/// `INVALID_REQUEST: percent, actor`
#[track_caller]
fn check(answer: Result<tonic::Response<Rollout>, Status>, code: Code, want: &str) {
    let status = answer.unwrap_err();
    assert_eq!(status.code(), code, "{status}");
    let details = status.get_error_details();
    let info = details.error_info().unwrap();
    assert_eq!(info.domain, "rollout.banyan");
    let fields: Vec<&str> = details
        .bad_request()
        .into_iter()
        .flat_map(|bad| &bad.field_violations)
        .map(|violation| violation.field.as_str())
        .collect();
    let got = match fields.is_empty() {
        true => info.reason.clone(),
        false => format!("{}: {}", info.reason, fields.join(", ")),
    };
    assert_eq!(got, want, "{status}");
}

#[tokio::test]
async fn refusals_say_everything_that_is_wrong() {
    let database = TestDatabase::sqlite();
    let replica = Replica::start(&database.url).await;
    let mut client = client(&replica.rollouts).await;
    let cases = [
        (
            SetRolloutPercentRequest::default(),
            "INVALID_REQUEST: name, percent, actor",
        ),
        (set(101.0), "INVALID_REQUEST: percent"),
        (set(-1.0), "INVALID_REQUEST: percent"),
        (set(33.333), "INVALID_REQUEST: percent"),
        (set(f64::NAN), "INVALID_REQUEST: percent"),
        (
            SetRolloutPercentRequest {
                name: "movies".to_owned(),
                ..set(1.0)
            },
            "INVALID_REQUEST: name",
        ),
        (
            SetRolloutPercentRequest {
                name: "rollouts/a/b".to_owned(),
                ..set(1.0)
            },
            "INVALID_REQUEST: name",
        ),
        (
            SetRolloutPercentRequest {
                actor: " ".to_owned(),
                ..set(1.0)
            },
            "INVALID_REQUEST: actor",
        ),
        (
            SetRolloutPercentRequest {
                actor: "a".repeat(101),
                ..set(1.0)
            },
            "INVALID_REQUEST: actor",
        ),
        (
            SetRolloutPercentRequest {
                reason: "я".repeat(501),
                ..set(1.0)
            },
            "INVALID_REQUEST: reason",
        ),
    ];
    for (request, want) in cases {
        check(
            client.set_rollout_percent(request).await,
            Code::InvalidArgument,
            want,
        );
    }
    let longest = SetRolloutPercentRequest {
        actor: "я".repeat(100),
        reason: "я".repeat(500),
        ..set(1.0)
    };
    client.set_rollout_percent(longest).await.unwrap();

    let nobody = || SetRolloutPercentRequest {
        name: "rollouts/nobody".to_owned(),
        ..set(1.0)
    };
    check(
        client.set_rollout_percent(nobody()).await,
        Code::NotFound,
        "NO_SUCH_ROLLOUT",
    );
    let get = GetRolloutRequest {
        name: "rollouts/nobody".to_owned(),
    };
    check(
        client.get_rollout(get).await,
        Code::NotFound,
        "NO_SUCH_ROLLOUT",
    );
    for etag in ["v0", "nonsense"] {
        let stale = SetRolloutPercentRequest {
            etag: etag.to_owned(),
            ..set(1.0)
        };
        check(
            client.set_rollout_percent(stale).await,
            Code::Aborted,
            "ROLLOUT_CHANGED",
        );
    }
    for request in [
        ListRolloutsRequest {
            page_size: -1,
            ..Default::default()
        },
        ListRolloutsRequest {
            page_token: "nonsense".to_owned(),
            ..Default::default()
        },
    ] {
        let status = client.list_rollouts(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
    }
    replica.stop().await;
}

#[tokio::test]
async fn a_store_that_is_away_is_unavailable_with_a_time_to_try_again() {
    let replica = Replica::start("postgres://nobody:secret@127.0.0.1:1/none").await;
    let mut client = client(&replica.rollouts).await;
    let status = client.set_rollout_percent(set(1.0)).await.unwrap_err();
    assert!(!status.message().contains("127.0.0.1"), "{status}");
    assert!(status.get_details_retry_info().is_some());
    check(Err(status), Code::Unavailable, "STORE_UNAVAILABLE");
    replica.stop().await;
}

#[tokio::test]
async fn control_characters_are_no_part_of_the_record() {
    let database = TestDatabase::sqlite();
    let replica = Replica::start(&database.url).await;
    let mut client = client(&replica.rollouts).await;
    for (actor, reason, field) in [
        ("a\0da", "try", "actor"),
        ("ada\nbob", "try", "actor"),
        ("\u{1b}[2Jada", "try", "actor"),
        ("ada", "tr\0y", "reason"),
        ("ada", "\u{1b}]0;x", "reason"),
    ] {
        let request = SetRolloutPercentRequest {
            actor: actor.to_owned(),
            reason: reason.to_owned(),
            ..set(5.0)
        };
        let status = client.set_rollout_percent(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{actor:?} {reason:?}");
        assert!(status.message().starts_with(field), "{status:?}");
    }
    let request = SetRolloutPercentRequest {
        reason: "two\nlines".to_owned(),
        ..set(5.0)
    };
    client.set_rollout_percent(request).await.unwrap();
}
