//! What metrics of a filter's own may be called: Prometheus' text format, without what the host or the format itself adds.

use crate::config::limits;

/// Suffixes that the format gives to the samples of a metric, or keeps for kinds that filters have not (OpenMetrics 1.0, section
/// "Suffixes").
const SUFFIXES: [&str; 6] = ["_total", "_created", "_count", "_sum", "_bucket", "_info"];
/// Labels that the host or the format adds.
const TAKEN: [&str; 2] = ["filter", "le"];

/// Whether a metric may have this name.
pub(super) fn is_metric(name: &str) -> bool {
    is_name(name) && !SUFFIXES.iter().any(|suffix| name.ends_with(suffix))
}

/// Whether a series may have these labels, which are in the order of their names.
pub(super) fn are_labels(labels: &[(String, String)]) -> bool {
    let fits = |(name, value): &(String, String)| {
        is_name(name)
            && !name.starts_with("__")
            && !TAKEN.contains(&name.as_str())
            && value.len() <= limits::FILTER_METRIC_VALUE
    };
    let twice = labels.iter().zip(labels.iter().skip(1)).any(|(one, next)| one.0 == next.0);
    labels.len() <= limits::FILTER_METRIC_LABELS && !twice && labels.iter().all(fits)
}

/// Whether values can be counted by these upper bounds.
pub(super) fn are_bounds(bounds: &[f64]) -> bool {
    let ascending = bounds.iter().zip(bounds.iter().skip(1)).all(|(one, next)| one < next);
    bounds.len() <= limits::FILTER_METRIC_BUCKETS && ascending && bounds.iter().all(|bound| bound.is_finite())
}

fn is_name(name: &str) -> bool {
    let first = name.bytes().next();
    first.is_some_and(|byte| byte == b'_' || byte.is_ascii_alphabetic())
        && name.len() <= limits::FILTER_METRIC_NAME
        && name.bytes().all(|byte| byte == b'_' || byte.is_ascii_alphanumeric())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn labels(labels: &[(&str, &str)]) -> Vec<(String, String)> {
        labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn a_name_has_letters_digits_and_underscores_and_no_suffix_of_the_formats() {
        for good in ["requests", "_x", "Cache2_hits", &"a".repeat(64)] {
            assert!(is_metric(good), "{good}");
        }
        let bad = ["", "2x", "a-b", "a:b", "a b", "a\nb", "ä", "x_total", "x_bucket", "x_created", &"a".repeat(65)];
        for bad in bad {
            assert!(!is_metric(bad), "{bad:?}");
        }
    }

    #[test]
    fn labels_are_few_short_and_not_those_of_others() {
        let value = "v".repeat(128);
        let eight: Vec<_> = ["a", "b", "c", "d", "e", "f", "g", "h"].map(|name| (name, value.as_str())).into();
        assert!(are_labels(&labels(&eight)) && are_labels(&labels(&[("plan", "any \"text\"\n")])));
        let nine: Vec<_> = eight.iter().copied().chain([("i", "")]).collect();
        assert!(!are_labels(&labels(&nine)));
        let long = "v".repeat(129);
        let bad: [&[(&str, &str)]; 6] =
            [&[("filter", "x")], &[("le", "1")], &[("__x", "")], &[("a", ""), ("a", "")], &[("a", &long)], &[("", "")]];
        for bad in bad {
            assert!(!are_labels(&labels(bad)), "{bad:?}");
        }
    }

    #[test]
    fn bounds_are_finite_and_ascend() {
        assert!(are_bounds(&[]) && are_bounds(&[-1.0, 0.0, 2.5]));
        let many: Vec<f64> = (0..33).map(f64::from).collect();
        let bad: [&[f64]; 5] = [&[1.0, 1.0], &[2.0, 1.0], &[f64::NAN], &[1.0, f64::INFINITY], &many];
        for bad in bad {
            assert!(!are_bounds(bad), "{bad:?}");
        }
    }
}
