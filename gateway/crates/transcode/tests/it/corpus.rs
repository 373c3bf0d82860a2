//! The seeds of the fuzzer, on the compiler that everybody has.

use std::{fs, path::Path};

use proptest::prelude::*;

use crate::parsers::PARSERS;

#[test]
fn every_seed_gives_an_answer() {
    let corpus = Path::new(crate::CRATE).join("fuzz/corpus");
    for (name, parser) in PARSERS {
        let seeds: Vec<_> = fs::read_dir(corpus.join(name)).unwrap().collect();
        assert!(!seeds.is_empty(), "{name} has no seeds");
        for seed in seeds {
            parser(&fs::read(seed.unwrap().path()).unwrap());
        }
    }
    let folders = fs::read_dir(corpus).unwrap().count();
    assert_eq!(folders, PARSERS.len(), "a folder for each parser");
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_give_an_answer(bytes in prop::collection::vec(any::<u8>(), 0..120)) {
        for (_, parser) in PARSERS {
            parser(&bytes);
        }
    }
}
