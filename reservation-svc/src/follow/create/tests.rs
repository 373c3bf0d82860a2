//! One of two replicas dies, or is taken for dead, at each point at which it can.

use super::{testing::*, *};
use crate::{
    domain::followed_movie::Authority,
    follow::monolith::Monolith,
    store::{Earlier, Position, StoreError, testing},
};

/// Begins a create at the first replica that dies once it has been sent, in a way that the answer does not come back.
async fn dies_at(pair: &Pair, way: Way, request_id: &str) {
    pair.first.way.send_replace(way);
    let creating = pair.first.begin(request_id);
    until("the request is sent", || pair.legacy.asked() == 1).await;
    creating.abort();
    assert!(creating.await.unwrap_err().is_cancelled());
}

#[tokio::test(flavor = "multi_thread")]
async fn who_died_before_the_request_was_sent_is_replaced() {
    for mut pair in Pair::each().await {
        pair.first.opened("a").await;
        let next = pair.next();
        let movie = next.create("a").await;
        assert_eq!(next.create("a").await, movie);
        assert_eq!(next.creator.metrics.abandoned.get(), 1);
        assert_eq!(pair.legacy.ids().await, [movie.id]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_died_before_the_request_arrived_is_replaced() {
    for mut pair in Pair::each().await {
        dies_at(&pair, Way::SwallowsRequests, "a").await;
        let movie = pair.next().create("a").await;
        assert_eq!(pair.legacy.ids().await, [movie.id]);
        assert_eq!(pair.legacy.asked(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dead_have_made_is_found_and_not_made_again() {
    for mut pair in Pair::each().await {
        dies_at(&pair, Way::HoldsAnswers, "a").await;
        let made = pair.legacy.ids().await;
        let next = pair.next();
        assert_eq!([next.create("a").await.id], *made);
        assert_eq!([next.create("a").await.id], *made);
        assert_eq!((pair.legacy.ids().await, pair.legacy.asked()), (made, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_the_dead_have_made_is_not_taken_for_anothers() {
    for mut pair in Pair::each().await {
        dies_at(&pair, Way::HoldsAnswers, "a").await;
        let [made] = pair.legacy.ids().await[..] else {
            panic!("one was made");
        };
        let next = pair.next();
        let other = next.create("b").await;
        assert_ne!(other.id, made);
        assert_eq!(next.create("a").await.id, made);
        assert_eq!(next.create("b").await, other);
        assert_eq!(pair.legacy.ids().await, [made, other.id]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_died_before_the_movie_was_kept_is_replaced() {
    for mut pair in Pair::each().await {
        pair.first.opened("a").await;
        let monolith = Monolith::new(&pair.legacy.url).unwrap();
        let made = monolith.create_movie(&roots()).await.unwrap();
        let next = pair.next();
        assert_eq!(next.create("a").await, made);
        let kept = next.creator.movies.find(made.id).await.unwrap();
        assert_eq!(kept, Some(made.clone()));
        assert_eq!(pair.legacy.ids().await, [made.id]);
    }
}

/// Creates a movie at the monolith, whose id this side gives to another one before it is kept.
async fn overtaken(replica: &Replica, legacy: &Legacy) -> (Turn, Position, FollowedMovie) {
    let turn = replica.opened("a").await;
    let position = replica.creator.movies.position().await.unwrap();
    let another = replica.create_another_here("b").await;
    let monolith = Monolith::new(&legacy.url).unwrap();
    let made = monolith.create_movie(&roots()).await.unwrap();
    assert_eq!(made.id, another.id);
    (turn, position, made)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_movie_whose_id_was_given_away_is_kept_and_known_under_another() {
    for mut pair in Pair::each().await {
        let (turn, position, made) = overtaken(&pair.first, &pair.legacy).await;
        let creator = &pair.first.creator;
        let follower = creator.follower.as_ref().unwrap();
        let kept = creator.keep_made(follower, turn, &position, made.clone());
        let kept = kept.await.unwrap().unwrap();
        assert_ne!(kept.id, made.id);
        assert_eq!(pair.next().create("a").await, kept);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_whose_id_may_be_anothers_by_now_is_not_answered_with_it() {
    for mut pair in Pair::each().await {
        let (turn, position, made) = overtaken(&pair.first, &pair.legacy).await;
        let creator = &pair.first.creator;
        let follower = creator.follower.as_ref().unwrap();
        let rename = "ALTER TABLE followed_movies RENAME TO away";
        testing::run(&pair.database.url, rename).await;
        let kept = creator.keep_made(follower, turn, &position, made.clone());
        let kept = kept.await;
        assert!(matches!(kept, Err(CreateError::Unsettled)), "{kept:?}");
        let rename = "ALTER TABLE away RENAME TO followed_movies";
        testing::run(&pair.database.url, rename).await;
        let repeated = pair.next().create("a").await;
        assert_ne!(repeated.id, made.id);
        assert_eq!(pair.next().create("a").await, repeated);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_create_is_answered_though_it_cannot_be_kept_while_its_id_is_certain() {
    // What cannot be written, and whether it is known all the same that nobody else gives the monolith's ids.
    for (table, is_certain) in [("followed_movies", true), ("following", false)] {
        for mut pair in Pair::each().await {
            let turn = pair.first.opened("a").await;
            let creator = &pair.first.creator;
            let position = creator.movies.position().await.unwrap();
            let monolith = Monolith::new(&pair.legacy.url).unwrap();
            let made = monolith.create_movie(&roots()).await.unwrap();
            let follower = creator.follower.as_ref().unwrap();
            let rename = format!("ALTER TABLE {table} RENAME TO away");
            testing::run(&pair.database.url, &rename).await;
            let kept = creator.keep_made(follower, turn, &position, made.clone());
            match kept.await {
                Ok(kept) => assert_eq!((kept.as_ref(), is_certain), (Some(&made), true)),
                Err(CreateError::Unsettled) => assert!(!is_certain),
                Err(error) => panic!("{error:?}"),
            }
            let rename = format!("ALTER TABLE away RENAME TO {table}");
            testing::run(&pair.database.url, &rename).await;
            assert_eq!(pair.next().create("a").await, made);
            assert_eq!(pair.legacy.ids().await, [made.id]);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_for_the_monolith_is_not_repeated_before_it_had_its_time() {
    for told in [Some(502), Some(504), None] {
        for mut pair in Pair::each().await {
            pair.first.way.send_replace(Way::CarriesOutLate(told));
            // A poll may have looked first; then the movie is there, and answered.
            if let Err(doubted) = pair.first.begin("a").await.unwrap() {
                let CreateError::Monolith(error) = &doubted else {
                    panic!("{doubted:?}");
                };
                assert!(error.may_have_happened(), "{error:?}");
            }
            let movie = pair.next().create("a").await;
            assert_eq!(pair.legacy.ids().await, [movie.id], "{told:?}");
            assert_eq!(pair.legacy.asked(), 1, "{told:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_carried_out_and_misreported_is_found_at_once() {
    for status in [500, 502, 504] {
        for pair in Pair::each().await {
            pair.first.way.send_replace(Way::Misreports(status));
            let movie = pair.first.create("a").await;
            assert_eq!(pair.legacy.ids().await, [movie.id], "{status}");
            assert_eq!(pair.legacy.asked(), 1, "{status}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_repetition_waits_for_the_first_that_is_still_under_way() {
    for pair in Pair::each().await {
        let other = pair.second.as_ref().unwrap_or(&pair.first);
        for replica in [&pair.first, other] {
            replica.way.send_replace(Way::HoldsAnswers);
        }
        let first = pair.first.begin("a");
        until("the request is sent", || pair.legacy.asked() == 1).await;
        let second = other.begin("a");
        let third = other.begin("b");
        for replica in [&pair.first, other] {
            replica.way.send_replace(Way::Sound);
        }
        let (first, second) = (first.await.unwrap(), second.await.unwrap());
        let movie = first.unwrap();
        assert_eq!(second.unwrap(), movie);
        let equal = third.await.unwrap().unwrap();
        assert_eq!(pair.legacy.ids().await, [movie.id, equal.id]);
        assert_eq!(pair.legacy.asked(), 2);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn who_was_only_taken_for_dead_finds_out_what_came_of_its_create() {
    for pair in Pair::each().await {
        let other = pair.second.as_ref().unwrap_or(&pair.first);
        let mut other = other.creator.clone();
        other.patience = SHORT;
        let asked = || pair.legacy.asked();
        pair.first.way.send_replace(Way::HoldsAnswers);
        let first = pair.first.begin("a");
        until("the request is sent", || asked() == 1).await;
        let made = pair.legacy.ids().await;
        let repeated = other.create_once(&intent("a")).await.unwrap();
        assert_eq!([repeated.id], *made);
        pair.first.way.send_replace(Way::Sound);
        assert_eq!(first.await.unwrap().unwrap(), repeated);
        assert_eq!((pair.legacy.ids().await, asked()), (made, 1));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_exchange_that_was_given_up_is_settled_by_a_repetition() {
    for way in [Way::SwallowsRequests, Way::HoldsAnswers] {
        for pair in Pair::each().await {
            pair.first.way.send_replace(way);
            let slow = pair.first.begin("a").await.unwrap().unwrap_err();
            assert!(matches!(slow, CreateError::Monolith(_)), "{slow:?}");
            pair.first.way.send_replace(Way::Sound);
            let turn = pair.first.opened("a").await;
            assert_eq!(turn.earlier, Earlier::Unknown);
            let movies = &pair.first.creator.movies;
            movies
                .put_create_back(&turn, Timestamp::now())
                .await
                .unwrap();
            let other = pair.second.as_ref().unwrap_or(&pair.first);
            let movie = other.create("a").await;
            assert_eq!(pair.legacy.ids().await, [movie.id], "{way:?}");
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_request_id_stands_for_one_movie_on_either_side() {
    for pair in Pair::each().await {
        let replica = &pair.first;
        let movies = &replica.creator.movies;
        let there = replica.create("a").await;
        let position = movies.position().await.unwrap();
        let handed = movies.hand_over(&position, Authority::Own, there.id).await;
        assert!(handed.unwrap());
        let here = replica.create("b").await;
        assert_ne!(here.id, there.id);
        assert_eq!(replica.create("a").await, there);
        assert_eq!(replica.create("b").await, here);
        let refused = replica.creator.create(Some("a".to_owned()), other()).await;
        assert!(matches!(refused, Err(CreateError::Reused)), "{refused:?}");
        assert_eq!(movies.list().await.unwrap(), [there, here]);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_sent_while_the_monolith_was_the_authority_is_found_once_it_is_not() {
    for mut pair in Pair::each().await {
        dies_at(&pair, Way::HoldsAnswers, "a").await;
        let made = pair.legacy.ids().await;
        let next = pair.next();
        let follower = next.creator.follower.as_ref().unwrap();
        follower.take_over().await.unwrap();
        assert_eq!([next.create("a").await.id], *made);
        assert_eq!(next.create("b").await.id, made[0] + 1);
        assert_eq!(pair.legacy.asked(), 1);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn creates_are_forgotten_after_their_time() {
    for pair in Pair::each().await {
        let Creator {
            movies, metrics, ..
        } = &pair.first.creator;
        pair.first.create("a").await;
        pair.first.opened("b").await;
        let old = Timestamp::now() - SignedDuration::from_hours(1);
        forget::forget(movies, old, metrics).await.unwrap();
        let open = async |id: &str| movies.open_create(&intent(id), Timestamp::now()).await;
        let remembered: Result<Opened, StoreError> = open("a").await;
        assert!(matches!(remembered, Ok(Opened::Done(_))), "{remembered:?}");
        assert!(matches!(open("b").await, Ok(Opened::Busy(_))));
        let soon = Timestamp::now() + SignedDuration::from_secs(1);
        forget::forget(movies, soon, metrics).await.unwrap();
        let text = pair.first.process.metrics().encode().unwrap();
        for end in ["done", "unfinished"] {
            let line = format!(r#"reservation_follow_creates_forgotten_total{{end="{end}"}} 1"#);
            assert!(text.contains(&line), "{text}");
        }
        assert!(matches!(open("a").await, Ok(Opened::Turn(_))));
    }
}
