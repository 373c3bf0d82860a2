//! Where the bytes come from: the built pages, inside the binary in release builds and read from the checkout in debug
//! builds, so that a page can be changed without compiling.

use bytes::Bytes;
use rust_embed::RustEmbed;

/// A file of the built pages.
#[derive(Clone, Debug)]
pub(crate) struct File {
    pub(crate) bytes: Bytes,
    /// A strong validator: it changes with every byte (RFC 9110, 8.8.3).
    pub(crate) etag: String,
}

/// Files by their path below the built pages, such as `app/index.html`.
pub(crate) trait Files: Send + Sync + 'static {
    fn get(&self, path: &str) -> Option<File>;
}

#[derive(RustEmbed)]
#[folder = "$CARGO_MANIFEST_DIR/ui/dist"]
#[allow_missing = true]
struct Embedded;

/// What `npm run build` left behind.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Dist;

impl Files for Dist {
    fn get(&self, path: &str) -> Option<File> {
        let file = Embedded::get(path)?;
        let hash = file.metadata.sha256_hash();
        Some(File {
            bytes: match file.data {
                std::borrow::Cow::Borrowed(bytes) => Bytes::from_static(bytes),
                std::borrow::Cow::Owned(bytes) => Bytes::from(bytes),
            },
            etag: etag(&hash),
        })
    }
}

/// Half of a SHA-256 is far more than two versions of a page need.
fn etag(hash: &[u8]) -> String {
    let hex: String = hash
        .iter()
        .take(16)
        .map(|byte| format!("{byte:02x}"))
        .collect();
    format!("\"{hex}\"")
}
