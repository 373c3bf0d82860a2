//! The protobuf wire format: what both codecs are written with.

use std::ops::Range;

/// How a field is laid out on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum WireType {
    Varint,
    Fixed64,
    Bytes,
    StartGroup,
    EndGroup,
    Fixed32,
}

impl WireType {
    const fn number(self) -> u32 {
        match self {
            WireType::Varint => 0,
            WireType::Fixed64 => 1,
            WireType::Bytes => 2,
            WireType::StartGroup => 3,
            WireType::EndGroup => 4,
            WireType::Fixed32 => 5,
        }
    }
}

/// Bytes that are not a protobuf message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    #[error("the message ends in the middle of a field")]
    Truncated,
    #[error("a varint is longer than ten bytes")]
    Varint,
    #[error("a field has number 0 or an unknown wire type")]
    Tag,
    #[error("a group is not closed or not open")]
    Group,
    #[error("messages are nested too deeply")]
    Depth,
}

/// Nesting beyond this is refused in both directions.
pub(crate) const DEPTH_MAX: usize = 100;

pub(crate) fn put_varint(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

pub(crate) fn put_tag(out: &mut Vec<u8>, number: u32, wire: WireType) {
    put_varint(out, u64::from(number << 3 | wire.number()));
}

pub(crate) fn put_uint(out: &mut Vec<u8>, number: u32, value: u64) {
    put_tag(out, number, WireType::Varint);
    put_varint(out, value);
}

pub(crate) fn put_bytes(out: &mut Vec<u8>, number: u32, value: &[u8]) {
    put_tag(out, number, WireType::Bytes);
    put_varint(out, value.len() as u64);
    out.extend_from_slice(value);
}

/// A length-delimited field whose content `write` appends.
pub(crate) fn put_nested(out: &mut Vec<u8>, number: u32, write: impl FnOnce(&mut Vec<u8>)) {
    put_tag(out, number, WireType::Bytes);
    let start = open_len(out);
    write(out);
    close_len(out, start);
}

/// Leaves room for the length of what follows. Most lengths take one byte; [`close_len`] moves the rest.
pub(crate) fn open_len(out: &mut Vec<u8>) -> usize {
    out.push(0);
    out.len()
}

/// Fills in the length of everything since `start`, which [`open_len`] gave.
pub(crate) fn close_len(out: &mut Vec<u8>, start: usize) {
    let end = out.len();
    let len = end - start;
    if len < 0x80 {
        out[start - 1] = len as u8;
        return;
    }
    let mut prefix = [0u8; 10];
    let mut width = 0;
    let mut rest = len;
    loop {
        let more = rest >= 0x80;
        prefix[width] = (rest & 0x7f) as u8 | if more { 0x80 } else { 0 };
        width += 1;
        rest >>= 7;
        if !more {
            break;
        }
    }
    out.resize(end + width - 1, 0);
    out.copy_within(start..end, start + width - 1);
    out[start - 1..start - 1 + width].copy_from_slice(&prefix[..width]);
}

pub(crate) fn zigzag(value: i64) -> u64 {
    ((value << 1) ^ (value >> 63)) as u64
}

pub(crate) fn unzigzag(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

/// Reads fields one after the other.
#[derive(Debug, Clone)]
pub(crate) struct Cursor<'a> {
    bytes: &'a [u8],
    pub(crate) at: usize,
}

impl<'a> Cursor<'a> {
    pub(crate) fn new(bytes: &'a [u8]) -> Self {
        Cursor { bytes, at: 0 }
    }

    pub(crate) fn is_done(&self) -> bool {
        self.at >= self.bytes.len()
    }

    /// What has not been read. Its beginning is where [`Cursor::at`] is.
    pub(crate) fn rest(&self) -> &'a [u8] {
        self.bytes.get(self.at..).unwrap_or_default()
    }

    /// A value that is no bytes.
    pub(crate) fn bits(&mut self, wire: WireType) -> Result<u64, WireError> {
        match wire {
            WireType::Fixed32 => self.fixed32().map(u64::from),
            WireType::Fixed64 => self.fixed64(),
            _ => self.varint(),
        }
    }

    #[inline]
    pub(crate) fn varint(&mut self) -> Result<u64, WireError> {
        // Tags and lengths, nearly all.
        match self.bytes.get(self.at) {
            Some(&byte) if byte < 0x80 => {
                self.at += 1;
                Ok(u64::from(byte))
            }
            _ => self.long_varint(),
        }
    }

    fn long_varint(&mut self) -> Result<u64, WireError> {
        let mut value = 0u64;
        for shift in (0..70).step_by(7) {
            let byte = *self.bytes.get(self.at).ok_or(WireError::Truncated)?;
            self.at += 1;
            // Of a tenth byte only the lowest bit has a place; the others are dropped, as every decoder does.
            value |= u64::from(byte & 0x7f).checked_shl(shift).unwrap_or(0);
            if byte < 0x80 {
                return Ok(value);
            }
        }
        Err(WireError::Varint)
    }

    pub(crate) fn tag(&mut self) -> Result<(u32, WireType), WireError> {
        let tag = u32::try_from(self.varint()?).map_err(|_| WireError::Tag)?;
        let wire = match tag & 7 {
            0 => WireType::Varint,
            1 => WireType::Fixed64,
            2 => WireType::Bytes,
            3 => WireType::StartGroup,
            4 => WireType::EndGroup,
            5 => WireType::Fixed32,
            _ => return Err(WireError::Tag),
        };
        match tag >> 3 {
            0 => Err(WireError::Tag),
            number => Ok((number, wire)),
        }
    }

    pub(crate) fn fixed32(&mut self) -> Result<u32, WireError> {
        let bytes = self.take(4)?;
        bytes
            .try_into()
            .map(u32::from_le_bytes)
            .map_err(|_| WireError::Truncated)
    }

    pub(crate) fn fixed64(&mut self) -> Result<u64, WireError> {
        let bytes = self.take(8)?;
        bytes
            .try_into()
            .map(u64::from_le_bytes)
            .map_err(|_| WireError::Truncated)
    }

    pub(crate) fn bytes(&mut self) -> Result<&'a [u8], WireError> {
        let len = usize::try_from(self.varint()?).map_err(|_| WireError::Truncated)?;
        self.take(len)
    }

    fn take(&mut self, len: usize) -> Result<&'a [u8], WireError> {
        let end = self.at.checked_add(len).ok_or(WireError::Truncated)?;
        let taken = self.bytes.get(self.at..end).ok_or(WireError::Truncated)?;
        self.at = end;
        Ok(taken)
    }

    /// Steps over the value of a field and returns where its content lies: without the length of bytes and without
    /// the closing tag of a group.
    pub(crate) fn skip(
        &mut self,
        number: u32,
        wire: WireType,
        depth: usize,
    ) -> Result<(usize, usize), WireError> {
        let start = self.at;
        match wire {
            WireType::Varint => {
                self.varint()?;
            }
            WireType::Fixed64 => {
                self.take(8)?;
            }
            WireType::Fixed32 => {
                self.take(4)?;
            }
            WireType::Bytes => {
                let len = self.bytes()?.len();
                return Ok((self.at - len, self.at));
            }
            WireType::StartGroup => return self.skip_group(number, depth).map(|end| (start, end)),
            WireType::EndGroup => return Err(WireError::Group),
        }
        Ok((start, self.at))
    }

    fn skip_group(&mut self, number: u32, depth: usize) -> Result<usize, WireError> {
        if depth >= DEPTH_MAX {
            return Err(WireError::Depth);
        }
        while !self.is_done() {
            let end = self.at;
            match self.tag()? {
                (closed, WireType::EndGroup) if closed == number => return Ok(end),
                (inner, wire) => self.skip(inner, wire, depth + 1)?,
            };
        }
        Err(WireError::Group)
    }
}

/// The last value of the field that a way of numbers leads to, and where it lies in the message. Parts of one message are
/// all looked into, since decoders join them.
pub(crate) fn last_at(message: &[u8], way: &[u32]) -> Result<Option<Range<usize>>, WireError> {
    let Some((&first, rest)) = way.split_first() else {
        return Ok(Some(0..message.len()));
    };
    let mut cursor = Cursor::new(message);
    let mut last = None;
    while !cursor.is_done() {
        let (number, wire) = cursor.tag()?;
        let (start, end) = cursor.skip(number, wire, 0)?;
        if (number, wire) != (first, WireType::Bytes) {
            continue;
        }
        if let Some(inner) = last_at(&message[start..end], rest)? {
            last = Some(start + inner.start..start + inner.end);
        }
    }
    Ok(last)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_value_is_found_in_any_part() {
        let mut message = Vec::new();
        put_nested(&mut message, 2, |part| put_bytes(part, 5, b"old"));
        put_nested(&mut message, 2, |part| put_bytes(part, 5, b"new"));
        put_nested(&mut message, 2, |part| put_uint(part, 4, 1));
        let found = |way: &[u32]| last_at(&message, way).map(|at| at.map(|at| &message[at]));
        assert_eq!(found(&[2, 5]), Ok(Some(&b"new"[..])));
        assert_eq!(found(&[2, 4]), Ok(None));
        assert_eq!(found(&[3, 5]), Ok(None));
        assert_eq!(last_at(b"\xff", &[1]), Err(WireError::Truncated));
    }

    #[test]
    fn lengths_of_any_width_come_out_right() {
        for len in [0, 1, 127, 128, 16_383, 16_384, 300_000] {
            let mut out = vec![9];
            put_nested(&mut out, 1, |out| out.resize(out.len() + len, 7));
            let mut cursor = Cursor::new(&out[1..]);
            assert_eq!(cursor.tag(), Ok((1, WireType::Bytes)));
            assert_eq!(cursor.bytes().map(<[u8]>::len), Ok(len));
            assert!(cursor.is_done() && out[out.len() - len..].iter().all(|&b| b == 7));
        }
    }

    #[test]
    fn broken_bytes_are_named() {
        #[track_caller]
        fn check(bytes: &[u8], want: WireError) {
            let mut cursor = Cursor::new(bytes);
            let got = cursor
                .tag()
                .and_then(|(number, wire)| cursor.skip(number, wire, 0));
            assert_eq!(got, Err(want));
        }
        check(&[0x80], WireError::Truncated);
        check(&[0xff; 11], WireError::Varint);
        check(&[0x00], WireError::Tag);
        check(&[0x0f], WireError::Tag);
        check(&[0x0a, 5, 1], WireError::Truncated);
        check(
            &[
                0x0a, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1,
            ],
            WireError::Truncated,
        );
        check(&[0x0b, 0x08, 1], WireError::Group);
        check(&[0x0c], WireError::Group);
        check(&[0x0b; 200], WireError::Depth);
    }
}
