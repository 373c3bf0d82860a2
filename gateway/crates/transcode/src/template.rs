//! Path templates in the syntax of `google.api.http`:
//!
//! ```text
//! template  = "/" [ segments ] [ ":" verb ]
//! segments  = segment { "/" segment }
//! segment   = "*" | "**" | literal | "{" field_path [ "=" segments ] "}"
//! ```
//!
//! A variable stands for the segments of its inner pattern (`*` when it has none). `**` may stand anywhere, once per
//! template, which keeps matching linear. `/` alone is the root. Literals are compared decoded, so `%20` in a
//! template and in a request mean the same.

use std::fmt;
use std::ops::Range;

use crate::percent::{self, Keep};

/// One step of a template.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Segment {
    /// Exactly this text, decoded.
    Literal(String),
    /// `*`: one segment that is not empty.
    Single,
    /// `**`: any number of segments, none included.
    Rest,
}

/// A part of the path that is bound to a field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Variable {
    /// `["booking", "name"]` for `{booking.name=...}`.
    pub field: Vec<String>,
    /// Which segments of the template it covers.
    pub segments: Range<usize>,
}

/// A parsed template.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PathTemplate {
    text: String,
    segments: Vec<Segment>,
    verb: Option<String>,
    variables: Vec<Variable>,
}

/// Where a template is wrong; columns count bytes from 1.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{template}: column {column}: {problem}")]
pub struct TemplateError {
    pub template: String,
    pub column: usize,
    pub problem: &'static str,
}

impl PathTemplate {
    /// Parses a template; the error names the column.
    pub fn parse(text: &str) -> Result<Self, TemplateError> {
        let mut parser = Parser {
            text,
            at: 0,
            segments: Vec::new(),
            variables: Vec::new(),
        };
        let verb = parser.template().map_err(|problem| TemplateError {
            template: text.to_owned(),
            column: parser.at + 1,
            problem,
        })?;
        Ok(PathTemplate {
            text: text.to_owned(),
            segments: parser.segments,
            verb,
            variables: parser.variables,
        })
    }

    /// The template as it was written.
    pub fn as_str(&self) -> &str {
        &self.text
    }

    pub fn segments(&self) -> &[Segment] {
        &self.segments
    }

    /// `confirm` of `/v1/{name=bookings/*}:confirm`.
    pub fn verb(&self) -> Option<&str> {
        self.verb.as_deref()
    }

    /// The variables from left to right.
    pub fn variables(&self) -> &[Variable] {
        &self.variables
    }

    /// Whether a variable covers exactly one `*`, and so is decoded fully.
    pub(crate) fn is_single(&self, variable: &Variable) -> bool {
        matches!(
            self.segments.get(variable.segments.clone()),
            Some([Segment::Single])
        )
    }
}

impl fmt::Display for PathTemplate {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

struct Parser<'a> {
    text: &'a str,
    at: usize,
    segments: Vec<Segment>,
    variables: Vec<Variable>,
}

impl Parser<'_> {
    fn template(&mut self) -> Result<Option<String>, &'static str> {
        if !self.eat(b'/') {
            return Err("a template begins with `/`");
        }
        if self.at == self.text.len() {
            return Ok(None);
        }
        self.path(false)?;
        let verb = if self.eat(b':') {
            Some(self.literal()?)
        } else {
            None
        };
        match self.peek() {
            None => Ok(verb),
            Some(b'}') => Err("`}` without `{`"),
            Some(_) => Err("expected `/`, `:` or the end"),
        }
    }

    fn path(&mut self, inside: bool) -> Result<(), &'static str> {
        loop {
            self.segment(inside)?;
            if !self.eat(b'/') {
                return Ok(());
            }
        }
    }

    fn segment(&mut self, inside: bool) -> Result<(), &'static str> {
        match self.peek() {
            Some(b'*') => {
                let start = self.at;
                self.at += 1;
                if !self.eat(b'*') {
                    self.segments.push(Segment::Single);
                } else if self.segments.contains(&Segment::Rest) {
                    self.at = start;
                    return Err("`**` may stand only once in a template");
                } else {
                    self.segments.push(Segment::Rest);
                }
                Ok(())
            }
            Some(b'{') if inside => Err("a variable inside a variable"),
            Some(b'{') => self.variable(),
            _ => {
                let literal = self.literal()?;
                self.segments.push(Segment::Literal(literal));
                Ok(())
            }
        }
    }

    fn variable(&mut self) -> Result<(), &'static str> {
        self.at += 1;
        let start = self.at;
        let first = self.segments.len();
        let mut field = vec![self.ident()?];
        while self.eat(b'.') {
            field.push(self.ident()?);
        }
        if self.variables.iter().any(|other| other.field == field) {
            self.at = start;
            return Err("the variable is bound twice");
        }
        if self.eat(b'=') {
            self.path(true)?;
        } else {
            self.segments.push(Segment::Single);
        }
        if !self.eat(b'}') {
            return Err("expected `}`");
        }
        self.variables.push(Variable {
            field,
            segments: first..self.segments.len(),
        });
        Ok(())
    }

    fn ident(&mut self) -> Result<String, &'static str> {
        let rest = &self.text[self.at..];
        let len = rest
            .bytes()
            .take_while(|b| b.is_ascii_alphanumeric() || *b == b'_')
            .count();
        if len == 0 || rest.as_bytes()[0].is_ascii_digit() {
            return Err("expected a field name");
        }
        self.at += len;
        Ok(rest[..len].to_owned())
    }

    fn literal(&mut self) -> Result<String, &'static str> {
        let rest = &self.text[self.at..];
        let len = rest.bytes().take_while(|b| is_literal(*b)).count();
        if len == 0 {
            return Err(match rest.bytes().next() {
                None | Some(b'/' | b':' | b'}') => "expected a segment",
                Some(_) => "this character cannot stand in a template",
            });
        }
        let Ok(decoded) = percent::decode_path(&rest[..len], Keep::Nothing) else {
            return Err("an invalid percent escape in this segment");
        };
        self.at += len;
        Ok(decoded.into_owned())
    }

    fn peek(&self) -> Option<u8> {
        self.text.as_bytes().get(self.at).copied()
    }

    fn eat(&mut self, byte: u8) -> bool {
        let found = self.peek() == Some(byte);
        self.at += usize::from(found);
        found
    }
}

/// The characters of a path segment (RFC 3986, 3.3) without those that templates give a meaning to.
fn is_literal(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%!$&'()+,;=@".contains(&byte)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, segments: &str, verb: Option<&str>, variables: &[(&str, Range<usize>)]) {
        let template = PathTemplate::parse(text).unwrap();
        let shown: Vec<_> = template
            .segments()
            .iter()
            .map(|segment| match segment {
                Segment::Literal(literal) => literal.as_str(),
                Segment::Single => "*",
                Segment::Rest => "**",
            })
            .collect();
        assert_eq!(shown.join("/"), segments);
        assert_eq!(template.verb(), verb);
        let bound: Vec<_> = template
            .variables()
            .iter()
            .map(|v| (v.field.join("."), v.segments.clone()))
            .collect();
        let want: Vec<_> = variables
            .iter()
            .map(|(f, r)| ((*f).to_owned(), r.clone()))
            .collect();
        assert_eq!(bound, want);
    }

    #[track_caller]
    fn check_error(text: &str, column: usize, problem: &str) {
        let error = PathTemplate::parse(text).unwrap_err();
        assert_eq!((error.column, error.problem), (column, problem));
        assert_eq!(
            error.to_string(),
            format!("{text}: column {column}: {problem}")
        );
    }

    #[test]
    fn templates_parse() {
        check("/", "", None, &[]);
        check("/v1/movies", "v1/movies", None, &[]);
        check("/v1/*/x", "v1/*/x", None, &[]);
        check("/app/**", "app/**", None, &[]);
        check("/v1/{id}", "v1/*", None, &[("id", 1..2)]);
        check(
            "/v1/{name=movies/*}",
            "v1/movies/*",
            None,
            &[("name", 1..3)],
        );
        check(
            "/v1/{a.b=x/*/y}/{c=**}:go",
            "v1/x/*/y/**",
            Some("go"),
            &[("a.b", 1..4), ("c", 4..5)],
        );
        check("/{a=**}/tail", "**/tail", None, &[("a", 0..1)]);
        check(
            "/v1/{a=x/**/y}/{b.c.d}",
            "v1/x/**/y/*",
            None,
            &[("a", 1..4), ("b.c.d", 4..5)],
        );
        check(
            "/v1/**/{a=*/b/*}:x%3Ay",
            "v1/**/*/b/*",
            Some("x:y"),
            &[("a", 2..5)],
        );
        check("/{a=*}", "*", None, &[("a", 0..1)]);
        check("/v1/{a=b}", "v1/b", None, &[("a", 1..2)]);
        check("/v1/*:go", "v1/*", Some("go"), &[]);
        check("/a%20b", "a b", None, &[]);
        check(
            "/v1/{name=bookings/*}:confirm",
            "v1/bookings/*",
            Some("confirm"),
            &[("name", 1..3)],
        );
    }

    #[test]
    fn errors_name_the_column() {
        check_error("", 1, "a template begins with `/`");
        check_error("v1", 1, "a template begins with `/`");
        check_error("//", 2, "expected a segment");
        check_error("/v1/", 5, "expected a segment");
        check_error("/v1/{", 6, "expected a field name");
        check_error("/v1/{1a}", 6, "expected a field name");
        check_error("/v1/{a", 7, "expected `}`");
        check_error("/v1/{a=}", 8, "expected a segment");
        check_error("/v1/{a={b}}", 8, "a variable inside a variable");
        check_error("/v1/{a}/{a}", 10, "the variable is bound twice");
        check_error("/v1/a}", 6, "`}` without `{`");
        check_error("/v1/**/**", 8, "`**` may stand only once in a template");
        check_error("/v1/{a}b", 8, "expected `/`, `:` or the end");
        check_error("/v1/a:", 7, "expected a segment");
        check_error("/v1/a:b:c", 8, "expected `/`, `:` or the end");
        check_error("/v1/ж", 5, "this character cannot stand in a template");
        check_error("/v1/a?b", 6, "expected `/`, `:` or the end");
        check_error("/v1/{a.}", 8, "expected a field name");
        check_error(
            "/v1/{a=**}/{b=**}",
            15,
            "`**` may stand only once in a template",
        );
        check_error("/v1/{a", 7, "expected `}`");
        check_error("/v1/***", 7, "expected `/`, `:` or the end");
        check_error("/:go", 2, "expected a segment");
        check_error("/v1/{a-b}", 7, "expected `}`");
        check_error("/v1/%4", 5, "an invalid percent escape in this segment");
    }
}
