//! A subject's place, 0 to 9,999: found by hash, so nobody has to remember it.
//!
//! `bucket = first 8 bytes, big-endian, of SHA-256(salt, 0x00, subject) modulo 10,000`
//!
//! SHA-256 because it is the same in every language and release, so another program (or a person with a shell) can say
//! where a subject is:
//!
//! ```text
//! python3 -c 'import hashlib; print(int(hashlib.sha256(b"movies\0alice").hexdigest()[:16], 16) % 10000)'
//! ```
//!
//! The salt is the rollout's, so that being early in one rollout says nothing about the next. The bias of the modulo is
//! below one in 10^15. Changing any of this would deal every subject of every running rollout anew: do not. A rollout
//! carries the name of the way in its state ([`Algorithm`]), so that another way could only ever be added beside this.

use std::fmt;

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};

/// How many places there are.
pub const BUCKETS: u16 = 10_000;

/// A subject's place in a rollout, 0 to 9,999.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Bucket(u16);

/// Tells one subject from others without naming it: the 64 bits that its bucket is made of. As text, 11 characters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SubjectHash(u64);

/// How subjects are dealt; the rollout's for life.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Hash, Serialize, Deserialize, JsonSchema)]
pub enum Algorithm {
    /// [`bucket()`].
    #[default]
    #[serde(rename = "sha256-v1")]
    Sha256V1,
}

impl Algorithm {
    /// The stable name in stores and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Sha256V1 => "sha256-v1",
        }
    }

    /// The algorithm of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        (name == Self::Sha256V1.as_str()).then_some(Self::Sha256V1)
    }

    /// What `subject` is in the rollout that has this `salt`.
    #[must_use]
    pub fn hash(self, salt: &str, subject: &str) -> SubjectHash {
        match self {
            Self::Sha256V1 => hash(salt, subject),
        }
    }
}

impl SubjectHash {
    /// Where the subject stands.
    #[must_use]
    pub fn bucket(self) -> Bucket {
        Bucket(u16::try_from(self.0 % u64::from(BUCKETS)).unwrap_or_default())
    }

    /// The hash of its text; `None` for anything else.
    #[must_use]
    pub fn from_text(text: &str) -> Option<Self> {
        let bytes = URL_SAFE_NO_PAD.decode(text).ok()?;
        Some(Self(u64::from_be_bytes(bytes.try_into().ok()?)))
    }
}

impl fmt::Display for SubjectHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(&URL_SAFE_NO_PAD.encode(self.0.to_be_bytes()))
    }
}

impl fmt::Display for Algorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl Bucket {
    /// A place by its index; `None` from 10,000 on.
    #[must_use]
    pub const fn from_index(index: u16) -> Option<Self> {
        if index < BUCKETS {
            Some(Self(index))
        } else {
            None
        }
    }

    /// 0 to 9,999.
    #[must_use]
    pub const fn index(self) -> u16 {
        self.0
    }
}

impl fmt::Display for Bucket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Where `subject` stands in the rollout that has this `salt`.
#[must_use]
pub fn bucket(salt: &str, subject: &str) -> Bucket {
    hash(salt, subject).bucket()
}

fn hash(salt: &str, subject: &str) -> SubjectHash {
    let mut hash = Sha256::new();
    hash.update(salt);
    // Without it ("ab", "c") and ("a", "bc") would be one subject.
    hash.update([0]);
    hash.update(subject);
    let hash = hash.finalize();
    let first = hash[..8].iter();
    SubjectHash(first.fold(0u64, |sum, &byte| (sum << 8) | u64::from(byte)))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn vectors_are_pinned_for_ever() {
        for (salt, subject, want) in VECTORS {
            assert_eq!(bucket(salt, subject).index(), want, "{salt:?} {subject:?}");
        }
    }

    const LONG: &str = concat!(
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx",
        "xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"
    );

    // Made with Python's hashlib, not with this function.
    const VECTORS: [(&str, &str, u16); 8] = [
        ("movies", "alice", 529),
        ("movies", "bob", 2312),
        ("movies", "1", 3789),
        ("movies", "", 7843),
        ("bookings", "alice", 9949),
        ("", "alice", 3148),
        ("movies", "Ада", 975),
        ("movies", LONG, 1563),
    ];

    #[test]
    fn a_hash_s_text_is_pinned_too() {
        // Made with Python's hashlib and base64.
        let alice = Algorithm::Sha256V1.hash("movies", "alice");
        assert_eq!(alice.to_string(), "-1o6Nflw1wE");
        for none in ["", "-1o6Nflw1w", "-1o6Nflw1wEE", "-1o6Nflw1w="] {
            assert_eq!(SubjectHash::from_text(none), None, "{none}");
        }
    }

    #[test]
    fn subjects_spread_evenly() {
        // 100,000 subjects over 100 groups of 100 buckets: chi-squared with 99 degrees of freedom exceeds 160 once in
        // 10,000 times for a fair hash; the subjects are fixed, so this is a fact and no gamble.
        for subject in [
            |n: u32| n.to_string(),
            |n: u32| format!("user-{n:08}@example.com"),
        ] {
            let mut groups = [0f64; 100];
            for n in 0..100_000 {
                groups[usize::from(bucket("movies", &subject(n)).index() / 100)] += 1.0;
            }
            let chi_squared: f64 = groups
                .iter()
                .map(|count| (count - 1_000.0).powi(2) / 1_000.0)
                .sum();
            assert!(chi_squared < 160.0, "{chi_squared}");
        }
    }

    #[test]
    fn rollouts_deal_independently() {
        let early = |salt: &str, n: u32| bucket(salt, &n.to_string()).index() < 1_000;
        let both = (0..100_000)
            .filter(|&n| early("movies", n) && early("bookings", n))
            .count();
        assert!((900..1_100).contains(&both), "{both}");
    }

    proptest! {
        #[test]
        fn every_bucket_exists(salt in ".*", subject in ".*") {
            prop_assert!(bucket(&salt, &subject).index() < BUCKETS);
        }

        #[test]
        fn a_hash_survives_its_travel(subject in ".*") {
            let hash = hash("movies", &subject);
            prop_assert_eq!(SubjectHash::from_text(&hash.to_string()), Some(hash));
        }

        #[test]
        fn the_same_subject_stays(salt in ".*", subject in ".*") {
            prop_assert_eq!(bucket(&salt, &subject), bucket(&salt.clone(), &subject.clone()));
        }
    }
}
