//! Scalars from the wire as JSON text.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;

use super::number;
use super::plan::{EnumId, MessagePlan, Scalar};
use super::write::{DecodeError, Writer};
use crate::options::{EnumForm, Int64Form};
use crate::wire::{Cursor, WireError, WireType, unzigzag};

impl Writer<'_> {
    pub(super) fn zero(&mut self, scalar: Scalar) {
        match scalar {
            Scalar::Bool => self.out.extend_from_slice(b"false"),
            Scalar::String | Scalar::Bytes => self.out.extend_from_slice(b"\"\""),
            Scalar::Enum(id) => self.enumeration(id, 0),
            scalar if scalar.is_64() => self.wide(|out| out.push(b'0')),
            _ => self.out.push(b'0'),
        }
    }

    /// A scalar from its content; no content is the default.
    pub(super) fn scalar(
        &mut self,
        plan: &MessagePlan,
        field: usize,
        scalar: Scalar,
        content: &[u8],
    ) -> Result<(), DecodeError> {
        match scalar {
            Scalar::String => {
                if !number::put_plain(&mut self.out, content) {
                    let name = plan.fields.get(field).map_or("", |field| &field.name);
                    let text = text(content, &plan.name, name)?;
                    number::put_string(&mut self.out, text);
                }
                return Ok(());
            }
            Scalar::Bytes => {
                self.out.push(b'"');
                self.out
                    .extend_from_slice(STANDARD.encode(content).as_bytes());
                self.out.push(b'"');
                return Ok(());
            }
            _ if content.is_empty() => {
                self.zero(scalar);
                return Ok(());
            }
            _ => {}
        }
        let bits = bits(scalar, content).map_err(|source| plan.broken(source))?;
        self.number(scalar, bits);
        Ok(())
    }

    /// A scalar that is no text, from its bits.
    pub(super) fn number(&mut self, scalar: Scalar, bits: u64) {
        match scalar {
            Scalar::Double => number::put_f64(&mut self.out, f64::from_bits(bits)),
            Scalar::Float => number::put_f32(&mut self.out, f32::from_bits(bits as u32)),
            Scalar::Bool => self
                .out
                .extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
            Scalar::Enum(id) => self.enumeration(id, bits as i32),
            Scalar::Int32 | Scalar::Sfixed32 => {
                number::put_i64(&mut self.out, i64::from(bits as i32))
            }
            Scalar::Sint32 => number::put_i64(
                &mut self.out,
                i64::from(unzigzag(bits & 0xffff_ffff) as i32),
            ),
            Scalar::Uint32 | Scalar::Fixed32 => {
                number::put_u64(&mut self.out, u64::from(bits as u32))
            }
            Scalar::Int64 | Scalar::Sfixed64 => self.wide(|out| number::put_i64(out, bits as i64)),
            Scalar::Sint64 => self.wide(|out| number::put_i64(out, unzigzag(bits))),
            _ => self.wide(|out| number::put_u64(out, bits)),
        }
    }

    /// A 64-bit integer in the form of the route.
    fn wide(&mut self, put: impl FnOnce(&mut Vec<u8>)) {
        let quoted = self.options.int64 == Int64Form::String;
        if quoted {
            self.out.push(b'"');
        }
        put(&mut self.out);
        if quoted {
            self.out.push(b'"');
        }
    }

    pub(super) fn enumeration(&mut self, id: EnumId, value: i32) {
        let plan = self.plans.enumeration(id);
        let by_name = self.options.enums == EnumForm::Name;
        if let Some(printed) = plan.printed(value).filter(|_| by_name && !plan.is_null) {
            return self.out.extend_from_slice(printed);
        }
        match plan.name(value) {
            _ if plan.is_null => self.out.extend_from_slice(b"null"),
            Some(name) if by_name => number::put_string(&mut self.out, name),
            _ => number::put_i64(&mut self.out, i64::from(value)),
        }
    }
}

/// A key of a map as a JSON string.
pub(super) fn map_key(
    plan: &MessagePlan,
    field: usize,
    key: Scalar,
    content: &[u8],
) -> Result<Vec<u8>, DecodeError> {
    let mut out = Vec::with_capacity(content.len() + 2);
    if key == Scalar::String {
        number::put_string(
            &mut out,
            text(content, &plan.name, &plan.fields[field].name)?,
        );
        return Ok(out);
    }
    let bits = if content.is_empty() {
        0
    } else {
        bits(key, content).map_err(|source| plan.broken(source))?
    };
    out.push(b'"');
    match key {
        Scalar::Bool => out.extend_from_slice(if bits == 0 { b"false" } else { b"true" }),
        Scalar::Int32 | Scalar::Sfixed32 => number::put_i64(&mut out, i64::from(bits as i32)),
        Scalar::Sint32 => number::put_i64(&mut out, i64::from(unzigzag(bits & 0xffff_ffff) as i32)),
        Scalar::Uint32 | Scalar::Fixed32 => number::put_u64(&mut out, u64::from(bits as u32)),
        Scalar::Int64 | Scalar::Sfixed64 => number::put_i64(&mut out, bits as i64),
        Scalar::Sint64 => number::put_i64(&mut out, unzigzag(bits)),
        _ => number::put_u64(&mut out, bits),
    }
    out.push(b'"');
    Ok(out)
}

/// The bits of a scalar that is no text.
fn bits(scalar: Scalar, content: &[u8]) -> Result<u64, WireError> {
    Cursor::new(content).bits(scalar.wire())
}

pub(super) fn is_default(scalar: Scalar, content: &[u8]) -> bool {
    match scalar.wire() {
        WireType::Bytes => content.is_empty(),
        _ => bits(scalar, content) == Ok(0),
    }
}

pub(super) fn text<'a>(
    content: &'a [u8],
    message: &str,
    field: &str,
) -> Result<&'a str, DecodeError> {
    std::str::from_utf8(content).map_err(|_| DecodeError::Utf8 {
        message: message.to_owned(),
        field: field.to_owned(),
    })
}
