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

#[tokio::test]
async fn a_secret_is_found_beside_cookies_of_others() {
    let world = World::start().await;
    let token = "a".repeat(43);
    let cookies = format!("theme=x; banyan_guest=old; banyan_guest_2=x; banyan_guest={token}");
    let (set, told) = introduced(&world, Some(&cookies)).await;
    assert_eq!((set, told.as_str()), (None, Some(token.as_str())));
}

#[tokio::test]
async fn a_page_of_another_site_neither_writes_nor_replaces_the_secret() {
    let world = World::start().await;
    let host = world.gateway.public.to_string();
    let own = format!("http://{host}");
    for (headers, want) in [
        (vec![("sec-fetch-site", "cross-site")], 403),
        (vec![("sec-fetch-site", "same-site")], 403),
        (vec![("origin", "https://evil.example")], 403),
        (vec![("origin", "null")], 403),
        (vec![("origin", own.as_str())], 200),
        (
            // A proxy that ends https may call us by another name; browsers then say the site themselves.
            vec![
                ("origin", "https://cinema.example"),
                ("sec-fetch-site", "same-origin"),
            ],
            200,
        ),
        (vec![], 200),
    ] {
        let request = headers.iter().fold(
            world
                .client
                .post(world.url("/v1/items"))
                .header("content-type", "text/plain")
                .body(r#"{"title":"a"}"#),
            |request, (name, value)| request.header(*name, *value),
        );
        let response = request.send().await.unwrap();
        let is_set = response.headers().contains_key("set-cookie");
        assert_eq!(
            (response.status().as_u16(), is_set),
            (want, want == 200),
            "{headers:?}"
        );
    }
}
