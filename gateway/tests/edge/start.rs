//! What ends a start, and what it says.

use banyan_gateway::config::{Config, DescriptorSource};
use banyan_mesh::process::Process;

use super::world::{World, config};

async fn refusal(change: impl FnOnce(&mut Config)) -> String {
    let folder = tempfile::tempdir().unwrap();
    let mut config = config(&folder);
    change(&mut config);
    let started = banyan_gateway::start(config, &Process::new()).await;
    format!("{:#}", started.unwrap_err())
}

#[tokio::test]
async fn what_does_not_fit_together_is_named() {
    let error = refusal(|config| config.routes[2].forward = Some("elder".to_owned())).await;
    assert!(
        error.contains("/old/**") && error.contains("\"elder\"") && error.contains("old"),
        "{error}"
    );
    let error =
        refusal(|config| config.routes[4].rpc = Some("shop.v1.ShopService/Sell".to_owned())).await;
    assert!(
        error.contains("rpc = \"shop.v1.ShopService/Sell\""),
        "{error}"
    );
    let error = refusal(|config| config.routes[4].rollout = Some("things".to_owned())).await;
    assert!(
        error.contains("rollout = \"things\"") && error.contains("items"),
        "{error}"
    );
    let error = refusal(|config| config.routes.push(config.routes[0].clone())).await;
    assert!(
        error.contains("`GET /health` matches the same requests"),
        "{error}"
    );
    let error =
        refusal(|config| config.services[0].service = "shop.v1.BankService".to_owned()).await;
    assert!(error.contains("shop.v1.BankService"), "{error}");
    let error = refusal(|config| config.routes[0].profile = Some("fancy".to_owned())).await;
    assert!(
        error.contains("profile = \"fancy\"") && error.contains("canonical, plain, titled"),
        "{error}"
    );
    let error = refusal(|config| {
        config
            .descriptors
            .push(DescriptorSource::File("/nowhere.binpb".into()))
    })
    .await;
    assert!(error.contains("/nowhere.binpb"), "{error}");
}

#[tokio::test]
async fn a_taken_port_is_one_line_that_names_the_setting() {
    let world = World::start().await;
    let error = refusal(|config| config.listener.address = world.gateway.public).await;
    assert!(
        error.contains("the port is taken") && error.contains("PORT") && !error.contains('\n'),
        "{error}"
    );
    let error = refusal(|config| config.ops.address = world.gateway.ops).await;
    assert!(
        error.contains("the port is taken") && error.contains("OPS_LISTEN"),
        "{error}"
    );
}

#[tokio::test]
async fn the_built_in_configuration_fits_together() {
    let folder = tempfile::tempdir().unwrap();
    let mut config = Config::load(None, &|_| None).unwrap();
    config.set_listeners(
        "127.0.0.1:0".parse().unwrap(),
        "127.0.0.1:0".parse().unwrap(),
    );
    let store = format!("sqlite://{}", folder.path().join("gateway.db").display());
    config.store.url = banyan_mesh::settings::DatabaseUrl::new(store);
    banyan_gateway::check(&config).await.unwrap();
    banyan_gateway::start(config, &Process::new())
        .await
        .unwrap();
}

#[tokio::test]
async fn requests_in_work_are_finished_when_the_process_ends() {
    let world = World::start().await;
    let mut held = world.get("/old/stall").send().await.unwrap();
    assert_eq!(held.chunk().await.unwrap().unwrap(), "one");
    let process = world.process().clone();
    let stopped =
        tokio::spawn(async move { process.stop(std::time::Duration::from_secs(5)).await });
    // It ends when the body does, which the idle time-out of the old system sees to.
    assert!(held.chunk().await.is_err());
    drop(held);
    stopped.await.unwrap().unwrap();
    assert!(
        world.get("/health").send().await.is_err(),
        "nobody listens any more"
    );
}
