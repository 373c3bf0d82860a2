//! Every rule and every word of a request about its side, over REST and gRPC: where each request arrives, what its client
//! and the log are told, and what `banyan.rollout.v1` explains for the same facts.

use banyan_mesh::settings::Secret;
use banyan_proto::rollout::v1::{
    ExplainRolloutRequest, SetRolloutPercentRequest, rollout_service_client::RolloutServiceClient,
};
use banyan_rollout::bucket;
use serde_json::{Value, json};
use tonic::transport::Channel;

use super::{
    access_log::Lines,
    sides::{Protocol, Sides, headers},
    world::until,
};

const TOKEN: &str = "let me";
const PERCENTS: [u32; 3] = [0, 50, 100];

/// Side and reason at each of [`PERCENTS`].
type Want = [(&'static str, &'static str); 3];

/// A user, further headers, and what becomes of the request.
type Case<'a> = (&'a str, Vec<(&'static str, &'static str)>, Want);

const PERCENT_LOW: Want = [
    ("legacy", "percent"),
    ("grpc", "percent"),
    ("grpc", "percent"),
];
const PERCENT_HIGH: Want = [
    ("legacy", "percent"),
    ("legacy", "percent"),
    ("grpc", "percent"),
];
const RULED_OUT: Want = [("legacy", "rule"); 3];
const RULED_IN: Want = [("grpc", "rule"); 3];
const DEALT_OUT: Want = [("legacy", "rule_percent"); 3];
const DEALT_IN: Want = [("grpc", "rule_percent"); 3];
const FORCED_OUT: Want = [("legacy", "forced"); 3];
const FORCED_IN: Want = [("grpc", "forced"); 3];

/// Users by their bucket; `.1` is another one of the same range.
struct Users {
    low: (String, String),
    middle: String,
    high: (String, String),
}

impl Users {
    fn find() -> Users {
        let within = |range: std::ops::Range<u16>| {
            let all = (0..).map(|n| format!("user-{n}"));
            let mut all = all.filter(move |user| range.contains(&bucket("items", user).index()));
            (all.next().unwrap(), all.next().unwrap())
        };
        Users {
            low: within(0..3_000),
            middle: within(3_000..5_000).0,
            high: within(5_000..10_000),
        }
    }

    fn rules(&self) -> Value {
        let (never, always) = (&self.low.1, &self.high.1);
        json!([
            {"name": "never", "subjects": [never], "side": "legacy"},
            {"name": "always", "subjects": [always, "nobody"], "side": "grpc"},
            {"name": "app", "user_agent": "cinemaapp", "side": "grpc"},
            {"name": "old", "user_agent": "msie", "side": "legacy"},
            {"name": "norway", "headers": {"X-Country": "NO"}, "side": "grpc"},
            {"name": "sweden", "headers": {"x-country": "SE"}, "side": "legacy"},
            {"name": "finland", "headers": {"x-country": "FI"}, "percent": 0},
            {"name": "denmark", "headers": {"x-country": "DK"}, "percent": 30},
            {"name": "iceland", "headers": {"x-country": "IS"}, "percent": 100},
            {"name": "both", "user_agent": "beta", "headers": {"x-country": "DE"}, "side": "grpc"},
        ])
    }

    fn cases(&self) -> Vec<Case<'_>> {
        let (low, never) = (self.low.0.as_str(), self.low.1.as_str());
        let (high, always) = (self.high.0.as_str(), self.high.1.as_str());
        let middle = self.middle.as_str();
        let country = |name| ("x-country", name);
        let agent = |name| ("user-agent", name);
        let ask = |side| ("x-banyan-force-side", side);
        let token = ("x-banyan-force-token", TOKEN);
        vec![
            (low, vec![], PERCENT_LOW),
            (high, vec![], PERCENT_HIGH),
            (never, vec![], RULED_OUT),
            (always, vec![], RULED_IN),
            (never, vec![country("NO")], RULED_OUT),
            (always, vec![agent("MSIE 6")], RULED_IN),
            (high, vec![agent("Mozilla CinemaApp/1.7")], RULED_IN),
            (low, vec![agent("Mozilla (MSIE 6.0)")], RULED_OUT),
            (low, vec![agent("Mozilla")], PERCENT_LOW),
            (high, vec![country("NO")], RULED_IN),
            (high, vec![country("no")], RULED_IN),
            (high, vec![country("NOR")], PERCENT_HIGH),
            (low, vec![country("SE")], RULED_OUT),
            (low, vec![country("FI")], DEALT_OUT),
            (low, vec![country("DK")], DEALT_IN),
            (middle, vec![country("DK")], DEALT_OUT),
            (high, vec![country("IS")], DEALT_IN),
            (high, vec![agent("beta"), country("DE")], RULED_IN),
            (high, vec![agent("beta")], PERCENT_HIGH),
            (high, vec![country("DE")], PERCENT_HIGH),
            (high, vec![ask("grpc"), token], FORCED_IN),
            (low, vec![ask("legacy"), token], FORCED_OUT),
            (never, vec![ask("grpc"), token], FORCED_IN),
            (always, vec![ask("legacy"), token], FORCED_OUT),
            (middle, vec![ask("grpc"), token, country("DK")], FORCED_IN),
            (high, vec![ask("grpc")], PERCENT_HIGH),
            (never, vec![ask("grpc")], RULED_OUT),
            (
                always,
                vec![ask("legacy"), ("x-banyan-force-token", "let me in")],
                RULED_IN,
            ),
            (low, vec![ask("left"), token], PERCENT_LOW),
        ]
    }
}

/// A gateway, what it writes down, and its operators' side.
struct Deciding {
    sides: Sides,
    lines: Lines,
    operators: RolloutServiceClient<Channel>,
}

impl Deciding {
    async fn start(users: &Users, lines: Lines) -> Deciding {
        let rules = serde_json::from_value(users.rules()).unwrap();
        let sides = Sides::with(|config| {
            config.rollouts.get_mut("items").unwrap().rules = rules;
            config.steering.force_token = Some(Secret::new(TOKEN));
        })
        .await;
        let url = format!("http://{}", sides.world.gateway.ops);
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Deciding {
            operators: RolloutServiceClient::new(channel),
            sides,
            lines,
        }
    }

    async fn set(&self, percent: u32) {
        let set = SetRolloutPercentRequest {
            name: "rollouts/items".to_owned(),
            percent: Some(percent.into()),
            actor: "tests".to_owned(),
            reason: "every rule at every percentage".to_owned(),
            etag: String::new(),
        };
        until("the store is ready", || async {
            let mut operators = self.operators.clone();
            operators.set_rollout_percent(set.clone()).await.is_ok()
        })
        .await;
    }

    /// Side, reason and bucket of one request: as it arrived, as its client was told and as it was written down.
    async fn asked(
        &self,
        protocol: Protocol,
        is_write: bool,
        sent: &[(&'static str, &str)],
    ) -> Value {
        self.lines.take();
        let told = match is_write {
            true => self.sides.create(protocol, "Tea", headers(sent)).await,
            false => self.sides.find(protocol, 7, headers(sent)).await,
        };
        assert!(told.is_fine() && told.minted().is_none(), "{told:?}");
        let [seen] = self.sides.seen().try_into().unwrap();
        let path = match seen.side {
            "legacy" => "/api/items",
            _ if is_write => "/shop.v1.ShopService/CreateItem",
            _ => "/shop.v1.ShopService/FindItem",
        };
        assert_eq!((seen.side, seen.path.as_str()), (told.side(), path));
        let names = seen.headers.keys().map(http::HeaderName::as_str);
        let steering: Vec<_> = names.filter(|name| name.contains("force")).collect();
        assert!(steering.is_empty(), "they are the gateway's: {steering:?}");
        let mut written = Vec::new();
        until("it is written down", || {
            let lines = self.lines.take().into_iter();
            written.extend(lines.filter(|line| line["listener"] == "public"));
            let is_there = !written.is_empty();
            async move { is_there }
        })
        .await;
        let [line] = written.try_into().unwrap();
        assert_eq!(line["side"], told.side());
        json!([line["side"], line["reason"], line["bucket"]])
    }

    /// The same as it is explained.
    async fn explained(&self, is_write: bool, sent: &[(&'static str, &str)]) -> Value {
        let header = |wanted| {
            let mut all = sent.iter();
            all.find_map(|&(name, value)| (name == wanted).then_some(value))
        };
        let may_ask = header("x-banyan-force-token") == Some(TOKEN);
        let side = header("x-banyan-force-side").filter(|_| may_ask);
        let side = side.filter(|side| *side != "left").unwrap_or_default();
        let shown = sent.iter().filter(|(name, _)| !name.contains("force"));
        let facts = shown.map(|(name, value)| match *name {
            "cookie" => format!("cookie:{value}"),
            name => format!("header:{name}={value}"),
        });
        let explain = ExplainRolloutRequest {
            name: "rollouts/items".to_owned(),
            write: is_write,
            facts: facts.collect(),
            force_side: side.to_owned(),
            ..ExplainRolloutRequest::default()
        };
        let mut operators = self.operators.clone();
        let explained = operators.explain_rollout(explain).await;
        let explained = explained.unwrap().into_inner();
        json!([explained.side, explained.reason, explained.bucket])
    }

    /// A user by header, and where nothing else is said another time by cookie.
    async fn check(&self, user: &str, further: &[(&'static str, &str)], want: (&str, &str)) {
        let want = json!([want.0, want.1, bucket("items", user).index()]);
        let cookie = format!("shop_subject={user}");
        for is_write in [false, true] {
            let named = [("x-user-id", user), ("cookie", cookie.as_str())];
            let ways = if further.is_empty() { 2 } else { 1 };
            for named in named.into_iter().take(ways) {
                let sent = [&[named], further].concat();
                for protocol in [Protocol::Rest, Protocol::Grpc] {
                    let got = self.asked(protocol, is_write, &sent).await;
                    assert_eq!(got, want, "{protocol:?}, write {is_write}: {sent:?}");
                }
                let explained = self.explained(is_write, &sent).await;
                assert_eq!(explained, want, "explained, write {is_write}: {sent:?}");
            }
        }
    }
}

#[tokio::test]
async fn rest_and_grpc_are_decided_alike_by_every_rule_and_as_it_is_explained() {
    let (lines, _guard) = Lines::collect_at(tracing::Level::INFO);
    let users = Users::find();
    let deciding = Deciding::start(&users, lines).await;
    for (at, percent) in PERCENTS.into_iter().enumerate() {
        deciding.set(percent).await;
        for (user, further, want) in users.cases() {
            deciding.check(user, &further, want[at]).await;
        }
    }
}
