//! Compiles the benchmark's contract: a descriptor set for the gateway, prost and pbjson code for the comparison.

use std::{env, error::Error, fs, path::PathBuf};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    println!("cargo:rerun-if-changed=proto");
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut compiler = protox::Compiler::new([root.join("proto"), root.join("../../proto")])?;
    compiler
        .include_imports(true)
        .open_file("bench/v1/catalogue.proto")?;
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;
    let mut set = compiler.file_descriptor_set();
    // Annotations are nothing that the generated messages need.
    set.file.retain(|file| file.package() == "bench.v1");
    pbjson_build::Builder::new()
        .register_descriptors(&set.encode_to_vec())?
        .build(&[".bench.v1"])?;
    prost_build::Config::new().compile_fds(set)?;
    Ok(())
}
