//! Subjects in bodies and messages that come compressed.

use banyan_rollout::Subjects;
use bytes::Bytes;
use compression_codecs::{
    EncodeV2 as _, GzipEncoder,
    core::{
        Level,
        util::{PartialBuffer, WriteBuffer},
    },
};
use http::Method;

use super::{
    access_log::Lines,
    calls::on_side,
    sides::{Sides, Told, framed, grpc_item, headers, rest_item},
    world::until,
};

fn gzipped(plain: &[u8]) -> Bytes {
    let mut space = vec![0; plain.len() + 1_000];
    let mut output = WriteBuffer::new_initialized(&mut space);
    let mut encoder = GzipEncoder::new(Level::Default.into());
    encoder
        .encode(&mut PartialBuffer::new(plain), &mut output)
        .unwrap();
    assert!(encoder.finish(&mut output).unwrap());
    Bytes::copy_from_slice(output.written())
}

async fn by_title() -> Sides {
    Sides::with(|config| {
        let sources = ["body:title", "cookie:shop_subject"];
        let sources = sources.map(|source| source.parse().unwrap()).to_vec();
        let items = config.rollouts.get_mut("items").unwrap();
        items.subjects = Subjects::new(sources).unwrap();
    })
    .await
}

async fn post(sides: &Sides, coding: &str, body: Bytes) -> Told {
    let headers = headers(&[
        ("content-encoding", coding),
        ("content-type", "application/json"),
    ]);
    sides.rest(Method::POST, "/api/items", headers, body).await
}

async fn create(sides: &Sides, coding: &str, message: Bytes) -> Told {
    let headers = headers(&[("grpc-encoding", coding)]);
    sides.call("CreateItem", headers, framed(1, &message)).await
}

#[tokio::test]
async fn a_subject_is_on_its_side_however_its_body_or_message_is_packed() {
    let sides = by_title().await;
    for want in ["legacy", "grpc"] {
        let title = on_side(want);
        let (body, message) = (rest_item(&title).to_string(), grpc_item(&title));
        let packed = (gzipped(body.as_bytes()), gzipped(&message));
        let told = [
            post(&sides, "identity", body.clone().into()).await,
            post(&sides, "gzip", packed.0.clone()).await,
            sides
                .call("CreateItem", headers(&[]), framed(0, &message))
                .await,
            create(&sides, "gzip", packed.1.clone()).await,
        ];
        for told in told {
            assert!(told.is_fine(), "{told:?}");
            assert_eq!((told.side(), told.minted()), (want, None));
        }
        let seen = sides.seen();
        let bodies: Vec<_> = seen.iter().map(|seen| seen.body.clone()).collect();
        let plain: Bytes = framed(0, &message);
        match want {
            // What goes on goes on as it came; what is translated is plain.
            "grpc" => {
                assert_eq!(bodies, [&plain, &plain, &plain, &framed(1, &packed.1)]);
                assert_eq!(seen[3].headers["grpc-encoding"], "gzip");
            }
            _ => {
                assert_eq!(bodies[..2], [Bytes::from(body), packed.0]);
                assert_eq!(seen[1].headers["content-encoding"], "gzip");
                for call in &seen[2..] {
                    let json: serde_json::Value = serde_json::from_slice(&call.body).unwrap();
                    assert_eq!(json["title"], title.as_str());
                    assert!(!call.headers.contains_key("content-encoding"));
                }
            }
        }
        assert!(seen.iter().all(|seen| seen.side == want), "{seen:?}");
    }
}

#[tokio::test]
async fn what_cannot_be_seen_falls_to_the_next_source_and_is_counted() {
    let (lines, _guard) = Lines::collect_at(tracing::Level::INFO);
    let sides = by_title().await;
    let title = on_side("legacy");
    let long = "x".repeat(70_000);
    let (body, message) = (rest_item(&title).to_string(), grpc_item(&title));
    let bombs = (
        gzipped(rest_item(&long).to_string().as_bytes()),
        gzipped(&grpc_item(&long)),
    );
    assert!(bombs.0.len() < 1_000 && bombs.1.len() < 1_000);
    let cut = |packed: Bytes| packed.slice(..packed.len() - 1);
    let told = [
        (
            "unpacks_too_long",
            [
                post(&sides, "gzip", bombs.0).await,
                create(&sides, "gzip", bombs.1).await,
            ],
        ),
        (
            "unknown_coding",
            [
                post(&sides, "compress", body.clone().into()).await,
                create(&sides, "snappy", message.clone().into()).await,
            ],
        ),
        (
            "corrupt",
            [
                post(&sides, "gzip", cut(gzipped(body.as_bytes()))).await,
                create(&sides, "gzip", cut(gzipped(&message))).await,
            ],
        ),
        (
            "too_long",
            [
                post(&sides, "identity", rest_item(&long).to_string().into()).await,
                sides
                    .call("CreateItem", headers(&[]), framed(0, &grpc_item(&long)))
                    .await,
            ],
        ),
    ];
    for (why, both) in told {
        for told in both {
            assert!(told.minted().is_some(), "{why}: {told:?}");
        }
        let line = format!(
            "gateway_rollout_subjects_unseen_total{{rollout=\"items\",reason=\"{why}\"}} 2"
        );
        let metrics = sides.world.metrics().await;
        assert!(metrics.contains(&line), "{line}: {metrics}");
        let logged = || {
            lines
                .answered()
                .into_iter()
                .filter(|line| line["subject_unseen"] == why)
        };
        until(why, || async { logged().count() == 2 }).await;
    }
    // Another source has the subject where the body cannot be seen.
    let known = headers(&[
        ("content-encoding", "compress"),
        ("cookie", "shop_subject=me"),
    ]);
    let told = sides
        .rest(Method::POST, "/api/items", known, Bytes::from(body))
        .await;
    assert_eq!(told.minted(), None, "the next source has it");
}
