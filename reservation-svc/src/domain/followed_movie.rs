//! A movie of the cinema monolith, as it is followed here.
//!
//! The monolith owns these movies: it assigns their ids and never changes or removes one. They are a catalogue of their
//! own, apart from the movies that screenings show.

/// A movie that the monolith has given an id.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowedMovie {
    /// Assigned by the monolith.
    pub id: i64,
    /// What is known of it.
    pub details: MovieDetails,
}

/// What a movie is made of besides its id.
#[derive(Clone, Debug, PartialEq)]
pub struct MovieDetails {
    /// Its title.
    pub title: String,
    /// What it is about.
    pub description: String,
    /// Its genres, in the order given.
    pub genres: Vec<String>,
    /// 0 to 10.
    pub rating: f64,
}

const TITLE_CHARS_MAX: usize = 500;
const DESCRIPTION_CHARS_MAX: usize = 10_000;
const GENRES_MAX: usize = 50;
const GENRE_CHARS_MAX: usize = 100;
const RATING_MAX: f64 = 10.0;

/// What is wrong with a field of a movie that is to be created.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Flaw {
    /// The field's name in the old API.
    pub field: &'static str,
    /// What holds for it, to be read after the field's name.
    pub rule: &'static str,
    /// Whether it is too small or too large, rather than ill-formed.
    pub out_of_range: bool,
}

impl MovieDetails {
    /// What is wrong with them, field by field; empty if nothing is. What was adopted is not asked: it is the monolith's.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let flaw = |field, rule| Flaw {
            field,
            rule,
            out_of_range: true,
        };
        let nul = |field| Flaw {
            field,
            rule: "must not contain NUL characters",
            out_of_range: false,
        };
        let mut flaws = Vec::new();
        if !(1..=TITLE_CHARS_MAX).contains(&self.title.chars().count()) {
            flaws.push(flaw("title", "must have 1 to 500 characters"));
        }
        if self.description.chars().count() > DESCRIPTION_CHARS_MAX {
            flaws.push(flaw("description", "must have at most 10000 characters"));
        }
        if self.genres.len() > GENRES_MAX {
            flaws.push(flaw("genres", "must have at most 50 entries"));
        }
        if self
            .genres
            .iter()
            .any(|genre| !(1..=GENRE_CHARS_MAX).contains(&genre.chars().count()))
        {
            flaws.push(flaw("genres", "must have entries of 1 to 100 characters"));
        }
        // PostgreSQL cannot store NUL characters.
        if self.title.contains('\0') {
            flaws.push(nul("title"));
        }
        if self.description.contains('\0') {
            flaws.push(nul("description"));
        }
        if self.genres.iter().any(|genre| genre.contains('\0')) {
            flaws.push(nul("genres"));
        }
        // NaN is in no range.
        if !(0.0..=RATING_MAX).contains(&self.rating) {
            flaws.push(flaw("rating", "must be a number from 0 to 10"));
        }
        flaws
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn roots() -> MovieDetails {
        MovieDetails {
            title: "Roots".to_owned(),
            description: String::new(),
            genres: vec!["drama".to_owned()],
            rating: 8.4,
        }
    }

    #[track_caller]
    fn check(details: MovieDetails, want: &[&str]) {
        let got: Vec<_> = details.flaws().iter().map(|flaw| flaw.field).collect();
        assert_eq!(got, want);
    }

    #[test]
    fn limits_are_allowed_themselves() {
        check(roots(), &[]);
        check(
            MovieDetails {
                title: "é".repeat(500),
                ..roots()
            },
            &[],
        );
        check(
            MovieDetails {
                genres: vec!["g".repeat(100); 50],
                rating: 0.0,
                ..roots()
            },
            &[],
        );
        check(
            MovieDetails {
                description: "d".repeat(10_000),
                genres: vec![],
                rating: 10.0,
                ..roots()
            },
            &[],
        );
    }

    #[test]
    fn every_wrong_field_is_named() {
        check(
            MovieDetails {
                title: String::new(),
                rating: 10.01,
                ..roots()
            },
            &["title", "rating"],
        );
        check(
            MovieDetails {
                title: "t".repeat(501),
                ..roots()
            },
            &["title"],
        );
        check(
            MovieDetails {
                description: "d".repeat(10_001),
                ..roots()
            },
            &["description"],
        );
        check(
            MovieDetails {
                genres: vec!["g".to_owned(); 51],
                ..roots()
            },
            &["genres"],
        );
        check(
            MovieDetails {
                genres: vec![String::new()],
                ..roots()
            },
            &["genres"],
        );
        check(
            MovieDetails {
                description: "a\0b".to_owned(),
                ..roots()
            },
            &["description"],
        );
        for rating in [-0.1, f64::NAN, f64::INFINITY] {
            check(MovieDetails { rating, ..roots() }, &["rating"]);
        }
    }
}
