//! Paths of what is compared: `movies[].stock{}` for all elements of the list and all entries of the map.
//!
//! A path is made of what the contract names and of nothing that an answer brings: the place of an element and the key of
//! an entry, which may be somebody's address, are left out. The one exception is the name of a member that the contract does
//! not know, which is what is to be told; it is printable and cut to 100 bytes. A whole path is cut to 300.

use std::collections::{BTreeMap, BTreeSet};

/// Bytes of a path that is told.
pub(super) const PATH_BYTES_MAX: usize = 300;
/// Bytes of a name in it that no contract bounds.
const NAME_BYTES_MAX: usize = 100;
/// Stands for what was cut off.
const CUT: char = '…';

/// Whether a path is one of these or below one of them.
pub(super) fn is_below(path: &str, paths: &BTreeSet<String>) -> bool {
    paths.iter().any(|it| is_at_or_below(path, it))
}

/// What is declared for a path, or for the nearest one that it is below of; and whether it is that very path.
pub(super) fn nearest(path: &str, declared: &BTreeMap<String, f64>) -> Option<(f64, bool)> {
    let above = declared.iter().filter(|(it, _)| is_at_or_below(path, it));
    let (nearest, value) = above.max_by_key(|(it, _)| it.len())?;
    Some((*value, nearest == path))
}

fn is_at_or_below(path: &str, above: &str) -> bool {
    path.strip_prefix(above)
        .is_some_and(|rest| rest.is_empty() || rest.starts_with(['.', '[', '{']))
}

/// A member of what is at `path`.
pub(super) fn member(path: &str, name: &str) -> String {
    match path {
        "" => name.to_owned(),
        _ => format!("{path}.{name}"),
    }
}

/// The path of a violation (`movies[3].stock["a"].colour`) as the one of all alike: `movies[].stock{}.colour`.
pub(super) fn grouped(path: &str) -> String {
    let (mut out, mut rest) = (String::new(), path);
    while !rest.is_empty() {
        let (shown, after) = match group(rest) {
            Some((group, after)) => (group.to_owned(), after),
            None => {
                let ends = |(at, char): &(usize, char)| {
                    *char == '.' || *char == '[' && group(&rest[*at..]).is_some()
                };
                let end = rest.char_indices().skip(1).find(ends);
                let (name, after) = rest.split_at(end.map_or(rest.len(), |(at, _)| at));
                (bounded(name), after)
            }
        };
        out.push_str(&shown);
        rest = after;
    }
    cut(out)
}

/// What stands for an element (`[3]`) or an entry (`["a"]`, escaped as by `{:?}`) that the text begins with, and the rest.
fn group(text: &str) -> Option<(&'static str, &str)> {
    let inside = text.strip_prefix('[')?;
    if let Some(key) = inside.strip_prefix('"') {
        let mut is_escaped = false;
        let end = key.find(|char| {
            let is_end = char == '"' && !is_escaped;
            is_escaped = char == '\\' && !is_escaped;
            is_end
        })?;
        return Some(("{}", key[end..].strip_prefix("\"]")?));
    }
    let after = inside.trim_start_matches(|char: char| char.is_ascii_digit());
    let is_index = after.len() < inside.len();
    Some(("[]", after.strip_prefix(']').filter(|_| is_index)?))
}

/// A name (with the dot before it) that is printable and of at most [`NAME_BYTES_MAX`].
fn bounded(name: &str) -> String {
    let is_printable =
        |char: &char| matches!(char, '"' | '\'' | '\\') || char.escape_debug().count() == 1;
    let chars = name.chars().take(NAME_BYTES_MAX + 1);
    let shown = chars.map(|char| if is_printable(&char) { char } else { '?' });
    cut_to(shown.collect(), NAME_BYTES_MAX)
}

/// A path of at most [`PATH_BYTES_MAX`].
pub(super) fn cut(path: String) -> String {
    cut_to(path, PATH_BYTES_MAX)
}

fn cut_to(mut text: String, bytes_max: usize) -> String {
    if text.len() > bytes_max {
        text.truncate(text.floor_char_boundary(bytes_max - CUT.len_utf8()));
        text.push(CUT);
    }
    text
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn elements_and_entries_share_a_path() {
        for (path, want) in [
            ("", ""),
            ("movies[3].title", "movies[].title"),
            (r#"stock["a@b.c"].count"#, "stock{}.count"),
            (r#"stock["a\"]b["][2]"#, "stock{}[]"),
            (r#"matrix[1][2]["k"].x"#, "matrix[][]{}.x"),
            ("a[b.c]", "a[b.c]"),
            (r#"open["for ever"#, r#"open["for ever"#),
            ("line\nbreak\0.\u{202e}x", "line?break?.?x"),
        ] {
            assert_eq!(grouped(path), want, "{path}");
        }
    }

    #[test]
    fn long_names_and_paths_are_cut() {
        let name = grouped(&format!("movies[1].{}", "é".repeat(1_000_000)));
        assert_eq!(name.len(), "movies[]".len() + NAME_BYTES_MAX);
        assert!(name.ends_with("é…"), "{name}");
        let path = cut("long_name.".repeat(1_000));
        assert_eq!(path.len(), PATH_BYTES_MAX);
    }

    proptest! {
        #[test]
        fn keys_are_never_shown_and_whatever_is_can_be_stored(key in ".{0,400}", name in ".{0,400}") {
            prop_assert_eq!(grouped(&format!("stock[{key:?}].count")), "stock{}.count");
            let shown = grouped(&format!("stock[{key:?}].{name}"));
            prop_assert!(shown.len() <= PATH_BYTES_MAX && !shown.contains(char::is_control), "{shown:?}");
        }
    }
}
