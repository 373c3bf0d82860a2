//! Pages (AIP-158): sizes within limits, and tokens that only this list understands.
//!
//! A token is the key of the last entry of a page, sealed with what the list was asked for: a token of another list, or
//! of the same one with another filter, is refused rather than misread. It holds nothing that the caller has not seen.

use base64::{Engine as _, prelude::BASE64_URL_SAFE_NO_PAD};
use sha2::{Digest as _, Sha256};
use tonic::Status;

use super::status;
use crate::domain::violation::Fault;

const SIZE_DEFAULT: u64 = 50;
const SIZE_MAX: u64 = 1_000;
const VERSION: u8 = 1;
const SEAL_BYTES: usize = 8;
/// Longest token, in bytes; keys are far shorter.
const TOKEN_BYTES_MAX: usize = 1_024;

/// One page asked for.
#[derive(Debug)]
pub(super) struct Page {
    seal: [u8; SEAL_BYTES],
    size: u64,
    after: Option<String>,
}

impl Page {
    /// Parses a page of the list `list`, asked for with these parameters.
    pub(super) fn parse(
        list: &str,
        parameters: &[&str],
        size: i32,
        token: &str,
    ) -> Result<Self, Status> {
        let size = match u64::try_from(size) {
            Ok(0) => SIZE_DEFAULT,
            Ok(size) => size.min(SIZE_MAX),
            Err(_) => {
                return Err(status::wrong(
                    "page_size",
                    Fault::Range,
                    "must not be negative",
                ));
            }
        };
        let seal = seal(list, parameters);
        let after = match token {
            "" => None,
            token => Some(open(&seal, token).ok_or_else(foreign)?),
        };
        Ok(Self { seal, size, after })
    }

    /// The key after which the page begins.
    pub(super) fn after(&self) -> Option<&str> {
        self.after.as_deref()
    }

    /// The key after which the page begins, where keys are numbers.
    pub(super) fn after_number(&self) -> Result<Option<i64>, Status> {
        self.after()
            .map(|key| key.parse().map_err(|_| foreign()))
            .transpose()
    }

    /// The key after which the page begins, where keys are pairs of numbers.
    pub(super) fn after_pair(&self) -> Result<Option<(i64, i64)>, Status> {
        let pair = |key: &str| {
            let (first, second) = key.split_once(' ')?;
            Some((first.parse().ok()?, second.parse().ok()?))
        };
        self.after()
            .map(|key| pair(key).ok_or_else(foreign))
            .transpose()
    }

    /// How many entries the page holds at most.
    pub(super) fn size(&self) -> usize {
        usize::try_from(self.size).unwrap_or(usize::MAX)
    }

    /// How many entries to read: one more than fit, to know whether there is a next page.
    pub(super) fn limit(&self) -> u64 {
        self.size + 1
    }

    /// Cuts what was read down to the page, and makes the next page's token from its last entry's key.
    pub(super) fn cut<T>(
        &self,
        mut entries: Vec<T>,
        key: impl Fn(&T) -> String,
    ) -> (Vec<T>, String) {
        if entries.len() <= self.size() {
            return (entries, String::new());
        }
        entries.truncate(self.size());
        let token = entries.last().map(|last| self.token(&key(last)));
        (entries, token.unwrap_or_default())
    }

    /// The token of the page after that key.
    pub(super) fn token(&self, key: &str) -> String {
        let mut bytes = vec![VERSION];
        bytes.extend(self.seal);
        bytes.extend(key.as_bytes());
        BASE64_URL_SAFE_NO_PAD.encode(bytes)
    }
}

fn seal(list: &str, parameters: &[&str]) -> [u8; SEAL_BYTES] {
    let mut hash = Sha256::new();
    for text in std::iter::once(&list).chain(parameters) {
        hash.update((text.len() as u64).to_be_bytes());
        hash.update(text.as_bytes());
    }
    let mut seal = [0; SEAL_BYTES];
    seal.copy_from_slice(&hash.finalize()[..SEAL_BYTES]);
    seal
}

fn open(seal: &[u8; SEAL_BYTES], token: &str) -> Option<String> {
    if token.len() > TOKEN_BYTES_MAX {
        return None;
    }
    let bytes = BASE64_URL_SAFE_NO_PAD.decode(token).ok()?;
    let key = bytes.strip_prefix(&[VERSION])?.strip_prefix(seal)?;
    let key = String::from_utf8(key.to_vec()).ok()?;
    // What databases would stumble over never was a key.
    (!key.chars().any(char::is_control)).then_some(key)
}

fn foreign() -> Status {
    status::wrong(
        "page_token",
        Fault::Format,
        "must be a next_page_token of this very list",
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn page(parameters: &[&str], size: i32, token: &str) -> Page {
        Page::parse("list", parameters, size, token).unwrap()
    }

    #[test]
    fn sizes_have_a_default_and_a_cap() {
        for (size, limit) in [(0, 51), (1, 2), (1_000, 1_001), (i32::MAX, 1_001)] {
            assert_eq!(page(&[], size, "").limit(), limit);
        }
        assert!(Page::parse("list", &[], -1, "").is_err());
    }

    #[test]
    fn a_token_continues_its_own_list_only() {
        let (entries, token) = page(&["a"], 2, "").cut(vec![3, 2, 1], ToString::to_string);
        assert_eq!(entries, [3, 2]);
        assert_eq!(page(&["a"], 5, &token).after_number().unwrap(), Some(2));
        assert!(Page::parse("list", &["b"], 2, &token).is_err());
        assert!(Page::parse("other", &["a"], 2, &token).is_err());
        assert!(Page::parse("list", &["a", ""], 2, &token).is_err());
    }

    #[test]
    fn the_last_page_has_no_token() {
        let (entries, token) = page(&[], 3, "").cut(vec![3, 2, 1], ToString::to_string);
        assert_eq!((entries.len(), token.as_str()), (3, ""));
    }

    #[test]
    fn rubbish_is_no_token() {
        for token in ["x", "AQ", "####", &"A".repeat(2_000)] {
            assert!(Page::parse("list", &[], 0, token).is_err(), "{token}");
        }
        let zero = page(&[], 0, "").token("a\0b");
        assert!(Page::parse("list", &[], 0, &zero).is_err());
        let text = page(&[], 0, "").token("text");
        assert!(page(&[], 0, &text).after_number().is_err());
        assert!(page(&[], 0, &text).after_pair().is_err());
    }
}
