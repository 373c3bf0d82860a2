//! The log's hash chain: an entry that was altered, removed or slipped in shows.
//!
//! The hash of an entry is SHA-256, in hexadecimal, over a JSON array without spaces: the hash of the entry before, the
//! rollout's name, the entry's number, its time in microseconds since 1970, actor, action, reason, and as texts the
//! state before, the state after and the evidence, byte for byte as they are stored. JSON escapes what RFC 8259 says
//! must be escaped and nothing else. So any language can check it:
//!
//! ```text
//! hashlib.sha256(json.dumps([previous, rollout, number, time_us, actor, action, reason, before, after, evidence],
//!                           separators=(",", ":"), ensure_ascii=False).encode()).hexdigest()
//! ```
//!
//! The first entry follows the hash of the text `banyan.rollout.log.v1`, a zero byte and the rollout's name.
//!
//! # Limits
//!
//! Whoever may write the database can write a whole new log that fits together. Against that a hash has to be noted
//! elsewhere; `banyan rollout verify` prints the last one, and checks one that was noted.

use sha2::{Digest as _, Sha256};

/// All of an entry that its hash covers, beside the hash before.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Link<'a> {
    pub(crate) rollout: &'a str,
    pub(crate) number: i64,
    pub(crate) time_us: i64,
    pub(crate) actor: &'a str,
    pub(crate) action: &'a str,
    pub(crate) reason: &'a str,
    pub(crate) before: &'a str,
    pub(crate) after: &'a str,
    pub(crate) evidence: &'a str,
}

impl Link<'_> {
    /// The hash of this entry after the one that has the hash `previous`.
    pub(crate) fn hash(&self, previous: &str) -> String {
        let fields = serde_json::json!([
            previous,
            self.rollout,
            self.number,
            self.time_us,
            self.actor,
            self.action,
            self.reason,
            self.before,
            self.after,
            self.evidence,
        ]);
        hexadecimal(&Sha256::digest(fields.to_string()))
    }
}

/// What the first entry of a rollout follows.
pub(crate) fn genesis(rollout: &str) -> String {
    let mut hash = Sha256::new();
    hash.update("banyan.rollout.log.v1\0");
    hash.update(rollout);
    hexadecimal(&hash.finalize())
}

fn hexadecimal(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_that_another_language_finds() {
        let link = Link {
            rollout: "movies",
            number: 1,
            time_us: 1_700_000_000_000_000,
            actor: "Ада",
            action: "set",
            reason: "two\nlines \"quoted\" \u{1b} \u{7f} /",
            before: "{}",
            after: r#"{"percent":25}"#,
            evidence: "{}",
        };
        // Made with Python's hashlib and json, not with this function.
        assert_eq!(genesis("movies"), GENESIS);
        assert_eq!(link.hash(GENESIS), HASH);
    }

    const GENESIS: &str = "a5ed1a0f1cb4af8584b659e06cb0cef2a4f33dd3f65cfa0de5a23baa0ba139c1";
    const HASH: &str = "16bf2882f444a01ce665550c62e846d9221d7af5b23ab20af7d24ba9a1760c9b";
}
