//! Medians and spreads.

/// The value below which a share `p` (0 to 1) of the values lies; NaN without values.
pub(crate) fn percentile(values: &[f64], p: f64) -> f64 {
    let mut sorted: Vec<f64> = values.iter().copied().filter(|v| !v.is_nan()).collect();
    if sorted.is_empty() {
        return f64::NAN;
    }
    sorted.sort_by(f64::total_cmp);
    let place = p * (sorted.len() - 1) as f64;
    let (low, high) = (place.floor() as usize, place.ceil() as usize);
    sorted[low] + (sorted[high] - sorted[low]) * (place - low as f64)
}

pub(crate) fn median(values: &[f64]) -> f64 {
    percentile(values, 0.5)
}

/// Half the distance between the quartiles, as a share of the median.
pub(crate) fn spread(values: &[f64]) -> f64 {
    (percentile(values, 0.75) - percentile(values, 0.25)) / 2.0 / median(values)
}

/// The median of the ratios of values measured in the same run.
pub(crate) fn median_ratio(values: &[f64], base: &[f64]) -> f64 {
    let ratios: Vec<f64> = values.iter().zip(base).map(|(v, b)| v / b).collect();
    median(&ratios)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn median_of_even_count_lies_between() {
        assert_eq!(median(&[4.0, 1.0, 3.0, 2.0]), 2.5);
    }

    #[test]
    fn values_that_do_not_apply_are_left_out() {
        assert_eq!(median(&[f64::NAN, 5.0]), 5.0);
        assert!(median(&[f64::NAN]).is_nan());
    }

    #[test]
    fn spread_is_half_the_quartiles_over_the_median() {
        assert_eq!(spread(&[8.0, 9.0, 10.0, 11.0, 12.0]), 0.1);
    }

    #[test]
    fn ratios_are_paired_by_run() {
        assert_eq!(median_ratio(&[2.0, 30.0, 4.0], &[1.0, 10.0, 2.0]), 2.0);
    }
}
