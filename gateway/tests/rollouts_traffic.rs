//! What requests get to see of rollouts: a side, a cookie, a count.

use banyan_gateway::rollouts::{Counts, Definition, Rollouts};
use banyan_mesh::{process::Process, testing::TestDatabase};
use banyan_rollout::{Reason, Side};
use http::{HeaderMap, HeaderValue, StatusCode, header::COOKIE};

use crate::rollouts_support::{Log, Replica, movies, operator, percent, steering, user};

async fn without_store(definition: Definition) -> (Process, Rollouts) {
    let process = Process::new();
    let rollouts = Rollouts::start(vec![definition], None, steering(), &process).await;
    (process, rollouts)
}

#[tokio::test]
async fn going_up_live_moves_nobody_back() {
    let database = TestDatabase::sqlite();
    let replica = Replica::start(&database.url).await;
    let side = |id| replica.rollouts.decide("movies", &user(id)).unwrap().side;
    let mut before = vec![Side::Legacy; 2_000];
    for text in ["0", "1", "5.25", "25", "50", "100"] {
        let set = replica
            .rollouts
            .set_percent("movies", percent(text), operator(""));
        set.await.unwrap();
        let now: Vec<Side> = (0..2_000).map(side).collect();
        assert!(
            before.iter().zip(&now).all(|(before, now)| before <= now),
            "{text}"
        );
        before = now;
    }
    assert!(before.iter().all(|side| *side == Side::Grpc));
    replica.stop().await;
}

#[tokio::test]
async fn a_client_without_subject_is_given_a_cookie_that_keeps_its_side() {
    let (_process, rollouts) = without_store(movies()).await;
    for _ in 0..100 {
        let first = rollouts.decide("movies", &HeaderMap::new()).unwrap();
        let cookie = first.set_cookie.unwrap().to_str().unwrap().to_owned();
        let (pair, attributes) = cookie.split_once("; ").unwrap();
        assert_eq!(
            attributes,
            "Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
        );
        let headers = HeaderMap::from_iter([(COOKIE, HeaderValue::from_str(pair).unwrap())]);
        let next = rollouts.decide("movies", &headers).unwrap();
        assert_eq!((next.side, next.bucket), (first.side, first.bucket));
        assert_eq!(next.set_cookie, None);
    }
}

#[tokio::test]
async fn a_user_is_the_same_on_every_device() {
    let (_process, rollouts) = without_store(movies()).await;
    let mut elsewhere = user(7);
    elsewhere.insert(COOKIE, HeaderValue::from_static("banyan_subject=other"));
    let bucket = |headers| rollouts.decide("movies", headers).unwrap().bucket;
    assert_eq!(bucket(&user(7)), bucket(&elsewhere));
}

#[tokio::test]
async fn switched_off_is_legacy_for_everybody() {
    let off = Definition {
        enabled: false,
        env_percent: Some(percent("100")),
        ..movies()
    };
    let log = Log::capture();
    let (_process, rollouts) = without_store(off).await;
    assert!(
        log.text().contains("WARN") && log.text().contains("switched off"),
        "{}",
        log.text()
    );
    for id in 0..100 {
        let ruling = rollouts.decide("movies", &user(id)).unwrap();
        assert_eq!(
            (ruling.side, ruling.reason),
            (Side::Legacy, Reason::MigrationDisabled)
        );
    }
}

#[tokio::test]
async fn answers_are_counted_by_side() {
    let (process, rollouts) = without_store(movies()).await;
    assert!(rollouts.decide("bookings", &user(1)).is_none());
    let mut want = Counts::default();
    for id in 0..50 {
        let ruling = rollouts.decide("movies", &user(id)).unwrap();
        let status = match id % 5 {
            0 => StatusCode::BAD_GATEWAY,
            1 => StatusCode::NOT_FOUND,
            _ => StatusCode::OK,
        };
        ruling.record(status);
        let (answered, failed) = match ruling.side {
            Side::Legacy => (&mut want.legacy, &mut want.legacy_errors),
            Side::Grpc => (&mut want.grpc, &mut want.grpc_errors),
        };
        *answered += 1;
        *failed += u64::from(status.is_server_error());
    }
    assert_eq!(rollouts.get("movies").unwrap().counts, want);
    assert_eq!(want.legacy_errors + want.grpc_errors, 10);

    let metrics = process.metrics().encode().unwrap();
    for line in [
        format!(
            r#"gateway_rollout_answers_total{{rollout="movies",side="grpc",reason="percent",version="0"}} {}"#,
            want.grpc
        ),
        format!(
            r#"gateway_rollout_errors_total{{rollout="movies",side="legacy"}} {}"#,
            want.legacy_errors
        ),
        r#"gateway_rollout_percent{rollout="movies"} 50.0"#.to_owned(),
    ] {
        assert!(metrics.contains(&line), "{line} in\n{metrics}");
    }
}
