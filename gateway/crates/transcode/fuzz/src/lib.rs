//! The parsers of `banyan-transcode`, as the fuzzer starts them. What must hold is said in `tests/it/parsers.rs`.

#![allow(
    dead_code,
    reason = "the tests use more of what they share with the fuzzer"
)]

const CRATE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/..");

#[path = "../../tests/it/parsers.rs"]
mod parsers;
#[path = "../../tests/it/support.rs"]
mod support;

/// Runs the parser of that name.
pub fn run(name: &str, data: &[u8]) {
    let found = parsers::PARSERS.iter().find(|(parser, _)| *parser == name);
    found.expect("a parser of that name").1(data);
}
