//! A JSON tokenizer over bytes (RFC 8259, nothing more): no value tree, strings borrowed where they have no escape.
//!
//! It never panics and never recurses deeper than [`DEPTH_MAX`]. The reader drives it and decides what a token means.

use std::borrow::Cow;

use super::plain::plain_len;
use crate::percent::hex;
use crate::wire::DEPTH_MAX;

/// Where a text stops being JSON.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Syntax {
    /// Byte offset from 0.
    pub(crate) at: usize,
    pub(crate) problem: &'static str,
}

#[derive(Debug, Clone)]
pub(crate) struct Lexer<'j> {
    input: &'j [u8],
    at: usize,
}

impl<'j> Lexer<'j> {
    pub(crate) fn new(input: &'j [u8]) -> Self {
        Lexer { input, at: 0 }
    }

    fn error<T>(&self, problem: &'static str) -> Result<T, Syntax> {
        Err(Syntax {
            at: self.at,
            problem,
        })
    }

    /// The first byte of the next token.
    pub(crate) fn peek(&mut self) -> Result<u8, Syntax> {
        while let Some(&byte) = self.input.get(self.at) {
            if !matches!(byte, b' ' | b'\t' | b'\n' | b'\r') {
                return Ok(byte);
            }
            self.at += 1;
        }
        self.error("the text ends too early")
    }

    pub(crate) fn expect(&mut self, byte: u8, problem: &'static str) -> Result<(), Syntax> {
        if self.peek()? != byte {
            return self.error(problem);
        }
        self.at += 1;
        Ok(())
    }

    /// Nothing may follow but white space.
    pub(crate) fn end(&mut self) -> Result<(), Syntax> {
        match self.peek() {
            Err(_) => Ok(()),
            Ok(_) => self.error("something follows the value"),
        }
    }

    /// Opens an object or an array: `depth` is how many are open already.
    pub(crate) fn open(&mut self, bracket: u8, depth: usize) -> Result<(), Syntax> {
        if depth >= DEPTH_MAX {
            return self.error("values are nested too deeply");
        }
        self.expect(bracket, "expected `{` or `[`")
    }

    /// Steps to the next member, or over `close`.
    pub(crate) fn more(&mut self, close: u8, first: &mut bool) -> Result<bool, Syntax> {
        if self.peek()? == close {
            self.at += 1;
            return Ok(false);
        }
        if !std::mem::take(first) {
            self.expect(b',', "expected `,` or the end of the object or array")?;
            if self.peek()? == close {
                return self.error("a comma before the end");
            }
        }
        Ok(true)
    }

    /// A member's name and its colon.
    pub(crate) fn key(&mut self) -> Result<Cow<'j, str>, Syntax> {
        if self.peek()? != b'"' {
            return self.error("expected a name in quotes");
        }
        let key = self.string()?;
        self.expect(b':', "expected `:`")?;
        Ok(key)
    }

    pub(crate) fn literal(&mut self, text: &'static str) -> Result<(), Syntax> {
        if !self.input[self.at..].starts_with(text.as_bytes()) {
            return self.error("expected a value");
        }
        self.at += text.len();
        if self
            .input
            .get(self.at)
            .is_some_and(u8::is_ascii_alphanumeric)
        {
            return self.error("expected a value");
        }
        Ok(())
    }

    /// A number by the grammar of JSON, as text.
    pub(crate) fn number(&mut self) -> Result<&'j str, Syntax> {
        let len = number_len(&self.input[self.at..]);
        let text = std::str::from_utf8(&self.input[self.at..self.at + len]).unwrap_or_default();
        let next = self.input.get(self.at + len);
        if len == 0
            || next.is_some_and(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'+' | b'-'))
        {
            return self.error("expected a number");
        }
        self.at += len;
        Ok(text)
    }

    /// A string; the caller has seen its quote.
    pub(crate) fn string(&mut self) -> Result<Cow<'j, str>, Syntax> {
        let start = self.at + 1;
        let plain = plain_len(self.input.get(start..).unwrap_or_default());
        if start + plain >= self.input.len() {
            self.at = self.input.len();
            return self.error("a string is not closed");
        }
        let head = self.utf8(start, start + plain)?;
        self.at = start + plain;
        if self.input[self.at] == b'"' {
            self.at += 1;
            return Ok(Cow::Borrowed(head));
        }
        self.escaped(head.to_owned()).map(Cow::Owned)
    }

    fn utf8(&self, start: usize, end: usize) -> Result<&'j str, Syntax> {
        std::str::from_utf8(&self.input[start..end]).map_err(|error| Syntax {
            at: start + error.valid_up_to(),
            problem: "the text is not UTF-8",
        })
    }

    /// The rest of a string from its first escape on.
    fn escaped(&mut self, mut text: String) -> Result<String, Syntax> {
        loop {
            let start = self.at;
            self.at += plain_len(&self.input[self.at..]);
            text.push_str(self.utf8(start, self.at)?);
            match self.input.get(self.at) {
                Some(b'"') => {
                    self.at += 1;
                    return Ok(text);
                }
                Some(b'\\') => text.push(self.escape()?),
                Some(_) => return self.error("a control character in a string"),
                None => return self.error("a string is not closed"),
            }
        }
    }

    fn escape(&mut self) -> Result<char, Syntax> {
        let kind = self.input.get(self.at + 1).copied().unwrap_or_default();
        let plain = match kind {
            b'"' | b'\\' | b'/' => char::from(kind),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => return self.unicode(),
            _ => return self.error("an unknown escape in a string"),
        };
        self.at += 2;
        Ok(plain)
    }

    fn unicode(&mut self) -> Result<char, Syntax> {
        const LONE: &str = "half of a surrogate pair in a string";
        let Some(unit) = self.code_unit(self.at) else {
            return self.error("an escape without four hexadecimal digits");
        };
        let (code, len) = match unit {
            0xd800..=0xdbff => match self.code_unit(self.at + 6) {
                Some(low @ 0xdc00..=0xdfff) => {
                    (0x10000 + ((unit - 0xd800) << 10) + (low - 0xdc00), 12)
                }
                _ => return self.error(LONE),
            },
            unit => (unit, 6),
        };
        let Some(code) = char::from_u32(code) else {
            return self.error(LONE);
        };
        self.at += len;
        Ok(code)
    }

    /// The number in `\uXXXX` at `at`.
    fn code_unit(&self, at: usize) -> Option<u32> {
        let [b'\\', b'u', digits @ ..] = self.input.get(at..at + 6)? else {
            return None;
        };
        digits
            .iter()
            .try_fold(0, |unit, &digit| Some(unit << 4 | u32::from(hex(digit)?)))
    }

    /// Steps over a whole value, checking that it is one.
    pub(crate) fn skip(&mut self, depth: usize) -> Result<(), Syntax> {
        match self.peek()? {
            b'"' => self.string().map(drop),
            b'-' | b'0'..=b'9' => self.number().map(drop),
            b't' => self.literal("true"),
            b'f' => self.literal("false"),
            b'n' => self.literal("null"),
            b'{' => {
                self.open(b'{', depth)?;
                let mut first = true;
                while self.more(b'}', &mut first)? {
                    self.key()?;
                    self.skip(depth + 1)?;
                }
                Ok(())
            }
            b'[' => {
                self.open(b'[', depth)?;
                let mut first = true;
                while self.more(b']', &mut first)? {
                    self.skip(depth + 1)?;
                }
                Ok(())
            }
            _ => self.error("expected a value"),
        }
    }
}

/// How many bytes at the start are a number by the grammar of JSON; 0 when they are none.
pub(crate) fn number_len(input: &[u8]) -> usize {
    let digits = |from: usize| {
        input
            .get(from..)
            .unwrap_or_default()
            .iter()
            .take_while(|b| b.is_ascii_digit())
            .count()
    };
    let sign = usize::from(input.first() == Some(&b'-'));
    let whole = digits(sign);
    if whole == 0 || (whole > 1 && input[sign] == b'0') {
        return 0;
    }
    let mut at = sign + whole;
    if input.get(at) == Some(&b'.') {
        match digits(at + 1) {
            0 => return 0,
            fraction => at += 1 + fraction,
        }
    }
    if matches!(input.get(at), Some(b'e' | b'E')) {
        let sign = usize::from(matches!(input.get(at + 1), Some(b'+' | b'-')));
        match digits(at + 1 + sign) {
            0 => return 0,
            exponent => at += 1 + sign + exponent,
        }
    }
    at
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(text: &str, want: Result<(), (usize, &str)>) {
        let mut lexer = Lexer::new(text.as_bytes());
        let got = lexer.skip(0).and_then(|()| lexer.end());
        assert_eq!(
            got.map_err(|error| (error.at, error.problem)),
            want,
            "{text}"
        );
    }

    #[test]
    fn only_json_is_read() {
        check(
            r#" {"a": [1, -0.5e+3, true, false, null, "x\n"], "b": {}} "#,
            Ok(()),
        );
        check("", Err((0, "the text ends too early")));
        check("[1,]", Err((3, "a comma before the end")));
        check("[,1]", Err((1, "expected a value")));
        check(r#"{"a":1,}"#, Err((7, "a comma before the end")));
        check(r#"{"a" 1}"#, Err((5, "expected `:`")));
        check("{a:1}", Err((1, "expected a name in quotes")));
        check("01", Err((0, "expected a number")));
        check("1.", Err((0, "expected a number")));
        check("1e", Err((0, "expected a number")));
        check("--1", Err((0, "expected a number")));
        check("+1", Err((0, "expected a value")));
        check("nul", Err((0, "expected a value")));
        check("nullx", Err((4, "expected a value")));
        check("1 2", Err((2, "something follows the value")));
        check("\"a\nb\"", Err((2, "a control character in a string")));
        check("\"ab", Err((3, "a string is not closed")));
        check(r#""\x""#, Err((1, "an unknown escape in a string")));
        check(
            r#""\u12""#,
            Err((1, "an escape without four hexadecimal digits")),
        );
        check(
            r#""\ud800""#,
            Err((1, "half of a surrogate pair in a string")),
        );
        check(
            r#""\udc00\ud800""#,
            Err((1, "half of a surrogate pair in a string")),
        );
        check(&"[".repeat(101), Err((100, "values are nested too deeply")));
        check(&format!("{}{}", "[".repeat(100), "]".repeat(100)), Ok(()));
    }

    #[test]
    fn escapes_are_decoded() {
        let mut lexer = Lexer::new(br#""a\"\\\/\b\f\n\r\t\u0041\ud83d\ude00""#);
        assert_eq!(
            lexer.string().as_deref(),
            Ok("a\"\\/\u{8}\u{c}\n\r\tA\u{1f600}")
        );
    }
}
