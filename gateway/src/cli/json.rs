//! Answers for programs: the JSON of the admin API's REST form, with 64-bit counts as numbers and every field present,
//! so that scripts need not guess.

use banyan_proto::DESCRIPTORS;
use banyan_transcode::{Int64Form, Options, Plans};
use prost::Message;
use prost_reflect::DescriptorPool;

use super::CliError;

/// `message`, which is of the type `name`, on one line.
pub(super) fn print(name: &str, message: &impl Message) -> Result<String, CliError> {
    let pool = DescriptorPool::decode(DESCRIPTORS).map_err(|_| CliError::Json)?;
    let plans = Plans::of(pool.get_message_by_name(name));
    let options = Options {
        int64: Int64Form::Number,
        defaults: true,
        ..Options::default()
    };
    let json = plans
        .decode(name, &message.encode_to_vec(), &options)
        .and_then(Result::ok)
        .and_then(|json| String::from_utf8(json.into()).ok())
        .ok_or(CliError::Json)?;
    Ok(json + "\n")
}
