//! W3C trace context: the `traceparent` header (W3C Recommendation "Trace Context", 2021), enough to carry one trace
//! id from the edge through every service and into every log line.

use std::fmt;

use http::{HeaderMap, HeaderName, HeaderValue};

use crate::random;

/// The header's name.
pub const TRACEPARENT: &str = "traceparent";

/// One hop of a trace. `Display` writes the header's value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TraceContext {
    trace_id: u128,
    span_id: u64,
    sampled: bool,
}

impl TraceContext {
    /// A new trace.
    #[must_use]
    pub fn new() -> Self {
        Self {
            trace_id: random_u128(),
            span_id: random_u64(),
            sampled: true,
        }
    }

    /// Reads a header's value; `None` where the recommendation says to ignore it.
    #[must_use]
    pub fn parse(value: &str) -> Option<Self> {
        let mut parts = value.split('-');
        let (version, trace, span, flags) =
            (parts.next()?, parts.next()?, parts.next()?, parts.next()?);
        let version_known = version == "00";
        if version.len() != 2
            || version == "ff"
            || !is_lower_hex(version)
            || (version_known && parts.next().is_some())
        {
            return None;
        }
        let sizes = trace.len() == 32 && span.len() == 16 && flags.len() == 2;
        if !sizes || ![trace, span, flags].into_iter().all(is_lower_hex) {
            return None;
        }
        let trace_id = u128::from_str_radix(trace, 16).ok().filter(|id| *id != 0)?;
        let span_id = u64::from_str_radix(span, 16).ok().filter(|id| *id != 0)?;
        let sampled = u8::from_str_radix(flags, 16).ok()? & 1 == 1;
        Some(Self {
            trace_id,
            span_id,
            sampled,
        })
    }

    /// The context of a request: a child of the caller's hop, or a new trace.
    #[must_use]
    pub fn of(headers: &HeaderMap) -> Self {
        let parent = headers
            .get(TRACEPARENT)
            .and_then(|value| value.to_str().ok())
            .and_then(Self::parse);
        parent.map_or_else(Self::new, |parent| parent.child())
    }

    /// The next hop of the same trace.
    #[must_use]
    pub fn child(self) -> Self {
        Self {
            span_id: random_u64(),
            ..self
        }
    }

    /// The trace id in 32 hexadecimal digits, for logs.
    #[must_use]
    pub fn trace_id(&self) -> String {
        format!("{:032x}", self.trace_id)
    }

    /// The header's value.
    #[must_use]
    pub fn header(&self) -> HeaderValue {
        let mut text = *b"00-00000000000000000000000000000000-0000000000000000-00";
        hex(&mut text[3..35], &self.trace_id.to_be_bytes());
        hex(&mut text[36..52], &self.span_id.to_be_bytes());
        text[54] += u8::from(self.sampled);
        HeaderValue::from_bytes(&text).unwrap_or_else(|_| HeaderValue::from_static(""))
    }

    /// Writes the header, replacing another.
    pub fn inject(&self, headers: &mut HeaderMap) {
        headers.insert(HeaderName::from_static(TRACEPARENT), self.header());
    }
}

impl Default for TraceContext {
    fn default() -> Self {
        Self::new()
    }
}

impl fmt::Display for TraceContext {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "00-{:032x}-{:016x}-{:02x}",
            self.trace_id,
            self.span_id,
            u8::from(self.sampled)
        )
    }
}

/// Two digits a byte; every request has some, and `format!` takes ten times as long.
fn hex(out: &mut [u8], bytes: &[u8]) {
    const DIGITS: [u8; 16] = *b"0123456789abcdef";
    for (pair, byte) in out.chunks_exact_mut(2).zip(bytes) {
        pair[0] = DIGITS[usize::from(byte >> 4)];
        pair[1] = DIGITS[usize::from(byte & 15)];
    }
}

fn is_lower_hex(text: &str) -> bool {
    text.bytes()
        .all(|byte| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte))
}

/// Never zero, which the recommendation forbids.
fn random_u64() -> u64 {
    u64::from_ne_bytes(random::bytes()).max(1)
}

fn random_u128() -> u128 {
    (u128::from(random_u64()) << 64) | u128::from(random_u64())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_it_writes() {
        let context = TraceContext::new();
        assert_eq!(TraceContext::parse(&context.to_string()), Some(context));
        assert_eq!(context.header(), context.to_string());
        let child = context.child();
        assert_eq!(child.trace_id(), context.trace_id());
        assert_ne!(child.to_string(), context.to_string());
    }

    #[test]
    fn ignores_what_the_recommendation_says_to_ignore() {
        let good = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01";
        assert!(TraceContext::parse(good).is_some());
        for bad in [
            "",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331",
            "00-00000000000000000000000000000000-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01",
            "ff-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0AF7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01",
            "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01-more",
        ] {
            assert_eq!(TraceContext::parse(bad), None, "{bad}");
        }
        assert!(
            TraceContext::parse(&format!("cc{}-more", &good[2..])).is_some(),
            "later versions may add parts"
        );
    }
}
