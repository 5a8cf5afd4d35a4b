//! What was decided, asked when somebody looks.

use std::fmt;
use std::sync::Arc;

use aegis_dispatch::Policies;
use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeLabelSet, EncodeMetric};
use prometheus_client::metrics::MetricType;
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::registry::Unit;

/// The decisions of these policies.
pub struct Decided(pub Arc<Policies>);

impl fmt::Debug for Decided {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Decided")
    }
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByAnswer {
    kind: &'static str,
    answer: &'static str,
}

#[derive(Clone, Debug, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ByKind {
    kind: &'static str,
}

/// Every series is there from the start: a first denial that made its own series would be no
/// increase of it.
impl Collector for Decided {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let counted = self.0.decisions().counted();
        let help = "Decisions, by what they were about and how they came out";
        let mut decisions = encoder.encode_descriptor("decisions", help, None, MetricType::Counter)?;
        for of_kind in &counted {
            for (answer, count) in &of_kind.answers {
                let labels = ByAnswer { kind: of_kind.kind.as_str(), answer: answer.as_str() };
                ConstCounter::new(*count).encode(decisions.encode_family(&labels)?)?;
            }
        }
        let (help, unit) = ("Time that judging took", Some(&Unit::Seconds));
        let mut seconds = encoder.encode_descriptor("decision", help, unit, MetricType::Histogram)?;
        for of_kind in &counted {
            let count = of_kind.took.iter().map(|(_, count)| count).sum();
            let labels = ByKind { kind: of_kind.kind.as_str() };
            let mut encoder = seconds.encode_family(&labels)?;
            encoder.encode_histogram::<ByKind>(of_kind.took_s, count, &of_kind.took, None)?;
        }
        let help = "Decisions that policies in LOG_ONLY would have made otherwise";
        let log_only = encoder.encode_descriptor("policy_log_only", help, None, MetricType::Counter)?;
        ConstCounter::new(self.0.decisions().log_only()).encode(log_only)
    }
}
