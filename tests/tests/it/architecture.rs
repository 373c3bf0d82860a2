//! The arrows of ARCHITECTURE.md, checked: who may import whom, and where the database may be named.

use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

/// The workspace's own crates and which of each other they may depend on.
const ARROWS: &[(&str, &str, &[&str])] = &[
    ("proto", "banyan-proto", &[]),
    ("mesh", "banyan-mesh", &[]),
    ("gateway/crates/transcode", "banyan-transcode", &[]),
    ("gateway/crates/rollout", "banyan-rollout", &[]),
    (
        "gateway/crates/openapi",
        "banyan-openapi",
        &["banyan-transcode"],
    ),
    (
        "gateway",
        "banyan-gateway",
        &[
            "banyan-mesh",
            "banyan-openapi",
            "banyan-proto",
            "banyan-rollout",
            "banyan-transcode",
        ],
    ),
    (
        "reservation-svc",
        "banyan-reservation",
        &["banyan-mesh", "banyan-proto"],
    ),
    (
        "analytics-svc",
        "banyan-analytics",
        &["banyan-mesh", "banyan-proto"],
    ),
    ("webui", "banyan-webui", &["banyan-mesh"]),
    ("tests/history", "banyan-history", &["banyan-proto"]),
    (
        "tests/chaos",
        "banyan-chaos",
        &["banyan-history", "banyan-mesh", "banyan-proto"],
    ),
    ("tests/legacy", "legacy-monolith", &[]),
    (
        "tests/load",
        "banyan-load",
        &["banyan-mesh", "banyan-proto"],
    ),
];

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("..")
        .canonicalize()
        .unwrap()
}

fn sources(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in
        fs::read_dir(folder).unwrap_or_else(|error| panic!("{}: {error}", folder.display()))
    {
        let path = entry.unwrap().path();
        if path.is_dir() {
            found.extend(sources(&path));
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            found.push(path);
        }
    }
    found
}

/// Lines of code that name one of `words`, comments aside.
fn lines_naming(folder: &Path, words: &[&str], allowed: impl Fn(&str) -> bool) -> Vec<String> {
    let mut found = Vec::new();
    for path in sources(folder) {
        let inside = path
            .strip_prefix(folder)
            .unwrap()
            .to_string_lossy()
            .into_owned();
        if allowed(&inside) {
            continue;
        }
        let text = fs::read_to_string(&path).unwrap();
        let code = text
            .lines()
            .enumerate()
            .filter(|(_, line)| !line.trim_start().starts_with("//"));
        for (number, line) in code {
            if words.iter().any(|word| line.contains(word)) {
                found.push(format!(
                    "{}:{}: {}",
                    path.display(),
                    number + 1,
                    line.trim()
                ));
            }
        }
    }
    found
}

#[test]
fn crates_depend_only_on_whom_they_may() {
    let ours: BTreeSet<&str> = ARROWS.iter().map(|(_, name, _)| *name).collect();
    for (folder, name, allowed) in ARROWS {
        let manifest: toml::Table = fs::read_to_string(root().join(folder).join("Cargo.toml"))
            .unwrap()
            .parse()
            .unwrap();
        assert_eq!(
            manifest["package"]["name"].as_str(),
            Some(*name),
            "{folder}"
        );
        let dependencies = manifest.get("dependencies").and_then(toml::Value::as_table);
        for dependency in dependencies.into_iter().flat_map(toml::Table::keys) {
            let allowed =
                !ours.contains(dependency.as_str()) || allowed.contains(&dependency.as_str());
            assert!(allowed, "{name} must not depend on {dependency}");
        }
    }
}

#[test]
fn services_never_test_against_each_other_either() {
    for (folder, others) in [
        ("reservation-svc", "banyan_analytics"),
        ("analytics-svc", "banyan_reservation"),
    ] {
        let found = lines_naming(&root().join(folder), &[others, "banyan_gateway"], |_| false);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn the_database_is_named_only_under_store_and_migration() {
    for service in ["reservation-svc", "analytics-svc", "gateway"] {
        let found = lines_naming(&root().join(service).join("src"), &["sea_orm"], |file| {
            ["store", "migration"]
                .iter()
                .any(|room| file.starts_with(room))
        });
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn domain_knows_neither_store_nor_grpc() {
    for service in ["reservation-svc", "analytics-svc"] {
        let words = ["crate::store", "crate::grpc", "tonic::", "banyan_proto"];
        let found = lines_naming(&root().join(service).join("src"), &words, |file| {
            !file.starts_with("domain")
        });
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn pure_crates_do_no_io_and_read_no_clock() {
    for folder in [
        "gateway/crates/openapi/src",
        "gateway/crates/transcode/src",
        "gateway/crates/rollout/src",
    ] {
        let words = [
            "std::fs",
            "std::net",
            "std::env",
            "SystemTime",
            "Instant::now",
            "Timestamp::now",
            "tokio::",
            "getrandom",
        ];
        let found = lines_naming(&root().join(folder), &words, |_| false);
        assert!(found.is_empty(), "{found:#?}");
    }
}

#[test]
fn the_gateway_names_no_service_in_its_code() {
    let words = [
        "compat::",
        "reservation::v1",
        "analytics::v1",
        "\"banyan.reservation",
        "\"banyan.analytics",
        "\"banyan.compat",
    ];
    let found = lines_naming(&root().join("gateway/src"), &words, |file| {
        file.ends_with("tests.rs")
    });
    assert!(found.is_empty(), "{found:#?}");
}

#[test]
fn the_monolith_knows_nothing_of_banyan() {
    let found = lines_naming(&root().join("tests/legacy/src"), &["banyan"], |_| false);
    assert!(found.is_empty(), "{found:#?}");
}
