//! Which route a request finds, which routes conflict, and what a path that fits none is told.

use super::*;

#[derive(Default)]
struct Routes(RouteTable<&'static str>);

impl Routes {
    fn add(mut self, route: &'static str) -> Self {
        let (method, path) = route.split_once(' ').unwrap();
        let (path, query) = path.split_once('?').unwrap_or((path, ""));
        let query = query
            .split('&')
            .filter(|key| !key.is_empty())
            .map(str::to_owned)
            .collect();
        let template = PathTemplate::parse(path.trim_end_matches('~')).unwrap();
        let slash = if path.ends_with('~') {
            TrailingSlash::Optional
        } else {
            TrailingSlash::Strict
        };
        let method = (method != "*").then(|| method.parse().unwrap());
        self.0
            .insert(method, template, query, slash, route)
            .unwrap();
        self
    }

    #[track_caller]
    fn check(&self, request: &str, want: &str) -> &Self {
        let (method, target) = request.split_once(' ').unwrap();
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(p, q)| (p, Some(q)));
        let got = match self.0.find(&method.parse().unwrap(), path, query) {
            Lookup::Found { route, captures } => [&[(*route).to_owned()], captures.values()]
                .concat()
                .join(" | "),
            Lookup::NotFound => "not found".to_owned(),
            Lookup::MethodNotAllowed { allow } => {
                format!(
                    "allow {}",
                    allow
                        .iter()
                        .map(Method::as_str)
                        .collect::<Vec<_>>()
                        .join(",")
                )
            }
            Lookup::BadPath(bad) => bad.to_string(),
        };
        assert_eq!(got, want, "{request}");
        self
    }
}

#[test]
fn the_more_specific_segment_wins() {
    Routes::default()
        .add("GET /v1/movies")
        .add("GET /v1/movies/{id}")
        .add("GET /v1/movies/top")
        .add("GET /v1/{kind}/{id}")
        .add("GET /v1/{rest=**}")
        .add("GET /v1/{a=**}/tail")
        .check("GET /v1/movies", "GET /v1/movies")
        .check("GET /v1/movies/top", "GET /v1/movies/top")
        .check("GET /v1/movies/7", "GET /v1/movies/{id} | 7")
        .check("GET /v1/halls/7", "GET /v1/{kind}/{id} | halls | 7")
        .check("GET /v1/a/b/c", "GET /v1/{rest=**} | a/b/c")
        .check("GET /v1/a/b/tail", "GET /v1/{a=**}/tail | a/b")
        .check("GET /v1/tail", "GET /v1/{a=**}/tail | ")
        .check("GET /v1", "GET /v1/{rest=**} | ")
        .check("GET /v2", "not found")
        .check("GET v1", "not found");
}

#[test]
fn a_specific_branch_without_a_route_falls_back() {
    Routes::default()
        .add("GET /api/movies")
        .add("GET /api/movies/{id}/seats")
        .add("* /api/**")
        .check("GET /api/movies", "GET /api/movies")
        .check("POST /api/movies", "* /api/**")
        .check("GET /api/movies/1/halls", "* /api/**")
        .check("DELETE /api/", "* /api/**");
}

#[test]
fn head_is_answered_by_get_unless_it_has_a_route() {
    Routes::default()
        .add("GET /a")
        .add("GET /b")
        .add("HEAD /b")
        .add("* /b")
        .check("HEAD /a", "GET /a")
        .check("HEAD /b", "HEAD /b")
        .check("PUT /b", "* /b")
        .check("POST /a", "allow GET,HEAD");
}

#[test]
fn other_methods_of_a_path_are_named() {
    Routes::default()
        .add("POST /v1/{id}")
        .add("DELETE /v1/{id}")
        .add("POST /v1/{id}:go")
        .check("GET /v1/7", "allow POST,DELETE")
        .check("GET /v1/7:go", "allow POST,DELETE")
        .check("GET /v1", "not found");
}

#[test]
fn verbs_are_told_from_ids() {
    Routes::default()
        .add("GET /v1/{name=bookings/*}")
        .add("POST /v1/{name=bookings/*}:confirm")
        .check(
            "POST /v1/bookings/b1:confirm",
            "POST /v1/{name=bookings/*}:confirm | bookings/b1",
        )
        .check(
            "POST /v1/bookings/a:b:confirm",
            "POST /v1/{name=bookings/*}:confirm | bookings/a:b",
        )
        .check(
            "GET /v1/bookings/a:b",
            "GET /v1/{name=bookings/*} | bookings/a:b",
        )
        .check(
            "GET /v1/bookings/b1%3Aconfirm",
            "GET /v1/{name=bookings/*} | bookings/b1:confirm",
        )
        .check("POST /v1/bookings/b1:confirm/", "not found");
}

#[test]
fn query_keys_choose_among_routes_of_one_template() {
    Routes::default()
        .add("GET /movies")
        .add("GET /movies?id")
        .add("GET /users?id")
        .check("GET /movies", "GET /movies")
        .check("GET /movies?x=1", "GET /movies")
        .check("GET /movies?id=1", "GET /movies?id")
        .check("GET /movies?x=1&id", "GET /movies?id")
        .check("GET /movies?%69d=1", "GET /movies?id")
        .check("GET /users", "not found");
}

#[test]
fn a_trailing_slash_is_the_routes_choice() {
    Routes::default()
        .add("GET /strict")
        .add("GET /loose~")
        .add("GET /loose/{id}~")
        .add("GET /files/{name=**}")
        .add("GET /")
        .check("GET /strict/", "not found")
        .check("GET /loose/", "GET /loose~")
        .check("GET /loose//", "not found")
        .check("GET /loose/7/", "GET /loose/{id}~ | 7")
        .check("GET /files/a/", "GET /files/{name=**} | a/")
        .check("GET /files/", "GET /files/{name=**} | ")
        .check("GET /", "GET /");
}

#[test]
fn escapes_never_change_the_route() {
    Routes::default()
        .add("GET /v1/movies/{id}")
        .add("GET /v1/{name=files/*}")
        .check("GET /v1/mov%69es/a%2Fb", "GET /v1/movies/{id} | a/b")
        .check(
            "GET /v1/files/a%2Fb%20c",
            "GET /v1/{name=files/*} | files/a%2Fb c",
        )
        .check("GET /v1%2Fmovies/1", "not found")
        .check(
            "GET /v1/movies/%",
            "the path has an invalid percent escape at column 12",
        )
        .check("GET /v1/movies/%FF", "`id` in the path is not UTF-8")
        .check("GET /v1/movies/", "not found");
}

#[test]
fn a_rest_in_the_middle_leaves_over_what_stands_around_it() {
    Routes::default()
        .add("GET /v1/{a=x/**/y}/{b}")
        .add("GET /v1/{a=x/**/y}/{b}:go")
        .check("GET /v1/x/y/1", "GET /v1/{a=x/**/y}/{b} | x/y | 1")
        .check("GET /v1/x/1/2/y/3", "GET /v1/{a=x/**/y}/{b} | x/1/2/y | 3")
        .check("GET /v1/x/y/y/y/3", "GET /v1/{a=x/**/y}/{b} | x/y/y/y | 3")
        .check(
            "GET /v1/x/a%2Fb/y/c%2Fd",
            "GET /v1/{a=x/**/y}/{b} | x/a%2Fb/y | c/d",
        )
        .check(
            "GET /v1/x/1/y/2:go",
            "GET /v1/{a=x/**/y}/{b}:go | x/1/y | 2",
        )
        .check("GET /v1/x/1/z/3", "not found")
        .check("GET /v1/x/1/y/", "not found");
}

#[test]
fn captures_are_found_by_name() {
    let routes = Routes::default().add("GET /v1/{a.b=x/*}/{c}");
    let Lookup::Found { captures, .. } = routes.0.find(&Method::GET, "/v1/x/1/2", None) else {
        panic!("no route");
    };
    assert_eq!(
        (captures.get("a.b"), captures.get("c"), captures.get("d")),
        (Some("x/1"), Some("2"), None)
    );
}

#[test]
fn routes_that_match_the_same_requests_are_refused() {
    #[track_caller]
    fn check(first: &'static str, second: &'static str, conflict: bool) {
        let mut table = RouteTable::new();
        let parse = |text| PathTemplate::parse(text).unwrap();
        table
            .insert(
                Method::GET,
                parse(first),
                vec![],
                TrailingSlash::Strict,
                first,
            )
            .unwrap();
        let got = table.insert(
            Method::GET,
            parse(second),
            vec![],
            TrailingSlash::Optional,
            second,
        );
        let want = format!("`GET {second}` matches the same requests as `GET {first}`");
        let got = got.err();
        let existing = got.as_ref().and_then(|conflict| table.existing(conflict));
        assert_eq!(existing, conflict.then_some(&first));
        assert_eq!(
            got.map(|conflict| conflict.to_string()),
            conflict.then_some(want)
        );
    }
    check("/v1/{a}", "/v1/{b}", true);
    check("/v1/{name=movies/*}", "/v1/movies/{id}", true);
    check("/v1/{a}:x", "/v1/{b}:x", true);
    check("/v1/{a}:x", "/v1/{b}", false);
    check("/v1/{a}:x", "/v1/{b}:y", false);
    check("/v1/*/c", "/v1/b/*", false);
    check("/v1/**", "/v1/*", false);
}
