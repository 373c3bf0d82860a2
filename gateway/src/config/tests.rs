//! What can be said in `gateway.toml` and the environment, and what is refused by name.

use std::collections::HashMap;

use super::*;

fn load(environment: &[(&str, &str)]) -> Result<Config, ConfigError> {
    let environment: HashMap<_, _> = environment.iter().copied().collect();
    Config::load(None, &|name| {
        environment.get(name).map(|value| (*value).to_owned())
    })
}

/// The whole chain, as a person sees it.
fn message(error: ConfigError) -> String {
    format!("{:#}", anyhow::Error::new(error))
}

#[test]
fn the_built_in_configuration_is_valid() {
    let config = load(&[]).unwrap();
    assert_eq!(config.listener.address.to_string(), "127.0.0.1:8000");
    assert_eq!(config.ops.address.to_string(), "127.0.0.1:9000");
}

#[test]
fn the_published_schema_is_up_to_date() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/config/gateway.schema.json");
    let want = format!(
        "{}\n",
        serde_json::to_string_pretty(&Config::json_schema()).unwrap()
    );
    if std::env::var_os("UPDATE_SCHEMA").is_some() {
        fs::write(path, &want).unwrap();
    }
    let published = fs::read_to_string(path).unwrap_or_default();
    assert!(
        published == want,
        "run `UPDATE_SCHEMA=1 cargo test -p banyan-gateway published_schema`"
    );
}

#[test]
fn the_environment_of_existing_deployments_works() {
    let config = load(&[
        ("PORT", "8123"),
        ("MONOLITH_URL", "http://old:8080"),
        ("MOVIES_SERVICE_URL", "http://movies:50051"),
        ("EVENTS_SERVICE_URL", "http://events:50052"),
        ("GRADUAL_MIGRATION", "false"),
        ("MOVIES_MIGRATION_PERCENT", "25"),
        ("ROLLOUTS_FOLDER", "/etc/banyan/rollouts"),
        ("OPS_LISTEN", ""),
        ("OPS_ALLOWED_HOSTS", "ops.example, gateway-ops"),
    ])
    .unwrap();
    assert_eq!(config.listener.address.port(), 8123);
    assert_eq!(config.upstreams["monolith"].url(), "http://old:8080");
    assert_eq!(config.upstreams["movies"].url(), "http://movies:50051");
    assert_eq!(config.upstreams["events"].url(), "http://events:50052");
    assert_eq!(config.ops.allowed_hosts, ["ops.example", "gateway-ops"]);
    let folder = config.rollouts_folder.as_deref();
    assert_eq!(folder, Some(Path::new("/etc/banyan/rollouts")));
    assert!(!config.rollouts["movies"].enabled);
    assert_eq!(
        config.rollouts["movies"].environment_percent,
        Some("25".parse().unwrap())
    );
}

#[test]
fn a_wrong_percentage_is_never_clamped() {
    for value in [
        "abc", "-1", "101", "100.001", "1e1", "NaN", "inf", "5%", "+5", ".",
    ] {
        let error = message(load(&[("MOVIES_MIGRATION_PERCENT", value)]).unwrap_err());
        let want = format!("MOVIES_MIGRATION_PERCENT = {value:?}: a number from 0 to 100");
        assert!(error.starts_with(&want), "{error}");
    }
    for value in ["0", "100", "12.5", "0.25", " 7 "] {
        load(&[("MOVIES_MIGRATION_PERCENT", value)]).unwrap();
    }
}

#[test]
fn wrong_values_name_key_value_and_what_is_allowed() {
    let cases = [
        (("PORT", "http"), "PORT = \"http\": a port number"),
        (
            ("GATEWAY_LISTEN", "8000"),
            "GATEWAY_LISTEN = \"8000\": an address",
        ),
        (
            ("GRADUAL_MIGRATION", "maybe"),
            "GRADUAL_MIGRATION = \"maybe\": `true` and `false`",
        ),
        (
            ("MONOLITH_URL", "old:8080"),
            "upstreams.monolith (MONOLITH_URL) = \"old:8080\": `http://host:port`",
        ),
    ];
    for (variable, want) in cases {
        let error = message(load(&[variable]).unwrap_err());
        assert!(error.starts_with(want), "{error}");
    }
}

#[test]
fn unknown_keys_are_named() {
    let error =
        message(Config::parse("[listener]\nadress = \"127.0.0.1:1\"", "a file").unwrap_err());
    assert!(
        error.contains("a file") && error.contains("`adress`") && error.contains("`address`"),
        "{error}"
    );
}

#[test]
fn secrets_are_masked() {
    let config = load(&[
        ("OPS_TOKEN", "open-sesame"),
        (
            "GATEWAY_DATABASE_URL",
            "postgres://banyan:hunter2@db/gateway",
        ),
        ("MONOLITH_URL", "http://user:hunter3@old:8080"),
    ])
    .unwrap();
    let text = config.effective();
    assert!(
        text.contains("old:8080") && text.contains("db/gateway"),
        "{text}"
    );
    for secret in ["open-sesame", "hunter2", "hunter3"] {
        assert!(!text.contains(secret), "{text}");
    }
}

#[test]
fn an_empty_token_protects_nothing_and_is_refused() {
    let mut config = load(&[]).unwrap();
    config.ops.token = Some(Secret::new(" "));
    let error = config.check().unwrap_err().to_string();
    assert!(error.starts_with("ops.token"), "{error}");
}

#[test]
fn the_metadata_of_guests_never_comes_from_outside() {
    let mut config = load(&[]).unwrap();
    let mine = MetadataName::try_from(config.guest.metadata.to_uppercase()).unwrap();
    config.routes[0].request_headers.push(mine.clone());
    let error = config.check().unwrap_err().to_string();
    assert!(error.contains("guest.metadata"), "{error}");
    let mut config = load(&[]).unwrap();
    config
        .profiles
        .entry("canonical".to_owned())
        .or_default()
        .request_headers
        .push(mine);
    let error = config.check().unwrap_err().to_string();
    assert!(
        error.starts_with("profiles.canonical.request_headers"),
        "{error}"
    );
}

#[test]
fn a_stream_without_limits_is_refused() {
    let mut config = load(&[]).unwrap();
    config
        .profiles
        .entry("canonical".to_owned())
        .or_default()
        .streams
        .heartbeat_ms = 0;
    let error = config.check().unwrap_err().to_string();
    assert!(
        error.starts_with("profiles.canonical.streams.heartbeat_ms"),
        "{error}"
    );
}

#[test]
fn a_pin_ends_no_sooner_than_its_time_and_nobody_follows_shared_data() {
    for (pin_max_s, is_allowed) in [(29, false), (30, true), (604_800, true), (604_801, false)] {
        let mut config = load(&[]).unwrap();
        config.steering.pin_max_s = pin_max_s;
        let error = config.check().map_err(|error| error.to_string()).err();
        let is_named = error.is_some_and(|error| error.starts_with("steering.pin_max_s"));
        assert_eq!(is_named, !is_allowed, "{pin_max_s}");
    }
    let mut config = load(&[]).unwrap();
    let movies = config.rollouts.get_mut("movies").unwrap();
    movies.shares_data = true;
    movies.follow = None;
    config.check().unwrap();
    let mut config = load(&[]).unwrap();
    config.rollouts.get_mut("movies").unwrap().shares_data = true;
    let error = config.check().unwrap_err().to_string();
    assert!(error.contains("rollouts.movies.shares_data"), "{error}");
}

#[test]
fn what_is_said_of_nobody_is_refused_by_its_name() {
    let refused = |route: &str| {
        let text = format!("[[routes]]\n{route}");
        let config = Config::parse(&text, "a test").unwrap();
        message(config.check().unwrap_err())
    };
    for (route, want) in [
        (
            "methods = [\"GET\"]\npath = \"/a\"\nredirect = \"/b\"\nsafe = true",
            "routes GET /a: safe = \"true\": it is allowed only beside `rpc` or `forward`",
        ),
        (
            "path = \"/a\"\nforward = \"b\"\nsafe = true",
            "routes * /a: safe = \"true\": it is allowed only beside `methods`",
        ),
    ] {
        let got = refused(route);
        assert!(got.starts_with(want), "{got}");
    }
    for route in [
        "path = \"/a\"\nforward = \"b\"\nsafe = false",
        "methods = [\"POST\"]\npath = \"/a\"\nrpc = \"a.B/C\"\nsafe = true",
    ] {
        let config = Config::parse(&format!("[[routes]]\n{route}"), "a test").unwrap();
        config.check().unwrap();
    }
    let error = Config::parse("[[routes]]\npath = \"/a\"\nsafe = \"yes\"", "a test").unwrap_err();
    let error = message(error);
    assert!(
        error.contains("safe = \"yes\"") && error.contains("boolean"),
        "{error}"
    );
}
