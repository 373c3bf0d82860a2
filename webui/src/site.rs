//! What a path is. Both apps find their pages by address in the browser, so any path below `/app/` or `/ops/` is the
//! app's one page, unless it can only be a file: then a missing one is missing, and not a page that a script chokes on.
//!
//! Paths are compared as they came, percent-encoding included: no file of ours needs any.

use crate::files::{File, Files};

/// Endings that only files have.
const FILE_ENDINGS: &[&str] = &[
    "css",
    "gif",
    "ico",
    "jpg",
    "js",
    "json",
    "map",
    "png",
    "svg",
    "txt",
    "webmanifest",
    "webp",
    "woff2",
    "xml",
];

/// What is found at a path.
#[derive(Debug)]
pub(crate) enum Found {
    /// A page: it may be another one tomorrow.
    Page(File),
    /// A file whose name changes with its content: it is the same for ever.
    Asset(Asset),
    /// Another path is meant.
    Redirect(&'static str),
    /// Nothing is there.
    Missing,
    /// The pages have not been built.
    NotBuilt,
}

/// A file that has a content type, and its compressed twin where the build made one.
#[derive(Debug)]
pub(crate) struct Asset {
    pub(crate) plain: File,
    pub(crate) brotli: Option<File>,
    pub(crate) content_type: &'static str,
}

pub(crate) fn find(files: &impl Files, path: &str) -> Found {
    let (app, rest) = match path {
        "/" | "/app" => return Found::Redirect("/app/"),
        "/ops" => return Found::Redirect("/ops/"),
        _ => match split(path) {
            Some(found) => found,
            None => return Found::Missing,
        },
    };
    if let Some(name) = rest.strip_prefix("assets/") {
        return asset(files, app, name);
    }
    if is_file(rest) {
        return Found::Missing;
    }
    files
        .get(&format!("{app}/index.html"))
        .map_or(Found::NotBuilt, Found::Page)
}

fn split(path: &str) -> Option<(&'static str, &str)> {
    let below = |app: &'static str, prefix| path.strip_prefix(prefix).map(|rest| (app, rest));
    below("app", "/app/").or_else(|| below("ops", "/ops/"))
}

fn asset(files: &impl Files, app: &str, name: &str) -> Found {
    // Assets lie in one folder, under plain names.
    let Some(content_type) = content_type(name).filter(|_| !name.contains(['/', '\\', '%'])) else {
        return Found::Missing;
    };
    let Some(plain) = files.get(&format!("{app}/assets/{name}")) else {
        return Found::Missing;
    };
    Found::Asset(Asset {
        plain,
        brotli: files.get(&format!("{app}/assets/{name}.br")),
        content_type,
    })
}

fn is_file(rest: &str) -> bool {
    let last = rest.rsplit('/').next().unwrap_or(rest);
    last.rsplit_once('.')
        .is_some_and(|(_, ending)| FILE_ENDINGS.contains(&ending))
}

/// The types of the files that the build makes; what has none is not served.
fn content_type(name: &str) -> Option<&'static str> {
    let (stem, ending) = name.rsplit_once('.')?;
    if stem.is_empty() {
        return None;
    }
    Some(match ending {
        "css" => "text/css; charset=utf-8",
        "js" => "text/javascript; charset=utf-8",
        "svg" => "image/svg+xml",
        "png" => "image/png",
        "webp" => "image/webp",
        "woff2" => "font/woff2",
        _ => return None,
    })
}

#[cfg(test)]
pub(crate) mod tests {
    use std::collections::BTreeMap;

    use bytes::Bytes;

    use super::*;

    /// Files in memory; each is its own path.
    pub(crate) struct Memory(BTreeMap<&'static str, File>);

    impl Memory {
        pub(crate) fn with(paths: &[&'static str]) -> Self {
            let file = |path: &'static str| File {
                bytes: Bytes::from_static(path.as_bytes()),
                etag: format!("\"{}\"", path.len()),
            };
            Self(paths.iter().map(|&path| (path, file(path))).collect())
        }
    }

    impl Files for Memory {
        fn get(&self, path: &str) -> Option<File> {
            self.0.get(path).cloned()
        }
    }

    fn built() -> Memory {
        Memory::with(&[
            "app/index.html",
            "ops/index.html",
            "app/assets/index-abc123.js",
            "app/assets/index-abc123.js.br",
            "app/assets/.hidden.js",
            "app/assets/notes.md",
        ])
    }

    #[track_caller]
    fn check(path: &str, want: &str) {
        let have = match find(&built(), path) {
            Found::Page(file) => format!("page {}", String::from_utf8_lossy(&file.bytes)),
            Found::Asset(asset) => format!(
                "{} {}",
                asset.content_type,
                String::from_utf8_lossy(&asset.plain.bytes)
            ),
            Found::Redirect(to) => format!("to {to}"),
            Found::Missing => "missing".to_owned(),
            Found::NotBuilt => "not built".to_owned(),
        };
        assert_eq!(have, want, "{path}");
    }

    #[test]
    fn every_address_below_an_app_is_its_page() {
        check("/app/", "page app/index.html");
        check("/app/hotels/1", "page app/index.html");
        check("/app/hotels/st.regis", "page app/index.html");
        check("/ops/", "page ops/index.html");
        check("/ops/rollouts", "page ops/index.html");
    }

    #[test]
    fn apps_without_a_slash_are_redirected() {
        check("/", "to /app/");
        check("/app", "to /app/");
        check("/ops", "to /ops/");
    }

    #[test]
    fn assets_have_their_type_and_are_never_replaced_by_a_page() {
        check(
            "/app/assets/index-abc123.js",
            "text/javascript; charset=utf-8 app/assets/index-abc123.js",
        );
        check("/app/assets/index-old.js", "missing");
        check("/ops/assets/index-abc123.js", "missing");
        check("/app/assets/", "missing");
        check("/app/assets/notes.md", "missing");
        check("/app/assets/index-abc123.js.br", "missing");
        check("/app/favicon.ico", "missing");
    }

    #[test]
    fn nothing_leads_out_of_the_folder() {
        check("/app/assets/../index.html", "missing");
        check("/app/assets/..%2findex.js", "missing");
        check("/app/assets/..\\x.js", "missing");
        check("/etc/passwd", "missing");
        check("/apple", "missing");
    }

    #[test]
    fn pages_that_were_not_built_are_told_from_missing_ones() {
        assert!(matches!(
            find(&Memory::with(&[]), "/app/hotels/1"),
            Found::NotBuilt
        ));
    }
}
