//! Guests without an account.

use serde_json::Value;

use super::world::World;

async fn introduced(world: &World, cookie: Option<&str>) -> (Option<String>, Value) {
    let mut request = world.get("/v1/me").header("x-banyan-guest", "forged");
    if let Some(cookie) = cookie {
        request = request.header("cookie", cookie);
    }
    let response = request.send().await.unwrap();
    assert_eq!(response.headers()["cache-control"], "no-store");
    let set = response
        .headers()
        .get("set-cookie")
        .map(|cookie| cookie.to_str().unwrap().to_owned());
    let told: Value = response.json().await.unwrap();
    (set, told["metadata"]["x-banyan-guest"].clone())
}

#[tokio::test]
async fn a_guest_gets_a_secret_and_keeps_it() {
    let world = World::start().await;
    let (set, told) = introduced(&world, None).await;
    let set = set.unwrap();
    let (pair, attributes) = set.split_once(';').unwrap();
    assert_eq!(
        attributes,
        " Path=/; Max-Age=31536000; HttpOnly; SameSite=Lax"
    );
    let token = pair.strip_prefix("banyan_guest=").unwrap();
    assert_eq!((token.len(), told.as_str()), (43, Some(token)));

    let (set, told_again) = introduced(&world, Some(pair)).await;
    assert_eq!((set, told_again), (None, told));
}

#[tokio::test]
async fn nobody_names_their_own_secret() {
    let world = World::start().await;
    for cookie in ["banyan_guest=", "banyan_guest=short", "other=1"] {
        let (set, told) = introduced(&world, Some(cookie)).await;
        assert!(
            set.is_some() && told.as_str().unwrap().len() == 43,
            "{cookie}: {told}"
        );
    }
}
