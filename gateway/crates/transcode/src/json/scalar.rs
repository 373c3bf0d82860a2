//! Scalars from text: what a JSON number, a JSON string, a key of a map or a query parameter means for a field.

use std::borrow::Cow;

use base64::Engine as _;
use base64::alphabet;
use base64::engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig};

use super::lexer::number_len;
use super::number::{self, NotInteger};
use super::plan::{Plans, Scalar};
use crate::options::{EnumForm, Int64Form, Options};
use crate::violation::ViolationKind;
use crate::wire::{self, WireType};

/// A scalar as it stands on the wire.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Raw<'a> {
    Varint(u64),
    Fixed32(u32),
    Fixed64(u64),
    Bytes(Cow<'a, [u8]>),
}

impl Raw<'_> {
    /// Minus zero is not the default: its bits differ.
    pub(crate) fn is_default(&self) -> bool {
        match self {
            Raw::Varint(value) | Raw::Fixed64(value) => *value == 0,
            Raw::Fixed32(value) => *value == 0,
            Raw::Bytes(bytes) => bytes.is_empty(),
        }
    }

    /// Appends the value without a tag, with a length where it needs one.
    pub(crate) fn put(&self, out: &mut Vec<u8>) {
        match self {
            Raw::Varint(value) => wire::put_varint(out, *value),
            Raw::Fixed32(value) => out.extend_from_slice(&value.to_le_bytes()),
            Raw::Fixed64(value) => out.extend_from_slice(&value.to_le_bytes()),
            Raw::Bytes(bytes) => {
                wire::put_varint(out, bytes.len() as u64);
                out.extend_from_slice(bytes);
            }
        }
    }

    /// Appends tag and value.
    pub(crate) fn put_field(&self, out: &mut Vec<u8>, number: u32) {
        let wire = match self {
            Raw::Varint(_) => WireType::Varint,
            Raw::Fixed32(_) => WireType::Fixed32,
            Raw::Fixed64(_) => WireType::Fixed64,
            Raw::Bytes(_) => WireType::Bytes,
        };
        wire::put_tag(out, number, wire);
        self.put(out);
    }
}

/// Why a value does not fit its field: the rest of a sentence that begins with the field's name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fault {
    pub(crate) kind: ViolationKind,
    pub(crate) predicate: &'static str,
}

impl Fault {
    pub(crate) fn new(kind: ViolationKind, predicate: &'static str) -> Self {
        Fault { kind, predicate }
    }

    /// The value has not the type of the field.
    pub(crate) fn of_type(scalar: Scalar) -> Self {
        Fault::new(
            ViolationKind::Type,
            match scalar {
                Scalar::Double | Scalar::Float => "must be a number",
                Scalar::Bool => "must be true or false",
                Scalar::String => "must be a string",
                Scalar::Bytes => "must be a string of base64",
                Scalar::Enum(_) => "must be the name of an enum value",
                _ => "must be an integer",
            },
        )
    }
}

const RANGE: Fault = Fault {
    kind: ViolationKind::Range,
    predicate: "is out of range",
};

/// From a JSON number.
pub(super) fn from_number<'a>(
    scalar: Scalar,
    text: &str,
    options: &Options,
) -> Result<Raw<'a>, Fault> {
    match scalar {
        Scalar::Double | Scalar::Float => float(scalar, text),
        Scalar::Bool | Scalar::String | Scalar::Bytes => Err(Fault::of_type(scalar)),
        Scalar::Enum(_) if options.strict && options.enums == EnumForm::Name => {
            Err(Fault::of_type(scalar))
        }
        _ if scalar.is_64() && options.strict && options.int64 == Int64Form::String => Err(
            Fault::new(ViolationKind::Type, "must be an integer in quotes"),
        ),
        _ => integer(scalar, text),
    }
}

/// From a JSON string.
pub(super) fn from_string<'a>(
    plans: &Plans,
    scalar: Scalar,
    text: Cow<'a, str>,
    options: &Options,
) -> Result<Raw<'a>, Fault> {
    match scalar {
        Scalar::String => Ok(string(text)),
        Scalar::Bytes => base64_bytes(&text),
        Scalar::Bool => Err(Fault::of_type(scalar)),
        Scalar::Enum(_) if options.strict && options.enums == EnumForm::Number => {
            Err(Fault::new(ViolationKind::Type, "must be an integer"))
        }
        Scalar::Enum(id) => match plans.enumeration(id).number(&text) {
            Some(number) => Ok(Raw::Varint(i64::from(number) as u64)),
            None => Err(Fault::new(ViolationKind::Unknown, "has no such enum value")),
        },
        Scalar::Double | Scalar::Float => match non_finite(scalar, &text) {
            Some(raw) => Ok(raw),
            None if options.strict || !is_number(&text) => Err(Fault::of_type(scalar)),
            None => float(scalar, &text),
        },
        _ => {
            let quoted = scalar.is_64() && options.int64 == Int64Form::String;
            if (options.strict && !quoted) || !is_number(&text) {
                return Err(Fault::of_type(scalar));
            }
            integer(scalar, &text)
        }
    }
}

/// From the key of a JSON object that is a map.
pub(crate) fn from_key<'a>(scalar: Scalar, text: Cow<'a, str>) -> Result<Raw<'a>, Fault> {
    match scalar {
        Scalar::String => Ok(string(text)),
        Scalar::Bool => boolean(&text),
        _ if is_number(&text) => integer(scalar, &text),
        _ => Err(Fault::new(
            ViolationKind::Type,
            "must have an integer for a key",
        )),
    }
}

/// From a query parameter or a variable of the path.
pub(crate) fn from_text<'a>(
    plans: &Plans,
    scalar: Scalar,
    text: Cow<'a, str>,
) -> Result<Raw<'a>, Fault> {
    match scalar {
        Scalar::String => Ok(string(text)),
        Scalar::Bytes => base64_bytes(&text),
        Scalar::Bool => boolean(&text),
        Scalar::Enum(id) => match plans.enumeration(id).number(&text) {
            Some(number) => Ok(Raw::Varint(i64::from(number) as u64)),
            None if is_integer(&text) => integer(scalar, &text),
            None => Err(Fault::new(ViolationKind::Unknown, "has no such enum value")),
        },
        Scalar::Double | Scalar::Float => match non_finite(scalar, &text) {
            Some(raw) => Ok(raw),
            None if is_number(&text) => float(scalar, &text),
            None => Err(Fault::of_type(scalar)),
        },
        _ if is_integer(&text) => integer(scalar, &text),
        _ => Err(Fault::of_type(scalar)),
    }
}

fn is_number(text: &str) -> bool {
    !text.is_empty() && number_len(text.as_bytes()) == text.len()
}

fn is_integer(text: &str) -> bool {
    is_number(text) && !text.contains(['.', 'e', 'E'])
}

fn string(text: Cow<'_, str>) -> Raw<'_> {
    Raw::Bytes(match text {
        Cow::Borrowed(text) => Cow::Borrowed(text.as_bytes()),
        Cow::Owned(text) => Cow::Owned(text.into_bytes()),
    })
}

fn boolean<'a>(text: &str) -> Result<Raw<'a>, Fault> {
    match text {
        "true" => Ok(Raw::Varint(1)),
        "false" => Ok(Raw::Varint(0)),
        _ => Err(Fault::of_type(Scalar::Bool)),
    }
}

fn integer<'a>(scalar: Scalar, text: &str) -> Result<Raw<'a>, Fault> {
    let value = number::integer(text).map_err(|not| match not {
        NotInteger::Fraction => Fault::new(ViolationKind::Type, "must be an integer"),
        NotInteger::Range => RANGE,
    })?;
    let i32 = || i32::try_from(value).map_err(|_| RANGE);
    let u32 = || u32::try_from(value).map_err(|_| RANGE);
    let i64 = || i64::try_from(value).map_err(|_| RANGE);
    let u64 = || u64::try_from(value).map_err(|_| RANGE);
    Ok(match scalar {
        // A negative number is sign-extended to ten bytes.
        Scalar::Int32 | Scalar::Enum(_) => Raw::Varint(i64::from(i32()?) as u64),
        Scalar::Sint32 => Raw::Varint(wire::zigzag(i64::from(i32()?))),
        Scalar::Sfixed32 => Raw::Fixed32(i32()? as u32),
        Scalar::Uint32 => Raw::Varint(u64::from(u32()?)),
        Scalar::Fixed32 => Raw::Fixed32(u32()?),
        Scalar::Int64 => Raw::Varint(i64()? as u64),
        Scalar::Sint64 => Raw::Varint(wire::zigzag(i64()?)),
        Scalar::Sfixed64 => Raw::Fixed64(i64()? as u64),
        Scalar::Uint64 => Raw::Varint(u64()?),
        Scalar::Fixed64 => Raw::Fixed64(u64()?),
        Scalar::Double | Scalar::Float | Scalar::Bool | Scalar::String | Scalar::Bytes => {
            return Err(Fault::of_type(scalar));
        }
    })
}

fn float<'a>(scalar: Scalar, text: &str) -> Result<Raw<'a>, Fault> {
    if scalar == Scalar::Float {
        let value: f32 = text.parse().map_err(|_| Fault::of_type(scalar))?;
        return if value.is_finite() {
            Ok(Raw::Fixed32(value.to_bits()))
        } else {
            Err(RANGE)
        };
    }
    let value: f64 = text.parse().map_err(|_| Fault::of_type(scalar))?;
    if value.is_finite() {
        Ok(Raw::Fixed64(value.to_bits()))
    } else {
        Err(RANGE)
    }
}

fn non_finite<'a>(scalar: Scalar, text: &str) -> Option<Raw<'a>> {
    let value = match text {
        "NaN" => f64::NAN,
        "Infinity" => f64::INFINITY,
        "-Infinity" => f64::NEG_INFINITY,
        _ => return None,
    };
    Some(if scalar == Scalar::Float {
        Raw::Fixed32((value as f32).to_bits())
    } else {
        Raw::Fixed64(value.to_bits())
    })
}

/// ProtoJSON reads both alphabets, with padding or without, and does not mind the unused bits at the end.
fn base64_bytes<'a>(text: &str) -> Result<Raw<'a>, Fault> {
    const LENIENT: GeneralPurposeConfig = GeneralPurposeConfig::new()
        .with_decode_padding_mode(DecodePaddingMode::Indifferent)
        .with_decode_allow_trailing_bits(true);
    const STANDARD: GeneralPurpose = GeneralPurpose::new(&alphabet::STANDARD, LENIENT);
    const URL_SAFE: GeneralPurpose = GeneralPurpose::new(&alphabet::URL_SAFE, LENIENT);
    let engine = if text.contains(['-', '_']) {
        &URL_SAFE
    } else {
        &STANDARD
    };
    let bytes = engine
        .decode(text)
        .map_err(|_| Fault::new(ViolationKind::Format, "must be base64"))?;
    Ok(Raw::Bytes(Cow::Owned(bytes)))
}
