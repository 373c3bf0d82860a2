//! The descriptor pool that all tests share, and bytes as text.

use std::sync::OnceLock;

use banyan_transcode::{HttpRule, PathTemplate, Plans};
use prost_reflect::{DescriptorPool, MethodDescriptor};

pub(crate) fn pool() -> &'static DescriptorPool {
    static POOL: OnceLock<DescriptorPool> = OnceLock::new();
    POOL.get_or_init(|| {
        let folders =
            ["tests/protos", "../../../proto"].map(|name| format!("{}/{name}", crate::CRATE));
        let mut compiler = protox::Compiler::new(folders).unwrap();
        compiler.include_imports(true);
        compiler
            .open_files([
                "test.proto",
                "reverse.proto",
                "old.proto",
                "google/rpc/status.proto",
                "google/rpc/error_details.proto",
            ])
            .unwrap();
        // Through bytes, as the gateway gets them; a pool fresh from the compiler does not know `packed = false`.
        DescriptorPool::decode(compiler.encode_file_descriptor_set().as_slice()).unwrap()
    })
}

pub(crate) fn plans() -> &'static Plans {
    static PLANS: OnceLock<Plans> = OnceLock::new();
    PLANS.get_or_init(|| {
        Plans::of(
            pool()
                .all_messages()
                .filter(|message| !message.is_map_entry()),
        )
    })
}

/// Of `test.Desk`.
pub(crate) fn method(name: &str) -> MethodDescriptor {
    let service = pool().get_service_by_name("test.Desk").unwrap();
    service
        .methods()
        .find(|method| method.name() == name)
        .unwrap()
}

/// `POST /v1/x body response_body`, with `-` for an empty body.
pub(crate) fn rule(text: &str) -> HttpRule {
    let parts: Vec<_> = text.split(' ').collect();
    let part = |at: usize| {
        parts
            .get(at)
            .filter(|part| **part != "-")
            .map_or("", |part| *part)
            .to_owned()
    };
    HttpRule {
        method: (part(0) != "*").then(|| part(0).parse().unwrap()),
        template: PathTemplate::parse(&part(1)).unwrap(),
        body: part(2),
        response_body: part(3),
    }
}

pub(crate) fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

pub(crate) fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.bytes().filter(|b| !b.is_ascii_whitespace()).collect();
    digits
        .chunks(2)
        .map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap())
        .collect()
}
