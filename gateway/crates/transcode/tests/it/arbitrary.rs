//! Messages of any type from a string of bytes, so that whatever proptest shrinks stays a valid message.

use prost_reflect::{
    Cardinality, DynamicMessage, FieldDescriptor, Kind, MapKey, MessageDescriptor, Value,
};

use crate::support::pool;

/// Choices taken from bytes; zeros when they run out.
pub(crate) struct Entropy<'a>(std::slice::Iter<'a, u8>);

impl<'a> Entropy<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Entropy(bytes.iter())
    }

    fn byte(&mut self) -> u8 {
        self.0.next().copied().unwrap_or_default()
    }

    fn below(&mut self, limit: u8) -> u8 {
        self.byte() % limit
    }

    /// Often small, sometimes of every width.
    fn bits(&mut self) -> u64 {
        match self.below(4) {
            0 => 0,
            1 => u64::from(self.byte()),
            2 => (u64::from(self.byte()) << 56).wrapping_sub(u64::from(self.byte())),
            _ => (0..8).fold(0, |bits, _| bits << 8 | u64::from(self.byte())),
        }
    }

    fn text(&mut self) -> String {
        const ALPHABET: [char; 12] = [
            'a', 'Z', '0', '_', '"', '\\', '/', '\n', '\u{1}', 'é', '\u{2028}', '😀',
        ];
        (0..self.below(6))
            .map(|_| ALPHABET[usize::from(self.below(12))])
            .collect()
    }
}

/// A message that has a JSON form.
pub(crate) fn message(
    entropy: &mut Entropy<'_>,
    descriptor: &MessageDescriptor,
    depth: u8,
) -> DynamicMessage {
    let mut message = DynamicMessage::new(descriptor.clone());
    match descriptor.full_name() {
        "google.protobuf.Timestamp" => {
            let seconds = (entropy.bits() % 315_537_897_600) as i64 - 62_135_596_800;
            set(&mut message, "seconds", Value::I64(seconds));
            set(
                &mut message,
                "nanos",
                Value::I32((entropy.bits() % 1_000_000_000) as i32),
            );
        }
        "google.protobuf.Duration" => {
            let sign = if entropy.below(2) == 0 { 1 } else { -1 };
            set(
                &mut message,
                "seconds",
                Value::I64(sign * (entropy.bits() % 315_576_000_000) as i64),
            );
            set(
                &mut message,
                "nanos",
                Value::I32(sign as i32 * (entropy.bits() % 1_000_000_000) as i32),
            );
        }
        "google.protobuf.FieldMask" => {
            let paths = (0..entropy.below(3)).map(|_| Value::String("foo_bar.b".to_owned()));
            set(&mut message, "paths", Value::List(paths.collect()));
        }
        "google.protobuf.Any" => {
            let guest = pool().get_message_by_name("test.Guest").unwrap();
            let inner = self::message(entropy, &guest, depth);
            let bytes = prost::Message::encode_to_vec(&inner);
            set(
                &mut message,
                "type_url",
                Value::String("type.googleapis.com/test.Guest".to_owned()),
            );
            set(&mut message, "value", Value::Bytes(bytes.into()));
        }
        "google.protobuf.Value" => {
            let kind = if depth == 0 {
                entropy.below(4)
            } else {
                entropy.below(6)
            };
            let field = descriptor.fields().nth(usize::from(kind)).unwrap();
            let value = match value(entropy, &field, depth) {
                Value::F64(number) if !number.is_finite() => Value::F64(0.5),
                other => other,
            };
            message.set_field(&field, value);
        }
        _ => {
            for field in descriptor.fields() {
                if entropy.below(3) > 0 {
                    fill(entropy, &mut message, &field, depth);
                }
            }
        }
    }
    message
}

fn set(message: &mut DynamicMessage, field: &str, value: Value) {
    message.set_field_by_name(field, value);
}

fn fill(
    entropy: &mut Entropy<'_>,
    message: &mut DynamicMessage,
    field: &FieldDescriptor,
    depth: u8,
) {
    let nested = field.kind().as_message().is_some();
    if nested && depth == 0 {
        return;
    }
    let depth = depth.saturating_sub(1);
    let many = entropy.below(4);
    let filled = if field.is_map() {
        let entry = field.kind().as_message().unwrap().clone();
        let (key, inner) = (entry.map_entry_key_field(), entry.map_entry_value_field());
        let pairs = (0..many).map(|_| {
            (
                map_key(value(entropy, &key, depth)),
                value(entropy, &inner, depth),
            )
        });
        Value::Map(pairs.collect())
    } else if field.cardinality() == Cardinality::Repeated {
        Value::List((0..many).map(|_| value(entropy, field, depth)).collect())
    } else {
        value(entropy, field, depth)
    };
    message.set_field(field, filled);
}

fn map_key(value: Value) -> MapKey {
    match value {
        Value::Bool(key) => MapKey::Bool(key),
        Value::I64(key) => MapKey::I64(key),
        Value::String(key) => MapKey::String(key),
        other => panic!("{other:?} as a key"),
    }
}

fn value(entropy: &mut Entropy<'_>, field: &FieldDescriptor, depth: u8) -> Value {
    let bits = entropy.bits();
    match field.kind() {
        Kind::Double if f64::from_bits(bits).is_nan() => Value::F64(f64::NAN),
        Kind::Double => Value::F64(f64::from_bits(bits)),
        Kind::Float if f32::from_bits(bits as u32).is_nan() => Value::F32(f32::NAN),
        Kind::Float => Value::F32(f32::from_bits(bits as u32)),
        Kind::Int32 | Kind::Sint32 | Kind::Sfixed32 => Value::I32(bits as i32),
        Kind::Int64 | Kind::Sint64 | Kind::Sfixed64 => Value::I64(bits as i64),
        Kind::Uint32 | Kind::Fixed32 => Value::U32(bits as u32),
        Kind::Uint64 | Kind::Fixed64 => Value::U64(bits),
        Kind::Bool => Value::Bool(bits % 2 == 1),
        Kind::String => Value::String(entropy.text()),
        Kind::Bytes => Value::Bytes(
            bits.to_le_bytes()[..usize::from(entropy.below(9))]
                .to_vec()
                .into(),
        ),
        Kind::Enum(descriptor) if descriptor.full_name() == "google.protobuf.NullValue" => {
            Value::EnumNumber(0)
        }
        Kind::Enum(_) => Value::EnumNumber([0, 1, -2, 77, i32::MIN][usize::from(entropy.below(5))]),
        Kind::Message(descriptor) => Value::Message(message(entropy, &descriptor, depth)),
    }
}
