//! Whether a path may mean another one to the server behind.
//!
//! A route is found by the path as it came. A server that resolves `..` (plain, escaped, behind an escaped separator or
//! before a path parameter) would serve something that has no route here. Browsers and other clients resolve such
//! segments themselves before they ask, so nobody honest is refused.

/// Whether a segment is `.` or `..`, in any spelling that a server may understand.
pub(super) fn leads_elsewhere(path: &str) -> bool {
    // Nearly all: nothing is escaped, and no segment begins with a dot.
    let plain = |segment: &str| !segment.starts_with('.');
    if !path.contains(['%', '\\']) && path.split('/').all(plain) {
        return false;
    }
    decoded(path.as_bytes())
        .split(|byte| matches!(byte, b'/' | b'\\'))
        .filter_map(|segment| segment.split(|&byte| byte == b';').next())
        .any(|name| matches!(name, b"." | b".."))
}

/// An escape that is none stays as it is.
fn decoded(path: &[u8]) -> Vec<u8> {
    let mut out = Vec::with_capacity(path.len());
    let mut rest = path;
    while let Some((&first, others)) = rest.split_first() {
        let escaped = match rest {
            [b'%', high, low, ..] => hex(*high).zip(hex(*low)),
            _ => None,
        };
        match escaped {
            Some((high, low)) => {
                out.push(high << 4 | low);
                rest = &rest[3..];
            }
            None => {
                out.push(first);
                rest = others;
            }
        }
    }
    out
}

fn hex(digit: u8) -> Option<u8> {
    char::from(digit)
        .to_digit(16)
        .and_then(|digit| u8::try_from(digit).ok())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dots_are_seen_in_every_spelling() {
        for path in [
            "/app/../ops/",
            "/app/..",
            "/app/./x",
            "/app/%2e%2E/ops/",
            "/app/.%2e/ops/",
            "/app/..%2fops/",
            "/app/x%5c..%5Cops",
            "/app/..;a=b/ops/",
        ] {
            assert!(leads_elsewhere(path), "{path}");
        }
        for path in [
            "/",
            "/app/",
            "/a%2Fb//c",
            "/a/...",
            "/a/..b",
            "/.well-known/x",
            "/a%",
            "/a%2",
        ] {
            assert!(!leads_elsewhere(path), "{path}");
        }
    }
}
