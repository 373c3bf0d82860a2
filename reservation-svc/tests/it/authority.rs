//! Who gives ids to movies, and how that changes hands.

use banyan_mesh::testing::TestDatabase;
use banyan_proto::follow::v1::{
    Authority, SetAuthorityRequest, follow_service_client::FollowServiceClient,
};
use banyan_reservation::Capability;
use legacy_monolith::Capabilities;
use tonic::{Code, Status};
use tonic_types::StatusExt as _;

use super::{
    capabilities::{catch_up, create, reconcile, status, titles},
    compat_support::{Legacy, Service, reason},
    networks::{Loss, lossy_network},
};

const ALL: &[Capability] = &Capability::ALL;

pub(crate) async fn hand(service: &Service, authority: Authority) -> Result<i64, Status> {
    let request = SetAuthorityRequest {
        collection: "movies".to_owned(),
        authority: authority.into(),
    };
    let mut client = FollowServiceClient::new(service.channel.clone());
    let answer = client.set_authority(request).await?;
    Ok(answer.into_inner().copied_count)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_goes_there_and_back_with_everything() {
    for database in TestDatabase::each() {
        let mut legacy = Legacy::offering(Capabilities::all()).await;
        for title in ["One", "Two", "Three"] {
            legacy.create(title).await;
        }
        let service = Service::following(database, legacy.url(), ALL).await;
        assert_eq!(hand(&service, Authority::Own).await.unwrap(), 0);
        assert_eq!(
            hand(&service, Authority::Own).await.unwrap(),
            0,
            "twice is once"
        );
        assert_eq!(status(&service).await.authority(), Authority::Own);
        assert_eq!(titles(&service).await.len(), 3, "it had caught up first");

        // The monolith is not asked any more, and nobody waits for it.
        legacy.halt().await;
        assert_eq!(create(&service, "Four").await.unwrap(), 4);
        assert_eq!(create(&service, "Five").await.unwrap(), 5);
        catch_up(&service).await.unwrap();
        assert!(status(&service).await.healthy);
        let away = hand(&service, Authority::Legacy).await.unwrap_err();
        assert_eq!(away.code(), Code::Unavailable);
        assert_eq!(
            create(&service, "Six").await.unwrap(),
            6,
            "it is still ours"
        );
        let database = service.end().await;

        legacy.resume().await;
        let service = Service::following(database, legacy.url(), ALL).await;
        assert_eq!(hand(&service, Authority::Legacy).await.unwrap(), 3);
        assert_eq!(legacy.titles().await, titles(&service).await);
        assert_eq!(status(&service).await.authority(), Authority::Legacy);
        assert_eq!(
            create(&service, "Seven").await.unwrap(),
            7,
            "the monolith gives on"
        );
        assert_eq!(legacy.create("Eight").await, 8);
        catch_up(&service).await.unwrap();
        assert_eq!(reconcile(&service, false).await.differences, []);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_lost_on_the_way_back_is_copied_once() {
    for loss in [Loss::Request, Loss::Answer] {
        for database in TestDatabase::each() {
            let legacy = Legacy::offering(Capabilities::all()).await;
            let network = lossy_network(legacy.url(), loss).await;
            let service = Service::following(database, network, ALL).await;
            hand(&service, Authority::Own).await.unwrap();
            for number in 1..=5 {
                create(&service, &format!("Movie {number}")).await.unwrap();
            }
            assert_eq!(
                hand(&service, Authority::Legacy).await.unwrap(),
                5,
                "{loss:?}"
            );
            assert_eq!(legacy.titles().await, titles(&service).await, "{loss:?}");
            service.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn there_is_no_way_back_without_kept_ids() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        let service = Service::following(database, legacy.url(), &[Capability::Update]).await;
        hand(&service, Authority::Own).await.unwrap();
        create(&service, "One").await.unwrap();
        let refused = hand(&service, Authority::Legacy).await.unwrap_err();
        assert_eq!(
            (refused.code(), reason(&refused).as_str()),
            (Code::FailedPrecondition, "LEGACY_CANNOT")
        );
        let details = refused.get_error_details();
        let info = details.error_info().unwrap();
        assert_eq!(info.metadata["capability"], "keeps-ids");
        assert_eq!(status(&service).await.authority(), Authority::Own);
        let database = service.end().await;

        // Declared, and not so: nothing happened twice, and it says which.
        let service = Service::following(database, legacy.url(), ALL).await;
        let refused = hand(&service, Authority::Legacy).await.unwrap_err();
        assert_eq!(reason(&refused), "LEGACY_CANNOT");
        assert!(
            refused.message().contains("`keeps-ids`, which is declared"),
            "{refused}"
        );
        assert_eq!(create(&service, "Two").await.unwrap(), 2);
        assert_eq!(legacy.titles().await, []);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_authority_is_right_where_both_sides_differ() {
    let needs = [Capability::KeepsIds, Capability::Update, Capability::Delete];
    for loss in [Loss::Request, Loss::Answer] {
        for database in TestDatabase::each() {
            let legacy = Legacy::offering(Capabilities::all()).await;
            legacy.create("One").await;
            let network = lossy_network(legacy.url(), loss).await;
            let service = Service::following(database, network.clone(), &[]).await;
            hand(&service, Authority::Own).await.unwrap();
            create(&service, "Ours").await.unwrap();
            // Somebody goes past the gateway: a change, and a movie that nobody here knows.
            legacy.put(1, "Theirs").await;
            legacy.put(7, "Seven").await;
            let found = reconcile(&service, true).await;
            let told: Vec<_> = found
                .differences
                .iter()
                .map(|it| (it.id.as_str(), it.mended, it.needs().as_str_name()))
                .collect();
            let want = [
                ("1", false, "CAPABILITY_UPDATE"),
                ("2", false, "CAPABILITY_KEEPS_IDS"),
                ("7", false, "CAPABILITY_DELETE"),
            ];
            assert_eq!(told, want);
            let database = service.end().await;

            let service = Service::following(database, network, &needs).await;
            let found = reconcile(&service, true).await;
            assert_eq!(
                (found.differences_count, found.mended_count),
                (3, 3),
                "{loss:?}"
            );
            assert_eq!(legacy.titles().await, titles(&service).await, "{loss:?}");
            service.stop().await;
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_way_back_wants_updates_only_where_something_differs() {
    let legacy = Legacy::offering(Capabilities::all()).await;
    legacy.create("One").await;
    let keeps_ids = &[Capability::KeepsIds];
    let service = Service::following(TestDatabase::sqlite(), legacy.url(), keeps_ids).await;
    hand(&service, Authority::Own).await.unwrap();
    create(&service, "Two").await.unwrap();
    legacy.put(1, "Changed").await;
    let refused = hand(&service, Authority::Legacy).await.unwrap_err();
    let details = refused.get_error_details();
    let capability = &details.error_info().unwrap().metadata["capability"];
    assert_eq!(capability, "update", "{refused}");
    legacy.put(1, "One").await;
    assert_eq!(hand(&service, Authority::Legacy).await.unwrap(), 1);
    service.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_during_a_hand_over_are_never_lost_and_never_twice() {
    for database in TestDatabase::each() {
        let legacy = Legacy::offering(Capabilities::all()).await;
        let service = Service::following(database, legacy.url(), ALL).await;
        let creating = async {
            let mut made = Vec::new();
            for number in 0..60 {
                match create(&service, &format!("Movie {number}")).await {
                    Ok(id) => made.push((id, format!("Movie {number}"))),
                    Err(refused) => assert_eq!(reason(&refused), "HANDING_OVER"),
                }
            }
            made
        };
        let handing = async {
            for _ in 0..4 {
                hand(&service, Authority::Own).await.unwrap();
                hand(&service, Authority::Legacy).await.unwrap();
            }
        };
        let (mut made, ()) = tokio::join!(creating, handing);
        made.sort_unstable();
        catch_up(&service).await.unwrap();
        assert!(made.len() > 30, "{} of 60", made.len());
        assert_eq!(titles(&service).await, made);
        assert_eq!(legacy.titles().await, made);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn only_two_authorities_can_be_asked_for() {
    let legacy = Legacy::start().await;
    let service = Service::start(TestDatabase::sqlite(), Some(legacy.url()), false).await;
    for authority in [Authority::Unspecified, Authority::Returning] {
        let refused = hand(&service, authority).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
    }
    let request = SetAuthorityRequest {
        collection: "users".to_owned(),
        authority: Authority::Own.into(),
    };
    let mut client = FollowServiceClient::new(service.channel.clone());
    let unknown = client.set_authority(request).await.unwrap_err();
    assert_eq!(unknown.code(), Code::NotFound);
    service.stop().await;

    // Without a monolith nobody can create, unless this side was the authority when it went.
    let service = Service::following(TestDatabase::sqlite(), legacy.url(), &[]).await;
    hand(&service, Authority::Own).await.unwrap();
    let database = service.end().await;
    let service = Service::start(database, None, false).await;
    assert_eq!(create(&service, "One").await.unwrap(), 1);
    service.stop().await;
}
