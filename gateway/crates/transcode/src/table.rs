//! Method, path and query presence -> one route.
//!
//! A trie by path segment, so that the cost of a lookup follows the length of the path and not the number of routes.
//! At every segment a literal beats `*`, which beats `**`; the search falls back to the less specific branch when
//! the specific one has no route for the request, so a catch-all that forwards to a legacy system can stand behind
//! everything. Among routes of one template the one that requires more query keys wins, then one that names the
//! method, then GET for a HEAD, then one for any method. Two routes that nothing tells apart are refused when the
//! second is inserted.
//!
//! A path is matched decoded segment by segment, so an escape never changes which route is found, and `%2F` is not a
//! separator. An invalid escape anywhere is [`Lookup::BadPath`].

mod captures;
mod search;

use std::collections::HashMap;
use std::sync::Arc;

use http::Method;

use crate::template::{PathTemplate, Segment};

pub use captures::{BadPath, Captures};

/// Whether `/movies/` is also `/movies`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum TrailingSlash {
    #[default]
    Strict,
    Optional,
}

/// Two routes that match the same requests.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{verb} {new}` matches the same requests as `{verb} {existing}`")]
pub struct Conflict {
    /// The HTTP method of both, `*` for any.
    pub verb: String,
    pub existing: String,
    pub new: String,
    /// Of the existing one, in the table.
    index: usize,
}

/// The answer to [`RouteTable::find`].
#[derive(Debug)]
pub enum Lookup<'t, R> {
    Found {
        route: &'t R,
        captures: Captures,
    },
    NotFound,
    /// The path has routes, none for this method. Never empty, in order of specificity.
    MethodNotAllowed {
        allow: Vec<Method>,
    },
    BadPath(BadPath),
}

/// Routes of any kind `R`, found by request.
#[derive(Debug, Clone)]
pub struct RouteTable<R> {
    routes: Vec<Route<R>>,
    plain: Node,
    by_verb: HashMap<String, Node>,
}

#[derive(Debug, Clone)]
struct Route<R> {
    /// `None`: any method.
    method: Option<Method>,
    template: Arc<PathTemplate>,
    /// Sorted.
    query_required: Vec<String>,
    slash: TrailingSlash,
    target: R,
}

#[derive(Debug, Clone, Default)]
struct Node {
    literals: HashMap<String, Node>,
    single: Option<Box<Node>>,
    rest: Option<Box<Node>>,
    /// Indexes into `routes`, the best match first.
    ends: Vec<usize>,
}

impl<R> Default for RouteTable<R> {
    fn default() -> Self {
        RouteTable {
            routes: Vec::new(),
            plain: Node::default(),
            by_verb: HashMap::new(),
        }
    }
}

impl<R> RouteTable<R> {
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a route for one method, or with `None` for every method that has no route of its own at this template. It
    /// is taken only for requests whose query has every key of `query_required`, with any value.
    pub fn insert(
        &mut self,
        method: impl Into<Option<Method>>,
        template: PathTemplate,
        mut query_required: Vec<String>,
        slash: TrailingSlash,
        target: R,
    ) -> Result<(), Conflict> {
        let method = method.into();
        query_required.sort();
        query_required.dedup();
        let root = match template.verb() {
            None => &mut self.plain,
            Some(verb) => self.by_verb.entry(verb.to_owned()).or_default(),
        };
        let node = template
            .segments()
            .iter()
            .fold(root, |node, segment| node.child(segment));
        let is_same =
            |route: &Route<R>| route.method == method && route.query_required == query_required;
        let same = node
            .ends
            .iter()
            .find(|&&index| is_same(&self.routes[index]));
        if let Some(&index) = same {
            return Err(Conflict {
                verb: method.map_or_else(|| "*".to_owned(), |method| method.to_string()),
                existing: self.routes[index].template.to_string(),
                new: template.to_string(),
                index,
            });
        }
        node.ends.push(self.routes.len());
        self.routes.push(Route {
            method,
            template: Arc::new(template),
            query_required,
            slash,
            target,
        });
        let routes = &self.routes;
        node.ends
            .sort_by(|&a, &b| routes[a].rank().cmp(&routes[b].rank()));
        Ok(())
    }

    /// The route that a conflict of this table is with: only its owner knows what to call it.
    pub fn existing(&self, conflict: &Conflict) -> Option<&R> {
        self.routes.get(conflict.index).map(|route| &route.target)
    }

    /// The route of a request. `raw_path` and `raw_query` are as they came, still escaped.
    pub fn find(&self, method: &Method, raw_path: &str, raw_query: Option<&str>) -> Lookup<'_, R> {
        search::find(self, method, raw_path, raw_query)
    }
}

impl<R> Route<R> {
    /// More query keys first; then by key, so that the choice never depends on the order of insertion.
    fn rank(&self) -> (std::cmp::Reverse<usize>, &[String]) {
        (
            std::cmp::Reverse(self.query_required.len()),
            &self.query_required,
        )
    }
}

impl Node {
    fn child(&mut self, segment: &Segment) -> &mut Node {
        match segment {
            Segment::Literal(text) => self.literals.entry(text.clone()).or_default(),
            Segment::Single => self.single.get_or_insert_default(),
            Segment::Rest => self.rest.get_or_insert_default(),
        }
    }
}

#[cfg(test)]
mod tests;
