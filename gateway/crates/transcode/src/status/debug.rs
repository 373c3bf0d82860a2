//! Details without what is for those who run a service only.

use bytes::Bytes;

use super::DEBUG_INFO;
use crate::wire::{Cursor, WireType};

/// A `google.rpc.Status` without every `google.rpc.DebugInfo` in its details; `None` where it has none, or cannot be read.
pub fn without_debug_info(status: &[u8]) -> Option<Bytes> {
    let mut cursor = Cursor::new(status);
    let mut out = Vec::with_capacity(status.len());
    let mut found = false;
    while !cursor.is_done() {
        let start = cursor.at;
        let (number, wire) = cursor.tag().ok()?;
        let (from, to) = cursor.skip(number, wire, 0).ok()?;
        let is_debug = (number, wire) == (3, WireType::Bytes) && is_debug_info(&status[from..to]);
        found |= is_debug;
        if !is_debug {
            out.extend_from_slice(&status[start..cursor.at]);
        }
    }
    found.then(|| out.into())
}

fn is_debug_info(any: &[u8]) -> bool {
    let mut cursor = Cursor::new(any);
    let mut url: &[u8] = &[];
    while !cursor.is_done() {
        let Ok((number, wire)) = cursor.tag() else {
            break;
        };
        let Ok((from, to)) = cursor.skip(number, wire, 0) else {
            break;
        };
        if (number, wire) == (1, WireType::Bytes) {
            url = &any[from..to];
        }
    }
    let name = url.rsplit(|&byte| byte == b'/').next().unwrap_or_default();
    name == DEBUG_INFO.as_bytes()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire;

    #[test]
    fn debug_info_is_taken_out_and_everything_else_stays() {
        let any = |out: &mut Vec<u8>, url: &str| {
            wire::put_nested(out, 3, |any| wire::put_bytes(any, 1, url.as_bytes()));
        };
        let mut want = Vec::new();
        wire::put_uint(&mut want, 1, 5);
        any(&mut want, "type.googleapis.com/google.rpc.ErrorInfo");
        assert_eq!(without_debug_info(&want), None);
        let mut status = want.clone();
        any(&mut status, "type.googleapis.com/google.rpc.DebugInfo");
        assert_eq!(without_debug_info(&status).as_deref(), Some(&want[..]));
        assert_eq!(without_debug_info(b"\x1a\xff"), None);
    }
}
