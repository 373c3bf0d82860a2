//! One target for all parsers: `PARSER` names the one that is run.

#![no_main]

use std::sync::LazyLock;

use libfuzzer_sys::fuzz_target;

static PARSER: LazyLock<String> =
    LazyLock::new(|| std::env::var("PARSER").expect("PARSER names a parser"));

fuzz_target!(|data: &[u8]| banyan_transcode_fuzz::run(&PARSER, data));
