//! Whose word about a rollout's percentage counts.
//!
//! An operator's word (or the policy's, which speaks as one) beats the environment's, that beats the mounted file's, that
//! the configuration file's; where nobody spoke the percentage is 0. The weaker ones are kept, not overwritten: taking the
//! operator's word back returns to them.
//!
//! A word that says more than may be in force yet is held ([`Percentages::held`]): it counts, and waits.

use std::fmt;

use crate::Percent;

/// Whose percentage is in force, strongest first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Source {
    /// Set by an operator while the gateway runs.
    Operator,
    /// An environment variable.
    Environment,
    /// A file in a mounted folder, such as a key of a ConfigMap.
    Files,
    /// The configuration file.
    File,
    /// Nobody spoke: 0.
    Default,
}

/// What everybody said about a rollout's percentage.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Percentages {
    /// The operator's word, until taken back.
    pub operator: Option<Percent>,
    /// The environment variable's.
    pub environment: Option<Percent>,
    /// The mounted file's.
    pub files: Option<Percent>,
    /// The configuration file's.
    pub file: Option<Percent>,
    /// No more than this is in force, whoever says it, until the follower has caught up.
    pub held: Option<Percent>,
}

/// One source's word, for people who ask why a percentage is what it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Word {
    /// Whose word.
    pub source: Source,
    /// What it says; `None` if nothing.
    pub percent: Option<Percent>,
    /// Whether it is the one that counts.
    pub in_force: bool,
    /// What is in force instead while it waits for the follower.
    pub waits_at: Option<Percent>,
}

impl Percentages {
    /// The percentage in force and whose it is.
    #[must_use]
    pub fn in_force(&self) -> (Percent, Source) {
        let (percent, source) = self.strongest();
        (self.held.map_or(percent, |held| held.min(percent)), source)
    }

    /// The word that counts, and whose it is, whether or not it has to wait.
    #[must_use]
    pub fn strongest(&self) -> (Percent, Source) {
        Source::ALL
            .into_iter()
            .find_map(|source| Some((self.of(source)?, source)))
            .unwrap_or((Percent::ZERO, Source::Default))
    }

    /// What a source says; the default always says 0.
    #[must_use]
    pub const fn of(&self, source: Source) -> Option<Percent> {
        match source {
            Source::Operator => self.operator,
            Source::Environment => self.environment,
            Source::Files => self.files,
            Source::File => self.file,
            Source::Default => Some(Percent::ZERO),
        }
    }

    /// Every source's word, strongest first.
    #[must_use]
    pub fn words(&self) -> [Word; Source::ALL.len()] {
        let (wanted, winner) = self.strongest();
        let held = self.held.filter(|held| *held < wanted);
        Source::ALL.map(|source| Word {
            source,
            percent: self.of(source),
            in_force: source == winner,
            waits_at: held.filter(|_| source == winner),
        })
    }
}

impl Source {
    /// Every source, strongest first.
    pub const ALL: [Self; 5] = [
        Self::Operator,
        Self::Environment,
        Self::Files,
        Self::File,
        Self::Default,
    ];

    /// The stable name in stores, logs and on screens.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Environment => "environment",
            Self::Files => "files",
            Self::File => "file",
            Self::Default => "default",
        }
    }

    /// The source of a stable name.
    #[must_use]
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|source| source.as_str() == name)
    }
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl fmt::Display for Percentages {
    /// Strongest first, the one in force marked: `operator 25 (in force) > environment 50 > files - > file 10 > default 0`;
    /// or as `environment 50 (waits at 20 for the follower)`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (index, word) in self.words().into_iter().enumerate() {
            let before = if index == 0 { "" } else { " > " };
            write!(f, "{before}{} ", word.source)?;
            match word.percent {
                Some(percent) => write!(f, "{percent}")?,
                None => f.write_str("-")?,
            }
            match word.waits_at {
                Some(held) => write!(f, " (waits at {held} for the follower)")?,
                None if word.in_force => f.write_str(" (in force)")?,
                None => {}
            }
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn percent(value: u16) -> Option<Percent> {
        Percent::from_hundredths(value * 100)
    }

    #[track_caller]
    fn check(said: [Option<Percent>; 4], want: &str) {
        let [operator, environment, files, file] = said;
        let said = Percentages {
            operator,
            environment,
            files,
            file,
            held: None,
        };
        let (percent, source) = said.in_force();
        assert_eq!(format!("{percent} {source}"), want);
    }

    #[test]
    fn the_strongest_word_counts() {
        check([None, None, None, None], "0 default");
        check([None, None, None, percent(10)], "10 file");
        check([None, None, percent(20), percent(10)], "20 files");
        check(
            [None, percent(50), percent(20), percent(10)],
            "50 environment",
        );
        check([percent(25), percent(50), None, percent(10)], "25 operator");
        check([percent(0), percent(50), None, percent(10)], "0 operator");
        check([percent(25), None, None, percent(10)], "25 operator");
    }

    #[test]
    fn all_words_are_shown_with_the_one_in_force() {
        let said = Percentages {
            environment: percent(50),
            file: percent(10),
            ..Percentages::default()
        };
        assert_eq!(
            said.to_string(),
            "operator - > environment 50 (in force) > files - > file 10 > default 0"
        );
    }

    #[test]
    fn a_word_that_is_held_counts_and_waits() {
        let said = Percentages {
            environment: percent(50),
            file: percent(10),
            held: percent(20),
            ..Percentages::default()
        };
        let (in_force, source) = said.in_force();
        assert_eq!((Some(in_force), source), (percent(20), Source::Environment));
        assert_eq!(
            said.to_string(),
            "operator - > environment 50 (waits at 20 for the follower) > files - > file 10 > default 0"
        );
        let less = Percentages {
            operator: percent(5),
            ..said
        };
        assert_eq!(less.in_force(), (percent(5).unwrap(), Source::Operator));
        assert!(less.to_string().starts_with("operator 5 (in force) >"));
    }

    #[test]
    fn names_of_sources_lead_back_to_them() {
        for source in Source::ALL {
            assert_eq!(Source::from_name(source.as_str()), Some(source));
        }
        assert_eq!(Source::from_name("nobody"), None);
    }

    proptest! {
        #[test]
        fn exactly_one_word_is_in_force(said in proptest::array::uniform4(proptest::option::of(0..=100u16))) {
            let [operator, environment, files, file] = said.map(|said| said.and_then(percent));
            let said = Percentages { operator, environment, files, file, held: None };
            let words = said.words();
            let winners: Vec<_> = words.iter().filter(|word| word.in_force).collect();
            prop_assert_eq!(winners.len(), 1);
            prop_assert_eq!((winners[0].percent.unwrap(), winners[0].source), said.in_force());
            for stronger in words.iter().take_while(|word| !word.in_force) {
                prop_assert_eq!(stronger.percent, None);
            }
        }
    }
}
