//! One route, asked as a client would.

use banyan_transcode::{
    Incoming, Lookup, NameForm, Options, RouteTable, TrailingSlash, Transcoder, Violations,
};
use bytes::Bytes;

use crate::support::{method, plans, rule};

pub(crate) struct Route {
    table: RouteTable<()>,
    pub(crate) transcoder: Transcoder,
    input: String,
    output: String,
    http: http::Method,
}

impl Route {
    pub(crate) fn new(name: &str, text: &str, options: &Options) -> Self {
        let (method, rule) = (method(name), rule(text));
        let transcoder = Transcoder::new(&method, &rule, options).unwrap();
        let mut table = RouteTable::new();
        table
            .insert(
                rule.method.clone(),
                rule.template,
                vec![],
                TrailingSlash::Strict,
                (),
            )
            .unwrap();
        Route {
            table,
            transcoder,
            input: method.input().full_name().to_owned(),
            output: method.output().full_name().to_owned(),
            http: rule.method.unwrap_or_default(),
        }
    }

    /// The message as JSON, or the violations as `field: KIND description`.
    pub(crate) fn send(&self, target: &str, body: &str) -> String {
        self.send_with_id(target, body, None)
    }

    /// With the id of the request beside it.
    pub(crate) fn send_with_id(&self, target: &str, body: &str, id: Option<&str>) -> String {
        self.send_with(target, body, id, None)
    }

    pub(crate) fn send_with(
        &self,
        target: &str,
        body: &str,
        id: Option<&str>,
        if_match: Option<&str>,
    ) -> String {
        let (path, query) = target
            .split_once('?')
            .map_or((target, None), |(p, q)| (p, Some(q)));
        let Lookup::Found { captures, .. } = self.table.find(&self.http, path, query) else {
            panic!("no route for {target}");
        };
        let incoming = Incoming {
            query,
            body: body.as_bytes(),
            request_id: id,
            if_match,
            ..Incoming::new(&captures)
        };
        self.show(self.transcoder.request(&incoming))
    }

    pub(crate) fn find(&self, path: &str) -> Lookup<'_, ()> {
        self.table.find(&self.http, path, None)
    }

    /// The message as JSON, or what is wrong.
    pub(crate) fn show(&self, result: Result<Bytes, Violations>) -> String {
        match result {
            Ok(wire) => show(&self.input, &wire),
            Err(violations) => {
                let lines = violations
                    .iter()
                    .map(|v| format!("{}: {} {}", v.field, v.kind.reason(), v.description));
                lines.collect::<Vec<_>>().join("\n")
            }
        }
    }

    #[track_caller]
    pub(crate) fn check(&self, target: &str, body: &str, want: &str) -> &Self {
        assert_eq!(self.send(target, body), want, "{target} {body}");
        self
    }

    #[track_caller]
    pub(crate) fn answer(&self, json: &str, want: &str) {
        let wire = plans()
            .encode(&self.output, json.as_bytes(), &Options::default())
            .unwrap()
            .unwrap();
        self.answer_wire(&wire, want);
    }

    #[track_caller]
    pub(crate) fn answer_wire(&self, wire: &[u8], want: &str) {
        assert_eq!(
            String::from_utf8(self.transcoder.response(wire).unwrap().to_vec()).unwrap(),
            want
        );
    }
}

/// A message as JSON with the names of its contract.
pub(crate) fn show(message: &str, wire: &[u8]) -> String {
    let options = Options {
        names: NameForm::Proto,
        ..Options::default()
    };
    String::from_utf8(
        plans()
            .decode(message, wire, &options)
            .unwrap()
            .unwrap()
            .to_vec(),
    )
    .unwrap()
}
