//! What `make bench-gateway` (`scripts/bench-gateway.mjs`) measures with.
//!
//! - `files FOLDER` writes the contract as a descriptor set, and the body of the large request.
//! - `backend HTTP_PORT GRPC_PORT` answers both protocols with what was made beforehand, as cheaply as it can, until it
//!   is killed: the proxy before it is to be measured, not it.
//! - `codec` converts a list of 100 items and a large order, beside prost with pbjson's generated code, and prints the
//!   times in nanoseconds as JSON.

mod codec;
mod data;
mod grpc;
mod plain;

use std::io::Write as _;

use anyhow::{Context as _, bail};

// As in the gateway itself, so that neither side of the comparison is slowed down.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

fn main() -> anyhow::Result<()> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    match arguments.as_slice() {
        ["files", folder] => files(folder),
        ["backend", http, grpc] => backend(http.parse()?, grpc.parse()?),
        ["codec"] => {
            let times = codec::compare()?;
            writeln!(std::io::stdout(), "{times}").context("cannot print")
        }
        _ => bail!("usage: banyan-edge-bench files FOLDER | backend HTTP_PORT GRPC_PORT | codec"),
    }
}

fn files(folder: &str) -> anyhow::Result<()> {
    let folder = std::path::Path::new(folder);
    std::fs::write(folder.join("bench.binpb"), data::DESCRIPTORS)?;
    std::fs::write(
        folder.join("order.json"),
        serde_json::to_vec(&data::order())?,
    )?;
    Ok(())
}

fn backend(http: u16, grpc: u16) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    runtime.block_on(async {
        tokio::select! {
            ended = plain::serve(http) => ended,
            ended = grpc::serve(grpc) => ended,
        }
    })
}
