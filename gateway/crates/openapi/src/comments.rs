//! The words of a contract: the comments that stand before its elements.
//!
//! A descriptor set has them where it was built with source info; without them a document is still right, and silent.
//! What is addressed to tools (`buf:lint:..`) or set apart as internal (`(-- .. --)`, AIP-192) is left out.

use std::collections::HashMap;

use prost_reflect::{DescriptorPool, FileDescriptor};

/// Comments by file, and in it by the place of their element.
#[derive(Debug, Default)]
pub(crate) struct Comments {
    pools: Vec<(DescriptorPool, HashMap<String, Places>)>,
}

type Places = HashMap<Vec<i32>, String>;

impl Comments {
    pub(crate) fn read(pools: &[DescriptorPool]) -> Comments {
        let pools = pools.iter().map(|pool| {
            let files = pool
                .files()
                .map(|file| (file.name().to_owned(), places(&file)));
            (pool.clone(), files.collect())
        });
        Comments {
            pools: pools.collect(),
        }
    }

    /// The comment of an element; empty where it has none.
    pub(crate) fn of(&self, file: &FileDescriptor, path: &[i32]) -> &str {
        let mut pools = self.pools.iter();
        let pool = pools.find(|(pool, _)| pool == file.parent_pool());
        let found = pool.and_then(|(_, files)| files.get(file.name())?.get(path));
        found.map(String::as_str).unwrap_or_default()
    }
}

fn places(file: &FileDescriptor) -> Places {
    let info = file.file_descriptor_proto().source_code_info.as_ref();
    let locations = info
        .map(|info| info.location.as_slice())
        .unwrap_or_default();
    let words = locations.iter().filter_map(|location| {
        let text = location
            .leading_comments
            .as_deref()
            .or(location.trailing_comments.as_deref())?;
        Some((location.path.clone(), clean(text))).filter(|(_, text)| !text.is_empty())
    });
    words.collect()
}

fn clean(text: &str) -> String {
    let mut rest = text;
    let mut kept = String::with_capacity(text.len());
    while let Some((before, inside)) = rest.split_once("(--") {
        kept.push_str(before);
        rest = inside.split_once("--)").map_or("", |(_, after)| after);
    }
    kept.push_str(rest);
    let lines = kept
        .lines()
        .map(|line| line.strip_prefix(' ').unwrap_or(line).trim_end())
        .filter(|line| !line.trim_start().starts_with("buf:lint:"));
    lines.collect::<Vec<_>>().join("\n").trim().to_owned()
}

/// The first sentence, without its full stop.
pub(crate) fn summary(text: &str) -> String {
    let paragraph = text.split("\n\n").next().unwrap_or_default();
    let line = paragraph.split_whitespace().collect::<Vec<_>>().join(" ");
    let ends = line.match_indices(". ").map(|(at, _)| at).find(|at| {
        let next = line[at + 2..].chars().next();
        next.is_some_and(|next| !next.is_lowercase())
    });
    let sentence = ends.map_or(line.as_str(), |at| &line[..at]);
    sentence.trim_end_matches('.').to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_summary_is_the_first_sentence() {
        #[track_caller]
        fn check(text: &str, want: &str) {
            assert_eq!(summary(text), want);
        }
        check("", "");
        check("Gets a hotel.", "Gets a hotel");
        check(
            "Takes cells, e.g. nights,\nuntil then. More.",
            "Takes cells, e.g. nights, until then",
        );
        check("Lists.\n\nEverything else.", "Lists");
        check("At 1.5 times. 2 is more", "At 1.5 times");
    }

    #[test]
    fn what_is_for_tools_is_left_out() {
        assert_eq!(clean(" One.\n buf:lint:ignore X\n Two.\n"), "One.\nTwo.");
        assert_eq!(clean(" One. (-- api-linter: x\n --) Two.\n"), "One.  Two.");
        assert_eq!(clean(" (-- never closed"), "");
        assert_eq!(clean(" A list:\n\n  - one\n"), "A list:\n\n - one");
    }
}
