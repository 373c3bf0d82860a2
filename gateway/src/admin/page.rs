//! Lists by the page (AIP-158). A token is the place where the last page ended, made opaque so that nobody builds one.

use base64::{Engine as _, engine::general_purpose::URL_SAFE_NO_PAD};

use crate::store::Reached;

const SIZE_DEFAULT: u16 = 50;
const SIZE_MAX: u16 = 1_000;

/// Where a list can be taken up again.
pub(super) trait Position: Sized {
    fn write(&self) -> String;
    fn read(text: &str) -> Option<Self>;
}

impl Position for String {
    fn write(&self) -> String {
        format!("name:{self}")
    }

    fn read(text: &str) -> Option<Self> {
        text.strip_prefix("name:").map(str::to_owned)
    }
}

impl Position for u64 {
    fn write(&self) -> String {
        format!("number:{self}")
    }

    fn read(text: &str) -> Option<Self> {
        text.strip_prefix("number:")?.parse().ok()
    }
}

impl Position for Reached {
    fn write(&self) -> String {
        let place = (self.count, &self.route, &self.path, &self.kind);
        let place = serde_json::to_string(&place).unwrap_or_default();
        format!("difference:{place}")
    }

    fn read(text: &str) -> Option<Self> {
        let place = text.strip_prefix("difference:")?;
        let (count, route, path, kind) = serde_json::from_str(place).ok()?;
        Some(Self {
            count,
            route,
            path,
            kind,
        })
    }
}

/// The page asked for.
pub(super) struct Page<P> {
    /// Where the page before ended; `None` for the first page.
    pub(super) after: Option<P>,
    size: u16,
}

impl<P> Default for Page<P> {
    fn default() -> Self {
        Self {
            after: None,
            size: SIZE_DEFAULT,
        }
    }
}

impl<P: Position> Page<P> {
    /// `None` if the token is none of this list's.
    pub(super) fn new(size: i32, token: &str) -> Option<Self> {
        let after = match token {
            "" => None,
            token => {
                let text = String::from_utf8(URL_SAFE_NO_PAD.decode(token).ok()?).ok()?;
                Some(P::read(&text)?)
            }
        };
        let size = match u16::try_from(size) {
            Ok(0) => SIZE_DEFAULT,
            Ok(size) => size.min(SIZE_MAX),
            Err(_) => SIZE_MAX,
        };
        Some(Self { after, size })
    }

    /// One more than the page holds: whether there is a next page is seen by that.
    pub(super) fn rows_to_read(&self) -> u64 {
        u64::from(self.size) + 1
    }

    /// Cuts what was read to the page, and makes the token of the next one; empty at the end.
    pub(super) fn cut<T>(&self, rows: &mut Vec<T>, position: impl Fn(&T) -> P) -> String {
        let size = usize::from(self.size);
        if rows.len() <= size {
            return String::new();
        }
        rows.truncate(size);
        rows.last()
            .map(|last| URL_SAFE_NO_PAD.encode(position(last).write()))
            .unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn walk(size: i32, rows: &[u64]) -> Vec<Vec<u64>> {
        let (mut token, mut pages) = (String::new(), Vec::new());
        loop {
            let page = Page::<u64>::new(size, &token).unwrap();
            let mut found: Vec<u64> = rows
                .iter()
                .copied()
                .filter(|row| page.after.is_none_or(|after| *row > after))
                .take(usize::try_from(page.rows_to_read()).unwrap())
                .collect();
            token = page.cut(&mut found, |row| *row);
            pages.push(found);
            if token.is_empty() {
                return pages;
            }
        }
    }

    #[test]
    fn pages_join_without_gap_or_overlap() {
        assert_eq!(walk(2, &[1, 2, 3, 4, 5]), [vec![1, 2], vec![3, 4], vec![5]]);
        assert_eq!(walk(2, &[1, 2]), [vec![1, 2]]);
        assert_eq!(walk(2, &[]), [Vec::<u64>::new()]);
    }

    #[test]
    fn a_place_among_differences_is_found_again_whatever_it_is_called() {
        let place = Reached {
            count: 7,
            route: "GET /api/\"movies\":x".to_owned(),
            path: "movies[].title".to_owned(),
            kind: "changed".to_owned(),
        };
        assert_eq!(Reached::read(&place.write()), Some(place));
    }

    #[test]
    fn sizes_are_defaulted_and_capped() {
        let size = |size| Page::<u64>::new(size, "").map(|page| page.size);
        assert_eq!(size(0), Some(50));
        assert_eq!(size(7), Some(7));
        assert_eq!(size(1_001), Some(1_000));
        assert_eq!(size(i32::MAX), Some(1_000));
    }

    #[test]
    fn tokens_of_other_lists_are_refused() {
        let name = URL_SAFE_NO_PAD.encode("movies".to_owned().write());
        assert!(Page::<u64>::new(0, &name).is_none());
        assert!(Page::<String>::new(0, "not a token").is_none());
        assert!(Page::<Reached>::new(0, &name).is_none());
    }
}
