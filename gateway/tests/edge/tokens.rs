//! Tokens of an issuer: what they claim decides a side, routes want them, and their keys change while the gateway runs.

use std::{
    fs,
    path::Path,
    time::{SystemTime, UNIX_EPOCH},
};

use banyan_gateway::config::{Config, TokenAlgorithm, TokensConfig};
use banyan_mesh::process::Process;
use reqwest::RequestBuilder;
use serde_json::{Value, json};
use tempfile::TempDir;
use tonic::{Code, Request, Status};

use super::{
    calls::on_side,
    grpc::talk::{Word, client, unary, word},
    issuer::{AUDIENCE, ISSUER, Issuer, claims, set},
    world::{World, answer, config, until},
};

const SECRET: &str = "a secret of at least thirty-two bytes";

fn soon() -> i64 {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap();
    i64::try_from(since.as_secs()).unwrap() + 600
}

/// A folder as it would be mounted, with the keys of these.
fn mounted(issuers: &[&Issuer]) -> TempDir {
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys.json"), set(issuers)).unwrap();
    folder
}

/// What `[tokens]` says where such a folder is mounted.
fn settings(folder: &Path) -> TokensConfig {
    TokensConfig {
        issuers: vec![ISSUER.to_owned()],
        audiences: vec![AUDIENCE.to_owned()],
        keys_file: Some(folder.join("keys.json")),
        cookie: Some("session".to_owned()),
        ..TokensConfig::default()
    }
}

fn by_claim(config: &mut Config, claim: &str) {
    let sources = [claim, "header:x-user-id", "cookie:shop_subject"];
    let sources = sources.map(|source| source.parse().unwrap()).to_vec();
    let items = config.rollouts.get_mut("items").unwrap();
    items.subjects = banyan_rollout::Subjects::new(sources).unwrap();
}

async fn start(folder: &TempDir) -> World {
    World::with(|config| {
        config.tokens = Some(settings(folder.path()));
        by_claim(config, "token:sub");
    })
    .await
}

fn other(side: &str) -> &'static str {
    match side {
        "grpc" => "legacy",
        _ => "grpc",
    }
}

async fn side(request: RequestBuilder) -> String {
    let response = request.send().await.unwrap();
    let side = response.headers()["x-banyan-side"].to_str().unwrap();
    side.to_owned()
}

/// A call with this token, if any, by a client that a header puts somewhere else.
async fn call(
    world: &World,
    method: &str,
    token: Option<&str>,
    user: &str,
) -> Result<String, Status> {
    let mut request = Request::new(word("Tea", 1));
    let metadata = request.metadata_mut();
    metadata.insert("x-user-id", user.parse().unwrap());
    if let Some(token) = token {
        metadata.insert("authorization", format!("Bearer {token}").parse().unwrap());
    }
    let path = format!("/shop.v1.ShopService/{method}");
    let answer = unary::<_, Word>(&client(world).await, &path, request).await?;
    let side = answer.metadata().get("x-banyan-side");
    Ok(side.map_or_else(String::new, |side| side.to_str().unwrap().to_owned()))
}

#[tokio::test]
async fn a_token_keeps_its_side_over_every_protocol_and_replica() {
    let (ed, ec) = (Issuer::ed("1"), Issuer::ec("2"));
    let folder = mounted(&[&ed, &ec]);
    for world in [start(&folder).await, start(&folder).await] {
        for want in ["legacy", "grpc"] {
            // The header would put it on the other side.
            let user = on_side(other(want));
            for issuer in [&ed, &ec] {
                let token = issuer.token(&claims(&on_side(want), soon()));
                let read = world.get("/api/items").header("x-user-id", &user);
                assert_eq!(side(read.bearer_auth(&token)).await, want);
                let item = json!({"title": "Tea", "price": 1});
                let write = world.post("/api/items", &item).header("x-user-id", &user);
                assert_eq!(side(write.bearer_auth(&token)).await, want);
                let read = world.get("/api/items").header("x-user-id", &user);
                let read = read.header("cookie", format!("session={token}"));
                assert_eq!(side(read).await, want, "by cookie");
                let called = call(&world, "CreateItem", Some(&token), &user).await;
                assert_eq!(called.unwrap_or_else(|status| side_of(&status)), want);
            }
        }
        let metrics = world.metrics().await;
        for counted in [
            r#"gateway_tokens_presented_total{result="verified"} 16"#,
            "gateway_tokens_cache_hits_total 12",
            "gateway_tokens_cache_entries 4",
            "gateway_tokens_keys 2",
        ] {
            assert!(metrics.contains(counted), "{counted} of {metrics}");
        }
    }
}

/// The monolith of these tests creates nothing that a gRPC client could read.
fn side_of(status: &Status) -> String {
    let side = status.metadata().get("x-banyan-side").unwrap();
    side.to_str().unwrap().to_owned()
}

#[tokio::test]
async fn any_claim_that_is_text_is_a_subject() {
    let issuer = Issuer::ed("1");
    let folder = mounted(&[&issuer]);
    let world = World::with(|config| {
        config.tokens = Some(settings(folder.path()));
        by_claim(config, "token:https://shop.example/tenant");
    })
    .await;
    for (tenant, want) in [
        (json!(on_side("legacy")), "legacy"),
        (json!(on_side("grpc")), "grpc"),
        (json!(7), "grpc"),
        (json!(""), "grpc"),
    ] {
        let mut claims = claims("alice", soon());
        claims["https://shop.example/tenant"] = tenant;
        let read = world.get("/api/items").header("x-user-id", on_side("grpc"));
        assert_eq!(
            side(read.bearer_auth(issuer.token(&claims))).await,
            want,
            "{claims}"
        );
    }
}

#[tokio::test]
async fn a_token_that_does_not_count_lacks_the_subject_and_passes_as_it_came() {
    let issuer = Issuer::ed("1");
    let folder = mounted(&[&issuer]);
    let world = start(&folder).await;
    let wanted = on_side("grpc");
    let none = format!("{}..", "eyJhbGciOiJub25lIn0");
    let expired = issuer.token(&claims(&wanted, 1));
    let foreign = Issuer::ed("1").token(&claims(&wanted, soon()));
    let mut else_where = claims(&wanted, soon());
    else_where["aud"] = json!("bank");
    let else_where = issuer.token(&else_where);
    let long = "x".repeat(9_000);
    for (token, reason) in [
        (&none, "algorithm"),
        (&expired, "expired"),
        (&foreign, "signature"),
        (&else_where, "audience"),
        (&long, "too_long"),
        (&"opaque".to_owned(), "malformed"),
    ] {
        let read = world
            .get("/api/items")
            .header("x-user-id", on_side("legacy"));
        let (status, told) = answer(read.bearer_auth(token)).await;
        assert_eq!(status, 200);
        assert_eq!(
            told["headers"]["authorization"],
            format!("Bearer {token}"),
            "{reason}"
        );
        let called = call(&world, "CreateItem", Some(token), &on_side("legacy")).await;
        assert_eq!(
            called.unwrap_or_else(|status| side_of(&status)),
            "legacy",
            "{reason}"
        );
        let metrics = world.metrics().await;
        let counted = format!(r#"gateway_tokens_presented_total{{result="{reason}"}} 2"#);
        assert!(metrics.contains(&counted), "{counted} of {metrics}");
    }
    let nobody = world.get("/api/items").bearer_auth(&expired).send().await;
    let minted = nobody.unwrap().headers()["set-cookie"]
        .to_str()
        .unwrap()
        .to_owned();
    assert!(
        minted.starts_with("shop_subject="),
        "the end of the list: {minted}"
    );
}

#[tokio::test]
async fn it_is_explained_which_source_a_request_lacked() {
    let folder = mounted(&[&Issuer::ed("1")]);
    let world = start(&folder).await;
    let explain = async |facts: &[&str]| {
        let facts: Vec<_> = facts.iter().map(|fact| format!("facts={fact}")).collect();
        answer(world.ops(&format!("/v1/rollouts/items:explain?{}", facts.join("&")))).await
    };
    let subject = async |facts: &[&str]| {
        let steps = explain(facts).await.1["steps"].clone();
        let mut steps = steps.as_array().unwrap().iter();
        let step = steps.find(|step| step["aspect"] == "subject").unwrap();
        step["finding"].as_str().unwrap().to_owned()
    };
    let found = subject(&["token:sub=Alice", "header:X-User-Id=7"]).await;
    assert!(
        found.starts_with("`Alice`") && found.ends_with(", found in token:sub"),
        "{found}"
    );
    let found = subject(&["cookie:shop_subject=c"]).await;
    let want = ", found in cookie:shop_subject, after token:sub, header:x-user-id lacked it (so does a token that does \
                not verify)";
    assert!(found.starts_with("`c`") && found.ends_with(want), "{found}");
    let (status, body) = explain(&["header:user-agent=x"]).await;
    let message = body["error"]["message"].as_str().unwrap();
    assert!(
        status == 400 && message.contains("reads it from token:sub, header:x-user-id"),
        "{message}"
    );
}

#[tokio::test]
async fn a_route_that_wants_a_token_serves_nobody_without() {
    let issuer = Issuer::ed("1");
    let folder = mounted(&[&issuer]);
    let world = World::with(|config| {
        config.tokens = Some(settings(folder.path()));
        for route in &mut config.routes {
            let is_guarded = ["/api/sales", "/api/users", "/titled/{name=items/*}"];
            route.require_token = is_guarded.contains(&route.path.as_str());
        }
    })
    .await;
    let token = issuer.token(&claims("alice", soon()));
    let expired = issuer.token(&claims("alice", 1));
    let sale = json!({"title": "Tea", "price": 1});

    let refused = async |request: RequestBuilder| {
        let response = request.send().await.unwrap();
        assert_eq!(response.status().as_u16(), 401);
        let challenge = response.headers()["www-authenticate"].to_str().unwrap();
        let challenge = challenge.to_owned();
        (challenge, response.json::<Value>().await.unwrap())
    };
    let (challenge, body) = refused(world.post("/api/sales", &sale)).await;
    assert_eq!(challenge, "Bearer");
    let message = "a valid `Authorization: Bearer` token is required";
    assert_eq!(body, json!({"error": message}), "in the route's shape");
    let (challenge, body) = refused(world.get("/api/users").bearer_auth(&expired)).await;
    assert_eq!(challenge, r#"Bearer error="invalid_token""#);
    assert_eq!(body, json!({"error": "the bearer token has expired"}));
    let (_, body) = refused(world.get("/titled/items/1").bearer_auth("opaque")).await;
    let detail = "the bearer token is no signed JSON Web Token";
    assert_eq!(
        body["errors"][0],
        json!({"title": "Unauthorized", "detail": detail})
    );

    let served = answer(world.post("/api/sales", &sale).bearer_auth(&token)).await;
    assert_eq!(served.0, 201);
    let cookie = format!("session={token}");
    let served = answer(world.get("/api/users").header("cookie", &cookie)).await;
    assert_eq!(served.0, 200, "by cookie");
    let forged = world.post("/api/users", &sale).header("cookie", &cookie);
    let forged = answer(forged.header("sec-fetch-site", "cross-site")).await;
    assert_eq!(forged.0, 403, "a page of another site");
    assert_eq!(
        answer(world.get("/api/items")).await.0,
        200,
        "an open route"
    );

    // A call of a method that any route guards.
    let status = call(&world, "CreateItem", None, "7").await.unwrap_err();
    assert_eq!(status.code(), Code::Unauthenticated, "{status}");
    let status = call(&world, "CreateItem", Some(&expired), "7").await;
    assert_eq!(
        status.unwrap_err().message(),
        "the bearer token has expired"
    );
    let called = call(&world, "CreateItem", Some(&token), &on_side("grpc")).await;
    assert_eq!(called.unwrap(), "grpc");

    let document = answer(world.get("/openapi.json")).await.1;
    let sales = &document["paths"]["/api/sales"]["post"];
    assert_eq!(sales["security"], json!([{"token": []}]));
    let scheme = &document["components"]["securitySchemes"]["token"];
    assert_eq!(
        (&scheme["scheme"], &scheme["bearerFormat"]),
        (&json!("bearer"), &json!("JWT"))
    );
}

#[tokio::test]
async fn changed_keys_count_without_a_restart_and_broken_ones_never() {
    let (old, new) = (Issuer::ed("1"), Issuer::ec("2"));
    let folder = mounted(&[&old]);
    let path = |name: &str| folder.path().join(name);
    fs::write(path("secret"), SECRET).unwrap();
    let world = World::with(|config| {
        let mut tokens = settings(folder.path());
        tokens.algorithms.push(TokenAlgorithm::Hs256);
        tokens.secret_file = Some(path("secret"));
        config.tokens = Some(tokens);
        for route in &mut config.routes {
            route.require_token = route.path == "/api/users";
        }
    })
    .await;
    let counts = async |issuer: &Issuer| {
        let token = issuer.token(&claims("alice", soon()));
        answer(world.get("/api/users").bearer_auth(token)).await.0 == 200
    };
    let shared = Issuer::shared(SECRET.as_bytes());
    assert!(counts(&old).await && counts(&shared).await && !counts(&new).await);

    // As a mounted folder changes: under another name, and then at once.
    let swap = |name: &str, text: &str| {
        fs::write(path("next"), text).unwrap();
        fs::rename(path("next"), path(name)).unwrap();
    };
    // As a line of its own: what is said about the metric begins like it.
    let says = async |line: &str| world.metrics().await.lines().any(|it| it == line);
    swap(
        "keys.json",
        r#"{"keys": [{"kty": "oct", "k": "c2VjcmV0"}]}"#,
    );
    until("the broken set is refused", || {
        says("gateway_tokens_keys_refused 1")
    })
    .await;
    assert!(counts(&old).await, "the old key is in force");
    swap("keys.json", &set(&[&old, &new]));
    until("the new key counts", || counts(&new)).await;
    assert!(counts(&old).await && says("gateway_tokens_keys_refused 0").await);
    swap("keys.json", &set(&[&new]));
    until("the old key counts no more", async || !counts(&old).await).await;
    assert!(counts(&new).await && counts(&shared).await);
    swap("secret", &SECRET.to_uppercase());
    until("the old secret counts no more", async || {
        !counts(&shared).await
    })
    .await;
    for counted in [
        r#"gateway_tokens_key_reloads_total{result="applied"} 3"#,
        r#"gateway_tokens_key_reloads_total{result="refused"} 1"#,
    ] {
        assert!(says(counted).await, "{counted}");
    }
}

#[tokio::test]
async fn tokens_that_nobody_can_verify_end_the_start_by_name() {
    let refusal = async |change: &dyn Fn(&mut Config)| {
        let folder = tempfile::tempdir().unwrap();
        let mut config = config(&folder);
        change(&mut config);
        let started = banyan_gateway::start(config, &Process::new()).await;
        format!("{:#}", started.unwrap_err())
    };
    let nobody = refusal(&|config| by_claim(config, "token:sub")).await;
    assert!(
        nobody.contains(r#"rollouts.items.subjects = "token:sub""#),
        "{nobody}"
    );
    let nobody = refusal(&|config| config.routes[0].require_token = true).await;
    assert!(
        nobody.contains("routes GET /health: require_token"),
        "{nobody}"
    );
    let missing = refusal(&|config| config.tokens = Some(settings(Path::new("/nowhere")))).await;
    assert!(
        missing.contains("/nowhere/keys.json cannot be read"),
        "{missing}"
    );
    let folder = tempfile::tempdir().unwrap();
    fs::write(folder.path().join("keys.json"), "{}").unwrap();
    let broken = refusal(&|config| config.tokens = Some(settings(folder.path()))).await;
    assert!(
        broken.contains("keys.json is no set of public keys"),
        "{broken}"
    );
}

#[tokio::test]
async fn a_running_gateway_without_tokens_refuses_routes_that_want_them() {
    let world = World::start().await;
    let text = fs::read_to_string(world.file("gateway.toml")).unwrap();
    let route = "path = \"/api/users\"\nforward = \"old\"";
    let wanting = text.replace(route, &format!("{route}\nrequire_token = true"));
    assert_ne!(wanting, text);
    fs::write(world.file("gateway.toml"), wanting).unwrap();
    let reason = async || world.contracts().await["refused"]["reason"].clone();
    until("the change is refused", async || reason().await.is_string()).await;
    let reason = reason().await.to_string();
    assert!(
        reason.contains("routes GET|POST /api/users: require_token"),
        "{reason}"
    );
    assert_eq!(answer(world.get("/api/users")).await.0, 200);
}
