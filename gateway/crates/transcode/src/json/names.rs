//! The paths of a `google.protobuf.FieldMask` between their two spellings.
//!
//! Only paths that survive the way there and back have a JSON form; the others are refused rather than changed.

/// `user.display_name` -> `user.displayName`; `None` when the way back would not end there.
pub(super) fn to_camel(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len());
    let mut chars = path.chars();
    while let Some(c) = chars.next() {
        match c {
            'A'..='Z' => return None,
            '_' => out.push(
                chars
                    .next()
                    .filter(char::is_ascii_lowercase)?
                    .to_ascii_uppercase(),
            ),
            other => out.push(other),
        }
    }
    Some(out)
}

/// `user.displayName` -> `user.display_name`; `None` when it has an underscore.
pub(super) fn to_snake(path: &str) -> Option<String> {
    let mut out = String::with_capacity(path.len() + 4);
    for c in path.chars() {
        match c {
            '_' => return None,
            'A'..='Z' => out.extend(['_', c.to_ascii_lowercase()]),
            other => out.push(other),
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_survive_or_are_refused() {
        assert_eq!(to_camel("a.foo_bar"), Some("a.fooBar".to_owned()));
        assert_eq!(to_snake("a.fooBar"), Some("a.foo_bar".to_owned()));
        for path in ["fooBar", "foo_", "foo__bar", "foo_3"] {
            assert_eq!(to_camel(path), None, "{path}");
        }
        assert_eq!(to_snake("foo_bar"), None);
    }
}
