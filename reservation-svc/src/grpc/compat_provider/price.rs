//! Prices in whole units, as the provider API has them, and in minor units, as everything else has them.

use crate::domain::money::Currency;

/// Currencies without a minor unit (ISO 4217, list one).
const WITHOUT_MINOR: [&str; 16] = [
    "BIF", "CLP", "DJF", "GNF", "ISK", "JPY", "KMF", "KRW", "PYG", "RWF", "UGX", "VND", "VUV",
    "XAF", "XOF", "XPF",
];
/// Currencies of a thousand minor units.
const OF_A_THOUSAND: [&str; 7] = ["BHD", "IQD", "JOD", "KWD", "LYD", "OMR", "TND"];

/// How many minor units make a whole one.
fn minor_per_whole(currency: Currency) -> i64 {
    let code = currency.to_string();
    if WITHOUT_MINOR.contains(&code.as_str()) {
        1
    } else if OF_A_THOUSAND.contains(&code.as_str()) {
        1000
    } else {
        100
    }
}

pub(super) fn minor(currency: Currency, whole: i32) -> i64 {
    i64::from(whole) * minor_per_whole(currency)
}

/// Rounded up: partners must not show less than a seat costs.
pub(super) fn whole(currency: Currency, minor: i64) -> i32 {
    let unit = minor_per_whole(currency);
    let whole = minor.div_euclid(unit) + i64::from(minor.rem_euclid(unit) > 0);
    i32::try_from(whole).unwrap_or(i32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_units_go_by_currency() {
        for (code, want) in [
            ("EUR", 30_000),
            ("RUB", 30_000),
            ("JPY", 300),
            ("KWD", 300_000),
        ] {
            let currency = Currency::parse(code).unwrap();
            assert_eq!(minor(currency, 300), want);
            assert_eq!(whole(currency, want), 300);
            assert_eq!(whole(currency, want + 1), 300 + 1, "{code}");
        }
    }
}
