//! What many clients ask for is the subject: all that concerns it goes to one side, whatever one of them carries.

use banyan_gateway::config::Config;
use banyan_rollout::{GoingDown, Percent, Subjects, bucket};
use serde_json::json;

use super::parity::{Find, Shop, create, side, told};
use crate::edge::{
    calls::on_side,
    world::{nowhere, until},
};

#[derive(Clone, PartialEq, prost::Message)]
struct Get {
    #[prost(string, tag = "1")]
    name: String,
}

/// One item by its name in the path, by its id in the query, and by its title in the body.
pub(super) fn by_entity(config: &mut Config) {
    let sources = ["path:name", "query:id", "body:title", "cookie:shop_subject"];
    let sources = sources.map(|source| source.parse().unwrap()).to_vec();
    config.rollouts.get_mut("items").unwrap().subjects = Subjects::new(sources).unwrap();
    let mut route = config
        .routes
        .iter()
        .find(|it| it.rollout.is_some())
        .unwrap()
        .clone();
    route.path = "/api/items/{name}".to_owned();
    route.rpc = Some("shop.v1.ShopService/GetItem".to_owned());
    route.response_body = String::new();
    config.routes.push(route);
}

#[tokio::test]
async fn what_concerns_one_item_is_decided_alike_for_rest_and_grpc() {
    let shop = Shop::with(by_entity).await;
    let mut sides = Vec::new();
    for id in 1..9_i64 {
        let name = id.to_string();
        let get = Get { name: name.clone() };
        let by_path = shop.call("GetItem", get, &[("x-user-id", "anybody")]).await;
        let by_query = shop.call("FindItem", Find { id }, &[]).await;
        let by_body = shop.call("CreateItem", create(&name, 1), &[]).await;
        let rest = [
            shop.world.get(&format!("/api/items/{id}")),
            shop.world.get(&format!("/api/items?id={id}")),
            shop.world
                .post("/api/items", &json!({"title": name, "price": 1})),
        ];
        for (request, call) in rest.into_iter().zip([by_path, by_query, by_body]) {
            let response = request.send().await.unwrap();
            assert_eq!(response.headers()["x-banyan-side"], side(&call), "{id}");
            assert_eq!(told(&call, "set-cookie"), None, "{id} is the subject");
            sides.push(side(&call).to_owned());
        }
        assert!(
            sides
                .iter()
                .rev()
                .take(3)
                .all(|it| it == sides.last().unwrap())
        );
    }
    sides.dedup();
    assert!(sides.len() > 1, "items are on both sides");
    let long = shop
        .call("CreateItem", create(&"x".repeat(70_000), 1), &[])
        .await;
    assert!(
        long.is_ok() && told(&long, "set-cookie").is_some(),
        "{long:?}"
    );
}

/// An item on this side at 50 %; none has the number 0, which a message does not show.
fn item_on(side: &str) -> String {
    let half = Percent::from_hundredths(5_000).unwrap();
    let is_there = |item: &String| half.includes(bucket("items", item)) == (side == "grpc");
    let mut items = (1..).map(|n: u32| n.to_string());
    items.find(is_there).unwrap()
}

/// Who serves one item, and a list, for a client that carries pins: reads and writes, REST and gRPC.
struct Client<'a> {
    shop: &'a Shop,
    pins: &'a str,
}

impl Client<'_> {
    /// Reads, which have to agree.
    async fn reads(&self, item: &str) -> String {
        let get = Get {
            name: item.to_owned(),
        };
        let by_path = self
            .shop
            .call("GetItem", get, &[("x-banyan-pin", self.pins)])
            .await;
        let id = item.parse().unwrap();
        let by_query = self
            .shop
            .call("FindItem", Find { id }, &[("x-banyan-pin", self.pins)])
            .await;
        let rest = self.rest(&format!("/api/items/{item}")).await;
        assert_eq!(
            (side(&by_path), side(&by_query)),
            (&*rest, &*rest),
            "{item}"
        );
        rest
    }

    /// Writes, which have to agree.
    async fn writes(&self, item: &str) -> String {
        let call = create(item, 1);
        let call = self
            .shop
            .call("CreateItem", call, &[("x-banyan-pin", self.pins)])
            .await;
        assert_eq!(
            told(&call, "x-banyan-wrote"),
            None,
            "what others share stays for nobody"
        );
        let write = json!({"title": item, "price": 1});
        let write = self.shop.world.post("/api/items", &write);
        let write = write
            .header("x-banyan-pin", self.pins)
            .send()
            .await
            .unwrap();
        assert_eq!(write.headers()["x-banyan-side"], side(&call), "{item}");
        side(&call).to_owned()
    }

    /// A list, whose subject is the client, on this side by its own bucket.
    async fn lists(&self, own: &str) -> String {
        let own = on_side(own);
        let read = self
            .shop
            .world
            .get("/api/items")
            .header("x-banyan-pin", self.pins);
        let read = read.header("cookie", format!("shop_subject={own}"));
        let read = read.send().await.unwrap();
        read.headers()["x-banyan-side"].to_str().unwrap().to_owned()
    }

    async fn rest(&self, path: &str) -> String {
        let read = self.shop.world.get(path).header("x-banyan-pin", self.pins);
        let read = read.send().await.unwrap();
        read.headers()["x-banyan-side"].to_str().unwrap().to_owned()
    }
}

#[tokio::test]
async fn what_one_has_written_for_one_item_moves_nothing_of_another_and_no_write_of_any() {
    let shop = Shop::with(|config| {
        by_entity(config);
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow = None;
        items.going_down = GoingDown::StayWithWriter;
        config.steering.pin_s = 3_600;
    })
    .await;
    shop.set_percent(50).await;
    let (old, new) = (item_on("legacy"), item_on("grpc"));
    let write = shop.call("CreateItem", create(&new, 1), &[]).await;
    assert_eq!(side(&write), "grpc");
    let one = told(&write, "x-banyan-pin").unwrap().to_owned();
    let client = Client {
        shop: &shop,
        pins: &one,
    };
    assert_eq!(client.reads(&old).await, "legacy", "another item");
    assert_eq!(client.writes(&old).await, "legacy", "sold by one side only");
    assert_eq!(
        client.lists("legacy").await,
        "grpc",
        "the own write is in it"
    );

    // One header holds the pins of both.
    let write = shop
        .call("CreateItem", create(&old, 1), &[("x-banyan-pin", &one)])
        .await;
    assert_eq!(side(&write), "legacy");
    let both = told(&write, "x-banyan-pin").unwrap().to_owned();
    assert_eq!(both.split(", ").count(), 2, "{both}");
    let (client, everybody) = (
        Client {
            shop: &shop,
            pins: &both,
        },
        Client {
            shop: &shop,
            pins: "",
        },
    );
    for (percent, everybody_s) in [(0, "legacy"), (100, "grpc")] {
        shop.set_percent(percent).await;
        until("the change is in force", || async {
            let sides = [
                everybody.rest(&format!("/api/items/{old}")).await,
                everybody.rest(&format!("/api/items/{new}")).await,
            ];
            sides.iter().all(|it| it == everybody_s)
        })
        .await;
        assert_eq!(client.reads(&old).await, "legacy");
        assert_eq!(client.reads(&new).await, "grpc");
        for item in [&old, &new] {
            assert_eq!(client.writes(item).await, everybody_s, "as everybody's");
        }
    }
}

#[tokio::test]
async fn who_creates_what_has_no_id_yet_finds_it_by_its_id() {
    let away = nowhere().await;
    let shop = Shop::with(|config| {
        by_entity(config);
        // A create names no item: the client decides.
        let sources = ["path:name", "query:id", "cookie:shop_subject"];
        let sources = sources.map(|source| source.parse().unwrap()).to_vec();
        let items = config.rollouts.get_mut("items").unwrap();
        items.subjects = Subjects::new(sources).unwrap();
        items.follow.as_mut().unwrap().upstream = "south".to_owned();
        config.set_upstream("south", away).unwrap();
        config.steering.pin_s = 3_600;
    })
    .await;
    shop.set_percent(50).await;
    let user = format!("shop_subject={}", on_side("legacy"));
    let written = shop
        .call("CreateItem", create("Tea", 1), &[("cookie", &user)])
        .await;
    assert_eq!(side(&written), "legacy");
    let pins = told(&written, "x-banyan-pin").unwrap();
    let item = item_on("grpc");
    let reads = async |pins| Client { shop: &shop, pins }.reads(&item).await;
    assert_eq!(reads("").await, "grpc", "anybody else");
    assert_eq!(
        reads(pins).await,
        "legacy",
        "the follower has not passed it"
    );
}
