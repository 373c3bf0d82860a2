//! The evidence that one group of blocks differs from the others: an e-value that is exact whatever the data look like.
//!
//! With equal sides the blocks are exchangeable: which `m` of the `B` blocks are on the gRPC side is drawn without
//! replacement, and the data do not depend on it. For any scores `x` that treat all blocks alike and any `c > 0` chosen by
//! a rule that treats all blocks alike,
//!
//! ```text
//!            exp(c * sum of x over the m blocks)
//!     E  =  -------------------------------------
//!             (mean of exp(c * x) over all B)^m
//! ```
//!
//! has a mean of at most 1: a convex function of a sum without replacement has no greater mean than with (Hoeffding
//! 1963, theorem 4), and with replacement the mean of the numerator is the denominator. By Markov's inequality `E`
//! exceeds `1/a` with probability at most `a`. Nothing is assumed about distributions, tails, drift or how requests of
//! one subject hang together; only that subjects were dealt by chance. It is the Chernoff form of a permutation test
//! (compare Koning, arXiv 2310.01153).
//!
//! A statistic smaller than that sum makes `E` smaller. That is how a bound is tested rather than equality: what gRPC is
//! allowed beyond legacy is taken off its sum alone, and the guarantee for equal sides stands.

/// How far logarithms of evidence go; beyond that nobody asks.
pub(super) const LN_MAX: f64 = 700.0;

/// Fractions of the `c` that would be best if scores were normal; skewed ones want less.
const FRACTIONS: [f64; 6] = [0.05, 0.1, 0.2, 0.4, 0.7, 1.2];

/// Shares of the gain that bets are made for: the whole, and what is left of it where gRPC is not quite that bad.
const GAINS: [f64; 2] = [1.0, 0.4];

/// The natural logarithm of the e-value.
///
/// `scores` are of all blocks and add up to about 0, `m` of them are gRPC's, `statistic` is at most the sum of those.
/// `gain` is what the statistic would be if gRPC were as bad as it should be found out to be; it only decides how well
/// it is.
pub(super) fn ln_evidence(scores: &[f64], m: usize, statistic: f64, gain: f64) -> f64 {
    let blocks = scores.len() as f64;
    let variance = scores.iter().map(|score| score * score).sum::<f64>() / blocks;
    let m = m as f64;
    if m == 0.0 || gain <= 0.0 || variance <= 0.0 || !variance.is_finite() {
        return 0.0;
    }
    let normal = gain / (m * variance);
    let bets = FRACTIONS.map(|fraction| {
        let c = fraction * normal;
        (c, m * ln_mean_exp(scores, c))
    });
    let best = |gain: f64| {
        let expected = |(c, ln_mean): &(f64, f64)| c * gain - ln_mean;
        bets.into_iter()
            .max_by(|a, b| expected(a).total_cmp(&expected(b)))
            .map_or(0.0, |(c, ln_mean)| c * statistic - ln_mean)
            .clamp(-LN_MAX, LN_MAX)
    };
    // The mean of e-values is one.
    let [whole, part] = GAINS.map(|share| best(share * gain));
    ln_add(whole, part) - std::f64::consts::LN_2
}

fn ln_mean_exp(scores: &[f64], c: f64) -> f64 {
    let most = scores
        .iter()
        .fold(0.0f64, |most, score| most.max(c * score));
    let sum: f64 = scores.iter().map(|score| (c * score - most).exp()).sum();
    most + (sum / scores.len() as f64).ln()
}

/// `ln(exp(a) + exp(b))`.
pub(super) fn ln_add(a: f64, b: f64) -> f64 {
    let (more, less) = if a > b { (a, b) } else { (b, a) };
    more + (less - more).exp().ln_1p()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// All ways to choose `m` of the scores.
    fn sums(scores: &[f64], m: usize) -> Vec<f64> {
        match (m, scores.split_first()) {
            (0, _) => vec![0.0],
            (_, None) => vec![],
            (_, Some((first, rest))) => {
                let mut all: Vec<f64> = sums(rest, m - 1).iter().map(|sum| sum + first).collect();
                all.extend(sums(rest, m));
                all
            }
        }
    }

    proptest! {
        #[test]
        fn its_mean_over_all_assignments_is_at_most_one(
            scores in proptest::collection::vec(prop_oneof![-1.0..1.0f64, 0.0..50.0f64], 2..10),
            share in 0.0..1.0f64, gain in 0.001..100.0f64,
        ) {
            let mean = scores.iter().sum::<f64>() / scores.len() as f64;
            let scores: Vec<f64> = scores.iter().map(|score| score - mean).collect();
            let m = 1 + (share * (scores.len() - 1) as f64) as usize;
            let all = sums(&scores, m);
            let values = all.iter().map(|sum| ln_evidence(&scores, m, *sum, gain).exp());
            let mean = values.sum::<f64>() / all.len() as f64;
            prop_assert!(mean <= 1.0 + 1e-9, "{mean}");
        }
    }

    #[test]
    fn a_plain_difference_is_plain_evidence() {
        // 20 of 100 blocks have two failures where the others have one.
        let rate = 1.2;
        let scores: Vec<f64> = (0..100)
            .map(|block| if block < 20 { 2.0 - rate } else { 1.0 - rate })
            .collect();
        let statistic: f64 = scores[..20].iter().sum();
        assert!(ln_evidence(&scores, 20, statistic, 16.0) > 20.0);
        assert_eq!(ln_evidence(&[0.0; 100], 20, 0.0, 16.0), 0.0);
    }

    #[test]
    fn logarithms_add_as_numbers_do() {
        assert!((ln_add(2f64.ln(), 3f64.ln()) - 5f64.ln()).abs() < 1e-12);
        assert!((ln_add(-LN_MAX, 3f64.ln()) - 3f64.ln()).abs() < 1e-12);
    }
}
