//! What differs between both sides, told by what was read of them; and what it takes to mend it.
//!
//! A comparison goes through the ids from the lowest to the highest, a part at a time: so many movies of each side, so
//! many differences. What a part does not come to is not in it, on neither side.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;

use crate::{
    capabilities::{Capabilities, Capability},
    domain::followed_movie::{Authority, FollowedMovie, MovieDetails},
};

/// What is wrong with a movie.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    MissingHere,
    MissingInLegacy,
    Different,
}

/// A movie that is not the same on both sides.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Difference {
    pub id: i64,
    pub kind: Kind,
    /// Which fields differ, when both sides have it.
    pub fields: Vec<&'static str>,
    pub mended: bool,
    /// What the monolith would have to be able to do for it to be mended.
    pub needs: Option<Capability>,
}

/// What is to be compared at once.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Part {
    /// Ids up to this one were compared before.
    pub after: Option<i64>,
    /// Movies of each side; no limit where none is given.
    pub movies_max: Option<u64>,
    /// Differences.
    pub differences_max: usize,
}

impl Part {
    /// Everything at once.
    pub(crate) const WHOLE: Part = Part {
        after: None,
        movies_max: None,
        differences_max: usize::MAX,
    };
}

/// Both sides as they were read, as far as the part goes.
#[derive(Debug)]
pub(super) struct Compared {
    pub ours: BTreeMap<i64, FollowedMovie>,
    pub theirs: BTreeMap<i64, FollowedMovie>,
    pub differences: Vec<Difference>,
    pub read_at: Timestamp,
    /// The last id of the part; none where nothing is left after it.
    pub end: Option<i64>,
}

impl Compared {
    /// Compares what was read, in this order, of `part`: `theirs` is all that the monolith has, by id.
    pub(super) fn new(
        ours: Vec<FollowedMovie>,
        theirs: &[FollowedMovie],
        part: &Part,
        read_at: Timestamp,
    ) -> Self {
        let begin = part.after.map_or(0, |after| upto(theirs, after));
        let theirs = &theirs[begin..];
        let max = part.movies_max.and_then(|max| usize::try_from(max).ok());
        let last = |movies: &[FollowedMovie]| movies.get(max?.checked_sub(1)?).map(|it| it.id);
        let end = last(&ours).into_iter().chain(last(theirs)).min();
        let theirs = &theirs[..end.map_or(theirs.len(), |end| upto(theirs, end))];
        let mut compared = Self {
            ours: by_id(ours),
            theirs: by_id(theirs.to_vec()),
            differences: Vec::new(),
            read_at,
            end: None,
        };
        if let Some(end) = end {
            compared.cut(end);
        }
        compared.differences = differences(&compared.ours, &compared.theirs);
        if compared.differences.len() > part.differences_max {
            compared.differences.truncate(part.differences_max);
            let last = compared.differences.last().map(|it| it.id);
            compared.cut(last.unwrap_or(i64::MIN));
        }
        compared
    }

    /// Lets the part end with `end`. Differences stay.
    pub(super) fn cut(&mut self, end: i64) {
        self.ours.retain(|id, _| *id <= end);
        self.theirs.retain(|id, _| *id <= end);
        self.end = Some(end);
    }
}

/// What the monolith would have to be able to do, and cannot.
pub(super) fn needs(kind: Kind, authority: Authority, has: Capabilities) -> Option<Capability> {
    let capability = match (authority, kind) {
        (Authority::Legacy, Kind::MissingHere | Kind::Different) => return None,
        (Authority::Legacy, Kind::MissingInLegacy) if has.removes() => return None,
        (_, Kind::MissingInLegacy) => Capability::KeepsIds,
        (_, Kind::Different) => Capability::Update,
        (_, Kind::MissingHere) => Capability::Delete,
    };
    (!has.has(capability)).then_some(capability)
}

/// How many of them, which are in order, have an id up to that one.
fn upto(movies: &[FollowedMovie], id: i64) -> usize {
    movies.partition_point(|it| it.id <= id)
}

fn by_id(movies: Vec<FollowedMovie>) -> BTreeMap<i64, FollowedMovie> {
    movies.into_iter().map(|it| (it.id, it)).collect()
}

fn differences(
    ours: &BTreeMap<i64, FollowedMovie>,
    theirs: &BTreeMap<i64, FollowedMovie>,
) -> Vec<Difference> {
    let ids: BTreeSet<i64> = ours.keys().chain(theirs.keys()).copied().collect();
    ids.into_iter()
        .filter_map(|id| difference(id, ours.get(&id), theirs.get(&id)))
        .collect()
}

/// How a movie differs that at least one side has.
pub(super) fn difference(
    id: i64,
    ours: Option<&FollowedMovie>,
    theirs: Option<&FollowedMovie>,
) -> Option<Difference> {
    let (kind, fields) = match (ours, theirs) {
        (None, None) => return None,
        (None, _) => (Kind::MissingHere, Vec::new()),
        (_, None) => (Kind::MissingInLegacy, Vec::new()),
        (Some(our), Some(their)) if our == their => return None,
        (Some(our), Some(their)) => (Kind::Different, fields(&our.details, &their.details)),
    };
    Some(Difference {
        id,
        kind,
        fields,
        mended: false,
        needs: None,
    })
}

fn fields(ours: &MovieDetails, theirs: &MovieDetails) -> Vec<&'static str> {
    let MovieDetails {
        title,
        description,
        genres,
        rating,
    } = ours;
    let differ = [
        ("title", *title != theirs.title),
        ("description", *description != theirs.description),
        ("genres", *genres != theirs.genres),
        ("rating", *rating != theirs.rating),
    ];
    differ
        .into_iter()
        .filter_map(|(name, differs)| differs.then_some(name))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn movie(id: i64, title: &str, rating: f64) -> FollowedMovie {
        FollowedMovie {
            id,
            details: MovieDetails {
                title: title.to_owned(),
                description: String::new(),
                genres: Vec::new(),
                rating,
            },
        }
    }

    #[test]
    fn what_cannot_be_mended_says_what_it_would_take() {
        use Capability::{ChangeFeed, Delete, KeepsIds, Update};
        let check = |authority, kind, has: &[Capability], want| {
            let got = needs(kind, authority, has.iter().copied().collect());
            assert_eq!(got, want, "{authority:?} {kind:?} {has:?}");
        };
        let (legacy, own) = (Authority::Legacy, Authority::Own);
        check(legacy, Kind::MissingHere, &[], None);
        check(legacy, Kind::Different, &[], None);
        check(legacy, Kind::MissingInLegacy, &[], Some(KeepsIds));
        check(legacy, Kind::MissingInLegacy, &[KeepsIds], None);
        check(legacy, Kind::MissingInLegacy, &[Delete], None);
        check(legacy, Kind::MissingInLegacy, &[ChangeFeed], None);
        check(
            own,
            Kind::MissingInLegacy,
            &[Update, Delete],
            Some(KeepsIds),
        );
        check(own, Kind::MissingInLegacy, &[KeepsIds], None);
        check(own, Kind::Different, &[KeepsIds, Delete], Some(Update));
        check(own, Kind::Different, &[Update], None);
        check(own, Kind::MissingHere, &[KeepsIds, Update], Some(Delete));
        check(own, Kind::MissingHere, &[Delete], None);
    }

    fn compared(ours: &[FollowedMovie], theirs: &[FollowedMovie], part: &Part) -> Compared {
        let in_part = |it: &&FollowedMovie| part.after.is_none_or(|after| it.id > after);
        let movies_max = part
            .movies_max
            .map_or(usize::MAX, |max| usize::try_from(max).unwrap());
        let ours = ours
            .iter()
            .filter(in_part)
            .take(movies_max)
            .cloned()
            .collect();
        Compared::new(ours, theirs, part, Timestamp::UNIX_EPOCH)
    }

    #[test]
    fn every_difference_is_told_once_with_its_fields() {
        let ours = [movie(1, "A", 1.0), movie(2, "B", 2.0), movie(4, "D", 4.0)];
        let theirs = [movie(1, "A", 1.0), movie(2, "b", 2.5), movie(3, "C", 3.0)];
        let found = compared(&ours, &theirs, &Part::WHOLE);
        let told: Vec<_> = found
            .differences
            .into_iter()
            .map(|it| (it.id, it.kind, it.fields))
            .collect();
        let want = vec![
            (2, Kind::Different, vec!["title", "rating"]),
            (3, Kind::MissingHere, vec![]),
            (4, Kind::MissingInLegacy, vec![]),
        ];
        assert_eq!(told, want);
        assert_eq!(found.end, None);
        assert_eq!(compared(&ours, &ours, &Part::WHOLE).differences, []);
    }

    #[test]
    fn parts_join_without_gap_or_overlap() {
        // Which sides have a movie: both, only ours, only theirs, both with other content.
        let all: Vec<(i64, i64)> = (1..=40).map(|id| (id * 3 - 60, id * 7 % 4)).collect();
        let side = |without: i64, title: &str| -> Vec<FollowedMovie> {
            let there = all.iter().filter(|(_, which)| *which != without);
            let titled =
                |&(id, which): &(i64, i64)| movie(id, if which == 3 { title } else { "A" }, 1.0);
            there.map(titled).collect()
        };
        let (ours, theirs) = (side(2, "B"), side(1, "C"));
        let whole = compared(&ours, &theirs, &Part::WHOLE);
        for movies_max in [1, 3, 7, 100] {
            for differences_max in [1, 2, 5, 100] {
                let mut part = Part {
                    after: None,
                    movies_max: Some(movies_max),
                    differences_max,
                };
                let (mut told, mut counts) = (Vec::new(), (0, 0));
                loop {
                    let found = compared(&ours, &theirs, &part);
                    assert!(found.differences.len() <= differences_max);
                    counts.0 += found.ours.len();
                    counts.1 += found.theirs.len();
                    told.extend(found.differences);
                    match found.end {
                        Some(end) => {
                            assert!(part.after.is_none_or(|after| end > after));
                            part.after = Some(end);
                        }
                        None => break,
                    }
                }
                assert_eq!(told, whole.differences, "{movies_max} {differences_max}");
                assert_eq!(counts, (ours.len(), theirs.len()));
            }
        }
    }
}
