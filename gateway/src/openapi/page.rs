//! The page that shows a document: one file with its style and script inside, which nothing else can run in.

use base64::{Engine as _, engine::general_purpose::STANDARD};
use sha2::{Digest as _, Sha256};

const HTML: &str = include_str!("page/page.html");
const STYLE: &str = include_str!("page/page.css");
const SCRIPT: &str = include_str!("page/page.js");

/// A page and its `Content-Security-Policy`.
pub(super) struct Page {
    pub(super) html: String,
    pub(super) policy: String,
}

/// The page for the document at a path.
pub(super) fn page(document: &str) -> Page {
    let path = document
        .replace('&', "&amp;")
        .replace('"', "&quot;")
        .replace('<', "&lt;");
    let html = HTML
        .replace("{document}", &path)
        .replace("{style}", STYLE)
        .replace("{script}", SCRIPT);
    let policy = format!(
        "default-src 'none'; script-src '{}'; style-src '{}'; img-src data:; connect-src 'self'; base-uri 'none'; \
         form-action 'none'; frame-ancestors 'none'",
        hash(SCRIPT),
        hash(STYLE),
    );
    Page { html, policy }
}

fn hash(text: &str) -> String {
    format!("sha256-{}", STANDARD.encode(Sha256::digest(text)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_runs_in_the_page_is_what_its_policy_names() {
        let page = page("/x\"y");
        assert!(page.html.contains("data-document=\"/x&quot;y\""));
        for (open, close) in [
            ("<style>", "</style>"),
            ("<script type=\"module\">", "</script>"),
        ] {
            let inside = page
                .html
                .split(open)
                .nth(1)
                .unwrap()
                .split(close)
                .next()
                .unwrap();
            assert!(page.policy.contains(&hash(inside)), "{open}");
        }
        assert!(!page.policy.contains("unsafe"));
    }

    #[test]
    fn nothing_comes_from_elsewhere() {
        for part in [HTML, STYLE, SCRIPT] {
            assert!(!part.contains("://"), "no other address");
        }
    }
}
