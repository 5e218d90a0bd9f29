//! Metrics of filters' own, and how much is in their stores.
//!
//! The kind is part of the name: two filters may call a counter and a gauge the same, and one metric has one type.

use super::Section;
use super::histogram::{Amount, Count};
use crate::wasm::holding::{Buckets, Holding, Holdings, Kind, Series, Value};
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric, MetricEncoder, NoLabelSet};
use prometheus_client::metrics::MetricType;
use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;
use std::sync::atomic::Ordering;

/// What a filter has, by its name.
type Held = (Arc<str>, Arc<Holding>);
/// A series, and whose it is.
type OfFilter<'a> = (&'a str, Arc<Series>);

/// Writes all that filters have.
pub(super) fn encode(holdings: &Holdings, encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let all = holdings.all();
    stores(&all, encoder)?;
    let mut metrics: BTreeMap<(Kind, String), Vec<OfFilter<'_>>> = BTreeMap::new();
    for (filter, holding) in &all {
        for series in holding.catalog.all() {
            metrics.entry((series.kind(), series.name().to_owned())).or_default().push((filter, series));
        }
    }
    for ((kind, name), series) in metrics {
        let (word, help) = match kind {
            Kind::Counter => ("counter", "A counter of filters' own."),
            Kind::Gauge => ("gauge", "A gauge of filters' own."),
            Kind::Histogram => ("histogram", "A histogram of filters' own."),
        };
        let name = format!("sluicegate_filter_custom_{word}_{name}");
        let mut section = match kind {
            Kind::Counter => Section::counter(encoder, &name, help)?,
            Kind::Gauge => Section::gauge(encoder, &name, help)?,
            Kind::Histogram => Section::histogram(encoder, &name, help)?,
        };
        for (filter, series) in series {
            let own = series.labels().iter().map(|(name, value)| (name.as_str(), value.as_str()));
            let labels: Vec<(&str, &str)> = [("filter", filter)].into_iter().chain(own).collect();
            section.series(&labels, &series.value)?;
        }
    }
    Ok(())
}

/// Writes how much is in stores; those that nothing is in are left out.
fn stores(all: &[Held], encoder: &mut DescriptorEncoder<'_>) -> Result<(), fmt::Error> {
    let sizes = || all.iter().map(|(filter, holding)| (filter, holding.entries.size())).filter(|(_, size)| size.0 > 0);
    let amount = |size: usize| Amount(i64::try_from(size).unwrap_or(i64::MAX));
    let mut section = Section::gauge(encoder, "sluicegate_filter_store_keys", "Entries in filters' stores.")?;
    for (filter, (keys, _)) in sizes() {
        section.series(&[("filter", &**filter)], &amount(keys))?;
    }
    let help = "Bytes in filters' stores, what entries take themselves included.";
    let mut section = Section::gauge(encoder, "sluicegate_filter_store_bytes", help)?;
    for (filter, (_, bytes)) in sizes() {
        section.series(&[("filter", &**filter)], &amount(bytes))?;
    }
    Ok(())
}

impl EncodeMetric for Value {
    fn encode(&self, mut encoder: MetricEncoder<'_>) -> Result<(), fmt::Error> {
        match self {
            Self::Count(count) => Count(count.load(Ordering::Relaxed)).encode(encoder),
            Self::Level(bits) => encoder.encode_gauge(&f64::from_bits(bits.load(Ordering::Relaxed))),
            Self::Buckets(buckets) => histogram(buckets, &mut encoder),
        }
    }

    fn metric_type(&self) -> MetricType {
        match self {
            Self::Count(_) => MetricType::Counter,
            Self::Level(_) => MetricType::Gauge,
            Self::Buckets(_) => MetricType::Histogram,
        }
    }
}

fn histogram(buckets: &Buckets, encoder: &mut MetricEncoder<'_>) -> Result<(), fmt::Error> {
    let counts = buckets.counts();
    let all = counts.iter().map(|(_, count)| count).sum();
    encoder.encode_histogram::<NoLabelSet>(buckets.sum(), all, &counts, None)
}

#[cfg(test)]
mod tests {
    use super::super::super::AccessLog;
    use super::super::Metrics;
    use super::*;
    use crate::wasm::holding::Space;
    use std::time::Instant;

    #[test]
    fn metrics_of_filters_stand_under_a_name_with_their_kind_and_their_filter() {
        let metrics = Metrics::new(&AccessLog::off());
        let define = |filter: &str, kind, name: &str, labels: &[(&str, &str)]| {
            let labels = labels.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
            let holding = metrics.holdings().of(&Arc::from(filter));
            let series = Series::new((kind, vec![1.0]), name.to_owned(), labels).unwrap();
            holding.catalog.define(&Arc::new(series), 9).unwrap();
            holding
        };
        define("a", Kind::Counter, "level", &[("plan", "any \"one\"\n")]);
        define("b", Kind::Counter, "level", &[]);
        define("b", Kind::Gauge, "level", &[]);
        let holding = define("b", Kind::Histogram, "size", &[]);
        let space = Space { bytes: 1_000, keys: 1 };
        holding
            .entries
            .set("key", (bytes::Bytes::from_static(b"value"), None), space, (Instant::now(), false))
            .unwrap();
        let text = metrics.encode().unwrap();
        for line in [
            "# TYPE sluicegate_filter_custom_counter_level counter",
            r#"sluicegate_filter_custom_counter_level_total{filter="a",plan="any \"one\"\n"} 0"#,
            r#"sluicegate_filter_custom_counter_level_total{filter="b"} 0"#,
            "# TYPE sluicegate_filter_custom_gauge_level gauge",
            r#"sluicegate_filter_custom_gauge_level{filter="b"} 0.0"#,
            r#"sluicegate_filter_custom_histogram_size_bucket{le="1.0",filter="b"} 0"#,
            r#"sluicegate_filter_custom_histogram_size_bucket{le="+Inf",filter="b"} 0"#,
            r#"sluicegate_filter_custom_histogram_size_count{filter="b"} 0"#,
            r#"sluicegate_filter_store_keys{filter="b"} 1"#,
            r#"sluicegate_filter_store_bytes{filter="b"} 136"#,
        ] {
            assert!(text.contains(&format!("{line}\n")), "no {line} in\n{text}");
        }
        metrics.holdings().retain(|name| name == "a");
        assert!(!metrics.encode().unwrap().contains(r#"filter="b""#));
    }
}
