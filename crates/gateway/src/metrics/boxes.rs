//! What became of boxes, asked when somebody looks.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use aegis_model::boxes::{BoxCounts, BoxEnd};
use aegis_model::port::Runtime;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric, MetricEncoder};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::Unit;

/// What makes boxes here.
pub struct Boxes(pub Vec<Arc<dyn Runtime>>);

impl fmt::Debug for Boxes {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Boxes").field(&self.0.len()).finish()
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Kind {
    isolation: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Ended {
    isolation: &'static str,
    reason: &'static str,
}

impl Collector for Boxes {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counts: Vec<(Kind, BoxCounts)> =
            self.0.iter().map(|runtime| (Kind { isolation: runtime.isolation().as_str() }, runtime.counts())).collect();
        let alive = encoder.encode_descriptor("boxes_alive", "Boxes that live", None, MetricType::Gauge)?;
        each(alive, &counts, |count| ConstGauge::new(i64::try_from(count.alive).unwrap_or(i64::MAX)))?;
        let made = encoder.encode_descriptor("boxes_made", "Boxes made", None, MetricType::Counter)?;
        each(made, &counts, |count| ConstCounter::new(count.made))?;
        let failed =
            encoder.encode_descriptor("boxes_failed", "Boxes that could not be made", None, MetricType::Counter)?;
        each(failed, &counts, |count| ConstCounter::new(count.failed))?;
        let (help, unit) = ("Time that making boxes took, together", Some(&Unit::Seconds));
        let making = encoder.encode_descriptor("boxes_making", help, unit, MetricType::Counter)?;
        each(making, &counts, |count| ConstCounter::new(Duration::from_micros(count.making_us).as_secs_f64()))?;
        let ended = encoder.encode_descriptor("boxes_ended", "Boxes gone, by reason", None, MetricType::Counter)?;
        by_reason(ended, &counts)
    }
}

fn each<M: EncodeMetric>(
    mut encoder: MetricEncoder<'_>,
    counts: &[(Kind, BoxCounts)],
    value: impl Fn(&BoxCounts) -> M,
) -> fmt::Result {
    counts.iter().try_for_each(|(kind, count)| value(count).encode(encoder.encode_family(kind)?))
}

fn by_reason(mut encoder: MetricEncoder<'_>, counts: &[(Kind, BoxCounts)]) -> fmt::Result {
    for (kind, count) in counts {
        for (end, number) in BoxEnd::ALL.iter().zip(count.ended) {
            let labels = Ended { isolation: kind.isolation, reason: end.as_str() };
            ConstCounter::new(number).encode(encoder.encode_family(&labels)?)?;
        }
    }
    Ok(())
}
