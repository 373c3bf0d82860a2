//! Decisions explained over REST and by `banyan rollout explain`, with what a request said about its side.

use banyan_mesh::settings::Secret;
use serde_json::{Value, json};

use super::{
    calls::on_side,
    operating::{json_of, parse},
    world::{World, answer, nowhere},
};

fn said(explained: &Value, aspect: &str) -> String {
    let mut steps = explained["steps"].as_array().unwrap().iter();
    let step = steps.find(|step| step["aspect"] == aspect);
    step.map_or_else(String::new, |step| {
        step["finding"].as_str().unwrap().to_owned()
    })
}

#[tokio::test]
async fn the_pin_that_a_write_was_given_explains_where_the_next_read_goes() {
    let away = nowhere().await;
    let world = World::with(move |config| {
        config.set_upstream("south", away).unwrap();
        let items = config.rollouts.get_mut("items").unwrap();
        items.follow.as_mut().unwrap().upstream = "south".to_owned();
        items.rules = vec![
            serde_json::from_value(json!({"name": "early", "user_agent": "early", "side": "grpc"}))
                .unwrap(),
        ];
    })
    .await;
    let user = on_side("legacy");
    let write = world
        .post("/api/items", &json!({"title": "Tea", "price": 1}))
        .header("x-user-id", &user);
    let written = write.send().await.unwrap();
    let pin = written.headers()["x-banyan-pin"].to_str().unwrap();
    let explain = async |pin: &str| {
        let path = format!(
            "/v1/rollouts/items:explain?facts=header:x-user-id={user}&facts=header:user-agent=early&pin={pin}"
        );
        answer(world.ops(&path)).await.1
    };
    let explained = explain(pin).await;
    assert_eq!(
        (&explained["side"], &explained["reason"]),
        (&json!("legacy"), &json!("pin")),
        "{explained}"
    );
    let explained = explain(&pin.replace(".l.", ".g.")).await;
    assert_eq!(
        explained["reason"], "rule",
        "nobody but a gateway makes one"
    );
    assert!(said(&explained, "pin").contains("is not heard"));
    let explained = explain("").await;
    let would = "one to legacy would make it legacy, because pin";
    assert!(said(&explained, "pin").contains(would), "{explained}");
}

#[tokio::test]
async fn what_a_request_said_is_asked_for_on_the_command_line() {
    let world = World::with(|config| {
        config.steering.force_token = Some(Secret::new("let me"));
    })
    .await;
    let user = on_side("legacy");
    for (said, want) in [
        ("", json!(["legacy", "percent"])),
        ("--pin grpc", json!(["grpc", "pin"])),
        ("--force grpc", json!(["grpc", "forced"])),
        ("--wrote-on grpc", json!(["legacy", "percent"])),
    ] {
        let line = format!("explain items --subject {user} {said}");
        let explained = json_of(&world, &line).await;
        let got = json!([explained["side"], explained["reason"]]);
        assert_eq!(got, want, "{line}: {explained}");
    }
    let wrong = ["explain", "items", "--subject", "a", "--force", "left"];
    assert!(parse(&wrong).is_err());
    for field in ["pin", "forceSide", "wroteOn"] {
        let path = format!("/v1/rollouts/items:explain?subject=a&{field}=left");
        let (status, error) = answer(world.ops(&path)).await;
        let text = error.to_string();
        assert!(status == 400 && text.contains(field), "{text}");
    }
}
