//! Percent-decoding by the rules of `google.api.http`.
//!
//! A variable of one segment is decoded fully, so that `a%2Fb` arrives as the id `a/b`. In a variable over several
//! segments `%2F` and `%2f`, and nothing else, stay as they are: there a decoded slash would be taken for a separator.
//! What is not UTF-8 when it is decoded, and `%` without two digits, is refused.

use std::borrow::Cow;

/// What is not decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    Nothing,
    Slash,
}

/// Why a text cannot be decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Undecodable {
    /// `%` without two hexadecimal digits, at this byte.
    Escape(usize),
    /// The decoded bytes are not UTF-8.
    Utf8,
}

/// Decodes a part of a path. `+` is an ordinary character in a path.
pub(crate) fn decode_path(raw: &str, keep: Keep) -> Result<Cow<'_, str>, Undecodable> {
    if !raw.contains('%') {
        return Ok(Cow::Borrowed(raw));
    }
    decode(raw.as_bytes(), keep, false)
}

/// Decodes a key or a value of a query string, where `+` is a space.
pub(crate) fn decode_query(raw: &str) -> Result<Cow<'_, str>, Undecodable> {
    if !raw.contains(['%', '+']) {
        return Ok(Cow::Borrowed(raw));
    }
    decode(raw.as_bytes(), Keep::Nothing, true)
}

fn decode(raw: &[u8], keep: Keep, plus_is_space: bool) -> Result<Cow<'static, str>, Undecodable> {
    let mut out = Vec::with_capacity(raw.len());
    let mut at = 0;
    while let Some(&byte) = raw.get(at) {
        match byte {
            b'%' => {
                let decoded = escape_at(raw, at).ok_or(Undecodable::Escape(at))?;
                if keep == Keep::Slash && decoded == b'/' {
                    out.extend_from_slice(&raw[at..at + 3]);
                } else {
                    out.push(decoded);
                }
                at += 3;
            }
            b'+' if plus_is_space => {
                out.push(b' ');
                at += 1;
            }
            other => {
                out.push(other);
                at += 1;
            }
        }
    }
    String::from_utf8(out)
        .map(Cow::Owned)
        .map_err(|_| Undecodable::Utf8)
}

/// The byte that the escape at `at` stands for.
pub(crate) fn escape_at(raw: &[u8], at: usize) -> Option<u8> {
    let high = hex(*raw.get(at + 1)?)?;
    let low = hex(*raw.get(at + 2)?)?;
    Some(high << 4 | low)
}

/// The value of one hexadecimal digit.
pub(crate) fn hex(digit: u8) -> Option<u8> {
    match digit {
        b'0'..=b'9' => Some(digit - b'0'),
        b'a'..=b'f' => Some(digit - b'a' + 10),
        b'A'..=b'F' => Some(digit - b'A' + 10),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(raw: &str, single: Result<&str, Undecodable>, multi: Result<&str, Undecodable>) {
        assert_eq!(
            decode_path(raw, Keep::Nothing).as_deref(),
            single.as_deref()
        );
        assert_eq!(decode_path(raw, Keep::Slash).as_deref(), multi.as_deref());
    }

    #[test]
    fn paths_decode_by_the_number_of_segments() {
        check("plain", Ok("plain"), Ok("plain"));
        check("a%2Fb", Ok("a/b"), Ok("a%2Fb"));
        check("a%2fb%20c", Ok("a/b c"), Ok("a%2fb c"));
        check("a+b", Ok("a+b"), Ok("a+b"));
        check("%D1%8F", Ok("я"), Ok("я"));
        check("%3A%3f%23%5B%40%26", Ok(":?#[@&"), Ok(":?#[@&"));
        check("%00", Ok("\0"), Ok("\0"));
        check(
            "%2",
            Err(Undecodable::Escape(0)),
            Err(Undecodable::Escape(0)),
        );
        check(
            "a%",
            Err(Undecodable::Escape(1)),
            Err(Undecodable::Escape(1)),
        );
        check("%C3%28", Err(Undecodable::Utf8), Err(Undecodable::Utf8));
        check("%252F", Ok("%2F"), Ok("%2F"));
        check(
            "x%4",
            Err(Undecodable::Escape(1)),
            Err(Undecodable::Escape(1)),
        );
        check(
            "%zz",
            Err(Undecodable::Escape(0)),
            Err(Undecodable::Escape(0)),
        );
        check("%FF", Err(Undecodable::Utf8), Err(Undecodable::Utf8));
    }

    #[test]
    fn a_plus_is_a_space_in_a_query_only() {
        assert_eq!(decode_query("a+b%2Bc").as_deref(), Ok("a b+c"));
    }
}
