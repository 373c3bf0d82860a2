//! A movie of the cinema monolith, as it is followed here.
//!
//! The monolith owns these movies until this side is made the authority: it assigns their ids, and most monoliths never
//! change or remove one. They are a catalogue of their own, apart from the movies that screenings show.

/// Which side gives ids to movies, and is right where both differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Authority {
    /// The monolith: movies are created there first.
    Legacy,
    /// This side: the monolith is not asked any more.
    Own,
    /// This side, until the monolith has all that was created here: nothing is created meanwhile.
    Returning,
}

/// A movie that has been given an id.
#[derive(Clone, Debug, PartialEq)]
pub struct FollowedMovie {
    /// Assigned by the authority of the time.
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
    ///
    /// Old clients must not notice which side answers them, so that nothing is refused here that the monolith takes;
    /// how long texts may be is for it to say (64 KiB in all), since every movie is created there first.
    #[must_use]
    pub fn flaws(&self) -> Vec<Flaw> {
        let nul = |field| Flaw {
            field,
            rule: "must not contain NUL characters",
            out_of_range: false,
        };
        let mut flaws = Vec::new();
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
            flaws.push(Flaw {
                field: "rating",
                rule: "must be a number from 0 to 10",
                out_of_range: true,
            });
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
    fn what_the_monolith_takes_is_fine() {
        check(roots(), &[]);
        for rating in [0.0, 10.0] {
            let title = String::new();
            let genres = vec![String::new()];
            check(
                MovieDetails {
                    title,
                    genres,
                    rating,
                    ..roots()
                },
                &[],
            );
        }
    }

    #[test]
    fn every_wrong_field_is_named() {
        check(
            MovieDetails {
                description: "a\0b".to_owned(),
                rating: 10.01,
                ..roots()
            },
            &["description", "rating"],
        );
        for rating in [-0.1, f64::NAN, f64::INFINITY] {
            check(MovieDetails { rating, ..roots() }, &["rating"]);
        }
    }
}
