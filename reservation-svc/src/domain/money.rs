//! Money in minor units. There is no conversion: a booking is paid in its venue's currency.

use std::fmt;

/// An ISO 4217 currency: three upper-case letters.
#[derive(Clone, Copy, PartialEq, Eq, Hash)]
pub struct Currency([u8; 3]);

impl Currency {
    /// The currency of that code, or nothing if it is not three upper-case letters.
    pub fn parse(code: &str) -> Option<Self> {
        let bytes: [u8; 3] = code.as_bytes().try_into().ok()?;
        bytes
            .iter()
            .all(u8::is_ascii_uppercase)
            .then_some(Self(bytes))
    }
}

impl fmt::Display for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// An amount, never negative.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// Of which currency.
    pub currency: Currency,
    /// In its smallest unit: 1999 with USD is 19.99 dollars.
    pub minor: i64,
}

impl Money {
    /// So much of that currency.
    pub fn new(currency: Currency, minor: i64) -> Self {
        Self { currency, minor }
    }
}

#[cfg(test)]
mod tests {
    use super::Currency;

    #[test]
    fn only_three_capitals_are_a_currency() {
        assert_eq!(Currency::parse("EUR").unwrap().to_string(), "EUR");
        for wrong in ["", "EU", "EURO", "eur", "E1R", "€"] {
            assert_eq!(Currency::parse(wrong), None, "{wrong}");
        }
    }
}
