//! Both sides compared page by page: any number of differences, and whatever goes wrong between two of them.

use std::{
    collections::BTreeSet,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
};

use banyan_mesh::testing::TestDatabase;
use banyan_proto::follow::v1::{
    Authority, Difference, ReconcileRequest, ReconcileResponse, difference::Kind,
    follow_service_client::FollowServiceClient,
};
use banyan_reservation::Capability;
use legacy_monolith::Capabilities;
use tonic::{Code, Status};

use super::{
    authority::hand,
    capabilities::{catch_up, execute, titles},
    compat_support::{Legacy, Service, reason, violations},
    networks::failing_network,
};

async fn page(
    service: &Service,
    mend: bool,
    page_size: i32,
    page_token: &str,
) -> Result<ReconcileResponse, Status> {
    let request = ReconcileRequest {
        collection: "movies".to_owned(),
        mend,
        page_size,
        page_token: page_token.to_owned(),
    };
    let mut client = FollowServiceClient::new(service.channel.clone());
    let answer = client.reconcile(request).await?;
    Ok(answer.into_inner())
}

/// All pages from a token on: the differences, the movies compared on both sides, and how many were mended.
async fn pages(
    service: &Service,
    mend: bool,
    page_size: i32,
    token: &str,
) -> (Vec<Difference>, [i64; 2], i64) {
    let (mut found, mut compared, mut mended) = (Vec::new(), [0, 0], 0);
    let mut token = token.to_owned();
    loop {
        let page = page(service, mend, page_size, &token).await.unwrap();
        let told = i64::try_from(page.differences.len()).unwrap();
        assert_eq!(page.differences_count, told);
        compared[0] += page.legacy_count;
        compared[1] += page.own_count;
        mended += page.mended_count;
        found.extend(page.differences);
        token = page.next_page_token;
        if token.is_empty() {
            return (found, compared, mended);
        }
    }
}

/// Movies that are here and were never there.
async fn ghosts(service: &Service, ids: std::ops::RangeInclusive<i64>) {
    let rows: Vec<String> = ids
        .map(|id| format!(r#"({id}, 'Ghost {id}', '', '["drama"]', 1.0, 0)"#))
        .collect();
    let columns = "id, title, description, genres, rating, adopted_at";
    let rows = rows.join(", ");
    let insert = format!("INSERT INTO followed_movies ({columns}) VALUES {rows}");
    execute(&service.database, &insert).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn any_number_of_differences_is_listed_and_mended() {
    for database in TestDatabase::each() {
        let legacy = Legacy::start().await;
        for title in ["One", "Two", "Three"] {
            legacy.create(title).await;
        }
        // What is gone is removed here; not by a poll, which takes so many for a lost database.
        let service = Service::following(database, legacy.url(), &[Capability::Delete]).await;
        catch_up(&service).await.unwrap();
        ghosts(&service, 101..=2_600).await;

        let first = page(&service, false, 0, "").await.unwrap();
        assert_eq!(first.differences.len(), 1_000);
        assert!(!first.next_page_token.is_empty());
        let (found, compared, mended) = pages(&service, false, 700, "").await;
        let ids: BTreeSet<i64> = found.iter().map(|it| it.id.parse().unwrap()).collect();
        assert_eq!(ids, (101..=2_600).collect());
        assert_eq!((found.len(), compared, mended), (2_500, [3, 2_503], 0));
        let is_gone = |it: &Difference| it.kind() == Kind::MissingInLegacy && !it.mended;
        assert!(found.iter().all(is_gone));

        let (found, _, mended) = pages(&service, true, 0, "").await;
        assert_eq!((found.len(), mended), (2_500, 2_500));
        assert_eq!(titles(&service).await, legacy.titles().await);
        let (found, compared, _) = pages(&service, false, 0, "").await;
        assert_eq!((found, compared), (vec![], [3, 3]));
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_monolith_that_dies_in_the_middle_is_gone_on_with_and_nothing_mended_is_untold() {
    for database in TestDatabase::each() {
        let legacy = Legacy::offering(Capabilities::all()).await;
        let carried = Arc::new(AtomicUsize::new(usize::MAX));
        let network = failing_network(legacy.url(), &carried).await;
        let service = Service::following(database, network, &[Capability::KeepsIds]).await;
        hand(&service, Authority::Own).await.unwrap();
        ghosts(&service, 1..=120).await;

        // The list and a page of 50; the next one asks for each of its 50 once more, and comes to 20 of them.
        carried.store(1 + 50 + 50 + 20, Ordering::SeqCst);
        let mut token = String::new();
        let mut mended = 0;
        let failed = loop {
            match page(&service, true, 50, &token).await {
                Ok(page) => {
                    assert!(page.differences.iter().all(|it| it.mended));
                    mended += page.mended_count;
                    token = page.next_page_token;
                }
                Err(failed) => break failed,
            }
        };
        assert_eq!(
            (failed.code(), reason(&failed).as_str()),
            (Code::Unavailable, "MONOLITH_UNAVAILABLE")
        );
        // What was told is what is there.
        let there = legacy.titles().await.len();
        assert_eq!(usize::try_from(mended).unwrap(), there);
        assert!((50..=70).contains(&there), "{there}");
        carried.store(usize::MAX, Ordering::SeqCst);
        let (found, _, rest) = pages(&service, true, 50, &token).await;
        assert_eq!((found.len(), mended + rest), (120 - there, 120));
        assert_eq!(legacy.titles().await, titles(&service).await);
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_list_is_read_once_and_what_has_changed_since_is_told_as_it_is() {
    for database in TestDatabase::each() {
        let legacy = Legacy::offering(Capabilities::all()).await;
        let carried = Arc::new(AtomicUsize::new(usize::MAX));
        let network = failing_network(legacy.url(), &carried).await;
        let service = Service::following(database, network, &[Capability::KeepsIds]).await;
        legacy.create("One").await;
        catch_up(&service).await.unwrap();
        ghosts(&service, 101..=105).await;
        let first = page(&service, false, 2, "").await.unwrap();
        // The list that was read does not have it, and both sides do.
        legacy.put(106, "Late").await;
        catch_up(&service).await.unwrap();
        let (found, ..) = pages(&service, false, 2, &first.next_page_token).await;
        let told: Vec<_> = found.iter().map(|it| it.id.as_str()).collect();
        assert_eq!(told, ["103", "104", "105"]);

        // From now on nobody but a comparison asks.
        hand(&service, Authority::Own).await.unwrap();
        carried.store(100, Ordering::SeqCst);
        let (found, compared, _) = pages(&service, false, 2, "").await;
        assert_eq!((found.len(), compared), (5, [2, 7]));
        let asked = 100 - carried.load(Ordering::SeqCst);
        assert_eq!(asked, 1 + 3, "a list, and what differs on later pages");
        service.stop().await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_page_goes_on_only_where_it_was_asked_for() {
    let legacy = Legacy::offering(Capabilities::all()).await;
    let service = Service::following(
        TestDatabase::sqlite(),
        legacy.url(),
        &[Capability::KeepsIds],
    )
    .await;
    catch_up(&service).await.unwrap();
    ghosts(&service, 1..=3).await;
    let token = page(&service, false, 2, "").await.unwrap().next_page_token;
    for (mend, size, token, field) in [
        (true, 2, token.as_str(), "page_token"),
        (false, 2, "x", "page_token"),
        (false, -1, "", "page_size"),
    ] {
        let refused = page(&service, mend, size, token).await.unwrap_err();
        assert_eq!(refused.code(), Code::InvalidArgument);
        assert_eq!(violations(&refused)[0].0, field);
    }
    // What was right there would be wrong now.
    hand(&service, Authority::Own).await.unwrap();
    let refused = page(&service, false, 2, &token).await.unwrap_err();
    assert_eq!(
        (refused.code(), reason(&refused).as_str()),
        (Code::Aborted, "AUTHORITY_CHANGED")
    );
    service.stop().await;
}
