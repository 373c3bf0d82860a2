//! The walk through the trie.
//!
//! A template has at most one `**`, so every node is visited at most once per position in the path: the work is
//! bounded by routes x segments whatever the path is.

use std::borrow::Cow;
use std::ops::Range;

use http::Method;

use super::{BadPath, Captures, Lookup, Node, Route, RouteTable, TrailingSlash};
use crate::percent::{self, Keep};
use crate::template::Segment;

/// A request path cut into segments.
pub(super) struct Path<'a> {
    raw: &'a str,
    spans: Vec<Range<usize>>,
    /// Segments decoded; one that is not UTF-8 stays raw, and so matches no literal.
    segments: Vec<Cow<'a, str>>,
    /// It ends in a slash, which is not part of `segments`.
    trailing: bool,
}

impl<'a> Path<'a> {
    fn new(raw: &'a str) -> Self {
        let mut spans = Vec::with_capacity(8);
        let mut start = 1;
        for part in raw[1..].split('/') {
            spans.push(start..start + part.len());
            start += part.len() + 1;
        }
        // The root has no segments; the empty one after a final slash is no segment either.
        let trailing = spans.last().is_some_and(Range::is_empty);
        if trailing {
            spans.pop();
        }
        let trailing = trailing && !spans.is_empty();
        let segments = spans
            .iter()
            .map(|span| decoded(&raw[span.clone()]))
            .collect();
        Path {
            raw,
            spans,
            segments,
            trailing,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.spans.len()
    }

    /// The raw text of some segments; `open_ended` includes a final slash.
    pub(super) fn text(&self, range: Range<usize>, open_ended: bool) -> &'a str {
        match self.spans.get(range.clone()) {
            Some([first, .., last]) => self.cut(first.start, last.end, open_ended),
            Some([only]) => self.cut(only.start, only.end, open_ended),
            _ => "",
        }
    }

    fn cut(&self, start: usize, end: usize, open_ended: bool) -> &'a str {
        &self.raw[start..end + usize::from(open_ended && self.trailing)]
    }

    /// Takes `:verb` off the last segment.
    fn split_verb(&self) -> Option<(Path<'a>, &'a str)> {
        let last = self.spans.last()?.clone();
        let (head, verb) = self.raw[last.clone()].rsplit_once(':')?;
        let mut spans = self.spans.clone();
        let mut segments = self.segments.clone();
        *spans.last_mut()? = last.start..last.start + head.len();
        *segments.last_mut()? = decoded(head);
        // The slash now follows the verb, so it is no part of any capture.
        let raw = &self.raw[..last.start + head.len()];
        Some((
            Path {
                raw,
                spans,
                segments,
                trailing: self.trailing,
            },
            verb,
        ))
    }
}

fn decoded(raw: &str) -> Cow<'_, str> {
    percent::decode_path(raw, Keep::Nothing).unwrap_or(Cow::Borrowed(raw))
}

struct Search<'a, R> {
    table: &'a RouteTable<R>,
    method: &'a Method,
    query: Option<&'a str>,
    path: &'a Path<'a>,
    allow: &'a mut Vec<Method>,
}

pub(super) fn find<'t, R>(
    table: &'t RouteTable<R>,
    method: &Method,
    raw_path: &str,
    query: Option<&str>,
) -> Lookup<'t, R> {
    if !raw_path.starts_with('/') {
        return Lookup::NotFound;
    }
    if let Some(column) = invalid_escape(raw_path) {
        return Lookup::BadPath(BadPath::Escape { column });
    }
    let path = Path::new(raw_path);
    let mut allow = Vec::new();
    if let Some((path, verb)) = path.split_verb()
        && let Some(root) = table.by_verb.get(verb)
    {
        let mut search = Search {
            table,
            method,
            query,
            path: &path,
            allow: &mut allow,
        };
        if let Some(index) = search.walk(root, 0) {
            return found(&table.routes[index], &path);
        }
    }
    let mut search = Search {
        table,
        method,
        query,
        path: &path,
        allow: &mut allow,
    };
    match search.walk(&table.plain, 0) {
        Some(index) => found(&table.routes[index], &path),
        None if allow.is_empty() => Lookup::NotFound,
        None => Lookup::MethodNotAllowed { allow },
    }
}

fn found<'t, R>(route: &'t Route<R>, path: &Path<'_>) -> Lookup<'t, R> {
    match Captures::of(&route.template, path) {
        Ok(captures) => Lookup::Found {
            route: &route.target,
            captures,
        },
        Err(bad) => Lookup::BadPath(bad),
    }
}

impl<R> Search<'_, R> {
    fn walk(&mut self, node: &Node, at: usize) -> Option<usize> {
        let Some(segment) = self.path.segments.get(at) else {
            let here = self.end(node);
            return here.or_else(|| node.rest.as_ref().and_then(|rest| self.walk(rest, at)));
        };
        let literal = node.literals.get(segment.as_ref());
        literal
            .and_then(|child| self.walk(child, at + 1))
            .or_else(|| match &node.single {
                Some(child) if !segment.is_empty() => self.walk(child, at + 1),
                _ => None,
            })
            .or_else(|| {
                let rest = node.rest.as_ref()?;
                (at..=self.path.len()).find_map(|next| self.walk(rest, next))
            })
    }

    /// The best route that ends at `node`.
    fn end(&mut self, node: &Node) -> Option<usize> {
        let mut best: Option<(usize, u8)> = None;
        for &index in &node.ends {
            let route = &self.table.routes[index];
            if !self.slash_fits(route) || !self.query_fits(route) {
                continue;
            }
            // `ends` is sorted by query keys: a later route of fewer keys never replaces one that fits.
            if best.is_some_and(|(best, _)| {
                self.table.routes[best].query_required != route.query_required
            }) {
                break;
            }
            match fit(route.method.as_ref(), self.method) {
                Some(fit) if best.is_none_or(|(_, best)| fit < best) => best = Some((index, fit)),
                Some(_) => {}
                None => self.allow(route.method.as_ref()),
            }
        }
        best.map(|(index, _)| index)
    }

    fn slash_fits(&self, route: &Route<R>) -> bool {
        let open_ended = || {
            route.template.segments().last() == Some(&Segment::Rest)
                && route.template.verb().is_none()
        };
        !self.path.trailing || route.slash == TrailingSlash::Optional || open_ended()
    }

    fn query_fits(&self, route: &Route<R>) -> bool {
        route
            .query_required
            .iter()
            .all(|key| has_key(self.query.unwrap_or_default(), key))
    }

    fn allow(&mut self, method: Option<&Method>) {
        let head = (method == Some(&Method::GET)).then_some(&Method::HEAD);
        for method in method.into_iter().chain(head) {
            if !self.allow.contains(method) {
                self.allow.push(method.clone());
            }
        }
    }
}

/// How well a route's method fits a request's; less is better.
fn fit(route: Option<&Method>, request: &Method) -> Option<u8> {
    match route {
        Some(method) if method == request => Some(0),
        Some(method) if method == Method::GET && request == Method::HEAD => Some(1),
        Some(_) => None,
        None => Some(2),
    }
}

fn has_key(query: &str, key: &str) -> bool {
    query.split('&').any(|pair| {
        let raw = pair.split_once('=').map_or(pair, |(key, _)| key);
        percent::decode_query(raw).is_ok_and(|decoded| decoded == key)
    })
}

fn invalid_escape(raw: &str) -> Option<usize> {
    let bytes = raw.as_bytes();
    let escapes = raw.match_indices('%').map(|(at, _)| at);
    escapes
        .into_iter()
        .find(|&at| percent::escape_at(bytes, at).is_none())
        .map(|at| at + 1)
}
