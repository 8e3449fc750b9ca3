//! Medians.

/// The median of `values`; zero when there are none.
#[must_use]
pub fn median(values: &[f64]) -> f64 {
    let mut sorted = values.to_vec();
    sorted.sort_by(f64::total_cmp);
    match sorted.len() {
        0 => 0.0,
        odd if odd % 2 == 1 => sorted[odd / 2],
        even => f64::midpoint(sorted[even / 2 - 1], sorted[even / 2]),
    }
}

/// The median of `values` divided pair by pair by `base`, so that a slow moment of the machine cancels out.
#[must_use]
pub fn median_ratio(values: &[f64], base: &[f64]) -> f64 {
    let ratios: Vec<f64> = values
        .iter()
        .zip(base)
        .map(|(value, base)| value / base)
        .collect();
    median(&ratios)
}

#[cfg(test)]
mod tests {
    use super::{median, median_ratio};

    #[test]
    fn median_of_odd_even_and_nothing() {
        assert_eq!(median(&[3.0, 1.0, 2.0]), 2.0);
        assert_eq!(median(&[4.0, 1.0, 2.0, 3.0]), 2.5);
        assert_eq!(median(&[]), 0.0);
    }

    #[test]
    fn ratio_is_taken_pair_by_pair() {
        assert_eq!(median_ratio(&[2.0, 40.0, 6.0], &[1.0, 10.0, 3.0]), 2.0);
    }
}
