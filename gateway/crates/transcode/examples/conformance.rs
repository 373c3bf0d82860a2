//! The testee of the protobuf conformance suite: reads requests of the runner on stdin, answers on stdout.
//!
//! What is tested is the codec of this crate, JSON to wire and wire to JSON; JSON to JSON goes through the wire. Wire to
//! wire is [`prost_reflect`]'s, whose descriptors the codec is compiled from: the gateway passes messages on as they are
//! and has no such conversion of its own. JSPB and the text format are skipped.
//!
//! `conformance FOLDER`: where `conformance/conformance.proto` and `google/protobuf/test_messages_*.proto` lie. It is
//! started by the runner: see `scripts/conformance.sh`.

use std::io::{self, Read, Write};

use anyhow::Context as _;
use banyan_transcode::{Options, Plans, Unknown};
use prost::Message as _;
use prost_reflect::{DescriptorPool, DynamicMessage, MessageDescriptor, Value};

/// Files of the suite that this compiler understands; messages of others are skipped.
const FILES: [&str; 3] = [
    "conformance/conformance.proto",
    "google/protobuf/test_messages_proto3.proto",
    "google/protobuf/test_messages_proto2.proto",
];
/// `conformance.WireFormat`.
const PROTOBUF: i32 = 1;
const JSON: i32 = 2;
/// `conformance.TestCategory`.
const JSON_IGNORE_UNKNOWN: i32 = 3;
/// The longest request that the runner sends is far below.
const REQUEST_BYTES_MAX: usize = 64 << 20;

fn main() -> anyhow::Result<()> {
    let folder = std::env::args().nth(1);
    let folder = folder.context("usage: conformance FOLDER")?;
    let mut compiler = protox::Compiler::new([folder])?;
    compiler.include_imports(true).open_files(FILES)?;
    let pool = DescriptorPool::decode(&*compiler.encode_file_descriptor_set())?;
    let testee = Testee::new(pool)?;
    let (mut input, mut output) = (io::stdin().lock(), io::stdout().lock());
    while let Some(request) = next(&mut input)? {
        let answer = testee.answer(&request)?.encode_to_vec();
        output.write_all(&u32::try_from(answer.len())?.to_le_bytes())?;
        output.write_all(&answer)?;
        output.flush()?;
    }
    Ok(())
}

/// The next request; nothing at the end.
fn next(input: &mut impl Read) -> anyhow::Result<Option<Vec<u8>>> {
    let mut length = [0; 4];
    match input.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let length = u32::from_le_bytes(length) as usize;
    anyhow::ensure!(length <= REQUEST_BYTES_MAX, "a request of {length} bytes");
    let mut request = vec![0; length];
    input.read_exact(&mut request)?;
    Ok(Some(request))
}

struct Testee {
    pool: DescriptorPool,
    plans: Plans,
    request: MessageDescriptor,
    response: MessageDescriptor,
}

/// What became of a request: a field of `ConformanceResponse`.
enum Answer {
    Protobuf(Vec<u8>),
    Json(Vec<u8>),
    ParseError(String),
    SerializeError(String),
    Skipped(&'static str),
}

impl Testee {
    fn new(pool: DescriptorPool) -> anyhow::Result<Self> {
        let message = |name: &str| {
            let found = pool.get_message_by_name(name);
            found.with_context(|| format!("{name} is not there"))
        };
        let (request, response) = (
            message("conformance.ConformanceRequest")?,
            message("conformance.ConformanceResponse")?,
        );
        let plans = Plans::of(pool.all_messages());
        Ok(Self {
            pool,
            plans,
            request,
            response,
        })
    }

    fn answer(&self, request: &[u8]) -> anyhow::Result<DynamicMessage> {
        let request = DynamicMessage::decode(self.request.clone(), request)?;
        let (field, value) = match self.convert(&request) {
            Answer::Protobuf(wire) => ("protobuf_payload", Value::Bytes(wire.into())),
            Answer::Json(json) => ("json_payload", Value::String(String::from_utf8(json)?)),
            Answer::ParseError(why) => ("parse_error", Value::String(why)),
            Answer::SerializeError(why) => ("serialize_error", Value::String(why)),
            Answer::Skipped(why) => ("skipped", Value::String(why.to_owned())),
        };
        let mut response = DynamicMessage::new(self.response.clone());
        response.set_field_by_name(field, value);
        Ok(response)
    }

    fn convert(&self, request: &DynamicMessage) -> Answer {
        let number = |field: &str| {
            let value = request.get_field_by_name(field);
            value.and_then(|it| it.as_enum_number()).unwrap_or(0)
        };
        let given = |field: &str| {
            let value = request.has_field_by_name(field);
            value.then(|| request.get_field_by_name(field)).flatten()
        };
        let name = request.get_field_by_name("message_type");
        let name = name.as_ref().and_then(|it| it.as_str()).unwrap_or("");
        let Some(message) = self.pool.get_message_by_name(name) else {
            return Answer::Skipped("the message is of a file that is not compiled");
        };
        let mut options = Options::default();
        if number("test_category") == JSON_IGNORE_UNKNOWN {
            options.unknown_fields = Unknown::Ignore;
        }
        let format = number("requested_output_format");
        if format != PROTOBUF && format != JSON {
            return Answer::Skipped("only protobuf and JSON");
        }
        if let Some(json) = given("json_payload") {
            let json = json.as_str().unwrap_or_default().as_bytes();
            match self.plans.encode(name, json, &options) {
                None => Answer::Skipped("no plan"),
                Some(Err(why)) => Answer::ParseError(why.to_string()),
                Some(Ok(wire)) if format == PROTOBUF => Answer::Protobuf(wire.into()),
                Some(Ok(wire)) => self.json(name, &wire, &options),
            }
        } else if let Some(wire) = given("protobuf_payload") {
            let wire = wire.as_bytes().cloned().unwrap_or_default();
            let decoded = DynamicMessage::decode(message, wire.clone());
            match decoded {
                Err(why) => Answer::ParseError(why.to_string()),
                Ok(decoded) if format == PROTOBUF => Answer::Protobuf(decoded.encode_to_vec()),
                Ok(_) => self.json(name, &wire, &options),
            }
        } else {
            Answer::Skipped("only protobuf and JSON")
        }
    }

    fn json(&self, name: &str, wire: &[u8], options: &Options) -> Answer {
        match self.plans.decode(name, wire, options) {
            None => Answer::Skipped("no plan"),
            Some(Err(why)) => Answer::SerializeError(why.to_string()),
            Some(Ok(json)) => Answer::Json(json.into()),
        }
    }
}
