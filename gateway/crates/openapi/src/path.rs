//! Templates as paths that people read: `/v1/{name=bookings/*}:confirm` -> `/v1/bookings/{booking}:confirm`.
//!
//! A variable over several segments becomes one parameter for each of its `*`, called as the resource's own pattern
//! calls it, else after the collection before it. Two paths that differ only in the names of their parameters are one
//! path to OpenAPI, so the first names win ([`Spellings`]).

use std::{collections::HashMap, ops::Range};

use banyan_transcode::{HttpRule, PathTemplate};

use crate::{
    annotations::Resources,
    names::singular,
    operation::{Mount, Operation},
};
use banyan_transcode::template::{Segment, Variable};

/// A path with its parameters from left to right.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Path {
    pub(crate) text: String,
    pub(crate) parameters: Vec<Parameter>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Parameter {
    pub(crate) name: String,
    pub(crate) holds: Holds,
}

/// What a parameter stands for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Holds {
    /// All of a field.
    Field(Vec<String>),
    /// One step of a field whose text is `pattern`.
    Part { field: Vec<String>, pattern: String },
    /// All of a field, or nothing of a message: any number of segments.
    Rest(Option<Vec<String>>),
    /// One segment that means nothing.
    Anything,
    /// The place that the operation is mounted at.
    Member(Vec<String>),
}

/// The paths that have been met, by their shape.
#[derive(Debug, Default)]
pub(crate) struct Spellings {
    names: HashMap<String, Vec<String>>,
}

impl Spellings {
    /// The path of an operation, spelled as the first of its shape.
    pub(crate) fn path(&mut self, operation: &Operation, resources: &Resources) -> Path {
        let mut builder = Builder::new(operation.mount.as_ref());
        builder.template(&operation.rule, resources);
        let shape = builder.shape();
        let own = builder.parameters.iter().map(|it| it.name.clone());
        let names = self.names.entry(shape).or_insert_with(|| own.collect());
        for (parameter, name) in builder.parameters.iter_mut().zip(names) {
            parameter.name.clone_from(name);
        }
        builder.finish()
    }
}

/// Literals and parameters in turn.
struct Builder {
    /// One more than there are parameters.
    literals: Vec<String>,
    parameters: Vec<Parameter>,
}

impl Builder {
    fn new(mount: Option<&Mount>) -> Builder {
        let mut builder = Builder {
            literals: vec![String::new()],
            parameters: Vec::new(),
        };
        if let Some(mount) = mount {
            let collection = mount.prefix.rsplit('/').next().unwrap_or_default();
            builder.text(&format!("{}/", mount.prefix));
            builder.push(singular(collection), Holds::Member(mount.members.clone()));
        }
        builder
    }

    fn template(&mut self, rule: &HttpRule, resources: &Resources) {
        let template = &rule.template;
        let segments = template.segments();
        let mut at = 0;
        while at < segments.len() {
            let variable = template
                .variables()
                .iter()
                .find(|it| it.segments.start == at);
            match variable {
                Some(variable) if !variable.segments.is_empty() => {
                    self.variable(template, variable, resources);
                    at = variable.segments.end;
                }
                _ => {
                    self.step(&segments[at], |_| match segments[at] {
                        Segment::Rest => ("rest".to_owned(), Holds::Rest(None)),
                        _ => ("segment".to_owned(), Holds::Anything),
                    });
                    at += 1;
                }
            }
        }
        if segments.is_empty() {
            self.text("/");
        }
        if let Some(verb) = template.verb() {
            self.text(&format!(":{verb}"));
        }
    }

    fn variable(&mut self, template: &PathTemplate, variable: &Variable, resources: &Resources) {
        let segments = &template.segments()[variable.segments.clone()];
        let name = variable.field.join(".");
        if let [single] = segments {
            self.step(single, |segment| match segment {
                Segment::Rest => (name, Holds::Rest(Some(variable.field.clone()))),
                _ => (name, Holds::Field(variable.field.clone())),
            });
            return;
        }
        let names = Names::of(template, variable.segments.clone(), resources);
        for (index, segment) in segments.iter().enumerate() {
            let own = names.name(index).unwrap_or_else(|| name.clone());
            self.step(segment, |_| {
                let part = Holds::Part {
                    field: variable.field.clone(),
                    pattern: names.pattern(),
                };
                (own, part)
            });
        }
    }

    /// A slash, and then a literal or what `parameter` makes of the rest.
    fn step(&mut self, segment: &Segment, parameter: impl FnOnce(&Segment) -> (String, Holds)) {
        self.text("/");
        match segment {
            Segment::Literal(literal) => self.text(&encoded(literal)),
            other => {
                let (name, holds) = parameter(other);
                self.push(name, holds);
            }
        }
    }

    fn text(&mut self, text: &str) {
        if let Some(last) = self.literals.last_mut() {
            last.push_str(text);
        }
    }

    fn push(&mut self, name: String, holds: Holds) {
        let is_taken = |name: &str| self.parameters.iter().any(|other| other.name == name);
        let mut free = name.clone();
        let mut count = 2;
        while is_taken(&free) {
            free = format!("{name}_{count}");
            count += 1;
        }
        self.parameters.push(Parameter { name: free, holds });
        self.literals.push(String::new());
    }

    fn shape(&self) -> String {
        self.literals.join("{}")
    }

    fn finish(self) -> Path {
        let mut text = String::new();
        for (index, literal) in self.literals.iter().enumerate() {
            text.push_str(literal);
            if let Some(parameter) = self.parameters.get(index) {
                text.push_str(&format!("{{{}}}", parameter.name));
            }
        }
        Path {
            text,
            parameters: self.parameters,
        }
    }
}

/// What the segments of a variable are called: `hotels/*` -> `hotels`, `hotel`.
struct Names {
    steps: Vec<(String, Option<String>)>,
}

impl Names {
    fn of(template: &PathTemplate, range: Range<usize>, resources: &Resources) -> Names {
        let segments = &template.segments()[range];
        let shape: Vec<_> = segments
            .iter()
            .map(|segment| match segment {
                Segment::Literal(literal) => literal.as_str(),
                Segment::Single => "*",
                Segment::Rest => "**",
            })
            .collect();
        let declared = resources.variables(&shape.join("/"));
        let mut declared = declared.unwrap_or_default().into_iter();
        let mut before: Option<&str> = None;
        let steps = shape.into_iter().map(|step| {
            if !step.starts_with('*') {
                before = Some(step);
                return (step.to_owned(), None);
            }
            let name = declared.next().or_else(|| before.map(singular));
            before = None;
            (step.to_owned(), name)
        });
        Names {
            steps: steps.collect(),
        }
    }

    fn name(&self, index: usize) -> Option<String> {
        self.steps.get(index).and_then(|(_, name)| name.clone())
    }

    /// `hotels/{hotel}`
    fn pattern(&self) -> String {
        let steps = self.steps.iter().map(|(step, name)| match name {
            Some(name) => format!("{{{name}}}"),
            None => step.clone(),
        });
        steps.collect::<Vec<_>>().join("/")
    }
}

/// A literal as it stands in a URL.
fn encoded(literal: &str) -> String {
    let mut out = String::with_capacity(literal.len());
    for byte in literal.bytes() {
        match byte.is_ascii_alphanumeric() || b"-._~!$&'()+,;=@:".contains(&byte) {
            true => out.push(char::from(byte)),
            false => out.push_str(&format!("%{byte:02X}")),
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn built(template: &str, mount: Option<Mount>) -> Builder {
        let rule = HttpRule {
            method: Some(http::Method::GET),
            template: PathTemplate::parse(template).unwrap(),
            body: String::new(),
            response_body: String::new(),
        };
        let mut builder = Builder::new(mount.as_ref());
        builder.template(&rule, &Resources::default());
        builder
    }

    #[track_caller]
    fn check(template: &str, want: &str) {
        assert_eq!(built(template, None).finish().text, want, "{template}");
    }

    #[test]
    fn templates_become_paths() {
        check("/", "/");
        check("/v1/movies", "/v1/movies");
        check("/movies/{movie_id}", "/movies/{movie_id}");
        check("/v1/{a.b}", "/v1/{a.b}");
        check(
            "/v1/{name=bookings/*}:confirm",
            "/v1/bookings/{booking}:confirm",
        );
        check(
            "/v1/{name=hotels/*/roomTypes/*/roomPlan}",
            "/v1/hotels/{hotel}/roomTypes/{room_type}/roomPlan",
        );
        check("/v1/{name=*/*}", "/v1/{name}/{name_2}");
        check("/v1/{name=files/**}", "/v1/files/{file}");
        check("/v1/{name=**}/tail", "/v1/{name}/tail");
        check("/v1/*/x/**", "/v1/{segment}/x/{rest}");
        check("/a%20b/%7B", "/a%20b/%7B");
        check("/v1/{a=x/*}/{b=x/*}", "/v1/x/{x}/x/{x_2}");
    }

    #[test]
    fn members_of_a_mount_are_a_parameter() {
        let mount = Mount {
            prefix: "/cities".to_owned(),
            members: vec!["1".to_owned()],
        };
        let path = built("/movies/{movie_id}", Some(mount)).finish();
        assert_eq!(path.text, "/cities/{city}/movies/{movie_id}");
        assert_eq!(
            path.parameters[0].holds,
            Holds::Member(vec!["1".to_owned()])
        );
    }

    #[test]
    fn a_part_says_what_it_is_a_part_of() {
        let path = built("/v1/{name=hotels/*/rooms/*}", None).finish();
        let want = Holds::Part {
            field: vec!["name".to_owned()],
            pattern: "hotels/{hotel}/rooms/{room}".to_owned(),
        };
        assert_eq!(path.parameters[1].holds, want);
    }
}
