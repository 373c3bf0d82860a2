//! Compiles the contracts without a system `protoc`, and writes their descriptor set beside the generated code.

use std::{
    env,
    error::Error,
    fs,
    path::{Path, PathBuf},
};

use prost::Message as _;

fn main() -> Result<(), Box<dyn Error>> {
    let root = PathBuf::from(env::var("CARGO_MANIFEST_DIR")?);
    let out = PathBuf::from(env::var("OUT_DIR")?);
    let mut files = Vec::new();
    for folder in ["banyan", "google"] {
        collect(&root.join(folder), &mut files)?;
        println!("cargo:rerun-if-changed={folder}");
    }
    files.sort();

    // protox keeps source info, which reflection and generated documentation want; extension options survive
    // because the set is written from protox's own encoding rather than through prost's option types.
    let mut compiler = protox::Compiler::new([&root])?;
    compiler
        .include_imports(true)
        .include_source_info(true)
        .open_files(&files)?;
    fs::write(
        out.join("descriptors.bin"),
        compiler.encode_file_descriptor_set(),
    )?;

    let set = compiler.file_descriptor_set();
    debug_assert!(set.encoded_len() > 0);
    tonic_prost_build::configure()
        .bytes(".")
        .compile_well_known_types(false)
        .compile_fds(set)?;
    Ok(())
}

fn collect(folder: &Path, files: &mut Vec<PathBuf>) -> std::io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            collect(&path, files)?;
        } else if path.extension().is_some_and(|ext| ext == "proto") {
            files.push(path);
        }
    }
    Ok(())
}
