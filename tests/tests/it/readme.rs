//! The README's commands work as printed: each `sh` block that talks to the running system is run against one.

use std::{fs, path::Path, process::Command};

use crate::mesh::Mesh;

/// The `sh` blocks of a page that use curl.
fn curl_blocks(page: &str) -> Vec<String> {
    let mut blocks = Vec::new();
    let mut rest = page;
    while let Some((_, after)) = rest.split_once("```sh\n") {
        let Some((block, after)) = after.split_once("```") else {
            break;
        };
        if block.contains("curl ") {
            blocks.push(block.to_owned());
        }
        rest = after;
    }
    blocks
}

#[tokio::test(flavor = "multi_thread")]
async fn curl_examples_work_as_printed() {
    let page =
        fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("../README.md")).unwrap();
    let blocks = curl_blocks(&page);
    assert!(
        blocks.len() >= 6,
        "the README shows six examples, found {}",
        blocks.len()
    );
    let mesh = Mesh::start(&[("MOVIES_MIGRATION_PERCENT", "50")]).await;
    let folder = tempfile::tempdir().unwrap();
    for block in blocks {
        let script = block
            .replace("http://localhost:8000", &mesh.public)
            .replace("http://localhost:9000", &mesh.ops)
            // An HTTP error is a failed example; readers need not see the flag.
            .replace("curl ", "curl --fail-with-body ");
        let output = tokio::task::spawn_blocking({
            let folder = folder.path().to_owned();
            move || {
                Command::new("bash")
                    .args(["-euo", "pipefail", "-c", &script])
                    .current_dir(folder)
                    .output()
                    .unwrap()
            }
        })
        .await
        .unwrap();
        let (out, error) = (
            String::from_utf8_lossy(&output.stdout),
            String::from_utf8_lossy(&output.stderr),
        );
        assert!(
            output.status.success() && !out.trim().is_empty(),
            "{block}\n{out}\n{error}"
        );
    }
    mesh.stop().await;
}
